use std::future::Future;
use std::pin::pin;
use std::sync::Mutex as StdMutex;
use std::sync::mpsc::Receiver;
use std::task::Poll;

use mio::{Poll as MioPoll, Token, Waker};
use supervisord_config::diff::Difference;
use supervisord_config::model::LogLevel;
use supervisord_config::samples::config;
use supervisord_core::actor::{ClientPeer, Right, Way};
use supervisord_core::call::{Answer, CallOutcome, Reason, Refusal};
use supervisord_core::row::{LocalTime, Row};
use supervisord_core::samples;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::state::Mood;
use supervisord_wire::xmlrpc::{decode_response, encode_call};

use super::*;
use crate::activity::Activity;
use crate::api::{Clock, Daemon};
use crate::calls::{self, Pending};
use crate::memory_budget::MemoryBudget;
use crate::notifier::Notifier;
use crate::view::View;

mod rights;

fn row(group: &str, name: &str, stdout_logfile: Option<&str>) -> Row {
    Row { stdout_logfile: stdout_logfile.map(Into::into), ..samples::row(group, name) }
}

/// Methods without a network, and the other end of its calls.
struct Plane {
    responder: Responder,
    view: Arc<View>,
    calls: Receiver<Pending>,
    /// What reading the configuration gives; a configuration when it is none.
    load_error: Arc<StdMutex<Option<String>>>,
    // The waker works only as long as its poll lives.
    _poll: MioPoll,
}

fn plane() -> Plane {
    plane_logging_to(None)
}

fn plane_logging_to(activity_file: Option<String>) -> Plane {
    let poll = MioPoll::new().expect("a poll");
    let waker = Waker::new(poll.registry(), Token(0)).expect("a waker");
    let (sender, calls) = calls::queue(Arc::new(Notifier::new(waker)));
    let load_error = Arc::new(StdMutex::new(None));
    let error = load_error.clone();
    let local =
        |_| LocalTime { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, weekday: 4, utc_offset: 0 };
    let view = Arc::new(View::new(Arc::new(config([]))));
    let daemon = Daemon {
        view: view.clone(),
        calls: sender,
        activity_file,
        memory: Arc::default(),
        load_config: Arc::new(move |_, _| match error.lock().expect("no panics").clone() {
            Some(error) => Err(error),
            None => Ok(config([])),
        }),
    };
    let activity = Activity::new(LogLevel::Trace, |_| {});
    let api = Api::new(daemon, activity, MemoryBudget::for_answers(), Clock { now: || 105, local });
    Plane { responder: Responder::built_in(Arc::new(api)), view, calls, load_error, _poll: poll }
}

impl Plane {
    /// What a client gets for a call that needs no control.
    async fn get(&self, method: &str, arguments: &[Value]) -> Result<Value, Fault> {
        let document =
            self.responder.respond(somebody(), encode_call(method, arguments).into()).await.expect("a document");
        decode_response(document.into_text(&self.responder.api).await.expect("memory").0.as_bytes())
            .expect("a good document")
    }

    async fn fault(&self, method: &str, arguments: &[Value]) -> String {
        self.get(method, arguments).await.expect_err("a fault").text
    }

    /// The next call control gets.
    async fn next_call(&self) -> Pending {
        loop {
            match self.calls.try_recv() {
                Ok(pending) => return pending,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    /// What a client gets for a call that control answers with `outcome`; the call is shown as well.
    async fn ask(&self, method: &str, arguments: &[Value], outcome: CallOutcome) -> (String, Result<Value, Fault>) {
        let control = async {
            let Pending { actor, call, reply } = self.next_call().await;
            assert_eq!(actor, somebody(), "control knows who asks");
            reply(outcome);
            format!("{call:?}")
        };
        tokio::join!(control, self.get(method, arguments))
    }
}

fn somebody() -> Actor {
    let client = ClientPeer::Unix { uid: Some(1000), pid: Some(42) };
    Actor { name: Some("eve".into()), way: Way::Rpc(client), ..Actor::plug_in() }
}

fn array(items: &[Value]) -> Value {
    Value::Array(items.to_vec())
}

fn entry(method: &str, arguments: &[Value]) -> Value {
    Value::Struct(vec![("methodName".to_owned(), method.into()), ("params".to_owned(), array(arguments))])
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let plane = plane();
    for body in ["", "<a/>", "<methodCall>"] {
        assert_eq!(
            plane.responder.respond(somebody(), body.to_owned().into()).await.err(),
            Some(Unanswered::BadRequest),
            "{body}"
        );
    }
}

#[tokio::test]
async fn long_requests_are_read_as_well() {
    let plane = plane();
    let long = "x".repeat(2 * MAX_INLINE);
    let arguments = ["a".into(), long.as_str().into()];
    let (call, answer) = plane.ask("supervisor.sendRemoteCommEvent", &arguments, Ok(Answer::Done)).await;
    assert_eq!(call, format!("SendRemoteCommEvent {{ kind: \"a\", data: \"{long}\" }}"));
    assert_eq!(answer, Ok(true.into()));
    assert_eq!(plane.responder.respond(somebody(), long.clone().into()).await.err(), Some(Unanswered::BadRequest));
}

#[tokio::test]
async fn the_view_answers_without_control() {
    let plane = plane();
    plane.view.publish_row(row("g", "b", None));
    plane.view.publish_row(row("a", "a", Some("/a.log")));
    assert_eq!(plane.get("supervisor.getAPIVersion", &[]).await, Ok("3.0".into()));
    assert_eq!(plane.get("supervisor.getSupervisorVersion", &[]).await, Ok("4.3.0".into()));
    assert_eq!(plane.get("supervisor.getIdentification", &[]).await, Ok("supervisor".into()));
    assert_eq!(plane.get("supervisor.getPID", &[]).await, Ok(Value::Int(std::process::id().into())));
    let state = plane.get("supervisor.getState", &[]).await.expect("a state");
    assert_eq!(state.member("statename"), Some(&"RUNNING".into()));
    let infos = plane.get("supervisor.getAllProcessInfo", &[]).await.expect("infos");
    let names: Vec<_> = infos.as_array().expect("an array").iter().map(|info| info.member("name").cloned()).collect();
    assert_eq!(names, [Some("a".into()), Some("b".into())]);
    let info = plane.get("supervisor.getProcessInfo", &["g:b".into()]).await.expect("an info");
    assert_eq!(info.member("description"), Some(&"pid 42, uptime 0:00:05".into()));
    assert_eq!(plane.get("supervisor.getAllConfigInfo", &[]).await, Ok(array(&[])));
}

#[tokio::test]
async fn only_a_full_name_is_a_process() {
    let plane = plane();
    plane.view.publish_row(row("g", "b", None));
    for name in ["b", "g", "g:*", "g:", "", ":", "g:c"] {
        let fault = plane.fault("supervisor.getProcessInfo", &[name.into()]).await;
        assert_eq!(fault, format!("BAD_NAME: {name}"));
    }
}

#[tokio::test]
async fn control_answers_calls() {
    let plane = plane();
    let (call, answer) = plane.ask("supervisor.startProcess", &["a".into()], Ok(Answer::Done)).await;
    assert_eq!((call.as_str(), answer), ("StartProcess { name: \"a\", wait: true }", Ok(true.into())));
    let refusal = Refusal::with(Reason::UnknownName, "a");
    let (_, answer) = plane.ask("supervisor.stopProcess", &["a".into()], Err(refusal)).await;
    assert_eq!(answer, Err(Fault::with(FaultCode::BadName, "a")));
}

#[tokio::test]
async fn nothing_is_said_when_the_daemon_ends_first() {
    let Plane { responder, calls, _poll, .. } = plane();
    drop(calls);
    let body = encode_call("supervisor.shutdown", &[]);
    assert_eq!(responder.respond(somebody(), body.to_owned().into()).await.err(), Some(Unanswered::Ended));
    let body = encode_call("system.multicall", &[array(&[entry("supervisor.shutdown", &[])])]);
    assert_eq!(responder.respond(somebody(), body.to_owned().into()).await.err(), Some(Unanswered::Ended));
}

#[tokio::test]
async fn a_broken_configuration_changes_nothing() {
    let plane = plane();
    *plane.load_error.lock().expect("no panics") = Some("it is broken".to_owned());
    for method in ["supervisor.reloadConfig", "supervisor.restart"] {
        assert_eq!(plane.fault(method, &[]).await, "CANT_REREAD: it is broken");
        assert!(plane.calls.try_recv().is_err(), "{method} reached control");
    }
    *plane.load_error.lock().expect("no panics") = None;
    let (call, answer) = plane.ask("supervisor.restart", &[], Ok(Answer::Done)).await;
    assert!(call.starts_with("Restart { config: Config {"), "{call}");
    assert_eq!(answer, Ok(true.into()));
    let (call, _) = plane.ask("supervisor.reloadConfig", &[], Ok(Answer::Difference(Difference::default()))).await;
    assert!(call.starts_with("ReloadConfig { config: Config {"), "{call}");
}

#[tokio::test]
async fn a_daemon_that_ends_refuses_nearly_everything() {
    let plane = plane();
    plane.view.publish_mood(Mood::Shutdown);
    assert_eq!(plane.fault("supervisor.getState", &[]).await, "SHUTDOWN_STATE");
    assert_eq!(plane.fault("supervisor.startProcess", &["nosuch".into()]).await, "SHUTDOWN_STATE");
    assert!(plane.get("system.listMethods", &[]).await.is_ok());
    let (_, answer) = plane.ask("supervisor.sendRemoteCommEvent", &["a".into(), "b".into()], Ok(Answer::Done)).await;
    assert_eq!(answer, Ok(true.into()));
}

#[tokio::test]
async fn methods_describe_themselves() {
    let plane = plane();
    let names = plane.get("system.listMethods", &[]).await.expect("names");
    assert_eq!(names.as_array().map(<[Value]>::len), Some(49), "the original's and eight more");
    let types = plane.get("system.methodSignature", &["supervisor.getPID".into()]).await;
    assert_eq!(types, Ok(array(&["int".into()])));
    let help = plane.get("system.methodHelp", &["supervisor.getPID".into()]).await.expect("a text");
    assert!(help.as_str().is_some_and(|text| text.contains("@return int pid")), "{help:?}");
    assert_eq!(plane.fault("system.methodHelp", &["x".into()]).await, "SIGNATURE_UNSUPPORTED");
}

#[tokio::test]
async fn results_of_a_multicall_are_bare() {
    let plane = plane();
    let entries = [
        entry("supervisor.getAPIVersion", &[]),
        entry("supervisor.nosuch", &[]),
        entry("system.multicall", &[array(&[])]),
        entry("supervisor.getAllProcessInfo", &[]),
        Value::Struct(vec![]),
    ];
    let fault = |code: i32, text: &str| {
        Value::Struct(vec![("faultCode".to_owned(), code.into()), ("faultString".to_owned(), text.into())])
    };
    let expected = [
        "3.0".into(),
        fault(1, "UNKNOWN_METHOD"),
        fault(2, "INCORRECT_PARAMETERS: Recursive system.multicall forbidden"),
        array(&[]),
        fault(2, "INCORRECT_PARAMETERS: No methodName"),
    ];
    assert_eq!(plane.get("system.multicall", &[array(&entries)]).await, Ok(array(&expected)));
    assert_eq!(plane.get("system.multicall", &[array(&[])]).await, Ok(array(&[])));
}

#[tokio::test]
async fn calls_of_a_multicall_are_made_in_turn() {
    let plane = plane();
    let entries = ["a", "b"].map(|name| entry("supervisor.stopProcess", &[name.into()]));
    let control = async {
        for name in ["a", "b"] {
            let Pending { call, reply, .. } = plane.next_call().await;
            assert_eq!(format!("{call:?}"), format!("StopProcess {{ name: \"{name}\", wait: true }}"));
            // Whatever else could run has run, and still there is no further call.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(plane.calls.try_recv().is_err(), "the next call did not wait");
            reply(Ok(Answer::Done));
        }
    };
    let multicall = [array(&entries)];
    let (_, answer) = tokio::join!(control, plane.get("system.multicall", &multicall));
    assert_eq!(answer, Ok(array(&[true.into(), true.into()])));
}

#[tokio::test]
async fn a_multicall_goes_on_without_its_client() {
    let plane = plane();
    let entries = ["a", "b"].map(|name| entry("supervisor.stopProcess", &[name.into()]));
    let body = encode_call("system.multicall", &[array(&entries)]);
    {
        let mut answer = pin!(plane.responder.respond(somebody(), body.to_owned().into()));
        let begun = std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx).is_pending())).await;
        assert!(begun, "the answer waits for control");
    }
    for name in ["a", "b"] {
        let Pending { call, reply, .. } = plane.next_call().await;
        assert_eq!(format!("{call:?}"), format!("StopProcess {{ name: \"{name}\", wait: true }}"));
        reply(Ok(Answer::Done));
    }
}

/// The texts of a read and a tail from the log at `path`.
async fn read_and_tail(path: Option<&str>, offset: i64, length: i64) -> (Result<Value, Fault>, Result<Value, Fault>) {
    let plane = plane();
    plane.view.publish_row(row("a", "a", path));
    let arguments = ["a".into(), offset.into(), length.into()];
    let read = plane.get("supervisor.readProcessStdoutLog", &arguments).await;
    let tail = plane.get("supervisor.tailProcessStdoutLog", &arguments).await;
    (read, tail)
}

fn tailed(text: &str, offset: i64, overflow: bool) -> Result<Value, Fault> {
    Ok(array(&[text.into(), offset.into(), overflow.into()]))
}

#[tokio::test]
async fn logs_are_read_in_parts() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.log");
    std::fs::write(&path, "0123456789").expect("a log");
    let path = path.to_str();
    assert_eq!(read_and_tail(path, 0, 4).await, (Ok("0123".into()), tailed("6789", 10, true)));
    assert_eq!(read_and_tail(path, -4, 0).await, (Ok("6789".into()), tailed("", 10, true)));
    assert_eq!(read_and_tail(path, 10, 5).await, (Ok("".into()), tailed("", 10, false)));
    let (read, _) = read_and_tail(path, -4, 1).await;
    assert_eq!(read, Err(Fault::new(FaultCode::BadArguments)));
}

#[tokio::test]
async fn logs_need_not_exist() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing = dir.path().join("b.log");
    let missing = missing.to_str().expect("a path of text");
    let no_file = Err(Fault::with(FaultCode::NoFile, missing));
    // Missing is found before the numbers are looked at.
    assert_eq!(read_and_tail(Some(missing), -1, 3).await, (no_file, tailed("", 0, false)));
    assert_eq!(read_and_tail(None, 0, 0).await, (Err(Fault::new(FaultCode::NoFile)), tailed("", 0, false)));
    for unreadable in [dir.path().to_str(), Some("/dev/zero")] {
        let failed = Err(Fault::new(FaultCode::Failed));
        assert_eq!(read_and_tail(unreadable, -1, 3).await, (failed, tailed("", -1, false)), "{unreadable:?}");
    }
}

#[tokio::test]
async fn the_activity_log_is_read_where_it_is_written() {
    assert_eq!(plane().fault("supervisor.readLog", &[0.into(), 0.into()]).await, "NO_FILE: syslog");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("activity.log");
    std::fs::write(&path, b"a\xffb").expect("a log");
    let plane = plane_logging_to(path.to_str().map(str::to_owned));
    assert_eq!(plane.get("supervisor.readLog", &[0.into(), 0.into()]).await, Ok("a\u{fffd}b".into()));
}
