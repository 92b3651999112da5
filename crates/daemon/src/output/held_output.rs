//! What a file has not taken yet, where a policy keeps it, and when that is tried again.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use supervisord_config::model::WhenBlocked;

use super::disk_guard::DiskGuard;
use super::log_file::LogFile;
use super::loss::Loss;
use super::spill::Spill;
use super::torn_line::TornLine;
use super::waiting_output::{ALL_IS_FULL, WaitingOutput};

/// How long a file is left alone that did not take anything.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// How much may be in a file that is used up although no policy asks for it any more.
const LEFT_LIMIT: u64 = 64 << 20;

/// Output that waits for a file.
#[derive(Debug, Default)]
pub(super) struct HeldOutput {
    waiting: WaitingOutput,
    /// What waits in a file, behind that.
    spill: Option<Box<Spill>>,
    retry_at: Option<Instant>,
    torn: TornLine,
}

/// Where output may wait that a policy keeps in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpillPlace<'a> {
    /// The directory of the file.
    pub directory: Option<&'a str>,
    /// The path of the log.
    pub log: &'a str,
    /// Where a part of each disk is left free.
    pub guard: Option<&'a Mutex<DiskGuard>>,
}

impl HeldOutput {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.spilled().is_none()
    }

    /// The file with what waits, if anything does.
    pub fn spilled(&self) -> Option<&Spill> {
        self.spill.as_deref().filter(|spill| !spill.is_empty())
    }

    /// The line of which a policy has dropped the beginning.
    pub fn torn(&mut self) -> &mut TornLine {
        &mut self.torn
    }

    /// Whether what comes next is the rest of a line that was dropped.
    pub fn is_torn(&self) -> bool {
        self.torn.is_open()
    }

    /// Whether anything waits that is gone with this process.
    pub fn is_in_memory(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When the file is tried again.
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// The file could not be opened, and is tried again later.
    pub fn try_later(&mut self) {
        self.retry_at = Some(Instant::now() + RETRY);
    }

    /// What an earlier daemon has left comes before everything else.
    pub fn adopt(&mut self, spill: Spill) {
        self.spill = Some(Box::new(spill));
        self.retry_at = Some(Instant::now());
    }

    /// The last of these bytes is the last of the file, without having waited.
    pub fn passed(&mut self, bytes: &[u8]) {
        self.waiting.passed(bytes);
    }

    /// Keeps what the file did not take. The error says how much is lost, which may be nothing.
    pub fn hold(&mut self, bytes: &[u8], policy: Option<WhenBlocked>, loss: Loss, place: SpillPlace<'_>) -> Loss {
        self.retry_at.get_or_insert_with(|| Instant::now() + RETRY);
        let limit = match policy {
            Some(WhenBlocked::Spill(limit)) => Some(limit),
            _ => self.spilled().map(|_| LEFT_LIMIT),
        };
        let loss = match (limit, place.directory) {
            (Some(limit), Some(directory)) => self.spill(bytes, limit, directory, place).err().unwrap_or(loss.of(0)),
            _ => {
                let overflow = self.waiting.push(bytes, policy);
                match overflow.is_of_all && overflow.lost > 0 {
                    true => Loss::new(overflow.lost, &ALL_IS_FULL),
                    false => loss.of(overflow.lost),
                }
            }
        };
        self.torn.note_loss(bytes, loss.amount(), policy);
        loss
    }

    fn spill(&mut self, bytes: &[u8], limit: u64, directory: &str, place: SpillPlace<'_>) -> Result<(), Loss> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            None => {
                let made = Spill::create(directory, place.log, self.waiting.is_within_line());
                let spill = made.map_err(|error| {
                    Loss::new(bytes.len(), &format_args!("it could not be kept in {directory}: {error}"))
                })?;
                self.spill.insert(Box::new(spill))
            }
        };
        spill.push(bytes, limit, place.guard)
    }

    /// Writes what waits, oldest first, until the file refuses something, or that is enough for one turn. `may_write` says why so
    /// many bytes may not be written.
    pub fn flush(
        &mut self,
        log: &mut LogFile,
        may_write: impl Fn(&LogFile, usize) -> Result<(), Loss>,
    ) -> Result<(), Loss> {
        self.retry_at = None;
        let outcome = self.write_waiting(log, &may_write).and_then(|()| match &mut self.spill {
            Some(spill) => spill.replay(log, &may_write),
            None => Ok(()),
        });
        if outcome.is_err() {
            self.try_later();
        } else if self.spilled().is_some() {
            self.retry_at = Some(Instant::now());
        } else if let Some(spill) = self.spill.take() {
            self.waiting.passed(if spill.is_within_line() { b" " } else { b"\n" });
            spill.remove();
        }
        outcome
    }

    fn write_waiting(
        &mut self,
        log: &mut LogFile,
        may_write: impl Fn(&LogFile, usize) -> Result<(), Loss>,
    ) -> Result<(), Loss> {
        while !self.waiting.is_empty() {
            let piece = self.waiting.oldest();
            let length = piece.len();
            let outcome = may_write(log, length).and_then(|()| log.append(piece));
            let missing = outcome.as_ref().err().map_or(0, Loss::amount);
            self.waiting.written(length.saturating_sub(missing));
            outcome.map_err(|loss| loss.of(0))?;
        }
        Ok(())
    }

    /// Nothing waits in memory any more; the answer is how many bytes are lost. What waits in a file stays there for whoever opens
    /// the log next.
    pub fn give_up(&mut self) -> usize {
        self.retry_at = None;
        self.waiting.give_up()
    }

    /// Nothing waits any more at all; the answer is how many bytes are lost.
    pub fn give_up_all(&mut self) -> usize {
        let spilled = self.spill.take().map_or(0, |spill| spill.remove());
        self.give_up() + usize::try_from(spilled).unwrap_or(usize::MAX)
    }
}
