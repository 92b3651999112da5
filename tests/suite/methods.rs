//! Every XML-RPC method, with valid and invalid arguments, compared.

use std::collections::BTreeSet;

use supervisord_daemon::xmlrpc::Methods;

use crate::harness::areas::Area;
use crate::harness::programs::{CAT, EARLY, LATER, TEAM};
use crate::harness::record;
use crate::harness::rpc::{self, Answer};
use crate::harness::{Daemon, Scene, Value, compare};

/// Processes in every state that lasts.
fn world() -> String {
    [CAT, LATER, EARLY, TEAM, OTHERS].concat()
}

const OTHERS: &str = "
[program:talk]
command=sh -c 'printf 0123456789; printf abc >&2; exec sleep 1000'
startsecs=0
stdout_logfile={dir}/talk.out
stderr_logfile={dir}/talk.err
[program:ended]
command=sh -c 'sleep 0.3; exit 7'
autorestart=false
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
[program:fails]
command=nowhere
startretries=0
stdout_logfile=NONE
stderr_logfile=NONE
[program:slow]
command=sleep 1000
autostart=false
startsecs=1
stdout_logfile=NONE
stderr_logfile=NONE
[supervisord]
identifier=the one
";

/// Calls in order; `wait NAME STATE` waits for a process. A word is a string, unless it is a number, `true`, `false`,
/// `nil`, `[]` or `{}`; `'5'` is the string of a number and `''` the empty string, `~` within a word is a space.
const CALLS: &str = "
supervisor.getAPIVersion
supervisor.getVersion
supervisor.getSupervisorVersion
supervisor.getIdentification
supervisor.getState
supervisor.getPID
supervisor.getProcessInfo cat
supervisor.getProcessInfo later
supervisor.getProcessInfo ended
supervisor.getProcessInfo fails
supervisor.getProcessInfo team:member_1
supervisor.getProcessInfo cat:cat
supervisor.getProcessInfo member_1
supervisor.getProcessInfo team
supervisor.getProcessInfo team:*
supervisor.getProcessInfo team:
supervisor.getProcessInfo nobody
supervisor.getProcessInfo ''
supervisor.getProcessInfo :
supervisor.getProcessInfo CAT
supervisor.getProcessInfo a:b:c
supervisor.getAllProcessInfo
supervisor.getAllConfigInfo
supervisor.startProcess later
supervisor.startProcess later
supervisor.startProcess nobody
supervisor.startProcess fails
supervisor.startProcess early
supervisor.startProcess slow true
supervisor.startProcess team:*
supervisor.startProcess nogroup:*
supervisor.startProcess later 0
supervisor.stopProcess later
supervisor.stopProcess later
supervisor.stopProcess ended
supervisor.stopProcess nobody
supervisor.stopProcess team:member_0
supervisor.startProcess team:*
supervisor.stopProcess team:* true
supervisor.startProcessGroup team
supervisor.startProcessGroup team
supervisor.startProcessGroup team:*
supervisor.startProcessGroup nobody
supervisor.startProcessGroup fails
supervisor.stopProcessGroup team
supervisor.stopProcessGroup team
supervisor.stopProcessGroup nobody
supervisor.stopProcess slow true
supervisor.stopAllProcesses
supervisor.stopAllProcesses
supervisor.startAllProcesses
wait ended EXITED
supervisor.signalProcess cat CONT
supervisor.signalProcess cat SIGCONT
supervisor.signalProcess cat cont
supervisor.signalProcess cat 18
supervisor.signalProcess cat '18'
supervisor.signalProcess cat 0
supervisor.signalProcess cat NONSENSE
supervisor.signalProcess cat ''
supervisor.signalProcess cat 35
supervisor.signalProcess cat 64
supervisor.signalProcess cat 99
supervisor.signalProcess cat -1
supervisor.signalProcess cat RTMIN+1
supervisor.signalProcess ended CONT
supervisor.signalProcess nobody NONSENSE
supervisor.signalProcess team:* CONT
supervisor.signalProcess team:* NONSENSE
supervisor.signalProcessGroup team CONT
supervisor.signalProcessGroup ended CONT
supervisor.signalProcessGroup nobody CONT
supervisor.signalAllProcesses CONT
supervisor.signalAllProcesses NONSENSE
supervisor.readProcessStdoutLog talk 0 0
supervisor.readProcessStdoutLog talk 0 4
supervisor.readProcessStdoutLog talk 3 4
supervisor.readProcessStdoutLog talk 8 100
supervisor.readProcessStdoutLog talk 10 0
supervisor.readProcessStdoutLog talk 100 5
supervisor.readProcessStdoutLog talk -4 0
supervisor.readProcessStdoutLog talk -100 0
supervisor.readProcessStdoutLog talk -4 1
supervisor.readProcessStdoutLog talk 0 -1
supervisor.readProcessStdoutLog talk '1' '2'
supervisor.readProcessStdoutLog talk true 2
supervisor.readProcessStdoutLog ended 0 0
supervisor.readProcessStdoutLog nobody 0 0
supervisor.readProcessStdoutLog team:* 0 0
supervisor.readProcessStderrLog talk 0 0
supervisor.readProcessStderrLog talk -2 0
supervisor.readProcessStderrLog later 0 0
supervisor.readProcessLog talk 0 4
supervisor.tailProcessStdoutLog talk 0 5
supervisor.tailProcessStdoutLog talk 5 5
supervisor.tailProcessStdoutLog talk 0 20
supervisor.tailProcessStdoutLog talk 0 0
supervisor.tailProcessStdoutLog talk 5 6
supervisor.tailProcessStdoutLog talk 9 1
supervisor.tailProcessStdoutLog talk 10 5
supervisor.tailProcessStdoutLog talk 20 5
supervisor.tailProcessStdoutLog talk -3 5
supervisor.tailProcessStdoutLog talk -20 5
supervisor.tailProcessStdoutLog talk -4 20
supervisor.tailProcessStdoutLog talk 3 3
supervisor.tailProcessStdoutLog talk 8 5
supervisor.tailProcessStdoutLog talk 0 -1
supervisor.tailProcessStdoutLog talk 20 -5
supervisor.tailProcessStdoutLog ended 0 5
supervisor.tailProcessStdoutLog nobody 0 5
supervisor.tailProcessStderrLog talk 0 100
supervisor.tailProcessLog talk 0 100
supervisor.clearProcessLogs nobody
supervisor.clearProcessLogs team:*
supervisor.clearProcessLogs talk
supervisor.readProcessStdoutLog talk 0 0
supervisor.clearProcessLog talk
supervisor.clearAllProcessLogs
supervisor.sendProcessStdin cat some~text
supervisor.sendProcessStdin cat ''
supervisor.sendProcessStdin ended text
supervisor.sendProcessStdin nobody text
supervisor.sendProcessStdin team:* text
supervisor.sendRemoteCommEvent type data
supervisor.sendRemoteCommEvent '' ''
supervisor.sendRemoteCommEvent 5 true
supervisor.readLog 0 10
supervisor.readMainLog 0 10
supervisor.readLog -1 1
supervisor.readLog 10000000 1
supervisor.clearLog
supervisor.reloadConfig
supervisor.addProcessGroup cat
supervisor.addProcessGroup nobody
supervisor.addProcessGroup team:*
supervisor.removeProcessGroup cat
supervisor.removeProcessGroup nobody
supervisor.removeProcessGroup team:*
supervisor.stopProcess cat
supervisor.removeProcessGroup cat
supervisor.removeProcessGroup cat
supervisor.getProcessInfo cat
supervisor.addProcessGroup cat
system.methodSignature supervisor.startProcess
system.methodSignature supervisor.nonsense
system.methodSignature nonsense
system.methodHelp supervisor.nonsense
system.methodHelp ''
supervisor.nonsense
nonsense
''
supervisor
supervisor.
supervisor._update
supervisor.supervisord
supervisor.a.b
SUPERVISOR.getState
system.nonsense
system.multicall []
system.multicall {}
system.multicall 5
";

/// Methods that the original does not have; they have tests of their own.
pub const ADDED: [&str; 8] = [
    "supervisor.disableProcess",
    "supervisor.enableProcess",
    "supervisor.getConfigWarnings",
    "supervisor.getDisabledProcesses",
    "supervisor.reloadProcess",
    "supervisor.scaleProgram",
    "supervisor.stopProcessWithDependents",
    "supervisor.upgrade",
];

/// The methods of both programs.
fn shared() -> Vec<&'static str> {
    (Methods { supervisor: true }).list().into_iter().filter(|method| !ADDED.contains(method)).collect()
}

/// Methods that would end the daemon.
const ENDINGS: [&str; 2] = ["supervisor.restart", "supervisor.shutdown"];

#[test]
fn answers_are_equal() {
    compare(&Scene::with("methods", &world()), |daemon, observed| {
        settle(daemon);
        for line in CALLS.lines().filter(|line| !line.is_empty()) {
            if let Some((name, state)) = line.strip_prefix("wait ").and_then(|wait| wait.split_once(' ')) {
                daemon.wait_for_state(name, state);
                continue;
            }
            let (method, arguments) = parse(line);
            match (method.as_str(), ask(daemon, &method, &arguments)) {
                ("supervisor.getPID", answer) => {
                    assert_eq!(answer, Answer::Value(Value::Int(daemon.pid().into())));
                }
                (_, answer) => observed.note(daemon, line, normalized_answer(answer)),
            }
        }
    });
}

/// Waits until every process has reached its final state.
fn settle(daemon: &mut Daemon) {
    daemon.wait_for_states(&["cat", "talk", "team:member_0", "team:member_1"], "RUNNING");
    daemon.wait_for_state("ended", "EXITED");
    daemon.wait_for_state("fails", "FATAL");
    daemon.wait_until("it has talked", |daemon| {
        daemon.read("talk.out").len() == 10 && daemon.read("talk.err").len() == 3
    });
}

/// The original fails with an internal error for a value of the wrong type; ours answers with a fault.
#[test]
fn arguments_of_wrong_number_or_type_are_refused() {
    let odd = [Value::Nil, Value::Array(Vec::new()), Value::Struct(Vec::new()), "text".into()];
    compare(&Scene::with("arguments", &world()), |daemon, observed| {
        settle(daemon);
        for method in shared() {
            let parameters = daemon.call("system.methodSignature", &[method.into()]).items().len() - 1;
            observed.exactly(method, parameters);
            let too_many = vec![Value::from("x"); parameters + 1];
            observed.exactly("too many", ask(daemon, method, &too_many));
            if parameters > 0 && !method.contains("All") {
                observed.exactly("too few", ask(daemon, method, &[]));
            }
        }
        for (method, good) in [
            ("supervisor.readLog", vec![Value::Int(0), Value::Int(1)]),
            ("supervisor.readProcessStdoutLog", vec!["talk".into(), Value::Int(0), Value::Int(1)]),
            ("supervisor.tailProcessStderrLog", vec!["talk".into(), Value::Int(0), Value::Int(1)]),
            ("supervisor.sendProcessStdin", vec!["cat".into(), "x".into()]),
            ("supervisor.getProcessInfo", vec!["cat".into()]),
            ("supervisor.startProcess", vec!["cat".into()]),
            ("supervisor.signalProcess", vec!["cat".into(), "CONT".into()]),
            ("system.multicall", vec![Value::Array(Vec::new())]),
        ] {
            for (position, good_value) in good.iter().enumerate() {
                for value in odd.iter().filter(|value| !same_type(value, good_value)) {
                    let mut arguments = good.clone();
                    arguments[position] = value.clone();
                    let refused = match ask(daemon, method, &arguments) {
                        Answer::Http(500) | Answer::Fault((2, _)) => "refused".to_owned(),
                        other => other.to_string(),
                    };
                    observed.exactly(&format!("{method} with {value} as argument {position}"), refused);
                }
            }
        }
    });
}

fn same_type(left: &Value, right: &Value) -> bool {
    std::mem::discriminant(left) == std::mem::discriminant(right)
}

/// The wording of the help is ours; the documented parameters are not.
#[test]
fn every_method_has_the_same_signature_and_help() {
    compare(&Scene::with("descriptions", ""), |daemon, observed| {
        let methods = daemon.call("system.listMethods", &[]);
        let methods: Vec<&str> =
            methods.items().iter().map(Value::text).filter(|method| !ADDED.contains(method)).collect();
        observed.exactly("methods", methods.join("\n"));
        for method in methods {
            observed.exactly("signature", daemon.call("system.methodSignature", &[method.into()]));
            let help = daemon.call("system.methodHelp", &[method.into()]).text().to_owned();
            assert!(!help.trim().is_empty(), "{method} has no help");
            let tag = |line: &str| -> Option<String> {
                let words: Vec<&str> = line.split_whitespace().take(2).collect();
                ["@param", "@return"].contains(words.first()?).then(|| words.join(" "))
            };
            observed.exactly(method, help.lines().filter_map(tag).collect::<Vec<_>>().join("\n"));
        }
    });
}

#[test]
fn multicall_answers_in_order() {
    let entry = |method: &str, parameters: &[Value]| {
        Value::Struct(vec![
            ("methodName".to_owned(), method.into()),
            ("params".to_owned(), Value::Array(parameters.to_vec())),
        ])
    };
    let entries = Value::Array(vec![
        entry("supervisor.getState", &[]),
        entry("supervisor.stopProcess", &["cat".into()]),
        entry("supervisor.startProcess", &["cat".into()]),
        entry("supervisor.startProcess", &["team:*".into()]),
        entry("supervisor.startProcess", &["nobody".into()]),
        entry("supervisor.startProcess", &[]),
        entry("supervisor.nonsense", &[]),
        entry("system.multicall", &[Value::Array(Vec::new())]),
        Value::Struct(vec![("methodName".to_owned(), "supervisor.getAPIVersion".into())]),
        Value::Struct(vec![("params".to_owned(), Value::Array(Vec::new()))]),
        Value::Struct(Vec::new()),
    ]);
    compare(&Scene::with("multicall", &world()), |daemon, observed| {
        settle(daemon);
        observed.note(
            daemon,
            "results",
            normalized_answer(ask(daemon, "system.multicall", std::slice::from_ref(&entries))),
        );
    });
}

/// A process that takes long to stop keeps the daemon in its shutdown.
#[test]
fn methods_are_refused_during_shutdown() {
    let stubborn = "[program:p]\ncommand=sh -c 'trap \"\" TERM; touch ready; while :; do sleep 0.1; done'\nstartsecs=0\nstopwaitsecs=300\n\
        killasgroup=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
    for ending in ENDINGS {
        compare(&Scene::with("ending", stubborn), |daemon, observed| {
            daemon.wait_for_state("p", "RUNNING");
            daemon.wait_until("it ignores TERM", |daemon| daemon.path("ready").exists());
            observed.exactly(ending, ask(daemon, ending, &[]));
            daemon.wait_for_log("waiting for p to die");
            for line in CALLS.lines().filter(|line| !line.is_empty() && !line.starts_with("wait ")) {
                let (method, arguments) = parse(line);
                if arguments.iter().all(|argument| matches!(argument, Value::Text(_) | Value::Int(_))) {
                    observed.note(daemon, line, ask(daemon, &method, &arguments));
                }
            }
            observed.exactly("again", ask(daemon, "supervisor.shutdown", &[]));
            observed.exactly("with an argument", ask(daemon, "supervisor.getState", &["x".into()]));
        });
    }
}

/// Every method of the method table is called above, and the original has each of them.
#[test]
fn coverage() {
    let called: BTreeSet<&str> =
        CALLS.lines().filter_map(|line| line.split(' ').next()).chain(ENDINGS).chain(["system.listMethods"]).collect();
    let bare: Vec<&str> = shared().into_iter().filter(|method| !called.contains(method)).collect();
    record::covered(Area::XmlRpc, "methods", shared().len() - bare.len(), shared().len());
    assert!(bare.is_empty(), "methods that are never called: {bare:?}");
}

/// Programs and daemons with unwanted output use such logs. (The original as root removes the device when such a log is
/// cleared, which no test here does.)
#[test]
fn a_log_that_is_the_null_device_is_empty() {
    let text = "[supervisord]\nlogfile=/dev/null\nlogfile_maxbytes=0\n\
        [program:p]\ncommand=sh -c 'echo hello; exec sleep 1000'\nstartsecs=0\n\
        stdout_logfile=/dev/null\nstdout_logfile_maxbytes=0\nstderr_logfile={dir}/directory\nstderr_logfile_maxbytes=0\n\
        autostart=false\n";
    compare(&Scene::with("null", text).shell("mkdir directory"), |daemon, observed| {
        for (offset, length) in [(0, 0), (-5, 0), (5, 5), (-1, 1), (0, 100), (7, 100)] {
            let range = [Value::Int(offset), Value::Int(length)];
            observed.exactly("readLog", ask(daemon, "supervisor.readLog", &range));
            for log in ["Stdout", "Stderr"] {
                for verb in ["read", "tail"] {
                    let method = format!("supervisor.{verb}Process{log}Log");
                    observed.exactly(&method, ask(daemon, &method, &[&["p".into()][..], &range].concat()));
                }
            }
        }
        for command in [&["tail", "p"][..], &["tail", "-5", "p"], &["tail", "p", "stderr"], &["maintail"]] {
            observed.exactly(&command.join(" "), daemon.ctl(command).transcript());
        }
    });
}

fn ask(daemon: &Daemon, method: &str, arguments: &[Value]) -> Answer {
    rpc::ask(&daemon.path("s.sock"), method, arguments)
        .unwrap_or_else(|error| panic!("{method} {arguments:?}: {error}\n{}", daemon.report()))
}

fn parse(line: &str) -> (String, Vec<Value>) {
    let mut words = line.split(' ').map(|word| match word {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "nil" => Value::Nil,
        "[]" => Value::Array(Vec::new()),
        "{}" => Value::Struct(Vec::new()),
        word => match word.parse() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Text(word.trim_matches('\'').replace('~', " ")),
        },
    });
    let method = words.next().map(|method| method.text().to_owned()).unwrap_or_default();
    (method, words.collect())
}

/// An answer without what varies: times and pids become whether they are set, arrays of results are sorted.
fn normalized_answer(answer: Answer) -> Answer {
    match answer {
        Answer::Value(value) => Answer::Value(normalized(value)),
        other => other,
    }
}

fn normalized(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(normalized).collect();
            if items.iter().all(|item| *item.get("status") != Value::Nil) {
                items.sort_by_key(Value::to_string);
            }
            Value::Array(items)
        }
        Value::Struct(members) => Value::Struct(
            members
                .into_iter()
                .map(|(name, value)| match (name.as_str(), value) {
                    ("start" | "stop" | "now" | "pid", Value::Int(number)) => (name, Value::Bool(number != 0)),
                    (_, value) => (name, normalized(value)),
                })
                .collect(),
        ),
        other => other,
    }
}
