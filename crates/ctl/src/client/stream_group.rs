//! Streams that end together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Stopper;

/// Ends streams from another thread: those that are open, and each that joins later. Clones are one group.
#[derive(Clone, Default)]
pub struct StreamGroup(Arc<Mutex<Members>>);

#[derive(Default)]
struct Members {
    has_ended: bool,
    stoppers: Vec<Stopper>,
}

impl StreamGroup {
    /// Whether the group has been ended.
    pub fn has_ended(&self) -> bool {
        self.members().has_ended
    }

    /// Has the stream of this stopper end with the group; at once if the group has ended.
    pub fn join(&self, stopper: Stopper) {
        let mut members = self.members();
        if members.has_ended {
            return stopper.stop();
        }
        members.stoppers.retain(Stopper::has_stream);
        members.stoppers.push(stopper);
    }

    /// Ends all streams.
    pub fn end(&self) {
        let mut members = self.members();
        members.has_ended = true;
        members.stoppers.drain(..).for_each(|stopper| stopper.stop());
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stopper, and the other end of it, which lives as long as a stream.
    fn stream() -> (Stopper, Stopper) {
        let stopper = Stopper::default();
        (stopper.clone(), stopper)
    }

    fn is_stopped(stream: &Stopper) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = stream.0.notified() => true,
                () = std::future::ready(()) => false,
            }
        })
    }

    #[test]
    fn streams_end_with_their_group_whenever_they_join() {
        let group = StreamGroup::default();
        let (early, early_stream) = stream();
        group.join(early);
        assert!(!group.has_ended() && !is_stopped(&early_stream));
        group.clone().end();
        assert!(group.has_ended() && is_stopped(&early_stream));
        let (late, late_stream) = stream();
        group.join(late);
        assert!(is_stopped(&late_stream));
    }

    #[test]
    fn streams_that_are_over_are_forgotten() {
        let group = StreamGroup::default();
        for _ in 0..3 {
            let (stopper, stream) = stream();
            group.join(stopper);
            drop(stream);
        }
        assert_eq!(group.members().stoppers.len(), 1);
    }
}
