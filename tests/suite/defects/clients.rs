//! Clients of the daemon, and ours.

use std::io::{Read, Write};

use crate::harness::programs::CAT;
use crate::harness::rpc::{self, Answer};
use crate::harness::{Daemon, Program, Scene, Subject, Value, command, http, only_ours};

fn cat(name: &str, options: &str) -> Daemon {
    let mut daemon = Scene::with(name, &format!("{CAT}{options}")).start(Subject::Ours);
    daemon.wait_for_state("cat", "RUNNING");
    daemon
}

/// Sends bytes and returns the status of the answer.
fn status_of(daemon: &Daemon, request: &str) -> u16 {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    http::response(&mut *stream).map_or(0, |response| response.status())
}

/// The original does not answer at all, or ends the connection.
#[test]
fn strange_requests_get_an_answer() {
    only_ours(|| {
        let daemon = cat("strange", "");
        assert_eq!(status_of(&daemon, "POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"), 400);
        assert_eq!(status_of(&daemon, "GET /ok.html HTTP/1.1\r\nHost:h\r\nConnection:close\r\n\r\n"), 200);
        let body = "<methodCall><methodName>supervisor.getState</methodName></methodCall>";
        let tight = format!("POST /RPC2 HTTP/1.1\r\nHost:h\r\nContent-Length:{}\r\n\r\n{body}", body.len());
        assert_eq!(status_of(&daemon, &tight), 200, "a header needs no space");
    });
}

/// The original counts characters, and cuts the answer.
#[test]
fn answers_that_wait_may_contain_any_letter() {
    only_ours(|| {
        let text = "[program:gr\u{fc}n]\ncommand=sleep 1000\nautostart=false\nstartsecs=1\n";
        let daemon = Scene::with("letters", text).start(Subject::Ours);
        let results = daemon.call("supervisor.startAllProcesses", &[]);
        assert_eq!(results.items()[0].get("name").text(), "gr\u{fc}n");
    });
}

/// The original fails with an internal error.
#[test]
fn numbers_too_large_for_clients_are_capped() {
    only_ours(|| {
        let daemon = cat("large", "stdout_logfile_maxbytes=3GB\n");
        let info = daemon.call("supervisor.getAllConfigInfo", &[]);
        assert_eq!(info.items()[0].get("stdout_logfile_maxbytes").int(), 2_147_483_647);
    });
}

/// In the original the rest of the work is never done.
#[test]
fn work_goes_on_when_the_client_goes_away() {
    only_ours(|| {
        let mut daemon = cat("gone", "stopwaitsecs=1\n");
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
        let request = format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        stream.write_all(request.as_bytes()).expect("it reads");
        drop(stream);
        daemon.wait_until("it was stopped and started", |daemon| ![0, before].contains(&daemon.pid_of("cat")));
        daemon.wait_for_state("cat", "RUNNING");
    });
}

/// The original answers a second request into the middle of the first answer.
#[test]
fn requests_on_one_connection_wait_for_their_turn() {
    only_ours(|| {
        let daemon = cat("turns", "[program:slow]\ncommand=sleep 1000\nautostart=false\nstartsecs=1\n");
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        for (method, arguments) in
            [("supervisor.startProcess", vec![Value::from("slow")]), ("supervisor.getAPIVersion", vec![])]
        {
            let body = rpc::encode(method, &arguments);
            let request = format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(request.as_bytes()).expect("it reads");
        }
        let answers: Vec<_> = (0..2).map(|_| http::response(&mut *stream).expect("an answer").text()).collect();
        assert_eq!(rpc::decode(&answers[0]), Ok(Ok(Value::Bool(true))));
        assert_eq!(rpc::decode(&answers[1]), Ok(Ok("3.0".into())));
    });
}

/// The original expands entities without limit.
#[test]
fn documents_cannot_define_entities() {
    only_ours(|| {
        let daemon = cat("entities", "");
        let body = "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><methodCall><methodName>supervisor.getState</methodName></methodCall>";
        let request = format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert_eq!(status_of(&daemon, &request), 400);
    });
}

/// The original answers 500.
#[test]
fn broken_credentials_are_wrong_credentials() {
    only_ours(|| {
        let text = "[supervisord]\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\n[unix_http_server]\nfile={dir}/s.sock\nusername=u\npassword=p\n";
        let daemon = Scene::new("credentials").config(text).start(Subject::Ours);
        for credentials in ["Basic !!!", "Basic", "Digest x", "Basic dQ=="] {
            let request = format!("GET /ok.html HTTP/1.1\r\nHost: h\r\nAuthorization: {credentials}\r\n\r\n");
            assert_eq!(status_of(&daemon, &request), 401, "{credentials}");
        }
    });
}

/// The original sends nothing before it has 64 KiB.
#[test]
fn old_clients_can_follow_a_log() {
    only_ours(|| {
        let mut daemon = cat("follow", "");
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
    only_ours(|| {
        let mut daemon = cat("address", "[supervisord]\nloglevel=trace\n");
        assert_eq!(status_of(&daemon, "GET /error.html HTTP/1.1\r\nHost: h\r\n\r\n"), 404);
        daemon.wait_for_log("/error.html");
        assert!(!daemon.log().contains(" ERRO "), "{}", daemon.report());
    });
}

/// The original makes it true.
#[test]
fn starting_what_is_being_stopped_is_refused() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sh -c 'trap \"\" TERM; touch ready; while :; do sleep 0.1; done'\nstartsecs=0\nstopwaitsecs=3\nkillasgroup=true\n";
        let mut daemon = Scene::with("stopping", text).start(Subject::Ours);
        daemon.wait_until("it ignores TERM", |daemon| daemon.path("ready").exists());
        daemon.wait_for_state("p", "RUNNING");
        daemon.call("supervisor.stopProcess", &["p".into(), false.into()]);
        daemon.wait_for_state("p", "STOPPING");
        let answer = rpc::ask(&daemon.path("s.sock"), "supervisor.startProcess", &["p".into(), false.into()])
            .expect("an answer");
        assert!(matches!(answer, Answer::Fault(_)), "{answer}");
    });
}

/// The client of the original shows an interpreter's traceback.
#[test]
fn a_broken_file_is_an_ordinary_error_of_the_client() {
    only_ours(|| {
        let place = Scene::new("broken").config("[supervisorctl]\nnonsense\n").set_up(Subject::Ours);
        let mut client = place.command(&Subject::Ours.path(Program::Supervisorctl));
        let output = command::run(client.args(["-c", "supervisord.conf", "status"]), "");
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.starts_with("Error: Source contains parsing errors: 'supervisord.conf'"), "{output:?}");
    });
}

/// The client of the original ends with status 0.
#[test]
fn following_what_is_not_there_fails() {
    only_ours(|| {
        let daemon = cat("nothing", "");
        let output = daemon.ctl(&["tail", "-f", "nobody"]);
        assert_eq!(output.code, 1, "{output:?}");
        assert!(output.stderr.contains("Cannot read, status code 404"), "{output:?}");
    });
}

/// The client of the original says it twice, the second time as an interpreter's error.
#[test]
fn a_wrong_password_is_said_once() {
    only_ours(|| {
        let text = "[supervisord]\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\n[unix_http_server]\nfile={dir}/s.sock\nusername=u\npassword=p\n\
            [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
            [supervisorctl]\nserverurl=unix://{dir}/s.sock\nusername=u\npassword=wrong\n";
        let daemon = Scene::new("password").config(text).start(Subject::Ours);
        let output = daemon.ctl(&["status"]);
        assert_eq!(output.code, 1, "{output:?}");
        assert_eq!(output.stdout, "Server requires authentication\n");
    });
}
