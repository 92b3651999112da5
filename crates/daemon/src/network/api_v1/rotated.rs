//! The rotated files of a log: which there are, and what is in them.

use schemars::JsonSchema;
use serde::Serialize;

use super::logs;
use super::problem::Problem;
use super::request::{ApiRequest, encoded, json};
use crate::api::LogPlace;
use crate::network::reply::Reply;
use crate::rotated_log::{LogFileEntry, RotatedLog};

/// The files of a log, the newest first.
#[derive(Serialize, JsonSchema)]
pub(super) struct LogFiles {
    files: Vec<LogFileResource>,
}

/// A log, or a rotated file of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LogFile")]
struct LogFileResource {
    /// Its name, by which it can be read.
    name: String,
    /// Its size on the disk, in bytes.
    size: u64,
    /// When its last line was written, in seconds since the epoch.
    modified: i64,
    /// none, gzip or zstd.
    compression: &'static str,
}

impl From<LogFileEntry> for LogFileResource {
    fn from(LogFileEntry { name, size, modified, compression }: LogFileEntry) -> LogFileResource {
        LogFileResource { name, size, modified, compression: compression.word() }
    }
}

/// The files of the log that the path names.
pub(super) async fn list(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let files = match log(&request)? {
        Some(log) => request.api.log_files(request.actor, log).await?,
        None => Vec::new(),
    };
    let files = LogFiles { files: files.into_iter().map(LogFileResource::from).collect() };
    Ok(json(encoded(&files)?, request.api.answers.nothing()))
}

/// A part of one of them, decompressed.
pub(super) async fn get(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let name = request.parameters.get(3).cloned().unwrap_or_default();
    let (offset, length) = logs::range(&request);
    let log = log(&request)?.ok_or_else(|| Problem::not_found(format!("there is no file '{name}'")))?;
    let part = request.api.read_log_file(request.actor, log, name, offset, length).await?;
    Ok(logs::part(part))
}

/// None where it is no file, but in memory.
fn log(request: &ApiRequest<'_>) -> Result<Option<RotatedLog>, Problem> {
    let (_, place, _) = logs::of_program(request)?;
    let LogPlace::File(log) = place else { return Ok(None) };
    Ok(Some(log))
}
