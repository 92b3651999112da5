//! The supervisor as an upgrade passes it on: the records of the state, and what only a living daemon can pass on (the
//! configuration that was read last, and the events that wait).

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use supervisord_config::model;
use supervisord_core::supervisor::snapshot::{self, GroupSnapshot, MemberSnapshot};
use supervisord_core::ticks;

use super::automatic_logs::Logs;
use super::configuration::Configuration;
use super::definition;
use super::encoding::is_default;
use super::pool::Pool;
use super::process_record::ProcessRecord;
use super::run::Runs;
use crate::disabled_file::DisabledRecord;

/// The version that is written. It changes when a reader would misunderstand what is new, and not when it can do without
/// it. Version 1 is read as well, see [`super::version_1`].
pub const VERSION: u32 = 2;

/// A supervisor. How far a process has got is an `M`, which depends on the version.
#[derive(Debug, Serialize, Deserialize)]
pub struct Snapshot<M = ProcessRecord> {
    /// The version of the writer. Every version has it in this place.
    pub version: u32,
    config: Configuration,
    groups: Vec<ActiveGroup<M>>,
    next_serial: u64,
    #[serde(default = "Option::default")]
    ticks: Option<Ticks>,
    /// The groups that are stopping to be removed, or replaced where they still are configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    retiring: Vec<String>,
    /// The disabled programs; none where the writer did not know of them.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    disabled: Option<DisabledRecord>,
    /// How many orphaned processes have been reaped.
    #[serde(default, skip_serializing_if = "is_default")]
    reaped_orphans: u64,
}

/// An active group.
#[derive(Debug, Serialize, Deserialize)]
struct ActiveGroup<M> {
    definition: definition::GroupRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pool: Option<Pool>,
    members: Vec<M>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    logs: Vec<Logs>,
}

/// How far a process has got, in the form of one version.
pub trait Member {
    /// The name of the process.
    fn name(&self) -> &str;

    /// The process of this definition and its group as the supervisor knows it. `logs` has the names of its automatic logs,
    /// where the member does not have them itself.
    fn member(&self, group: &str, definition: &model::Process, logs: Option<&Logs>) -> MemberSnapshot;
}

impl Member for ProcessRecord {
    fn name(&self) -> &str {
        &self.name
    }

    fn member(&self, _group: &str, definition: &model::Process, logs: Option<&Logs>) -> MemberSnapshot {
        ProcessRecord::member(self, definition, logs)
    }
}

/// The periods of the TICK events.
#[derive(Debug, Serialize, Deserialize)]
struct Ticks {
    /// Of 5, 60 and 3600 seconds, counted from the epoch.
    slices: [u64; 3],
}

impl Snapshot {
    /// What is passed on of a supervisor.
    pub fn new(snapshot: &snapshot::SupervisorSnapshot, version: u32) -> Snapshot {
        let snapshot::SupervisorSnapshot { config, groups, next_serial, ticks, retiring, disabled, reaped_orphans } =
            snapshot;
        Snapshot {
            version,
            config: (&**config).into(),
            groups: groups.iter().map(ActiveGroup::from).collect(),
            next_serial: *next_serial,
            ticks: ticks.as_ref().map(|ticks| Ticks { slices: ticks.periods() }),
            retiring: retiring.clone(),
            disabled: disabled.as_deref().map(DisabledRecord::from),
            reaped_orphans: *reaped_orphans,
        }
    }
}

impl From<&GroupSnapshot> for ActiveGroup<ProcessRecord> {
    fn from(GroupSnapshot { definition, pool, members }: &GroupSnapshot) -> ActiveGroup<ProcessRecord> {
        let by_name: HashMap<&str, &MemberSnapshot> =
            members.iter().map(|member| (member.name.as_str(), member)).collect();
        let (mut records, mut logs) = (Vec::with_capacity(members.len()), Vec::new());
        for process in &definition.processes {
            let Some(member) = by_name.get(process.identity.name.as_str()) else { continue };
            records.push(ProcessRecord::new(&definition.name, member, &Runs::default(), 0));
            let (stdout, stderr) = (member.stdout_log.as_ref(), member.stderr_log.as_ref());
            logs.extend(Logs::automatic(&definition.name, process, stdout, stderr));
        }
        ActiveGroup { definition: (&**definition).into(), pool: pool.as_ref().map(Pool::from), members: records, logs }
    }
}

impl<M: Member> From<Snapshot<M>> for snapshot::SupervisorSnapshot {
    fn from(snapshot: Snapshot<M>) -> snapshot::SupervisorSnapshot {
        let Snapshot { version: _, config, groups, next_serial, ticks, retiring, disabled, reaped_orphans } = snapshot;
        snapshot::SupervisorSnapshot {
            config: Arc::new(config.into()),
            groups: groups.into_iter().map(GroupSnapshot::from).collect(),
            next_serial,
            ticks: ticks.map(|Ticks { slices }| ticks::Ticks::in_periods(slices)),
            retiring,
            disabled: disabled.map(|disabled| Arc::new(disabled.into())),
            reaped_orphans,
        }
    }
}

impl<M: Member> From<ActiveGroup<M>> for GroupSnapshot {
    fn from(ActiveGroup { definition, pool, members, logs }: ActiveGroup<M>) -> GroupSnapshot {
        let definition = Arc::new(model::Group::from(definition));
        let logs: HashMap<&str, &Logs> = logs.iter().map(|logs| (logs.name.as_str(), logs)).collect();
        let known: HashMap<&str, &M> = members.iter().map(|member| (member.name(), member)).collect();
        let member = |process: &Arc<model::Process>| {
            let name = process.identity.name.as_str();
            Some(known.get(name)?.member(&definition.name, process, logs.get(name).copied()))
        };
        let members = definition.processes.iter().filter_map(member).collect();
        GroupSnapshot { pool: pool.map(Pool::into), members, definition }
    }
}
