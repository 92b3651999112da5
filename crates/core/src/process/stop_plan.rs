//! How a program is stopped.

use std::time::Duration;

use supervisord_config::model::{self, Process, StopAction, StopScope, StopSteps};

use super::program_command::CommandPlan;
use crate::recipients::KillScope;
use crate::time::seconds;

/// The signals and commands that stop a program, in order, until it has exited. The last one is SIGKILL, and is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopPlan {
    /// The steps before the last one.
    asking: Vec<StopMeasure>,
    /// The last step.
    killing: StopSignal,
    /// Whether the steps are those of a stop sequence.
    is_sequence: bool,
}

/// A step of a [`StopPlan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopMeasure {
    /// A signal is sent.
    Signal(StopSignal),
    /// A command is run.
    Command {
        /// The command line.
        line: String,
        /// How long the command may take, and how long to wait for the exit before the next step.
        wait: Duration,
    },
}

impl StopMeasure {
    /// How long to wait for the exit before the next step.
    pub fn wait(&self) -> Duration {
        match self {
            StopMeasure::Signal(StopSignal { wait, .. }) | StopMeasure::Command { wait, .. } => *wait,
        }
    }
}

/// A signal of a [`StopPlan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopSignal {
    /// The signal to send.
    pub signal: i32,
    /// The recipients.
    pub scope: KillScope,
    /// How long to wait for the exit before the next step.
    pub wait: Duration,
}

/// The shortest time between two SIGKILLs, so that `stopwaitsecs=0` does not cause a busy loop.
const MIN_KILL_INTERVAL: Duration = Duration::from_secs(1);

impl StopPlan {
    /// The plan of a program: its stop sequence, which SIGKILL ends even where it is not written; without one the stop
    /// signals, then SIGKILL, `stopwaitsecs` apart.
    pub fn of(config: &Process) -> StopPlan {
        let stop = &config.stop;
        let (asking, wait) = match &stop.stop_sequence {
            Some(StopSteps(steps)) => match steps.split_last() {
                Some((kill, asking)) if kill.action == StopAction::Signal(SIGKILL) => (asking.to_vec(), kill.wait),
                Some((last, _)) => (steps.clone(), last.wait),
                None => (Vec::new(), Duration::ZERO),
            },
            None => {
                let wait = seconds(stop.stopwaitsecs);
                let signals = [stop.stopsignal.first].into_iter().chain(stop.stopsignal.more.iter().copied());
                (signals.map(|signal| model::StopStep { action: StopAction::Signal(signal), wait }).collect(), wait)
            }
        };
        let ask = |model::StopStep { action, wait }| match action {
            StopAction::Signal(signal) => {
                StopMeasure::Signal(StopSignal { signal, scope: scope(stop, stop.stopasgroup), wait })
            }
            StopAction::Exec(line) => StopMeasure::Command { line, wait },
        };
        StopPlan {
            asking: asking.into_iter().map(ask).collect(),
            killing: StopSignal {
                signal: SIGKILL,
                scope: scope(stop, stop.killasgroup),
                wait: wait.max(MIN_KILL_INTERVAL),
            },
            is_sequence: stop.stop_sequence.is_some(),
        }
    }

    /// Whether its steps are those of a stop sequence.
    pub fn is_sequence(&self) -> bool {
        self.is_sequence
    }

    /// The time from the first step to the first SIGKILL.
    pub fn time_until_kill(&self) -> Duration {
        self.asking.iter().fold(Duration::ZERO, |sum, step| sum.saturating_add(step.wait()))
    }

    /// Whether no signal is sent at once, because a command is run first.
    pub fn begins_with_command(&self) -> bool {
        matches!(self.asking.first(), Some(StopMeasure::Command { .. }))
    }

    /// Whether the first signal goes to more than the program itself.
    pub fn begins_with_group(&self) -> bool {
        matches!(self.step(0), StopMeasure::Signal(StopSignal { scope, .. }) if scope != KillScope::Process)
    }

    /// Whether the descendants of the program must be known.
    pub fn reaches_tree(&self) -> bool {
        match self.killing.scope {
            KillScope::Process | KillScope::Group => false,
            // Where there is no cgroup, the tree takes its place.
            KillScope::Tree | KillScope::Cgroup => true,
        }
    }

    /// Whether the program is to have a cgroup of its own.
    pub fn reaches_cgroup(&self) -> bool {
        self.killing.scope == KillScope::Cgroup
    }

    /// The step with this number, from 0.
    pub fn step(&self, number: u32) -> StopMeasure {
        self.asking.get(number as usize).cloned().unwrap_or(StopMeasure::Signal(self.killing))
    }

    /// How the command of the step with this number is to be run; none where the step has none. `pid` is that of the program.
    pub fn command(&self, number: u32, pid: u32) -> Option<CommandPlan> {
        match self.step(number) {
            StopMeasure::Command { line, wait } => {
                Some(CommandPlan { line, environment: CommandPlan::about_program(pid), timeout: wait })
            }
            StopMeasure::Signal(_) => None,
        }
    }

    /// The number of the step that follows this one.
    pub fn after(&self, number: u32) -> u32 {
        // The number may come from an earlier configuration.
        number.saturating_add(1).min(self.asking.len() as u32)
    }
}

fn scope(stop: &model::Stop, as_group: bool) -> KillScope {
    match (stop.kill_scope, as_group) {
        (Some(StopScope::Cgroup), _) => KillScope::Cgroup,
        (Some(StopScope::Tree), _) => KillScope::Tree,
        (Some(StopScope::Group), _) | (None, true) => KillScope::Group,
        (Some(StopScope::Process), _) | (None, false) => KillScope::Process,
    }
}

pub(super) const SIGKILL: i32 = 9;

#[cfg(test)]
mod tests {
    use supervisord_config::samples;

    use super::*;

    /// The step with this number, which is a signal.
    fn signal_of(plan: &StopPlan, number: u32) -> StopSignal {
        match plan.step(number) {
            StopMeasure::Signal(signal) => signal,
            other => panic!("{other:?}"),
        }
    }

    fn plan(vary: impl FnOnce(&mut Process)) -> StopPlan {
        let mut config = samples::process("p");
        vary(&mut config);
        StopPlan::of(&config)
    }

    #[test]
    fn the_stop_signal_is_followed_by_sigkill_for_ever() {
        let plan = plan(|config| {
            (config.stop.stopsignal, config.stop.stopwaitsecs) = (2.into(), 5);
            config.stop.stopasgroup = true;
        });
        let wait = Duration::from_secs(5);
        let kill = StopSignal { signal: 9, scope: KillScope::Process, wait };
        assert_eq!(plan.time_until_kill(), wait);
        assert_eq!(signal_of(&plan, 0), StopSignal { signal: 2, scope: KillScope::Group, wait });
        assert_eq!([signal_of(&plan, 1), signal_of(&plan, 2), signal_of(&plan, u32::MAX)], [kill; 3]);
        assert_eq!([plan.after(0), plan.after(1), plan.after(u32::MAX)], [1, 1, 1]);
    }

    #[test]
    fn without_a_time_to_stop_sigkill_follows_at_once_and_is_repeated_every_second() {
        for stopwaitsecs in [0, -1] {
            let plan = plan(|config| config.stop.stopwaitsecs = stopwaitsecs);
            assert_eq!([signal_of(&plan, 0).wait, signal_of(&plan, 1).wait], [Duration::ZERO, Duration::from_secs(1)]);
        }
    }

    #[test]
    fn several_stop_signals_are_sent_one_after_the_other() {
        let plan = plan(|config| {
            config.stop.stopsignal.more = vec![2, 3];
            config.stop.stopwaitsecs = 4;
        });
        let sent =
            [0, 1, 2, 3, 4].map(|number| (signal_of(&plan, number).signal, signal_of(&plan, number).wait.as_secs()));
        assert_eq!(sent, [(15, 4), (2, 4), (3, 4), (9, 4), (9, 4)]);
        assert_eq!([plan.after(0), plan.after(2), plan.after(3)], [1, 3, 3]);
    }

    #[test]
    fn a_stop_sequence_is_followed_and_ends_with_sigkill() {
        for (text, expected) in [
            ("HUP:3s, INT:500ms, KILL:7s", vec![(1, 3000), (2, 500), (9, 7000), (9, 7000)]),
            ("HUP:3s", vec![(1, 3000), (9, 3000), (9, 3000)]),
            ("HUP:0", vec![(1, 0), (9, 1000)]),
            ("KILL:0", vec![(9, 1000), (9, 1000)]),
        ] {
            let plan = plan(|config| {
                config.stop.stop_sequence = Some(StopSteps::parse(text).unwrap());
                config.stop.stopasgroup = true;
            });
            for (number, (signal, millis)) in (0..).zip(expected) {
                let scope = if signal == 9 { KillScope::Process } else { KillScope::Group };
                let expected = StopSignal { signal, scope, wait: Duration::from_millis(millis) };
                assert_eq!(signal_of(&plan, number), expected, "{text} {number}");
            }
        }
    }

    #[test]
    fn a_command_is_a_step_that_is_told_of_the_program() {
        let plan = plan(|config| {
            config.stop.stop_sequence = Some(StopSteps::parse("exec:/bin/drain:30s, TERM:5s").unwrap());
        });
        assert!(plan.begins_with_command());
        assert_eq!(plan.time_until_kill(), Duration::from_secs(35));
        let command = plan.command(0, 7).unwrap();
        assert_eq!((command.line.as_str(), command.timeout), ("/bin/drain", Duration::from_secs(30)));
        assert_eq!(command.environment, [("MAINPID".to_owned(), "7".to_owned())]);
        assert_eq!((plan.command(1, 7), plan.command(9, 7)), (None, None));
        assert_eq!([signal_of(&plan, 1).signal, signal_of(&plan, 2).signal], [15, 9]);
    }

    #[test]
    fn a_scope_is_that_of_all_steps() {
        for (written, expected) in [
            (StopScope::Process, KillScope::Process),
            (StopScope::Group, KillScope::Group),
            (StopScope::Tree, KillScope::Tree),
            (StopScope::Cgroup, KillScope::Cgroup),
        ] {
            let plan = plan(|config| config.stop.kill_scope = Some(written));
            assert_eq!([signal_of(&plan, 0).scope, signal_of(&plan, 1).scope], [expected; 2]);
            assert_eq!(plan.reaches_tree(), matches!(written, StopScope::Tree | StopScope::Cgroup));
            assert_eq!(plan.reaches_cgroup(), written == StopScope::Cgroup);
        }
    }

    #[test]
    fn each_step_has_its_own_scope() {
        let plan = plan(|config| config.stop.killasgroup = true);
        assert_eq!([signal_of(&plan, 0).scope, signal_of(&plan, 1).scope], [KillScope::Process, KillScope::Group]);
    }
}
