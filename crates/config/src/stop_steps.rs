//! Stop sequences as they are written: `TERM:10s, INT:5s, KILL`.

use std::fmt;
use std::time::Duration;

use crate::complaint::Complaint;
use crate::convert::strings;
use crate::duration;
use crate::model::{StopStep, StopSteps};
use crate::pyrepr::repr;
use crate::signal;

/// How long a step without a duration waits: as long as `stopwaitsecs` by default.
const USUAL_WAIT: Duration = Duration::from_secs(10);

const SIGKILL: i32 = 9;

impl StopSteps {
    /// The steps of a text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<StopSteps, Complaint> {
        let steps: Vec<StopStep> = strings(text).iter().map(|item| step(item)).collect::<Result<_, _>>()?;
        let Some((_, before)) = steps.split_last() else {
            return Err(Complaint::quoting("not a valid stop sequence: ", repr(text), ""));
        };
        if before.iter().any(|step| step.signal == SIGKILL) {
            let complaint = Complaint::quoting("not a valid stop sequence: ", repr(text), "");
            return Err(complaint.advise("nothing survives KILL, so write it last".to_owned()));
        }
        Ok(StopSteps(steps))
    }
}

fn step(item: &str) -> Result<StopStep, Complaint> {
    let (name, wait) = item.split_once(':').map_or((item, None), |(name, wait)| (name, Some(wait)));
    if name.trim().eq_ignore_ascii_case("exec") {
        let complaint = Complaint::quoting("commands cannot be run in a stop sequence yet: ", repr(item), "");
        return Err(complaint.advise("write signals only, such as TERM:10s, KILL".to_owned()));
    }
    let signal = signal::parse_stop_signal(name)?;
    let wait = wait.map_or(Ok(USUAL_WAIT), duration::parse)?;
    Ok(StopStep { signal, wait })
}

/// As it may be written.
impl fmt::Display for StopSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, StopStep { signal, wait }) in self.0.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { ", " })?;
            match signal::name(*signal).and_then(|name| name.strip_prefix("SIG")) {
                Some(name) => f.write_str(name)?,
                None => write!(f, "{signal}")?,
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
        let seconds = |signal, wait| StopStep { signal, wait: Duration::from_secs(wait) };
        for (text, steps, shown) in [
            (
                "TERM:10s, INT:5s, KILL",
                vec![seconds(15, 10), seconds(2, 5), seconds(9, 10)],
                "TERM:10s, INT:5s, KILL:10s",
            ),
            ("sigquit : 1min", vec![seconds(3, 60)], "QUIT:1min"),
            ("1,KILL:2", vec![seconds(1, 10), seconds(9, 2)], "HUP:10s, KILL:2s"),
            ("kill", vec![seconds(9, 10)], "KILL:10s"),
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
            ("exec:/bin/drain:30s, KILL", "commands cannot be run in a stop sequence yet: 'exec:/bin/drain:30s'"),
        ] {
            assert_eq!(StopSteps::parse(text).unwrap_err().to_string(), expected);
        }
    }
}
