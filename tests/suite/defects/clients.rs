//! Clients of the daemon, and ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::harness::programs::CAT;
use crate::harness::rpc;
use crate::harness::{Daemon, Program, Scene, Subject, Value, command, differ, http, only_ours};

/// What a program is that takes its time to stop.
const STUBBORN: &str = "[program:p]\ncommand=sh -c 'trap \"\" TERM; touch ready; while :; do sleep 0.1; done'\nstartsecs=0\nstopwaitsecs=5\nkillasgroup=true\n";

fn cat(subject: Subject, name: &str, options: &str) -> Daemon {
    let mut daemon = Scene::with(name, &format!("{CAT}{options}")).start(subject);
    daemon.wait_for_state("cat", "RUNNING");
    daemon
}

fn stubborn(subject: Subject, name: &str) -> Daemon {
    let mut daemon = Scene::with(name, STUBBORN).start(subject);
    daemon.wait_until("it ignores TERM", |daemon| daemon.path("ready").exists());
    daemon.wait_for_state("p", "RUNNING");
    daemon
}

/// A daemon that wants a name and a password.
fn guarded(subject: Subject, name: &str) -> Daemon {
    let text = "[supervisord]\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\n[unix_http_server]\nfile={dir}/s.sock\nusername=u\npassword=p\n\
        [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
        [supervisorctl]\nserverurl=unix://{dir}/s.sock\nusername=u\npassword=wrong\n";
    Scene::new(name).config(text).start(subject)
}

/// Sends bytes and returns the status of the answer; 0 when there is none.
fn status_of(daemon: &Daemon, request: &str) -> u16 {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    http::response(&mut *stream).map_or(0, |response| response.status())
}

fn post(body: &str) -> String {
    format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The original does not find the length.
#[test]
fn a_header_needs_no_blank() {
    differ(411, 200, |subject| {
        let daemon = cat(subject, "tight", "");
        let body = rpc::encode("supervisor.getState", &[]);
        status_of(&daemon, &format!("POST /RPC2 HTTP/1.1\r\nHost:h\r\nContent-Length:{}\r\n\r\n{body}", body.len()))
    });
}

/// The original sends the page of an error, body and all.
#[test]
fn the_head_of_an_error_is_only_its_head() {
    differ(true, false, |subject| {
        let daemon = cat(subject, "head", "");
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        stream.write_all(b"HEAD /nowhere HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it ends");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
        !body.is_empty()
    });
}

/// The original lets the client wait until it sends its body all the same.
#[test]
fn who_asks_whether_to_go_on_is_told_so() {
    differ(vec![200], vec![100, 200], |subject| {
        let daemon = cat(subject, "expect", "");
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        let body = rpc::encode("supervisor.getState", &[]);
        let request = post(&body).replace("Host: h", "Host: h\r\nExpect: 100-continue");
        let (head, body) = request.split_at(request.len() - body.len());
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut seen = Vec::new();
        if subject == Subject::Ours {
            seen.push(http::head(&mut *stream).expect("an answer").status());
        }
        stream.write_all(body.as_bytes()).expect("it reads");
        seen.push(http::response(&mut *stream).expect("an answer").status());
        seen
    });
}

/// The original does not answer at all.
#[test]
fn a_body_of_no_length_is_answered() {
    only_ours(|| {
        assert_eq!(status_of(&cat(Subject::Ours, "empty", ""), &post("")), 400);
    });
}

/// The original ends the connection.
#[test]
fn a_body_that_is_not_utf8_is_answered() {
    differ(0, 400, |subject| {
        let daemon = cat(subject, "utf8", "");
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        stream.write_all(b"POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n\xff").expect("it reads");
        http::response(&mut *stream).map_or(0, |response| response.status())
    });
}

/// The original counts characters, and cuts the answer.
#[test]
fn answers_that_wait_may_contain_any_letter() {
    differ(false, true, |subject| {
        let text = "[program:gr\u{fc}n]\ncommand=sleep 1000\nautostart=false\nstartsecs=1\n";
        let daemon = Scene::with("letters", text).start(subject);
        daemon.answer("supervisor.startAllProcesses", &[]).contains("gr\u{fc}n")
    });
}

#[test]
fn numbers_too_large_for_clients_are_capped() {
    differ("HTTP status 500".to_owned(), "2147483647".to_owned(), |subject| {
        let daemon = cat(subject, "large", "stdout_logfile_maxbytes=3GB\n");
        let answer = daemon.answer("supervisor.getAllConfigInfo", &[]);
        let value = answer.split_once("stdout_logfile_maxbytes: ").and_then(|(_, rest)| rest.lines().next());
        value.map(str::to_owned).unwrap_or(answer)
    });
}

/// In the original the rest of the work is never done.
#[test]
fn work_goes_on_when_the_client_goes_away() {
    only_ours(|| {
        let mut daemon = cat(Subject::Ours, "gone", "stopwaitsecs=1\n");
        let calls = Value::Array(
            [("supervisor.stopProcess", "cat"), ("supervisor.startProcess", "cat")]
                .into_iter()
                .map(|(method, name)| {
                    Value::Struct(vec![
                        ("methodName".to_owned(), method.into()),
                        ("params".to_owned(), Value::Array(vec![name.into()])),
                    ])
                })
                .collect(),
        );
        let before = daemon.pid_of("cat");
        let body = rpc::encode("system.multicall", &[calls]);
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        stream.write_all(post(&body).as_bytes()).expect("it reads");
        drop(stream);
        daemon.wait_until("it was stopped and started", |daemon| ![0, before].contains(&daemon.pid_of("cat")));
        daemon.wait_for_state("cat", "RUNNING");
    });
}

/// The original answers a second request into the middle of the first answer.
#[test]
fn requests_on_one_connection_wait_for_their_turn() {
    differ(400, 200, |subject| {
        let daemon = cat(subject, "turns", "[program:slow]\ncommand=sleep 1000\nautostart=false\nstartsecs=1\n");
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        for (method, arguments) in
            [("supervisor.startProcess", vec![Value::from("slow")]), ("supervisor.getAPIVersion", vec![])]
        {
            stream.write_all(post(&rpc::encode(method, &arguments)).as_bytes()).expect("it reads");
        }
        let first = http::response(&mut *stream).expect("an answer");
        if subject == Subject::Ours {
            let second = http::response(&mut *stream).expect("another answer");
            assert_eq!(rpc::decode(&first.text()), Ok(Ok(Value::Bool(true))));
            assert_eq!(rpc::decode(&second.text()), Ok(Ok("3.0".into())));
        }
        first.status()
    });
}

/// The original expands entities without limit.
#[test]
fn documents_cannot_define_entities() {
    differ(200, 400, |subject| {
        let body = "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'supervisor.getState'>]><methodCall><methodName>&a;</methodName></methodCall>";
        status_of(&cat(subject, "entities", ""), &post(body))
    });
}

#[test]
fn broken_credentials_are_wrong_credentials() {
    differ([500, 401, 401, 500], [401; 4], |subject| {
        let daemon = guarded(subject, "credentials");
        ["Basic !!!", "Basic", "Digest x", "Basic dQ=="].map(|credentials| {
            let request = format!("GET /ok.html HTTP/1.1\r\nHost: h\r\nAuthorization: {credentials}\r\n\r\n");
            status_of(&daemon, &request)
        })
    });
}

/// The original sends nothing before it has 64 KiB.
#[test]
fn old_clients_can_follow_a_log() {
    only_ours(|| {
        let mut daemon = cat(Subject::Ours, "follow", "");
        daemon.call("supervisor.sendProcessStdin", &["cat".into(), "hello\n".into()]);
        daemon.wait_for_file("cat.log");
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        stream.write_all(b"GET /logtail/cat HTTP/1.0\r\n\r\n").expect("it reads");
        let mut seen = Vec::new();
        while !seen.ends_with(b"hello\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("more to come");
            seen.push(byte[0]);
        }
    });
}

/// The original logs every such line as an error.
#[test]
fn an_address_with_error_in_it_is_no_error() {
    differ(true, false, |subject| {
        let mut daemon = cat(subject, "address", "[supervisord]\nloglevel=trace\n");
        assert_eq!(status_of(&daemon, "GET /error.html HTTP/1.1\r\nHost: h\r\n\r\n"), 404);
        daemon.wait_for_log("/error.html");
        daemon.log().contains(" ERRO ")
    });
}

/// The original fails to ask itself.
#[test]
fn the_page_can_be_seen_while_everything_is_being_stopped() {
    differ([500, 500, 200], [200, 303, 200], |subject| {
        let mut daemon = stubborn(subject, "late page");
        daemon.signal(Signal::SIGTERM);
        daemon.wait_for_log("waiting for p to die");
        ["/", "/index.html?action=refresh", "/ok.html"]
            .map(|path| status_of(&daemon, &format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")))
    });
}

/// The original makes it true.
#[test]
fn starting_what_is_being_stopped_is_refused() {
    differ("true".to_owned(), "fault 40 ABNORMAL_TERMINATION: p".to_owned(), |subject| {
        let mut daemon = stubborn(subject, "stopping");
        daemon.call("supervisor.stopProcess", &["p".into(), false.into()]);
        daemon.wait_for_state("p", "STOPPING");
        daemon.answer("supervisor.startProcess", &["p".into(), false.into()])
    });
}

/// The client of the original shows an interpreter's traceback.
#[test]
fn a_broken_file_is_an_ordinary_error_of_the_client() {
    differ((1, false), (2, true), |subject| {
        let place = Scene::new("broken").config("[supervisorctl]\nnonsense\n").set_up(subject);
        let mut client = place.command(&subject.path(Program::Supervisorctl));
        let output = command::run(client.args(["-c", "supervisord.conf", "status"]), "");
        let is_error = output.stderr.starts_with("Error: Source contains parsing errors: 'supervisord.conf'");
        (output.code, is_error)
    });
}

/// The client of the original ends with status 0, though it says the same.
#[test]
fn a_log_that_cannot_be_followed_is_a_failure_of_the_client() {
    differ(0, 1, |subject| {
        let output = cat(subject, "nothing", "").ctl(&["tail", "-f", "nobody"]);
        assert!(output.stderr.contains("Cannot read, status code 404"), "{output:?}");
        output.code
    });
}

/// The client of the original says it twice, the second time as an interpreter's error.
#[test]
fn a_wrong_password_is_said_once() {
    differ(2, 1, |subject| {
        let output = guarded(subject, "password").ctl(&["status"]);
        assert_eq!(output.code, 1, "{output:?}");
        assert!(output.stdout.starts_with("Server requires authentication\n"), "{output:?}");
        output.stdout.lines().count()
    });
}

/// The client of the original adds a place in its own code.
#[test]
fn errors_are_shown_without_a_place_in_the_code() {
    differ(true, false, |subject| {
        let output = cat(subject, "place", "").ctl(&["-s", "unix:///nowhere", "avail"]);
        assert_eq!(output.code, 1, "{output:?}");
        let line = "error: <class 'FileNotFoundError'>, [Errno 2] No such file or directory";
        assert!(output.stdout.starts_with(line), "{output:?}");
        output.stdout.contains(" line: ")
    });
}

/// The client of the original names a group that nobody has.
#[test]
fn a_group_that_cannot_be_cleared_is_named_as_it_was_asked_for() {
    differ(
        "cat:None: ERROR (no such process)\n".to_owned(),
        "cat:*: ERROR (no such process)\n".to_owned(),
        |subject| cat(subject, "clear group", "").ctl(&["clear", "cat:*"]).stdout,
    );
}

/// The client of the original waits for another line before it looks.
#[test]
fn a_conversation_ends_with_the_program() {
    only_ours(|| {
        let text = "[program:p]\ncommand={dir}/brief\nstartsecs=0\nautorestart=false\n";
        let brief = "#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.1; done\n";
        let mut daemon = Scene::with("brief", text).script("brief", brief).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let mut client = daemon.command(&Subject::Ours.path(Program::Supervisorctl));
        client.args(["-c", "supervisord.conf", "fg", "p"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut client = client.spawn().expect("it starts");
        // Nobody types anything.
        let typing = client.stdin.take();
        let mut stdout = BufReader::new(client.stdout.take().expect("a pipe"));
        let mut said = String::new();
        stdout.read_line(&mut said).expect("it begins");
        daemon.write("go", "");
        stdout.read_to_string(&mut said).expect("it ends");
        assert_eq!(client.wait().expect("it ends").code(), Some(0));
        assert_eq!(said, "==> Press Ctrl-C to exit <==\nProcess got killed\nExiting foreground\n");
        drop(typing);
    });
}
