//! What an action was refused for, and what was probably meant. People at a terminal are told when the action is done.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;

use supervisord_config::suggest::nearest;
use supervisord_sys::Errno;
use supervisord_wire::fault::FaultCode;
use supervisord_wire::name::{Namespec, namespec};

use crate::client::{Channel, Client, ClientError};

/// How many names are proposed at most.
const MOST: usize = 3;

/// Something that may need an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// There is nothing of this name.
    Unknown {
        /// The name, as it was given.
        name: String,
        /// What it was to be the name of.
        wanted: Wanted,
    },
    /// A log that cannot be shown.
    NoLog {
        /// The process, as it was named.
        name: String,
        /// Which of its logs.
        channel: Channel,
    },
}

/// What an action takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One process.
    Process,
    /// A process, or a group with a star.
    ProcessOrGroup,
    /// A group by its bare name.
    Group,
}

impl Doubt {
    pub fn unknown(name: &str, wanted: Wanted) -> Doubt {
        Doubt::Unknown { name: name.to_owned(), wanted }
    }

    pub fn no_log(name: &str, channel: Channel) -> Doubt {
        Doubt::NoLog { name: name.to_owned(), channel }
    }
}

/// What is to be said about it, if anything; the daemon is asked.
pub fn explain(client: &mut Client, doubt: &Doubt) -> Result<Option<String>, ClientError> {
    match doubt {
        Doubt::Unknown { name, wanted } => meant(client, name, *wanted),
        Doubt::NoLog { name, channel } => {
            let info = match client.process_info(name) {
                Ok(info) => info,
                Err(error) if error.is_fault(FaultCode::BadName) => return meant(client, name, Wanted::Process),
                Err(error) => return Err(error),
            };
            let path = match channel {
                Channel::Stdout => info.stdout_logfile,
                Channel::Stderr => info.stderr_logfile,
            };
            Ok(Some(about_log(name, *channel, &path, &info.spawnerr)))
        }
    }
}

fn meant(client: &mut Client, name: &str, wanted: Wanted) -> Result<Option<String>, ClientError> {
    let infos = client.all_process_info()?;
    let known: Vec<(&str, &str)> = infos.iter().map(|info| (info.group.as_str(), info.name.as_str())).collect();
    let names = names_meant(name, wanted, &known);
    if names.is_empty() || wanted == Wanted::Group {
        let configured = client.all_config_info()?;
        let group = Namespec::parse(name).group;
        if let Some(idle) = configured.iter().find(|info| !info.in_use && (info.group == group || info.name == name)) {
            let group = &idle.group;
            return Ok(Some(format!("the group {group} is configured, but not active: use add {group}, or update")));
        }
    }
    Ok(proposal(&names, name, wanted))
}

fn proposal(names: &[String], name: &str, wanted: Wanted) -> Option<String> {
    let question = match names {
        [] => return None,
        [name] => format!("did you mean {name}?"),
        [names @ .., last] => format!("did you mean {} or {last}?", names.join(", ")),
    };
    let takes_one = wanted == Wanted::Process && (name == "all" || name.ends_with(":*"));
    Some(if takes_one { format!("this takes one process at a time; {question}") } else { question })
}

/// What may have been meant by a name that nothing has.
fn names_meant(name: &str, wanted: Wanted, known: &[(&str, &str)]) -> Vec<String> {
    let groups: BTreeSet<&str> = known.iter().map(|(group, _)| *group).collect();
    if wanted == Wanted::Group {
        let group = Namespec::parse(name).group;
        return nearest(&group, groups).map(str::to_owned).into_iter().collect();
    }
    let whole = |group: &str| format!("{group}:*");
    let members = |group: &str| -> Vec<String> {
        let members = known.iter().filter(|(of, _)| *of == group);
        members.map(|(group, process)| namespec(group, process)).take(MOST).collect()
    };
    let in_group = |group: &str| match wanted {
        Wanted::ProcessOrGroup => vec![whole(group)],
        _ => members(group),
    };
    if name == "all" {
        return known.iter().map(|(group, process)| namespec(group, process)).take(MOST).collect();
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
        let elsewhere: Vec<String> = elsewhere.map(|(group, process)| namespec(group, process)).take(MOST).collect();
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

/// Why there is nothing to show of a log. The path is the daemon's, which usually is on this machine; `spawnerr` is why
/// the process could not be started, if it could not.
fn about_log(name: &str, channel: Channel, path: &str, spawnerr: &str) -> String {
    let stream = channel.name();
    if path.is_empty() {
        return format!(
            "{name} has no log of {stream}: it is NONE, goes to the system log, or is merged by redirect_stderr"
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

    fn meant(name: &str, wanted: Wanted) -> String {
        proposal(&names_meant(name, wanted, &KNOWN), name, wanted).unwrap_or_default()
    }

    #[test]
    fn groups_and_processes_are_told_apart() {
        for (name, wanted, proposed) in [
            ("celery", Wanted::ProcessOrGroup, "did you mean celery:*?"),
            ("celery", Wanted::Process, "did you mean celery:c0 or celery:c1?"),
            ("celery:*", Wanted::Process, "this takes one process at a time; did you mean celery:c0 or celery:c1?"),
            ("mailer", Wanted::ProcessOrGroup, "did you mean jobs:mailer?"),
            ("jobs:mialer", Wanted::Process, "did you mean jobs:mailer?"),
            ("jobs:nothing", Wanted::ProcessOrGroup, "did you mean jobs:*?"),
            ("wbe", Wanted::Process, "did you mean web?"),
            ("celry", Wanted::ProcessOrGroup, "did you mean celery:*?"),
            ("celry:*", Wanted::ProcessOrGroup, "did you mean celery:*?"),
            ("celry", Wanted::Group, "did you mean celery?"),
            ("all", Wanted::Process, "this takes one process at a time; did you mean celery:c0, celery:c1 or web?"),
            ("something-else", Wanted::ProcessOrGroup, ""),
        ] {
            assert_eq!(meant(name, wanted), proposed, "{name} {wanted:?}");
        }
    }

    #[test]
    fn logs_that_keep_nothing_are_named() {
        assert!(about_log("p", Channel::Stdout, "", "").contains("p has no log of stdout"));
        assert!(
            about_log("p", Channel::Stderr, "/dev/null", "")
                .ends_with("/dev/null, a device, which keeps nothing that could be shown")
        );
        let missing = about_log("p", Channel::Stdout, "/nowhere/log", "");
        assert_eq!(missing, "the stdout of p goes to /nowhere/log, and there is no such file here");
        let refused = "unknown error making dispatchers for 'p': EACCES (/nowhere/log: Permission denied)";
        let expected = "the stdout of p goes to /nowhere/log, which could not be opened: Permission denied";
        assert_eq!(about_log("p", Channel::Stdout, "/nowhere/log", refused), expected);
        let other = about_log("p", Channel::Stderr, "/nowhere/err", refused);
        assert!(other.ends_with("there is no such file here"), "{other}");
        let below = about_log("p", Channel::Stdout, "/dev/null/log", "");
        assert!(below.ends_with("/dev/null/log, which could not be opened: Not a directory"), "{below}");
    }
}
