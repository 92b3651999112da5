//! Keeping a plug-in process alive: started when there is something for it to do, restarted with growing pauses.

mod connection;
mod define;
mod end;
mod questions;
mod session;
mod snapshot;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use supervisord_config::model::LogLevel;
use supervisord_sys::Errno;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::api::Api;
use crate::blocking::NotDone;
use crate::output::RunId;
use crate::plugins::process::PreparedPlugin;
use crate::plugins::{Order, PluginNotice, Work};
use connection::Connection;
use end::{End, refuse};
use session::Session;

/// The longest pause before another attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long to wait before another attempt while the system is short of something.
const SHORT_PAUSE: Duration = Duration::from_secs(1);

/// A plug-in process that lived this long was a good one: the next pause is short again.
const GOOD_LIFE: Duration = Duration::from_secs(60);

/// A plug-in process that has just been spawned.
struct PluginProcess {
    run: RunId,
    pid: u32,
    /// Tells when it has ended.
    exited: oneshot::Receiver<()>,
    connection: Connection,
}

impl Work {
    /// Serves plug-ins until the daemon ends.
    pub(crate) async fn run(mut self, api: Arc<Api>) {
        let mut first = None;
        if self.interfaces.is_empty() {
            // Only result handlers can need a plug-in process, and perhaps nobody ever does.
            first = self.orders.recv().await;
            if first.is_none() {
                return;
            }
        }
        let mut failures = 0;
        let mut last_shortage = None;
        loop {
            let begin = Instant::now();
            let (pause, reason) = match self.serve(&api, first.take()).await {
                End::Daemon => return,
                End::Process(reason) => {
                    failures = if begin.elapsed() > GOOD_LIFE { 1 } else { failures + 1 };
                    let pause = Duration::from_secs(1 << (failures - 1).min(6)).min(LONGEST_PAUSE);
                    let text =
                        format!("the plug-in process {reason}; another is started in {} seconds", pause.as_secs());
                    api.activity.log(LogLevel::Error, &text);
                    last_shortage = None;
                    (pause, reason)
                }
                End::Shortage(reason) => {
                    if last_shortage.as_ref() != Some(&reason) {
                        let text = format!("the plug-in process {reason}; this is tried again every second");
                        api.activity.log(LogLevel::Error, &text);
                        last_shortage = Some(reason.clone());
                    }
                    (SHORT_PAUSE, reason)
                }
            };
            (self.notify)(PluginNotice::Ready);
            (self.notify)(PluginNotice::Subscribed(Vec::new()));
            if self.refuse_for(pause, &reason).await.is_err() {
                return;
            }
        }
    }

    /// One plug-in process, from its start to its end.
    async fn serve(&mut self, api: &Arc<Api>, first: Option<Order>) -> End {
        let PluginProcess { run, pid, exited, connection } = match self.start(api).await {
            Ok(Some(process)) => process,
            Ok(None) => return End::Daemon,
            Err(error) => {
                first.into_iter().for_each(|order| refuse(&self.notify, order, "cannot be started"));
                let reason = format!("cannot be started: {error}");
                return if is_shortage(&error) { End::Shortage(reason) } else { End::Process(reason) };
            }
        };
        let text = format!("plug-in process started with pid {pid}");
        api.activity.log(LogLevel::Info, &text);
        let mut session = Session::new(self, api, connection);
        let end = session.run(first, exited).await;
        // Where it has not ended by itself it is of no use any more.
        session.kill(run);
        session.fail_all(match &end {
            End::Daemon => "ends with the daemon",
            End::Process(reason) | End::Shortage(reason) => reason,
        });
        end
    }

    /// Has control spawn a plug-in process; none when the daemon ends.
    async fn start(&self, api: &Arc<Api>) -> io::Result<Option<PluginProcess>> {
        // On a thread that may block: the interpreter may lie on a disk that does not answer.
        let directory = self.directory.clone();
        let prepared = match api.blocking.run(move || PreparedPlugin::new(&directory)).await {
            Ok(prepared) => prepared?,
            Err(NotDone::NoThread) => {
                return Err(io::Error::new(io::ErrorKind::WouldBlock, NotDone::NoThread.to_string()));
            }
            Err(NotDone::Ended) => return Ok(None),
        };
        let ((tell, spawned), (end, exited)) = (oneshot::channel(), oneshot::channel());
        // Whoever would be told may have gone.
        let stream = prepared.have_spawned(&self.notify, |result| _ = tell.send(result), || _ = end.send(()));
        let Ok(spawned) = spawned.await else { return Ok(None) };
        let (run, pid) = spawned?;
        let opened = Connection::open(stream);
        if opened.is_err() {
            (self.notify)(PluginNotice::Kill(run));
        }
        Ok(Some(PluginProcess { run, pid, exited, connection: opened? }))
    }

    /// Refuses all orders for a while; an error when the daemon ends.
    async fn refuse_for(&mut self, pause: Duration, reason: &str) -> Result<(), ()> {
        let end = Instant::now() + pause;
        loop {
            match timeout(end.saturating_duration_since(Instant::now()), self.orders.recv()).await {
                Err(_) => return Ok(()),
                Ok(None) => return Err(()),
                Ok(Some(order)) => refuse(&self.notify, order, reason),
            }
        }
    }
}

/// Whether it may pass by itself.
fn is_shortage(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::new);
    let is_known = number.is_some_and(|number| [Errno::EAGAIN, Errno::EMFILE, Errno::ENFILE].contains(&number));
    is_known || matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory)
}
