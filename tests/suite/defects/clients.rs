//! Clients of the daemon, and `supervisorctl`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::harness::programs::CAT;
use crate::harness::rpc;
use crate::harness::{Daemon, Program, Scene, Subject, Value, command, differ, http, only_ours};

/// A program that takes long to stop.
const SLOW_TO_STOP: &str = "[program:p]\ncommand=sh -c 'trap \"\" TERM; touch ready; while :; do sleep 0.1; done'\nstartsecs=0\nstopwaitsecs=5\nkillasgroup=true\n";

fn cat(subject: Subject, name: &str, options: &str) -> Daemon {
    let mut daemon = Scene::with(name, &format!("{CAT}{options}")).start(subject);
    daemon.wait_for_state("cat", "RUNNING");
    daemon
}

fn start_slow_to_stop(subject: Subject, name: &str) -> Daemon {
    let mut daemon = Scene::with(name, SLOW_TO_STOP).start(subject);
    daemon.wait_until("it ignores TERM", |daemon| daemon.path("ready").exists());
    daemon.wait_for_state("p", "RUNNING");
    daemon
}

/// A daemon with a user name and a password.
fn start_with_password(subject: Subject, name: &str) -> Daemon {
    let text = "[supervisord]\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\n[unix_http_server]\nfile={dir}/s.sock\nusername=u\npassword=p\n\
        [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
        [supervisorctl]\nserverurl=unix://{dir}/s.sock\nusername=u\npassword=wrong\n";
    Scene::new(name).config(text).start(subject)
}

/// Sends bytes and returns the status of the answer; 0 when the server closes the connection without one.
fn status_of(daemon: &Daemon, request: &str) -> u16 {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    http::response(&mut *stream).map_or(0, |response| response.status())
}

fn post(body: &str) -> String {
    format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Without a space after the colon, the original does not find the length.
#[test]
fn a_header_needs_no_space_after_its_colon() {
    differ(411, 200, |subject| {
        let daemon = cat(subject, "tight", "");
        let body = rpc::encode("supervisor.getState", &[]);
        status_of(&daemon, &format!("POST /RPC2 HTTP/1.1\r\nHost:h\r\nContent-Length:{}\r\n\r\n{body}", body.len()))
    });
}

/// The original sends the whole error page.
#[test]
fn a_head_request_that_fails_gets_no_body() {
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

/// The original never sends the interim response, so the client waits until it sends its body anyway.
#[test]
fn expect_100_continue_is_answered() {
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

/// The original never answers.
#[test]
fn an_empty_body_is_answered() {
    only_ours(|| {
        assert_eq!(status_of(&cat(Subject::Ours, "empty", ""), &post("")), 400);
    });
}

/// The original closes the connection.
#[test]
fn a_body_that_is_not_utf8_is_answered() {
    differ(0, 400, |subject| {
        let daemon = cat(subject, "utf8", "");
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        stream.write_all(b"POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n\xff").expect("it reads");
        http::response(&mut *stream).map_or(0, |response| response.status())
    });
}

/// The original counts characters instead of bytes, so the answer is cut short.
#[test]
fn deferred_answers_may_contain_non_ascii_text() {
    differ(false, true, |subject| {
        let text = "[program:gr\u{fc}n]\ncommand=sleep 1000\nautostart=false\nstartsecs=1\n";
        let daemon = Scene::with("letters", text).start(subject);
        daemon.answer("supervisor.startAllProcesses", &[]).contains("gr\u{fc}n")
    });
}

#[test]
fn numbers_too_large_for_xml_rpc_are_capped() {
    differ("HTTP status 500".to_owned(), "2147483647".to_owned(), |subject| {
        let daemon = cat(subject, "large", "stdout_logfile_maxbytes=3GB\n");
        let answer = daemon.answer("supervisor.getAllConfigInfo", &[]);
        let value = answer.split_once("stdout_logfile_maxbytes: ").and_then(|(_, rest)| rest.lines().next());
        value.map(str::to_owned).unwrap_or(answer)
    });
}

/// The original drops the rest of the calls.
#[test]
fn calls_continue_after_the_client_disconnects() {
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

/// The original writes the second answer into the middle of the first one.
#[test]
fn pipelined_requests_are_answered_in_order() {
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
fn xml_entity_definitions_are_refused() {
    differ(200, 400, |subject| {
        let body = "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'supervisor.getState'>]><methodCall><methodName>&a;</methodName></methodCall>";
        status_of(&cat(subject, "entities", ""), &post(body))
    });
}

#[test]
fn malformed_credentials_are_answered_with_401() {
    differ([500, 401, 401, 500], [401; 4], |subject| {
        let daemon = start_with_password(subject, "credentials");
        ["Basic !!!", "Basic", "Digest x", "Basic dQ=="].map(|credentials| {
            let request = format!("GET /ok.html HTTP/1.1\r\nHost: h\r\nAuthorization: {credentials}\r\n\r\n");
            status_of(&daemon, &request)
        })
    });
}

/// The original sends nothing before it has 64 KiB.
#[test]
fn http_1_0_clients_can_follow_a_log() {
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
fn a_path_that_contains_error_is_not_logged_as_an_error() {
    differ(true, false, |subject| {
        let mut daemon = cat(subject, "address", "[supervisord]\nloglevel=trace\n");
        assert_eq!(status_of(&daemon, "GET /error.html HTTP/1.1\r\nHost: h\r\n\r\n"), 404);
        daemon.wait_for_log("/error.html");
        daemon.log().contains(" ERRO ")
    });
}

/// The page of the original calls its own RPC interface, which fails during shutdown.
#[test]
fn the_web_page_is_served_during_shutdown() {
    differ([500, 500, 200], [200, 303, 200], |subject| {
        let mut daemon = start_slow_to_stop(subject, "late page");
        daemon.signal(Signal::SIGTERM);
        daemon.wait_for_log("waiting for p to die");
        ["/", "/index.html?action=refresh", "/ok.html"]
            .map(|path| status_of(&daemon, &format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")))
    });
}

/// The original answers true.
#[test]
fn starting_a_stopping_process_is_refused() {
    differ("true".to_owned(), "fault 40 ABNORMAL_TERMINATION: p".to_owned(), |subject| {
        let mut daemon = start_slow_to_stop(subject, "stopping");
        daemon.call("supervisor.stopProcess", &["p".into(), false.into()]);
        daemon.wait_for_state("p", "STOPPING");
        daemon.answer("supervisor.startProcess", &["p".into(), false.into()])
    });
}

/// The original `supervisorctl` prints a Python traceback.
#[test]
fn a_syntax_error_in_the_file_is_a_plain_error_of_supervisorctl() {
    differ((1, false), (2, true), |subject| {
        let place = Scene::new("broken").config("[supervisorctl]\nnonsense\n").set_up(subject);
        let mut client = place.command(&subject.path(Program::Supervisorctl));
        let output = command::run(client.args(["-c", "supervisord.conf", "status"]), "");
        let is_error = output.stderr.starts_with("Error: Source contains parsing errors: 'supervisord.conf'");
        (output.code, is_error)
    });
}

/// The original `supervisorctl` prints the same message and exits with status 0.
#[test]
fn following_an_unknown_log_exits_with_status_1() {
    differ(0, 1, |subject| {
        let output = cat(subject, "nothing", "").ctl(&["tail", "-f", "nobody"]);
        assert!(output.stderr.contains("Cannot read, status code 404"), "{output:?}");
        output.code
    });
}

/// The original `supervisorctl` reports it twice, the second time as a Python error.
#[test]
fn a_wrong_password_is_reported_once() {
    differ(2, 1, |subject| {
        let output = start_with_password(subject, "password").ctl(&["status"]);
        assert_eq!(output.code, 1, "{output:?}");
        assert!(output.stdout.starts_with("Server requires authentication\n"), "{output:?}");
        output.stdout.lines().count()
    });
}

/// The original `supervisorctl` adds a file and line of its own source.
#[test]
fn errors_are_shown_without_source_locations() {
    differ(true, false, |subject| {
        let output = cat(subject, "place", "").ctl(&["-s", "unix:///nowhere", "avail"]);
        assert_eq!(output.code, 1, "{output:?}");
        let line = "error: <class 'FileNotFoundError'>, [Errno 2] No such file or directory";
        assert!(output.stdout.starts_with(line), "{output:?}");
        output.stdout.contains(" line: ")
    });
}

/// The original `supervisorctl` prints `cat:None`.
#[test]
fn clear_names_the_group_as_it_was_written() {
    differ(
        "cat:None: ERROR (no such process)\n".to_owned(),
        "cat:*: ERROR (no such process)\n".to_owned(),
        |subject| cat(subject, "clear group", "").ctl(&["clear", "cat:*"]).stdout,
    );
}

/// The original `supervisorctl` notices the end only after another line of input.
#[test]
fn fg_ends_when_the_program_ends() {
    only_ours(|| {
        let text = "[program:p]\ncommand={dir}/brief\nstartsecs=0\nautorestart=false\n";
        let brief = "#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.1; done\n";
        let mut daemon = Scene::with("brief", text).script("brief", brief).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let mut client = daemon.command(&Subject::Ours.path(Program::Supervisorctl));
        client.args(["-c", "supervisord.conf", "fg", "p"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut client = client.spawn().expect("it starts");
        // The test types no input.
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
