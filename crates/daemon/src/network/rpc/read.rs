//! Requests that change nothing.

use std::sync::Arc;

use supervisord_core::call::Read;
use supervisord_core::output::Channel;
use supervisord_core::row::Row;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::name::Namespec;
use supervisord_wire::value::Value;
use supervisord_wire::{API_VERSION, SUPERVISOR_VERSION};

use super::payload::{CONFIGURATION_BYTES, Content, PROCESS_BYTES, Payload};
use super::{Failure, logs, reserve};
use crate::network::Context;
use crate::xmlrpc;

pub(super) async fn answer(context: &Context, request: Read) -> Result<Payload, Failure> {
    let view = &context.view;
    match request {
        Read::GetApiVersion => Ok(Value::from(API_VERSION).into()),
        Read::GetSupervisorVersion => Ok(Value::from(SUPERVISOR_VERSION).into()),
        Read::GetIdentification => Ok(Value::from(view.config().supervisord.identifier.as_str()).into()),
        Read::GetState => Ok(state(context)),
        Read::GetPid => Ok(Value::Int(std::process::id().into()).into()),
        Read::GetProcessInfo { name } => {
            let row = row(context, &name)?;
            Ok(Content::Process(Box::new(row.info((context.clock.now)(), context.clock.local))).into())
        }
        Read::GetAllProcessInfo => {
            let reservation = reserve(context, view.rows().len() * PROCESS_BYTES).await?;
            let now = (context.clock.now)();
            let infos = view.rows().iter().map(|row| row.info(now, context.clock.local)).collect();
            Ok(Content::Processes(infos).within(reservation))
        }
        Read::GetAllConfigInfo => {
            let config = view.config();
            let count: usize = config.groups.iter().map(|group| group.processes.len()).sum();
            let reservation = reserve(context, count * CONFIGURATION_BYTES).await?;
            let in_use = |group: &str| view.has_group(group);
            let all = xmlrpc::config_info(&config, in_use, |group, process| view.row(group, process));
            Ok(Content::Value(all).within(reservation))
        }
        Read::GetConfigWarnings => {
            let config = view.config();
            let bytes = config.warnings().map(str::len).sum();
            let reservation = reserve(context, bytes).await?;
            let warnings = config.warnings().map(Value::from).collect();
            Ok(Content::Value(Value::Array(warnings)).within(reservation))
        }
        Read::ReadLog { offset, length } => match context.activity_file.clone() {
            Some(path) => {
                let progress = context.activity.progress();
                progress.reach(progress.queued()).await;
                logs::read(context, Some(path), offset, length).await
            }
            None => Err(Fault::with(FaultCode::NoFile, "syslog").into()),
        },
        Read::ReadProcessLog { channel, name, offset, length } => {
            logs::read(context, log_of(&*row(context, &name)?, channel), offset, length).await
        }
        Read::TailProcessLog { channel, name, offset, length } => {
            logs::tail(context, log_of(&*row(context, &name)?, channel), offset, length).await
        }
    }
}

fn state(context: &Context) -> Payload {
    let mood = context.view.mood();
    let members = [("statecode", Value::from(mood.code())), ("statename", Value::from(mood.name()))];
    Value::Struct(members.map(|(name, value)| (name.to_owned(), value)).into()).into()
}

/// The process of this name; a whole group is none.
fn row(context: &Context, name: &str) -> Result<Arc<Row>, Fault> {
    let Namespec { group, process } = Namespec::parse(name);
    let row = process.and_then(|process| context.view.row(&group, &process));
    row.ok_or_else(|| Fault::with(FaultCode::BadName, name))
}

fn log_of(row: &Row, channel: Channel) -> Option<String> {
    match channel {
        Channel::Stdout => row.stdout_logfile.clone(),
        Channel::Stderr => row.stderr_logfile.clone(),
    }
}
