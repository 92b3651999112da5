//! Children.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::harness::{Scene, Subject, Value, only_ours, processes};

/// The original notices at its next look around, up to a second later. How fast ours is is a matter of the benchmarks;
/// here it only must not wait for a second.
#[test]
fn a_killed_program_is_replaced_at_once() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("at once", text).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        // The best of some, because this machine may be busy with other tests.
        let best = (0..10).map(|_| {
            let before = daemon.kill_child("p");
            let killed = Instant::now();
            daemon.wait_until("another runs", |daemon| ![0, before].contains(&daemon.pid_of("p")));
            killed.elapsed()
        });
        let best = best.min().unwrap_or_default();
        assert!(best < Duration::from_millis(500), "{best:?}");
    });
}

/// In the original the child gets an ordinary pipe instead.
#[test]
fn a_fastcgi_program_keeps_its_socket_inside_a_group() {
    only_ours(|| {
        let text =
            "[fcgi-program:f]\ncommand=sleep 1000\nsocket=unix://{dir}/f.sock\nstartsecs=0\n[group:g]\nprograms=f\n";
        let mut daemon = Scene::with("fastcgi", text).start(Subject::Ours);
        daemon.wait_for_state("g:f", "RUNNING");
        assert!(UnixStream::connect(daemon.path("f.sock")).is_ok());
        daemon.wait_until("its stdin is a socket", |daemon| {
            let stdin = fs::read_link(format!("/proc/{}/fd/0", daemon.pid_of("g:f"))).expect("it has descriptors");
            stdin.display().to_string().starts_with("socket:")
        });
    });
}

/// The original ends, and leaves its children behind.
#[test]
fn a_taken_fastcgi_port_is_a_spawn_error() {
    only_ours(|| {
        let text = "[fcgi-program:f]\ncommand=sleep 1000\nsocket=tcp://127.0.0.1:{port}\nstartsecs=0\nautostart=false\nstartretries=0\n\
            [program:p]\ncommand=sleep 1000\nstartsecs=0\n";
        let mut daemon = Scene::with("taken", text).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let listener = TcpListener::bind(("127.0.0.1", daemon.ports[0])).expect("the port is free");
        let said = daemon.ctl(&["start", "f"]);
        assert_eq!(said.stdout, "f: ERROR (spawn error)\n");
        daemon.wait_for_state("f", "FATAL");
        assert!(daemon.info("f").get("description").text().contains("socket"), "{}", daemon.info("f"));
        drop(listener);
        assert_eq!(daemon.ctl(&["start", "f"]).stdout, "f: started\n");
    });
}

/// The original removes whatever is in the way of its socket.
#[test]
fn a_file_at_the_path_of_a_fastcgi_socket_is_left_alone() {
    only_ours(|| {
        let text = "[fcgi-program:f]\ncommand=sleep 1000\nsocket=unix://{dir}/f.sock\nstartsecs=0\nstartretries=0\n";
        let mut daemon = Scene::with("kept", text).file("f.sock", "precious").launch(Subject::Ours);
        daemon.wait_until("it was tried", |daemon| daemon.log().contains("f.sock") || !daemon.stderr().is_empty());
        assert_eq!(daemon.read("f.sock"), "precious");
    });
}

/// The original leaves it for ever.
#[test]
fn a_fastcgi_socket_is_removed_at_the_end() {
    only_ours(|| {
        let text = "[fcgi-program:f]\ncommand=sleep 1000\nsocket=unix://{dir}/f.sock\nstartsecs=0\n";
        let mut daemon = Scene::with("removed", text).start(Subject::Ours);
        daemon.wait_for_state("f", "RUNNING");
        assert!(daemon.path("f.sock").exists());
        assert_eq!(daemon.stop(), 0);
        assert!(!daemon.path("f.sock").exists());
    });
}

/// The original reads 128 KiB more from each pipe and forgets the rest.
#[test]
fn the_last_words_of_a_program_are_kept() {
    const BYTES: usize = 3_000_000;
    only_ours(|| {
        let text = format!(
            "[program:p]\ncommand=head -c {BYTES} /dev/zero\nautorestart=false\nstartsecs=0\nautostart=false\nstdout_logfile={{dir}}/p.log\nstderr_logfile=NONE\n"
        );
        let mut daemon = Scene::with("last words", &text).start(Subject::Ours);
        daemon.ctl(&["start", "p"]);
        daemon.wait_for_state("p", "EXITED");
        assert_eq!(fs::metadata(daemon.path("p.log")).map(|meta| meta.len()).unwrap_or(0), BYTES as u64);
    });
}

/// In the original every child ignores SIGPIPE, so that `yes | head` never ends by itself.
#[test]
fn children_start_with_default_signals() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sleep 1000\nstartsecs=0\n";
        let mut daemon = Scene::with("signals", text).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid_of("p"))).expect("it runs");
        for mask in ["SigIgn", "SigBlk"] {
            let line = status.lines().find(|line| line.starts_with(mask)).expect("Linux says it");
            let bits = u64::from_str_radix(line.split_whitespace().nth(1).unwrap_or_default(), 16).expect("a mask");
            // The signals after the 31st belong to the C library.
            assert_eq!(bits & 0x7fff_ffff, 0, "{line}");
        }
    });
}

/// Descriptors of the daemon are none of a child's business.
#[test]
fn children_have_three_descriptors() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sleep 1000\nstartsecs=0\n[program:q]\ncommand=sleep 1000\nstartsecs=0\n";
        let mut daemon = Scene::with("descriptors", text).start(Subject::Ours);
        daemon.wait_for_states(&["p", "q"], "RUNNING");
        for name in ["p", "q"] {
            let pid = daemon.pid_of(name);
            daemon.wait_until("it has become what it is", |_| {
                processes::process(pid).is_some_and(|process| process.name == "sleep")
            });
            // While it begins it reads libraries and the like.
            daemon.wait_until("it has three descriptors", |_| processes::descriptors(pid) == 3);
        }
    });
}

/// In the original a program that was stopped while it waited for its next try has fewer tries left.
#[test]
fn a_start_by_hand_begins_with_all_retries() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sh -c 'exit 1'\nstartretries=1\nstartsecs=1\nautostart=false\n\
            [eventlistener:record]\ncommand=python3 {dir}/listener.py {dir}/events.json\nevents=PROCESS_STATE_STARTING\nstartsecs=0\n";
        let scene = Scene::with("retries", text).file("listener.py", include_str!("../fixtures/listener.py"));
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("record", "RUNNING");
        for _ in 0..2 {
            daemon.call("supervisor.startProcess", &["p".into(), false.into()]);
            daemon.wait_for_state("p", "BACKOFF");
            daemon.call("supervisor.stopProcess", &["p".into()]);
        }
        daemon.wait_until("both starts are told", |daemon| {
            daemon.read("events.json").matches("processname:p ").count() == 2
        });
        assert_eq!(
            daemon.read("events.json").matches("tries:0").count(),
            daemon.read("events.json").matches("processname:").count()
        );
    });
}

/// The original fails with an internal error, and keeps half of the text for later.
#[test]
fn input_waits_while_a_program_does_not_read() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sh -c 'while [ ! -e go ]; do sleep 0.1; done; exec cat'\nstartsecs=0\nstdout_logfile={dir}/p.log\n";
        let mut daemon = Scene::with("input", text).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let line = "x".repeat(9_999) + "\n";
        for _ in 0..20 {
            assert_eq!(
                daemon.call("supervisor.sendProcessStdin", &["p".into(), line.as_str().into()]),
                Value::Bool(true)
            );
        }
        daemon.write("go", "");
        daemon.wait_until("all has come through", |daemon| daemon.read("p.log").len() == 200_000);
    });
}

/// In the original a rejected event reaches every pool whose processes have the same priority.
#[test]
fn a_rejected_event_stays_in_its_pool() {
    only_ours(|| {
        let text = "[eventlistener:refuses]\ncommand=python3 {dir}/refuse.py {dir}/refused.txt\nevents=REMOTE_COMMUNICATION\nstartsecs=0\n\
            [eventlistener:other]\ncommand=python3 {dir}/listener.py {dir}/events.json\nevents=TICK_3600\nstartsecs=0\n";
        const REFUSE: &str = "import sys
for number in range(1000):
    sys.stdout.write('READY\\n'); sys.stdout.flush()
    header = dict(token.split(':') for token in sys.stdin.readline().split())
    sys.stdin.read(int(header['len']))
    open(sys.argv[1], 'a').write('x')
    sys.stdout.write('RESULT 4\\nFAIL' if number < 3 else 'RESULT 2\\nOK'); sys.stdout.flush()
";
        let scene = Scene::with("rejected", text)
            .file("refuse.py", REFUSE)
            .file("listener.py", include_str!("../fixtures/listener.py"));
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_states(&["refuses", "other"], "RUNNING");
        daemon.call("supervisor.sendRemoteCommEvent", &["a".into(), "b".into()]);
        daemon.wait_until("it was offered four times", |daemon| daemon.read("refused.txt").len() == 4);
        assert_eq!(daemon.read("events.json"), "");
    });
}

/// The original never uses such a listener again.
#[test]
fn a_listener_that_loses_its_way_is_brought_back() {
    only_ours(|| {
        const CONFUSED: &str = "import os, sys
if not os.path.exists(sys.argv[1]):
    open(sys.argv[1], 'w').close()
    sys.stdout.write('HELLO WORLD\\n'); sys.stdout.flush()
    sys.stdin.read()
exec(open(sys.argv[2]).read().replace('sys.argv[1]', 'sys.argv[3]'))
";
        let text = "[eventlistener:l]\ncommand=python3 {dir}/confused.py {dir}/once {dir}/listener.py {dir}/events.json\nevents=REMOTE_COMMUNICATION\nstartsecs=0\n";
        let scene = Scene::with("confused", text)
            .file("confused.py", CONFUSED)
            .file("listener.py", include_str!("../fixtures/listener.py"));
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_log("has entered the UNKNOWN state");
        daemon.call("supervisor.sendRemoteCommEvent", &["a".into(), "b".into()]);
        daemon.wait_until("it listens again", |daemon| daemon.read("events.json").contains("REMOTE_COMMUNICATION"));
    });
}

/// The original ends when the pipe is full, and leaves its children behind.
#[test]
fn a_listener_that_never_reads_harms_nobody() {
    only_ours(|| {
        let text = "[eventlistener:deaf]\ncommand=sh -c 'echo READY; exec sleep 1000'\nevents=REMOTE_COMMUNICATION\n\
            buffer_size=5\nstartsecs=0\n[program:p]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\n";
        let mut daemon = Scene::with("deaf", text).start(Subject::Ours);
        daemon.wait_for_states(&["deaf", "p"], "RUNNING");
        let data = "x".repeat(200_000);
        for _ in 0..20 {
            daemon.call("supervisor.sendRemoteCommEvent", &["kind".into(), data.as_str().into()]);
        }
        daemon.wait_for_log("pool deaf event buffer overflowed, discarding event");
        let before = daemon.kill_child("p");
        daemon.wait_until("it is replaced", |daemon| ![0, before].contains(&daemon.pid_of("p")));
        assert_eq!(daemon.state_of("deaf"), "RUNNING");
        assert_eq!(daemon.stop(), 0);
    });
}
