//! How the last child of a process ended, as the state has it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_core::process::{EndJudgement, EndTraces, ExitStatus, LastEnd, MemoryKills};

use super::encoding::is_default;
use super::stop_decision::StopRecord;

/// The end of a child.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastEndRecord {
    /// Seconds since the epoch.
    at: i64,
    /// The exit status; none after a signal, and where it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    /// Whether the signal left a core file.
    #[serde(default, skip_serializing_if = "is_default")]
    core: bool,
    /// Any other report of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw: Option<i32>,
    /// The word for what it meant; what is none of those of this release is as if it had been unexpected.
    #[serde(default)]
    judgement: String,
    /// How long the child had lived, in milliseconds.
    #[serde(default, skip_serializing_if = "is_default")]
    lived: u64,
    /// Why it was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop: Option<StopRecord>,
    /// Its last lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    output: String,
    /// What the kernel counted meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kills: Option<KillsRecord>,
}

/// How many processes were killed for want of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KillsRecord {
    since: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cgroup: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    machine: Option<u64>,
}

impl From<&LastEnd> for LastEndRecord {
    fn from(LastEnd { at, status, judgement, lived, stop_decision, traces }: &LastEnd) -> LastEndRecord {
        let EndTraces { output, kills } = traces;
        let record = LastEndRecord {
            at: *at,
            judgement: judgement.word().to_owned(),
            lived: u64::try_from(lived.as_millis()).unwrap_or(u64::MAX),
            stop: stop_decision.as_deref().map(StopRecord::from),
            output: output.clone(),
            kills: kills.map(|MemoryKills { since, in_cgroup, on_machine }| KillsRecord {
                since,
                cgroup: in_cgroup,
                machine: on_machine,
            }),
            ..LastEndRecord::default()
        };
        match *status {
            ExitStatus::Code(code) => LastEndRecord { status: Some(code), ..record },
            ExitStatus::Signal { number, core_dumped } => {
                LastEndRecord { signal: Some(number), core: core_dumped, ..record }
            }
            ExitStatus::Other(raw) => LastEndRecord { raw: Some(raw), ..record },
            ExitStatus::Unknown => record,
        }
    }
}

impl From<&LastEndRecord> for LastEnd {
    fn from(record: &LastEndRecord) -> LastEnd {
        let LastEndRecord { at, status, signal, core, raw, judgement, lived, stop, output, kills } = record;
        let known = EndJudgement::ALL.into_iter().find(|known| known.word() == judgement);
        LastEnd {
            at: *at,
            status: match (*status, *signal, *raw) {
                (Some(code), _, _) => ExitStatus::Code(code),
                (None, Some(number), _) => ExitStatus::Signal { number, core_dumped: *core },
                (None, None, Some(raw)) => ExitStatus::Other(raw),
                (None, None, None) => ExitStatus::Unknown,
            },
            judgement: known.unwrap_or(EndJudgement::Unexpected),
            lived: Duration::from_millis(*lived),
            stop_decision: stop.as_ref().map(|stop| Arc::new(stop.decision())),
            traces: EndTraces {
                output: output.clone(),
                kills: kills.map(|KillsRecord { since, cgroup, machine }| MemoryKills {
                    since,
                    in_cgroup: cgroup,
                    on_machine: machine,
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use supervisord_core::process::{StopCause, StopDecision};

    use super::*;

    #[test]
    fn every_end_is_read_back() {
        let kills = Some(MemoryKills { since: 5, in_cgroup: Some(0), on_machine: None });
        let traces = [EndTraces::default(), EndTraces { output: "a\nb".to_owned(), kills }];
        let statuses = [
            ExitStatus::Code(0),
            ExitStatus::Code(3),
            ExitStatus::Signal { number: 11, core_dumped: true },
            ExitStatus::Signal { number: 9, core_dumped: false },
            ExitStatus::Other(0x137f),
            ExitStatus::Unknown,
        ];
        for status in statuses {
            for judgement in EndJudgement::ALL {
                for traces in traces.clone() {
                    let stop_decision = Some(Arc::new(StopDecision::rest(StopCause::Request)))
                        .filter(|_| judgement == EndJudgement::Stopped);
                    let lived = Duration::from_millis(1500);
                    let end = LastEnd { at: 7, status, judgement, lived, stop_decision, traces };
                    let text = serde_json::to_string(&LastEndRecord::from(&end)).expect("plain data");
                    let read: LastEndRecord = serde_json::from_str(&text).expect("it was written so");
                    assert_eq!(LastEnd::from(&read), end, "{text}");
                }
            }
        }
    }

    #[test]
    fn what_a_later_release_has_for_a_reason_is_a_failure() {
        let read: LastEndRecord = serde_json::from_str(r#"{"at":7,"judgement":"melted"}"#).expect("tolerated");
        assert_eq!(LastEnd::from(&read).judgement, EndJudgement::Unexpected);
    }
}
