//! Hints about refused actions and similar names. A terminal gets them when the action is done.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;

use supervisord_config::suggest::nearest;
use supervisord_sys::Errno;
use supervisord_wire::fault::FaultCode;
use supervisord_wire::name::{Namespec, namespec};

use crate::client::{Channel, Client, ClientError};

/// The most names to suggest.
const MAX_SUGGESTIONS: usize = 3;

/// A refusal that a hint may explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HintRequest {
    /// The name is unknown.
    Unknown {
        /// The name as the user wrote it.
        name: String,
        /// What the name should have named.
        wanted: ExpectedName,
    },
    /// A log that cannot be shown.
    NoLog {
        /// The process, as the user named it.
        name: String,
        /// Which log of the process.
        channel: Channel,
    },
}

/// What an action takes as a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedName {
    /// One process.
    Process,
    /// A process, or a group with a star.
    ProcessOrGroup,
    /// A group by its bare name.
    Group,
}

impl HintRequest {
    pub fn unknown(name: &str, wanted: ExpectedName) -> HintRequest {
        HintRequest::Unknown { name: name.to_owned(), wanted }
    }

    pub fn no_log(name: &str, channel: Channel) -> HintRequest {
        HintRequest::NoLog { name: name.to_owned(), channel }
    }
}

/// The hint for a refusal, if there is one; asks the daemon.
pub fn explain(client: &mut Client, request: &HintRequest) -> Result<Option<String>, ClientError> {
    match request {
        HintRequest::Unknown { name, wanted } => suggestion(client, name, *wanted),
        HintRequest::NoLog { name, channel } => {
            let info = match client.process_info(name) {
                Ok(info) => info,
                Err(error) if error.is_fault(FaultCode::BadName) => {
                    return suggestion(client, name, ExpectedName::Process);
                }
                Err(error) => return Err(error),
            };
            let path = match channel {
                Channel::Stdout => info.stdout_logfile,
                Channel::Stderr => info.stderr_logfile,
            };
            Ok(Some(describe_log(name, *channel, &path, &info.spawnerr)))
        }
    }
}

fn suggestion(client: &mut Client, name: &str, wanted: ExpectedName) -> Result<Option<String>, ClientError> {
    let infos = client.all_process_info()?;
    let known: Vec<(&str, &str)> = infos.iter().map(|info| (info.group.as_str(), info.name.as_str())).collect();
    let names = similar_names(name, wanted, &known);
    if names.is_empty() || wanted == ExpectedName::Group {
        let configured = client.all_config_info()?;
        let group = Namespec::parse(name).group;
        if let Some(idle) = configured.iter().find(|info| !info.in_use && (info.group == group || info.name == name)) {
            let group = &idle.group;
            return Ok(Some(format!("the group {group} is configured, but not active: use add {group}, or update")));
        }
    }
    Ok(proposal(&names, name, wanted))
}

fn proposal(names: &[String], name: &str, wanted: ExpectedName) -> Option<String> {
    let question = match names {
        [] => return None,
        [name] => format!("did you mean {name}?"),
        [names @ .., last] => format!("did you mean {} or {last}?", names.join(", ")),
    };
    let takes_one = wanted == ExpectedName::Process && (name == "all" || name.ends_with(":*"));
    Some(if takes_one { format!("this takes one process at a time; {question}") } else { question })
}

/// The names that the user may have suggestion by an unknown name.
fn similar_names(name: &str, wanted: ExpectedName, known: &[(&str, &str)]) -> Vec<String> {
    let groups: BTreeSet<&str> = known.iter().map(|(group, _)| *group).collect();
    if wanted == ExpectedName::Group {
        let group = Namespec::parse(name).group;
        return nearest(&group, groups).map(str::to_owned).into_iter().collect();
    }
    let whole = |group: &str| format!("{group}:*");
    let members = |group: &str| -> Vec<String> {
        let members = known.iter().filter(|(of, _)| *of == group);
        members.map(|(group, process)| namespec(group, process)).take(MAX_SUGGESTIONS).collect()
    };
    let in_group = |group: &str| match wanted {
        ExpectedName::ProcessOrGroup => vec![whole(group)],
        _ => members(group),
    };
    if name == "all" {
        return known.iter().map(|(group, process)| namespec(group, process)).take(MAX_SUGGESTIONS).collect();
    }
    let Namespec { group, process } = Namespec::parse(name);
    let is_bare = process.as_deref() == Some(group.as_str());
    if groups.contains(group.as_str()) {
        let processes = known.iter().filter(|(of, _)| *of == group).map(|(_, process)| *process);
        return match process.filter(|_| !is_bare).and_then(|process| nearest(&process, processes)) {
            Some(process) => vec![namespec(&group, process)],
            None => in_group(&group),
        };
    }
    if is_bare {
        let elsewhere = known.iter().filter(|(_, process)| *process == name);
        let elsewhere: Vec<String> =
            elsewhere.map(|(group, process)| namespec(group, process)).take(MAX_SUGGESTIONS).collect();
        if !elsewhere.is_empty() {
            return elsewhere;
        }
    }
    let mut candidates: Vec<String> = known.iter().map(|(group, process)| namespec(group, process)).collect();
    candidates.extend(groups.iter().map(|group| whole(group)));
    if let Some(candidate) = nearest(name, candidates.iter().map(String::as_str)) {
        return vec![candidate.to_owned()];
    }
    nearest(&group, groups).map(in_group).unwrap_or_default()
}

/// Why a log cannot be shown. The path is the daemon's, which usually runs on this machine; `spawnerr` is the spawn
/// error of the process, or empty.
fn describe_log(name: &str, channel: Channel, path: &str, spawnerr: &str) -> String {
    let stream = channel.name();
    if path.is_empty() {
        return format!(
            "{name} has no log of {stream}: it is NONE, goes to the system log, or is merged by redirect_stderr; \
             {stream}_log_memory=64KB would keep its end in memory"
        );
    }
    let not_opened =
        |reason: &str| format!("the {stream} of {name} goes to {path}, which could not be opened: {reason}");
    let end = spawnerr.split_once(&format!("({path}: ")).and_then(|(_, end)| end.strip_suffix(')'));
    if let Some(reason) = end {
        return not_opened(reason);
    }
    let kind = match std::fs::metadata(path).map(|metadata| metadata.file_type()) {
        Ok(kind) if kind.is_fifo() => ", a pipe, which can only be read by whoever is at its other end",
        Ok(kind) if kind.is_char_device() => ", a device, which keeps nothing that could be shown",
        Ok(kind) if kind.is_socket() => ", a socket, which keeps nothing that could be shown",
        Err(error) if error.kind() == ErrorKind::NotFound => ", and there is no such file here",
        Ok(kind) if kind.is_file() => match std::fs::File::open(path) {
            Err(error) => return not_opened(&Errno::from(error).to_string()),
            Ok(_) => "",
        },
        Ok(_) => "",
        Err(error) => return not_opened(&Errno::from(error).to_string()),
    };
    format!("the {stream} of {name} goes to {path}{kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [(&str, &str); 5] =
        [("celery", "c0"), ("celery", "c1"), ("web", "web"), ("jobs", "mailer"), ("jobs", "cleaner")];

    fn suggestion(name: &str, wanted: ExpectedName) -> String {
        proposal(&similar_names(name, wanted, &KNOWN), name, wanted).unwrap_or_default()
    }

    #[test]
    fn groups_and_processes_are_distinguished() {
        for (name, wanted, proposed) in [
            ("celery", ExpectedName::ProcessOrGroup, "did you mean celery:*?"),
            ("celery", ExpectedName::Process, "did you mean celery:c0 or celery:c1?"),
            (
                "celery:*",
                ExpectedName::Process,
                "this takes one process at a time; did you mean celery:c0 or celery:c1?",
            ),
            ("mailer", ExpectedName::ProcessOrGroup, "did you mean jobs:mailer?"),
            ("jobs:mialer", ExpectedName::Process, "did you mean jobs:mailer?"),
            ("jobs:nothing", ExpectedName::ProcessOrGroup, "did you mean jobs:*?"),
            ("wbe", ExpectedName::Process, "did you mean web?"),
            ("celry", ExpectedName::ProcessOrGroup, "did you mean celery:*?"),
            ("celry:*", ExpectedName::ProcessOrGroup, "did you mean celery:*?"),
            ("celry", ExpectedName::Group, "did you mean celery?"),
            (
                "all",
                ExpectedName::Process,
                "this takes one process at a time; did you mean celery:c0, celery:c1 or web?",
            ),
            ("something-else", ExpectedName::ProcessOrGroup, ""),
        ] {
            assert_eq!(suggestion(name, wanted), proposed, "{name} {wanted:?}");
        }
    }

    #[test]
    fn logs_that_cannot_be_shown_are_described() {
        assert!(describe_log("p", Channel::Stdout, "", "").contains("p has no log of stdout"));
        assert!(
            describe_log("p", Channel::Stderr, "/dev/null", "")
                .ends_with("/dev/null, a device, which keeps nothing that could be shown")
        );
        let missing = describe_log("p", Channel::Stdout, "/nowhere/log", "");
        assert_eq!(missing, "the stdout of p goes to /nowhere/log, and there is no such file here");
        let refused = "unknown error making dispatchers for 'p': EACCES (/nowhere/log: Permission denied)";
        let expected = "the stdout of p goes to /nowhere/log, which could not be opened: Permission denied";
        assert_eq!(describe_log("p", Channel::Stdout, "/nowhere/log", refused), expected);
        let other = describe_log("p", Channel::Stderr, "/nowhere/err", refused);
        assert!(other.ends_with("there is no such file here"), "{other}");
        let below = describe_log("p", Channel::Stdout, "/dev/null/log", "");
        assert!(below.ends_with("/dev/null/log, which could not be opened: Not a directory"), "{below}");
    }
}
