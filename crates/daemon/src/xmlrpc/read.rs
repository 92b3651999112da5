//! Requests that change nothing.

use supervisord_core::call::Read;
use supervisord_wire::value::Value;
use supervisord_wire::{API_VERSION, SUPERVISOR_VERSION};

use super::config_info;
use super::payload::{CONFIGURATION_BYTES, Content, PROCESS_BYTES, Payload};
use super::responder::Failure;
use crate::api::{Api, Tail};
use crate::memory_budget::Reservation;

pub(super) async fn answer(api: &Api, request: Read) -> Result<Payload, Failure> {
    let view = &api.view;
    match request {
        Read::GetApiVersion => Ok(Value::from(API_VERSION).into()),
        Read::GetSupervisorVersion => Ok(Value::from(SUPERVISOR_VERSION).into()),
        Read::GetIdentification => Ok(Value::from(view.config().supervisord.identifier.as_str()).into()),
        Read::GetState => Ok(state(api)),
        Read::GetPid => Ok(Value::Int(std::process::id().into()).into()),
        Read::GetProcessInfo { name } => {
            let row = api.process(&name)?;
            Ok(Content::Process(Box::new(row.info((api.clock.now)(), api.clock.local))).into())
        }
        Read::GetAllProcessInfo => {
            let reservation = api.reserve(view.rows().len() * PROCESS_BYTES).await?;
            let now = (api.clock.now)();
            let infos = view.rows().iter().map(|row| row.info(now, api.clock.local)).collect();
            Ok(Content::Processes(infos).within(reservation))
        }
        Read::GetAllConfigInfo => {
            let config = view.config();
            let count: usize = config.groups.iter().map(|group| group.processes.len()).sum();
            let reservation = api.reserve(count * CONFIGURATION_BYTES).await?;
            let in_use = |group: &str| view.has_group(group);
            let all = config_info::all(&config, in_use, |group, process| view.row(group, process));
            Ok(Content::Value(all).within(reservation))
        }
        Read::GetConfigWarnings => {
            let config = view.config();
            let bytes = config.warnings().map(str::len).sum();
            let reservation = api.reserve(bytes).await?;
            let warnings = config.warnings().map(Value::from).collect();
            Ok(Content::Value(Value::Array(warnings)).within(reservation))
        }
        Read::ReadLog { offset, length } => Ok(text(api.read_activity_log(offset, length).await?)),
        Read::ReadProcessLog { channel, name, offset, length } => {
            Ok(text(api.read_process_log(&name, channel, offset, length).await?))
        }
        Read::TailProcessLog { channel, name, offset, length } => {
            let Tail { text, offset, overflow, reservation } =
                api.tail_process_log(&name, channel, offset, length).await?;
            let content = Content::Value(Value::Array(vec![text.into(), offset.into(), overflow.into()]));
            Ok(Payload { content, reservation })
        }
    }
}

fn text((text, reservation): (String, Reservation)) -> Payload {
    Content::Value(Value::Str(text)).within(reservation)
}

fn state(api: &Api) -> Payload {
    let mood = api.view.mood();
    let members = [("statecode", Value::from(mood.code())), ("statename", Value::from(mood.name()))];
    Value::Struct(members.map(|(name, value)| (name.to_owned(), value)).into()).into()
}
