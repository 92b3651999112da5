//! Why a process is stopped, as the state has it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_core::process::{AfterStop, StopCause, StopDecision};

/// A decision to stop a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRecord {
    /// The word for the cause.
    #[serde(default)]
    cause: String,
    /// What was the matter.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    detail: String,
    /// How long it had run, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ran: Option<u64>,
    /// The word for what follows.
    #[serde(default)]
    then: String,
}

impl From<&StopDecision> for StopRecord {
    fn from(StopDecision { cause, then }: &StopDecision) -> StopRecord {
        let (detail, ran) = match cause {
            StopCause::Request | StopCause::Configuration | StopCause::Shutdown => (String::new(), None),
            StopCause::NotReady(text)
            | StopCause::NotFinished(text)
            | StopCause::Unhealthy(text)
            | StopCause::DependencyFailure(text) => (text.clone(), None),
            StopCause::MaxRuntime(ran) | StopCause::RecycleAfter(ran) => {
                (String::new(), Some(u64::try_from(ran.as_millis()).unwrap_or(u64::MAX)))
            }
        };
        StopRecord { cause: cause.word().to_owned(), detail, ran, then: then.word().to_owned() }
    }
}

impl StopRecord {
    /// The decision; one whose cause only a later release knows is one of the configuration.
    pub fn decision(&self) -> StopDecision {
        let StopRecord { cause, detail, ran, then } = self;
        let (text, ran) = (detail.clone(), Duration::from_millis(ran.unwrap_or(0)));
        let causes = [
            StopCause::Request,
            StopCause::Configuration,
            StopCause::Shutdown,
            StopCause::NotReady(text.clone()),
            StopCause::NotFinished(text.clone()),
            StopCause::Unhealthy(text.clone()),
            StopCause::MaxRuntime(ran),
            StopCause::RecycleAfter(ran),
            StopCause::DependencyFailure(text),
        ];
        let known = causes.into_iter().find(|known| known.word() == cause);
        let then = AfterStop::ALL.into_iter().find(|known| known.word() == then);
        StopDecision { cause: known.unwrap_or(StopCause::Configuration), then: then.unwrap_or(AfterStop::Rest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decision_is_read_back() {
        let ran = Duration::from_millis(1500);
        for cause in [
            StopCause::Request,
            StopCause::Configuration,
            StopCause::Shutdown,
            StopCause::NotReady("Not ready within 90s (fd:3)".to_owned()),
            StopCause::NotFinished("Not finished within 90s".to_owned()),
            StopCause::Unhealthy("HTTP status 503".to_owned()),
            StopCause::MaxRuntime(ran),
            StopCause::RecycleAfter(ran),
            StopCause::DependencyFailure("web is unhealthy".to_owned()),
        ] {
            for then in AfterStop::ALL {
                let decision = StopDecision { cause: cause.clone(), then };
                let text = serde_json::to_string(&StopRecord::from(&decision)).expect("plain data");
                let read: StopRecord = serde_json::from_str(&text).expect("it was written so");
                assert_eq!(read.decision(), decision, "{text}");
            }
        }
    }

    #[test]
    fn a_cause_of_a_later_release_is_no_defeat() {
        let read: StopRecord = serde_json::from_str(r#"{"cause":"eclipse"}"#).expect("tolerated");
        assert_eq!(read.decision(), StopDecision::rest(StopCause::Configuration));
    }
}
