//! What follows when a program is unhealthy, as it is written: `none`, `restart`, `stop` or `signal:NAME`.

use std::fmt;

use crate::complaint::Complaint;
use crate::model::OnUnhealthy;
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::signal;
use crate::suggest::did_you_mean;

impl OnUnhealthy {
    /// What a text stands for, in any case.
    ///
    /// # Errors
    /// It is none of the four.
    pub fn parse(text: &str) -> Result<OnUnhealthy, Complaint> {
        let lower = strip(text).to_ascii_lowercase();
        if let Some((_, name)) = lower.split_once(':').filter(|(word, _)| *word == "signal") {
            return signal::parse_stop_signal(name).map(OnUnhealthy::Signal);
        }
        match lower.as_str() {
            "none" => Ok(OnUnhealthy::None),
            "restart" => Ok(OnUnhealthy::Restart),
            "stop" => Ok(OnUnhealthy::Stop),
            _ => {
                let advice = did_you_mean(&lower, ["none", "restart", "stop"])
                    .unwrap_or_else(|| "write none, restart, stop or a signal such as signal:USR1".to_owned());
                Err(Complaint::quoting("not a reaction to bad health: ", repr(text), "").advise(advice))
            }
        }
    }
}

/// As it may be written.
impl fmt::Display for OnUnhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OnUnhealthy::None => f.write_str("none"),
            OnUnhealthy::Restart => f.write_str("restart"),
            OnUnhealthy::Stop => f.write_str("stop"),
            OnUnhealthy::Signal(number) => match signal::name(*number).and_then(|name| name.strip_prefix("SIG")) {
                Some(name) => write!(f, "signal:{name}"),
                None => write!(f, "signal:{number}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reaction_is_read_and_shown() {
        for (text, meant, shown) in [
            ("none", OnUnhealthy::None, "none"),
            (" Restart", OnUnhealthy::Restart, "restart"),
            ("stop", OnUnhealthy::Stop, "stop"),
            ("signal:USR1", OnUnhealthy::Signal(10), "signal:USR1"),
            ("signal:sighup", OnUnhealthy::Signal(1), "signal:HUP"),
            ("signal:15", OnUnhealthy::Signal(15), "signal:TERM"),
        ] {
            let read = OnUnhealthy::parse(text).unwrap();
            assert_eq!(read, meant, "{text}");
            assert_eq!(read.to_string(), shown);
            assert_eq!(OnUnhealthy::parse(shown).unwrap(), read);
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_to_write() {
        let write = "write none, restart, stop or a signal such as signal:USR1";
        for (text, advice) in [("restrat", Some("did you mean restart?")), ("USR1", Some(write)), ("", Some(write))] {
            let complaint = OnUnhealthy::parse(text).unwrap_err();
            assert_eq!(complaint.to_string(), format!("not a reaction to bad health: '{text}'"));
            assert_eq!(complaint.advice(), advice);
        }
        assert_eq!(OnUnhealthy::parse("signal:TREM").unwrap_err().advice(), Some("did you mean TERM?"));
    }
}
