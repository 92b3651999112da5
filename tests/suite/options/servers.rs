//! The HTTP servers, their RPC interface, and how `supervisorctl` finds them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use nix::unistd::geteuid;

use crate::harness::{
    Daemon, Observed, Scene, Subject, compare, compare_refusal, compare_runs, each_subject, http, only_ours, wait,
};

const BASE: &str = "[supervisord]\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\nchildlogdir={dir}\n\
    [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
    [program:p]\ncommand=sleep 1000\nstartsecs=0\n";

fn scene(name: &str, text: &str) -> Scene {
    Scene::new(name).config(&format!("{BASE}{text}"))
}

/// The status of `GET /` with and without a password.
fn note_access(connect: impl Fn() -> Box<dyn http::Stream>, observed: &mut Observed) {
    for (what, headers) in [
        ("nobody", vec![]),
        ("right", vec![http::basic("user", "se:cret")]),
        ("wrong password", vec![http::basic("user", "guess")]),
        ("wrong user", vec![http::basic("guess", "se:cret")]),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let response = http::request(&mut *connect(), "GET", "/", &headers, b"").expect("an answer");
        let realm = response.header("www-authenticate").unwrap_or_default().to_owned();
        observed.exactly(what, format!("{} {realm}", response.status_line));
    }
}

pins! {
    unix_file: "unix_http_server file" => {
        compare(&scene("file", "[unix_http_server]\nfile=~/run/s.sock\n").file("run/.keep", ""), |daemon, observed| {
            daemon.wait_for_log("entered RUNNING");
            observed.note(daemon, "activity log", daemon.story());
            let page = http::request(&mut *http::unix(&daemon.path("run/s.sock")).expect("it listens"), "GET", "/ok.html", &[], b"");
            observed.exactly("answer", page.expect("an answer").text());
            let names = || fs::read_dir(daemon.path("run")).expect("a directory").flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| name != ".keep").collect::<Vec<_>>().join(" ");
            observed.exactly("socket files", names());
            let code = { let _ = &names; daemon.stop() };
            observed.exactly("exit status", code);
            observed.exactly("the socket is removed", !daemon.path("run/s.sock").exists());
        });
        compare_refusal(&scene("file", "[unix_http_server]\n"));
        compare_refusal(&scene("file", "[unix_http_server]\nfile={dir}/nowhere/s.sock\n"));
    }

    unix_mode: "unix_http_server chmod" "unix_http_server chown" => {
        let owner = if geteuid().is_root() { "chown=nobody:daemon\n" } else { "" };
        for options in ["", "chmod=0762\n", &format!("chmod=0770\n{owner}")] {
            compare(&scene("chmod", &format!("[unix_http_server]\nfile={{dir}}/s.sock\n{options}")), |daemon, observed| {
                let metadata = fs::metadata(daemon.path("s.sock")).expect("the socket exists");
                observed.exactly("mode", format!("{:o}", metadata.permissions().mode()));
                observed.exactly("owner", format!("{}:{}", metadata.uid(), metadata.gid()));
            });
        }
        compare_refusal(&scene("chmod", "[unix_http_server]\nfile={dir}/s.sock\nchmod=rw\n"));
        compare_refusal(&scene("chown", "[unix_http_server]\nfile={dir}/s.sock\nchown=no-such-user\n"));
    }

    unix_password: "unix_http_server username" "unix_http_server password" => {
        compare(&scene("password", "[unix_http_server]\nfile={dir}/s.sock\nusername=user\npassword=se:cret\n"), |daemon, observed| {
            note_access(|| http::unix(&daemon.path("s.sock")).expect("it listens"), observed);
            daemon.wait_for_log("entered RUNNING");
            observed.note(daemon, "activity log", daemon.story());
        });
        compare_refusal(&scene("password", "[unix_http_server]\nfile={dir}/s.sock\nusername=user\n"));
        compare_refusal(&scene("password", "[unix_http_server]\nfile={dir}/s.sock\npassword=secret\n"));
    }

    inet_port: "inet_http_server port" => {
        for port in ["127.0.0.1:{port}", "localhost:{port}", ":{port}", "*:{port}", "{port}"] {
            compare(&scene("port", &format!("[inet_http_server]\nport={port}\n")), |daemon, observed| {
                let port = daemon.ports[0];
                let page = http::request(&mut *http::tcp(port).expect("it listens"), "GET", "/ok.html", &[], b"");
                observed.exactly("answer", page.expect("an answer").text());
                daemon.wait_for_log("entered RUNNING");
                observed.note(daemon, "activity log", daemon.story());
                let environment = fs::read(format!("/proc/{}/environ", daemon.pid())).unwrap_or_default();
                observed.exactly("the daemon's own environment", environment.windows(21).any(|window| window == b"SUPERVISOR_SERVER_URL"));
            });
        }
        for port in ["", "port=\n", "port=abc\n", "port=0\n", "port=127.0.0.1:65536\n"] {
            compare_refusal(&scene("port", &format!("[inet_http_server]\n{port}")));
        }
    }

    /// The original has no such option: its links always act, so that any page a browser shows can stop programs.
    links_that_act: "unix_http_server get_actions" "inet_http_server get_actions" => {
        only_ours(|| {
            for (option, status, state) in [("", 403, "RUNNING"), ("get_actions=true\n", 303, "STOPPED")] {
                let text = format!("[unix_http_server]\nfile={{dir}}/s.sock\n{option}[inet_http_server]\nport=127.0.0.1:{{port}}\n{option}");
                for through_unix in [true, false] {
                    let mut daemon = scene("links", &text).start(Subject::Ours);
                    daemon.wait_for_state("p", "RUNNING");
                    let mut stream = match through_unix {
                        true => http::unix(&daemon.path("s.sock")).expect("it listens"),
                        false => http::tcp(daemon.ports[0]).expect("it listens"),
                    };
                    let answer = http::request(&mut *stream, "GET", "/index.html?processname=p&action=stop", &["User-Agent: Mozilla/5.0", "Sec-Fetch-Site: none"], b"");
                    assert_eq!(answer.expect("an answer").status(), status, "{option:?}");
                    assert_eq!(daemon.state_of("p"), state, "{option:?}");
                }
            }
        });
    }

    inet_password: "inet_http_server username" "inet_http_server password" => {
        // The digest of "se:cret".
        const DIGEST: &str = "{SHA}a6fd8606f8f12a7541202a933e4a2a986fd9c1a1";
        for password in ["se:cret", DIGEST] {
            let text = format!("[inet_http_server]\nport=127.0.0.1:{{port}}\nusername=user\npassword={password}\n");
            compare(&scene("password", &text), |daemon, observed| {
                let port = daemon.ports[0];
                note_access(|| http::tcp(port).expect("it listens"), observed);
            });
        }
        compare_refusal(&scene("password", "[inet_http_server]\nport=127.0.0.1:{port}\nusername=user\n"));
    }

    several_servers: "rpcinterface supervisor.rpcinterface_factory" => {
        let text = "[unix_http_server]\nfile={dir}/one.sock\n[unix_http_server:b]\nfile={dir}/two.sock\nusername=user\npassword=se:cret\n\
            [inet_http_server]\nport=127.0.0.1:{port}\n[inet_http_server:b]\nport=127.0.0.1:{port2}\n\
            [program:env]\ncommand=env\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/env.log\n";
        compare(&scene("several", text), |daemon, observed| {
            daemon.wait_for_log("entered RUNNING");
            observed.note(daemon, "servers", daemon.log().lines().filter(|line| line.contains("RPC") || line.contains("Server ")).collect::<Vec<_>>().join("\n"));
            let environment = daemon.wait_for_file("env.log");
            observed.note(daemon, "environment of children", environment.lines().find(|line| line.starts_with("SUPERVISOR_SERVER_URL")).unwrap_or_default());
        });
        // Without the section there is no `supervisor` namespace.
        let bare = "[supervisord]\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\n[unix_http_server]\nfile={dir}/s.sock\n[supervisorctl]\nserverurl=unix://{dir}/s.sock\n";
        compare(&Scene::new("bare").config(bare), |daemon, observed| {
            observed.exactly("call", format!("{:?}", daemon.rpc("supervisor.getState", &[])));
            observed.exactly("methods", daemon.call("system.listMethods", &[]));
            observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
            observed.note(daemon, "start", daemon.ctl(&["start", "p"]).transcript());
        });
        compare_refusal(&scene("factory", "[rpcinterface:other]\nkey=value\n"));
        compare_refusal(&scene("factory", "[rpcinterface:other]\nsupervisor.rpcinterface_factory=nowhere.to:be_found\n"));
    }

    client: "supervisorctl serverurl" "supervisorctl username" "supervisorctl password" => {
        let text = "[inet_http_server]\nport=127.0.0.1:{port}\nusername=user\npassword=%(ENV_SECRET)s\n\
            [supervisorctl]\nserverurl=http://127.0.0.1:{port}\nusername=user\npassword=%(ENV_SECRET)s\n";
        compare(&scene("client", text).env("SECRET", "se:cret"), |daemon, observed| {
            wait_for_program(daemon);
            observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
            let refused = format!("http://127.0.0.1:{}", daemon.ports[1]);
            // Ours prints an explanation on stderr as well.
            for (url, verb) in [(refused.as_str(), "status"), ("unix:///nowhere/s.sock", "start")] {
                let said = daemon.ctl(&["-s", url, verb, "p"]);
                observed.note(daemon, "no daemon", said.stdout);
                observed.exactly("its exit status", said.code);
            }
        });
        compare(&scene("client", "[unix_http_server]\nfile={dir}/s.sock\n[supervisorctl]\nserverurl=unix://~/sub/../s.sock\n"), |daemon, observed| {
            wait_for_program(daemon);
            observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
        });
        compare(&scene("client", "[unix_http_server]\nfile={dir}/s.sock\n[supervisorctl]\nserverurl=%(nope)s\n"), |daemon, observed| {
            let said = daemon.ctl(&["status"]).transcript();
            observed.note(daemon, "bad expansion", said.lines().filter(|line| !line.starts_with("For help")).collect::<Vec<_>>().join("\n"));
        });
    }

    shell: "supervisorctl prompt" "supervisorctl history_file" => {
        let text = "[unix_http_server]\nfile={dir}/s.sock\n[supervisorctl]\nserverurl=unix://{dir}/s.sock\nprompt=ahoy\nhistory_file=%(here)s/history\n";
        compare(&scene("shell", text), |daemon, observed| {
            wait_for_program(daemon);
            let said = daemon.ctl_of(daemon.subject, &[], "version\npid nobody\n\nexit\n");
            observed.note(daemon, "session", said.transcript());
            // Lines from a pipe are not recorded, but the file is created, with private permissions.
            let mode = fs::metadata(daemon.path("history")).map(|file| file.permissions().mode() & 0o777);
            observed.exactly("history", format!("{mode:?} {:?}", daemon.read("history")));
        });
    }

    plugin: "ctlplugin supervisor.ctl_factory" => {
        for section in ["[ctlplugin:x]\nkey=value\n", "[ctlplugin:x]\nsupervisor.ctl_factory=nowhere.to:be_found\n"] {
            let text = format!("[supervisorctl]\nserverurl=unix://{{dir}}/s.sock\n{section}");
            compare_runs(|subject| {
                let daemon = scene("plugin", &text).launch(subject);
                let said = daemon.ctl(&["version"]).transcript();
                let mut observed = Observed::new();
                observed.note(&daemon, "refusal", said.lines().filter(|line| !line.starts_with("For help")).collect::<Vec<_>>().join("\n"));
                println!("{observed}");
                observed
            });
        }
    }
}

/// Waits for the program without a connection to a socket.
fn wait_for_program(daemon: &mut Daemon) {
    daemon.wait_for_log("success: p entered RUNNING");
}

#[test]
fn a_second_daemon_on_the_same_socket_is_refused() {
    each_subject(|subject| {
        let text = "[unix_http_server]\nfile={dir}/s.sock\n";
        let first = scene("taken", text).start(subject);
        let second = scene("taken", "").set_up(subject);
        let path = first.path("s.sock").display().to_string();
        let scene = scene("taken", &format!("[unix_http_server]\nfile={path}\n"));
        let output = scene.run(subject);
        drop(second);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(
            output.stderr.contains(
                "Another program is already listening on a port that one of our HTTP servers is configured to use."
            ),
            "{output:?}"
        );
        assert!(first.path("s.sock").exists(), "the first one keeps its socket");
    });
}

#[test]
fn a_stale_socket_file_is_replaced() {
    each_subject(|subject| {
        let scene = scene("stale", "[unix_http_server]\nfile={dir}/s.sock\n");
        let place = scene.set_up(subject);
        drop(std::os::unix::net::UnixListener::bind(place.path("s.sock")).expect("a socket"));
        let mut daemon = scene.start_in(place);
        wait::until("it answers", || http::unix(&daemon.path("s.sock")).is_ok());
        assert!(daemon.stderr().contains("Unlinking stale socket"), "{}", daemon.report());
        assert_eq!(daemon.stop(), 0);
    });
}
