//! Everything between us and one plug-in process: what is open on either side, and how long it may stay so.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use supervisord_config::model::LogLevel;
use supervisord_core::actor::Actor;
use supervisord_core::call::Call;
use supervisord_core::supervisor::{self, ProcessId};
use supervisord_wire::event::EventType;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::plugin::{FromPlugins, HandlerResult, PluginInterface, ToPlugins};
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::{decode_response, encode_fault, encode_response};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::connection::Connection;
use super::{End, define, refuse, snapshot};
use crate::api::{Api, Ended};
use crate::memory_budget::Reservation;
use crate::output::RunId;
use crate::plugins::{Notice, Order, Work};
use crate::xmlrpc::{self, Responder, Unanswered};

/// How long the plug-in process may be silent while something is asked of it and it asks nothing itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long what a plug-in process wrote before it ended may take to be read.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// The environment variable that changes [`PATIENCE`], in seconds.
const PATIENCE_VARIABLE: &str = "SUPERVISOR_PLUGIN_TIMEOUT";

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
    /// What its own questions see: the methods without those of plug-ins. A process that waits for itself would wait for
    /// ever.
    built_in: Arc<Responder>,
    connection: Connection,
    open: HashMap<u64, Open>,
    next_id: u64,
    /// Its own questions, and the memory their answers take.
    questions: JoinSet<(ToPlugins, Option<Reservation>)>,
    patience: Duration,
    /// It has said something: the interpreter is up and the first code is imported.
    is_up: bool,
    /// When the plug-in process last got on with its work.
    progress: Instant,
    lost_events: u64,
}

impl<'a> Session<'a> {
    pub(super) fn new(work: &'a mut Work, api: &Arc<Api>, connection: Connection) -> Session<'a> {
        let configured = std::env::var(PATIENCE_VARIABLE).ok().and_then(|text| text.parse().ok());
        Session {
            work,
            built_in: Arc::new(Responder::built_in(api.clone())),
            api: api.clone(),
            connection,
            open: HashMap::new(),
            next_id: 1,
            questions: JoinSet::new(),
            patience: configured.map_or(PATIENCE, Duration::from_secs),
            is_up: false,
            progress: Instant::now(),
            lost_events: 0,
        }
    }

    /// Serves the plug-in process until it ends, gets stuck, or the daemon ends.
    ///
    /// A process that it has started may keep the stream open when it has ended. What it wrote before is read.
    pub(super) async fn run(&mut self, first: Option<Order>, mut exited: oneshot::Receiver<()>) -> End {
        let (mut is_told, mut last_words_until) = (false, None);
        let interfaces = self.work.interfaces.clone();
        if !interfaces.is_empty() {
            let id = self.begin(Open::Serve);
            self.connection.send(&ToPlugins::Serve { id, interfaces });
        }
        first.into_iter().for_each(|order| self.carry_out(order));
        loop {
            let patience = if self.is_up { self.patience } else { self.patience.max(PATIENCE) };
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
                    last_words_until = told.is_ok().then(|| Instant::now() + LAST_WORDS);
                }
                () = sleep_until(last_words_until.unwrap_or(self.progress)), if last_words_until.is_some() => {
                    return End::Process("ended".to_owned());
                }
                Some(answer) = self.questions.join_next() => {
                    self.progress = Instant::now();
                    match answer {
                        Ok((answer, reservation)) => self.connection.answer(&answer, reservation),
                        Err(_) => return End::Daemon,
                    }
                }
                () = sleep_until(self.progress + patience), if self.is_waiting() => {
                    let seconds = patience.as_secs();
                    return End::Process(format!("did not answer within {seconds} seconds"));
                }
            }
        }
    }

    /// Kills the plug-in process, if it has not ended.
    pub(super) fn kill(&self, run: RunId) {
        (self.work.notify)(Notice::Kill(run));
    }

    /// Whether the plug-in process should be working on something of ours, or reading what it is told.
    fn is_waiting(&self) -> bool {
        let counts = |open: &Open| !matches!(open, Open::Call { deferred: true, .. });
        !self.connection.has_room() || self.questions.is_empty() && self.open.values().any(counts)
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
        self.is_up = true;
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
                        HandlerResult::Accepted => supervisor::Verdict::Accepted,
                        HandlerResult::Rejected => supervisor::Verdict::Rejected,
                        HandlerResult::Failed => supervisor::Verdict::Failed,
                    };
                    (self.work.notify)(Notice::Judged { process, judgement, verdict });
                }
            }
            FromPlugins::Log { level, text } => self.api.activity.log(LogLevel::from_number(level), text.trim_end()),
            FromPlugins::Subscribe { events } => {
                let kinds = events.iter().filter_map(|name| EventType::from_name(name)).collect();
                (self.work.notify)(Notice::Subscribed(kinds));
            }
            FromPlugins::Snapshot { id } => {
                let state = snapshot::state(&self.api.view);
                self.connection.answer(&ToPlugins::State { id, state }, None);
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
        (self.work.notify)(Notice::Ready);
    }

    /// A question of the plug-in process, answered by a task of its own. `reservation` is the memory the question takes.
    fn ask(&mut self, question: FromPlugins, reservation: Reservation) {
        let api = self.api.clone();
        let has_room = self.questions.len() < MAX_QUESTIONS;
        match question {
            FromPlugins::Rpc { id, .. } | FromPlugins::Enlist { id, .. } | FromPlugins::Discharge { id, .. }
                if !has_room =>
            {
                let fault = Fault::with(FaultCode::Failed, "the plug-ins ask too much at a time");
                self.connection.answer(&ToPlugins::Answer { id, xml: encode_fault(&fault) }, None);
            }
            FromPlugins::Rpc { id, xml } => {
                let built_in = self.built_in.clone();
                self.questions.spawn(async move {
                    let (answer, room) = answer(&built_in, xml).await;
                    drop(reservation);
                    (ToPlugins::Answer { id, xml: answer }, room)
                });
            }
            FromPlugins::Define { id, group, section, options } => {
                self.questions.spawn(async move {
                    let answer = match define::processes(&api.view.config(), &group, &section, &options) {
                        Ok(processes) => {
                            let processes = processes.iter().map(|process| snapshot::definition(process)).collect();
                            ToPlugins::Defined { id, processes }
                        }
                        Err(text) => ToPlugins::Refused { id, text },
                    };
                    (answer, None)
                });
            }
            FromPlugins::Enlist { id, group, name, section, options } => {
                self.questions.spawn(async move {
                    let defined = define::processes(&api.view.config(), &group, &section, &options);
                    let answer = match defined
                        .map(|processes| processes.into_iter().find(|process| process.identity.name == name))
                    {
                        Ok(Some(process)) => {
                            let call = Call::EnlistProcess { group, process: Box::new((*process).clone()) };
                            ToPlugins::Answer { id, xml: carried_out(&api, call).await }
                        }
                        Ok(None) => ToPlugins::Refused { id, text: format!("the section does not define {name}") },
                        Err(text) => ToPlugins::Refused { id, text },
                    };
                    (answer, None)
                });
            }
            FromPlugins::Discharge { id, group, name } => {
                let call = Call::DischargeProcess { group, process: name };
                self.questions
                    .spawn(async move { (ToPlugins::Answer { id, xml: carried_out(&api, call).await }, None) });
            }
            // What only supervisorctl is asked or told.
            _ => {}
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
                let verdict = supervisor::Verdict::Lost;
                return (self.work.notify)(Notice::Judged { process, judgement, verdict });
            }
        };
        refuse(&self.work.notify, order, reason);
    }
}

/// The document that answers a call of a plug-in, and the memory it takes.
async fn answer(built_in: &Responder, document: String) -> (String, Option<Reservation>) {
    match built_in.respond(Arc::new(Actor::plug_in()), document.into()).await {
        Ok(document) => (document.text, Some(document.reservation)),
        Err(Unanswered::BadRequest) => (encode_fault(&Fault::with(FaultCode::Failed, "this is no XML-RPC call")), None),
        Err(Unanswered::NoMemory) => {
            (encode_fault(&Fault::with(FaultCode::Failed, "there is no memory for this call")), None)
        }
        Err(Unanswered::Ending) => (encode_fault(&Fault::new(FaultCode::ShutdownState)), None),
    }
}

/// The document that answers an operation that only plug-ins have.
async fn carried_out(api: &Api, call: Call) -> String {
    match api.call(&Actor::plug_in(), call).await {
        Ok(outcome) => match xmlrpc::result(outcome) {
            Ok(value) => encode_response(&value),
            Err(fault) => encode_fault(&fault),
        },
        Err(Ended) => encode_fault(&Fault::new(FaultCode::ShutdownState)),
    }
}
