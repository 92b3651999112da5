//! Plug-ins written for the original: RPC interfaces, actions of `supervisorctl`, result handlers, listeners.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Daemon, Scene, Subject, Value, differ, only_ours, original, processes};

/// A plug-in with everything that plug-ins do, and some things that they should not do.
const PLUGIN: &str = r#"
import os, resource, signal, time
from supervisor import events
from supervisor.dispatchers import RejectEvent
from supervisor.http import NOT_DONE_YET
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.supervisorctl import ControllerPluginBase
from supervisor.xmlrpc import Faults, RPCError

class Interface(SupervisorNamespaceRPCInterface):
    def __init__(self, supervisord, **options):
        SupervisorNamespaceRPCInterface.__init__(self, supervisord)
        self.options, self.seen = options, []
        events.subscribe(events.ProcessStateEvent, lambda event: self.seen.append(event.payload()))
    def greet(self, name):
        """Greet somebody.

        @param string name whom
        @return string greeting the words
        """
        return self.options["greeting"] + " " + name
    def refuse(self):
        raise RPCError(Faults.BAD_NAME, "you")
    def boom(self):
        raise RuntimeError("boom")
    def hang(self):
        time.sleep(1000)
    def die(self):
        os._exit(3)
    def die_with_an_heir(self, released):
        if os.fork() == 0:
            for _ in range(600):
                time.sleep(0.1)
                if os.path.exists(released):
                    break
            os._exit(0)
        os._exit(3)
    def large(self, megabytes):
        return "<" * (megabytes << 20)
    def chatter(self, lines):
        for number in range(lines):
            self.supervisord.options.logger.info("x" * 1000)
        return True
    def ask_and_stop(self, questions):
        from supervisor import mirror
        xml = "<methodCall><methodName>supervisor.getAllConfigInfo</methodName></methodCall>"
        # Another process asks, so that the answers are never read.
        if os.fork() == 0:
            try:
                for number in range(questions):
                    mirror._channel.send("rpc", id=1000000 + number, xml=xml)
            finally:
                os._exit(0)
        os.kill(os.getpid(), signal.SIGSTOP)
    def eat(self):
        resource.setrlimit(resource.RLIMIT_AS, (512 << 20, resource.RLIM_INFINITY))
        return len(["x" * (1 << 20) for _ in range(4096)])
    def oom_score(self):
        return int(open("/proc/self/oom_score_adj").read())
    def later(self):
        left = [3]
        def poll():
            left[0] -= 1
            return NOT_DONE_YET if left[0] else "done"
        poll.delay = 0.05
        return poll
    def events(self):
        return self.seen
    def look(self):
        group = self.supervisord.process_groups["cat"]
        process = group.processes["cat"]
        return [process.config.command, process.state, sorted(self.supervisord.process_groups)]

def make(supervisord, **options):
    return Interface(supervisord, **options)

def judge(event, response):
    with open(os.environ["HOME"] + "/judged", "a") as log:
        log.write("%s %r\n" % (event.payload().split()[0], response))
    if response == b"again":
        raise RejectEvent(response)
    if response == b"die":
        os._exit(3)

class Actions(ControllerPluginBase):
    def do_shout(self, arg):
        self.ctl.output(arg.upper())
        self.ctl.exitstatus = 5
    def help_shout(self):
        self.ctl.output("shout <words>\tSay it loud")
    def do_status(self, arg):
        self.ctl.output("never reached")
    def do_both(self, arg):
        self.ctl.output("before")
        self.ctl.onecmd("pid cat")
        self.ctl.output(str(self.ctl.get_server_proxy("p").greet("ctl")))
    def do_fail(self, arg):
        raise KeyError("boom")

def make_actions(controller, **options):
    return Actions(controller)
"#;

const INTERFACE: &str = "[rpcinterface:p]\nsupervisor.rpcinterface_factory=plug:make\nGreeting=hello\n\
    [program:cat]\ncommand=/bin/cat\nstartsecs=0\n";

fn scene(name: &str, configuration: &str) -> Scene {
    let scene = Scene::with(name, configuration).file("lib/plug.py", PLUGIN);
    scene.env("PYTHONPATH", "{dir}/lib").env("SUPERVISOR_PLUGIN_TIMEOUT", "3")
}

fn started(name: &str, configuration: &str) -> Daemon {
    let mut daemon = scene(name, configuration).start(Subject::Ours);
    daemon.wait_for_state("cat", "RUNNING");
    daemon
}

#[test]
fn an_rpc_interface_answers_like_a_built_in_one() {
    only_ours(|| {
        let daemon = started("interface", INTERFACE);
        assert_eq!(daemon.call("p.greet", &["you".into()]).text(), "hello you");
        assert_eq!(daemon.call("p.later", &[]).text(), "done");
        assert_eq!(daemon.rpc("p.refuse", &[]), Err((10, "BAD_NAME: you".to_owned())));
        assert_eq!(daemon.rpc("p.greet", &[]), Err((2, "INCORRECT_PARAMETERS".to_owned())));
        assert_eq!(daemon.rpc("p.nothing", &[]), Err((1, "UNKNOWN_METHOD".to_owned())));
        let (code, text) = daemon.rpc("p.boom", &[]).expect_err("it raises");
        assert_eq!((code, text.as_str()), (30, "FAILED: <class 'RuntimeError'>:boom"));
        // Inherited methods can be called, but are not listed, as in the original.
        assert_eq!(daemon.call("p.getProcessInfo", &["cat".into()]).get("statename").text(), "RUNNING");
        let listed = format!("{:?}", daemon.call("system.listMethods", &[]));
        assert!(listed.contains("p.greet") && !listed.contains("p.getProcessInfo"), "{listed}");
        assert!(daemon.call("system.methodHelp", &["p.greet".into()]).text().starts_with("Greet somebody."));
        let look = format!("{:?}", daemon.call("p.look", &[]));
        assert!(look.contains("/bin/cat"), "{look}");
        let seen = format!("{:?}", daemon.call("p.events", &[]));
        assert!(seen.contains("processname:cat groupname:cat from_state:STOPPED tries:0"), "{seen}");
    });
}

/// Methods that the original answers with an internal error.
const INVALID_RESULTS: &str = r#"
class Careless:
    def nothing(self):
        return None
    def two(self):
        return 5, 6
    def huge(self):
        return 1 << 40
    def fail(self):
        raise ValueError("boom")
    def hasty(self):
        return lambda: 1

def make(supervisord, made):
    with open(made, "a") as file:
        file.write("x")
    return Careless()

def refuse(supervisord):
    raise ValueError("no")
"#;

#[test]
fn methods_with_invalid_results_are_answered() {
    let answers = ["nil", "[5, 6]", "fault 30 FAILED", "fault 30 FAILED", "fault 30 FAILED"];
    // In the original each server has its own object.
    differ((vec!["HTTP status 500".to_owned(); 5], 2), (answers.map(str::to_owned).into(), 1), |subject| {
        let text = "[rpcinterface:c]\nsupervisor.rpcinterface_factory=careless:make\nmade={dir}/made\n\
            [inet_http_server]\nport=127.0.0.1:{port}\n";
        let daemon = scene("careless", text).file("lib/careless.py", INVALID_RESULTS).start(subject);
        let answer = |method: &str| daemon.answer(&format!("c.{method}"), &[]);
        let answers = ["nothing", "two", "huge", "fail", "hasty"].map(answer);
        let short = |answer: String| answer.split(": ").next().unwrap_or_default().to_owned();
        (answers.map(short).into(), daemon.read("made").len())
    });
}

/// The original then does not start.
#[test]
fn a_factory_that_raises_disables_only_its_namespace() {
    differ(None, Some("fault 1 UNKNOWN_METHOD".to_owned()), |subject| {
        let text = "[rpcinterface:c]\nsupervisor.rpcinterface_factory=careless:refuse\n";
        let mut daemon = scene("raises", text).file("lib/careless.py", INVALID_RESULTS).launch(subject);
        daemon.comes_up().then(|| {
            let answer = daemon.answer("c.nothing", &[]);
            daemon.wait_for_log("ValueError: no");
            answer
        })
    });
}

#[test]
fn a_plug_in_that_hangs_or_dies_fails_only_its_own_calls() {
    only_ours(|| {
        let mut daemon = started("hang", INTERFACE);
        for (method, why) in [("p.die", "ended"), ("p.hang", "did not answer within 3 seconds")] {
            daemon.wait_until("the plug-in answers", |daemon| daemon.rpc("p.greet", &["you".into()]).is_ok());
            std::thread::scope(|scope| {
                let call = scope.spawn(|| daemon.rpc(method, &[]));
                assert_eq!(daemon.call("supervisor.getState", &[]).get("statename").text(), "RUNNING");
                let fault = call.join().expect("the call ends").expect_err("it has no answer");
                assert_eq!(fault, (30, format!("FAILED: the plug-in process {why}")));
            });
            assert_eq!(daemon.state_of("cat"), "RUNNING");
        }
        assert!(!daemon.log().contains("reaped unknown pid"), "{}", daemon.log());
        assert_eq!(daemon.stop(), 0);
    });
}

/// What it leaves running has its end of the stream still open.
#[test]
fn a_plug_in_that_dies_and_leaves_a_process_is_seen_to_have_died() {
    only_ours(|| {
        let mut daemon = started("heir", INTERFACE);
        daemon.wait_until("the plug-in answers", |daemon| daemon.rpc("p.greet", &["you".into()]).is_ok());
        let released = daemon.path("released").display().to_string();
        let fault = daemon.rpc("p.die_with_an_heir", &[released.as_str().into()]).expect_err("it has no answer");
        assert_eq!(fault, (30, "FAILED: the plug-in process ended".to_owned()));
        daemon.write("released", "");
        daemon.wait_until("another one answers", |daemon| daemon.rpc("p.greet", &["you".into()]).is_ok());
        assert_eq!(daemon.stop(), 0);
    });
}

/// How much memory a plug-in may make the daemon use temporarily, in kB.
const MAX_MEMORY_GROWTH_KB: u64 = 256 << 10;

/// A check of the answer of a plug-in.
type Check = fn(Result<Value, (i64, String)>);

#[test]
fn a_plug_in_that_floods_or_uses_much_memory_does_not_affect_others() {
    only_ours(|| {
        let many = "[program:other]\ncommand=/bin/cat\nautostart=false\nnumprocs=200\nprocess_name=o%(process_num)d\n";
        let scene = scene("harm", &format!("{INTERFACE}{many}")).env("SUPERVISOR_PLUGIN_TIMEOUT", "10");
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("cat", "RUNNING");
        let memory = |daemon: &Daemon| processes::status(daemon.pid(), "RssAnon").unwrap_or(0);
        let before = memory(&daemon);
        assert_eq!(daemon.call("p.oom_score", &[]).int(), 500);
        let calls: [(&str, &[Value], Check); 4] = [
            ("p.large", &[4.into()], |answer| assert_eq!(answer.expect("an answer").text().len(), 4 << 20)),
            ("p.chatter", &[20_000.into()], |answer| assert_eq!(answer, Ok(true.into()))),
            ("p.eat", &[], |answer| assert_eq!(answer, Err((30, "FAILED: <class 'MemoryError'>:".to_owned())))),
            ("p.ask_and_stop", &[1500.into()], |answer| {
                let stopped = "FAILED: the plug-in process did not answer within 10 seconds";
                assert_eq!(answer, Err((30, stopped.to_owned())));
            }),
        ];
        for (method, arguments, check) in calls {
            let mut most = 0;
            std::thread::scope(|scope| {
                let call = scope.spawn(|| daemon.rpc(method, arguments));
                while !call.is_finished() {
                    most = most.max(memory(&daemon));
                    assert_eq!(daemon.state_of("cat"), "RUNNING");
                }
                check(call.join().expect("the call ends"));
            });
            assert!(most < before + MAX_MEMORY_GROWTH_KB, "{method}: memory grew from {before} kB to {most} kB");
            daemon.wait_until("the memory is given back", |daemon| memory(daemon) < before + (32 << 10));
        }
        daemon.wait_until("the plug-ins are back", |daemon| daemon.rpc("p.greet", &["you".into()]).is_ok());
        assert_eq!(daemon.stop(), 0);
    });
}

/// The timeout for reading an event starts with the event, however long the plug-in was idle before.
#[test]
fn the_read_timeout_of_a_plug_in_starts_with_each_event() {
    only_ours(|| {
        let ear = "from supervisor import events\nheard = []\nclass Ear:\n    def heard(self):\n        return heard\n\
            def make(supervisord):\n    \
            events.subscribe(events.RemoteCommunicationEvent, lambda event: heard.append(len(event.payload())))\n    \
            return Ear()\n";
        let text = "[rpcinterface:p]\nsupervisor.rpcinterface_factory=ear:make\n\
            [program:pause]\ncommand=sleep 10\nstartsecs=0\nautostart=false\nautorestart=false\n";
        let scene = scene("idle", text).env("SUPERVISOR_PLUGIN_TIMEOUT", "9");
        let mut daemon = scene.file("lib/ear.py", ear).start(Subject::Ours);
        daemon.wait_until("the plug-in answers", |daemon| daemon.rpc("p.heard", &[]).is_ok());
        // Longer than the timeout of an answer.
        daemon.call("supervisor.startProcess", &["pause".into()]);
        daemon.wait_for_state("pause", "EXITED");
        // On the way to the plug-in each of these characters takes two bytes: just more than may be queued at a time.
        let data = "\"".repeat(8 << 20);
        daemon.call("supervisor.sendRemoteCommEvent", &["t".into(), data.as_str().into()]);
        let length = "type:t\n".len() + data.len();
        daemon.wait_until("it has heard all", |daemon| {
            daemon.rpc("p.heard", &[]).is_ok_and(|heard| heard == Value::Array(vec![(length as i64).into()]))
        });
        assert!(!daemon.log().contains("the plug-in process did not answer"), "{}", daemon.log());
        assert_eq!(daemon.log().matches("plug-in process started").count(), 1, "{}", daemon.log());
    });
}

/// Listeners cannot subscribe to them; see docs/extensions.md.
#[test]
fn subscribing_to_an_event_type_of_a_plug_in_is_refused() {
    only_ours(|| {
        let registering =
            scene("own", &format!("{INTERFACE}[rpcinterface:q]\nsupervisor.rpcinterface_factory=own:make\n"));
        let own = "from supervisor import events\nclass Own(events.Event):\n    pass\nevents.register('OWN', Own)\n\
            def make(supervisord):\n    return object()\n";
        let mut daemon = registering.file("lib/own.py", own).start(Subject::Ours);
        daemon.wait_for_log(
            "WARN the event type OWN of a plug-in is known to plug-ins only, event listeners do not get it",
        );
        daemon.wait_for_state("cat", "RUNNING");
        let listener = "[eventlistener:l]\ncommand=/bin/cat\nevents=OWN\n";
        let refused = scene("refused", listener).run(Subject::Ours);
        assert!(
            refused.stderr.contains("Unknown event type OWN in [eventlistener:l] events"),
            "{}",
            refused.transcript()
        );
    });
}

#[test]
fn plug_in_code_that_cannot_be_imported_is_refused_with_the_original_message() {
    only_ours(|| {
        for (factory, why) in [
            ("nowhere.to:be_found", ": No module named 'nowhere'"),
            ("plug:nothing", ": module 'plug' has no attribute 'nothing'"),
            ("bad:make", ": supervisor.web is not available"),
        ] {
            let text = format!("[rpcinterface:x]\nsupervisor.rpcinterface_factory={factory}\n");
            let output = scene("refused", &text).file("lib/bad.py", "import supervisor.web\n").run(Subject::Ours);
            let expected = format!("Error: {factory} cannot be resolved within [rpcinterface:x]{why}");
            assert!(output.stderr.contains(&expected), "{}", output.transcript());
            assert_eq!(output.code, 2);
        }
    });
}

/// Answers its first event with one result and all others with another.
const LISTENER: &str = r#"
import sys
from supervisor_words import words
while True:
    sys.stdout.write("READY\n"); sys.stdout.flush()
    header = dict(word.split(":") for word in sys.stdin.readline().split())
    sys.stdin.read(int(header["len"]))
    word = words.pop(0) if words else "fine"
    sys.stdout.write("RESULT %d\n%s" % (len(word), word)); sys.stdout.flush()
"#;

#[test]
fn a_result_handler_is_called_and_its_crash_loses_no_event() {
    only_ours(|| {
        let listener = "[eventlistener:l]\ncommand=python3 {dir}/l.py\nevents=REMOTE_COMMUNICATION\nstartsecs=0\n\
            result_handler=plug:judge\n[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";
        let scene = scene("judge", listener).file("l.py", LISTENER);
        let scene = scene.file("lib/supervisor_words.py", "words = ['again', 'die']\n");
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("l", "RUNNING");
        daemon.call("supervisor.sendRemoteCommEvent", &["t".into(), "d".into()]);
        daemon.wait_until("the event is accepted", |daemon| daemon.read("judged").contains("fine"));
        assert_eq!(daemon.read("judged"), "type:t b'again'\ntype:t b'die'\ntype:t b'fine'\n");
        assert!(daemon.log().contains("l: event was rejected"));
    });
}

#[test]
fn actions_of_plug_ins_work_beside_the_built_in_ones() {
    only_ours(|| {
        let text = format!("{INTERFACE}[ctlplugin:x]\nsupervisor.ctl_factory=plug:make_actions\n");
        let daemon = started("actions", &text);
        let shout = daemon.ctl(&["shout", "it", "loud"]);
        assert_eq!((shout.stdout.as_str(), shout.code), ("IT LOUD\n", 5));
        let both = daemon.ctl(&["both"]);
        assert_eq!(both.stdout, format!("before\n{}\nhello ctl\n", daemon.pid_of("cat")));
        let fail = daemon.ctl(&["fail"]);
        assert!(fail.stdout.starts_with("error: <class 'KeyError'>, 'boom': file: "), "{}", fail.transcript());
        assert_eq!(fail.code, 1);
        assert!(daemon.ctl(&["status"]).stdout.starts_with("cat "), "the built-in one wins");
        assert!(daemon.ctl(&["help"]).stdout.contains("x commands (type help <topic>):\n==="));
        assert_eq!(daemon.ctl(&["help", "shout"]).stdout, "*** No help on shout\nshout <words>\tSay it loud\n");
        let unknown = daemon.ctl(&["nosuch"]);
        assert_eq!((unknown.stdout.as_str(), unknown.code), ("*** Unknown syntax: nosuch\n", 1));
        let shell = daemon.ctl_of(Subject::Ours, &[], "shout a\nshout b\nexit\n").stdout;
        assert!(shell.contains("> A\n") && shell.contains("> B\n"), "{shell}");
    });
}

/// A file in the current directory, of the start or of the daemon, is neither a plug-in nor a part of Python.
#[test]
fn no_python_code_in_the_current_directory_is_imported() {
    const IMPORTED_BY_MISTAKE: &str = "import os\nopen(os.environ['HOME'] + '/trapped', 'a').write(__name__ + '\\n')\n\
        raise ImportError('a trap')\n";
    only_ours(|| {
        let text = format!(
            "[supervisord]\ndirectory={{dir}}/elsewhere\n{INTERFACE}[ctlplugin:x]\nsupervisor.ctl_factory=plug:make_actions\n"
        );
        // A relative entry is resolved against the directory in which the daemon was started.
        let mut scene = scene("directory", &text).env("PYTHONPATH", "lib");
        let modules =
            ["json", "socket", "os", "importlib", "base64", "queue", "threading", "encodings", "site", "types"];
        for module in modules.iter().chain(&["plug", "supervisor"]) {
            for place in ["", "elsewhere/", "elsewhere/lib/"] {
                scene = scene.file(&format!("{place}{module}.py"), IMPORTED_BY_MISTAKE);
            }
        }
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("cat", "RUNNING");
        assert_eq!(daemon.ctl(&["shout", "it"]).stdout, "IT\n");
        for _ in 0..2 {
            daemon.wait_until("the plug-in answers", |daemon| daemon.rpc("p.greet", &["you".into()]).is_ok());
            // The next process starts in the daemon's current directory.
            daemon.rpc("p.die", &[]).expect_err("it ends");
        }
        assert_eq!(daemon.read("trapped"), "");
    });
}

/// An interpreter with published plug-ins, and with our package in place of the original's.
fn published() -> PathBuf {
    const PACKAGES: [&str; 7] = [
        "setuptools<81",
        "supervisor_twiddler==1.0.0",
        "supervisor_cache==1.1.0",
        "mr.laforge==0.9",
        "supervisor-wildcards==0.1.3",
        "supervisor-serialrestart==0.1.1",
        "superlance==2.0.0",
    ];
    let directory = original::cache().join("plugins");
    original::once(&directory, &PACKAGES, |directory| {
        original::run(Command::new("python3").args(["-m", "venv"]).arg(directory));
        let pip = |arguments: &[&str]| {
            let mut command = Command::new(directory.join("bin/python"));
            original::run(command.args(["-m", "pip", "install", "--quiet", "--no-deps"]).args(arguments));
        };
        pip(&PACKAGES);
        pip(&[concat!(env!("CARGO_MANIFEST_DIR"), "/python")]);
    });
    directory.join("bin")
}

const PUBLISHED: &str = "\
[rpcinterface:twiddler]\nsupervisor.rpcinterface_factory=supervisor_twiddler.rpcinterface:make_twiddler_rpcinterface\n\
[rpcinterface:cache]\nsupervisor.rpcinterface_factory=supervisor_cache.rpcinterface:make_cache_rpcinterface\n\
[rpcinterface:laforge]\nsupervisor.rpcinterface_factory=mr.laforge.rpcinterface:make_laforge_rpcinterface\n\
[ctlplugin:cache]\nsupervisor.ctl_factory=supervisor_cache.controllerplugin:make_cache_controllerplugin\n\
[ctlplugin:wildcards]\nsupervisor.ctl_factory=supervisorwildcards.controllerplugin:make_wildcards_controllerplugin\n\
[ctlplugin:serial]\n\
supervisor.ctl_factory=supervisorserialrestart.controllerplugin:make_serialrestart_controllerplugin\n\
[program:cat]\ncommand=/bin/cat\nstartsecs=0\n";

#[test]
fn published_plug_ins_work() {
    only_ours(|| {
        let python = published().join("python").display().to_string();
        let mut daemon = scene("published", PUBLISHED).env("SUPERVISOR_PYTHON", &python).start(Subject::Ours);
        daemon.wait_for_state("cat", "RUNNING");

        let names = format!("{:?}", daemon.call("twiddler.getGroupNames", &[]));
        assert!(names.contains("cat"), "{names}");
        daemon.call("twiddler.log", &["a word".into(), "WARN".into()]);
        daemon.wait_for_log("WARN a word");
        let options =
            Value::Struct(vec![("command".into(), "/bin/sleep 100".into()), ("startsecs".into(), "0".into())]);
        daemon.call("twiddler.addProgramToGroup", &["cat".into(), "more".into(), options]);
        daemon.call("supervisor.startProcess", &["cat:more".into()]);
        let removal = ["cat".into(), "more".into()];
        assert_eq!(
            daemon.rpc("twiddler.removeProcessFromGroup", &removal),
            Err((91, "STILL_RUNNING: more".to_owned()))
        );
        daemon.call("supervisor.stopProcess", &["cat:more".into()]);
        daemon.call("twiddler.removeProcessFromGroup", &removal);
        assert_eq!(
            daemon.rpc("supervisor.startProcess", &["cat:more".into()]),
            Err((10, "BAD_NAME: cat:more".to_owned()))
        );

        assert_eq!(daemon.ctl(&["cache_store", "key", "value"]).code, 0);
        assert_eq!(daemon.call("cache.fetch", &["key".into()]).text(), "value");
        assert_eq!(daemon.ctl(&["cache_fetch", "key"]).stdout, "'value'\n");

        let first = daemon.pid_of("cat");
        assert_eq!(daemon.ctl(&["mrestart", "c*"]).stdout, "cat: stopped\ncat: started\n");
        let second = daemon.pid_of("cat");
        assert_eq!(daemon.ctl(&["serialrestart", "cat"]).stdout, "cat: stopped\ncat: started\n");
        let third = daemon.pid_of("cat");
        assert!(first != second && second != third);
        daemon.call("laforge.killProcess", &["cat:cat".into(), "KILL".into()]);
        daemon.wait_until("the signal has come", |daemon| daemon.log().contains("terminated by SIGKILL"));
    });
}

#[test]
fn published_listeners_run_with_our_package() {
    only_ours(|| {
        let bin = published();
        let text = format!(
            "[program:brief]\ncommand=/bin/sh -c 'sleep 0.2; exit 3'\nstartsecs=0\nautorestart=false\nautostart=false\n\
             [eventlistener:crashmail]\nevents=PROCESS_STATE_EXITED\nstartsecs=0\nstderr_logfile={{dir}}/crashmail.err\n\
             command={}/crashmail -a -m to@nowhere -s 'cat - >{{dir}}/mail'\n",
            bin.display()
        );
        let mut daemon = scene("superlance", &text).start(Subject::Ours);
        daemon.wait_for_state("crashmail", "RUNNING");
        daemon.call("supervisor.startProcess", &["brief".into()]);
        daemon.wait_until("the mail is written", |daemon| daemon.read("mail").contains("brief exited unexpectedly"));
    });
}
