//! How groups become active, and with them their processes.

use std::sync::Arc;

use supervisord_config::model::{Group, GroupKind, LogFile, Process};
use supervisord_wire::event::EventType;

use super::groups::ActiveGroup;
use super::{Effect, Member, ProcessId, Supervisor};
use crate::event::Event;
use crate::output::Channel;
use crate::pool::PoolQueue;

impl Supervisor {
    /// Activates a group, and names its automatic log files.
    pub(super) fn activate(&mut self, group: Arc<Group>) {
        let name: Arc<str> = group.name.as_str().into();
        self.effects.push_back(Effect::PublishGroup(name.clone()));
        for id in self.register_group(group) {
            self.effects.push_back(Effect::PublishRow(id));
        }
        self.emit(Event::ProcessGroupAdded(name));
    }

    /// Adds a group and its members. The caller publishes them.
    pub(super) fn register_group(&mut self, group: Arc<Group>) -> Vec<ProcessId> {
        let name: Arc<str> = group.name.as_str().into();
        let members: Vec<_> = group.processes.iter().map(|process| self.register(&name, &group, process)).collect();
        let pool = fresh_pool(&group.kind);
        self.groups.push(ActiveGroup { config: group, members: members.clone(), pool });
        members
    }

    /// Adds a process. The caller publishes it.
    pub(super) fn register(&mut self, group: &Arc<str>, definition: &Group, process: &Arc<Process>) -> ProcessId {
        let id = self.next_id();
        let stdout_log = self.resolve_log(process, Channel::Stdout);
        let stderr_log = self.resolve_log(process, Channel::Stderr);
        let disabled = self.enablement.disabling(group, &process.identity.name);
        let member = Member {
            stdout_log,
            stderr_log,
            disabled,
            listener: matches!(definition.kind, GroupKind::Listeners(_)).then(Box::default),
            ..Member::new(group, process.clone())
        };
        self.members.insert(id, Box::new(member));
        id
    }

    pub(super) fn next_id(&mut self) -> ProcessId {
        let id = ProcessId(self.next_process);
        self.next_process += 1;
        id
    }

    pub(super) fn resolve_log(&mut self, process: &Process, channel: Channel) -> Option<Arc<str>> {
        let file = match channel {
            Channel::Stdout => &process.logging.stdout.file,
            Channel::Stderr if process.logging.redirect_stderr => return None,
            Channel::Stderr => &process.logging.stderr.file,
        };
        match file {
            LogFile::None => None,
            LogFile::Path(path) => Some(path.clone()),
            LogFile::Auto => {
                let settings = &self.config.supervisord;
                let name = self.auto_logs.next(&process.identity.name, channel, &settings.identifier);
                let path = format!("{}/{name}", settings.childlogdir.trim_end_matches('/'));
                let shared = path.as_str().into();
                self.effects.push_back(Effect::CreateAutoLog { path });
                Some(shared)
            }
        }
    }
}

/// An empty queue for a pool of listeners, and none for other groups.
pub(super) fn fresh_pool(kind: &GroupKind) -> Option<PoolQueue> {
    match kind {
        GroupKind::Listeners(pool) => {
            let subscriptions = pool.events.iter().filter_map(|name| EventType::from_name(name)).collect();
            Some(PoolQueue::new(subscriptions, pool.buffer_size))
        }
        GroupKind::Programs | GroupKind::FastCgi => None,
    }
}
