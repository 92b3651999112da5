//! What every interface asks of the daemon: reads, calls and logs as typed values, below all protocols.
//!
//! XML-RPC, the web page, the JSON API, streams and the plug-in process are encoders over it. Whoever asks is an [`Actor`], and what
//! the daemon knows and does is behind one gate, which asks for the right. Reads are answered from the [`View`] and from
//! log files; everything else is a [`Call`], which control answers.

use std::sync::Arc;

use supervisord_config::Purpose;
use supervisord_config::model::{Config, UpdateMode};
use supervisord_config::scale::{ProgramScale, ScaleRequest, WantedCount};
use supervisord_core::actor::{Actor, Right};
use supervisord_core::audit;
use supervisord_core::call::{Answer, Call, CallOutcome, Reason, Refusal};
use supervisord_core::row::{LocalTime, Row};
use supervisord_core::scale_request::{check_descriptors, number_of, present_number, section_of};
use supervisord_sys::limits::{self, Limit};
use supervisord_wire::name::Namespec;
use tokio::sync::{Mutex, oneshot};

use crate::activity::Activity;
use crate::audit::{AuditResult, AuditTrail, in_words};
use crate::blocking::BlockingThreads;
use crate::calls::{CallFailure, Calls};
use crate::drop_in::DropIn;
use crate::memory_budget::{MemoryBudget, Reservation};
use crate::output_memory::OutputMemory;
use crate::usage::{Usage, UsageCache, UsageDepth};
use crate::view::View;
use guarded::Guarded;
use reading::Readings;

mod guarded;
mod log_place;
mod logs;
mod reading;
mod rotated;
mod update;
mod visible;

pub use log_place::LogPlace;
pub use logs::{LogPart, LogTail};
pub use update::{UpdateFailure, UpdateOutcome};
pub use visible::{DisabledProgram, VisibleView};

/// How often a change of a number is worked out anew when others scale the same program at the same time.
const SCALE_ATTEMPTS: usize = 100;

/// Reads the configuration, now or again; the error is the message of the original. It may block.
pub type ReadConfig = Arc<dyn Fn(Purpose, &[ScaleRequest]) -> Result<Config, String> + Send + Sync>;

/// The daemon as its interfaces see it.
pub struct Api {
    gate: Guarded<Daemon>,
    readings: Readings,
    /// Held as long as the service manager has the configuration updated.
    updating: Mutex<()>,
    /// The activity log.
    pub activity: Activity,
    /// The audit log.
    pub audit: AuditTrail,
    /// Threads for what may block.
    pub blocking: BlockingThreads,
    /// The memory that long answers share.
    pub answers: Arc<MemoryBudget>,
    /// What time it is.
    pub clock: Clock,
    usage: UsageCache,
}

/// What only an actor with the right to it gets at.
pub struct Daemon {
    /// The published state.
    pub view: Arc<View>,
    /// The way to control.
    pub calls: Calls,
    /// The path of the activity log that is being written; none with syslog.
    pub activity_file: Option<String>,
    /// What is kept of output in memory.
    pub memory: Arc<OutputMemory>,
    /// Reads the configuration again; the error is the detail of the refusal.
    pub load_config: ReadConfig,
}

/// The wall clock, as people read it.
#[derive(Clone, Copy)]
pub struct Clock {
    /// Seconds since the epoch.
    pub now: fn() -> i64,
    /// Calendar fields of a time in seconds since the epoch, where the daemon is.
    pub local: fn(i64) -> LocalTime,
}

impl Api {
    /// An interface to this daemon.
    pub fn new(daemon: Daemon, activity: Activity, answers: MemoryBudget, clock: Clock) -> Api {
        let (gate, answers, audit) = (Guarded::new(daemon), Arc::new(answers), AuditTrail::default());
        let (readings, updating) = (Readings::default(), Mutex::default());
        let (blocking, usage) = (BlockingThreads::default(), UsageCache::default());
        Api { gate, readings, updating, activity, audit, blocking, answers, clock, usage }
    }

    /// The same, with an audit log.
    pub fn with_audit(self, audit: AuditTrail) -> Api {
        Api { audit, ..self }
    }

    /// Notes a refusal of something that is not a call in the audit log.
    fn noted<T>(&self, actor: &Actor, request: &str, result: Result<T, Refusal>) -> Result<T, Refusal> {
        if let Err(refusal) = &result
            && self.audit.is_kept()
        {
            self.audit.record(actor, request, AuditResult::Refused(&in_words(refusal)));
        }
        result
    }

    /// The published state, as far as it exists for this actor.
    pub fn view<'a>(&'a self, actor: &'a Actor) -> Result<VisibleView<'a>, Refusal> {
        let daemon = self.noted(actor, "view", self.gate.open(actor, Right::View))?;
        Ok(VisibleView::new(&daemon.view, actor))
    }

    /// Refuses what is told about all programs together to an actor for whom only some exist.
    pub fn sees_all_programs(&self, actor: &Actor) -> Result<(), Refusal> {
        self.noted(actor, "view all programs", self.gate.open_for_all_programs(actor, Right::View)).map(|_| ())
    }

    /// The published state for an interface that shows the passwords and environments of the configuration.
    pub fn view_with_secrets(&self, actor: &Actor) -> Result<&View, Refusal> {
        let opened = self.gate.open_for_all_programs(actor, Right::Administer);
        Ok(&self.noted(actor, "read secrets", opened)?.view)
    }

    /// Refuses a method of a plug-in, of which nobody knows what it does, to an actor who may not do everything.
    pub fn may_call_plug_in(&self, actor: &Actor, method: &str) -> Result<(), Refusal> {
        let request = format!("call the plug-in method {method}");
        self.noted(actor, &request, self.gate.open_for_all_programs(actor, Right::Administer))?;
        self.audit.record(actor, &request, AuditResult::Done);
        Ok(())
    }

    /// The process of this name; a whole group is none.
    pub fn process(&self, actor: &Actor, name: &str) -> Result<Arc<Row>, Refusal> {
        let view = self.view(actor)?;
        let Namespec { group, process } = Namespec::parse(name);
        let row = process.and_then(|process| view.row(&group, &process));
        row.ok_or_else(|| Refusal::with(Reason::UnknownName, name))
    }

    /// Hands a call to control and waits until it is done, however long that takes.
    pub async fn call(&self, actor: &Actor, call: Call) -> Result<Answer, CallFailure> {
        let request = if self.audit.is_kept() { audit::request(&call) } else { String::new() };
        let outcome = match self.gate.open_for(actor, &call) {
            Ok(daemon) => answer(send(daemon, actor, call)).await,
            Err(refusal) => Err(refusal.into()),
        };
        self.audit.record_outcome(actor, &request, &outcome);
        outcome
    }

    /// Restarts the daemon with the configuration as it is now. One that cannot be read changes nothing.
    pub async fn restart(&self, actor: &Actor) -> Result<Answer, CallFailure> {
        let outcome = self.call_with_config(actor, Purpose::Start, |config| Call::Restart { config }).await;
        self.audit.record_outcome(actor, "restart", &outcome);
        outcome
    }

    /// Reads the configuration again: [`Answer::Difference`].
    async fn reread(&self, actor: &Actor) -> Result<Answer, CallFailure> {
        let outcome = self.call_with_config(actor, Purpose::Reread, |config| Call::ReloadConfig { config }).await;
        self.audit.record_outcome(actor, "reread the configuration", &outcome);
        outcome
    }

    /// Reads the configuration again, and tells what an update to it would do: [`Answer::Plan`]. Nothing changes.
    pub async fn plan_update(
        &self,
        actor: &Actor,
        mode: Option<UpdateMode>,
        groups: Vec<String>,
    ) -> Result<Answer, CallFailure> {
        self.call_with_config(actor, Purpose::Reread, |config| Call::PlanUpdate { config, mode, groups }).await
    }

    /// Makes the configuration active that was read last, and restarts only what cannot do without: [`Answer::Plan`].
    async fn update_minimally(&self, actor: &Actor, groups: Vec<String>) -> Result<Answer, CallFailure> {
        self.call(actor, Call::UpdateMinimally { groups }).await
    }

    /// Gives a program another number of processes: [`Answer::Plan`]. What else has changed in the file is left to an update.
    /// Where that is to be written down, too, it is in the file afterwards.
    pub async fn scale(
        &self,
        actor: &Actor,
        program: &str,
        wanted: WantedCount,
        persists: bool,
    ) -> Result<Answer, CallFailure> {
        let section = self.scaled_section(actor, program, persists);
        let how = match wanted {
            WantedCount::Exactly(_) => "to",
            WantedCount::Change(_) => "by",
        };
        let kept = if persists { " in the file" } else { "" };
        let name = section.clone().unwrap_or_else(|_| audit::shown(program));
        let request = format!("scale {name} {how} {wanted}{kept}");
        let outcome = match &section {
            Ok(section) => self.scale_with_retries(actor, section, wanted, persists).await,
            Err(refusal) => Err(refusal.clone().into()),
        };
        self.audit.record_outcome(actor, &request, &outcome);
        outcome
    }

    /// The section that somebody names who has the right to scale it.
    fn scaled_section(&self, actor: &Actor, program: &str, persists: bool) -> Result<String, Refusal> {
        match persists {
            true => self.gate.open_for_all_programs(actor, Right::Administer)?,
            false => self.gate.open(actor, Right::Operate)?,
        };
        let view = self.view(actor)?;
        let config = view.config();
        let idle = config.scales.iter().filter(|_| view.includes_all()).map(|scale| scale.section.as_str());
        section_of(&view.rows(), idle, program)
    }

    /// Scales a section, also where others do so at the same time.
    async fn scale_with_retries(
        &self,
        actor: &Actor,
        section: &str,
        wanted: WantedCount,
        persists: bool,
    ) -> Result<Answer, CallFailure> {
        let mut attempts = 0;
        loop {
            let outcome = match persists {
                true => self.scale_and_persist(actor, section.to_owned(), wanted).await,
                false => self.scale_section(actor, section.to_owned(), wanted).await,
            };
            // Somebody else has changed the number from which this one was worked out.
            let is_late = matches!(&outcome, Err(CallFailure::Refused(refusal)) if refusal.is(Reason::UnderWay));
            attempts += 1;
            if !is_late || attempts == SCALE_ATTEMPTS {
                return outcome.map(|answer| about(answer, section));
            }
        }
    }

    /// The number of processes that a section is to have, and the present one where it is worked out from that.
    fn number(
        &self,
        actor: &Actor,
        config: &Config,
        section: &str,
        wanted: WantedCount,
    ) -> Result<(i64, Option<i64>), CallFailure> {
        let present = present_number(config, section);
        let number = number_of(section, wanted, present)?;
        let descriptors = limits::get(Limit::OpenFiles).ok().map(|(soft, _)| soft);
        check_descriptors(&self.view(actor)?.rows(), section, number, descriptors)?;
        Ok((number, matches!(wanted, WantedCount::Change(_)).then_some(present)))
    }

    async fn scale_section(&self, actor: &Actor, section: String, wanted: WantedCount) -> Result<Answer, CallFailure> {
        let daemon = self.gate.open(actor, Right::Operate)?;
        let turn = self.readings.turn().await;
        let (numprocs, based_on) = self.number(actor, &daemon.view.config(), &section, wanted)?;
        let load = daemon.load_config.clone();
        let mut scales = requests(&daemon.view.config().scales);
        scales.push(ScaleRequest { section: section.clone(), numprocs, only_for: None });
        let config = match turn.read(&self.blocking, move || load(Purpose::Reread, &scales)).await? {
            Ok(config) => Box::new(config),
            // What else is in the file is for those who may read it.
            Err(text) if actor.check_all_programs(Right::Administer).is_err() && !text.contains(&section) => {
                let text = "the configuration cannot be read: supervisorctl reread tells administrators why";
                return Err(Refusal::with(Reason::CannotReread, text).into());
            }
            Err(text) => return Err(Refusal::with(Reason::CannotReread, text).into()),
        };
        let outcome = send(daemon, actor, Call::Scale { config, section, numprocs, based_on });
        drop(turn);
        answer(outcome).await
    }

    /// What cannot be done leaves no file.
    async fn scale_and_persist(
        &self,
        actor: &Actor,
        section: String,
        wanted: WantedCount,
    ) -> Result<Answer, CallFailure> {
        let daemon = self.gate.open_for_all_programs(actor, Right::Administer)?;
        let turn = self.readings.turn().await;
        let (load, present) = (daemon.load_config.clone(), daemon.view.config());
        let (numprocs, based_on) = self.number(actor, &present, &section, wanted)?;
        let named = section.clone();
        let write = move || write_scale(&load, &present, &named, numprocs);
        let written = turn.read(&self.blocking, write).await?;
        let (mut drop_in, config) = written.map_err(|text| Refusal::with(Reason::NotConfigured, text))?;
        // What is asked for is done also if whoever asks goes away.
        drop_in.keep();
        let outcome = send(daemon, actor, Call::Scale { config: Box::new(config), section, numprocs, based_on });
        let outcome = answer(outcome).await;
        if outcome.is_err() {
            self.blocking.run(move || drop_in.undo()).await?;
        }
        drop(turn);
        outcome
    }

    /// What programs and their descendants use, as far as they exist for this actor, not older than a second.
    pub async fn usage(&self, actor: &Actor, depth: UsageDepth) -> Result<Arc<Usage>, CallFailure> {
        let (visible, all) = (self.view(actor)?, &self.gate.for_the_daemon().view);
        let usage = self.usage.get(&self.blocking, depth, || all.rows()).await?;
        Ok(match visible.includes_all() {
            true => usage,
            false => Arc::new(usage.only(|row| visible.includes(&row.group, &row.config.identity.name))),
        })
    }

    async fn call_with_config(
        &self,
        actor: &Actor,
        purpose: Purpose,
        call: impl FnOnce(Box<Config>) -> Call,
    ) -> Result<Answer, CallFailure> {
        // The right of both calls that need a configuration: what is not allowed is not read either.
        let daemon = self.gate.open_for_all_programs(actor, Right::Administer)?;
        let turn = self.readings.turn().await;
        let load = daemon.load_config.clone();
        // A restart begins anew.
        let scales = if purpose == Purpose::Reread { requests(&daemon.view.config().scales) } else { Vec::new() };
        let config = match turn.read(&self.blocking, move || load(purpose, &scales)).await? {
            Ok(config) => config,
            Err(text) => return Err(Refusal::with(Reason::CannotReread, text).into()),
        };
        let outcome = send(daemon, actor, call(Box::new(config)));
        drop(turn);
        answer(outcome).await
    }

    /// Waits until the lines of the activity log are written that explain what is published now. What a client can see
    /// is in the log before.
    pub async fn explain(&self) {
        self.activity.progress().reach(self.gate.for_the_daemon().view.logged()).await;
    }

    /// How many descriptors the daemon is to have at least (the option `minfds`).
    pub fn descriptors(&self) -> usize {
        let config = self.gate.for_the_daemon().view.config();
        usize::try_from(config.supervisord.minfds).unwrap_or(usize::MAX)
    }

    /// Reserves memory for an answer of about so many bytes, before it is made.
    pub async fn reserve(&self, bytes: usize) -> Result<Reservation, Refusal> {
        self.answers.reserve_soon(bytes).await.ok_or_else(crowded)
    }
}

/// Writes how many processes a section has, and reads the configuration with that.
fn write_scale(load: &ReadConfig, present: &Config, section: &str, numprocs: i64) -> Result<(DropIn, Config), String> {
    let drop_in = DropIn::write(present, section, numprocs)?;
    let mut scales = requests(&present.scales);
    scales.push(ScaleRequest { section: section.to_owned(), numprocs, only_for: None });
    let config = load(Purpose::Reread, &scales)?;
    // It stands in the place of a number that is still another one.
    if config.scales.iter().any(|scale| scale.section == section) {
        let path = drop_in.path();
        return Err(format!("numprocs of [{section}] stands in a file that is read behind {path}: write it there"));
    }
    Ok((drop_in, config))
}

/// A plan without the programs that are scaled and have other sections.
fn about(answer: Answer, section: &str) -> Answer {
    match answer {
        Answer::Plan(mut plan) => {
            plan.scales.retain(|scale| scale.section == section);
            Answer::Plan(plan)
        }
        other => other,
    }
}

/// What a reading needs to leave programs as they are scaled.
fn requests(scales: &[ProgramScale]) -> Vec<ScaleRequest> {
    scales.iter().map(ProgramScale::request).collect()
}

fn send(daemon: &Daemon, actor: &Actor, call: Call) -> oneshot::Receiver<CallOutcome> {
    let (reply, outcome) = oneshot::channel();
    daemon.calls.send(actor.clone(), call, move |outcome| {
        // Nobody waits any more when the runtime, or the plug-in process that asked, ended first.
        let _ = reply.send(outcome);
    });
    outcome
}

async fn answer(outcome: oneshot::Receiver<CallOutcome>) -> Result<Answer, CallFailure> {
    Ok(outcome.await.map_err(|_| CallFailure::Ended)??)
}

/// There are too many long answers that nobody takes.
pub fn crowded() -> Refusal {
    Refusal::with(Reason::Failed, "there is no memory for so long an answer, or too many are waiting for their clients")
}
