//! Methods that change nothing, and what they answer.

use supervisord_core::actor::Actor;
use supervisord_core::output::Channel;
use supervisord_wire::state::Mood;
use supervisord_wire::value::Value;
use supervisord_wire::{API_VERSION, SUPERVISOR_VERSION};

use super::config_info;
use super::failure::Failure;
use super::payload::{CONFIGURATION_BYTES, Content, Payload};
use super::process_list::Moment;
use crate::api::{Api, DisabledProgram, LogTail};
use crate::memory_budget::Reservation;

/// About how much a disabled process adds to a list of them, in bytes of the document.
const DISABLED_BYTES: usize = 512;

/// A method that is answered from the published state and from log files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// `getAPIVersion`, `getVersion`.
    ApiVersion,
    /// `getSupervisorVersion`.
    SupervisorVersion,
    /// `getIdentification`.
    Identification,
    /// `getState`.
    State,
    /// `getPID`.
    Pid,
    /// `getProcessInfo`.
    ProcessInfo { name: String },
    /// `getAllProcessInfo`.
    AllProcessInfo,
    /// `getAllConfigInfo`.
    AllConfigInfo,
    /// `getConfigWarnings`.
    ConfigWarnings,
    /// `getDisabledProcesses`.
    DisabledProcesses,
    /// `readLog`, `readMainLog`.
    Log { offset: i64, length: i64 },
    /// `readProcessStdoutLog`, `readProcessLog`, `readProcessStderrLog`.
    ProcessLog { channel: Channel, name: String, offset: i64, length: i64 },
    /// `tailProcessStdoutLog`, `tailProcessLog`, `tailProcessStderrLog`.
    ProcessLogTail { channel: Channel, name: String, offset: i64, length: i64 },
}

impl Read {
    /// What this actor is answered.
    pub(super) async fn answer(self, api: &Api, actor: &Actor) -> Result<Payload, Failure> {
        let view = api.view(actor)?;
        match self {
            Read::ApiVersion => Ok(Value::from(API_VERSION).into()),
            Read::SupervisorVersion => Ok(Value::from(SUPERVISOR_VERSION).into()),
            Read::Identification => Ok(Value::from(view.identifier().as_str()).into()),
            Read::State => Ok(state(view.mood())),
            Read::Pid => Ok(Value::Int(std::process::id().into()).into()),
            Read::ProcessInfo { name } => {
                Ok(Content::Process(api.process(actor, &name)?, Moment::present(api.clock)).into())
            }
            Read::AllProcessInfo => Ok(Content::Processes(view.rows(), Moment::present(api.clock)).into()),
            Read::AllConfigInfo => {
                let config = view.config();
                let count: usize = config.groups.iter().map(|group| group.processes.len()).sum();
                let reservation = api.reserve(count * CONFIGURATION_BYTES).await?;
                Ok(Content::Value(config_info::all(&config, &view)).within(reservation))
            }
            Read::DisabledProcesses => {
                let disabled = view.disabled();
                let reservation = api.reserve(disabled.len() * DISABLED_BYTES).await?;
                let programs = disabled.into_iter().map(disabled_process).collect();
                Ok(Content::Value(Value::Array(programs)).within(reservation))
            }
            Read::ConfigWarnings => {
                // They are about the whole file.
                api.sees_all_programs(actor)?;
                let config = view.config();
                let bytes = config.warnings().map(str::len).sum();
                let reservation = api.reserve(bytes).await?;
                let warnings = config.warnings().map(Value::from).collect();
                Ok(Content::Value(Value::Array(warnings)).within(reservation))
            }
            Read::Log { offset, length } => Ok(text(api.read_activity_log(actor, offset, length).await?)),
            Read::ProcessLog { channel, name, offset, length } => {
                Ok(text(api.read_process_log(actor, &name, channel, offset, length).await?))
            }
            Read::ProcessLogTail { channel, name, offset, length } => {
                let LogTail { text, offset, overflow, reservation } =
                    api.tail_process_log(actor, &name, channel, offset, length).await?;
                let content = Content::Value(Value::Array(vec![text.into(), offset.into(), overflow.into()]));
                Ok(Payload { content, reservation })
            }
        }
    }
}

fn disabled_process(DisabledProgram { name, disabling, is_present }: DisabledProgram) -> Value {
    let members = [
        ("name", Value::from(&*name.process)),
        ("group", Value::from(&*name.group)),
        ("by", Value::from(disabling.by.as_str())),
        ("at", Value::Int(disabling.at)),
        ("active", Value::from(is_present)),
    ];
    Value::Struct(members.map(|(name, value)| (name.to_owned(), value)).into())
}

fn text((text, reservation): (String, Reservation)) -> Payload {
    Content::Value(Value::Str(text)).within(reservation)
}

fn state(mood: Mood) -> Payload {
    let members = [("statecode", Value::from(mood.code())), ("statename", Value::from(mood.name()))];
    Value::Struct(members.map(|(name, value)| (name.to_owned(), value)).into()).into()
}
