//! Making way for another program: the one now on disk is tried first, then everything is handed over to it.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use supervisord_config::model::LogLevel;
use supervisord_core::process::ExitStatus;
use supervisord_core::texts;
use supervisord_sys::spawn::{SpawnPlan, Stdio};
use supervisord_sys::{exec, host, pipe, spawn};
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::value::Value;

use super::{Control, Message};
use crate::calls::Reply;
use crate::hand_over::{HandOver, HandedServer};
use crate::network::listen::SpareServer;
use crate::output::Request;

/// The argument that makes a program read a state on its stdin, say what is wrong with it, and do nothing else.
pub const SELF_TEST: &str = "--self-test";

/// How long the output plane may take to give its streams back.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far an upgrade has got.
pub(super) enum Upgrade {
    None,
    /// The new program is being tried.
    Testing {
        pid: u32,
        reply: Option<Reply>,
        complaints: std::fs::File,
    },
    /// The network plane finishes what it has begun.
    Closing,
    /// Everything may be handed over.
    Ready,
}

impl Upgrade {
    pub(super) fn is_ready(&self) -> bool {
        matches!(self, Upgrade::Ready)
    }

    pub(super) fn is_test(&self, child: u32) -> bool {
        matches!(self, Upgrade::Testing { pid, .. } if *pid == child)
    }
}

impl Control {
    /// Tries the program that is now on disk with the present state.
    pub(super) fn begin_upgrade(&mut self, reply: Option<Reply>) {
        let refusal = match self.upgrade {
            Upgrade::None if self.supervisor.is_ending() => Err("the daemon is shutting down".to_owned()),
            Upgrade::None => self.start_test(),
            _ => Err("an upgrade is under way already".to_owned()),
        };
        match refusal {
            Ok((pid, complaints)) => self.upgrade = Upgrade::Testing { pid, reply, complaints },
            Err(reason) => self.refuse_upgrade(reply, &reason),
        }
    }

    fn start_test(&self) -> Result<(u32, std::fs::File), String> {
        let program = program()?;
        let state = HandOver::<std::os::fd::OwnedFd> {
            snapshot: self.supervisor.snapshot(),
            children: Vec::new(),
            servers: Vec::new(),
            sockets: Vec::new(),
            next_run: 0,
            start_dir: self.tools.start_dir.clone(),
        };
        let (text, _) = state.write()?;
        let text = exec::memory_file(&text).map_err(|error| error.to_string())?;
        let output = pipe::from_child().map_err(|error| error.to_string())?;
        let plan = SpawnPlan::new(
            &program,
            &[program.as_os_str(), SELF_TEST.as_ref()],
            host::environment().into_iter().collect(),
        )
        .map_err(|error| error.to_string())?;
        let stdio = Stdio { stdin: text.as_fd(), stdout: output.writer.as_fd(), stderr: output.writer.as_fd() };
        let pid = spawn::spawn(plan, stdio).map_err(|error| error.to_string())?;
        Ok((pid.get(), output.reader.into()))
    }

    /// The new program has said what it thinks of the present state.
    pub(super) fn upgrade_tested(&mut self, status: ExitStatus) {
        let Upgrade::Testing { reply, mut complaints, .. } = std::mem::replace(&mut self.upgrade, Upgrade::None) else {
            return;
        };
        if status != ExitStatus::Code(0) {
            let said = super::children::read_available(&mut complaints);
            let said = String::from_utf8_lossy(&said);
            let reason =
                format!("the program on disk cannot take over ({}): {}", texts::termination(status), said.trim());
            return self.refuse_upgrade(reply, &reason);
        }
        self.tools.activity.log(LogLevel::Info, "upgrading: handing over to the program now on disk");
        if let Some(reply) = reply {
            reply(Ok(Value::Bool(true)));
        }
        self.close_network();
    }

    /// Lets the network plane finish while control goes on answering it.
    fn close_network(&mut self) {
        let Some(network) = self.network.take() else {
            self.upgrade = Upgrade::Ready;
            return;
        };
        self.tools.servers.iter().for_each(SpareServer::keep_file);
        let mailbox = self.mailbox.clone();
        self.upgrade = Upgrade::Closing;
        let closer = std::thread::Builder::new().name("closing".to_owned()).spawn(move || {
            network.stop();
            mailbox.send(Message::NetworkStopped);
        });
        if closer.is_err() {
            self.upgrade = Upgrade::Ready;
        }
    }

    fn refuse_upgrade(&mut self, reply: Option<Reply>, reason: &str) {
        self.tools.activity.log(LogLevel::Error, &format!("not upgrading: {reason}"));
        if let Some(reply) = reply {
            reply(Err(Fault::with(FaultCode::Failed, reason)));
        }
    }

    /// Gives everything away.
    pub(super) fn hand_over(self) -> HandOver<std::os::fd::OwnedFd> {
        let (reply, streams) = sync_channel(1);
        self.tools.output.send(Request::HandOver { reply });
        let streams = streams.recv_timeout(PATIENCE).unwrap_or_default();
        let handed = self.children.hand_over(&self.supervisor, streams);
        let servers = self.tools.servers.into_iter().map(SpareServer::into_parts);
        HandOver {
            snapshot: self.supervisor.snapshot(),
            children: handed.children,
            servers: servers.map(|(config, socket)| HandedServer { config, socket }).collect(),
            sockets: handed.sockets,
            next_run: handed.next_run,
            start_dir: self.tools.start_dir,
        }
    }
}

/// The program of this daemon as it is on disk now.
pub fn program() -> Result<PathBuf, String> {
    let path = std::env::current_exe().map_err(|error| error.to_string())?;
    // A file that was replaced goes by its old name with this mark behind it.
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map_or_else(|| path.clone(), PathBuf::from))
}
