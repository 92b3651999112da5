//! The control plane: one synchronous loop that owns the supervisor, its children and its signals.
//!
//! Whatever happens, here or on another thread, becomes an [`Input`] of the pure [`Supervisor`], one after the other;
//! what it answers is carried out before the next input is taken. Nothing here touches a log file or a client.

mod child_env;
mod children;
mod clearing;
mod effects;
mod inbox;
mod listener_batching;
mod offload;
mod resolve_command;
mod resume;
mod sockets;
mod spawn;
mod stdin;
mod survival;
mod upgrade;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};
use supervisord_config::Purpose;
use supervisord_config::model::LogLevel;
use supervisord_core::call::Call;
use supervisord_core::process::ExitStatus;
use supervisord_core::supervisor::{CallId, Ending, Input, OutputKind, ProcessId, Supervisor};
use supervisord_core::time::Now;
use supervisord_sys::signal::{Signal, Signals};

use crate::activity::Activity;
use crate::api::ReadConfig;
use crate::calls::{Pending, Reply};
use crate::clock::present;
use crate::hand_over::HandOver;
use crate::keeper::{self, Keeper, Owner};
use crate::network::NetworkHandle;
use crate::network::listen::SpareServer;
use crate::output::{OutputHandle, Report, ReportBudget, Request, RunId, TransitFiles};
use crate::plugins::{self, Notice, Plugins};
use crate::view::View;
pub use child_env::ChildEnv;
pub use children::HandedChildren;
use children::{Children, Dead, Gone};
use clearing::Clearing;
pub use inbox::{Inbox, Message, MessageSender};
use listener_batching::ListenerBatching;
pub use resume::Reconfigured;
pub use survival::Legacy;
use survival::Survival;
use upgrade::Upgrade;
pub use upgrade::{SELF_TEST, UNDERSTOOD};

const WAKER: Token = Token(0);
const SIGNALS: Token = Token(1);
const KEEPER: Token = Token(2);
/// Tokens of descriptors begin here; a token is never used twice, so that a late event cannot reach a stranger.
const FIRST_DESCRIPTOR: usize = 3;

/// How long the programs wait for plug-ins, which in the original are made before any program is started. Code that
/// takes longer must not keep them down.
const PLUGINS_BOUND: Duration = Duration::from_secs(10);

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
    pub child_env: ChildEnv,
    /// The Python plug-ins.
    pub plugins: Arc<Plugins>,
    /// Reads the configuration again, on a thread of its own.
    pub load_config: ReadConfig,
    /// Children are to survive the daemon, should it be killed: where it leaves what the next one needs.
    pub legacy: Option<Legacy>,
    /// The keeper of the daemon before.
    pub keeper: Option<Keeper>,
    /// What the keeper is to hold of the output plane.
    pub transit: Option<TransitFiles>,
    /// The directory from which relative paths of the configuration count.
    pub start_dir: String,
    /// The servers of the network plane, for the next program.
    pub servers: Vec<SpareServer>,
}

/// The end of a child of this process.
enum Death {
    /// Of a program, and when it was seen.
    Child(Dead, Now),
    /// Of the program that was tried for an upgrade.
    Test(ExitStatus),
    /// Of one that nobody here has started.
    Stranger { pid: u32, status: ExitStatus },
}

/// How the control plane ends.
pub enum End {
    /// Everything has stopped. With it come the number of the next event, and the signals nobody has heard of.
    Stopped(Ending, u64, Signals),
    /// Another program is to go on from here.
    HandOver(Box<HandOver<OwnedFd>>, Signals),
}

/// The control plane at work.
pub struct Control {
    poll: Poll,
    messages: Receiver<Message>,
    pending: Receiver<Pending>,
    message_sender: MessageSender,
    signals: Signals,
    supervisor: Supervisor,
    children: Children,
    replies: HashMap<CallId, Reply>,
    next_call: u64,
    /// Calls that wait for logs to be cleared, the earliest deadline first.
    clearing: VecDeque<Clearing>,
    /// Who has been reaped and not been told of.
    deaths: VecDeque<Death>,
    /// Listeners that had more to say than fits into one turn.
    unheard: Vec<usize>,
    listener_batching: ListenerBatching,
    tools: Tools,
    survival: Option<Survival>,
    /// Processes whose changes are not noted yet.
    unnoted: BTreeSet<ProcessId>,
    network: Option<NetworkHandle>,
    upgrade: Upgrade,
    ending: Option<Ending>,
    /// Until when the programs wait for the plug-ins; none when they have been started.
    begin_by: Option<Duration>,
}

impl Control {
    /// Puts the plane together and lets readers see what there is; nothing is started before [`Control::run`].
    pub fn new(inbox: Inbox, signals: Signals, supervisor: Supervisor, mut tools: Tools) -> std::io::Result<Control> {
        let Inbox { poll, messages, pending, message_sender, .. } = inbox;
        crate::descriptor::register(poll.registry(), &signals, SIGNALS, Interest::READABLE)?;
        let (keeper, transit, output) = (tools.keeper.take(), tools.transit.take(), tools.output.clone());
        let survival = tools.legacy.take();
        let survival = survival
            .map(|legacy| Survival::new(legacy, keeper, transit, output, tools.activity.clone()))
            .transpose()?;
        let mut control = Control {
            poll,
            messages,
            pending,
            message_sender,
            signals,
            supervisor,
            children: Children::default(),
            replies: HashMap::new(),
            next_call: 0,
            clearing: VecDeque::new(),
            deaths: VecDeque::new(),
            unheard: Vec::new(),
            listener_batching: ListenerBatching::default(),
            tools,
            survival,
            unnoted: BTreeSet::new(),
            network: None,
            upgrade: Upgrade::None,
            ending: None,
            begin_by: None,
        };
        control.perform_effects();
        Ok(control)
    }

    /// Supervises until everything has stopped, or another program is to go on.
    pub fn run(mut self, network: NetworkHandle, resumed: bool) -> (End, Option<NetworkHandle>) {
        self.network = Some(network);
        let mut events = Events::with_capacity(256);
        if self.survival.as_ref().is_some_and(|survival| !survival.journal.is_begun()) {
            self.begin_journal();
        }
        self.begin_keeping();
        // What came between two lives; who wants the daemon to end does not want its programs started.
        self.take_signals();
        if !resumed && self.tools.plugins.are_awaited() {
            self.begin_by = Some(present().mono + PLUGINS_BOUND);
        } else {
            self.begin(resumed);
        }
        loop {
            if let Some(ending) = self.ending.take() {
                if let Some(survival) = self.survival {
                    survival.end();
                }
                return (End::Stopped(ending, self.supervisor.next_serial(), self.signals), self.network);
            }
            // Whoever asks for the end meanwhile gets it: what is ending is not handed over.
            let all_told = self.deaths.is_empty() && !self.children.is_draining();
            if self.upgrade.is_ready() && all_told && !self.supervisor.is_ending() {
                let (handed, signals) = self.hand_over();
                return (End::HandOver(Box::new(handed), signals), None);
            }
            self.children.spawner.begin_turn();
            self.write_notes();
            self.wait(&mut events);
            let mut signalled = false;
            for event in &events {
                match event.token() {
                    WAKER => self.message_sender.notifier.acknowledge(),
                    SIGNALS => signalled = true,
                    KEEPER => self.hear_keeper(),
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
            self.give_up_clearing();
            self.explain_ends();
            self.tell_of_dead();
            self.give_up_test();
            self.go_on_upgrading();
            if self.begin_by.is_some_and(|deadline| deadline <= present().mono) {
                self.stop_waiting_for_plugins();
            }
            self.elapse();
            self.note_waiting_events();
        }
    }

    /// Starts the programs, unless they have been `resumed`; only then are clients answered, who are to see them started.
    fn begin(&mut self, resumed: bool) {
        if !resumed {
            self.input(Input::Started);
        }
        if let Some(network) = &self.network {
            network.accept_clients();
        }
    }

    /// The plug-ins are there to see the programs started, or have been waited for long enough.
    fn stop_waiting_for_plugins(&mut self) {
        if self.begin_by.take().is_some() {
            self.begin(false);
        }
    }

    /// Sleeps until something happens or the next deadline comes.
    fn wait(&mut self, events: &mut Events) {
        let now = present();
        let clearing = self.clearing.front().map(|clearing| clearing.deadline);
        let deadlines = [
            self.supervisor.next_deadline(now),
            self.children.next_drain_deadline(),
            self.children.next_explanation(),
            self.survival.as_ref().and_then(Survival::deadline),
            clearing,
            self.upgrade.deadline(),
            self.begin_by,
            self.listener_batching.deadline(),
        ];
        let sleep = |deadline: Duration| round_up(deadline.saturating_sub(now.mono));
        let timeout = match self.unheard.is_empty() {
            true => deadlines.into_iter().flatten().min().map(sleep),
            false => Some(Duration::ZERO),
        };
        while self.listener_batching.spin_until().is_some_and(|until| present().mono < until) {
            self.poll(events, Some(Duration::ZERO));
            if !events.is_empty() {
                return;
            }
        }
        self.poll(events, timeout);
    }

    fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) {
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
            // Who has died by now has not lived until the deadline.
            self.collect_dead();
            self.tell_of_dead();
            self.input(Input::Elapsed);
        }
    }

    fn take_signals(&mut self) {
        for signal in self.signals.drain() {
            match signal {
                Signal::Terminate => self.input(Input::ShutdownSignal { name: "SIGTERM" }),
                Signal::Interrupt => self.input(Input::ShutdownSignal { name: "SIGINT" }),
                Signal::Quit => self.input(Input::ShutdownSignal { name: "SIGQUIT" }),
                Signal::Hangup => {
                    self.explain_hangup();
                    self.reread();
                }
                Signal::User2 => self.input(Input::ReopenSignal),
                Signal::Child => self.reap(),
                Signal::User1 => self.begin_upgrade(None),
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
    fn reread(&self) {
        let (load, message_sender) = (self.tools.load_config.clone(), self.message_sender.clone());
        let spawned = std::thread::Builder::new()
            .name("reread".to_owned())
            .spawn(move || message_sender.send(Message::Reread(load(Purpose::Start).map(Box::new))));
        if let Err(error) = spawned {
            self.message_sender.send(Message::Reread(Err(format!("cannot start a thread to read it: {error}"))));
        }
    }

    fn reap(&mut self) {
        self.collect_dead();
        self.tell_of_dead();
        // Said last: the output plane shows what the dead have written before it comes to this line.
        self.tools.activity.log(LogLevel::Debug, "received SIGCHLD indicating a child quit");
    }

    /// Reaps the children that have died by now. The supervisor, which may be in the middle of something, is told by
    /// [`Control::tell_of_dead`].
    fn collect_dead(&mut self) {
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

    fn reaped(&mut self, pid: u32, status: ExitStatus) {
        let run = self.children.run_of(pid);
        let death = match run {
            Some(run) if !self.children.is_orphan(run) => return self.died(run, status),
            // The number of an orphan may have been used again before its handle told of its end.
            _ if self.upgrade.is_test(pid) => Death::Test(status),
            _ if plugins::children::reaped(pid) || keeper::reaped(pid) => return,
            // One that has become our child: the daemon is process 1 now.
            Some(run) => return self.died(run, status),
            None => Death::Stranger { pid, status },
        };
        self.deaths.push_back(death);
    }

    fn died(&mut self, run: RunId, status: ExitStatus) {
        let at = present();
        self.deaths.extend(self.children.died(run, status, self.poll.registry()).map(|dead| Death::Child(dead, at)));
    }

    /// Tells the supervisor who has died. Before it hears that a child is gone, everything that child wrote is read, but
    /// that waits only so long: a log disk that hangs must not hold a restart.
    fn tell_of_dead(&mut self) {
        while let Some(death) = self.deaths.pop_front() {
            match death {
                Death::Child(Dead { run, process, last_words }, at) => {
                    self.input(Input::Died { run, at });
                    if !last_words.is_empty() {
                        self.listener_output(run, process, last_words);
                    }
                    self.tools.output.send(Request::Drain { run });
                    self.children.draining(run, present().mono);
                }
                Death::Test(status) => self.upgrade_tested(status),
                Death::Stranger { pid, status } => self.input(Input::StrangerExited { pid, status }),
            }
        }
    }

    fn give_up_draining(&mut self) {
        while let Some(gone) = self.children.overdue(present().mono) {
            self.gone(gone);
        }
    }

    fn gone(&mut self, Gone { run, pid, status }: Gone) {
        self.input(Input::Exited { run, pid, status });
    }

    fn take_messages(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::Output(Report::Drained { run }) => {
                    // From now on, whoever else has its pipes sees that nobody is at their other ends.
                    if let Some(survival) = &mut self.survival {
                        survival.forget(Owner::Run(run.0));
                    }
                    if let Some(gone) = self.children.drained(run) {
                        self.gone(gone);
                    }
                }
                Message::Output(Report::Copies(copies)) => self.keep_copies(copies),
                Message::Output(Report::StateWritten) => {
                    if let Some(survival) = &mut self.survival {
                        survival.journal.file_written();
                    }
                }
                Message::Output(Report::StateFailed) => {
                    if let Some(survival) = &mut self.survival {
                        survival.journal.file_failed(present().mono);
                    }
                }
                Message::Output(Report::Log { run, channel, bytes }) => {
                    self.output(run, OutputKind::Log, channel, bytes);
                }
                Message::Output(Report::Communication { run, channel, bytes }) => {
                    self.output(run, OutputKind::Communication, channel, bytes);
                }
                Message::Cleared { process, call, outcome } => self.cleared(process, call, outcome),
                Message::Reread(config) => self.input(Input::RestartSignal { config }),
                Message::NetworkStopped(clients) => self.upgrade = Upgrade::Ready(clients),
                Message::Plugins(notice) => self.hear_plugins(notice),
            }
        }
    }

    fn hear_plugins(&mut self, notice: Notice) {
        match notice {
            Notice::Ready => self.stop_waiting_for_plugins(),
            Notice::Judged { process, judgement, verdict } => {
                self.input(Input::Judged { process, judgement, verdict });
            }
            Notice::Subscribed(kinds) => self.input(Input::Subscribed { kinds }),
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
        if matches!(call, Call::Upgrade) {
            return self.begin_upgrade(Some(reply));
        }
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
        self.explain_end(token);
        self.tell_of_dead();
    }

    /// An orphan may have ended.
    fn explain_end(&mut self, token: usize) {
        if let Some((run, status)) = self.children.orphan_ended(token, present().mono, self.poll.registry()) {
            self.died(run, status);
        }
    }

    /// Asks again how those ended of whom it was not known yet.
    fn explain_ends(&mut self) {
        for token in self.children.unexplained() {
            self.explain_end(token);
        }
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
        self.tools.output.leave(copy);
        self.listener_batching.heard(process, present().mono);
        self.input(Input::ListenerOutput { process, bytes });
    }
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
