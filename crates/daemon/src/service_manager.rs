//! What the daemon tells the service manager that has started it (systemd): that it is ready, reloads, restarts or stops, how
//! many programs run, and that it is alive. Without `NOTIFY_SOCKET` in the environment nothing of this exists.
//!
//! A task of the network plane reads the view, as clients do. It sends a sign of life only after the control plane has
//! woken for it. When the service manager asks for a reload (`Type=notify-reload`), the task has the configuration updated, as
//! a client would, between `RELOADING=1` and `READY=1`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::LogLevel;
use supervisord_core::actor::Actor;
use supervisord_core::process::{HookPlan, ProgramCommand, StopPlan};
use supervisord_core::row::Row;
use supervisord_sys::host;
use supervisord_sys::service_manager_socket::{ServiceManagerSocket, VARIABLE};
use supervisord_wire::state::{Mood, ProcessState};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::activity::Activity;
use crate::api::{Api, UpdateFailure};
use crate::audit::in_words;
use crate::calls::CallFailure;
use crate::clock::present;
use crate::network::PlaneState;
use crate::notifier::Notifier;
use crate::view::View;

/// The variables that are meant for the daemon alone. A program that sent `READY=1` or `STOPPING=1` would speak for the
/// daemon, and the descriptors are not passed on.
const OWN_VARIABLES: [&str; 7] =
    [VARIABLE, "FDSTORE", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// The time between two messages, so that restarts by the hundred do not become messages by the hundred.
const PAUSE: Duration = Duration::from_millis(200);

/// How long to wait before the next attempt to send to one that takes nothing at present.
const AGAIN: Duration = Duration::from_secs(1);

/// How often control is looked at that has been woken and not woken up yet.
const LOOK: Duration = Duration::from_millis(20);

/// What the daemon itself needs to stop, beside its programs.
const OWN_END: Duration = Duration::from_secs(30);

/// How much of the reason for a refused reload the status says, in characters.
const MOST_OF_REASON: usize = 400;

/// The service manager that has started this process.
#[derive(Debug)]
pub struct ServiceManager {
    socket: ServiceManagerSocket,
    /// How often it wants to hear that the daemon is alive.
    life_interval: Option<Duration>,
}

/// What became of the reloads that the service manager has asked for.
#[derive(Default)]
struct Reloads {
    /// How many there were.
    count: u64,
    is_under_way: bool,
    /// Why the last one was refused.
    refused: Option<String>,
}

impl ServiceManager {
    /// The one that these variables name to the process with this id; none where they name none.
    pub fn from_environment(variables: &[(OsString, OsString)], pid: u32) -> Option<io::Result<ServiceManager>> {
        let value = |name| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str());
        let socket = ServiceManagerSocket::open(value(VARIABLE)?);
        let life_interval = life_interval(value("WATCHDOG_USEC"), value("WATCHDOG_PID"), pid);
        Some(socket.map(|socket| ServiceManager { socket, life_interval }))
    }

    /// Tells it how the daemon is, as soon as clients are served, and has the configuration updated when it is requested.
    pub async fn run(
        self,
        view: Arc<View>,
        api: Arc<Api>,
        control: Arc<Notifier>,
        requests: Arc<Notify>,
        mut plane: watch::Receiver<PlaneState>,
    ) {
        if plane.wait_for(|state| *state != PlaneState::Starting).await.is_ok() {
            let (reloads, news) = (RefCell::default(), Notify::new());
            tokio::join!(
                self.report(&view, &reloads, &news, &api.activity),
                self.prove_life(&control),
                self.reload(&view, &api, &reloads, &news, &requests),
            );
        }
    }

    async fn report(&self, view: &View, reloads: &RefCell<Reloads>, news: &Notify, activity: &Activity) {
        let (mut said, mut fails, mut reloaded) = (String::new(), false, 0);
        loop {
            let revision = view.revision();
            let message = message(view.mood(), &view.rows(), &reloads.borrow());
            let count = reloads.borrow().count;
            // A reload that was short is known of by its number alone.
            if message != said || count != reloaded {
                match self.socket.send(&at_present(&message)) {
                    Ok(()) => (said, fails, reloaded) = (message, false, count),
                    Err(error) => {
                        if !mem::replace(&mut fails, true) {
                            activity.log(LogLevel::Warn, &format!("cannot notify the service manager: {error}"));
                        }
                        // One that is busy takes it soon. One that is not there is told of the next change.
                        if error.kind() == ErrorKind::WouldBlock {
                            sleep(AGAIN).await;
                            continue;
                        }
                    }
                }
            }
            tokio::select! {
                () = view.after(revision) => {}
                // Who asked for a reload waits for its end.
                () = news.notified() => continue,
            }
            // The beginning of an end is news at once.
            if view.mood() == Mood::Running {
                sleep(PAUSE).await;
            }
        }
    }

    /// Has the configuration updated as often as it is requested.
    async fn reload(&self, view: &View, api: &Api, reloads: &RefCell<Reloads>, news: &Notify, requests: &Notify) {
        loop {
            requests.notified().await;
            reloads.borrow_mut().is_under_way = true;
            if view.mood() == Mood::Running {
                // It comes before everything else that is told about this reload.
                let begin = message(Mood::Running, &view.rows(), &reloads.borrow());
                while self.socket.send(&at_present(&begin)).is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                    sleep(LOOK).await;
                }
            }
            let updated = api.update_alone(&Actor::service_manager()).await;
            let refused = updated.err().map(in_short);
            if let Some(reason) = &refused {
                api.activity.log(LogLevel::Error, &format!("cannot reload the configuration: {reason}"));
            }
            let mut reloads = reloads.borrow_mut();
            *reloads = Reloads { count: reloads.count + 1, is_under_way: false, refused };
            news.notify_one();
        }
    }

    async fn prove_life(&self, control: &Notifier) {
        let Some(interval) = self.life_interval else { return };
        loop {
            control.notify();
            while control.is_pending() {
                sleep(LOOK).await;
            }
            // One that is lost is one of two.
            let _ = self.socket.send("WATCHDOG=1\n");
            sleep(interval / 2).await;
        }
    }
}

/// Whether this process has been started by a service manager that wants to be told how it is.
pub fn is_there() -> bool {
    host::environment().iter().any(|(name, _)| name == VARIABLE)
}

/// A message with the time that systemd wants of the beginning of a reload.
fn at_present(message: &str) -> String {
    format!("{message}MONOTONIC_USEC={}\n", present().mono.as_micros())
}

/// Why an update was refused.
fn in_short(failure: UpdateFailure) -> String {
    let (group, failure) = match failure {
        // All groups were meant.
        UpdateFailure::UnknownGroup(group) => return format!("no group is named {group}"),
        UpdateFailure::Refused(failure) => (None, failure),
        UpdateFailure::Group(group, failure, _) => (Some(group), failure),
    };
    let reason = match failure {
        CallFailure::Refused(refusal) => refusal.detail.clone().unwrap_or_else(|| in_words(&refusal)),
        CallFailure::Ended => "the daemon ends".to_owned(),
    };
    group.map_or_else(|| reason.clone(), |group| format!("group {group}: {reason}"))
}

/// An environment without what is meant for the daemon alone.
pub fn without_own_variables(environment: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    environment.into_iter().filter(|(name, _)| OWN_VARIABLES.iter().all(|own| name != own)).collect()
}

/// How often a sign of life is expected of this process.
fn life_interval(interval: Option<&OsStr>, expected_of: Option<&OsStr>, pid: u32) -> Option<Duration> {
    let number = |text: &OsStr| text.to_str().and_then(|text| text.parse::<u64>().ok());
    if expected_of.is_some_and(|expected| number(expected) != Some(pid.into())) {
        return None;
    }
    interval.and_then(number).filter(|interval| *interval > 0).map(Duration::from_micros)
}

/// The message, lines of assignments.
fn message(mood: Mood, rows: &[Arc<Row>], reloads: &Reloads) -> String {
    let state = match mood {
        Mood::Running if reloads.is_under_way => {
            // Groups may stop one after the other.
            let all = rows.iter().map(|row| time_to_stop(row)).fold(OWN_END, Duration::saturating_add);
            return format!(
                "RELOADING=1\nEXTEND_TIMEOUT_USEC={}\nSTATUS={}; the configuration is being reloaded\n",
                all.as_micros(),
                summary(rows)
            );
        }
        Mood::Running => {
            let refused = reloads.refused.as_deref().map(|reason| {
                let reason: String = reason.replace(char::is_control, " ").chars().take(MOST_OF_REASON).collect();
                format!("; the last reload was refused: {reason}")
            });
            return format!("READY=1\nSTATUS={}{}\n", summary(rows), refused.unwrap_or_default());
        }
        Mood::Restarting => "RELOADING=1",
        Mood::Shutdown => "STOPPING=1",
    };
    // It is sent again with every program that has stopped. Until the next one, the slowest of them may take its time.
    let stopping = rows.iter().filter(|row| row.pid != 0);
    let longest = stopping.clone().map(|row| time_to_stop(row)).max().unwrap_or_default().saturating_add(OWN_END);
    let left = stopping.count();
    format!(
        "{state}\nEXTEND_TIMEOUT_USEC={}\nSTATUS={left} of {} programs still run\n",
        longest.as_micros(),
        rows.len()
    )
}

/// How long a program may take to stop, its hooks included.
fn time_to_stop(row: &Row) -> Duration {
    let hooks = HookPlan::of(&row.config);
    let stop = StopPlan::of(&row.config).time_until_kill();
    let of_stop = [ProgramCommand::PreStop, ProgramCommand::PostStop].into_iter().filter(|hook| hooks.has(*hook));
    of_stop.fold(stop, |sum, _| sum.saturating_add(hooks.longest_wait()))
}

/// How many programs run, and in which states the others are.
fn summary(rows: &[Arc<Row>]) -> String {
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state() != ProcessState::Running) {
        *others.entry(row.state().name()).or_default() += 1;
    }
    let running = rows.len() - others.values().sum::<usize>();
    let others: String = others.iter().map(|(state, count)| format!(", {count} {state}")).collect();
    format!("{running} of {} programs run{others}", rows.len())
}

#[cfg(test)]
mod tests {
    use supervisord_core::process::ProcessPhase;
    use supervisord_core::samples;

    use super::*;

    fn rows(phases: &[ProcessPhase]) -> Vec<Arc<Row>> {
        let row = |phase: &ProcessPhase| {
            let mut row = samples::row("g", "p");
            (row.phase, row.pid) = (*phase, u32::from(!matches!(phase, ProcessPhase::GivenUp)));
            Arc::new(row)
        };
        phases.iter().map(row).collect()
    }

    #[test]
    fn the_status_says_how_many_programs_run_and_how_the_others_are() {
        assert_eq!(message(Mood::Running, &[], &Reloads::default()), "READY=1\nSTATUS=0 of 0 programs run\n");
        let rows = rows(&[ProcessPhase::Up, ProcessPhase::GivenUp, ProcessPhase::Up, ProcessPhase::GivenUp]);
        assert_eq!(
            message(Mood::Running, &rows, &Reloads::default()),
            "READY=1\nSTATUS=2 of 4 programs run, 2 FATAL\n"
        );
    }

    #[test]
    fn the_end_may_take_as_long_as_the_slowest_program_that_still_runs() {
        let mut rows = rows(&[ProcessPhase::Up, ProcessPhase::Up, ProcessPhase::GivenUp]);
        for (row, stopwaitsecs) in rows.iter_mut().zip([3600, 10, 99_999]) {
            let row = Arc::make_mut(row);
            Arc::make_mut(&mut row.config).stop.stopwaitsecs = stopwaitsecs;
        }
        let said = message(Mood::Shutdown, &rows, &Reloads::default());
        assert_eq!(said, "STOPPING=1\nEXTEND_TIMEOUT_USEC=3630000000\nSTATUS=2 of 3 programs still run\n");
        assert!(message(Mood::Restarting, &rows, &Reloads::default()).starts_with("RELOADING=1\n"));
        Arc::make_mut(&mut Arc::make_mut(&mut rows[0]).config).stop.stopwaitsecs = i64::MAX;
        assert!(message(Mood::Shutdown, &rows, &Reloads::default()).contains("EXTEND_TIMEOUT_USEC="), "it saturates");
    }

    #[test]
    fn a_reload_takes_as_long_as_all_programs_to_stop_and_a_refused_one_says_why() {
        let mut rows = rows(&[ProcessPhase::Up, ProcessPhase::Up]);
        for row in &mut rows {
            Arc::make_mut(&mut Arc::make_mut(row).config).stop.stopwaitsecs = 100;
        }
        let under_way = Reloads { is_under_way: true, ..Reloads::default() };
        let said = message(Mood::Running, &rows, &under_way);
        let status = "STATUS=2 of 2 programs run; the configuration is being reloaded\n";
        assert_eq!(said, format!("RELOADING=1\nEXTEND_TIMEOUT_USEC=230000000\n{status}"));
        assert!(message(Mood::Shutdown, &rows, &under_way).starts_with("STOPPING=1\n"));
        let refused = Reloads { refused: Some(format!("a\nb{}", "x".repeat(1000))), ..Reloads::default() };
        let said = message(Mood::Running, &rows, &refused);
        assert!(said.starts_with("READY=1\nSTATUS=2 of 2 programs run; the last reload was refused: a bxx"), "{said}");
        assert!(said.lines().count() == 2 && said.len() < 500, "{said}");
    }

    #[test]
    fn signs_of_life_are_expected_of_the_process_that_is_named() {
        let text = |text: &'static str| Some(OsStr::new(text));
        assert_eq!(life_interval(text("60000000"), None, 7), Some(Duration::from_secs(60)));
        assert_eq!(life_interval(text("60000000"), text("7"), 7), Some(Duration::from_secs(60)));
        for (interval, pid) in [("60000000", "8"), ("0", "7"), ("soon", "7"), ("60000000", "")] {
            assert_eq!(life_interval(text(interval), text(pid), 7), None, "{interval} {pid}");
        }
        assert_eq!(life_interval(None, None, 7), None);
    }

    #[test]
    fn programs_do_not_get_what_is_meant_for_the_daemon() {
        let given = [("NOTIFY_SOCKET", "/run/notify"), ("PATH", "/bin"), ("LISTEN_FDS", "1"), ("NOTIFY_SOCKETS", "x")];
        let given = given.map(|(name, value)| (name.into(), value.into())).to_vec();
        let names: Vec<OsString> = without_own_variables(given).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["PATH", "NOTIFY_SOCKETS"]);
        assert!(ServiceManager::from_environment(&[], 1).is_none());
    }
}
