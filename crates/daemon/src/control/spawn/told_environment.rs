//! What commands have told about the environments of programs that are about to be spawned. It is in memory only, until the child
//! has it or is not made after all.

use std::collections::HashMap;
use std::ffi::OsString;

use supervisord_config::environment_file::{self, BadLine};
use supervisord_config::model::Process;
use supervisord_config::pyrepr::repr;
use supervisord_core::process::{EnvironmentPlan, EnvironmentQuestion};
use supervisord_core::supervisor::{ProcessId, SpawnFailure};

use super::secret_variables;

/// As many bytes are more than a command may write: they wait in its pipe until it has ended.
pub(in crate::control) const MOST_TOLD: usize = 64 << 10;

/// What the commands of one program have told.
#[derive(Default)]
pub(super) struct ToldEnvironment {
    /// None where no command has told any.
    pub(super) variables: Option<Vec<(String, String)>>,
    /// The values of secrets, by the names of their variables.
    pub(super) confidential: Vec<(String, OsString)>,
}

/// That of all programs.
#[derive(Default)]
pub(in crate::control) struct ToldEnvironments(HashMap<ProcessId, ToldEnvironment>);

impl ToldEnvironments {
    /// Takes what a command wrote that has ended. `result` tells how.
    ///
    /// # Errors
    /// Why it has not told what it was asked, without any of what it wrote.
    pub(in crate::control) fn hear(
        &mut self,
        process: ProcessId,
        question: EnvironmentQuestion<'_>,
        result: Result<(), String>,
        written: Vec<u8>,
    ) -> Result<(), String> {
        if written.len() >= MOST_TOLD {
            return Err(format!("it wrote more than {} bytes", MOST_TOLD - 1));
        }
        result?;
        match question {
            EnvironmentQuestion::Variables { .. } => {
                let variables = variables(written)?;
                self.0.entry(process).or_default().variables = Some(variables);
            }
            EnvironmentQuestion::Secret { name, .. } => {
                let value = secret_variables::value(written).map_err(|reason| format!("its output: {reason}"))?;
                let confidential = &mut self.0.entry(process).or_default().confidential;
                confidential.retain(|(known, _)| known != name);
                confidential.push((name.to_owned(), value));
            }
        }
        Ok(())
    }

    /// Forgets what was told about a program that is not spawned now.
    pub(in crate::control) fn forget(&mut self, process: ProcessId) {
        self.0.remove(&process);
    }

    /// What has been told about a program that is being spawned.
    pub(super) fn take(&mut self, id: ProcessId, process: &Process) -> Result<ToldEnvironment, SpawnFailure> {
        let told = self.0.remove(&id).unwrap_or_default();
        let is_told = |question: &EnvironmentQuestion<'_>| match question {
            EnvironmentQuestion::Variables { .. } => told.variables.is_some(),
            EnvironmentQuestion::Secret { name, .. } => told.confidential.iter().any(|(known, _)| known == name),
        };
        match EnvironmentPlan::of(process).questions().find(|question| !is_told(question)) {
            None => Ok(told),
            // It was told to a daemon that has been replaced since. The program is not to blame, and the next start asks again.
            Some(question) => {
                let name = repr(&process.identity.name);
                Err(SpawnFailure::Unanswered(format!(
                    "what the {question} of {name} told was lost with the daemon before"
                )))
            }
        }
    }
}

fn variables(written: Vec<u8>) -> Result<Vec<(String, String)>, String> {
    let text = String::from_utf8(written).map_err(|_| "its output is not UTF-8".to_owned())?;
    environment_file::variables(&text)
        .map_err(|BadLine { line, reason }| format!("line {line} of its output: {reason}"))
}

#[cfg(test)]
mod tests {
    use supervisord_config::samples;
    use supervisord_config::secret::Secret;

    use super::*;

    const ID: ProcessId = ProcessId(1);

    fn hear(told: &mut ToldEnvironments, result: Result<(), String>, written: &[u8]) -> Result<(), String> {
        told.hear(ID, EnvironmentQuestion::Variables { line: "x" }, result, written.to_vec())
    }

    #[test]
    fn a_program_gets_what_was_told_once() {
        let mut process = samples::process("p");
        let mut told = ToldEnvironments::default();
        assert!(told.take(ID, &process).is_ok(), "it asks nobody");
        process.spawn.env_command = Some("x".to_owned());
        assert!(matches!(told.take(ID, &process), Err(SpawnFailure::Unanswered(_))));
        assert_eq!(hear(&mut told, Ok(()), b"A=1\n"), Ok(()));
        let variables = told.take(ID, &process).map(|told| told.variables).ok().flatten();
        assert_eq!(variables, Some(vec![("A".to_owned(), "1".to_owned())]));
        assert!(told.0.is_empty());
        hear(&mut told, Ok(()), b"").unwrap();
        told.forget(ID);
        assert!(told.take(ID, &process).is_err());
    }

    #[test]
    fn a_secret_is_what_its_command_writes_without_the_end_of_the_line() {
        let mut process = samples::process("p");
        process.spawn.secrets =
            ["A=exec:a", "B=exec:b", "C=file:/c"].iter().filter_map(|text| Secret::from_text(text)).collect();
        let mut told = ToldEnvironments::default();
        let mut hear = |name, written: &[u8]| {
            told.hear(ID, EnvironmentQuestion::Secret { name, line: "x" }, Ok(()), written.to_vec())
        };
        hear("A", b"old\n").unwrap();
        hear("A", b"hunter2\n").unwrap();
        assert_eq!(hear("B", b"a\0b").unwrap_err(), "its output: it contains a zero byte, which no variable can");
        let Err(SpawnFailure::Unanswered(text)) = told.take(ID, &process) else { panic!("B is missing") };
        assert!(text.starts_with("what the command of secret B of 'p' told was lost"), "{text}");
        for name in ["A", "B"] {
            told.hear(ID, EnvironmentQuestion::Secret { name, line: "x" }, Ok(()), b"hunter2\n".to_vec()).unwrap();
        }
        let confidential = told.take(ID, &process).map(|told| told.confidential).ok().unwrap();
        assert_eq!(confidential, [("A".to_owned(), "hunter2".into()), ("B".to_owned(), "hunter2".into())]);
    }

    #[test]
    fn what_is_wrong_is_said_without_a_value() {
        let mut told = ToldEnvironments::default();
        let mut refusal = |result, written: &[u8]| hear(&mut told, result, written).unwrap_err();
        let bad = refusal(Ok(()), b"A=1\nhunter2\n");
        assert!(bad.starts_with("line 2 of its output: expected NAME=VALUE") && !bad.contains("hunter2"), "{bad}");
        assert_eq!(refusal(Ok(()), b"A=\xff"), "its output is not UTF-8");
        assert_eq!(refusal(Err("exit status 3".to_owned()), b"A=1\n"), "exit status 3");
        let full = refusal(Err("killed after 30s".to_owned()), &[b'x'; MOST_TOLD]);
        assert_eq!(full, "it wrote more than 65535 bytes");
        assert!(told.0.is_empty());
    }
}
