//! A line of which a policy has dropped the beginning, because the log had no room for it: its rest is dropped as well.
//!
//! Output comes in pieces that can end anywhere, so that the rest may come when there is room again.

use supervisord_config::model::WhenBlocked;

/// Why the rest is lost.
pub(super) const REASON: &str = "the beginning of the line was lost";

/// Whether the next output of a log is the rest of such a line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TornLine {
    is_open: bool,
}

impl TornLine {
    /// Whether the rest of the line is still to come.
    pub fn is_open(self) -> bool {
        self.is_open
    }

    /// So many of these bytes, from the last on, were lost by this policy.
    pub fn note_loss(&mut self, bytes: &[u8], lost: usize, policy: Option<WhenBlocked>) {
        self.is_open |= lost > 0 && drops_newest(policy) && !bytes.ends_with(b"\n");
    }

    /// There is another policy, which may lose parts of lines.
    pub fn follow_policy(&mut self, policy: Option<WhenBlocked>) {
        self.is_open &= drops_newest(policy);
    }

    /// How many of these bytes belong to the line. They are to be dropped.
    pub fn take_rest(&mut self, bytes: &[u8]) -> usize {
        if !self.is_open {
            return 0;
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        self.is_open = end.is_none();
        end.map_or(bytes.len(), |end| end + 1)
    }
}

fn drops_newest(policy: Option<WhenBlocked>) -> bool {
    matches!(policy, Some(WhenBlocked::DropNewest | WhenBlocked::Spill(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_line_ends_with_its_line_feed() {
        let (mut torn, newest) = (TornLine::default(), Some(WhenBlocked::DropNewest));
        torn.note_loss(b"whole\n", 6, newest);
        torn.note_loss(b"half", 4, Some(WhenBlocked::DropOldest));
        torn.note_loss(b"half", 0, newest);
        assert_eq!(torn.take_rest(b"a\nb\n"), 0);
        torn.note_loss(b"half", 4, newest);
        assert_eq!((torn.take_rest(b" a"), torn.take_rest(b" line\nnext\n"), torn.take_rest(b"x\n")), (2, 6, 0));
        torn.note_loss(b"half", 4, newest);
        torn.follow_policy(Some(WhenBlocked::Block));
        assert!(!torn.is_open());
    }
}
