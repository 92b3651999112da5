//! What is left of the process group of a program after its stop is named in the log. Whoever has left the group is not known.

use std::collections::VecDeque;
use std::time::Duration;

use supervisord_sys::{Pid, process_group};

use super::children::names;

/// How long those may take to end that were signalled together with the program.
const PATIENCE: Duration = Duration::from_secs(1);

/// The groups of programs that have been stopped, and of which somebody was left. They all wait for the same time.
#[derive(Default)]
pub(super) struct Survivors(VecDeque<StoppedGroup>);

struct StoppedGroup {
    leader: Pid,
    name: String,
    /// Whether the first signal went to all of them.
    is_asked_to_end: bool,
    look_at: Duration,
}

impl Survivors {
    /// The program of this name has exited in a stop. If somebody of its process group is left, that one is named soon.
    pub(super) fn add(&mut self, leader: Pid, name: &str, is_asked_to_end: bool, now: Duration) {
        if process_group::has_members(leader) {
            self.0.push_back(StoppedGroup { leader, name: name.to_owned(), is_asked_to_end, look_at: now + PATIENCE });
        }
    }

    /// When somebody is looked for.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.0.front().map(|group| group.look_at)
    }

    /// A line for each group whose members have had the time to end.
    pub(super) fn take_due(&mut self, now: Duration) -> Vec<String> {
        let due = self.0.iter().take_while(|group| group.look_at <= now).count();
        lines(&self.0.drain(..due).collect::<Vec<_>>())
    }

    /// At the end of the daemon, or before another program goes on: a line for each group whose members nobody has asked to end.
    pub(super) fn take_unasked(&mut self) -> Vec<String> {
        let left = std::mem::take(&mut self.0).into_iter().filter(|group| !group.is_asked_to_end);
        lines(&left.collect::<Vec<_>>())
    }
}

fn lines(groups: &[StoppedGroup]) -> Vec<String> {
    let leaders = groups.iter().map(|group| group.leader).filter(|leader| process_group::has_members(*leader));
    let leaders: Vec<Pid> = leaders.collect();
    if leaders.is_empty() {
        return Vec::new();
    }
    let living = process_group::living(&leaders);
    let line = |StoppedGroup { leader, name, .. }: &StoppedGroup| {
        Some(format!("processes of the group of {name} outlive its stop: {}", names(living.get(leader)?)))
    };
    groups.iter().filter_map(line).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn at_the_end_only_those_are_named_that_nobody_asked_to_end() {
        // It leaves a process that ends with its input.
        let mut program = Command::new("sh");
        program.args(["-c", "{ cat <&3 >/dev/null & } 3<&0"]).stdin(Stdio::piped()).process_group(0);
        let mut child = program.spawn().unwrap();
        let leader = Pid::new(child.id()).unwrap();
        let input = child.stdin.take();
        child.wait().unwrap();

        let mut survivors = Survivors::default();
        survivors.add(leader, "asked", true, Duration::ZERO);
        survivors.add(leader, "web", false, Duration::ZERO);
        assert_eq!(survivors.deadline(), Some(PATIENCE));
        let lines = survivors.take_unasked();
        assert!(matches!(&lines[..], [line] if line.starts_with("processes of the group of web outlive")), "{lines:?}");
        assert_eq!((survivors.deadline(), survivors.take_due(PATIENCE)), (None, Vec::new()));
        drop(input);
    }
}
