//! Stop sequences as they are written: `exec:/bin/drain:30s, TERM:10s, INT:5s, KILL`.

use std::fmt;
use std::time::Duration;

use crate::complaint::Complaint;
use crate::convert;
use crate::duration;
use crate::model::{StopAction, StopStep, StopSteps};
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::signal;

/// How long a signal without a duration waits: as long as `stopwaitsecs` by default.
const USUAL_WAIT: Duration = Duration::from_secs(10);

const SIGKILL: i32 = 9;

impl StopSteps {
    /// The steps of a text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<StopSteps, Complaint> {
        let steps: Vec<StopStep> = items(text).into_iter().map(step).collect::<Result<_, _>>()?;
        let Some((_, before)) = steps.split_last() else {
            return Err(Complaint::quoting("not a valid stop sequence: ", repr(text), ""));
        };
        if before.iter().any(|step| step.action == StopAction::Signal(SIGKILL)) {
            let complaint = Complaint::quoting("not a valid stop sequence: ", repr(text), "");
            return Err(complaint.advise("nothing survives KILL, so write it last".to_owned()));
        }
        Ok(StopSteps(steps))
    }
}

/// The items between commas, but for those within quotes, which may stand in a command.
fn items(text: &str) -> Vec<&str> {
    let mut quote = None;
    let is_comma = move |letter: char| {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            _ => {}
        }
        letter == ',' && quote.is_none()
    };
    if strip(text).is_empty() { Vec::new() } else { text.split(is_comma).map(strip).collect() }
}

fn step(item: &str) -> Result<StopStep, Complaint> {
    let (name, rest) = item.split_once(':').map_or((item, None), |(name, rest)| (name, Some(rest)));
    if name.trim().eq_ignore_ascii_case("exec") {
        return command(item, rest.unwrap_or_default());
    }
    let signal = signal::parse_stop_signal(name)?;
    let wait = rest.map_or(Ok(USUAL_WAIT), duration::parse)?;
    Ok(StopStep { action: StopAction::Signal(signal), wait })
}

/// `COMMAND:DURATION`. The duration has a unit, because what is behind the last colon of a command may be a port.
fn command(item: &str, text: &str) -> Result<StopStep, Complaint> {
    let timed = text.rsplit_once(':').filter(|(_, time)| time.trim().ends_with(|letter: char| letter.is_alphabetic()));
    let timed = timed.and_then(|(command, time)| Some((command, duration::parse(time).ok()?)));
    let Some((command, wait)) = timed.filter(|(_, wait)| !wait.is_zero()) else {
        let complaint = Complaint::quoting("a command without a time in a stop sequence: ", repr(item), "");
        let advice = "write the time that the step may take, with its unit, behind the command: exec:/bin/drain:30s";
        return Err(complaint.advise(advice.to_owned()));
    };
    let line = convert::command(strip(command))?;
    Ok(StopStep { action: StopAction::Exec(line), wait })
}

/// As it may be written.
impl fmt::Display for StopSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, StopStep { action, wait }) in self.0.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { ", " })?;
            match action {
                StopAction::Exec(command) => write!(f, "exec:{command}")?,
                StopAction::Signal(signal) => match signal::name(*signal).and_then(|name| name.strip_prefix("SIG")) {
                    Some(name) => f.write_str(name)?,
                    None => write!(f, "{signal}")?,
                },
            }
            write!(f, ":{}", duration::Shown(*wait))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_a_signal_and_a_duration() {
        let seconds = |signal, wait| StopStep { action: StopAction::Signal(signal), wait: Duration::from_secs(wait) };
        let run =
            |line: &str, wait| StopStep { action: StopAction::Exec(line.to_owned()), wait: Duration::from_secs(wait) };
        for (text, steps, shown) in [
            (
                "TERM:10s, INT:5s, KILL",
                vec![seconds(15, 10), seconds(2, 5), seconds(9, 10)],
                "TERM:10s, INT:5s, KILL:10s",
            ),
            ("sigquit : 1min", vec![seconds(3, 60)], "QUIT:1min"),
            ("1,KILL:2", vec![seconds(1, 10), seconds(9, 2)], "HUP:10s, KILL:2s"),
            ("kill", vec![seconds(9, 10)], "KILL:10s"),
            (
                "exec: /bin/drain --now :30s, TERM:10s",
                vec![run("/bin/drain --now", 30), seconds(15, 10)],
                "exec:/bin/drain --now:30s, TERM:10s",
            ),
            (
                "EXEC:sh -c 'a, b; curl http://localhost:80/':2min",
                vec![run("sh -c 'a, b; curl http://localhost:80/'", 120)],
                "exec:sh -c 'a, b; curl http://localhost:80/':2min",
            ),
            ("TERM:0, 9:0", vec![seconds(15, 0), seconds(9, 0)], "TERM:0s, KILL:0s"),
        ] {
            let read = StopSteps::parse(text).unwrap();
            assert_eq!(read, StopSteps(steps), "{text}");
            assert_eq!(read.to_string(), shown);
            assert_eq!(StopSteps::parse(shown).unwrap(), read);
        }
    }

    #[test]
    fn what_stops_nothing_is_refused() {
        for (text, expected) in [
            ("", "not a valid stop sequence: ''"),
            ("TERM, , KILL", "value '' is not a valid signal name"),
            ("TREM:10s", "value 'TREM' is not a valid signal name"),
            ("0:10s", "value '0' is not a valid signal number"),
            ("TERM:soon", "not a valid duration: 'soon'"),
            ("TERM:", "not a valid duration: ''"),
            ("KILL:1s, TERM", "not a valid stop sequence: 'KILL:1s, TERM'"),
            ("exec:/bin/drain, KILL", "a command without a time in a stop sequence: 'exec:/bin/drain'"),
            (
                "exec:curl http://localhost:8080",
                "a command without a time in a stop sequence: 'exec:curl http://localhost:8080'",
            ),
            ("exec:/bin/drain:0s", "a command without a time in a stop sequence: 'exec:/bin/drain:0s'"),
            ("exec::5s", "not a valid command: '' has no program"),
            ("exec:'/bin/drain:5s", "not a valid command: \"'/bin/drain\" (No closing quotation)"),
        ] {
            assert_eq!(StopSteps::parse(text).unwrap_err().to_string(), expected);
        }
    }
}
