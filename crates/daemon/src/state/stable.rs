//! The part of the state that every version keeps as it is: who the children are.
//!
//! The first line is a [`Writer`](super::Writer). Of the lines after it, those that are an object with the one key `process` have
//! in it `group`, `name` and, while the process has a child, `run` with `run`, `pid`, `started` and `exact`, as in [`Run`]; and
//! `commands`, a list of objects of which each has such a `run` while a command runs beside the program of the process. The last
//! line about a process counts. So a program can name, and stop, what another release has left running, whatever else the
//! state of that release says.

use serde::Deserialize;

use super::run::Run;

/// What a line says of a process.
#[derive(Debug, PartialEq, Deserialize)]
pub struct StableProcess {
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Its child; none when it has none.
    #[serde(default)]
    pub run: Option<Run>,
    /// Its commands that run beside its program.
    #[serde(default)]
    pub commands: Vec<StableCommand>,
}

/// What a line says of a command that runs beside the program of a process.
#[derive(Debug, PartialEq, Deserialize)]
pub struct StableCommand {
    /// Its child; none when it has none.
    #[serde(default)]
    pub run: Option<Run>,
}

/// The process that a line tells of; none where it tells of something else.
pub fn process(line: &[u8]) -> Option<StableProcess> {
    #[derive(Deserialize)]
    struct Line {
        process: StableProcess,
    }
    serde_json::from_slice(line).ok().map(|line: Line| line.process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_recognized_whatever_else_a_line_says() {
        let line =
            r#"{"process":{"group":"g","name":"p","mood":{},"run":{"run":2,"pid":8,"started":80,"cgroup":"x"}}}"#;
        let run = Some(Run { run: 2, pid: 8, started: 80, exact: true, ..Run::default() });
        assert_eq!(
            process(line.as_bytes()),
            Some(StableProcess { group: "g".into(), name: "p".into(), run, commands: vec![] })
        );
        let line = r#"{"process":{"group":"g","name":"p","state":[]}}"#;
        assert_eq!(
            process(line.as_bytes()),
            Some(StableProcess { group: "g".into(), name: "p".into(), run: None, commands: vec![] })
        );
        let line = r#"{"process":{"group":"g","name":"p","commands":[{"command":"x","run":{"run":3,"pid":9}},{}]}}"#;
        let run = Some(Run { run: 3, pid: 9, exact: true, ..Run::default() });
        let commands = vec![StableCommand { run }, StableCommand { run: None }];
        assert_eq!(process(line.as_bytes()).map(|process| process.commands), Some(commands));
        for line in [r#"{"probe":{"group":"g","name":"p"}}"#, r#"{"process":{"group":"g"}}"#, "no line", ""] {
            assert_eq!(process(line.as_bytes()), None, "{line}");
        }
    }
}
