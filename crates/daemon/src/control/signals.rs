//! The signals that the daemon obeys.

use supervisord_config::Purpose;
use supervisord_config::model::LogLevel;
use supervisord_core::supervisor::SupervisorInput;
use supervisord_sys::signal::Signal;

use super::Control;
use super::inbox::Message;
use crate::clock::present;
use crate::host::READING_LIMIT;

impl Control {
    /// Obeys the signals that have arrived.
    pub(super) fn take_signals(&mut self) {
        for signal in self.signals.drain() {
            match signal {
                Signal::Terminate => self.input(SupervisorInput::ShutdownSignal { name: "SIGTERM" }),
                Signal::Interrupt => self.input(SupervisorInput::ShutdownSignal { name: "SIGINT" }),
                Signal::Quit => self.input(SupervisorInput::ShutdownSignal { name: "SIGQUIT" }),
                Signal::Hangup => {
                    self.explain_hangup();
                    self.reread();
                }
                Signal::User2 => self.input(SupervisorInput::ReopenSignal),
                Signal::Child => self.reap_and_report(),
                Signal::User1 => self.begin_upgrade(None),
                Signal::Urgent => {
                    self.tools.activity.log(LogLevel::Info, "received SIGURG indicating reload request");
                    self.tools.reloads.notify_one();
                }
                // The daemon does not draw.
                Signal::WindowChange => {}
            }
        }
    }

    /// A terminal that is closed sends SIGHUP, too, and nobody who closes one thinks of a restart.
    fn explain_hangup(&self) {
        if supervisord_sys::terminal::has_hung_up() {
            let text = "the terminal of supervisord was closed, which sends SIGHUP, and SIGHUP restarts everything; \
                        supervisord goes on without it (run it in the background, without -n, or by a service manager)";
            self.tools.activity.log(LogLevel::Warn, text);
        }
    }

    /// Reads the configuration for a restart on a thread of its own, because a disk may hang.
    fn reread(&mut self) {
        let Some((number, held)) = self.rereads.begin(present().mono) else {
            let text = "earlier readings of it still wait for a disk or a name server".to_owned();
            return self.input(SupervisorInput::RestartSignal { config: Err(text) });
        };
        let (load, message_sender) = (self.tools.load_config.clone(), self.message_sender.clone());
        let spawned = std::thread::Builder::new().name("reread".to_owned()).spawn(move || {
            let config = load(Purpose::Start, &[]).map(Box::new);
            drop(held);
            message_sender.send(Message::Reread { number, config });
        });
        if let Err(error) = spawned {
            let config = Err(format!("cannot start a thread to read it: {error}"));
            self.message_sender.send(Message::Reread { number, config });
        }
    }

    /// Gives up reading the configuration where that takes too long.
    pub(super) fn give_up_rereads(&mut self) {
        while self.rereads.give_up_overdue(present().mono) {
            let text = format!("a disk or a name server has not responded for {} seconds", READING_LIMIT.as_secs());
            self.input(SupervisorInput::RestartSignal { config: Err(text) });
        }
    }
}
