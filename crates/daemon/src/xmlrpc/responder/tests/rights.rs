//! What an actor with which right may ask, method by method. Whatever the table has is asked for.

use supervisord_config::model::Plugin;
use supervisord_wire::xmlrpc::encode_call;

use super::*;
use crate::plugins::Plugins;

/// All rights, and none.
const RIGHTS: [Option<Right>; 4] = [None, Some(Right::View), Some(Right::Operate), Some(Right::Administer)];

/// The right that a method is to need. A new method that changes something needs the highest, or a line here.
fn needed(method: &str) -> Right {
    let begins = |starts: &[&str], name: &str| starts.iter().any(|start| name.starts_with(start));
    match method.split_once('.').expect("a namespace") {
        ("system", _) => Right::View,
        (_, name) if begins(&["get", "read", "tail"], name) => Right::View,
        (_, name) if begins(&["start", "stop", "signal", "send", "disable", "enable", "scale"], name) => Right::Operate,
        (_, "clearProcessLog" | "clearProcessLogs" | "clearAllProcessLogs" | "reloadProcess") => Right::Operate,
        _ => Right::Administer,
    }
}

/// What each parameter of a method may be.
fn arguments(types: &[&str]) -> Vec<Value> {
    let argument = |name: &&str| match *name {
        "string" => "a".into(),
        "int" => 0.into(),
        "boolean" => false.into(),
        "array" => array(&[]),
        other => panic!("an argument of the type {other}"),
    };
    types.iter().skip(1).map(argument).collect()
}

/// All methods with good arguments.
async fn methods(plane: &Plane) -> Vec<(String, Vec<Value>)> {
    let names = plane.get("system.listMethods", &[]).await.expect("names");
    let mut methods = Vec::new();
    for name in names.as_array().expect("an array") {
        let types = plane.get("system.methodSignature", std::slice::from_ref(name)).await.expect("types");
        let types: Vec<&str> = types.as_array().expect("an array").iter().filter_map(Value::as_str).collect();
        methods.push((name.as_str().expect("a name").to_owned(), arguments(&types)));
    }
    methods
}

/// A control that does whatever it is asked, and how often it was asked.
fn obedient(calls: Receiver<Pending>) -> Arc<StdMutex<usize>> {
    let count = Arc::new(StdMutex::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for Pending { reply, .. } in calls {
            *counted.lock().expect("no panics") += 1;
            reply(Ok(Answer::Done));
        }
    });
    count
}

/// Who asks, and what is asked for, in how many calls.
struct Asker {
    responder: Responder,
    actor: Actor,
    asked: Arc<StdMutex<usize>>,
}

impl Asker {
    async fn get(&self, method: &str, arguments: &[Value]) -> Result<Value, Fault> {
        let body = encode_call(method, arguments).into();
        let document = self.responder.respond(self.actor.clone(), body).await.expect("a document");
        let (text, _reservation) = document.into_text(&self.responder.api).await.expect("memory");
        decode_response(text.as_bytes()).expect("a good document")
    }

    /// The fault that says what this actor may not do.
    fn refusal(&self, method: &str) -> Option<Fault> {
        let missing = if self.actor.right.is_none() { Right::View } else { needed(method) };
        let is_refused = self.actor.right < Some(missing);
        is_refused.then(|| Fault::with(FaultCode::Failed, format_args!("{} may not {missing}", self.actor)))
    }
}

#[tokio::test]
async fn each_method_needs_a_right_alone_and_in_a_multicall() {
    let plane = plane();
    let methods = methods(&plane).await;
    assert!(methods.len() > 40, "{methods:?}");
    let Plane { responder, view, calls, _poll, .. } = plane;
    view.publish_row(row("a", "a", Some("/nonexistent")));
    let asked = obedient(calls);
    for right in RIGHTS {
        let actor = Actor { right, ..somebody() };
        let asker = Asker { responder: responder.clone(), actor, asked: asked.clone() };
        for (method, arguments) in &methods {
            let before = *asker.asked.lock().expect("no panics");
            let alone = asker.get(method, arguments).await;
            let entries = [array(&[entry(method, arguments)])];
            let within = asker.get("system.multicall", &entries).await;
            let after = *asker.asked.lock().expect("no panics");
            let changes = if needed(method) == Right::View { 0 } else { 2 };
            let Some(refusal) = asker.refusal(method) else {
                assert!(!alone.as_ref().is_err_and(|fault| fault.text.contains("may not")), "{method}: {alone:?}");
                assert_eq!(
                    after - before,
                    changes,
                    "{method} with {right:?} reaches control where it changes something"
                );
                continue;
            };
            assert_eq!(alone, Err(refusal.clone()), "{method} with {right:?}");
            assert_eq!(after, before, "{method} with {right:?} does nothing");
            match within {
                Err(fault) => assert_eq!((fault, right), (refusal, None)),
                Ok(results) => {
                    let text = results
                        .as_array()
                        .and_then(|results| results[0].member("faultString")?.as_str().map(str::to_owned));
                    assert_eq!(text, Some(refusal.text), "{method} with {right:?} in a multicall");
                }
            }
        }
    }
}

#[tokio::test]
async fn methods_of_plug_ins_are_for_those_who_may_do_everything() {
    let plane = plane();
    let plugin = Plugin { name: "mine".to_owned(), factory: "a:b".to_owned(), options: Vec::new() };
    let mut with_plugin = config([]);
    with_plugin.rpc_interfaces.push(plugin);
    let plugins = Plugins::new(&with_plugin, std::path::Path::new("/"), Arc::new(|_| {}));
    // Nobody serves them: what gets through is a fault, too, but another.
    drop(plugins.take_work());
    let responder = Responder::new(plane.responder.api.clone(), vec!["supervisor".to_owned()], Arc::new(plugins));
    for right in RIGHTS.into_iter().filter(|right| *right < Some(Right::Administer)) {
        let actor = Actor { right, ..somebody() };
        let asker = Asker { responder: responder.clone(), actor, asked: Arc::default() };
        let missing = if right.is_none() { Right::View } else { Right::Administer };
        let fault = Fault::with(FaultCode::Failed, format_args!("{} may not {missing}", asker.actor));
        assert_eq!(asker.get("mine.do", &[]).await, Err(fault.clone()));
        if right.is_some() {
            let results = asker.get("system.multicall", &[array(&[entry("mine.do", &[])])]).await.expect("results");
            let text = results.as_array().and_then(|results| results[0].member("faultString"));
            assert_eq!(text, Some(&fault.text.as_str().into()));
        }
    }
}
