//! Event listeners that were written for the original: superlance, by the original's authors.

use crate::harness::{Scene, Subject, compare, original};

/// Replaces `sendmail`: appends every message to a file.
const MAIL: &str = "#!/bin/sh\ncat >> \"$1\"\necho >> \"$1\"\n";

const PROGRAMS: &str = "
[program:crashes]
command=sh -c 'sleep 0.3; exit 7'
autostart=false
autorestart=false
startsecs=0
[program:ends]
command=sh -c 'sleep 0.3; exit 0'
autostart=false
autorestart=false
startsecs=0
[program:web]
command=sleep 1000
startsecs=0
[program:large]
command=sleep 1000
startsecs=0
";

/// Superlance imports the original's package.
fn is_there() -> bool {
    Subject::chosen().contains(&Subject::Original)
}

#[test]
fn crashmail_mails_crashes() {
    if !is_there() {
        return;
    }
    let listener = format!(
        "[eventlistener:crashmail]\ncommand={}/crashmail -a -s \"{{dir}}/mail.sh {{dir}}/mail\" -m me@example.com\n\
        events=PROCESS_STATE_EXITED\nstartsecs=0\nstderr_logfile={{dir}}/crashmail.err\n",
        original::directory().display()
    );
    let scene = Scene::with("crashmail", &format!("{PROGRAMS}{listener}")).script("mail.sh", MAIL);
    compare(&scene, |daemon, observed| {
        daemon.wait_for_state("crashmail", "RUNNING");
        daemon.ctl(&["start", "ends"]);
        daemon.wait_for_state("ends", "EXITED");
        daemon.ctl(&["start", "crashes"]);
        daemon.wait_until("the mail is there", |daemon| daemon.read("mail").contains("from state RUNNING"));
        observed.note(daemon, "mail", daemon.read("mail").trim());
    });
}

/// No server listens at the address, and every process is over its limit: both are restarted at the next tick.
#[test]
fn httpok_and_memmon_restart_programs_over_their_limits() {
    if !is_there() {
        return;
    }
    let directory = original::directory().display();
    let listeners = format!(
        "[eventlistener:httpok]\ncommand={directory}/httpok -p web -t 1 -s \"{{dir}}/mail.sh {{dir}}/mail1\" -m me@example.com http://127.0.0.1:{{port}}/\n\
        events=TICK_5\nstartsecs=0\nstderr_logfile={{dir}}/httpok.err\n\
        [eventlistener:memmon]\ncommand={directory}/memmon -p large=1KB -s \"{{dir}}/mail.sh {{dir}}/mail2\" -m me@example.com\n\
        events=TICK_5\nstartsecs=0\nstderr_logfile={{dir}}/memmon.err\n"
    );
    let scene = Scene::with("restarts", &format!("{PROGRAMS}{listeners}")).script("mail.sh", MAIL);
    compare(&scene, |daemon, observed| {
        daemon.wait_for_states(&["web", "large", "httpok", "memmon"], "RUNNING");
        let before = [daemon.pid_of("web"), daemon.pid_of("large")];
        for (name, before) in ["web", "large"].into_iter().zip(before) {
            daemon.wait_until("it is restarted", |daemon| ![0, before].contains(&daemon.pid_of(name)));
            daemon.wait_for_state(name, "RUNNING");
        }
        // The memory use varies.
        for mail in ["mail1", "mail2"] {
            let text = daemon.wait_for_file(mail);
            observed.note(daemon, "subject", text.lines().find(|line| line.starts_with("Subject")).unwrap_or_default());
        }
    });
}

/// A server that starts to fail: after its first answer it answers with an error until it is started again.
const SERVER: &str = r#"
import http.server, os, sys
answers = [200, 500]
class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        if os.path.exists("well"):
            status = 200
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        with open("answers", "a") as log:
            log.write("%d\n" % status)
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Web).serve_forever()
"#;

/// Allocates more and more memory, a few MB at a time.
const GROWING: &str = "
import time
kept = []
open('small', 'a').write('started\\n')
while True:
    kept.append(bytearray(b'x' * 4000000))
    time.sleep(0.1)
";

/// A server that starts to fail, and a process that really grows.
#[test]
fn a_failing_server_and_a_growing_process_are_restarted() {
    if !is_there() {
        return;
    }
    let directory = original::directory().display();
    let text = format!(
        "[program:server]\ncommand=python3 {{dir}}/server.py {{port}}\ndirectory={{dir}}\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile={{dir}}/server.err\n\
        [program:growing]\ncommand=python3 {{dir}}/growing.py\ndirectory={{dir}}\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile={{dir}}/growing.err\n\
        [eventlistener:httpok]\ncommand={directory}/httpok -p server -t 20 -s \"{{dir}}/mail.sh {{dir}}/mail1\" -m me@example.com http://127.0.0.1:{{port}}/\n\
        events=TICK_5\nstartsecs=0\nstderr_logfile={{dir}}/httpok.err\n\
        [eventlistener:memmon]\ncommand={directory}/memmon -p growing=60MB -s \"{{dir}}/mail.sh {{dir}}/mail2\" -m me@example.com\n\
        events=TICK_5\nstartsecs=0\nstderr_logfile={{dir}}/memmon.err\n"
    );
    let scene =
        Scene::with("sick", &text).script("mail.sh", MAIL).file("server.py", SERVER).file("growing.py", GROWING);
    compare(&scene, |daemon, observed| {
        daemon.wait_for_states(&["server", "growing", "httpok", "memmon"], "RUNNING");
        let before = daemon.pid_of("server");
        daemon.wait_until("the sick one is restarted", |daemon| ![0, before].contains(&daemon.pid_of("server")));
        daemon.write("well", "");
        daemon.wait_until("the greedy one is restarted", |daemon| daemon.read("small").lines().count() > 1);
        assert!(daemon.read("answers").contains("500\n"), "it fell ill");
        for (mail, why) in [("mail1", "status contacting"), ("mail2", "Memory")] {
            let text = daemon.wait_for_file(mail);
            let lines = text.lines().filter(|line| line.starts_with("Subject") || line.starts_with("To"));
            // It may be told again before the restart is done.
            observed.note(daemon, why, lines.take(2).collect::<Vec<_>>().join("\n"));
        }
    });
}
