//! The control plane: one synchronous loop that owns the supervisor, its children and its signals.
//!
//! Whatever happens, here or on another thread, becomes an [`Input`] of the pure [`Supervisor`], one after the other;
//! what it answers is carried out before the next input is taken. Nothing here touches a log file or a client.

mod children;
mod launch;
mod sockets;
mod stdin;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use mio::{Events, Interest, Poll, Token, Waker};
use supervisord_config::model::{Config, LogLevel};
use supervisord_core::call::Call;
use supervisord_core::process::ExitStatus;
use supervisord_core::supervisor::{CallId, Effect, Ending, Input, OutputKind, ProcessId, Supervisor};
use supervisord_core::time::Now;
use supervisord_sys::clock;
use supervisord_sys::signal::{Signal, Signals};
use supervisord_wire::fault::{Fault, FaultCode};

use crate::activity::Activity;
use crate::calls::{Calls, Pending, Reply};
use crate::output::{ClearError, OutputHandle, Report, ReportBudget, Request, RunId};
use crate::view::View;
use children::{Children, Reaped};
pub use launch::Surroundings;

const WAKER: Token = Token(0);
const SIGNALS: Token = Token(1);
/// Tokens of descriptors begin here; a token is never used twice, so that a late event cannot reach a stranger.
const FIRST_DESCRIPTOR: usize = 2;

/// What other threads tell control.
pub enum Message {
    /// The output plane has something to say.
    Output(Report),
    /// Logs have been cleared, or not.
    Cleared {
        /// The process, or none for the activity log.
        process: Option<ProcessId>,
        /// The call that asked for it.
        call: CallId,
        /// The outcome.
        result: Result<(), Fault>,
    },
    /// The configuration has been read again after SIGHUP.
    Reread(Result<Box<Config>, String>),
}

/// The way for other threads to tell control something; clones share one queue.
#[derive(Clone)]
pub struct Mailbox {
    queue: Sender<Message>,
    waker: Arc<Waker>,
}

impl Mailbox {
    /// Hands over a message and wakes control. Once control has ended, messages vanish.
    pub fn send(&self, message: Message) {
        if self.queue.send(message).is_ok() {
            let _ = self.waker.wake();
        }
    }
}

/// The ends of the queues into control, made before the other planes exist.
pub struct Entrance {
    poll: Poll,
    messages: Receiver<Message>,
    pending: Receiver<Pending>,
    /// For the output plane.
    pub mailbox: Mailbox,
    /// For the network plane.
    pub calls: Calls,
}

impl Entrance {
    /// Makes the queues.
    pub fn new() -> std::io::Result<Entrance> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (queue, messages) = channel();
        let (calls, pending) = crate::calls::queue(waker.clone());
        Ok(Entrance { poll, messages, pending, mailbox: Mailbox { queue, waker }, calls })
    }
}

/// What control works with.
pub struct Tools {
    /// Where readers look.
    pub view: Arc<View>,
    /// The activity log.
    pub activity: Activity,
    /// The output plane.
    pub output: OutputHandle,
    /// Where the output plane learns that its reports have been dealt with.
    pub budget: ReportBudget,
    /// What every child inherits.
    pub surroundings: Surroundings,
    /// Reads the configuration again, on a thread of its own.
    pub load_config: Arc<dyn Fn() -> Result<Config, String> + Send + Sync>,
}

/// The control plane at work.
pub struct Control {
    poll: Poll,
    messages: Receiver<Message>,
    pending: Receiver<Pending>,
    mailbox: Mailbox,
    signals: Signals,
    supervisor: Supervisor,
    children: Children,
    replies: HashMap<CallId, Reply>,
    next_call: u64,
    /// Listeners that had more to say than fits into one turn.
    unheard: Vec<usize>,
    tools: Tools,
    ending: Option<Ending>,
}

impl Control {
    /// Puts the plane together and lets readers see what there is; nothing is started before [`Control::run`].
    pub fn new(entrance: Entrance, signals: Signals, supervisor: Supervisor, tools: Tools) -> std::io::Result<Control> {
        let Entrance { poll, messages, pending, mailbox, .. } = entrance;
        crate::descriptor::register(poll.registry(), &signals, SIGNALS, Interest::READABLE)?;
        let mut control = Control {
            poll,
            messages,
            pending,
            mailbox,
            signals,
            supervisor,
            children: Children::default(),
            replies: HashMap::new(),
            next_call: 0,
            unheard: Vec::new(),
            tools,
            ending: None,
        };
        control.perform_effects();
        Ok(control)
    }

    /// Supervises until everything has stopped. Also gives back the number of the next event.
    pub fn run(mut self) -> (Ending, u64) {
        let mut events = Events::with_capacity(256);
        self.input(Input::Started);
        loop {
            if let Some(ending) = self.ending.take() {
                return (ending, self.supervisor.next_serial());
            }
            self.wait(&mut events);
            let mut signalled = false;
            for event in &events {
                match event.token() {
                    WAKER => {}
                    SIGNALS => signalled = true,
                    Token(token) => self.descriptor_ready(token, event.is_writable()),
                }
            }
            for token in std::mem::take(&mut self.unheard) {
                self.hear(token);
            }
            if signalled {
                self.take_signals();
            }
            self.take_messages();
            self.take_calls();
            self.give_up_draining();
            self.elapse();
        }
    }

    /// Sleeps until something happens or the next deadline comes.
    fn wait(&mut self, events: &mut Events) {
        let now = present();
        let deadlines = [self.supervisor.next_deadline(now), self.children.next_drain_deadline()];
        let sleep = |deadline: Duration| round_up(deadline.saturating_sub(now.mono));
        let timeout = match self.unheard.is_empty() {
            true => deadlines.into_iter().flatten().min().map(sleep),
            false => Some(Duration::ZERO),
        };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                self.tools.activity.log(LogLevel::Critical, &format!("poll error: {error}"));
            }
            _ => {}
        }
    }

    /// Feeds one input to the supervisor and carries out what it answers.
    fn input(&mut self, input: Input) {
        self.supervisor.handle(present(), input);
        self.perform_effects();
    }

    fn elapse(&mut self) {
        let now = present();
        if self.supervisor.next_deadline(now).is_some_and(|deadline| deadline <= now.mono) {
            self.input(Input::Elapsed);
        }
    }

    fn take_signals(&mut self) {
        for signal in self.signals.drain() {
            match signal {
                Signal::Terminate => self.input(Input::ShutdownSignal { name: "SIGTERM" }),
                Signal::Interrupt => self.input(Input::ShutdownSignal { name: "SIGINT" }),
                Signal::Quit => self.input(Input::ShutdownSignal { name: "SIGQUIT" }),
                Signal::Hangup => self.reread(),
                Signal::User2 => self.input(Input::ReopenSignal),
                Signal::Child => self.reap(),
                Signal::User1 => {}
            }
        }
    }

    /// Reads the configuration for a restart on a thread of its own, because a disk may hang.
    fn reread(&self) {
        let (load, mailbox) = (self.tools.load_config.clone(), self.mailbox.clone());
        let spawned = std::thread::Builder::new()
            .name("reread".to_owned())
            .spawn(move || mailbox.send(Message::Reread(load().map(Box::new))));
        if let Err(error) = spawned {
            self.mailbox.send(Message::Reread(Err(format!("cannot start a thread to read it: {error}"))));
        }
    }

    fn reap(&mut self) {
        self.tools.activity.log(LogLevel::Debug, "received SIGCHLD indicating a child quit");
        loop {
            match supervisord_sys::wait::reap() {
                Ok(Some((pid, status))) => self.reaped(pid.get(), exit_status(status)),
                Ok(None) => return,
                Err(error) => {
                    let number = error.number();
                    let text = format!("waitpid error {number}; a process may not be cleaned up properly");
                    return self.tools.activity.log(LogLevel::Critical, &text);
                }
            }
        }
    }

    /// A child is gone. Before the supervisor hears of it, everything it wrote is read, but that waits only so long:
    /// a log disk that hangs must not hold a restart.
    fn reaped(&mut self, pid: u32, status: ExitStatus) {
        match self.children.reaped(pid, status, present().mono) {
            Reaped::Stranger => self.input(Input::Exited { pid, status }),
            Reaped::Draining { run, process, last_words } => {
                if !last_words.is_empty() {
                    self.listener_output(run, process, last_words);
                }
                self.tools.output.send(Request::Drain { run });
            }
        }
    }

    fn give_up_draining(&mut self) {
        while let Some((pid, status)) = self.children.overdue(present().mono) {
            self.input(Input::Exited { pid, status });
        }
    }

    fn take_messages(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::Output(Report::Drained { run }) => {
                    if let Some((pid, status)) = self.children.drained(run) {
                        self.input(Input::Exited { pid, status });
                    }
                }
                Message::Output(Report::Log { run, channel, bytes }) => {
                    self.output(run, OutputKind::Log, channel, bytes);
                }
                Message::Output(Report::Communication { run, channel, bytes }) => {
                    self.output(run, OutputKind::Communication, channel, bytes);
                }
                Message::Cleared { process, call, result } => self.input(Input::Cleared { process, call, result }),
                Message::Reread(config) => self.input(Input::RestartSignal { config }),
            }
        }
    }

    fn output(&mut self, run: RunId, kind: OutputKind, channel: supervisord_core::output::Channel, bytes: Vec<u8>) {
        self.tools.budget.release(bytes.len());
        if let Some((process, pid)) = self.children.identify(run) {
            self.input(Input::Output { process, pid, kind, channel, bytes });
        }
    }

    fn take_calls(&mut self) {
        while let Ok(Pending { call, reply }) = self.pending.try_recv() {
            self.call(call, reply);
        }
    }

    fn call(&mut self, call: Call, reply: Reply) {
        let id = CallId(self.next_call);
        self.next_call += 1;
        self.replies.insert(id, reply);
        self.input(Input::Call { id, call });
    }

    /// A stdin has room again, or a listener spoke.
    fn descriptor_ready(&mut self, token: usize, writable: bool) {
        if writable {
            self.children.flush_stdin(token, self.poll.registry());
        }
        self.hear(token);
    }

    /// Reads one piece of what a listener said; if it had more to say, it has its turn again soon.
    fn hear(&mut self, token: usize) {
        if let Some((run, process, bytes)) = self.children.read_listener(token) {
            if bytes.len() >= children::MOST_AT_ONCE {
                self.unheard.push(token);
            }
            self.listener_output(run, process, bytes);
        }
    }

    fn listener_output(&mut self, run: RunId, process: ProcessId, bytes: Vec<u8>) {
        let copy = Request::Write { run, channel: supervisord_core::output::Channel::Stdout, bytes: bytes.clone() };
        self.tools.output.send(copy);
        self.input(Input::ListenerOutput { process, bytes });
    }

    fn perform_effects(&mut self) {
        while let Some(effect) = self.supervisor.poll_effect() {
            if let Some(answer) = self.perform(effect) {
                self.supervisor.handle(present(), answer);
            }
        }
    }

    /// Carries out one effect; some are answered at once.
    fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Log(level, line) => self.tools.activity.log(level, &line),
            Effect::Check { process, call } => {
                let config = self.supervisor.process(process)?;
                let result = launch::find(config, &self.tools.surroundings).map(drop);
                return Some(Input::Checked { process, call, result });
            }
            Effect::Spawn { process } => {
                let result = self.children.spawn(process, &self.supervisor, &self.tools, self.poll.registry());
                return Some(Input::Spawned { process, result });
            }
            Effect::Kill { process, pid, signal, group, call } => {
                let result = self.children.kill(pid, signal, group);
                return Some(Input::Killed { process, call, result });
            }
            Effect::Feed { process, bytes, call } => {
                let result = self.children.feed(process, bytes, self.poll.registry());
                return Some(Input::Fed { process, call, result });
            }
            Effect::CreateAutoLog { path } => self.tools.output.send(Request::CreateAuto { path }),
            Effect::ClearLogs { process, files, call } => self.clear_logs(process, files, call),
            Effect::ClearActivity { call } => self.clear_activity(call),
            Effect::ReopenLogs => self.tools.output.send(Request::Reopen),
            Effect::StripAnsi(on) => self.tools.output.send(Request::StripAnsi(on)),
            Effect::CloseSocket { group, url } => self.children.close_socket(&group, &url, &self.tools.activity),
            Effect::PublishRow(process) => {
                if let Some(row) = self.supervisor.row(process) {
                    self.tools.view.publish_row(row);
                }
            }
            Effect::PublishGroup(group) => self.tools.view.publish_group(group),
            Effect::WithdrawGroup(group) => self.tools.view.withdraw_group(&group),
            Effect::PublishMood(mood) => self.tools.view.publish_mood(mood),
            Effect::PublishConfig(config) => self.tools.view.publish_config(config),
            Effect::Reply { call, outcome } => {
                if let Some(reply) = self.replies.remove(&call) {
                    reply(outcome);
                }
            }
            Effect::Finished(ending) => self.ending = Some(ending),
        }
        None
    }

    fn clear_logs(&self, process: ProcessId, files: Vec<String>, call: CallId) {
        let mailbox = self.mailbox.clone();
        let name =
            self.supervisor.row(process).map(|row| supervisord_wire::name::namespec(&row.group, &row.config.name));
        let reply = Box::new(move |result: Result<(), i32>| {
            let result = result.map_err(|_| Fault::with(FaultCode::Failed, name.unwrap_or_default()));
            mailbox.send(Message::Cleared { process: Some(process), call, result });
        });
        self.tools.output.send(Request::ClearLogs { files, reply });
    }

    fn clear_activity(&self, call: CallId) {
        let mailbox = self.mailbox.clone();
        let reply = Box::new(move |result: Result<(), ClearError>| {
            let result = result.map_err(|error| match error {
                ClearError::NoFile => Fault::new(FaultCode::NoFile),
                ClearError::Failed(_) => Fault::new(FaultCode::Failed),
            });
            mailbox.send(Message::Cleared { process: None, call, result });
        });
        self.tools.output.send(Request::ClearActivity { reply });
    }
}

fn present() -> Now {
    Now { mono: clock::monotonic(), wall: clock::wall() }
}

/// The loop sleeps in whole milliseconds; waking a little late is right, waking early would be a busy loop.
fn round_up(delay: Duration) -> Duration {
    Duration::from_millis(u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

fn exit_status(status: supervisord_sys::wait::ExitStatus) -> ExitStatus {
    match status {
        supervisord_sys::wait::ExitStatus::Code(code) => ExitStatus::Code(code),
        supervisord_sys::wait::ExitStatus::Signal { number, core_dumped } => ExitStatus::Signal { number, core_dumped },
        supervisord_sys::wait::ExitStatus::Other(raw) => ExitStatus::Other(raw),
    }
}
