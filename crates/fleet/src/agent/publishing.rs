//! What has to arrive: a message is sent until the server has stored it.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishErrorKind;
use bytes::Bytes;
use tokio::time::Instant;

use super::context::{AgentContext, Attempts};
use crate::store_setup::{StoreLimits, set_up};

/// How often it is tried to store something that nobody has set up yet, and to set that up where the server refused it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const SET_UP_EVERY: Duration = Duration::from_secs(30);

/// Stores a message. Only the message of `id` is stored where several have the same.
pub(super) async fn store(context: &AgentContext, subject: String, id: Option<String>, message: Vec<u8>) {
    let message = Bytes::from(message);
    let mut attempts = Attempts::new();
    let mut has_complained = false;
    let mut set_up_at = Instant::now();
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
        let Err(error) = stored else {
            if has_complained {
                (context.log)(&format!("{subject}: stored"));
            }
            return;
        };
        if error.kind() == PublishErrorKind::StreamNotFound {
            // Nobody has set the fleet up, or the server has lost it.
            if Instant::now() >= set_up_at {
                match set_up_here(context).await {
                    Ok(()) => continue,
                    Err(error) if !has_complained => (context.log)(&format!("{subject}: {error}; trying again")),
                    Err(_) => {}
                }
                set_up_at = Instant::now() + SET_UP_EVERY;
            }
            has_complained = true;
            // Somebody else sets it up at any moment.
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        if !has_complained {
            let complaint = context.nats.take_complaint().map(|text| format!(" ({text})")).unwrap_or_default();
            (context.log)(&format!("{subject}: {error}{complaint}; trying again"));
        }
        has_complained = true;
        attempts.pause().await;
    }
}

/// Sets the fleet up, unless the server refuses, which it tells at once while the request gets no answer.
async fn set_up_here(context: &AgentContext) -> Result<(), String> {
    context.nats.take_complaint();
    tokio::select! {
        done = set_up(&context.nats.jetstream, StoreLimits::default()) => done.map_err(|error| error.to_string()),
        complaint = context.nats.refused() => Err(format!(
            "the fleet has no bucket and stream yet, and the agent may not create them: somebody who may runs \
             `supervisor-fleet setup` ({complaint})"
        )),
    }
}
