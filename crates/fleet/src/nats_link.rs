//! The connection to the NATS server, which comes back by itself for ever.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;

use crate::fleet_error::FleetError;

/// How long a server may take for an acknowledgement.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(5);
/// How long a server may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The longest time between two attempts.
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// How many messages of one subscription wait in memory. What comes beyond that is lost, and asked for again.
const MESSAGES_IN_MEMORY: usize = 4096;

/// Where the server is, and who we are to it.
#[derive(Clone, Debug, Default)]
pub struct NatsOptions {
    /// Addresses of servers of one cluster, between commas.
    pub servers: String,
    /// A file with a JWT and a key, as `nsc` makes it.
    pub credentials: Option<PathBuf>,
    /// A user name.
    pub user: Option<String>,
    /// A file with the password of that user.
    pub password_file: Option<PathBuf>,
    /// Certificates that sign those of the servers.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Whether a connection that could not be made at once is tried for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// For ever, while everything else goes on.
    Endless,
    /// No: somebody waits for an answer.
    None,
}

/// A connection.
#[derive(Clone)]
pub struct NatsLink {
    /// The client.
    pub client: Client,
    /// JetStream.
    pub jetstream: Context,
    /// How often it has been connected; 0 before the first time, and an even number while it is not.
    connected: watch::Receiver<u64>,
    /// The last complaint of the server.
    complaint: Arc<watch::Sender<Option<String>>>,
}

impl NatsLink {
    /// Connects under a name for people, with a prefix for the subjects of answers.
    pub async fn open(
        options: &NatsOptions,
        name: String,
        inbox_prefix: String,
        patience: Patience,
        log: fn(&str),
    ) -> Result<NatsLink, FleetError> {
        let (tell, connected) = watch::channel(0u64);
        let tell = Arc::new(tell);
        let complaint = Arc::new(watch::Sender::new(None));
        let kept = complaint.clone();
        let last_told = Mutex::new(String::new());
        let mut connecting = ConnectOptions::new()
            .name(name)
            .custom_inbox_prefix(inbox_prefix)
            .connection_timeout(CONNECT_WITHIN)
            .subscription_capacity(MESSAGES_IN_MEMORY)
            .client_capacity(256)
            .read_buffer_capacity(16 << 10)
            .ping_interval(Duration::from_secs(5))
            .max_reconnects(None)
            .reconnect_delay_callback(delay)
            .event_callback(move |event| {
                match &event {
                    Event::Connected => tell.send_modify(|count| *count |= 1),
                    Event::Disconnected => tell.send_modify(|count| *count += *count & 1),
                    _ => {}
                }
                if let Event::ServerError(error) = &event {
                    kept.send_replace(Some(error.to_string()));
                }
                let text = event.to_string();
                // A server that is away fails each attempt in the same way.
                let is_new = last_told.lock().is_ok_and(|mut last| std::mem::replace(&mut *last, text.clone()) != text);
                if patience == Patience::Endless && is_new {
                    log(&format!("NATS: {text}"));
                }
                async {}
            });
        if let Some(file) = &options.credentials {
            connecting = connecting.credentials_file(file).await.map_err(|error| unreadable(file, &error))?;
        }
        if let Some(user) = &options.user {
            let password = match &options.password_file {
                None => String::new(),
                Some(file) => secret(file)?,
            };
            connecting = connecting.user_and_password(user.clone(), password);
        }
        if let Some(file) = &options.ca_file {
            connecting = connecting.add_root_certificates(file.clone()).require_tls(true);
        }
        if let Some((certificate, key)) = &options.certificate {
            connecting = connecting.add_client_certificate(certificate.clone(), key.clone());
        }
        if patience == Patience::Endless {
            connecting = connecting.retry_on_initial_connect();
        }
        let client = connecting.connect(addresses(&options.servers)?).await.map_err(|error| {
            let told = format!("the NATS server {}: {error}", options.servers);
            match error.kind() {
                ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => FleetError::Denied(told),
                _ => FleetError::NoServer(told),
            }
        })?;
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(ACKNOWLEDGE_WITHIN)
            .ack_timeout(ACKNOWLEDGE_WITHIN)
            .max_ack_inflight(64)
            .build(client.clone());
        Ok(NatsLink { client, jetstream, connected, complaint })
    }

    /// Waits until there is a connection. Returns which one it is: another number is another connection.
    pub async fn connected(&self) -> u64 {
        let mut connected = self.connected.clone();
        let count = connected.wait_for(|count| count & 1 == 1).await.map(|count| *count);
        // The sender lives as long as the client.
        count.unwrap_or_default()
    }

    /// Waits until the connection is another one than this.
    pub async fn reconnected(&self, last: u64) -> u64 {
        let mut connected = self.connected.clone();
        let count = connected.wait_for(|count| count & 1 == 1 && *count != last).await.map(|count| *count);
        count.unwrap_or_default()
    }

    /// Which connection it is now. An even number says that there is none.
    pub fn connection(&self) -> u64 {
        *self.connected.borrow()
    }

    /// Waits until this connection is there no longer.
    pub async fn lost(&self, connection: u64) {
        let mut connected = self.connected.clone();
        let _ = connected.wait_for(|count| *count != connection).await;
    }

    /// The last complaint of the server, once.
    pub fn take_complaint(&self) -> Option<String> {
        self.complaint.send_replace(None)
    }

    /// Waits until the server refuses something. It tells that by itself, and what was asked for gets no answer.
    pub async fn refused(&self) -> String {
        let is_refusal =
            |complaint: &Option<String>| complaint.as_ref().is_some_and(|text| text.contains("ermissions"));
        let mut complaint = self.complaint.subscribe();
        let complaint = complaint.wait_for(is_refusal).await.ok();
        complaint.and_then(|complaint| complaint.clone()).unwrap_or_default()
    }
}

/// How long to wait before an attempt. Random, so that all hosts do not come back at the same moment.
fn delay(attempt: usize) -> Duration {
    let most = Duration::from_millis(50u64 << attempt.min(6)).min(LONGEST_DELAY);
    let random = std::fs::File::open("/dev/urandom").and_then(|mut file| {
        let mut byte = [0u8];
        std::io::Read::read_exact(&mut file, &mut byte).map(|()| byte[0])
    });
    most * u32::from(random.unwrap_or(255)) / 255
}

fn addresses(servers: &str) -> Result<Vec<ServerAddr>, FleetError> {
    let address = |text: &str| {
        text.trim().parse::<ServerAddr>().map_err(|error| {
            FleetError::Usage(format!("{text:?} is no address of a NATS server, such as nats://HOST:4222: {error}"))
        })
    };
    servers.split(',').map(address).collect()
}

/// The first line of a file that holds a secret.
pub fn secret(file: &Path) -> Result<String, FleetError> {
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn unreadable(file: &Path, error: &std::io::Error) -> FleetError {
    FleetError::Other(format!("cannot read {}: {error}", file.display()))
}
