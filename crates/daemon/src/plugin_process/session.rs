//! Everything between us and one plug-in process: what is open on either side, and how long it may stay so.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use supervisord_config::model::LogLevel;
use supervisord_core::actor::Actor;
use supervisord_core::supervisor::{self, ProcessId};
use supervisord_wire::event::EventType;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::plugin::{FromPlugins, HandlerResult, PluginInterface, ToPlugins};
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::{decode_response, encode_fault};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::connection::Connection;
use super::end::{End, refuse};
use super::questions::{Answer, Questions};
use crate::api::Api;
use crate::memory_budget::Reservation;
use crate::output::RunId;
use crate::plugins::{Order, PluginNotice, Work};

/// How long the plug-in process may be silent while something is asked of it and it asks nothing itself.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long what a plug-in process wrote before it ended may take to be read.
const OUTPUT_AFTER_EXIT: Duration = Duration::from_millis(250);

/// The environment variable that changes [`ANSWER_TIMEOUT`], in seconds.
const TIMEOUT_VARIABLE: &str = "SUPERVISOR_PLUGIN_TIMEOUT";

/// How many questions the plug-in process may have open at a time.
const MAX_QUESTIONS: usize = 256;

/// Something the plug-in process has not answered yet.
enum Open {
    Serve,
    Call { reply: oneshot::Sender<Result<Value, Fault>>, deferred: bool },
    Judge { process: ProcessId, judgement: u64 },
}

/// One plug-in process being served.
pub(super) struct Session<'a> {
    work: &'a mut Work,
    api: Arc<Api>,
    questions: Questions,
    connection: Connection,
    open: HashMap<u64, Open>,
    next_id: u64,
    /// The answers to its questions, as they are found.
    answers: JoinSet<Option<Answer>>,
    timeout: Duration,
    /// It has said something: the interpreter is up and the first code is imported.
    is_up: bool,
    /// When the plug-in process last got on with its work.
    progress: Instant,
    lost_events: u64,
}

impl<'a> Session<'a> {
    pub(super) fn new(work: &'a mut Work, api: &Arc<Api>, connection: Connection) -> Session<'a> {
        let configured = std::env::var(TIMEOUT_VARIABLE).ok().and_then(|text| text.parse().ok());
        Session {
            work,
            questions: Questions::new(api.clone(), Actor::plug_in()),
            api: api.clone(),
            connection,
            open: HashMap::new(),
            next_id: 1,
            answers: JoinSet::new(),
            timeout: configured.map_or(ANSWER_TIMEOUT, Duration::from_secs),
            is_up: false,
            progress: Instant::now(),
            lost_events: 0,
        }
    }

    /// Serves the plug-in process until it ends, gets stuck, or the daemon ends.
    ///
    /// A process that it has started may keep the stream open when it has ended. What it wrote before is read.
    pub(super) async fn run(&mut self, first: Option<Order>, mut exited: oneshot::Receiver<()>) -> End {
        let (mut is_told, mut read_until) = (false, None);
        let interfaces = self.work.interfaces.clone();
        if !interfaces.is_empty() {
            let id = self.begin(Open::Serve);
            self.connection.send(&ToPlugins::Serve { id, interfaces });
        }
        first.into_iter().for_each(|order| self.carry_out(order));
        loop {
            let timeout = if self.is_up { self.timeout } else { self.timeout.max(ANSWER_TIMEOUT) };
            let taken = self.connection.taken();
            tokio::select! {
                message = self.connection.next(), if self.connection.has_room() => match message {
                    None => return End::Process("ended".to_owned()),
                    Some(Err(error)) => return End::Process(format!("said something that makes no sense: {error}")),
                    Some(Ok((message, reservation))) => self.take(message, reservation),
                },
                () = taken => self.progress = Instant::now(),
                order = self.work.orders.recv() => match order {
                    None => return End::Daemon,
                    Some(order) => self.carry_out(order),
                },
                told = &mut exited, if !is_told => {
                    is_told = true;
                    // Otherwise nobody reaps any more, because the daemon ends.
                    read_until = told.is_ok().then(|| Instant::now() + OUTPUT_AFTER_EXIT);
                }
                () = sleep_until(read_until.unwrap_or(self.progress)), if read_until.is_some() => {
                    return End::Process("ended".to_owned());
                }
                Some(answer) = self.answers.join_next() => {
                    // While it does not read what it was told, only its reading counts: answers may go on coming, or failing
                    // for want of the memory that it keeps, for minutes.
                    if self.connection.has_room() {
                        self.progress = Instant::now();
                    }
                    match answer {
                        Ok(Some((answer, reservation))) => self.connection.answer(&answer, reservation),
                        Ok(None) => {}
                        Err(_) => return End::Daemon,
                    }
                }
                () = sleep_until(self.progress + timeout), if self.is_waiting() => {
                    let seconds = timeout.as_secs();
                    return End::Process(format!("did not answer within {seconds} seconds"));
                }
            }
        }
    }

    /// Kills the plug-in process, if it has not ended.
    pub(super) fn kill(&self, run: RunId) {
        (self.work.notify)(PluginNotice::Kill(run));
    }

    /// Whether the plug-in process should be working on something of ours, or reading what it is told.
    fn is_waiting(&self) -> bool {
        let counts = |open: &Open| !matches!(open, Open::Call { deferred: true, .. });
        !self.connection.has_room() || self.answers.is_empty() && self.open.values().any(counts)
    }

    /// Its time begins with the first thing it is asked; what it did before does not count.
    fn begin_time(&mut self) {
        if !self.is_waiting() {
            self.progress = Instant::now();
        }
    }

    fn begin(&mut self, open: Open) -> u64 {
        self.begin_time();
        let id = self.next_id;
        self.next_id += 1;
        self.open.insert(id, open);
        id
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Call { xml, reply } => {
                let id = self.begin(Open::Call { reply, deferred: false });
                self.send_or_refuse(id, &ToPlugins::Call { id, xml });
            }
            Order::Judge { process, judgement, handler, event, result } => {
                let id = self.begin(Open::Judge { process, judgement });
                let (name, payload) = (event.kind.name(), event.payload.clone());
                let result = STANDARD.encode(result);
                self.send_or_refuse(id, &ToPlugins::Judge { id, handler, event: name, payload, result });
            }
            Order::Announce(event) => {
                self.begin_time();
                let message = ToPlugins::Event { name: event.kind.name(), payload: event.payload.clone() };
                if !self.connection.send(&message) {
                    self.lost_events += 1;
                    if self.lost_events.is_power_of_two() {
                        let text = format!("the plug-ins do not take their events, {} are lost", self.lost_events);
                        self.api.activity.log(LogLevel::Warn, &text);
                    }
                }
            }
        }
    }

    fn send_or_refuse(&mut self, id: u64, message: &ToPlugins) {
        if !self.connection.send(message)
            && let Some(open) = self.open.remove(&id)
        {
            self.fail(open, "does not read what it is asked");
        }
    }

    fn take(&mut self, message: FromPlugins, reservation: Reservation) {
        if !std::mem::replace(&mut self.is_up, true) {
            // The shorter time for an answer begins here, however long the start took.
            self.progress = Instant::now();
        }
        match message {
            FromPlugins::Serving { id, interfaces } => {
                if let Some(Open::Serve) = self.close(id) {
                    self.serving(interfaces);
                }
            }
            FromPlugins::Answer { id, xml } => {
                if let Some(Open::Call { reply, .. }) = self.close(id) {
                    let broken = |error| Fault::with(FaultCode::Failed, format_args!("unreadable answer: {error}"));
                    // The client may have gone.
                    let _ = reply.send(decode_response(xml.as_bytes()).map_err(broken).and_then(|outcome| outcome));
                }
            }
            FromPlugins::Deferred { id } => {
                self.progress = Instant::now();
                if let Some(Open::Call { deferred, .. }) = self.open.get_mut(&id) {
                    *deferred = true;
                }
            }
            FromPlugins::Judged { id, verdict, text } => {
                if let Some(Open::Judge { process, judgement }) = self.close(id) {
                    if !text.is_empty() {
                        let text = format!("a result handler failed: {text}");
                        self.api.activity.log(LogLevel::Warn, &text);
                    }
                    let verdict = match verdict {
                        HandlerResult::Accepted => supervisor::HandlerVerdict::Accepted,
                        HandlerResult::Rejected => supervisor::HandlerVerdict::Rejected,
                        HandlerResult::Failed => supervisor::HandlerVerdict::Failed,
                    };
                    (self.work.notify)(PluginNotice::Judged { process, judgement, verdict });
                }
            }
            FromPlugins::Log { level, text } => self.api.activity.log(LogLevel::from_number(level), text.trim_end()),
            FromPlugins::Subscribe { events } => {
                let kinds = events.iter().filter_map(|name| EventType::from_name(name)).collect();
                (self.work.notify)(PluginNotice::Subscribed(kinds));
            }
            FromPlugins::Snapshot { id } => {
                self.connection.answer(&self.questions.snapshot(id), None);
            }
            question => self.ask(question, reservation),
        }
    }

    /// The answer to a question of ours has come.
    fn close(&mut self, id: u64) -> Option<Open> {
        self.progress = Instant::now();
        self.open.remove(&id)
    }

    fn serving(&mut self, interfaces: Vec<PluginInterface>) {
        let activity = &self.api.activity;
        for interface in &interfaces {
            match &interface.error {
                None => activity.log(LogLevel::Info, &format!("RPC interface '{}' initialized", interface.name)),
                Some(error) => {
                    let text = format!("Could not make {} rpc interface: {error}", interface.name);
                    activity.log(LogLevel::Error, &text);
                }
            }
        }
        let listed = interfaces.into_iter().map(|interface| (interface.name, interface.methods)).collect();
        *self.work.listed.write().unwrap_or_else(PoisonError::into_inner) = listed;
        (self.work.notify)(PluginNotice::Ready);
    }

    /// A question of the plug-in process, answered by a task of its own. `reservation` is the memory the question takes.
    fn ask(&mut self, question: FromPlugins, reservation: Reservation) {
        match question {
            FromPlugins::Rpc { id, .. } | FromPlugins::Enlist { id, .. } | FromPlugins::Discharge { id, .. }
                if self.answers.len() >= MAX_QUESTIONS =>
            {
                let fault = Fault::with(FaultCode::Failed, "the plug-ins ask too much at a time");
                self.connection.answer(&ToPlugins::Answer { id, xml: encode_fault(&fault) }, None);
            }
            question => {
                let questions = self.questions.clone();
                self.answers.spawn(async move {
                    let answer = questions.answer(question).await;
                    drop(reservation);
                    answer
                });
            }
        }
    }

    /// Ends everything that is open, for this reason.
    pub(super) fn fail_all(&mut self, reason: &str) {
        for open in std::mem::take(&mut self.open).into_values() {
            self.fail(open, reason);
        }
    }

    fn fail(&self, open: Open, reason: &str) {
        let order = match open {
            Open::Serve => return,
            Open::Call { reply, .. } => Order::Call { xml: String::new(), reply },
            Open::Judge { process, judgement } => {
                let verdict = supervisor::HandlerVerdict::Lost;
                return (self.work.notify)(PluginNotice::Judged { process, judgement, verdict });
            }
        };
        refuse(&self.work.notify, order, reason);
    }
}
