//! The life of one process as a state machine.
//!
//! ```text
//!            start              alive for startsecs
//!  STOPPED ────────► STARTING ──────────────────────► RUNNING
//!     ▲                │  ▲                            │  │
//!     │        ended   │  │ after the back-off         │  │ ended by itself
//!     │     too quickly▼  │                            │  ▼
//!     ├─────────────  BACKOFF ──► FATAL  (no attempts  │ EXITED ──► STARTING (autorestart)
//!     │  stop                            left)         │
//!     └───────────────────  STOPPING ◄─────────────────┘ stop
//!           ended                │
//!                                └ SIGKILL every stopwaitsecs until it ends
//! ```
//!
//! A machine is driven by [`Stimulus`] and answers with [`Action`]s, in order. It knows no clock and no process table:
//! `Spawn` and `Signal` are carried out elsewhere, and their outcome comes back as a stimulus.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_config::model::{AutoRestart, LogLevel, Process};
use supervisord_wire::state::ProcessState;

pub use crate::exit_status::ExitStatus;
use crate::texts;
use crate::time::{Now, seconds};

/// What can happen to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stimulus {
    /// Somebody, or the daemon's own start, wants it to run.
    Start,
    /// Somebody, or the daemon's shutdown, wants it to stop.
    Stop,
    /// The child exists.
    Spawned(u32),
    /// No child could be made, for this reason.
    SpawnFailed(String),
    /// Whether a child can be made is not known yet, for this reason.
    SpawnUnanswered(String),
    /// The child ended.
    Ended(ExitStatus),
    /// The deadline the machine asked for has come.
    Due,
    /// The signal the machine wanted sent has been.
    SignalSent,
    /// A signal could not be sent although the child exists.
    SignalRefused,
    /// The daemon shuts down: no more attempts.
    GiveUp,
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The state changed; `detail` is what the event of the new state says besides the names and the old state.
    Changed { from: ProcessState, to: ProcessState, detail: String },
    /// A line for the activity log.
    Log(LogLevel, String),
    /// Make the child.
    Spawn,
    /// Send a signal to the child, or to its process group.
    Signal { signal: i32, group: bool },
}

/// A process that ended by itself sooner than this after its start, twice in a row, is not restarted before this
/// time has passed since that start. Without it, a program with `startsecs=0` that ends at once would be restarted
/// thousands of times a second; the original's polling loop limits it to about one.
const RESTART_PACE: Duration = Duration::from_secs(1);

/// How long a start is put off when the system does not say whether it can be.
const PUT_OFF: Duration = Duration::from_secs(5);

/// The machine of one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    state: ProcessState,
    pid: u32,
    /// When the present child was made.
    started: Duration,
    /// When [`Stimulus::Due`] is wanted.
    deadline: Option<Duration>,
    /// Failed attempts in a row.
    attempts: i64,
    /// Ends by itself within [`RESTART_PACE`] in a row.
    quick_ends: u32,
    last_start: i64,
    last_stop: i64,
    spawn_error: String,
    exit_status: Option<i32>,
}

impl Default for Machine {
    fn default() -> Machine {
        Machine {
            state: ProcessState::Stopped,
            pid: 0,
            started: Duration::ZERO,
            deadline: None,
            attempts: 0,
            quick_ends: 0,
            last_start: 0,
            last_stop: 0,
            spawn_error: String::new(),
            exit_status: None,
        }
    }
}

/// How far a process has got, for whoever has to keep it: a [`Machine`] as plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The state.
    pub state: ProcessState,
    /// The child's process id; 0 when there is none.
    pub pid: u32,
    /// When the present child was started, on the monotonic clock.
    pub started: Duration,
    /// When [`Stimulus::Due`] is wanted, on the monotonic clock.
    pub deadline: Option<Duration>,
    /// Failed attempts in a row.
    pub attempts: i64,
    /// Ends by itself, shortly after the start, in a row.
    pub quick_ends: u32,
    /// Seconds since the epoch of the last spawn attempt; 0 for never.
    pub last_start: i64,
    /// Seconds since the epoch of the last end; 0 for never.
    pub last_stop: i64,
    /// Why the last attempt failed; empty when it did not.
    pub spawn_error: String,
    /// The last exit status; -1 after a signal.
    pub exit_status: Option<i32>,
}

impl From<&Machine> for Progress {
    fn from(machine: &Machine) -> Progress {
        let Machine {
            state,
            pid,
            started,
            deadline,
            attempts,
            quick_ends,
            last_start,
            last_stop,
            spawn_error,
            exit_status,
        } = machine.clone();
        Progress {
            state,
            pid,
            started,
            deadline,
            attempts,
            quick_ends,
            last_start,
            last_stop,
            spawn_error,
            exit_status,
        }
    }
}

impl From<Progress> for Machine {
    fn from(progress: Progress) -> Machine {
        let Progress {
            state,
            pid,
            started,
            deadline,
            attempts,
            quick_ends,
            last_start,
            last_stop,
            spawn_error,
            exit_status,
        } = progress;
        Machine { state, pid, started, deadline, attempts, quick_ends, last_start, last_stop, spawn_error, exit_status }
    }
}

/// What a machine needs to know to react.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// The present moment.
    pub now: Now,
    /// When the child died, where that is what happened; its last words may have been read since.
    pub died: Now,
    /// The definition of the process.
    pub config: &'a Process,
    /// Whether processes are (re)started at all: not while the daemon shuts down.
    pub supervising: bool,
}

impl Machine {
    /// The state.
    pub fn state(&self) -> ProcessState {
        self.state
    }

    /// The child's process id; 0 when there is none.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// When [`Stimulus::Due`] is wanted, on the monotonic clock.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Seconds since the epoch of the last spawn attempt; 0 for never.
    pub fn last_start(&self) -> i64 {
        self.last_start
    }

    /// Seconds since the epoch of the last end; 0 for never.
    pub fn last_stop(&self) -> i64 {
        self.last_stop
    }

    /// Why the last attempt failed; empty when it did not.
    pub fn spawn_error(&self) -> &str {
        &self.spawn_error
    }

    /// The last exit status; -1 after a signal.
    pub fn exit_status(&self) -> Option<i32> {
        self.exit_status
    }

    /// Reacts to one stimulus. Whatever does not concern the present state is ignored.
    pub fn handle(&mut self, stimulus: Stimulus, at: Circumstances<'_>) -> Vec<Action> {
        use ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};
        let mut actions = Vec::new();
        let out = &mut actions;
        if stimulus == Stimulus::Due {
            self.deadline = None;
        }
        match (self.state, stimulus) {
            (Stopped | Exited | Fatal, Stimulus::Start) => {
                self.attempts = 0;
                self.spawn(at, out);
            }
            (Backoff | Exited, Stimulus::Due) if at.supervising => self.spawn(at, out),

            (Starting, Stimulus::Spawned(pid)) => self.spawned(pid, at, out),
            (Starting, Stimulus::SpawnFailed(reason)) => {
                out.push(Action::Log(LogLevel::Info, texts::spawn_error(&reason)));
                self.back_off(reason, at, out);
            }
            (Starting, Stimulus::SpawnUnanswered(reason)) => {
                out.push(Action::Log(LogLevel::Info, texts::spawn_error(&reason)));
                self.put_off(reason, at, out);
            }
            (Starting, Stimulus::Due) => self.succeed(at, out),

            (Starting, Stimulus::Ended(status)) if self.is_too_quick(at) => self.ended_too_quickly(status, at, out),
            (Starting, Stimulus::Ended(status)) => {
                self.enter_running(out);
                self.ended(status, at, out);
            }
            (Running, Stimulus::Ended(status)) => self.ended(status, at, out),
            (Stopping, Stimulus::Ended(status)) => self.stopped(status, at, out),
            (Unknown, Stimulus::Ended(status)) => self.ended_unknown(status, at, out),

            (Starting | Running, Stimulus::Stop) => self.stop(at, out),
            (Backoff, Stimulus::Stop) => self.stop_waiting(at, out),
            (Stopping, Stimulus::Due) => self.kill_hard(at, out),
            (Stopping, Stimulus::SignalSent) => self.wait_since_signal(at),

            (Backoff, Stimulus::GiveUp) => self.give_up(out),
            (Exited, Stimulus::GiveUp) => self.deadline = None,
            (Starting | Running | Stopping, Stimulus::SignalRefused) => {
                self.deadline = None;
                self.change(Unknown, String::new(), out);
            }
            _ => {}
        }
        actions
    }

    fn spawn(&mut self, at: Circumstances<'_>, out: &mut Vec<Action>) {
        self.spawn_error.clear();
        self.exit_status = None;
        self.started = at.now.mono;
        self.last_start = at.now.epoch();
        self.deadline = None;
        let tries = format!("tries:{}", self.attempts);
        self.change(ProcessState::Starting, tries, out);
        out.push(Action::Spawn);
    }

    fn spawned(&mut self, pid: u32, at: Circumstances<'_>, out: &mut Vec<Action>) {
        self.pid = pid;
        // Others may have been made since it was decided to make this one.
        self.started = at.now.mono;
        self.last_start = at.now.epoch();
        out.push(Action::Log(LogLevel::Info, texts::spawned(&at.config.name, pid)));
        let wait = seconds(at.config.startsecs);
        if wait.is_zero() {
            self.succeed(at, out);
        } else {
            self.deadline = Some(self.started + wait);
        }
    }

    fn succeed(&mut self, at: Circumstances<'_>, out: &mut Vec<Action>) {
        self.enter_running(out);
        out.push(Action::Log(LogLevel::Info, texts::success(&at.config.name, at.config.startsecs)));
    }

    fn enter_running(&mut self, out: &mut Vec<Action>) {
        self.attempts = 0;
        self.deadline = None;
        let pid = format!("pid:{}", self.pid);
        self.change(ProcessState::Running, pid, out);
    }

    fn is_too_quick(&self, at: Circumstances<'_>) -> bool {
        at.died.mono.saturating_sub(self.started) < seconds(at.config.startsecs)
    }

    fn ended_too_quickly(&mut self, status: ExitStatus, at: Circumstances<'_>, out: &mut Vec<Action>) {
        self.gone(at);
        let line = texts::exited(&at.config.name, status, false);
        self.attempts += 1;
        self.spawn_error = "Exited too quickly (process log may have details)".to_owned();
        self.enter_backoff(at, out);
        out.push(Action::Log(LogLevel::Warn, line));
        self.give_up_if_exhausted(at, out);
    }

    fn back_off(&mut self, reason: String, at: Circumstances<'_>, out: &mut Vec<Action>) {
        self.pid = 0;
        self.attempts += 1;
        self.spawn_error = reason;
        self.enter_backoff(at, out);
        self.give_up_if_exhausted(at, out);
    }

    /// Nothing has failed, so that no attempt is lost.
    fn put_off(&mut self, reason: String, at: Circumstances<'_>, out: &mut Vec<Action>) {
        self.pid = 0;
        self.spawn_error = reason;
        self.wait_in_backoff(PUT_OFF, at, out);
    }

    fn enter_backoff(&mut self, at: Circumstances<'_>, out: &mut Vec<Action>) {
        self.wait_in_backoff(seconds(self.attempts), at, out);
    }

    fn wait_in_backoff(&mut self, wait: Duration, at: Circumstances<'_>, out: &mut Vec<Action>) {
        self.deadline = Some(at.now.mono + wait);
        let tries = format!("tries:{}", self.attempts);
        self.change(ProcessState::Backoff, tries, out);
    }

    fn give_up_if_exhausted(&mut self, at: Circumstances<'_>, out: &mut Vec<Action>) {
        if self.attempts > at.config.startretries {
            self.give_up(out);
            out.push(Action::Log(LogLevel::Info, texts::gave_up(&at.config.name)));
        }
    }

    fn give_up(&mut self, out: &mut Vec<Action>) {
        self.attempts = 0;
        self.deadline = None;
        self.change(ProcessState::Fatal, String::new(), out);
    }

    fn ended(&mut self, status: ExitStatus, at: Circumstances<'_>, out: &mut Vec<Action>) {
        let pid = self.pid;
        self.gone(at);
        let expected = at.config.exitcodes.contains(&status.number());
        self.exit_status = Some(status.number());
        self.deadline = None;
        self.change(ProcessState::Exited, format!("expected:{} pid:{pid}", u8::from(expected)), out);
        if !expected {
            self.spawn_error = format!("Bad exit code {}", status.number());
        }
        let level = if expected { LogLevel::Info } else { LogLevel::Warn };
        out.push(Action::Log(level, texts::exited(&at.config.name, status, expected)));
        self.restart_if_wanted(status, expected, at, out);
    }

    fn restart_if_wanted(&mut self, status: ExitStatus, expected: bool, at: Circumstances<'_>, out: &mut Vec<Action>) {
        let wanted = match at.config.autorestart {
            AutoRestart::Always => true,
            AutoRestart::Never => false,
            AutoRestart::Unexpected => !expected,
        };
        if !wanted || !at.supervising {
            return;
        }
        let lived = at.died.mono.saturating_sub(self.started);
        let by_itself = !matches!(status, ExitStatus::Signal { number: SIGKILL | SIGTERM, .. });
        self.quick_ends = if by_itself && lived < RESTART_PACE { self.quick_ends + 1 } else { 0 };
        if self.quick_ends > 1 {
            self.deadline = Some(self.started + RESTART_PACE);
        } else {
            self.spawn(at, out);
        }
    }

    fn stop(&mut self, at: Circumstances<'_>, out: &mut Vec<Action>) {
        let (signal, group) = (at.config.stopsignal, at.config.stopasgroup);
        out.push(Action::Log(LogLevel::Debug, texts::killing(&at.config.name, self.pid, signal, group)));
        self.deadline = Some(at.now.mono + seconds(at.config.stopwaitsecs));
        let pid = format!("pid:{}", self.pid);
        self.change(ProcessState::Stopping, pid, out);
        out.push(Action::Signal { signal, group });
    }

    /// Others may have been signalled since it was decided to signal this one.
    fn wait_since_signal(&mut self, at: Circumstances<'_>) {
        let waited_for = at.now.mono + seconds(at.config.stopwaitsecs);
        self.deadline = self.deadline.map(|deadline| deadline.max(waited_for));
    }

    fn stop_waiting(&mut self, at: Circumstances<'_>, out: &mut Vec<Action>) {
        out.push(Action::Log(LogLevel::Debug, texts::stop_in_backoff(&at.config.name)));
        self.deadline = None;
        self.change(ProcessState::Stopped, "pid:0".to_owned(), out);
    }

    fn kill_hard(&mut self, at: Circumstances<'_>, out: &mut Vec<Action>) {
        let group = at.config.killasgroup;
        out.push(Action::Log(LogLevel::Warn, texts::killing_hard(&at.config.name, self.pid)));
        out.push(Action::Log(LogLevel::Debug, texts::killing(&at.config.name, self.pid, SIGKILL, group)));
        // At least a second apart, so that a stopwaitsecs of 0 does not become a busy loop.
        self.deadline = Some(at.now.mono + seconds(at.config.stopwaitsecs).max(Duration::from_secs(1)));
        out.push(Action::Signal { signal: SIGKILL, group });
    }

    fn stopped(&mut self, status: ExitStatus, at: Circumstances<'_>, out: &mut Vec<Action>) {
        let pid = self.pid;
        self.gone(at);
        self.exit_status = Some(status.number());
        self.deadline = None;
        self.change(ProcessState::Stopped, format!("pid:{pid}"), out);
        let expected = at.config.exitcodes.contains(&status.number());
        let level = if expected { LogLevel::Info } else { LogLevel::Warn };
        out.push(Action::Log(level, texts::stopped(&at.config.name, status)));
    }

    /// The original aborts here; an end is an end, whatever was unknown before.
    fn ended_unknown(&mut self, status: ExitStatus, at: Circumstances<'_>, out: &mut Vec<Action>) {
        let pid = self.pid;
        self.gone(at);
        self.exit_status = Some(status.number());
        let expected = at.config.exitcodes.contains(&status.number());
        self.change(ProcessState::Exited, format!("expected:{} pid:{pid}", u8::from(expected)), out);
        out.push(Action::Log(LogLevel::Warn, texts::exited(&at.config.name, status, expected)));
    }

    fn gone(&mut self, at: Circumstances<'_>) {
        self.pid = 0;
        self.last_stop = at.died.epoch();
    }

    fn change(&mut self, to: ProcessState, detail: String, out: &mut Vec<Action>) {
        let from = std::mem::replace(&mut self.state, to);
        out.push(Action::Changed { from, to, detail });
    }
}

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

#[cfg(test)]
mod tests;
