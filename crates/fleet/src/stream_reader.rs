//! A stream of the server, read in order and without a gap, whatever happens to the connection, the server or the reader.
//!
//! The server keeps the place of a reader only as long as both hear of each other. A reader that was cut off or stopped, such as one
//! on a machine that slept, asks for a new consumer behind the last message that it has had.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig};
use futures_util::StreamExt;
use tokio::time::{sleep, timeout};

use crate::fleet_error::FleetError;
use crate::nats_link::NatsLink;

/// How long the server may take to make a consumer.
const OPEN_WITHIN: Duration = Duration::from_secs(5);
/// How long to wait before the next attempt.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A stream, and how far it has been read.
pub struct StreamReader {
    link: NatsLink,
    stream: &'static str,
    subject: &'static str,
    /// Where to begin in a stream of which nothing has been read.
    from: DeliverPolicy,
    /// The sequence of the last message before the next one.
    last: u64,
    connection: u64,
    messages: Option<Ordered>,
}

impl StreamReader {
    /// Reads these subjects of a stream. Also says how many messages there are now.
    pub async fn open(
        link: NatsLink,
        stream: &'static str,
        subject: &'static str,
        from: DeliverPolicy,
    ) -> Result<(StreamReader, u64), FleetError> {
        let connection = link.connected().await;
        let mut reader = StreamReader { link, stream, subject, from, last: 0, connection, messages: None };
        let (messages, before, pending) = reader.consume(from).await?;
        (reader.messages, reader.last) = (Some(messages), before);
        Ok((reader, pending))
    }

    /// The next message. It waits for the server as long as that is away.
    pub async fn next(&mut self) -> Message {
        loop {
            let Some(messages) = &mut self.messages else {
                self.connection = self.link.connected().await;
                if timeout(OPEN_WITHIN, self.go_on()).await.is_err() || self.messages.is_none() {
                    sleep(AGAIN_AFTER).await;
                }
                continue;
            };
            let message = tokio::select! {
                biased;
                _ = self.link.reconnected(self.connection) => None,
                message = messages.next() => message,
            };
            // An error says that the server or this process was away for a while.
            let Some(Ok(message)) = message else {
                self.messages = None;
                continue;
            };
            // A consumer that the library has made again may begin too early.
            let Some(sequence) = message.info().ok().map(|info| info.stream_sequence).filter(|new| *new > self.last)
            else {
                continue;
            };
            self.last = sequence;
            return message;
        }
    }

    /// Goes on behind the last message. What cannot be had now is tried again.
    async fn go_on(&mut self) {
        let behind = DeliverPolicy::ByStartSequence { start_sequence: self.last + 1 };
        let Ok((messages, before, _)) = self.consume(behind).await else { return };
        if before >= self.last {
            self.messages = Some(messages);
            return;
        }
        // The server counts from the beginning again: it has lost the stream, and all that is there is new.
        let all = match self.from {
            DeliverPolicy::LastPerSubject => DeliverPolicy::LastPerSubject,
            _ => DeliverPolicy::All,
        };
        if let Ok((messages, before, _)) = self.consume(all).await {
            (self.messages, self.last) = (Some(messages), before);
        }
    }

    /// A consumer, the sequence before its first message, and how many messages it has.
    async fn consume(&self, from: DeliverPolicy) -> Result<(Ordered, u64, u64), FleetError> {
        let config = OrderedConfig {
            deliver_subject: self.link.client.new_inbox(),
            filter_subject: self.subject.to_owned(),
            deliver_policy: from,
            ..OrderedConfig::default()
        };
        let stream = self.stream;
        let consumer = self.link.jetstream.create_consumer_on_stream(config, stream).await.map_err(|error| {
            FleetError::Other(format!(
                "cannot read the stream {stream}: {error}. No agent has connected yet, or nobody has run `supervisor-fleet setup`"
            ))
        })?;
        let info = consumer.cached_info();
        let (before, pending) = (info.delivered.stream_sequence, info.num_pending);
        let messages = consumer.messages().await.map_err(|error| FleetError::Other(error.to_string()))?;
        Ok((messages, before, pending))
    }
}
