//! Which commands have been begun: none is begun twice, or after its deadline.
//!
//! A command is remembered until its deadline, after which it is refused anyway. Deadlines are at most [`FURTHEST`] away, and
//! there are at most [`MAX_REMEMBERED`] commands at a time, so that the memory is bounded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::request::{FleetAnswer, FleetRefusal};

/// How far away a deadline may be, in milliseconds.
pub const FURTHEST: u64 = 10 * 60 * 1000;
/// How many commands are remembered.
pub const MAX_REMEMBERED: usize = 1024;
/// The longest result that is remembered, in bytes of its message.
const MAX_RESULT: usize = 16 << 10;

/// What the journal keeps about commands, a line each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum CommandEntry {
    /// A command is about to be executed.
    Begun {
        /// Its id.
        id: String,
        /// Its deadline, in milliseconds since the epoch.
        deadline: u64,
    },
    /// It has been executed.
    Ended {
        /// Its id.
        id: String,
        /// What was answered.
        answer: FleetAnswer,
    },
}

/// What to do with a command that has come.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandDecision {
    /// Write this down, then execute it.
    Execute(CommandEntry),
    /// Answer this, and execute nothing.
    Answer(FleetAnswer),
}

#[derive(Clone, Debug, PartialEq)]
enum CommandFate {
    /// It is being executed by this agent.
    Running,
    /// An agent that has ended began it.
    InDoubt,
    Ended(FleetAnswer),
}

/// The commands that an agent remembers.
#[derive(Debug, Default)]
pub struct CommandMemory {
    known: BTreeMap<String, (u64, CommandFate)>,
}

impl CommandMemory {
    /// What an agent remembers that has ended.
    pub fn recall(entries: impl IntoIterator<Item = CommandEntry>) -> CommandMemory {
        let mut known = BTreeMap::new();
        for entry in entries {
            match entry {
                CommandEntry::Begun { id, deadline } => drop(known.insert(id, (deadline, CommandFate::InDoubt))),
                CommandEntry::Ended { id, answer } => {
                    if let Some((_, fate)) = known.get_mut(&id) {
                        *fate = CommandFate::Ended(answer);
                    }
                }
            }
        }
        CommandMemory { known }
    }

    /// What is answered about a command that has come before; none about a new one.
    pub fn answer(&self, id: &str) -> Option<FleetAnswer> {
        Some(match &self.known.get(id)?.1 {
            CommandFate::Running => FleetAnswer::refused(FleetRefusal::InProgress, "it is being done"),
            CommandFate::InDoubt => FleetAnswer::refused(
                FleetRefusal::InDoubt,
                "it was begun, and the agent ended before it knew the result: look at the programs",
            ),
            CommandFate::Ended(answer) => answer.clone(),
        })
    }

    /// Decides about a command. `now` is in milliseconds since the epoch, as the deadline is.
    pub fn decide(&mut self, id: &str, deadline: u64, now: u64) -> CommandDecision {
        if let Some(told) = self.answer(id) {
            return CommandDecision::Answer(told);
        }
        if now > deadline {
            let late = (now - deadline) as f64 / 1000.0;
            let told = format!("its deadline has passed {late:.1} s ago by the clock of this host");
            return CommandDecision::Answer(FleetAnswer::refused(FleetRefusal::Expired, told));
        }
        if deadline - now > FURTHEST {
            let told = format!("its deadline is more than {} s away by the clock of this host", FURTHEST / 1000);
            return CommandDecision::Answer(FleetAnswer::refused(FleetRefusal::TooFar, told));
        }
        if self.known.len() >= MAX_REMEMBERED {
            self.known.retain(|_, (deadline, fate)| *deadline >= now || *fate == CommandFate::Running);
            if self.known.len() >= MAX_REMEMBERED {
                let told = format!("{MAX_REMEMBERED} commands have come within {} s", FURTHEST / 1000);
                return CommandDecision::Answer(FleetAnswer::refused(FleetRefusal::Busy, told));
            }
        }
        self.known.insert(id.to_owned(), (deadline, CommandFate::Running));
        CommandDecision::Execute(CommandEntry::Begun { id: id.to_owned(), deadline })
    }

    /// A command that was to be executed could not be written down: it was not begun.
    pub fn forget(&mut self, id: &str) {
        self.known.remove(id);
    }

    /// A command has been executed. Returns what to write down.
    pub fn end(&mut self, id: &str, answer: &FleetAnswer) -> CommandEntry {
        let kept = if answer.message().len() <= MAX_RESULT {
            answer.clone()
        } else {
            let told = "it was done; its result is too long to be told again";
            FleetAnswer::refused(FleetRefusal::Busy, told)
        };
        if let Some((_, fate)) = self.known.get_mut(id) {
            *fate = CommandFate::Ended(kept.clone());
        }
        CommandEntry::Ended { id: id.to_owned(), answer: kept }
    }

    /// What a new journal begins with: the commands whose deadlines have not passed.
    pub fn entries(&mut self, now: u64) -> Vec<CommandEntry> {
        self.known.retain(|_, (deadline, fate)| *deadline >= now || *fate == CommandFate::Running);
        let mut entries = Vec::new();
        for (id, (deadline, fate)) in &self.known {
            entries.push(CommandEntry::Begun { id: id.clone(), deadline: *deadline });
            if let CommandFate::Ended(answer) = fate {
                entries.push(CommandEntry::Ended { id: id.clone(), answer: answer.clone() });
            }
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn done(text: &str) -> FleetAnswer {
        FleetAnswer::Done { result: text.into() }
    }

    fn reason(decision: CommandDecision) -> FleetRefusal {
        match decision {
            CommandDecision::Answer(FleetAnswer::Refused { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_command_is_executed_once_and_its_answer_told_again() {
        let mut memory = CommandMemory::default();
        assert!(matches!(memory.decide("a", 100, 50), CommandDecision::Execute(_)));
        assert_eq!(reason(memory.decide("a", 100, 60)), FleetRefusal::InProgress);
        memory.end("a", &done("x"));
        assert_eq!(memory.decide("a", 100, 99), CommandDecision::Answer(done("x")));
    }

    #[test]
    fn nothing_is_begun_after_its_deadline_or_too_long_before() {
        let mut memory = CommandMemory::default();
        assert_eq!(reason(memory.decide("a", 100, 101)), FleetRefusal::Expired);
        assert_eq!(reason(memory.decide("b", FURTHEST + 101, 100)), FleetRefusal::TooFar);
        assert!(matches!(memory.decide("c", 100, 100), CommandDecision::Execute(_)));
    }

    #[test]
    fn what_a_dead_agent_began_is_in_doubt() {
        let mut memory = CommandMemory::default();
        let CommandDecision::Execute(begun) = memory.decide("a", 100, 50) else { panic!("executed") };
        let CommandDecision::Execute(other) = memory.decide("b", 100, 50) else { panic!("executed") };
        let ended = memory.end("b", &done("y"));
        let mut next = CommandMemory::recall([begun, other, ended]);
        assert_eq!(reason(next.decide("a", 100, 60)), FleetRefusal::InDoubt);
        assert_eq!(next.decide("b", 100, 60), CommandDecision::Answer(done("y")));
    }

    #[test]
    fn memory_is_bounded_and_frees_itself() {
        let mut memory = CommandMemory::default();
        for number in 0..MAX_REMEMBERED {
            assert!(matches!(memory.decide(&number.to_string(), 100, 50), CommandDecision::Execute(_)));
            memory.end(&number.to_string(), &done("x"));
        }
        assert_eq!(reason(memory.decide("more", 100, 50)), FleetRefusal::Busy);
        assert!(matches!(memory.decide("later", 200, 101), CommandDecision::Execute(_)));
        let entry = memory.end("later", &done(&"x".repeat(MAX_RESULT)));
        assert!(matches!(entry, CommandEntry::Ended { answer: FleetAnswer::Refused { .. }, .. }), "{entry:?}");
    }

    proptest! {
        /// Whatever comes in which order, also over restarts: no id is executed twice, none after its deadline.
        #[test]
        fn no_command_is_executed_twice_or_late(steps in proptest::collection::vec((0u8..6, 0u64..2000, any::<bool>(), any::<bool>()), 1..80)) {
            let mut memory = CommandMemory::default();
            let mut journal = Vec::new();
            let mut executed = std::collections::BTreeSet::new();
            let mut now = 0;
            for (id, wait, ends, restarts) in steps {
                now += wait;
                // A client gives one id one deadline.
                let (id, deadline) = (id.to_string(), 1000 + u64::from(id) * 1500);
                if let CommandDecision::Execute(entry) = memory.decide(&id, deadline, now) {
                    prop_assert!(now <= deadline);
                    prop_assert!(executed.insert(id.clone()), "{} twice", id);
                    journal.push(entry);
                    if ends {
                        journal.push(memory.end(&id, &done("x")));
                    }
                }
                if restarts {
                    memory = CommandMemory::recall(journal.clone());
                    journal = memory.entries(now);
                }
            }
        }
    }
}
