//! Published third-party programs for the original, unchanged: listeners, checks, clients.
//!
//! They are installed from the Python package index, like the original.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::command::run;
use crate::harness::programs::{CAT, RUNNING, TEAM};
use crate::harness::{Daemon, Program, Scene, Value, compare, original, wait};
use crate::methods::ADDED;

/// Versions that work with the Python of Debian, which are not always the newest.
const PACKAGES: [&str; 11] = [
    "setuptools<81",
    "supervisor==4.3.0",
    "superlance==2.0.0",
    "superhooks==0.6",
    "supervisor-checks==0.8.1",
    "supervisor-logging==0.0.9",
    "supervisor-stdlog==0.7.9",
    "supervisord-dependent-startup==1.4.0",
    "nagios-check-supervisord==2.2.1",
    "supervisor_twiddler==1.0.0",
    "supervisor_cache==1.1.0",
];

/// The directory of their programs.
fn programs() -> PathBuf {
    let directory = original::cache().join("strangers");
    original::once(&directory, &PACKAGES, |directory| {
        original::run(Command::new("python3").args(["-m", "venv"]).arg(directory));
        let python = directory.join("bin/python");
        original::run(Command::new(python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES));
    });
    directory.join("bin")
}

/// The packages of these programs, for Python code that a configuration names.
fn packages() -> String {
    let place = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let mut python = Command::new(programs().join("python"));
    run(python.args(["-c", place]), "").stdout.trim().to_owned()
}

fn listener(name: &str, command: &str, options: &str) -> String {
    format!(
        "[eventlistener:{name}]\ncommand={}/{command}\nstartsecs=0\nbuffer_size=100\nstderr_logfile={{dir}}/{name}.err\n{options}\n",
        programs().display()
    )
}

/// Accepts mail and web requests, and records both.
const INBOX: &str = r#"
import http.server, os, socketserver, sys, threading

class Mail(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")
    def handle(self):
        self.say("220 inbox")
        while True:
            word = self.rfile.readline().decode().strip().upper()
            if word.startswith("DATA"):
                self.say("354 go on")
                lines = []
                while True:
                    line = self.rfile.readline()
                    if line in (b".\r\n", b""):
                        break
                    lines.append(line)
                with open("mails", "ab") as mails:
                    mails.write(b"".join(lines).replace(b"\r\n", b"\n") + b"\n=====\n")
                self.say("250 taken")
            elif word.startswith("QUIT") or not word:
                self.say("221 bye")
                return
            else:
                self.say("250 fine")

class Web(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open("posts", "a") as posts:
            posts.write(body + "\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def do_GET(self):
        self.send_response(500 if os.path.exists("sick") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *arguments):
        pass

socketserver.ThreadingTCPServer.allow_reuse_address = True
servers = [socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Mail),
           http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Web)]
for server in servers:
    threading.Thread(target=server.serve_forever).start()
open("inbox-ready", "w").close()
"#;

const PROGRAMS: &str = "
[program:inbox]
command=python3 {dir}/inbox.py {port} {port2}
directory={dir}
startsecs=0
stdout_logfile=NONE
stderr_logfile={dir}/inbox.err
[program:crashes]
command=sh -c 'sleep 0.3; exit 7'
autostart=false
autorestart=false
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
[program:fatal]
command=false
autostart=false
startretries=0
stdout_logfile=NONE
stderr_logfile=NONE
";

fn scene(name: &str, text: &str) -> Scene {
    Scene::with(name, &format!("{PROGRAMS}{text}")).file("inbox.py", INBOX)
}

fn wait_for_inbox(daemon: &mut Daemon) {
    daemon.wait_until("the inbox is open", |daemon| daemon.path("inbox-ready").exists());
}

/// The three listeners of superlance that collect events and send them by mail.
#[test]
fn batch_listeners_mail_what_they_gathered() {
    let options = "--toEmail=you@example.com --fromEmail=me@example.com --smtpHost=127.0.0.1:{port} --tickEvent=TICK_5 --interval=0.05";
    let events = "events=PROCESS_STATE,TICK_5";
    let listeners = ["crashmailbatch", "fatalmailbatch", "crashsms"]
        .map(|name| listener(name, &format!("{name} {options} --subject={name}"), events))
        .concat();
    compare(&scene("gathered", &listeners), |daemon, observed| {
        daemon.wait_for_states(&["crashmailbatch", "fatalmailbatch", "crashsms"], "RUNNING");
        wait_for_inbox(daemon);
        daemon.call("supervisor.startProcess", &["crashes".into()]);
        let _ = daemon.rpc("supervisor.startProcess", &["fatal".into(), false.into()]);
        for (subject, text) in [
            ("crashmailbatch", "Process crashes:crashes (pid"),
            ("fatalmailbatch", "Process fatal:fatal failed to start too many times"),
            ("crashsms", "[crashes:crashes]("),
        ] {
            let mail = |daemon: &Daemon| {
                let mails = daemon.read("mails");
                mails.split("\n=====\n").find(|mail| mail.contains(subject)).map(str::to_owned)
            };
            daemon.wait_until("the mail has come", |daemon| mail(daemon).is_some());
            let mail = mail(daemon).unwrap_or_default();
            assert!(mail.contains(text), "{mail}");
            let addresses: Vec<&str> = mail
                .lines()
                .filter(|line| ["From:", "To:", "Subject:"].iter().any(|field| line.starts_with(field)))
                .collect();
            observed.exactly(subject, addresses.join("\n"));
        }
    });
}

/// The HTTP check of supervisor-checks: it restarts a server that answers with 500, and leaves it alone afterwards.
#[test]
fn a_server_that_fails_its_check_is_restarted() {
    let check = listener("check", "supervisor_http_check -n web -N inbox -u / -p {port2} -t 5 -r 1", "events=TICK_5");
    compare(&scene("sick", &check), |daemon, observed| {
        daemon.wait_for_states(&["inbox", "check"], "RUNNING");
        wait_for_inbox(daemon);
        daemon.wait_until("it was found well", |daemon| daemon.read("check.err").contains("succeeded"));
        let before = daemon.pid_of("inbox");
        daemon.write("sick", "");
        daemon.wait_until("it is restarted", |daemon| ![0, before].contains(&daemon.pid_of("inbox")));
        std::fs::remove_file(daemon.path("sick")).expect("it was there");
        daemon.wait_until("it was found well again", |daemon| {
            daemon.read("check.err").rsplit("Restarting").next().is_some_and(|text| text.contains("succeeded"))
        });
        let log = daemon.log();
        let ends = log.lines().filter(|line| line.contains("stopped: inbox") || line.contains("exited: inbox"));
        observed.exactly(
            "it was stopped, and did not end by itself",
            ends.filter(|line| line.contains("stopped")).count() > 0,
        );
    });
}

/// A web hook for state changes, called once a minute.
#[test]
fn state_changes_are_posted_to_a_web_hook() {
    let hooks = listener("hooks", "superhooks -u http://127.0.0.1:{port2}/ -e EXITED", "events=PROCESS_STATE,TICK_60");
    compare(&scene("hooks", &hooks), |daemon, observed| {
        daemon.wait_for_state("hooks", "RUNNING");
        wait_for_inbox(daemon);
        daemon.call("supervisor.startProcess", &["crashes".into()]);
        let posts = daemon.wait_for_file("posts");
        let post = posts.lines().next().unwrap_or_default();
        observed.exactly("post", post.split("&pheaders_all").next().unwrap_or_default());
    });
}

/// A program whose output is sent to listeners.
const TALKS: &str = "
[program:talks]
command=sh -c 'echo one; sleep 0.5; echo two words'
autostart=false
autorestart=false
startsecs=0
stdout_events_enabled=true
stdout_logfile=NONE
stderr_logfile=NONE
";

/// Output of programs as messages to a log server.
#[test]
fn output_is_sent_to_a_log_server() {
    let text = listener(
        "syslog",
        "supervisor_logging",
        "events=PROCESS_LOG\nenvironment=SYSLOG_SERVER=127.0.0.1,SYSLOG_PORT=\"{port3}\",SYSLOG_PROTO=udp",
    ) + TALKS;
    compare(&scene("syslog", &text), |daemon, observed| {
        let server = UdpSocket::bind(("127.0.0.1", daemon.ports[2])).expect("the port is free");
        server.set_read_timeout(Some(wait::DEADLINE)).expect("it can be set");
        daemon.wait_for_state("syslog", "RUNNING");
        daemon.call("supervisor.startProcess", &["talks".into()]);
        for number in 0..2 {
            let mut bytes = [0; 1000];
            let count = server.recv(&mut bytes).expect("a message");
            let message = String::from_utf8_lossy(&bytes[..count]).into_owned();
            // Before the name come the time and the host name.
            let message =
                message.split_once(" talks[").map_or("", |(_, rest)| rest).split_once(']').map_or("", |(_, rest)| rest);
            observed.exactly(&format!("message {number}"), message);
        }
    });
}

/// A result handler that prints the output of programs where the daemon prints its own.
#[test]
fn output_is_shown_on_the_console() {
    let text = listener(
        "console",
        "python -m supervisor_stdlog",
        "events=PROCESS_LOG\nresult_handler=supervisor_stdlog:log_handler",
    ) + TALKS;
    let scene = scene("console", &text).env("PYTHONPATH", &packages()).env("PYTHONUNBUFFERED", "1");
    compare(&scene, |daemon, observed| {
        daemon.wait_for_state("console", "RUNNING");
        daemon.call("supervisor.startProcess", &["talks".into()]);
        daemon.wait_until("it is shown", |daemon| daemon.stdout().contains("two words"));
        let shown = daemon.stdout();
        observed.exactly(
            "shown",
            shown
                .lines()
                .filter(|line| line.contains("talks  |") || line.contains("| "))
                .collect::<Vec<_>>()
                .join("\n"),
        );
    });
}

/// Programs start in the order of their dependencies.
#[test]
fn programs_start_after_their_dependencies() {
    let program = |name: &str, options: &str| {
        format!(
            "[program:{name}]\ncommand=sleep 1000\nautostart=false\nstartsecs=0\ndependent_startup=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n{options}\n"
        )
    };
    let text = listener("order", "supervisord-dependent-startup -c {dir}/supervisord.conf", "events=PROCESS_STATE")
        + &program("front", "dependent_startup_wait_for=middle:running")
        + &program("middle", "dependent_startup_wait_for=back:running store:running")
        + &program("back", "")
        + &program("store", "dependent_startup_wait_for=back:running");
    compare(&scene("order", &text), |daemon, observed| {
        daemon.wait_for_states(&["front", "middle", "back", "store"], "RUNNING");
        daemon.wait_for_log("success: front");
        let log = daemon.log();
        let names = ["front", "middle", "back", "store"].map(|name| format!("spawned: '{name}'"));
        let starts = log.lines().filter(|line| names.iter().any(|name| line.contains(name)));
        observed.note(
            daemon,
            "order",
            starts.map(|line| line.split(" INFO ").nth(1).unwrap_or(line)).collect::<Vec<_>>().join("\n"),
        );
    });
}

/// A check of Nagios, over the unix socket and over TCP.
#[test]
fn a_nagios_check_sees_the_same() {
    let text = "[inet_http_server]\nport=127.0.0.1:{port3}\nusername=user\npassword=se:cret\n";
    compare(&scene("nagios", text), |daemon, observed| {
        daemon.wait_for_state("inbox", "RUNNING");
        let _ = daemon.rpc("supervisor.startProcess", &["fatal".into()]);
        daemon.wait_for_state("fatal", "FATAL");
        let socket = daemon.path("s.sock").display().to_string();
        let port = daemon.ports[2].to_string();
        let tcp = ["-s", "127.0.0.1", "-p", &port, "-u", "user", "-S", "se:cret"];
        for arguments in [
            &["-s", &socket] as &[&str],
            &["-s", &socket, "-P", "inbox"],
            &["-s", &socket, "-P", "fatal,inbox", "-v"],
            &["-s", &socket, "-P", "nobody"],
            &tcp,
            &["-s", "127.0.0.1", "-p", &port],
        ] {
            let mut command = daemon.command(&programs().join("python"));
            let output = run(command.arg(programs().join("check_supervisord.py")).args(arguments), "");
            observed.note(daemon, &arguments[2..].join(" ").replace(&port, "PORT"), output.transcript());
        }
    });
}

/// RPC interfaces that run in the original's daemon, and in a separate process of ours.
#[test]
fn published_plug_ins_give_the_same_answers() {
    const CALLS: [(&str, &[&str]); 20] = [
        ("twiddler.getAPIVersion", &[]),
        ("twiddler.getGroupNames", &[]),
        ("twiddler.log", &["a word", "WARN"]),
        ("twiddler.log", &["a word", "NONSENSE"]),
        ("twiddler.addProgramToGroup", &["inbox", "nothing"]),
        ("twiddler.removeProcessFromGroup", &["inbox", "inbox"]),
        ("twiddler.removeProcessFromGroup", &["fatal", "fatal"]),
        ("twiddler.removeProcessFromGroup", &["fatal", "fatal"]),
        ("twiddler.removeProcessFromGroup", &["nobody", "nobody"]),
        ("twiddler.nonsense", &[]),
        ("cache.getAPIVersion", &[]),
        ("cache.store", &["key", "value"]),
        ("cache.store", &["", "value"]),
        ("cache.fetch", &["key"]),
        ("cache.fetch", &["nokey"]),
        ("cache.getKeys", &[]),
        ("cache.getCount", &[]),
        ("cache.delete", &["key"]),
        ("cache.delete", &["key"]),
        ("cache.clear", &["too", "much"]),
    ];
    let text = "[rpcinterface:twiddler]\nsupervisor.rpcinterface_factory=supervisor_twiddler.rpcinterface:make_twiddler_rpcinterface\n\
        [rpcinterface:cache]\nsupervisor.rpcinterface_factory=supervisor_cache.rpcinterface:make_cache_rpcinterface\n";
    compare(&scene("plugins", text).env("PYTHONPATH", &packages()), |daemon, observed| {
        daemon.wait_for_state("inbox", "RUNNING");
        for (method, arguments) in CALLS {
            let arguments: Vec<Value> = arguments.iter().map(|&argument| argument.into()).collect();
            observed.note(daemon, method, format!("{:?}", daemon.rpc(method, &arguments)));
        }
        daemon.wait_for_log("a word");
        observed
            .exactly("the word in the log", daemon.log().lines().filter(|line| line.ends_with(" WARN a word")).count());
        let methods = daemon.call("system.listMethods", &[]);
        let methods = methods.items().iter().map(Value::text).filter(|method| !ADDED.contains(method));
        observed.exactly("methods", methods.collect::<Vec<_>>().join("\n"));
    });
}

/// The environment variable that enables tests with large downloads or a long run time.
const HEAVY: &str = "SUITE_HEAVY";

/// Ansible with the collection that has the module `supervisorctl`; the collection is a large package.
fn ansible() -> PathBuf {
    const UNPACK: &str = "
import glob, zipfile
package = zipfile.ZipFile(glob.glob('ansible-*.whl')[0])
package.extractall('.', [name for name in package.namelist() if name.startswith('ansible_collections/community/general/')])
";
    let directory = original::cache().join("ansible");
    original::once(&directory, &["ansible-core==2.19.14", "ansible==12.3.0"], |directory| {
        original::run(Command::new("python3").args(["-m", "venv"]).arg(directory));
        let python = |arguments: &[&str]| {
            original::run(Command::new(directory.join("bin/python")).args(arguments).current_dir(directory));
        };
        python(&["-m", "pip", "install", "--quiet", "ansible-core==2.19.14"]);
        python(&["-m", "pip", "download", "--quiet", "--no-deps", "ansible==12.3.0"]);
        python(&["-c", UNPACK]);
    });
    directory
}

/// Every state that the module supports, twice: the second time it has nothing to do.
#[test]
fn the_ansible_module_finds_and_sets_every_state() {
    const STATES: [&str; 15] = [
        "name=cat state=stopped",
        "name=cat state=stopped",
        "name=cat state=started",
        "name=cat state=started",
        "name=cat state=restarted",
        "name=cat state=signalled signal=CONT",
        "name=cat state=present",
        "name=team: state=stopped",
        "name=team: state=started",
        "name=team: state=restarted",
        "name=cat state=absent stop_before_removing=true",
        "name=cat state=absent",
        "name=cat state=present",
        "name=cat state=started",
        "name=nobody state=started",
    ];
    if std::env::var_os(HEAVY).is_none() {
        return eprintln!("left out, because {HEAVY} is not set");
    }
    let ansible = ansible();
    let scene = Scene::with("ansible", &[CAT, TEAM].concat())
        .env("ANSIBLE_COLLECTIONS_PATH", &ansible.display().to_string())
        .env("ANSIBLE_LOCAL_TEMP", "{dir}/ansible")
        .env("ANSIBLE_LOCALHOST_WARNING", "false")
        .env("ANSIBLE_INVENTORY_UNPARSED_WARNING", "false");
    compare(&scene, |daemon, observed| {
        daemon.wait_for_states(&RUNNING, "RUNNING");
        for state in STATES {
            let client = daemon.subject.path(Program::Supervisorctl).display().to_string();
            let arguments = format!("{state} config={{dir}}/supervisord.conf supervisorctl_path={client}");
            let mut command = daemon.command(&ansible.join("bin/ansible"));
            command.args(["localhost", "-m", "community.general.supervisorctl", "-a", &daemon.fill(&arguments)]);
            let output = run(&mut command, "");
            let text = output.transcript().replace(&client, "supervisorctl");
            // The order of the members of a group varies.
            let mut lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches(',')).collect();
            lines.sort();
            observed.note(daemon, state, lines.join("\n"));
        }
        observed.note(daemon, "in the end", daemon.ctl(&["status"]).transcript());
    });
}
