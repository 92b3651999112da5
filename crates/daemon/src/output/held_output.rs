//! What a file has not taken yet, where a policy keeps it, and when that is tried again.

use std::time::{Duration, Instant};

use supervisord_config::model::WhenBlocked;

use super::loss::Loss;
use super::waiting_output::{ALL_IS_FULL, WaitingOutput};

/// How long a file is left alone that did not take anything.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// Output that waits for a file.
#[derive(Debug, Default)]
pub(super) struct HeldOutput {
    waiting: WaitingOutput,
    retry_at: Option<Instant>,
}

impl HeldOutput {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When the file is tried again.
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// These bytes are in the file without having waited.
    pub fn passed(&mut self, bytes: &[u8]) {
        self.waiting.passed(bytes);
    }

    /// Keeps what the file did not take. The error says how much is lost, which may be nothing.
    pub fn hold(&mut self, bytes: &[u8], policy: Option<WhenBlocked>, loss: Loss) -> Loss {
        self.retry_at.get_or_insert_with(|| Instant::now() + RETRY);
        let overflow = self.waiting.push(bytes, policy);
        match overflow.is_of_all && overflow.lost > 0 {
            true => Loss::new(overflow.lost, &ALL_IS_FULL),
            false => loss.of(overflow.lost),
        }
    }

    /// Writes what waits, oldest first, until the file refuses something.
    pub fn flush(&mut self, mut write: impl FnMut(&[u8]) -> Result<(), Loss>) -> Result<(), Loss> {
        self.retry_at = None;
        while !self.waiting.is_empty() {
            let piece = self.waiting.oldest();
            let length = piece.len();
            let outcome = write(piece);
            let missing = outcome.as_ref().err().map_or(0, Loss::amount);
            self.waiting.written(length.saturating_sub(missing));
            if let Err(loss) = outcome {
                self.retry_at = Some(Instant::now() + RETRY);
                return Err(loss.of(0));
            }
        }
        Ok(())
    }

    /// Nothing waits any more; the answer is how many bytes are lost.
    pub fn give_up(&mut self) -> usize {
        self.retry_at = None;
        self.waiting.give_up()
    }
}
