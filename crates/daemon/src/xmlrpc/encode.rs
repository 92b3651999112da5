//! Outcomes as XML-RPC values and faults.

use supervisord_core::call::{Answer, Status};
use supervisord_core::update_plan::ProcessStep;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::value::Value;

use crate::refusal_fault::fault;

/// What a method answers whose call was answered so.
pub(crate) fn value(answer: Answer) -> Value {
    match answer {
        Answer::Done => true.into(),
        Answer::Plan(plan) => Value::Array(plan.steps.into_iter().map(step).collect()),
        Answer::Statuses(statuses) => Value::Array(statuses.into_iter().map(status).collect()),
        Answer::Difference(difference) => {
            let changed = difference.changed.into_iter().map(|group| group.name).collect();
            let lists = [difference.added, changed, difference.removed];
            let names = |names: Vec<String>| Value::Array(names.into_iter().map(Value::Str).collect());
            Value::Array(vec![Value::Array(lists.map(names).into())])
        }
    }
}

/// What has become of a process by a change of the configuration.
fn step(step: ProcessStep) -> Value {
    Value::Struct(vec![
        ("name".to_owned(), step.process.into()),
        ("group".to_owned(), step.group.into()),
        ("action".to_owned(), step.action.word().into()),
    ])
}

/// One element of a status array.
fn status(status: Status) -> Value {
    let (code, description) = match status.result {
        Ok(()) => (FaultCode::Success.code(), "OK".to_owned()),
        Err(refusal) => {
            let Fault { code, text } = fault(&refusal);
            (code, text)
        }
    };
    Value::Struct(vec![
        ("name".to_owned(), status.process.into()),
        ("group".to_owned(), status.group.as_ref().into()),
        ("status".to_owned(), code.into()),
        ("description".to_owned(), description.into()),
    ])
}

#[cfg(test)]
mod tests {
    use supervisord_config::diff::{ChangedGroup, Difference, GroupChange};
    use supervisord_core::call::{Reason, Refusal};

    use super::*;

    #[test]
    fn each_process_has_its_own_status() {
        let status = |result| Status { group: "g".into(), process: "p".to_owned(), result };
        let refused = Err(Refusal::with(Reason::SpawnError, "g:p"));
        let answer = value(Answer::Statuses(vec![status(Ok(())), status(refused)]));
        let element = |code: i32, description: &str| {
            Value::Struct(vec![
                ("name".to_owned(), "p".into()),
                ("group".to_owned(), "g".into()),
                ("status".to_owned(), code.into()),
                ("description".to_owned(), description.into()),
            ])
        };
        assert_eq!(answer, Value::Array(vec![element(80, "OK"), element(50, "SPAWN_ERROR: g:p")]));
    }

    #[test]
    fn a_difference_is_three_lists_in_a_list() {
        let names = |name: &str| vec![name.to_owned()];
        let changed = vec![ChangedGroup { name: "b".to_owned(), changes: vec![GroupChange::Kind] }];
        let difference = Difference { added: names("c"), changed, removed: names("a") };
        let list = |name: &str| Value::Array(vec![name.into()]);
        let lists = Value::Array(vec![list("c"), list("b"), list("a")]);
        assert_eq!(value(Answer::Difference(difference)), Value::Array(vec![lists]));
    }
}
