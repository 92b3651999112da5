//! What has to arrive: a message is sent until the server has stored it.

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishErrorKind;
use bytes::Bytes;

use super::context::{AgentContext, Attempts};
use crate::store_setup::{StoreLimits, set_up};

/// Stores a message. Only the message of `id` is stored where several have the same.
pub(super) async fn store(context: &AgentContext, subject: String, id: Option<String>, message: Vec<u8>) {
    let message = Bytes::from(message);
    let mut attempts = Attempts::new();
    let mut has_complained = false;
    loop {
        context.nats.connected().await;
        let mut headers = HeaderMap::new();
        if let Some(id) = &id {
            headers.insert("Nats-Msg-Id", id.as_str());
        }
        let sent = context.nats.jetstream.publish_with_headers(subject.clone(), headers, message.clone()).await;
        let stored = match sent {
            Ok(acknowledgement) => acknowledgement.await,
            Err(error) => Err(error),
        };
        let Err(error) = stored else { return };
        if error.kind() == PublishErrorKind::StreamNotFound {
            // Nobody has set the fleet up, or the server has lost it.
            match set_up(&context.nats.jetstream, StoreLimits::default()).await {
                Ok(()) => continue,
                Err(error) if !has_complained => (context.log)(&error.to_string()),
                Err(_) => {}
            }
        } else if !has_complained {
            let complaint = context.nats.take_complaint().map(|text| format!(" ({text})")).unwrap_or_default();
            (context.log)(&format!("{subject}: {error}{complaint}; trying again"));
        }
        has_complained = true;
        attempts.pause().await;
    }
}
