//! The bucket and the stream: made once, by whoever may.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

use crate::fleet_error::FleetError;
use crate::report::MAX_MESSAGE;
use crate::subjects::{ALL_EVENTS, ALL_KEYS, BUCKET_STREAM, EVENTS_STREAM};

/// How large they may become, and how long they keep what.
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// How many servers of the cluster have a copy.
    pub replicas: usize,
    /// How long events are kept.
    pub events_for: Duration,
    /// How much room they have, in bytes.
    pub events_bytes: i64,
}

/// How long the bucket keeps a host from which nothing comes.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);

/// How much room the bucket has, in bytes.
const BUCKET_BYTES: i64 = 1 << 30;

impl Default for StoreLimits {
    fn default() -> StoreLimits {
        StoreLimits { replicas: 1, events_for: Duration::from_secs(7 * 24 * 3600), events_bytes: 1 << 30 }
    }
}

/// Makes the bucket and the stream where they do not exist.
pub async fn set_up(jetstream: &Context, limits: StoreLimits) -> Result<(), FleetError> {
    let common = || Config {
        num_replicas: limits.replicas,
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        max_message_size: i32::try_from(MAX_MESSAGE).unwrap_or(i32::MAX),
        ..Config::default()
    };
    // The configuration that a key-value bucket of NATS has, so that its own tools understand it.
    let bucket = Config {
        name: BUCKET_STREAM.to_owned(),
        subjects: vec![ALL_KEYS.to_owned()],
        max_messages_per_subject: 1,
        max_age: FORGOTTEN_AFTER,
        max_bytes: BUCKET_BYTES,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        ..common()
    };
    let events = Config {
        name: EVENTS_STREAM.to_owned(),
        subjects: vec![ALL_EVENTS.to_owned()],
        max_age: limits.events_for,
        max_bytes: limits.events_bytes,
        discard: DiscardPolicy::Old,
        duplicate_window: Duration::from_secs(120),
        ..common()
    };
    for config in [bucket, events] {
        let name = config.name.clone();
        jetstream.get_or_create_stream(config).await.map_err(|error| {
            FleetError::Other(format!(
                "cannot make the stream {name}: {error}. JetStream must be enabled, and the user may need \
                 `supervisor-fleet setup` to be run by another one"
            ))
        })?;
    }
    Ok(())
}
