//! News from the daemon, which threads of their own wait for, so that keys are obeyed while it does not answer.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use supervisord_config::scale::WantedCount;

use super::inbox::Outbox;
use super::news::{Details, News};
use super::target::{Action, Target};
use crate::client::{Client, ClientError, StreamGroup};
use crate::settings::Settings;

/// The least time between two readings of all programs.
const LEAST_PAUSE: Duration = Duration::from_millis(200);

/// The pause before another attempt to reach a daemon that does not answer.
const RECONNECT_AFTER: Duration = Duration::from_millis(500);

/// How often the daemon counts what programs use, in seconds.
const USAGE_EVERY: u32 = 2;

/// How many bytes of a log are shown at most.
const LOG_BYTES: i64 = 32 << 10;

/// The threads. They end when this is dropped, once they notice.
pub struct Feed {
    streams: StreamGroup,
    acts: Sender<(Action, String)>,
    looks: Sender<Target>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.streams.end();
    }
}

impl Feed {
    /// Starts the threads.
    pub fn start(settings: &Settings, outbox: Outbox) -> io::Result<Feed> {
        let streams = StreamGroup::default();
        let (acts, to_do) = channel();
        let (looks, to_see) = channel();
        let feed = Feed { streams: streams.clone(), acts, looks };
        spawn("programs", settings, &outbox, {
            let streams = streams.clone();
            move |client, outbox| watch_programs(client, outbox, &streams)
        })?;
        spawn("usage", settings, &outbox, move |client, outbox| watch_usage(client, outbox, &streams))?;
        spawn("actions", settings, &outbox, move |client, outbox| act_all(client, outbox, &to_do))?;
        spawn("details", settings, &outbox, move |client, outbox| look_all(client, outbox, &to_see))?;
        Ok(feed)
    }

    /// Does something to a program.
    pub fn act(&self, action: Action, name: String) {
        // The thread lives as long as this.
        drop(self.acts.send((action, name)));
    }

    /// Asks for more of a program.
    pub fn look(&self, target: Target) {
        drop(self.looks.send(target));
    }
}

fn spawn(
    name: &str,
    settings: &Settings,
    outbox: &Outbox,
    work: impl FnOnce(Client, Outbox) + Send + 'static,
) -> io::Result<()> {
    let client = settings.client().map_err(io::Error::other)?;
    let outbox = outbox.clone();
    thread::Builder::new().name(name.to_owned()).spawn(move || work(client, outbox)).map(drop)
}

fn watch_programs(mut client: Client, outbox: Outbox, streams: &StreamGroup) {
    while !streams.has_ended() {
        match watch_once(&mut client, &outbox, streams) {
            Watched::Ended => thread::sleep(LEAST_PAUSE),
            Watched::Unreachable(error) => {
                if !streams.has_ended() {
                    outbox.send(News::Lost(error.to_string()));
                }
                thread::sleep(RECONNECT_AFTER);
            }
        }
    }
}

/// What became of an attempt to watch the programs.
enum Watched {
    /// It went well and is over, as at an upgrade, after which the daemon can be reached again at once.
    Ended,
    /// The daemon cannot be reached.
    Unreachable(ClientError),
}

/// Reads all programs now and whenever something has changed, until the stream ends.
fn watch_once(client: &mut Client, outbox: &Outbox, streams: &StreamGroup) -> Watched {
    // First, so that no change is missed.
    let changes = match client.changes() {
        Ok(changes) => changes,
        Err(error) => return Watched::Unreachable(error),
    };
    streams.join(changes.stopper());
    let mut has_read = false;
    for change in changes {
        match change.and_then(|_| client.programs()) {
            Ok(programs) => outbox.send(News::Programs(programs)),
            Err(_) if has_read => break,
            Err(error) => return Watched::Unreachable(error),
        }
        has_read = true;
        thread::sleep(LEAST_PAUSE);
    }
    if has_read { Watched::Ended } else { Watched::Unreachable(ClientError::Closed) }
}

fn watch_usage(client: Client, outbox: Outbox, streams: &StreamGroup) {
    while !streams.has_ended() {
        if let Ok(events) = client.usage(USAGE_EVERY) {
            streams.join(events.stopper());
            for event in events.map_while(Result::ok).filter(|event| event.name == "usage") {
                if let Ok(usage) = serde_json::from_str(&event.data) {
                    outbox.send(News::Usage(usage));
                }
            }
        }
        thread::sleep(RECONNECT_AFTER);
    }
}

fn act_all(mut client: Client, outbox: Outbox, to_do: &Receiver<(Action, String)>) {
    for (action, name) in to_do {
        let done = match action {
            Action::Start => client.start_process(&name, true),
            Action::Stop => client.stop_process(&name, true),
            Action::Restart => match client.stop_process(&name, true) {
                // It may be down already.
                Ok(()) | Err(ClientError::Fault(_)) => client.start_process(&name, true),
                Err(error) => Err(error),
            },
            Action::HangUp => client.signal_process(&name, "HUP"),
            Action::ClearLogs => client.clear_logs(&name),
            Action::Disable => client.act_on("disable", &[&name]).and_then(settled),
            Action::Enable => client.act_on("enable", &[&name]).and_then(settled),
            Action::ScaleUp => client.scale(&name, WantedCount::Change(1), false).map(drop),
            Action::ScaleDown => client.scale(&name, WantedCount::Change(-1), false).map(drop),
        };
        let text = match &done {
            Ok(()) => format!("{name}: {}", action.done()),
            Err(error) => format!("{name}: could not be {}: {error}", action.done()),
        };
        outbox.send(News::Done { text, is_failure: done.is_err() });
    }
}

/// Whether all that was asked for was done, of which each has its result.
fn settled(answer: Value) -> Result<(), ClientError> {
    let results = answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    match results.iter().find(|result| result["ok"] != true) {
        None => Ok(()),
        Some(result) => {
            Err(ClientError::Refused { code: 409, detail: result["detail"].as_str().unwrap_or_default().to_owned() })
        }
    }
}

fn look_all(mut client: Client, outbox: Outbox, to_see: &Receiver<Target>) {
    while let Ok(target) = to_see.recv() {
        // Only the last one matters.
        let target = to_see.try_iter().last().unwrap_or(target);
        let why = match client.why(&target.group, &target.name) {
            Ok(explanation) => explanation.explanation,
            Err(error) => vec![error.to_string()],
        };
        let log = client.read_log(&target.namespec(), target.channel, -LOG_BYTES, 0).map_err(|error| match error {
            ClientError::Fault(_) => "there is no such log".to_owned(),
            error => error.to_string(),
        });
        outbox.send(News::Details(Details { target, why, log }));
    }
}
