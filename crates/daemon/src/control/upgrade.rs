//! Making way for another program: the one now on disk is tried first, then everything is handed over to it.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use supervisord_config::model::LogLevel;
use supervisord_core::call::{Answer, Reason, Refusal};
use supervisord_core::process::ExitStatus;
use supervisord_core::texts;
use supervisord_sys::signal::Signals;
use supervisord_sys::spawn::{SpawnPlan, Stdio};
use supervisord_sys::{exec, host, pipe};

use super::Control;
use super::children::{ChildPlan, LeftoverChildren, Role, SelfTestResult};
use super::inbox::Message;
use super::survival::Kept;
use super::upgrade_phase::UpgradePhase;
use crate::blocking::BlockingThreads;
use crate::calls::Reply;
use crate::clock::present;
use crate::hand_over::{self, HandOver, HandedKeeper, HandedServer};
use crate::keeper::Keeper;
use crate::network::listen::SpareServer;
use crate::network::{IdleConnections, NetworkHandle};
use crate::output::answer::receive_within;
use crate::output::{OutputRequest, RunId};

/// The argument that makes a program read a state on its stdin, say what is wrong with it, and do nothing else.
pub const SELF_TEST: &str = "--self-test";

/// What a program that understands the state answers on its stdout. Not every program that ends well is one of ours.
pub const UNDERSTOOD: &str = "the state is understood";

/// Why there is no upgrade while a question to the system is not answered.
pub const NO_ANSWER: &str = "a disk or a name server does not respond";

/// How long the program may take to say so.
const TEST_BOUND: Duration = Duration::from_secs(10);

/// How long calls may go on that wait for something: who restarts a program in two calls should get to the second.
const CALLS_BOUND: Duration = Duration::from_secs(10);

/// How long the output plane may take to give its streams back.
const STREAMS_BOUND: Duration = Duration::from_secs(5);

impl Control {
    /// Tries the program that is now on disk with the present state.
    pub(super) fn begin_upgrade(&mut self, reply: Option<Reply>) {
        let refusal = match self.upgrade {
            UpgradePhase::None if self.supervisor.is_ending() => Err("the daemon is shutting down".to_owned()),
            UpgradePhase::None => self.start_test(),
            _ => Err("an upgrade is under way already".to_owned()),
        };
        match refusal {
            Ok(run) => self.upgrade = UpgradePhase::Testing { run, reply },
            Err(reason) => self.refuse_upgrade(reply, &reason),
        }
    }

    fn start_test(&mut self) -> Result<RunId, String> {
        let program = hand_over::program(&self.tools.start_dir)?;
        let state = HandOver::<std::os::fd::OwnedFd> {
            snapshot: self.supervisor.snapshot(),
            children: Vec::new(),
            commands: Vec::new(),
            servers: Vec::new(),
            sockets: Vec::new(),
            next_run: 0,
            notifications: None,
            start_dir: self.tools.start_dir.clone(),
            keeper: None,
            transit: None,
            output_memory: None,
            history: Some(self.tools.view.history()),
            lock: None,
            stored: Vec::new(),
        };
        let (text, _) = state.write()?;
        let text = exec::memory_file(&text).map_err(|error| error.to_string())?;
        let output = pipe::from_child().map_err(|error| error.to_string())?;
        // With our own arguments, which it has to understand as well.
        let mut arguments = vec![program.clone().into_os_string(), SELF_TEST.into()];
        arguments.extend(std::env::args_os().skip(1));
        let command = SpawnPlan::new(&program, &arguments, host::environment().into_iter().collect())
            .map_err(|error| error.to_string())?;
        let stdio = Stdio { stdin: text.as_fd(), stdout: output.writer.as_fd(), stderr: output.writer.as_fd() };
        let role = Role::SelfTest(output.reader.into());
        let kill_at = Some(present().mono + TEST_BOUND);
        let spawned = self.children.spawn(ChildPlan { command, stdio, role, kill_at });
        spawned.map(|(run, _)| run).map_err(|error| error.to_string())
    }

    /// The new program has said what it thinks of the present state.
    pub(super) fn upgrade_tested(&mut self, run: RunId, result: SelfTestResult) {
        let UpgradePhase::Testing { run: tested, .. } = &self.upgrade else { return };
        if *tested != run {
            return;
        }
        let UpgradePhase::Testing { reply, .. } = std::mem::replace(&mut self.upgrade, UpgradePhase::None) else {
            return;
        };
        let SelfTestResult { status, timed_out, output } = result;
        let answer = String::from_utf8_lossy(&output);
        let answer = told(answer.trim());
        let how = match timed_out {
            false => texts::termination(status),
            true => format!("no answer within {} seconds", TEST_BOUND.as_secs()),
        };
        if status != ExitStatus::Code(0) || answer != UNDERSTOOD {
            let reason = format!("the program on disk cannot take over ({how}): {answer}");
            return self.refuse_upgrade(reply, reason.trim_end_matches(": "));
        }
        if self.supervisor.is_ending() {
            return self.refuse_upgrade(reply, "the daemon is shutting down");
        }
        if self.rereads.are_awaited() {
            return self.refuse_upgrade(reply, "the configuration is being read for a restart (SIGHUP)");
        }
        if !self.children.spawner.do_logs_respond(&self.tools) {
            return self.refuse_upgrade(reply, "the log files do not respond, and output could be lost");
        }
        if self.is_disk_hanging() {
            return self.refuse_upgrade(reply, NO_ANSWER);
        }
        let text = match hand_over::program(&self.tools.start_dir) {
            Ok(program) => format!("upgrading: handing over to the program now on disk ({})", program.display()),
            Err(_) => "upgrading: handing over to the program now on disk".to_owned(),
        };
        self.tools.activity.log(LogLevel::Info, &text);
        if let Some(reply) = reply {
            reply(Ok(Answer::Done));
        }
        self.upgrade = UpgradePhase::Waiting(present().mono + CALLS_BOUND);
    }

    /// Takes the upgrade a step further when calls have been answered, or have been waited for long enough. Programs that
    /// wait for plug-ins are started first, because the next program does not start them; a restart for which the configuration
    /// is being read comes first, because nobody would hear of it afterwards; and so does the stop of descendants, which the
    /// next program does not know.
    pub(super) fn go_on_upgrading(&mut self) {
        if let UpgradePhase::Waiting(deadline) = self.upgrade
            && self.begin_by.is_none()
            && !self.rereads.are_awaited()
            && !self.children.is_lingering()
            && (self.replies.is_empty() || deadline <= present().mono)
        {
            if self.is_disk_hanging() {
                self.upgrade = UpgradePhase::None;
                return self.refuse_upgrade(None, NO_ANSWER);
            }
            self.close_network();
        }
    }

    /// Whether a thread waits for a disk or a name server: the exec of another program would wait for it as well, and nobody
    /// would supervise meanwhile.
    fn is_disk_hanging(&mut self) -> bool {
        let hangs = self.tools.blocking.iter().any(BlockingThreads::hangs) || self.rereads.hang();
        hangs || self.children.spawner.is_waiting()
    }

    /// Lets the network plane finish while control goes on answering it.
    fn close_network(&mut self) {
        let Some(network) = self.network.take() else {
            self.upgrade = UpgradePhase::Ready(IdleConnections::new());
            return;
        };
        self.tools.servers.iter().for_each(SpareServer::keep_file);
        let message_sender = self.message_sender.clone();
        self.upgrade = UpgradePhase::Closing;
        let (give, given) = std::sync::mpsc::channel::<NetworkHandle>();
        let closer = std::thread::Builder::new().name("closing".to_owned()).spawn(move || {
            if let Ok(network) = given.recv() {
                message_sender.send(Message::NetworkStopped(network.hand_over()));
            }
        });
        match closer {
            // Its thread waits for it.
            Ok(_) => _ = give.send(network),
            // Where there is no room for a thread, supervision has to wait for about a second.
            Err(_) => self.upgrade = UpgradePhase::Ready(network.hand_over()),
        }
    }

    fn refuse_upgrade(&mut self, reply: Option<Reply>, reason: &str) {
        self.tools.activity.log(LogLevel::Error, &format!("not upgrading: {reason}"));
        if let Some(reply) = reply {
            reply(Err(Refusal::with(Reason::Failed, reason)));
        }
    }

    /// Gives everything away. With it come the children that the next program knows nothing of.
    pub(super) fn hand_over(mut self) -> (HandOver<std::os::fd::OwnedFd>, LeftoverChildren, Signals) {
        // The next program does not know them.
        self.name_last_survivors();
        let (reply, streams) = sync_channel(1);
        self.tools.output.send(OutputRequest::HandOver { reply });
        let streams = receive_within(&streams, STREAMS_BOUND).unwrap_or_default();
        // What listeners subscribed to and was read until now.
        self.take_last_reports();
        // What has changed in this turn is known to whoever follows if the next program is killed before it begins.
        self.write_notes();
        let kept = self.survival.take().map(|survival| survival.into_kept(|pid| self.children.run_of(pid)));
        let Kept { keeper, transit, stored } = kept.unwrap_or_default();
        let keeper_pid = keeper.as_ref().map(Keeper::pid);
        let (handed, leftover) = self.children.hand_over(&self.supervisor, streams, keeper_pid);
        let mut clients: HashMap<String, Vec<_>> = HashMap::new();
        if let UpgradePhase::Ready(kept) = self.upgrade {
            kept.into_iter().for_each(|(section, client)| clients.entry(section).or_default().push(client));
        }
        let servers = self.tools.servers.into_iter().filter_map(|server| {
            let (config, socket) = server.into_parts()?;
            let clients = clients.remove(&config.section).unwrap_or_default();
            Some(HandedServer { config, socket, clients })
        });
        let handed = HandOver {
            snapshot: self.supervisor.snapshot(),
            children: handed.children,
            commands: handed.commands,
            servers: servers.collect(),
            sockets: handed.sockets,
            next_run: handed.next_run,
            notifications: handed.notifications,
            start_dir: self.tools.start_dir,
            keeper: keeper.map(|keeper| {
                let (connection, pid, handle) = keeper.into_parts();
                HandedKeeper { connection, pid, handle }
            }),
            transit,
            output_memory: self.tools.memory.file(),
            history: Some(self.tools.view.history()),
            lock: None,
            stored,
        };
        (handed, leftover, self.signals)
    }
}
/// What the program on disk has said; in words where it could not be executed.
fn told(answer: &str) -> String {
    let failure = answer.lines().find_map(|line| line.strip_prefix("supervisor: couldn't exec "));
    match failure.and_then(|failure| failure.rsplit_once(": ")) {
        Some((path, "ENOENT")) => format!("{path}, or the interpreter in its first line, does not exist"),
        Some((path, "EACCES")) => format!("{path} may not be executed: see its permissions"),
        Some((path, "ENOEXEC")) => format!("{path} is no program of this machine"),
        Some(_) | None => answer.lines().collect::<Vec<_>>().join("; "),
    }
}
