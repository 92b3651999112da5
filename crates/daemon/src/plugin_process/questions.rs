//! What plug-ins ask of the daemon, and what they are answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use supervisord_config::model::Process;
use supervisord_core::actor::Actor;
use supervisord_core::call::Call;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::plugin::{FromPlugins, ToPlugins};
use supervisord_wire::xmlrpc::{encode_fault, encode_response};

use super::{define, snapshot};
use crate::api::Api;
use crate::calls::CallFailure;
use crate::memory_budget::Reservation;
use crate::refusal_fault::fault;
use crate::xmlrpc::{self, Responder, Unanswered};

/// An answer, and the memory it takes where it can be large.
pub(super) type Answer = (ToPlugins, Option<Reservation>);

/// The daemon as a plug-in process asks it.
#[derive(Clone)]
pub(super) struct Questions {
    api: Arc<Api>,
    /// The methods without those of plug-ins. A process that waits for itself would wait for ever.
    built_in: Responder,
    actor: Actor,
}

impl Questions {
    /// The questions of this actor.
    pub(super) fn new(api: Arc<Api>, actor: Actor) -> Questions {
        Questions { built_in: Responder::built_in(api.clone()), api, actor }
    }

    /// The state of the daemon, which has its passwords and the environments of its programs.
    pub(super) fn snapshot(&self, id: u64) -> ToPlugins {
        match self.api.view_with_secrets(&self.actor) {
            Ok(view) => ToPlugins::State { id, state: snapshot::state(view) },
            Err(refusal) => ToPlugins::Refused { id, text: fault(&refusal).text },
        }
    }

    /// The answer to whatever plug-ins may ask; none to what only supervisorctl is asked or told.
    pub(super) async fn answer(&self, question: FromPlugins) -> Option<Answer> {
        let answer = match question {
            FromPlugins::Rpc { id, xml } => {
                let (xml, reservation) = self.rpc(xml).await;
                return Some((ToPlugins::Answer { id, xml }, reservation));
            }
            FromPlugins::Define { id, group, section, options } => match self.define(&group, &section, &options) {
                Ok(processes) => {
                    let processes = processes.iter().map(|process| snapshot::definition(process)).collect();
                    ToPlugins::Defined { id, processes }
                }
                Err(text) => ToPlugins::Refused { id, text },
            },
            FromPlugins::Enlist { id, group, name, section, options } => {
                let defined = self.define(&group, &section, &options);
                match defined.map(|processes| processes.into_iter().find(|process| process.identity.name == name)) {
                    Ok(Some(process)) => {
                        let process = Box::new((*process).clone());
                        self.call(id, Call::RegisterProcess { group, process }).await
                    }
                    Ok(None) => ToPlugins::Refused { id, text: format!("the section does not define {name}") },
                    Err(text) => ToPlugins::Refused { id, text },
                }
            }
            FromPlugins::Discharge { id, group, name } => {
                self.call(id, Call::UnregisterProcess { group, process: name }).await
            }
            FromPlugins::Snapshot { id } => self.snapshot(id),
            _ => return None,
        };
        Some((answer, None))
    }

    /// What a section would define, with the environment that every program gets.
    fn define(
        &self,
        group: &str,
        section: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<Vec<Arc<Process>>, String> {
        let view = self.api.view_with_secrets(&self.actor).map_err(|refusal| fault(&refusal).text)?;
        define::processes(&view.config(), group, section, options)
    }

    /// The document that answers a call of a method, and the memory it takes.
    async fn rpc(&self, document: String) -> (String, Option<Reservation>) {
        let failed = |why| (encode_fault(&Fault::with(FaultCode::Failed, why)), None);
        match self.built_in.respond(self.actor.clone(), document.into()).await {
            Ok(document) => match document.into_text(&self.api).await {
                Ok((text, reservation)) => (text, Some(reservation)),
                Err(refusal) => (encode_fault(&fault(&refusal)), None),
            },
            Err(Unanswered::BadRequest) => failed("this is no XML-RPC call"),
            Err(Unanswered::NoMemory) => failed("there is no memory for this call"),
            Err(Unanswered::Ended) => (encode_fault(&Fault::new(FaultCode::ShutdownState)), None),
        }
    }

    /// Makes a call that only plug-ins have. Its answer is a document, too.
    async fn call(&self, id: u64, call: Call) -> ToPlugins {
        let xml = match self.api.call(&self.actor, call).await {
            Ok(answer) => encode_response(&xmlrpc::value(answer)),
            Err(CallFailure::Refused(refusal)) => encode_fault(&fault(&refusal)),
            Err(CallFailure::Ended) => encode_fault(&Fault::new(FaultCode::ShutdownState)),
        };
        ToPlugins::Answer { id, xml }
    }
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Token, Waker};
    use supervisord_config::model::LogLevel;
    use supervisord_config::samples::config;
    use supervisord_core::actor::Right;
    use supervisord_core::call::Answer as CallAnswer;
    use supervisord_core::row::LocalTime;
    use supervisord_wire::xmlrpc::{decode_response, encode_call};

    use super::*;
    use crate::activity::Activity;
    use crate::api::{Clock, Daemon};
    use crate::calls;
    use crate::memory_budget::MemoryBudget;
    use crate::notifier::Notifier;
    use crate::view::View;

    const RIGHTS: [Option<Right>; 4] = [None, Some(Right::View), Some(Right::Operate), Some(Right::Administer)];

    /// All that a plug-in can ask, with the right that it needs.
    fn questions() -> [(FromPlugins, Right); 7] {
        let (id, group, section) = (7, || "g".to_owned(), || "program:p".to_owned());
        let options = || BTreeMap::from([("command".to_owned(), "cat".to_owned())]);
        let rpc = |method: &str| FromPlugins::Rpc { id, xml: encode_call(method, &[]) };
        [
            (FromPlugins::Snapshot { id }, Right::Administer),
            (FromPlugins::Define { id, group: group(), section: section(), options: options() }, Right::Administer),
            (
                FromPlugins::Enlist {
                    id,
                    group: group(),
                    name: "p".to_owned(),
                    section: section(),
                    options: options(),
                },
                Right::Administer,
            ),
            (FromPlugins::Discharge { id, group: group(), name: "p".to_owned() }, Right::Administer),
            (rpc("supervisor.getState"), Right::View),
            (rpc("supervisor.stopAllProcesses"), Right::Operate),
            (rpc("supervisor.shutdown"), Right::Administer),
        ]
    }

    /// Why a question is refused; none where it is answered.
    fn refusal(answer: &ToPlugins) -> Option<String> {
        match answer {
            ToPlugins::Refused { text, .. } => Some(text.clone()),
            ToPlugins::Answer { xml, .. } => {
                decode_response(xml.as_bytes()).expect("a document").err().map(|fault| fault.text)
            }
            _ => None,
        }
    }

    #[tokio::test]
    async fn each_question_needs_a_right() {
        let poll = Poll::new().expect("a poll");
        let waker = Waker::new(poll.registry(), Token(0)).expect("a waker");
        let (sender, pending) = calls::queue(Arc::new(Notifier::new(waker)));
        std::thread::spawn(move || {
            for calls::Pending { reply, .. } in pending {
                reply(Ok(CallAnswer::Done));
            }
        });
        let local =
            |_| LocalTime { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, weekday: 4, utc_offset: 0 };
        let daemon = Daemon {
            view: Arc::new(View::new(Arc::new(config([])))),
            calls: sender,
            activity_file: None,
            memory: Arc::default(),
            load_config: Arc::new(|_, _| Ok(config([]))),
        };
        let activity = Activity::new(LogLevel::Error, |_| {});
        let api = Api::new(daemon, activity, MemoryBudget::for_answers(), Clock { now: || 100, local });
        let api = Arc::new(api);
        for right in RIGHTS {
            let asker = Questions::new(api.clone(), Actor { right, ..Actor::plug_in() });
            for (question, needed) in questions() {
                let shown = format!("{question:?} with {right:?}");
                let (answer, _) = asker.answer(question).await.expect("an answer");
                let is_document = shown.starts_with("Rpc");
                let missing = if right.is_none() && is_document { Right::View } else { needed };
                let expected = (right < Some(missing)).then(|| format!("FAILED: a plug-in may not {missing}"));
                assert_eq!(refusal(&answer), expected, "{shown}");
            }
        }
    }
}
