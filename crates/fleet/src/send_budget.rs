//! How much of a log a host may send: so many bytes a second, with a store for bursts.

/// What may be sent in a second, in bytes.
pub const BYTES_A_SECOND: u64 = 128 << 10;
/// What may be sent at once after a pause, in bytes.
pub const BURST: u64 = 512 << 10;

/// What may be sent now.
#[derive(Debug)]
pub struct SendBudget {
    /// In thousandths of a byte.
    left: u64,
    /// When that was counted, in milliseconds.
    at: u64,
}

impl SendBudget {
    /// A full store.
    pub fn full(now: u64) -> SendBudget {
        SendBudget { left: BURST * 1000, at: now }
    }

    /// Takes what a piece needs, if it is there.
    pub fn take(&mut self, bytes: usize, now: u64) -> bool {
        let gained = now.saturating_sub(self.at).saturating_mul(BYTES_A_SECOND);
        self.left = self.left.saturating_add(gained).min(BURST * 1000);
        self.at = self.at.max(now);
        let needed = (bytes as u64).saturating_mul(1000);
        let is_there = needed <= self.left;
        if is_there {
            self.left -= needed;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_then_so_much_a_second() {
        let mut budget = SendBudget::full(0);
        assert!(budget.take(BURST as usize, 0) && !budget.take(1, 0));
        assert!(budget.take(BYTES_A_SECOND as usize, 1000) && !budget.take(1, 1000));
    }

    proptest! {
        #[test]
        fn no_more_is_sent_than_the_rate_allows(pieces in proptest::collection::vec((0usize..300_000, 0u64..500), 0..100)) {
            let (mut budget, mut now, mut sent) = (SendBudget::full(0), 0, 0u64);
            for (bytes, wait) in pieces {
                now += wait;
                sent += if budget.take(bytes, now) { bytes as u64 } else { 0 };
                prop_assert!(sent <= BURST + BYTES_A_SECOND * now / 1000 + 1);
            }
        }
    }
}
