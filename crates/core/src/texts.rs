//! The activity log lines about processes. Scripts and users match them, so they are exactly those of the original
//! (`supervisor/process.py`).

use std::fmt::Display;
use std::time::Duration;

use supervisord_config::duration::Shown;
use supervisord_config::pyrepr::repr;
use supervisord_config::signal;

use crate::exit_status::ExitStatus;
use crate::recipients::KillScope;

/// How a process ended, as in the parentheses of several lines.
pub fn termination(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("exit status {code}"),
        ExitStatus::Signal { number, core_dumped } => {
            let core = if core_dumped { " (core dumped)" } else { "" };
            format!("terminated by {}{core}", signal_name(number))
        }
        ExitStatus::Unknown => "exit status unknown".to_owned(),
        ExitStatus::Other(raw) => format!("unknown termination cause 0x{raw:04x}"),
    }
}

/// `SIGTERM`, or `signal 63` for a number without a name.
pub fn signal_name(number: i32) -> String {
    signal::name(number).map_or_else(|| format!("signal {number}"), str::to_owned)
}

pub(crate) fn spawned(name: &str, pid: u32) -> String {
    format!("spawned: {} with pid {pid}", repr(name))
}

pub(crate) fn spawn_error(text: &str) -> String {
    format!("spawnerr: {text}")
}

pub(crate) fn success(name: &str, startsecs: i64) -> String {
    format!("success: {name} entered RUNNING state, process has stayed up for > than {startsecs} seconds (startsecs)")
}

/// The original knows no readiness.
pub(crate) fn ready(name: &str, sign: impl Display, after: Duration) -> String {
    format!("success: {name} entered RUNNING state, it was ready after {} ({sign})", in_seconds(after))
}

/// The original knows no readiness.
pub(crate) fn not_ready(name: &str, failure: impl Display) -> String {
    format!("stopping {name}: {failure}")
}

/// The original knows no readiness.
pub(crate) fn last_chance(name: &str, late: Duration) -> String {
    let late = in_seconds(late);
    format!("the time of {name} to get ready was over {late} ago, when nobody looked; it has a last chance")
}

/// The original knows no notifications.
pub(crate) fn other_main_process(name: &str, pid: u32, other: u32, so_far: u64) -> String {
    format!(
        "{name} (pid {pid}) says that its main process is {other}; pid {pid} goes on to be supervised ({so_far} so far)"
    )
}

pub(crate) fn gave_up(name: &str, reason: impl Display) -> String {
    format!("gave up: {name} entered FATAL state, {reason}")
}

/// The original has no such delays.
pub(crate) fn restart_delayed(name: &str, delay: Duration, failures: u32) -> String {
    let after = match failures {
        0 => String::new(),
        1 => " after a failure".to_owned(),
        failures => format!(" after {failures} failures in a row"),
    };
    format!("delayed: {name} is started again in {}{after}", in_seconds(delay))
}

/// As exact as somebody who reads it needs to know.
pub(crate) fn in_seconds(length: Duration) -> String {
    let tenths = (length.as_millis() + 50) / 100;
    match tenths {
        1..100 if !tenths.is_multiple_of(10) => format!("{}.{}s", tenths / 10, tenths % 10),
        _ => Shown(Duration::from_secs(length.as_secs_f64().round() as u64)).to_string(),
    }
}

/// The original has no limit of this kind.
pub(crate) fn time_is_up(name: &str, runtime: Duration) -> String {
    format!("time is up: {name} has run for {}, and is stopped", in_seconds(runtime))
}

pub(crate) fn recycling(name: &str, runtime: Duration) -> String {
    format!("recycling: {name} has run for {}, and is stopped and started again", in_seconds(runtime))
}

/// The original has no health checks.
pub(crate) fn healthy(name: &str, was_unhealthy: bool) -> String {
    let again = if was_unhealthy { " again" } else { "" };
    format!("healthy: {name} is healthy{again}")
}

/// It is only said to be restarted where it may be.
pub(crate) fn stopping_unhealthy(name: &str, restarts: bool) -> String {
    let verb = if restarts { "restarting" } else { "stopping" };
    format!("{verb} {name}, because it is unhealthy")
}

pub(crate) fn unhealthy(name: &str, reason: &str) -> String {
    format!("unhealthy: {name} ({reason})")
}

pub(crate) fn exited(name: &str, status: ExitStatus, expected: bool) -> String {
    let judgement = if expected { "expected" } else { "not expected" };
    format!("exited: {name} ({}; {judgement})", termination(status))
}

pub(crate) fn stopped(name: &str, status: ExitStatus) -> String {
    format!("stopped: {name} ({})", termination(status))
}

/// A program is told to read its configuration again, by this signal or by a command.
pub fn reloading(name: &str, signal: Option<i32>) -> String {
    match signal {
        Some(signal) => format!("reloading: {name} ({})", signal_name(signal)),
        None => format!("reloading: {name} (reload command)"),
    }
}

pub(crate) fn killing(name: &str, pid: u32, signal: i32, scope: KillScope) -> String {
    let whom = match scope {
        KillScope::Process => "",
        KillScope::Group => "process group ",
        KillScope::Tree => "process tree ",
        KillScope::Cgroup => "cgroup ",
    };
    format!("killing {name} (pid {pid}) {whom}with signal {}", signal_name(signal))
}

/// The original has no stop sequences. `number` is from 1.
pub(crate) fn stop_step(name: &str, number: u32, signal: Option<i32>, wait: Duration) -> String {
    let what = signal.map_or_else(|| "its command".to_owned(), signal_name);
    format!("stopping {name}, step {number} of its sequence: {what}, for {}", in_seconds(wait))
}

pub(crate) fn killing_hard(name: &str, pid: u32) -> String {
    format!("killing {} ({pid}) with SIGKILL", repr(name))
}

pub(crate) fn stopped_waiting(name: &str, for_turn: bool) -> String {
    let what = if for_turn { "its turn to start" } else { "what it depends on" };
    format!("stopped: {name} (while it waited for {what})")
}

pub(crate) fn starts_are_limited(most: usize) -> String {
    format!("{most} at a time are started (max_parallel_starts); others wait for their turn")
}

pub(crate) fn starts_have_caught_up(number: usize, time: Duration) -> String {
    format!("nobody waits for a turn to start any more; {number} had to wait, the last one for {}", in_seconds(time))
}

/// Why a hook, or another command of a program, is a failure.
pub(crate) fn command_failed(command: impl Display, reason: &str) -> String {
    format!("{command} failed ({reason})")
}

pub(crate) fn command_of(name: &str, text: &str) -> String {
    format!("{name}: {text}")
}

pub(crate) fn stopped_in_pre_start(name: &str) -> String {
    format!("stopped: {name} (before it was started)")
}

pub(crate) fn waits(name: &str, what: &str) -> String {
    format!("not yet started: {name} ({what})")
}

pub(crate) fn waits_in_vain(name: &str, what: &str) -> String {
    format!("cannot start: {name} ({what})")
}

pub(crate) fn dependency_failed(verb: &str, name: &str, dependency: &str, failure: &str) -> String {
    format!("{verb} {name}, because {dependency}, on which it depends, {failure}")
}

pub(crate) fn stopped_under(name: &str, dependents: &[String]) -> String {
    format!("stopping {name}, on which others depend that go on: {}", dependents.join(", "))
}

pub(crate) fn circle(name: &str, dependency: &str) -> String {
    format!("{name} does not wait for {dependency}, because they depend on each other")
}

pub(crate) fn stop_in_backoff(name: &str) -> String {
    format!("Attempted to kill {name}, which is in BACKOFF state.")
}

pub(crate) fn kill_too_late(name: &str, pid: u32, reason: &str) -> String {
    format!("unable to signal {name} (pid {pid}), it probably just exited on its own: {reason}")
}

pub(crate) fn signal_too_late(name: &str, pid: u32, reason: &str) -> String {
    format!("unable to signal {name} (pid {pid}), it probably just now exited on its own: {reason}")
}

pub(crate) fn kill_refused(name: &str, pid: u32, reason: &str) -> String {
    format!("unknown problem killing {name} ({pid}):{reason}")
}

pub(crate) fn signal_refused(name: &str, pid: u32, reason: &str) -> String {
    format!("unknown problem sending sig {name} ({pid}):{reason}")
}

pub(crate) fn sending(name: &str, pid: u32, signal: i32) -> String {
    format!("sending {name} (pid {pid}) sig {}", signal_name(signal))
}

pub(crate) fn waiting_to_stop(name: &str) -> String {
    format!("waiting for {name} to stop")
}

pub(crate) fn waiting_to_die(names: &[&str]) -> String {
    format!("waiting for {} to die", names.join(", "))
}

pub(crate) fn reaped_unknown(pid: u32, status: ExitStatus) -> String {
    format!("reaped unknown pid {pid} ({})", termination(status))
}

/// Not of the original, which writes a line for each.
pub(crate) fn reaped_orphans(count: u64) -> String {
    match count {
        1 => "reaped 1 orphaned process".to_owned(),
        count => format!("reaped {count} orphaned processes"),
    }
}
