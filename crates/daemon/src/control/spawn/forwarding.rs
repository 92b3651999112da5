//! Where the lines of a program are forwarded.

use std::sync::Arc;

use supervisord_config::model::{ChannelLog, Process};
use supervisord_core::output::Channel;
use supervisord_core::output::forward::{ForwardOrigin, ForwardPlan, TlsFiles};
use supervisord_core::row::Row;
use supervisord_core::supervisor::{ProcessId, Supervisor};
use supervisord_sys::host;

use crate::control::tools::Tools;
use crate::output::{OutputRequest, RunId};

/// Where the lines of a stream of the process with this id go; none where they are not forwarded.
pub(super) fn plan(row: &Row, channel: Channel, pid: Option<u32>) -> Option<ForwardPlan> {
    let process = &row.config;
    if !is_wanted(process, channel) {
        return None;
    }
    let (log, logging, identity) = (log(process, channel), &process.logging, &process.identity);
    let program = identity.section.split_once(':').map_or(identity.section.as_str(), |(_, program)| program);
    let origin = ForwardOrigin {
        facility: logging.forwarding.syslog_facility,
        tag: logging.forwarding.syslog_tag.clone().unwrap_or_else(|| identity.name.clone()),
        hostname: logging.forwarding.syslog_hostname.clone().unwrap_or_else(host::node_name),
        program: program.to_owned(),
        group: row.group.to_string(),
        process: identity.name.clone(),
        channel: Some(channel),
        pid,
    };
    Some(ForwardPlan {
        targets: log.log_forward.clone(),
        tls: TlsFiles {
            trusted: logging.forwarding.syslog_cafile.clone(),
            certificate: logging.forwarding.syslog_certfile.clone(),
            key: logging.forwarding.syslog_keyfile.clone(),
        },
        severity: log.log_severity,
        origin: origin.into(),
    })
}

/// Whether the lines of a stream are forwarded.
pub(super) fn is_wanted(process: &Process, channel: Channel) -> bool {
    !log(process, channel).log_forward.is_empty()
}

fn log(process: &Process, channel: Channel) -> &ChannelLog {
    match channel {
        Channel::Stdout => &process.logging.stdout,
        Channel::Stderr => &process.logging.stderr,
    }
}

/// Has the lines of a process that runs forwarded where its definition says now.
pub(in crate::control) fn follow_definition(supervisor: &Supervisor, id: ProcessId, run: RunId, tools: &Tools) {
    let Some(row) = supervisor.row(id) else { return };
    let pid = (row.pid > 0).then_some(row.pid);
    for channel in [Channel::Stdout, Channel::Stderr] {
        let is_protocol = supervisor.is_listener(id) && channel == Channel::Stdout;
        let plan = plan(&row, channel, pid).filter(|_| !is_protocol).map(Arc::new);
        tools.output.put_off(OutputRequest::Forward { run, channel, plan });
    }
}
