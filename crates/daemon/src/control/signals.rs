//! The signals that the daemon obeys.

use supervisord_config::Purpose;
use supervisord_config::model::LogLevel;
use supervisord_core::supervisor::SupervisorInput;
use supervisord_sys::signal::Signal;

use super::Control;
use super::inbox::Message;

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
        self.rereads += 1;
        let (load, message_sender) = (self.tools.load_config.clone(), self.message_sender.clone());
        let spawned = std::thread::Builder::new()
            .name("reread".to_owned())
            .spawn(move || message_sender.send(Message::Reread(load(Purpose::Start, &[]).map(Box::new))));
        if let Err(error) = spawned {
            self.message_sender.send(Message::Reread(Err(format!("cannot start a thread to read it: {error}"))));
        }
    }
}
