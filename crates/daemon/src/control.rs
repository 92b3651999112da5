//! The control plane: one synchronous loop that owns the supervisor, its children and its signals.
//!
//! Whatever happens, here or on another thread, becomes a [`SupervisorInput`] of the pure [`Supervisor`], one after the other;
//! what it answers is carried out before the next input is taken. Nothing here touches a log file or a client.

mod child_env;
mod children;
mod clear_queue;
mod clearing;
mod effects;
mod exit_status;
mod foreign_descriptors;
mod inbox;
mod keeping;
mod listener_batching;
mod listeners;
mod memory_kills;
mod messages;
mod notification_queue;
mod notifications;
mod offload;
mod put_off_commands;
mod readiness;
mod reaping;
mod rereads;
mod resolve_command;
mod resume;
mod signals;
mod sockets;
mod spawn;
mod survival;
mod survivors;
mod tokens;
mod tools;
mod upgrade;
mod upgrade_phase;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};
use supervisord_config::model::LogLevel;
use supervisord_core::event::Event;
use supervisord_core::supervisor::{CallId, Ending, ProcessId, Supervisor, SupervisorInput};
use supervisord_sys::memory;
use supervisord_sys::process_tree;
use supervisord_sys::signal::Signals;

use crate::calls::{Pending, Reply};
use crate::clock::present;
use crate::hand_over::HandOver;
use crate::network::NetworkHandle;
use crate::output::RunId;
pub use child_env::ChildEnv;
use children::{Children, Exit};
pub use children::{HandedChildren, LeftoverChildren};
use clear_queue::ClearQueue;
pub use inbox::{Inbox, Message, MessageSender};
use listener_batching::ListenerBatching;
use memory_kills::MemoryKillWatch;
use put_off_commands::PutOffCommands;
use rereads::Rereads;
pub use resolve_command::{locate_command, shell_hint};
pub use resume::Reconfigured;
pub use spawn::{obstacle_to_secret, read_environment_file};
use survival::Survival;
use survivors::Survivors;
use tokens::{KEEPER, NOTIFICATIONS, SIGNALS, WAKER};
pub use tools::Tools;
pub use upgrade::{NO_ANSWER, SELF_TEST, UNDERSTOOD};
use upgrade_phase::UpgradePhase;

/// How long the programs wait for plug-ins, which in the original are made before any program is started. Code that
/// takes longer must not keep them down.
const PLUGINS_BOUND: Duration = Duration::from_secs(10);

/// How long after the start of the programs the daemon releases the memory that only the start needed. Most programs are
/// RUNNING by then.
const RELEASE_AFTER: Duration = Duration::from_secs(1);

/// How the control plane ends.
pub enum End {
    /// Everything has stopped.
    Stopped {
        /// What comes next.
        ending: Ending,
        /// The number of the next event.
        serial: u64,
        /// Signals that have not been handled.
        signals: Signals,
        /// What has to be reaped when the network plane has ended.
        leftover: LeftoverChildren,
    },
    /// Another program is to go on from here.
    HandOver {
        /// What it gets.
        handed: Box<HandOver<OwnedFd>>,
        /// Signals that have not been handled.
        signals: Signals,
        /// What has to be reaped before.
        leftover: LeftoverChildren,
    },
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
    /// Calls that wait for logs to be cleared.
    clearing: ClearQueue,
    /// Children that have been reaped and whose ends have not been reported.
    exits: VecDeque<Exit>,
    /// The tokens of children that had more to say than fits into one turn.
    unread: Vec<usize>,
    /// Whether programs had sent more notifications than fit into one turn.
    has_more_notifications: bool,
    listener_batching: ListenerBatching,
    /// Commands that are run a little later.
    put_off: PutOffCommands,
    memory_kills: MemoryKillWatch,
    survivors: Survivors,
    tools: Tools,
    survival: Option<Survival>,
    /// Processes whose changes are not noted yet.
    unnoted: BTreeSet<ProcessId>,
    /// Events that are published with the next row, or when nothing is left to be done.
    unpublished: Vec<Event>,
    network: Option<NetworkHandle>,
    upgrade: UpgradePhase,
    /// The configuration is being read for a restart.
    rereads: Rereads,
    ending: Option<Ending>,
    /// Until when the programs wait for the plug-ins; none when they have been started.
    begin_by: Option<Duration>,
    /// When to answer clients from; none when they are answered.
    admit_at: Option<Duration>,
    /// When to release the memory that only the start needed; none when that is done.
    release_at: Option<Duration>,
}

impl Control {
    /// Puts the plane together and lets readers see what there is; nothing is started before [`Control::run`].
    pub fn new(inbox: Inbox, signals: Signals, supervisor: Supervisor, mut tools: Tools) -> std::io::Result<Control> {
        let Inbox { poll, messages, pending, message_sender, .. } = inbox;
        crate::descriptor::register(poll.registry(), &signals, SIGNALS, Interest::READABLE)?;
        let (keeper, transit, output) = (tools.keeper.take(), tools.transit.take(), tools.output.clone());
        let (survival, store, activity) =
            (tools.survival.take(), tools.descriptor_store.take(), tools.activity.clone());
        let survival =
            survival.map(|paths| Survival::new(paths, keeper, transit, store, output, activity)).transpose()?;
        let mut control = Control {
            poll,
            messages,
            pending,
            message_sender,
            signals,
            supervisor,
            children: Children::new(tools.output.clone()),
            replies: HashMap::new(),
            next_call: 0,
            clearing: ClearQueue::default(),
            exits: VecDeque::new(),
            unread: Vec::new(),
            has_more_notifications: false,
            listener_batching: ListenerBatching::default(),
            put_off: PutOffCommands::default(),
            memory_kills: MemoryKillWatch::new(present()),
            survivors: Survivors::default(),
            tools,
            survival,
            unnoted: BTreeSet::new(),
            unpublished: Vec::new(),
            network: None,
            upgrade: UpgradePhase::None,
            rereads: Rereads::default(),
            ending: None,
            begin_by: None,
            admit_at: None,
            release_at: None,
        };
        if process_tree::adopts_orphans() {
            control.supervisor.expect_orphans();
        }
        control.perform_effects();
        Ok(control)
    }

    /// Supervises until everything has stopped, or another program is to go on.
    pub fn run(mut self, network: NetworkHandle, resumed: bool) -> (End, Option<NetworkHandle>) {
        self.network = Some(network);
        let mut events = Events::with_capacity(256);
        if !resumed {
            self.recall_cgroups();
            self.children.recall_secrets(&self.tools);
        }
        if self.survival.as_ref().is_some_and(|survival| !survival.journal.is_begun()) {
            self.begin_journal();
        }
        self.forget_output_of_nobody();
        self.begin_keeping();
        // What came between two generations; who wants the daemon to end does not want its programs started.
        self.take_signals();
        if !resumed && self.tools.plugins.are_awaited() {
            self.begin_by = Some(present().mono + PLUGINS_BOUND);
        } else {
            self.begin(resumed);
        }
        loop {
            if let Some(ending) = self.ending.take() {
                self.name_last_survivors();
                if let Some(survival) = self.survival {
                    survival.end();
                }
                let (serial, signals) = (self.supervisor.next_serial(), self.signals);
                let leftover = self.children.into_leftover();
                return (End::Stopped { ending, serial, signals, leftover }, self.network);
            }
            // Whoever asks for the end meanwhile gets it: what is ending is not handed over.
            // Nor is a restart lost for which the configuration is being read.
            let all_reported = self.exits.is_empty()
                && !self.children.is_draining()
                && !self.children.is_lingering()
                && !self.rereads.are_awaited();
            if self.upgrade.is_ready() && all_reported && !self.supervisor.is_ending() {
                let (handed, leftover, signals) = self.hand_over();
                return (End::HandOver { handed: Box::new(handed), signals, leftover }, None);
            }
            self.children.spawner.begin_turn();
            self.write_notes();
            self.wait(&mut events);
            let mut signalled = false;
            for event in &events {
                match event.token() {
                    WAKER => self.message_sender.notifier.acknowledge(),
                    SIGNALS => signalled = true,
                    KEEPER => self.receive_from_keeper(),
                    NOTIFICATIONS => self.has_more_notifications = true,
                    Token(token) => self.descriptor_ready(token, event.is_writable()),
                }
            }
            if self.has_more_notifications {
                self.take_notifications();
            }
            self.read_on();
            if signalled {
                self.take_signals();
            }
            self.take_messages();
            self.take_calls();
            self.give_up_draining();
            self.give_up_clearing();
            self.look_at_unwatched();
            self.check_ended_orphans();
            self.report_lingering();
            self.report_exits();
            self.enforce_time_limits();
            self.run_put_off_commands();
            self.name_survivors();
            self.give_up_rereads();
            self.go_on_upgrading();
            if self.begin_by.is_some_and(|deadline| deadline <= present().mono) {
                self.stop_waiting_for_plugins();
            }
            self.elapse();
            self.admit_clients();
            self.note_waiting_events();
        }
    }

    /// Starts the programs, unless they have been `resumed`; clients are answered afterwards, who are to see them started.
    fn begin(&mut self, resumed: bool) {
        if !resumed {
            self.input(SupervisorInput::Started);
        }
        // What programs of the daemon before wait for is known after this turn, in which is also heard what they have said meanwhile.
        self.admit_at = Some(present().mono);
        self.release_at = Some(present().mono + RELEASE_AFTER);
    }

    /// Answers clients from now on, if it is time.
    fn admit_clients(&mut self) {
        if self.admit_at.take().is_some()
            && let Some(network) = &self.network
        {
            network.accept_clients();
        }
    }

    /// Releases the memory that only the start needed. Nothing but to sleep follows, which needs little code.
    fn release_memory(&mut self) {
        self.release_at = None;
        memory::trim_heap();
        memory::release_code_pages();
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
        let is_release_due = self.release_at.is_some_and(|deadline| deadline <= now.mono);
        let deadlines = [
            self.supervisor.next_deadline(now),
            self.children.next_drain_deadline(),
            self.children.next_reaping_deadline(),
            self.children.next_time_limit(),
            self.children.next_look(),
            self.children.next_lingering(),
            self.survival.as_ref().and_then(Survival::deadline),
            self.clearing.next_deadline(),
            self.put_off.deadline(),
            self.survivors.deadline(),
            self.rereads.deadline(),
            self.upgrade.deadline().filter(|_| !self.rereads.are_awaited() && !self.children.is_lingering()),
            self.begin_by,
            self.admit_at,
            self.release_at.filter(|_| !is_release_due),
            self.listener_batching.deadline(),
        ];
        let sleep = |deadline: Duration| round_up(deadline.saturating_sub(now.mono));
        let timeout = match self.unread.is_empty() && !self.has_more_notifications {
            true => deadlines.into_iter().flatten().min().map(sleep),
            false => Some(Duration::ZERO),
        };
        while self.listener_batching.spin_until().is_some_and(|until| present().mono < until) {
            self.poll(events, Some(Duration::ZERO));
            if !events.is_empty() {
                return;
            }
        }
        if is_release_due && timeout.is_none_or(|timeout| !timeout.is_zero()) {
            self.release_memory();
        }
        self.poll(events, timeout);
    }

    fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) {
        self.tools.output.ring_if_due();
        let begun = present().mono;
        let polled = match self.poll.poll(events, timeout) {
            // Whoever stops this process and lets it go on ends its sleep, and not with what has happened meanwhile. That is
            // to be known before a deadline is judged that has passed.
            Err(error)
                if error.kind() == std::io::ErrorKind::Interrupted
                    && timeout.is_some_and(|timeout| present().mono.saturating_sub(begun) >= timeout) =>
            {
                self.poll.poll(events, Some(Duration::ZERO))
            }
            polled => polled,
        };
        match polled {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                self.tools.activity.log(LogLevel::Critical, &format!("poll error: {error}"));
            }
            _ => {}
        }
    }

    /// Feeds one input to the supervisor and carries out what it answers.
    fn input(&mut self, input: SupervisorInput) {
        self.supervisor.handle(present(), input);
        self.perform_effects();
    }

    /// Tells the supervisor what a program has said, which nobody says again: the state has it before anything follows from it.
    fn input_said(&mut self, run: RunId, input: SupervisorInput) {
        self.supervisor.handle(present(), input);
        self.note_reactions();
        if let Some((process, _)) = self.children.identify(run)
            && let Some(survival) = &mut self.survival
        {
            survival.journal.note(&self.supervisor, process, self.children.runs(process));
        }
        self.perform_effects();
    }

    fn elapse(&mut self) {
        let now = present();
        if self.supervisor.next_deadline(now).is_some_and(|deadline| deadline <= now.mono) {
            // A child that has exited by now has not lived until the deadline, and one that is ready by now is not late.
            self.reap();
            self.report_lingering();
            self.report_exits();
            self.hear_overdue_readiness();
            self.take_messages();
            self.input(SupervisorInput::Elapsed);
        }
    }
}

/// The loop sleeps in whole milliseconds; waking a little late is right, waking early would be a busy loop.
fn round_up(delay: Duration) -> Duration {
    Duration::from_millis(u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}
