//! What can be done about a process that cannot be started, or does not stay up.

use supervisord_wire::state::ProcessState;

use super::outlook::{Outlook, RestReason};
use crate::process::{EndJudgement, ExitStatus, LastEnd, ProcessPhase, ProgramCommand, option_at_fault};
use crate::row::Row;

/// The signal by which the kernel frees memory.
const SIGKILL: i32 = 9;

/// The exit status of a child that could not become its program, and of shells that do not find a command.
const NOT_FOUND: i32 = 127;

/// What begins a line that a child writes which cannot become its program.
const CHILD_FAILURE: &str = "supervisor: couldn't ";

/// What can be done; empty where nothing is wrong, or nothing is known.
pub(super) fn advice(row: &Row) -> Vec<String> {
    let mut advice = Vec::new();
    match row.state() {
        ProcessState::Fatal | ProcessState::Backoff | ProcessState::Exited => {
            advice.extend(about_failed_spawn(&row.spawnerr));
            advice.extend(row.last_end.as_deref().and_then(|end| about_end(end, row)));
        }
        ProcessState::Starting
        | ProcessState::Running
        | ProcessState::Stopped
        | ProcessState::Stopping
        | ProcessState::Unknown => {}
    }
    if matches!(Outlook::of(row), Outlook::Rests(RestReason::Disabled)) {
        advice.push(format!("let it be started again: supervisorctl enable {}", row.namespec()));
        return advice;
    }
    let is_given_up = row.phase == ProcessPhase::GivenUp && row.next_start.is_none();
    if is_given_up || matches!(Outlook::of(row), Outlook::Rests(RestReason::StoppedByDaemon)) {
        advice.push(format!("fix the cause, then start it: supervisorctl start {}", row.namespec()));
    }
    advice
}

/// About a program of which no process could be made: the texts are those of the original.
fn about_failed_spawn(error: &str) -> Option<String> {
    // The commands that run before it fail in the same ways.
    let hook = ProgramCommand::PreStart;
    let option = match error.starts_with(hook.name()) {
        true => hook.word().replace('-', "_"),
        false => option_at_fault(error).unwrap_or_else(|| "command".to_owned()),
    };
    if let Some((_, name)) = error.split_once("can't find command ") {
        let (name, hint) = name.split_once(" (").unwrap_or((name, ""));
        let name = name.trim_end_matches(')').trim_matches(['\'', '"']);
        if hint.contains("runs no shell") {
            return Some(format!(
                "it is written for a shell: write /bin/sh -c and the whole of it in quotes in `{option}`"
            ));
        }
        return Some(match name.contains('/') {
            true => format!("{name} does not exist: install it, or correct the path in `{option}`"),
            false => format!("{name} is in no directory of PATH: install it, or write its absolute path in `{option}`"),
        });
    }
    if error.contains("unknown error making dispatchers") && error.contains(": ELOOP") {
        return Some(
            "links are followed to a log only where nobody else could have put them there: name the file itself in \
             `stdout_logfile` or `stderr_logfile`"
                .to_owned(),
        );
    }
    const KNOWN: [(&str, &str); 8] = [
        ("is not executable", "allow its execution with chmod +x, or write its interpreter before it in `OPTION`"),
        ("is a directory", "write the path of a program in `OPTION`, not of a directory"),
        ("no permission to run command", "let the user of the daemon read and execute it and enter its directories"),
        ("can't parse command", "close the quotes in `OPTION`"),
        ("command is empty", "write a program in `OPTION`"),
        ("too many open files", "allow the daemon more open files: see `minfds`"),
        (
            "unknown error making dispatchers",
            "see that the directory of its log exists and that the daemon may write there",
        ),
        ("Too many processes in process table", "allow the user more processes: see `minprocs` and ulimit -u"),
    ];
    let (_, text) = KNOWN.into_iter().find(|(part, _)| error.contains(part))?;
    Some(text.replace("OPTION", &option))
}

fn about_end(end: &LastEnd, row: &Row) -> Option<String> {
    if !end.judgement.is_failure() {
        return None;
    }
    let startsecs = row.config.start.startsecs;
    match end.status {
        ExitStatus::Code(NOT_FOUND) => about_child_failure(&end.traces.output).or_else(|| {
            Some("a shell ends with status 127 where it does not find a command: write absolute paths".to_owned())
        }),
        ExitStatus::Code(126) => Some("a shell ends with status 126 where it may not execute a command".to_owned()),
        ExitStatus::Code(0) if end.judgement == EndJudgement::TooQuick => Some(format!(
            "it ended by itself without an error before startsecs={startsecs} had passed: keep the program in the foreground \
             (no daemon mode, no &); if it does its work and ends, write startsecs=0 and autorestart=false"
        )),
        ExitStatus::Signal { number: SIGKILL, .. }
            if end.traces.kills.is_some_and(|kills| kills.in_cgroup.or(kills.on_machine) > Some(0)) =>
        {
            Some("let it use less memory, or give the machine or the control group (the container) more".to_owned())
        }
        ExitStatus::Code(_) | ExitStatus::Signal { .. } | ExitStatus::Other(_) | ExitStatus::Unknown => None,
    }
}

/// About a child that could not become its program, by what it wrote.
fn about_child_failure(output: &str) -> Option<String> {
    let failure = output.lines().find_map(|line| line.strip_prefix(CHILD_FAILURE))?;
    let (what, error) = failure.rsplit_once(": ")?;
    let text = match (what.split_once(' ')?, error) {
        (("exec", file), "ENOENT") => {
            format!("{file} does not exist, or the interpreter in its first line (#!) does not")
        }
        (("exec", file), "EACCES") => format!(
            "{file} may not be executed: see its permissions, those of its interpreter and of its directories for the user \
             of the program, and whether the file system is mounted noexec"
        ),
        (("exec", file), "ENOEXEC") => {
            format!("{file} is no program of this machine: a script needs a first line such as #!/bin/sh")
        }
        (("chdir", place), error) => {
            let place = place.strip_prefix("to ").unwrap_or(place);
            match error {
                "ENOENT" => format!("the directory {place} does not exist: make it, or change `directory`"),
                "EACCES" => {
                    format!("the user of the program may not enter {place}: see its permissions, or change `directory`")
                }
                _ => format!("the directory {place} cannot be entered ({error}): see `directory`"),
            }
        }
        (("set", wanted), _) if wanted.starts_with("nice to ") => format!(
            "the user of the daemon may not raise the priority of a program (see `nice`): only root may, or who has CAP_SYS_NICE \
             or enough of ulimit -e; {} is too low for it",
            wanted.replacen(" to ", "=", 1)
        ),
        (("setuid", _), _) => {
            "it cannot become its user: only a daemon that runs as root can start programs as another user; see `user`"
                .to_owned()
        }
        _ => return None,
    };
    Some(text)
}
