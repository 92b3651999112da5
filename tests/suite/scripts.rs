//! Clients in other languages, as in deployments.

use std::path::Path;
use std::process::Command;

use crate::harness::programs::{BROKEN, CAT, LATER, RUNNING, TEAM};
use crate::harness::{Scene, Subject, command, compare, needs, original, python};

fn world() -> String {
    [CAT, LATER, BROKEN, TEAM].concat()
}

/// Python's own XML-RPC client with the transport of the original's package.
const SCRIPT: &str = "
import os, sys, time, xmlrpc.client
from supervisor.xmlrpc import SupervisorTransport
transport = SupervisorTransport(None, None, 'unix://' + os.getcwd() + '/s.sock')
proxy = xmlrpc.client.ServerProxy('http://127.0.0.1', transport)
print(proxy.supervisor.getState())
print(proxy.supervisor.getAPIVersion(), proxy.supervisor.getSupervisorVersion(), proxy.supervisor.getIdentification())
print(sorted(proxy.supervisor.getProcessInfo('cat')))
print(len(proxy.supervisor.getAllProcessInfo()), 'supervisor.getState' in proxy.system.listMethods())
print(proxy.supervisor.stopProcess('cat'), proxy.supervisor.startProcess('cat', True))
print(proxy.supervisor.sendProcessStdin('cat', 'gr\\u00fc\\u00df dich\\n'))
# It is stopped below, and must have read the text before.
while not os.path.exists('cat.log') or not os.path.getsize('cat.log'):
    time.sleep(0.02)
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
fn python_scripts_get_the_same_results() {
    // The transport is the original's.
    if !Subject::chosen().contains(&Subject::Original) {
        return;
    }
    compare(&Scene::with("python", &world()), |daemon, observed| {
        daemon.wait_for_states(&RUNNING, "RUNNING");
        observed.note(daemon, "script", python::run(daemon, SCRIPT, &[]).transcript());
        daemon.wait_until("the text came through", |daemon| daemon.read("cat.log") == "grüß dich\n");
    });
}

/// A generic client that was not written for Supervisor: the `xmlrpc` package for Node.js.
#[test]
fn an_xml_rpc_client_for_node_gets_the_same_results() {
    let npm = needs::program("npm");
    let package = original::cache().join("node");
    original::once(&package, &["xmlrpc@1.3.2"], |directory| {
        original::run(Command::new(npm).args(["install", "--silent", "xmlrpc@1.3.2"]).current_dir(directory));
    });
    let text = format!("{}[inet_http_server]\nport=127.0.0.1:{{port}}\n", world());
    let scene = Scene::with("node", &text)
        .file("client.js", include_str!("fixtures/client.js"))
        .env("NODE_PATH", &package.join("node_modules").display().to_string());
    compare(&scene, |daemon, observed| {
        daemon.wait_for_states(&RUNNING, "RUNNING");
        let mut node = daemon.command(Path::new("node"));
        let output = command::run(node.arg("client.js").arg(daemon.ports[0].to_string()), "");
        assert_eq!(output.stdout.lines().count(), 14, "{output:?}");
        observed.note(daemon, "client", output.transcript());
    });
}
