//! The line of the activity log that says who asked for what, at the level debug.

use supervisord_config::pyrepr::repr;
use supervisord_wire::name::namespec;

use crate::actor::Actor;
use crate::call::{Call, ProgramAction};
use crate::texts;

/// How much of a name that a client sent is repeated, in characters.
const MAX_SHOWN: usize = 200;

/// How many processes of one call are named.
const MAX_NAMES: usize = 10;

/// Who makes this call. What is written to a program, and the body of an event, may be secret and are not shown.
pub(crate) fn line(actor: &Actor, call: &Call) -> String {
    format!("{actor} requested: {}", request(call))
}

/// What a call asks for, without what may be secret.
pub fn request(call: &Call) -> String {
    match call {
        Call::Shutdown => "shut down".to_owned(),
        Call::Restart { .. } => "restart".to_owned(),
        Call::ReloadConfig { .. } => "reread the configuration".to_owned(),
        Call::PlanUpdate { .. } => "plan an update".to_owned(),
        Call::UpdateMinimally { groups, .. } if groups.is_empty() => "update minimally".to_owned(),
        Call::UpdateMinimally { groups, .. } => {
            let names: Vec<String> = groups.iter().take(MAX_NAMES).map(|group| shown(group)).collect();
            format!("update minimally {}", names.join(", "))
        }
        Call::Scale { section, numprocs, .. } => format!("scale {} to {numprocs}", shown(section)),
        Call::AddProcessGroup { group } => format!("add group {}", shown(group)),
        Call::RemoveProcessGroup { group } => format!("remove group {}", shown(group)),
        Call::StartProcess { name, .. } => format!("start {}", shown(name)),
        Call::StartProcessGroup { group, .. } => format!("start group {}", shown(group)),
        Call::StartAllProcesses { .. } => "start all".to_owned(),
        Call::StopProcess { name, .. } => format!("stop {}", shown(name)),
        Call::StopWithDependents { name, .. } => format!("stop {} and what depends on it", shown(name)),
        Call::StopProcessGroup { group, .. } => format!("stop group {}", shown(group)),
        Call::StopAllProcesses { .. } => "stop all".to_owned(),
        Call::SignalProcess { name, signal } => format!("send signal {} to {}", shown(signal), shown(name)),
        Call::SignalProcessGroup { group, signal } => {
            format!("send signal {} to group {}", shown(signal), shown(group))
        }
        Call::SignalAllProcesses { signal } => format!("send signal {} to all", shown(signal)),
        Call::ActOn { action, processes, .. } => {
            let action = match action {
                ProgramAction::Start => "start".to_owned(),
                ProgramAction::Stop => "stop".to_owned(),
                ProgramAction::Restart => "restart".to_owned(),
                ProgramAction::Signal(number) => format!("send signal {} to", texts::signal_name(*number)),
                ProgramAction::Reload => "reload".to_owned(),
                ProgramAction::Disable => "disable".to_owned(),
                ProgramAction::Enable => "enable".to_owned(),
                ProgramAction::ClearLogs(None) => "clear the logs of".to_owned(),
                ProgramAction::ClearLogs(Some(channel)) => format!("clear the {} log of", channel.name()),
            };
            let names = processes.iter().take(MAX_NAMES).map(|name| shown(&namespec(&name.group, &name.process)));
            let names = names.collect::<Vec<_>>().join(", ");
            match processes.len().saturating_sub(MAX_NAMES) {
                0 => format!("{action} {names}"),
                more => format!("{action} {names} and {more} more"),
            }
        }
        Call::RollingRestart { processes, parallelism } => {
            let names = processes.iter().take(MAX_NAMES).map(|name| shown(&namespec(&name.group, &name.process)));
            let names = names.collect::<Vec<_>>().join(", ");
            match processes.len().saturating_sub(MAX_NAMES) {
                0 => format!("restart {names}, {parallelism} at a time"),
                more => format!("restart {names} and {more} more, {parallelism} at a time"),
            }
        }
        Call::DisableProcess { name, .. } => format!("disable {}", shown(name)),
        Call::EnableProcess { name } => format!("enable {}", shown(name)),
        Call::ReloadProcess { name } => format!("reload {}", shown(name)),
        Call::SendProcessStdin { name, chars } => format!("write {} bytes to stdin of {}", chars.len(), shown(name)),
        Call::SendRemoteCommEvent { kind, .. } => format!("send a remote communication event of type {}", shown(kind)),
        Call::ClearProcessLogs { name } => format!("clear the logs of {}", shown(name)),
        Call::ClearAllProcessLogs => "clear the logs of all".to_owned(),
        Call::ClearLog => "clear the activity log".to_owned(),
        Call::Upgrade => "upgrade".to_owned(),
        Call::RegisterProcess { group, process } => {
            format!("add process {} to group {}", shown(&process.identity.name), shown(group))
        }
        Call::UnregisterProcess { group, process } => {
            format!("remove process {} from group {}", shown(process), shown(group))
        }
    }
}

/// What a client sent, as a part of a line that it can neither break nor make endless.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => repr(text),
        Some((end, _)) => repr(&text[..end]) + "...",
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::actor::{ClientPeer, Way};
    use crate::event::ProcessName;

    fn line_of(call: Call) -> String {
        let way = Way::Rpc(ClientPeer::Inet(SocketAddr::from(([127, 0, 0, 1], 4711))));
        line(&Actor { name: Some("eve".into()), way, ..Actor::plug_in() }, &call)
    }

    #[test]
    fn it_says_who_asks_for_what() {
        let call = Call::StopProcess { name: "web:a".to_owned(), wait: true };
        assert_eq!(line_of(call), "user 'eve' via XML-RPC from 127.0.0.1:4711 requested: stop 'web:a'");
        let call = Call::SignalProcessGroup { group: "web".to_owned(), signal: "HUP".to_owned() };
        assert_eq!(line(&Actor::plug_in(), &call), "a plug-in requested: send signal 'HUP' to group 'web'");
    }

    #[test]
    fn it_names_the_first_of_many() {
        let name = |number: usize| ProcessName { group: "web".into(), process: number.to_string().into() };
        let line = |count| {
            let processes = (0..count).map(name).collect();
            line_of(Call::ActOn { action: ProgramAction::Signal(1), processes, wait: true })
        };
        assert!(line(2).ends_with(" requested: send signal SIGHUP to 'web:0', 'web:1'"), "{}", line(2));
        assert!(line(5000).ends_with("'web:9' and 4990 more"), "{}", line(5000));
    }

    #[test]
    fn it_shows_nothing_that_may_be_secret() {
        let secret = "hunter2";
        let stdin = line_of(Call::SendProcessStdin { name: "a".to_owned(), chars: secret.into() });
        assert!(stdin.ends_with(" requested: write 7 bytes to stdin of 'a'"), "{stdin}");
        let event = line_of(Call::SendRemoteCommEvent { kind: "k".to_owned(), data: secret.to_owned() });
        assert!(event.ends_with(" requested: send a remote communication event of type 'k'"), "{event}");
        let mut process = supervisord_config::samples::process("a");
        process.spawn.environment.push(("PASSWORD".to_owned(), secret.to_owned()));
        process.spawn.command = format!("login {secret}");
        let enlisted = line_of(Call::RegisterProcess { group: "g".to_owned(), process: Box::new(process) });
        assert!(enlisted.ends_with(" requested: add process 'a' to group 'g'"), "{enlisted}");
    }

    #[test]
    fn a_name_can_neither_forge_nor_flood_lines() {
        let text = |name: &str| line_of(Call::ClearProcessLogs { name: name.to_owned() });
        assert!(text("a\nb").ends_with(r" requested: clear the logs of 'a\nb'"));
        assert!(text(&"é".repeat(1_000_000)).ends_with(&format!(" of '{}'...", "é".repeat(MAX_SHOWN))));
    }
}
