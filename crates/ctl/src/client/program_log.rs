//! The logs of programs, as the JSON API has them.

use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderName;
use serde::Deserialize;
use supervisord_wire::channel::Channel;

use super::Client;
use super::connection::{self, Connection};
use super::error::ClientError;
use super::event_stream::EventStream;
use super::follow::LogStream;
use super::json::{path_of, segment};

const LOG_OFFSET: HeaderName = HeaderName::from_static("log-offset");

/// A part of a log, up to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogExcerpt {
    /// Where it begins in the log, in bytes.
    pub offset: u64,
    /// What is written there.
    pub bytes: Vec<u8>,
}

/// A log, or a rotated file of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ListedLogFile {
    /// Its name.
    pub name: String,
    /// Its size on the disk, in bytes.
    pub size: u64,
    /// When its last line was written, in seconds since the epoch.
    pub modified: i64,
    /// `none`, `gzip` or `zstd`.
    pub compression: String,
}

#[derive(Deserialize)]
struct LogFiles {
    files: Vec<ListedLogFile>,
}

impl Client {
    /// A part of a log, or of a rotated file of it, decompressed: at most so many bytes, at an offset that counts from the end
    /// where it is negative. The HTTP status is 404 where there is no log.
    pub fn log_part(
        &mut self,
        (group, name, channel): (&str, &str, Channel),
        file: Option<&str>,
        offset: i64,
        length: u64,
    ) -> Result<LogExcerpt, ClientError> {
        let log = log_path(group, name, channel);
        let log = file.map(|file| format!("{log}/files/{}", segment(file))).unwrap_or(log);
        let path = format!("{log}?offset={offset}&length={length}");
        let request = connection::request(&self.url, self.credentials.as_ref(), Method::GET, &path, Bytes::new())?;
        let mut wait = self.wait_policy.wait(false);
        let answer = Connection::open(&self.url, &self.tls, &mut wait)?.open_body(request, &mut wait)?;
        let offset = answer.headers.get(LOG_OFFSET).and_then(|offset| offset.to_str().ok()?.parse().ok());
        let offset = offset.ok_or(ClientError::Shape { method: "logs" })?;
        let mut bytes = Vec::new();
        for piece in LogStream::new(answer) {
            bytes.extend_from_slice(&piece?);
        }
        Ok(LogExcerpt { offset, bytes })
    }

    /// A log and its rotated files, the newest first.
    pub fn log_files(&mut self, group: &str, name: &str, channel: Channel) -> Result<Vec<ListedLogFile>, ClientError> {
        let listed: LogFiles = self.get(&format!("{}/files", log_path(group, name, channel)), "logs")?;
        Ok(listed.files)
    }

    /// What is appended to a log after the event with this id, or after so many bytes, as events `output` and `rotated`.
    pub fn follow_log(
        &self,
        group: &str,
        name: &str,
        channel: Channel,
        after: &str,
    ) -> Result<EventStream, ClientError> {
        self.stream(&format!("{}?follow", log_path(group, name, channel)), Some(after))
    }
}

fn log_path(group: &str, name: &str, channel: Channel) -> String {
    format!("{}/logs/{}", path_of(group, name), channel.name())
}
