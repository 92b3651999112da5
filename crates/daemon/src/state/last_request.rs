//! The last request about a process, as the state has it.

use serde::{Deserialize, Serialize};
use supervisord_core::last_request::{LastRequest, RequestedAction};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRequestRecord {
    /// The word for what was asked for.
    #[serde(default)]
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(default)]
    by: String,
    /// Seconds since the epoch.
    #[serde(default)]
    at: i64,
}

impl LastRequestRecord {
    /// The request; none where a later release asked for something that this one does not know.
    pub fn request(&self) -> Option<LastRequest> {
        let LastRequestRecord { action, signal, by, at } = self;
        let known = [RequestedAction::Start, RequestedAction::Stop, RequestedAction::Restart, RequestedAction::Reload];
        let known = known.into_iter().chain(signal.map(RequestedAction::Signal));
        let action = known.into_iter().find(|known| known.word() == action)?;
        Some(LastRequest { action, by: by.clone(), at: *at })
    }
}

impl From<&LastRequest> for LastRequestRecord {
    fn from(LastRequest { action, by, at }: &LastRequest) -> LastRequestRecord {
        let signal = match action {
            RequestedAction::Signal(number) => Some(*number),
            RequestedAction::Start | RequestedAction::Stop | RequestedAction::Restart | RequestedAction::Reload => None,
        };
        LastRequestRecord { action: action.word().to_owned(), signal, by: by.clone(), at: *at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_read_back() {
        let actions = [
            RequestedAction::Start,
            RequestedAction::Stop,
            RequestedAction::Restart,
            RequestedAction::Reload,
            RequestedAction::Signal(1),
        ];
        for action in actions {
            let request = LastRequest { action, by: "somebody".to_owned(), at: 5 };
            let text = serde_json::to_string(&LastRequestRecord::from(&request)).expect("plain data");
            let read: LastRequestRecord = serde_json::from_str(&text).expect("it was written so");
            assert_eq!(read.request(), Some(request), "{text}");
        }
        let later: LastRequestRecord =
            serde_json::from_str(r#"{"action":"freeze","by":"x","at":1}"#).expect("tolerated");
        assert_eq!(later.request(), None);
    }
}
