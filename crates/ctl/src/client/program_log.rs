//! The logs of programs, as the JSON API has them.

use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderName;
use supervisord_wire::channel::Channel;

use super::Client;
use super::connection::{self, Connection};
use super::error::ClientError;
use super::event_stream::EventStream;
use super::follow::LogStream;
use super::json::path_of;

const LOG_OFFSET: HeaderName = HeaderName::from_static("log-offset");

/// A part of a log, up to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogExcerpt {
    /// Where it begins in the log, in bytes.
    pub offset: u64,
    /// What is written there.
    pub bytes: Vec<u8>,
}

impl Client {
    /// The end of a log, at most so many bytes; the HTTP status is 404 where there is no log.
    pub fn log_part(
        &mut self,
        group: &str,
        name: &str,
        channel: Channel,
        length: u64,
    ) -> Result<LogExcerpt, ClientError> {
        let path = format!("{}?offset=-{length}&length={length}", log_path(group, name, channel));
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
