//! The audit log as the output plane writes it. It is rotated like the activity log.

use supervisord_core::rotation::Rotation;

use super::activity_log::OpenError;
use super::log_limits::LogLimits;
use super::sinks::{SinkId, Sinks};

/// Where the lines go; nowhere without a file.
#[derive(Default)]
pub(super) struct AuditWriter {
    file: Option<(SinkId, Rotation)>,
}

impl AuditWriter {
    /// Opens the log at this path, if there is to be one.
    pub fn open(path: Option<&str>, limits: &LogLimits, sinks: &mut Sinks) -> Result<AuditWriter, OpenError> {
        let Some(path) = path else { return Ok(AuditWriter::default()) };
        let opened = sinks.acquire(&path.into(), limits);
        let sink = opened.map_err(|source| OpenError { path: path.to_owned(), source })?;
        Ok(AuditWriter { file: Some((sink, limits.rotation)) })
    }

    /// Writes a finished line, line feed included.
    pub fn write(&self, line: &str, sinks: &mut Sinks) {
        if let Some((sink, rotation)) = self.file {
            sinks.write_lines(sink, line.as_bytes(), rotation);
        }
    }
}
