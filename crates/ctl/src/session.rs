//! A session: settings, connection, input, output and exit status.

use supervisord_wire::API_VERSION;
use supervisord_wire::fault::FaultCode;

use crate::client::{Client, ClientError};
use crate::console::Console;
use crate::diagnosis;
use crate::failure::Failure;
use crate::hints::HintRequest;
use crate::input::Input;
use crate::interrupt::Interrupts;
use crate::plugin_process::PluginProcess;
use crate::settings::Settings;
use crate::status;

/// The state that actions work on.
pub struct Session {
    /// URL, credentials, mode.
    pub settings: Settings,
    /// Output.
    pub console: Console,
    /// Input.
    pub input: Input,
    /// The handler of Ctrl-C.
    pub interrupts: Interrupts,
    /// The process that runs plug-ins, if there are any.
    pub plugins: Option<PluginProcess>,
    /// Refusals that hints may explain when the action is done.
    pub hints: Vec<HintRequest>,
    client: Option<Client>,
    exit_status: u8,
}

impl Session {
    /// A session that connects at the first action that needs the daemon.
    pub fn new(settings: Settings, console: Console, input: Input, interrupts: Interrupts) -> Session {
        Session {
            settings,
            console,
            input,
            interrupts,
            plugins: None,
            hints: Vec::new(),
            client: None,
            exit_status: status::SUCCESS,
        }
    }

    /// The exit status of the program.
    pub fn exit_status(&self) -> u8 {
        self.exit_status
    }

    /// Sets the exit status; a later failure overwrites an earlier one, success does not.
    pub fn set_exit_status(&mut self, status: u8) {
        self.exit_status = status;
    }

    /// The client for the current settings.
    pub fn client(&mut self) -> Result<&mut Client, ClientError> {
        if self.client.is_none() {
            let mut client = self.settings.client()?;
            if let Some(limit) = self.settings.timeout {
                client.set_timeout(limit);
            }
            if self.console.explains() {
                let url = self.settings.server_url.clone();
                client.on_silence(move || Console::standard().explain(format_args!("{url} {STILL_WAITING}")));
            }
            self.client = Some(client);
        }
        Ok(self.client.as_mut().expect("the line above made one"))
    }

    /// Closes the connection. The next call opens another one, with the settings of that time: between two lines of the
    /// shell the daemon may restart.
    pub fn disconnect(&mut self) {
        self.client = None;
    }

    /// Prints a line.
    pub fn print(&mut self, text: impl std::fmt::Display) {
        self.console.line(text);
    }

    /// Prints lines, all at once.
    pub fn print_lines(&mut self, lines: &[String]) {
        self.console.lines(lines);
    }

    /// Prints a line about a failure that has this exit status.
    pub fn fail(&mut self, status: u8, text: impl std::fmt::Display) {
        self.print(text);
        self.exit_status = status;
    }

    /// Whether a daemon with our interface version answers; if not, prints what is wrong (`upcheck` of the original's
    /// `supervisor/supervisorctl.py`).
    pub fn up_check(&mut self) -> Result<bool, Failure> {
        let error = match self.client().and_then(Client::api_version) {
            Ok(version) if version == API_VERSION => return Ok(true),
            Ok(version) => {
                self.fail(status::NOT_INSTALLED, version_mismatch(&version));
                return Ok(false);
            }
            Err(error) => error,
        };
        if error.is_fault(FaultCode::UnknownMethod) {
            self.fail(status::UNIMPLEMENTED, NO_NAMESPACE);
            return Ok(false);
        }
        let url = self.settings.server_url.clone();
        match error.connect_kind() {
            Some(std::io::ErrorKind::ConnectionRefused) => {
                self.fail(status::INSUFFICIENT_PRIVILEGES, format_args!("{url} refused connection"));
            }
            Some(std::io::ErrorKind::NotFound) => {
                self.fail(status::NOT_RUNNING, format_args!("{url} no such file"));
            }
            _ => return Err(error.into()),
        }
        self.explain(&error);
        Ok(false)
    }

    /// Prints on a terminal why the daemon did not answer.
    pub fn explain(&mut self, error: &ClientError) {
        if self.console.explains() {
            for line in diagnosis::explain(error, &self.settings) {
                self.console.explain(line);
            }
        }
    }
}

const STILL_WAITING: &str = "has not answered for 5 s: supervisord may be stopped or hung; still waiting (Ctrl-C to give up, \
    or use --timeout)";

const NO_NAMESPACE: &str = "Sorry, supervisord responded but did not recognize the supervisor namespace commands \
    that supervisorctl uses to control it.  Please check that the [rpcinterface:supervisor] section is enabled in \
    the configuration file (see sample.conf).";

fn version_mismatch(version: &str) -> String {
    format!(
        "Sorry, this version of supervisorctl expects to talk to a server with API version {API_VERSION}, but the \
         remote version is {version}."
    )
}
