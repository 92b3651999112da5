//! The supervisor as an upgrade passes it on: the records of the state, and what only a living daemon can pass on (the
//! configuration that was read last, and the events that wait).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use supervisord_config::model;
use supervisord_core::pool::Pool;
use supervisord_core::supervisor::snapshot::{self, GroupSnapshot};
use supervisord_core::ticks::Ticks;

use super::configuration::Configuration;
use super::definition;
use super::record::{Logs, Process};

/// The version that is written. It changes when a reader would misunderstand what is new, and not when it can do without
/// it. Version 1 is read as well, see [`super::version_1`].
pub const VERSION: u32 = 2;

/// A supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The version of the writer. Every version has it in this place.
    pub version: u32,
    config: Configuration,
    groups: Vec<Group>,
    next_serial: u64,
    #[serde(default)]
    ticks: Option<Ticks>,
    /// The groups that are stopping to be removed, or replaced where they still are configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    retiring: Vec<String>,
}

/// An active group.
#[derive(Debug, Serialize, Deserialize)]
struct Group {
    definition: definition::Group,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pool: Option<Pool>,
    members: Vec<Process>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    logs: Vec<Logs>,
}

impl Snapshot {
    /// What is passed on of a supervisor.
    pub fn new(snapshot: &snapshot::Snapshot, version: u32) -> Snapshot {
        let snapshot::Snapshot { config, groups, next_serial, ticks, retiring } = snapshot;
        let group = |GroupSnapshot { definition, pool, members }: &GroupSnapshot| {
            let members_of = || {
                definition.processes.iter().filter_map(|process| {
                    let member = members.iter().find(|member| member.name == process.identity.name)?;
                    Some((process, member))
                })
            };
            Group {
                definition: (&**definition).into(),
                pool: pool.clone(),
                members: members_of().map(|(_, member)| Process::new(&definition.name, member, None, 0)).collect(),
                logs: members_of()
                    .filter_map(|(process, member)| {
                        let (stdout, stderr) = (member.stdout_log.as_ref(), member.stderr_log.as_ref());
                        Logs::automatic(&definition.name, process, stdout, stderr)
                    })
                    .collect(),
            }
        };
        Snapshot {
            version,
            config: (&**config).into(),
            groups: groups.iter().map(group).collect(),
            next_serial: *next_serial,
            ticks: ticks.clone(),
            retiring: retiring.clone(),
        }
    }
}

impl From<Snapshot> for snapshot::Snapshot {
    fn from(snapshot: Snapshot) -> snapshot::Snapshot {
        let Snapshot { version: _, config, groups, next_serial, ticks, retiring } = snapshot;
        let group = |Group { definition, pool, members, logs }| {
            let definition = model::Group::from(definition);
            let member = |process: &Arc<model::Process>| {
                let known: &Process = members.iter().find(|member: &&Process| member.name == process.identity.name)?;
                let logs = logs.iter().find(|logs: &&Logs| logs.name == process.identity.name);
                Some(known.member(process, logs))
            };
            let members = definition.processes.iter().filter_map(member).collect();
            GroupSnapshot { definition: Arc::new(definition), pool, members }
        };
        snapshot::Snapshot {
            config: Arc::new(config.into()),
            groups: groups.into_iter().map(group).collect(),
            next_serial,
            ticks,
            retiring,
        }
    }
}
