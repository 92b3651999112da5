//! Lines of programs that are forwarded to log services. The original has its `/dev/log` alone.

use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::harness::{Daemon, Scene, Subject, needs, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &[
    "program stdout_log_forward",
    "program stderr_log_forward",
    "program stdout_log_severity",
    "program stderr_log_severity",
    "program syslog_tag",
    "program syslog_facility",
    "program syslog_hostname",
    "program syslog_cafile",
    "program syslog_certfile",
    "program syslog_keyfile",
    "supervisord logfile_forward",
    "supervisord syslog_tag",
    "supervisord syslog_facility",
    "supervisord syslog_hostname",
    "supervisord syslog_cafile",
    "supervisord syslog_certfile",
    "supervisord syslog_keyfile",
];

/// Says something again and again until it is to go on, and then what it is told to.
const SPEAKER: &str = "#!/bin/sh\nwhile ! test -e go; do echo tick; sleep 0.05; done\n. ./go\nexec sleep 1000\n";

const RSYSLOGD: &str = r#"
global(workDirectory="{dir}")
module(load="imudp")
module(load="imtcp")
module(load="imuxsock" SysSock.Use="off")
input(type="imudp" address="127.0.0.1" port="{port}")
input(type="imtcp" address="127.0.0.1" port="{port2}")
input(type="imuxsock" Socket="{dir}/log.sock" UseSpecialParser="off" IgnoreTimestamp="off" UseSysTimeStamp="off")
template(name="fields" type="string" string="%inputname% %protocol-version% %pri% %hostname% %app-name% %procid% %msgid% %structured-data% %timereported:::date-rfc3339%|%msg%\n")
action(type="omfile" file="{dir}/received" template="fields")
"#;

/// The messages that came in by one way, without their times.
fn received(daemon: &Daemon, input: &str) -> Vec<String> {
    let text = daemon.read("received");
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let of_input = whole.lines().filter_map(|line| line.strip_prefix(input)?.strip_prefix(' '));
    let untimed = of_input.map(|line| {
        let (head, message) = line.split_once('|').unwrap_or_else(|| panic!("{line}"));
        let (fields, time) = head.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        assert!(time.starts_with("20") && time.contains('T'), "{line}");
        format!("{fields}|{}", message.trim_start())
    });
    untimed.filter(|line| !line.ends_with("|tick")).collect()
}

#[test]
fn rsyslogd_finds_every_field_over_udp_tcp_and_a_unix_socket() {
    only_ours(|| {
        let text = format!(
            "[program:rsyslogd]\ncommand={} -n -f {{dir}}/rsyslog.conf -i {{dir}}/rsyslog.pid\n\
             [program:p]\ncommand={{dir}}/speaker\ndirectory={{dir}}\nstartsecs=0\nsyslog_hostname=web1.example.com\n\
             stdout_log_forward=udp://127.0.0.1:{{port}}, tcp://localhost:{{port2}}, unix://{{dir}}/log.sock\n\
             stderr_log_forward=tcp://127.0.0.1:{{port2}}\nstderr_log_severity=warning\nsyslog_tag=shop\n\
             syslog_facility=local3\nstdout_logfile={{dir}}/p.log\nstdout_log_format=json\n",
            needs::program("rsyslogd").display()
        );
        let scene = Scene::with("rsyslogd", &text).script("speaker", SPEAKER).file("rsyslog.conf", RSYSLOGD);
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_until("all ways are open", |daemon| {
            let text = daemon.read("received");
            ["imudp", "imtcp", "imuxsock"].iter().all(|input| text.contains(input))
        });
        daemon.write("go.new", "echo plain; echo 'ERROR it broke'; echo '<5>noted'; echo oops >&2\n");
        std::fs::rename(daemon.path("go.new"), daemon.path("go")).expect("renamed");
        let pid = daemon.pid_of("p");
        let message = |priority: u32, stream: &str, text: &str| {
            format!("1 {priority} web1.example.com shop {pid} {stream} -|{text}")
        };
        let stdout = [(158, "plain"), (155, "ERROR it broke"), (157, "noted")];
        let stdout: Vec<String> = stdout.iter().map(|(priority, text)| message(*priority, "stdout", text)).collect();
        let stderr = message(156, "stderr", "oops");
        for input in ["imudp", "imtcp", "imuxsock"] {
            let count = if input == "imtcp" { 4 } else { 3 };
            daemon.wait_until(input, |daemon| received(daemon, input).len() >= count);
            let mut found = received(&daemon, input);
            if input == "imtcp" {
                let at = found.iter().position(|line| *line == stderr).expect("that of stderr");
                found.remove(at);
            }
            assert_eq!(found, stdout, "{input}");
        }
        assert!(daemon.read("p.log").contains("\"message\":\"<5>noted\""), "the log has what was written");
        assert_eq!(daemon.stop(), 0);
    });
}

/// Writes what arrives at an encrypted port into a file, message by message.
const TLS_SERVER: &str = r#"#!/usr/bin/env python3
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.crt", "server.key")
if sys.argv[2:]:
    context.load_verify_locations(sys.argv[2])
    context.verify_mode = ssl.CERT_REQUIRED
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    try:
        stream = context.wrap_socket(listener.accept()[0], server_side=True).makefile("rb")
        while True:
            length = b""
            while not length.endswith(b" "):
                digit = stream.read(1)
                if not digit:
                    raise OSError
                length += digit
            with open("received", "ab") as received:
                received.write(stream.read(int(length)) + b"\n")
    except OSError:
        pass
"#;

fn certificate(daemon: &Daemon) {
    let command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
         -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -keyout server.key -out server.crt";
    let output = Command::new("sh").args(["-c", command]).current_dir(daemon.dir()).output().expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_encrypted_log_service_gets_what_waited_until_it_was_there() {
    only_ours(|| {
        let text = "[program:server]\ncommand=python3 {dir}/server {port}\ndirectory={dir}\nautostart=false\n\
             [program:p]\ncommand=sh -c 'echo waited; echo \"WARN x\"; exec sleep 1000'\ndirectory={dir}\nautostart=false\n\
             startsecs=0\nstdout_log_forward=tls://localhost:{port}\nsyslog_cafile={dir}/server.crt\n";
        let mut daemon = Scene::with("forward-tls", text).script("server", TLS_SERVER).start(Subject::Ours);
        certificate(&daemon);
        assert_eq!(daemon.ctl(&["start", "p"]).code, 0);
        daemon.wait_for_log("output waits: Connection refused");
        assert_eq!(daemon.ctl(&["start", "server"]).code, 0);
        daemon.wait_until("both arrive", |daemon| daemon.read("received").lines().count() == 2);
        let (text, pid) = (daemon.read("received"), daemon.pid_of("p"));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("<14>1 20") && lines[0].ends_with(&format!(" p {pid} stdout - waited")), "{text}");
        assert!(lines[1].starts_with("<12>1 20") && lines[1].ends_with(&format!(" p {pid} stdout - WARN x")), "{text}");
        daemon.wait_for_log("can be written again, nothing was lost");
        assert_eq!(daemon.stop(), 0);
    });
}

/// A log service that takes datagrams.
struct Service(UdpSocket);

impl Service {
    fn new() -> Service {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        Service(socket)
    }

    fn url(&self) -> String {
        format!("udp://{}", self.0.local_addr().expect("an address"))
    }

    /// The text of the next message; without its head, which ends at the structured data.
    fn next(&self) -> String {
        let mut message = [0; 4096];
        let length = self.0.recv(&mut message).expect("a message");
        let text = String::from_utf8_lossy(&message[..length]).into_owned();
        text.split_once(" - ").map(|(_, text)| text.to_owned()).unwrap_or_else(|| panic!("{text}"))
    }
}

/// Repeats what comes through a FIFO.
const PARROT: &str = "#!/bin/sh\nmkfifo words; echo ready > ready\nwhile true; do cat words; done\n";

fn say(daemon: &Daemon, text: &str) {
    std::fs::write(daemon.path("words"), text).expect("it is taken");
}

fn parrot(name: &str, options: &str) -> Daemon {
    let text = format!(
        "[program:p]\ncommand={{dir}}/parrot\ndirectory={{dir}}\nstartsecs=0\nstopasgroup=true\nkillasgroup=true\n{options}\n"
    );
    let mut daemon = Scene::with(name, &text).script("parrot", PARROT).start(Subject::Ours);
    daemon.wait_for_file("ready");
    daemon
}

#[test]
fn a_log_service_that_asks_for_a_certificate_gets_it() {
    only_ours(|| {
        let text = "[program:server]\ncommand=python3 {dir}/server {port} {dir}/client.crt\ndirectory={dir}\nautostart=false\n\
             [program:p]\ncommand=sh -c 'echo known; exec sleep 1000'\ndirectory={dir}\nautostart=false\nstartsecs=0\n\
             stdout_log_forward=tls://localhost:{port}\nsyslog_cafile={dir}/server.crt\n";
        let mut daemon = Scene::with("forward-client", text).script("server", TLS_SERVER).start(Subject::Ours);
        certificate(&daemon);
        let client = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=web1 \
             -keyout client.key -out client.crt";
        let made = Command::new("sh").args(["-c", client]).current_dir(daemon.dir()).output().expect("openssl runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        assert_eq!(daemon.ctl(&["start", "server"]).code, 0);
        daemon.wait_until("the server listens", |daemon| TcpStream::connect(("127.0.0.1", daemon.ports[0])).is_ok());
        assert_eq!(daemon.ctl(&["start", "p"]).code, 0);
        daemon.wait_for_log("output waits: ");
        assert_eq!(daemon.read("received"), "", "it is not known");
        let dir = daemon.dir().display().to_string();
        let known = format!("syslog_certfile={dir}/client.crt\nsyslog_keyfile={dir}/client.key\nsyslog_cafile");
        let text = daemon.read("supervisord.conf").replace("syslog_cafile", &known);
        daemon.write("supervisord.conf", &text);
        assert_eq!(daemon.ctl(&["update", "--minimal"]).stdout, "p: updated without a restart\n");
        assert_eq!(daemon.ctl(&["restart", "p"]).code, 0);
        daemon.wait_until("a line arrives", |daemon| daemon.read("received").ends_with(" stdout - known\n"));
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn the_activity_log_is_forwarded_with_its_levels() {
    only_ours(|| {
        let service = UnixDatagram::bind(std::env::temp_dir().join(format!("activity-{}.sock", std::process::id())));
        let service = service.expect("a socket");
        service.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        let path = service.local_addr().expect("an address").as_pathname().expect("a path").to_owned();
        let text = format!(
            "[supervisord]\nlogfile_forward=unix://{}, tls://localhost:{{port}}\nsyslog_tag=boss\nsyslog_facility=local3\n\
             syslog_hostname=web1\nsyslog_cafile={{dir}}/none.crt\nsyslog_certfile={{dir}}/none.crt\n\
             syslog_keyfile={{dir}}/none.key\n[program:p]\ncommand=sleep 1000\nstartsecs=0\n",
            path.display()
        );
        let mut daemon = Scene::with("forward-activity", &text).start(Subject::Ours);
        let pid = daemon.pid();
        let mut heard = String::new();
        let mut hear = |wanted: &str| {
            while !heard.contains(wanted) {
                let mut message = [0; 4096];
                let length =
                    service.recv(&mut message).unwrap_or_else(|error| panic!("{error} before {wanted:?}: {heard}"));
                heard += &String::from_utf8_lossy(&message[..length]);
                heard.push('\n');
            }
            heard.lines().find(|line| line.contains(wanted)).map(str::to_owned).expect("it was heard")
        };
        let spawned = hear("spawned: 'p'");
        assert!(spawned.starts_with("<158>1 20"), "{spawned}");
        let head = format!(" web1 boss {pid} activity - spawned: 'p' with pid ");
        assert!(spawned.contains(&head), "{spawned}");
        let trouble = hear("could not write to tls://localhost");
        assert!(trouble.starts_with("<155>1 ") && trouble.contains("none.crt cannot be used"), "{trouble}");
        assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
        assert!(hear("supervisord upgraded with pid").starts_with("<158>1 "));
        daemon.kill_child("p");
        assert!(hear("exited: p (terminated by SIGKILL; not expected)").starts_with("<156>1 "));
        assert_eq!(daemon.stop(), 0);
        std::fs::remove_file(path).expect("removed");
    });
}

#[test]
fn forwarding_changes_under_a_running_program() {
    only_ours(|| {
        let (first, second) = (Service::new(), Service::new());
        let mut daemon = parrot("forward-live", "stdout_logfile={dir}/p.log\nstdout_log_forward=");
        let pid = daemon.pid_of("p");
        let rewrite = |daemon: &mut Daemon, from: &str, to: &str| {
            let text = daemon.read("supervisord.conf");
            assert!(text.contains(from), "{text}");
            daemon.write("supervisord.conf", &text.replace(from, to));
            assert_eq!(daemon.ctl(&["update", "--minimal"]).stdout, "p: updated without a restart\n");
        };
        say(&daemon, "unseen\n");
        daemon.wait_until("it is logged", |daemon| daemon.read("p.log") == "unseen\n");
        let to_first = format!("stdout_log_forward={}", first.url());
        rewrite(&mut daemon, "stdout_log_forward=", &to_first);
        say(&daemon, "one\nhalf ");
        assert_eq!(first.next(), "one");
        daemon.wait_until("the half has been read", |daemon| daemon.read("p.log").ends_with("half "));
        rewrite(&mut daemon, &to_first, &format!("syslog_tag=other\nstdout_log_forward={}", second.url()));
        say(&daemon, "a line\n");
        assert_eq!(second.next(), "half a line", "what has come of a line goes where the next part goes");
        assert_eq!(daemon.pid_of("p"), pid);
        rewrite(&mut daemon, &format!("={}", second.url()), "=");
        say(&daemon, "unseen again\n");
        daemon.wait_until("it is logged", |daemon| daemon.read("p.log").ends_with("again\n"));
        second.0.set_nonblocking(true).expect("it does not wait");
        assert!(second.0.recv(&mut [0; 9]).is_err());
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn a_forwarded_line_survives_an_upgrade_and_kill_9_and_what_a_service_lacks_is_counted() {
    only_ours(|| {
        let service = Service::new();
        let missing = "unix://{dir}/missing.sock";
        let mut daemon = parrot(
            "forward-upgrade",
            &format!("stdout_log_forward={}, {missing}\nstdout_logfile={{dir}}/p.log", service.url()),
        );
        say(&daemon, "before\nhalf ");
        assert_eq!(service.next(), "before");
        daemon.wait_until("the half has been read", |daemon| daemon.read("p.log").ends_with("half "));
        daemon.wait_for_log("missing.sock, output waits: No such file or directory");
        assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
        daemon.wait_for_log("supervisord upgraded with pid");
        say(&daemon, "a line\nsecond half ");
        assert_eq!(service.next(), "half a line");
        daemon.wait_for_log("1 messages for unix://");
        daemon.wait_until("the half has been read", |daemon| daemon.read("p.log").ends_with("half "));
        daemon.crash();
        daemon.start_again();
        say(&daemon, "after\n");
        assert_eq!(service.next(), "second half after");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn lines_that_a_service_did_not_get_are_counted_on_through_an_upgrade_and_kill_9() {
    only_ours(|| {
        let mut daemon = parrot("forward-lost", "stdout_log_forward=udp://127.0.0.1:{port}\nstdout_logfile=NONE");
        let lost = |daemon: &Daemon| {
            let wide = daemon.ctl(&["status", "--wide"]).stdout;
            let before = wide.split(" of stdout to log services").next().filter(|before| before.len() < wide.len());
            before.and_then(|before| before.rsplit(' ').nth(1)?.parse::<u32>().ok()).unwrap_or(0)
        };
        // The system tells with the next message that nobody has listened to the one before.
        let more = |daemon: &mut Daemon, than: u32| {
            daemon.wait_until("more is lost", |daemon| {
                say(daemon, "nobody hears this\n");
                lost(daemon) > than
            });
            lost(daemon)
        };
        let first = more(&mut daemon, 0);
        assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
        let second = more(&mut daemon, first);
        daemon.crash();
        daemon.start_again();
        assert!(lost(&daemon) >= second);
        more(&mut daemon, second);
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn a_target_that_is_none_is_refused_with_what_to_write() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sleep 1\nstdout_log_forward=upd://loghost\nsyslog_facility=local8\n";
        let scene = Scene::with("forward-refused", text).arguments(&["--check", "-c", "supervisord.conf"]);
        let said = scene.run(Subject::Ours).transcript();
        for part in ["stdout_log_forward", "did you mean udp?", "syslog_facility", "did you mean local0?"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    });
}

#[test]
fn the_journal_gets_the_fields_of_each_line() {
    only_ours(|| {
        let text = "[program:web]\ncommand=sh -c 'echo plain; printf \"<4>a\\001b\\n\"; exec sleep 1000'\n\
             process_name=%(program_name)s_%(process_num)d\nautostart=false\nstartsecs=0\nsyslog_tag=shop\n\
             stdout_log_forward=journald://{dir}/journal\n";
        let mut daemon = Scene::with("forward-journal", text).start(Subject::Ours);
        assert_eq!(daemon.ctl(&["start", "web:*"]).code, 0);
        daemon.wait_for_log("/journal, output waits: No such file or directory");
        let journal = UnixDatagram::bind(daemon.path("journal")).expect("a socket");
        journal.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        let pid = daemon.pid_of("web:web_0");
        let fields = format!(
            "SYSLOG_FACILITY=1\nSYSLOG_IDENTIFIER=shop\nSYSLOG_PID={pid}\nSUPERVISOR_PID={pid}\nSUPERVISOR_PROGRAM=web\n\
             SUPERVISOR_GROUP=web\nSUPERVISOR_PROCESS=web_0\nSUPERVISOR_STREAM=stdout\n"
        );
        let next = || {
            let mut entry = [0; 4096];
            let length = journal.recv(&mut entry).expect("an entry");
            String::from_utf8_lossy(&entry[..length]).into_owned()
        };
        assert_eq!(next(), format!("MESSAGE=plain\nPRIORITY=6\n{fields}"));
        assert_eq!(next(), format!("MESSAGE\n\u{3}\0\0\0\0\0\0\0a\u{1}b\nPRIORITY=4\n{fields}"));
        assert_eq!(daemon.stop(), 0);
    });
}
