//! How many bytes of reports may be on their way to control: beyond that the output plane stops reading the streams
//! that cause reports, so that their processes wait instead of memory growing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::queue::OutputHandle;

/// The most bytes in flight before reading stops. One more piece per stream may go beyond it.
const LIMIT: usize = 8 << 20;

/// The account of the bytes in [`Report::Log`](super::Report::Log) and
/// [`Report::Communication`](super::Report::Communication).
#[derive(Clone)]
pub struct ReportBudget {
    shared: Arc<Shared>,
    output: OutputHandle,
}

#[derive(Default)]
struct Shared {
    used: AtomicUsize,
    waiting: AtomicBool,
}

impl ReportBudget {
    pub(super) fn new(output: OutputHandle) -> ReportBudget {
        ReportBudget { shared: Arc::default(), output }
    }

    /// Control has dealt with a report of this many bytes. Never blocks.
    pub fn release(&self, bytes: usize) {
        let lower = |used: usize| Some(used.saturating_sub(bytes));
        let before = self.shared.used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lower).unwrap_or(0);
        if before.saturating_sub(bytes) <= LIMIT && self.shared.waiting.swap(false, Ordering::SeqCst) {
            self.output.ring();
        }
    }

    pub(super) fn spend(&self, bytes: usize) {
        self.shared.used.fetch_add(bytes, Ordering::SeqCst);
    }

    /// Whether reading must stop. If so, the loop will be woken when it may go on.
    pub(super) fn is_exhausted(&self) -> bool {
        if self.shared.used.load(Ordering::SeqCst) <= LIMIT {
            return false;
        }
        self.shared.waiting.store(true, Ordering::SeqCst);
        // A release between the two loads may not have seen the flag.
        self.shared.used.load(Ordering::SeqCst) > LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_exhausted_beyond_the_limit_only() {
        let budget = ReportBudget::new(OutputHandle::new());
        budget.spend(LIMIT);
        assert!(!budget.is_exhausted());
        budget.spend(1);
        assert!(budget.is_exhausted());
        budget.release(1);
        assert!(!budget.is_exhausted());
        assert!(!budget.shared.waiting.load(Ordering::SeqCst));
    }
}
