//! Everybody's client against everybody's daemon.

use crate::harness::{Daemon, Observed, Scene, Subject, compare, python};

const PROGRAMS: &str = "
[program:cat]
command=cat
startsecs=0
stdout_logfile={dir}/cat.log
stderr_logfile={dir}/cat.err
[program:later]
command=sh -c 'echo ready; exec sleep 1000'
autostart=false
startsecs=0
stdout_logfile={dir}/later.log
[program:broken]
command=no-such-command
autostart=false
startretries=0
[program:member]
command=sleep 1000
startsecs=0
numprocs=2
process_name=%(program_name)s_%(process_num)d
[group:team]
programs=member
";

/// Every verb that answers at once, each in a state where it has something to say.
const VERBS: [&str; 38] = [
    "status",
    "status cat team:* nobody nogroup:*",
    "version",
    "avail",
    "pid cat later",
    "pid nobody",
    "start later",
    "start later",
    "start nobody",
    "start broken",
    "start nogroup:*",
    "start",
    "stop later",
    "stop later",
    "stop nobody nogroup:*",
    "stop",
    "restart cat",
    "restart later",
    "restart team:*",
    "restart",
    "signal HUP later nobody",
    "signal NONSENSE cat",
    "signal CONT team:*",
    "signal CONT broken",
    "signal",
    "tail later",
    "tail -3 later",
    "tail nobody",
    "tail later nonsense",
    "tail",
    "clear later nobody",
    "clear",
    "reread",
    "update",
    "add cat",
    "remove cat",
    "nonsense",
    "status all",
];

fn drive(daemon: &mut Daemon, client: Subject, observed: &mut Observed) {
    daemon.wait_for_states(&["cat", "team:member_0", "team:member_1"], "RUNNING");
    for verb in VERBS {
        if verb == "tail later" {
            daemon.wait_for_file("later.log");
        }
        let words: Vec<&str> = verb.split(' ').collect();
        let said = daemon.ctl_of(client, &words, "").transcript();
        let said = match verb.starts_with("pid ") {
            true => said.replace(&daemon.pid_of("cat").to_string(), "<pid>"),
            false => said,
        };
        // What follows a usage error is help, whose wording is free.
        let said = match said.contains("Error: ") {
            true => said
                .lines()
                .filter(|line| line.contains("Error: ") || line.starts_with("exit"))
                .collect::<Vec<_>>()
                .join("\n"),
            false => said,
        };
        // The processes of a group are reported in the order in which they finish.
        let said = if verb.contains(":*") { sorted(&said) } else { said };
        observed.note(daemon, verb, said);
    }
    let session = daemon.ctl_of(client, &[], "status cat\nstop cat\nstatus cat\nnonsense\nexit\n");
    observed.note(daemon, "a session", session.transcript());
    observed.note(daemon, "shutdown", daemon.ctl_of(client, &["shutdown"], "").transcript());
    observed.exactly("exit status", daemon.exit_code());
    // Ours explains itself on stderr besides.
    let afterwards = daemon.ctl_of(client, &["status"], "");
    observed.note(daemon, "afterwards", format!("{} {}", afterwards.stdout, afterwards.code));
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn both_clients_understand_both_daemons() {
    let clients = Subject::chosen();
    for client in clients {
        compare(&Scene::with("cross", PROGRAMS), |daemon, observed| drive(daemon, client, observed));
    }
}

/// What a client says does not depend on whose it is.
#[test]
fn both_clients_say_the_same() {
    let [Subject::Original, Subject::Ours] = Subject::chosen()[..] else { return };
    for subject in [Subject::Original, Subject::Ours] {
        let scene = Scene::with("cross", PROGRAMS);
        let said = [Subject::Original, Subject::Ours].map(|client| {
            let mut observed = Observed::new();
            drive(&mut scene.start(subject), client, &mut observed);
            observed
        });
        assert!(said[0] == said[1], "the two clients differ\n{}", said[0].difference(&said[1]));
    }
}

/// Scripts use Python's own client with the transport of the original's package.
const SCRIPT: &str = "
import os, sys, xmlrpc.client
from supervisor.xmlrpc import SupervisorTransport
transport = SupervisorTransport(None, None, 'unix://' + os.getcwd() + '/s.sock')
proxy = xmlrpc.client.ServerProxy('http://127.0.0.1', transport)
print(proxy.supervisor.getState())
print(proxy.supervisor.getAPIVersion(), proxy.supervisor.getSupervisorVersion(), proxy.supervisor.getIdentification())
print(sorted(proxy.supervisor.getProcessInfo('cat')))
print(len(proxy.supervisor.getAllProcessInfo()), len(proxy.system.listMethods()))
print(proxy.supervisor.stopProcess('cat'), proxy.supervisor.startProcess('cat', True))
print(proxy.supervisor.sendProcessStdin('cat', 'gr\\u00fc\\u00df dich\\n'))
print(proxy.supervisor.startProcess('team:*'), len(proxy.supervisor.stopProcessGroup('team')))
for bad in (lambda: proxy.supervisor.startProcess('nobody'), lambda: proxy.supervisor.startProcess(),
            lambda: proxy.supervisor.nonsense(), lambda: proxy.supervisor.startProcess('broken'),
            lambda: proxy.supervisor.readLog(-1, -1)):
    try:
        print(bad())
    except xmlrpc.client.Fault as fault:
        print(fault)
print(proxy.system.multicall([{'methodName': 'supervisor.getState'}, {'methodName': 'supervisor.stopProcess', 'params': ['cat']},
                              {'methodName': 'nonsense', 'params': []}]))
";

#[test]
fn python_scripts_find_what_they_expect() {
    compare(&Scene::with("python", PROGRAMS), |daemon, observed| {
        daemon.wait_for_states(&["cat", "team:member_0", "team:member_1"], "RUNNING");
        observed.note(daemon, "script", python::run(daemon, SCRIPT, &[]).transcript());
        daemon.wait_until("the text came through", |daemon| daemon.read("cat.log") == "grüß dich\n");
    });
}
