//! Reading rotated logs, off the thread of the network plane.

use std::io::{self, ErrorKind};

use supervisord_core::actor::Actor;
use supervisord_core::call::{Reason, Refusal};

use super::Api;
use super::logs::LogPart;
use crate::calls::CallFailure;
use crate::rotated_log::{LogFileEntry, RotatedLog};

impl Api {
    /// A log that this API has told the path of, and its rotated files, the newest first.
    pub async fn log_files(&self, actor: &Actor, log: RotatedLog) -> Result<Vec<LogFileEntry>, CallFailure> {
        self.view(actor)?;
        let path = log.path.clone();
        Ok(self.blocking.run(move || log.files()).await?.map_err(|error| refusal(&path, &error))?)
    }

    /// A part of one of these files, as it was before it was compressed.
    pub async fn read_log_file(
        &self,
        actor: &Actor,
        log: RotatedLog,
        name: String,
        offset: i64,
        length: u64,
    ) -> Result<LogPart, CallFailure> {
        self.view(actor)?;
        let reservation = self.reserve(usize::try_from(length).unwrap_or(usize::MAX)).await?;
        let shown = name.clone();
        let read = self.blocking.run(move || log.read(&name, offset, length)).await?;
        let (bytes, offset, size) = read.map_err(|error| refusal(&shown, &error))?;
        Ok(LogPart { bytes, offset, size, reservation })
    }
}

fn refusal(name: &str, error: &io::Error) -> Refusal {
    match error.kind() {
        ErrorKind::NotFound => Refusal::with(Reason::UnknownName, name),
        _ => Refusal::with(Reason::Failed, format_args!("{name} cannot be read: {error}")),
    }
}
