//! Who was asked, who has answered what, and who has not.

use std::collections::BTreeMap;

use crate::host_name::HostName;
use crate::request::{FleetAnswer, FleetRefusal};

/// How long a host that is not connected may come back before that counts, in milliseconds.
const GRACE: u64 = 1500;

/// What is known of the answer of one host.
#[derive(Clone, Debug, PartialEq)]
pub enum HostReply {
    /// Nothing has come.
    Silent,
    /// The server says that no agent of this name is connected; since when, in milliseconds.
    NotConnected(u64),
    /// The host is doing it.
    Accepted,
    /// This is its answer.
    Answered(FleetAnswer),
}

/// The answers of many hosts to one request.
#[derive(Clone, Debug)]
pub struct Gathering {
    replies: BTreeMap<HostName, HostReply>,
    open: usize,
    is_cut_short: bool,
}

impl Gathering {
    /// Nobody has answered yet.
    pub fn of(hosts: impl IntoIterator<Item = HostName>) -> Gathering {
        let replies: BTreeMap<_, _> = hosts.into_iter().map(|host| (host, HostReply::Silent)).collect();
        Gathering { open: replies.len(), replies, is_cut_short: false }
    }

    /// Something has come from a host, at a time in milliseconds. Answers of hosts that were not asked, and second answers,
    /// change nothing.
    pub fn take(&mut self, host: &HostName, answer: FleetAnswer) {
        let Some(reply) = self.replies.get_mut(host) else { return };
        if matches!(reply, HostReply::Answered(_)) {
            return;
        }
        match answer {
            // It has come twice, because somebody asked again: the answer to the first is on its way.
            FleetAnswer::Refused { reason: FleetRefusal::InProgress, .. } => *reply = HostReply::Accepted,
            answer if answer.is_interim() => *reply = HostReply::Accepted,
            answer => {
                *reply = HostReply::Answered(answer);
                self.open -= 1;
            }
        }
    }

    /// The server says that nobody listens there. That is no answer: who was cut off a moment ago comes back.
    pub fn not_connected(&mut self, host: &HostName, now: u64) {
        if let Some(reply @ HostReply::Silent) = self.replies.get_mut(host) {
            *reply = HostReply::NotConnected(now);
        }
    }

    /// Whether there is nobody left to wait for.
    pub fn is_complete(&self, now: u64) -> bool {
        self.open == 0 || self.awaited(now).next().is_none()
    }

    /// The hosts that are worth waiting for.
    pub fn awaited(&self, now: u64) -> impl Iterator<Item = &HostName> {
        self.replies.iter().filter_map(move |(host, reply)| match reply {
            HostReply::Answered(_) => None,
            HostReply::NotConnected(since) if now >= since + GRACE => None,
            HostReply::NotConnected(_) | HostReply::Silent | HostReply::Accepted => Some(host),
        })
    }

    /// The hosts to ask again: nothing that says they know of the request has come from them.
    pub fn to_ask_again(&self, now: u64) -> Vec<HostName> {
        let unheard = |host: &&HostName| !matches!(self.replies.get(*host), Some(HostReply::Accepted));
        self.awaited(now).filter(unheard).cloned().collect()
    }

    /// Nobody waits any more, and the time is not over: hosts that have not answered may still begin.
    pub fn cut_short(&mut self) {
        self.is_cut_short = true;
    }

    /// Whether the wait ended before the time was over.
    pub fn is_cut_short(&self) -> bool {
        self.is_cut_short
    }

    /// All hosts, by name.
    pub fn replies(&self) -> &BTreeMap<HostName, HostReply> {
        &self.replies
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(number: usize) -> HostName {
        HostName::parse(&format!("h{number}")).unwrap()
    }

    fn done() -> FleetAnswer {
        FleetAnswer::Done { result: serde_json::Value::Null }
    }

    #[test]
    fn it_is_complete_when_all_have_answered_or_are_known_to_be_away() {
        let mut gathering = Gathering::of((0..3).map(host));
        gathering.take(&host(0), FleetAnswer::Accepted);
        gathering.take(&host(0), done());
        gathering.not_connected(&host(1), 100);
        assert_eq!(gathering.to_ask_again(200), [host(1), host(2)]);
        gathering.take(&host(2), FleetAnswer::Accepted);
        assert!(!gathering.is_complete(100 + GRACE) && gathering.to_ask_again(100 + GRACE).is_empty());
        gathering.take(&host(2), FleetAnswer::refused(FleetRefusal::InProgress, ""));
        assert!(!gathering.is_complete(100 + GRACE));
        gathering.take(&host(2), done());
        assert!(!gathering.is_complete(100) && gathering.is_complete(100 + GRACE));
    }

    #[test]
    fn who_was_away_may_still_answer() {
        let mut gathering = Gathering::of([host(0)]);
        gathering.not_connected(&host(0), 0);
        gathering.take(&host(0), done());
        assert!(gathering.is_complete(1));
        assert_eq!(gathering.replies()[&host(0)], HostReply::Answered(done()));
    }

    proptest! {
        /// Strangers, repetitions and any order leave as many hosts as were asked, each with its first answer.
        #[test]
        fn strangers_and_repetitions_change_nothing(events in proptest::collection::vec((0usize..8, 0u8..4, 0u64..5000), 0..60)) {
            let mut gathering = Gathering::of((0..4).map(host));
            let mut first = BTreeMap::new();
            for (number, kind, now) in events {
                let answer = FleetAnswer::Done { result: now.into() };
                match kind {
                    0 => gathering.take(&host(number), FleetAnswer::Accepted),
                    1 => gathering.not_connected(&host(number), now),
                    _ => {
                        if number < 4 {
                            first.entry(host(number)).or_insert(answer.clone());
                        }
                        gathering.take(&host(number), answer);
                    }
                }
            }
            prop_assert_eq!(gathering.replies().len(), 4);
            for (name, reply) in gathering.replies() {
                match first.get(name) {
                    Some(answer) => prop_assert_eq!(reply, &HostReply::Answered(answer.clone())),
                    None => prop_assert!(!matches!(reply, HostReply::Answered(_))),
                }
            }
            prop_assert_eq!(gathering.is_complete(0), gathering.awaited(0).next().is_none());
        }
    }
}
