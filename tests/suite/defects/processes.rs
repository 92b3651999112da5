//! Defects of the original in the supervision of children.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::harness::{Daemon, Scene, Subject, differ, only_ours, processes, wait};

/// The pid of a program, once it has executed sleep(1).
fn sleeper(daemon: &mut Daemon, name: &str) -> i32 {
    let pid = daemon.pid_of(name);
    daemon.wait_until("it has become what it is", |_| {
        processes::process(pid).is_some_and(|process| process.name == "sleep")
    });
    pid
}

/// The original notices an exit when its loop wakes up, up to a second later. Ours does not poll, so that only the exit
/// can wake it.
#[test]
fn a_killed_program_is_replaced_at_once() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("at once", text).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let (parent, child) = (daemon.pid(), daemon.pid_of("p"));
        let wakings = || processes::status(parent, "voluntary_ctxt_switches").expect("it runs");
        // TICK_5 wakes it once in five seconds, which is not polling.
        wait::until("it lets two seconds pass", || {
            let before = wakings();
            assert!(Command::new("sleep").arg("2").status().expect("sleep can be executed").success());
            wakings() == before
        });
        processes::signal(child, Signal::SIGKILL);
        wait::until("another runs", || {
            let children = processes::children(parent);
            children.iter().any(|other| other.pid != child && other.state != 'Z')
        });
    });
}

/// In the original the child gets a pipe as its descriptor 0 instead.
#[test]
fn a_fastcgi_program_keeps_its_socket_inside_a_group() {
    differ(("pipe", false), ("socket", true), |subject| {
        let text =
            "[fcgi-program:f]\ncommand=sleep 1000\nsocket=unix://{dir}/f.sock\nstartsecs=0\n[group:g]\nprograms=f\n";
        let mut daemon = Scene::with("fastcgi", text).start(subject);
        daemon.wait_for_state("g:f", "RUNNING");
        let pid = sleeper(&mut daemon, "g:f");
        let stdin = fs::read_link(format!("/proc/{pid}/fd/0")).expect("it has descriptors").display().to_string();
        let kind = if stdin.starts_with("socket:") { "socket" } else { "pipe" };
        (kind, UnixStream::connect(daemon.path("f.sock")).is_ok())
    });
}

/// The original crashes when another process takes the port between two attempts, and leaves its children behind.
#[test]
fn a_taken_fastcgi_port_is_a_spawn_error() {
    differ(false, true, |subject| {
        let text = "[fcgi-program:f]\ncommand=sh -c 'test -e go && exec sleep 1000'\nsocket=tcp://127.0.0.1:{port}\nstartsecs=0\nstartretries=50\nautostart=false\n\
            [program:p]\ncommand=sleep 1000\nstartsecs=0\n";
        let text = text.replace("startsecs=0\nstartretries", "startretries");
        let mut daemon = Scene::with("taken", &text).start(subject);
        daemon.wait_for_state("p", "RUNNING");
        let _ = daemon.answer("supervisor.startProcess", &["f".into(), false.into()]);
        // Between two attempts the port is free.
        let mut listener = None;
        daemon.wait_until("the port is free", |daemon| {
            listener = TcpListener::bind(("127.0.0.1", daemon.ports[0])).ok();
            listener.is_some()
        });
        const REASON: &str = "Could not create FastCGI socket tcp://127.0.0.1:";
        let pid = daemon.pid();
        daemon.wait_until("it was tried", |daemon| daemon.log().contains(REASON) || !processes::alive(pid));
        if subject == Subject::Ours {
            assert!(daemon.info("f").get("description").text().contains("somebody is already listening"));
            drop(listener);
            daemon.write("go", "");
            daemon.wait_for_state("f", "RUNNING");
        }
        daemon.is_running()
    });
}

/// The original refuses the address.
#[test]
fn a_fastcgi_socket_may_have_an_ipv6_address() {
    if TcpListener::bind(("::1", 0)).is_err() {
        return;
    }
    differ(false, true, |subject| {
        let text = "[fcgi-program:f]\ncommand=sleep 1000\nsocket=tcp://[::1]:{port}\nstartsecs=0\n";
        let mut daemon = Scene::with("six", text).launch(subject);
        if daemon.comes_up() {
            daemon.wait_for_state("f", "RUNNING");
        }
        TcpStream::connect(("::1", daemon.ports[0])).is_ok()
    });
}

/// The original removes any file at the path of its socket.
#[test]
fn a_file_at_the_path_of_a_fastcgi_socket_is_left_alone() {
    differ((false, "RUNNING"), (true, "FATAL"), |subject| {
        let text = "[fcgi-program:f]\ncommand=sleep 1000\nsocket=unix://{dir}/f.sock\nstartsecs=0\nstartretries=0\n";
        let mut daemon = Scene::with("kept", text).file("f.sock", "precious").start(subject);
        let mut state = "";
        daemon.wait_until("it was tried", |daemon| {
            let now = daemon.state_of("f");
            state = ["RUNNING", "FATAL"].into_iter().find(|state| now == *state).unwrap_or_default();
            !state.is_empty()
        });
        if subject == Subject::Ours {
            let description = daemon.info("f").get("description").text().to_owned();
            assert!(description.ends_with("f.sock: File exists"), "{description}");
        }
        (daemon.read("f.sock") == "precious", state)
    });
}

/// The original opens the socket once before any program needs it, and never removes it.
#[test]
fn a_fastcgi_socket_is_removed_at_the_end() {
    differ([true, true], [false, false], |subject| {
        let text = "[fcgi-program:f]\ncommand=sleep 1000\nsocket=unix://{dir}/f.sock\nstartsecs=0\nautostart=false\n";
        let mut daemon = Scene::with("removed", text).start(subject);
        let before = daemon.path("f.sock").exists();
        assert_eq!(daemon.ctl(&["start", "f"]).stdout, "f: started\n");
        assert!(daemon.path("f.sock").exists());
        assert_eq!(daemon.stop(), 0);
        [before, daemon.path("f.sock").exists()]
    });
}

/// After an exit the original reads at most 128 KiB more from each pipe and drops the rest.
#[test]
fn the_last_output_of_a_program_is_logged() {
    // As much as a pipe can hold: F_SETPIPE_SZ is 1031.
    const SPEECH: &str = "import fcntl, os, time
fcntl.fcntl(1, 1031, 1 << 20)
while not os.path.exists('go'):
    time.sleep(0.05)
os.write(1, b'x' * (1 << 20))
os._exit(0)
";
    differ(false, true, |subject| {
        let text = "[program:p]\ncommand=python3 {dir}/speech.py\nautorestart=false\nstartsecs=0\nstdout_logfile={dir}/p.log\nstderr_logfile=NONE\n\
            stdout_logfile_maxbytes=0\n";
        let mut daemon = Scene::with("last words", text).file("speech.py", SPEECH).start(subject);
        daemon.wait_for_state("p", "RUNNING");
        let (daemon_pid, child) = (daemon.pid(), daemon.pid_of("p"));
        // The program writes everything before the daemon reads.
        processes::signal(daemon_pid, Signal::SIGSTOP);
        daemon.write("go", "");
        daemon.wait_until("it has spoken", |_| !processes::alive(child));
        processes::signal(daemon_pid, Signal::SIGCONT);
        daemon.wait_for_state("p", "EXITED");
        fs::metadata(daemon.path("p.log")).map(|meta| meta.len()).unwrap_or(0) == 1 << 20
    });
}

/// In the original every child ignores SIGPIPE, so that `yes | head` never ends by itself.
#[test]
fn children_start_with_default_signals() {
    differ([true, false], [false, false], |subject| {
        let mut daemon = Scene::with("signals", "[program:p]\ncommand=sleep 1000\nstartsecs=0\n").start(subject);
        daemon.wait_for_state("p", "RUNNING");
        let status = fs::read_to_string(format!("/proc/{}/status", sleeper(&mut daemon, "p"))).expect("it runs");
        ["SigIgn", "SigBlk"].map(|mask| {
            let line = status.lines().find(|line| line.starts_with(mask)).expect("Linux says it");
            let bits = u64::from_str_radix(line.split_whitespace().nth(1).unwrap_or_default(), 16).expect("a mask");
            // The C library uses some signals above 31 itself.
            bits & 0x7fff_ffff != 0
        })
    });
}

/// A child must not inherit descriptors of the daemon.
#[test]
fn children_inherit_only_three_descriptors() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sleep 1000\nstartsecs=0\n[program:q]\ncommand=sleep 1000\nstartsecs=0\n";
        let mut daemon = Scene::with("descriptors", text).start(Subject::Ours);
        daemon.wait_for_states(&["p", "q"], "RUNNING");
        for name in ["p", "q"] {
            let pid = sleeper(&mut daemon, name);
            // A starting program opens libraries and the like for a moment.
            daemon.wait_until("it has three descriptors", |_| processes::descriptors(pid) == 3);
        }
    });
}

/// In the original a program that was stopped in BACKOFF has fewer retries left after the next start.
#[test]
fn a_manual_start_resets_the_retry_counter() {
    differ(["0", "1"], ["0", "0"], |subject| {
        let text = "[program:p]\ncommand=sh -c 'exit 1'\nstartretries=9\nautostart=false\n\
            [eventlistener:record]\ncommand=python3 {dir}/listener.py {dir}/events.json\nevents=PROCESS_STATE_STARTING\nstartsecs=0\n";
        let scene = Scene::with("retries", text).file("listener.py", include_str!("../fixtures/listener.py"));
        let mut daemon = scene.start(subject);
        daemon.wait_for_state("record", "RUNNING");
        for _ in 0..2 {
            // The call may be answered before or after the failure is known.
            let _ = daemon.answer("supervisor.startProcess", &["p".into(), false.into()]);
            daemon.wait_for_state("p", "BACKOFF");
            daemon.call("supervisor.stopProcess", &["p".into()]);
        }
        daemon.wait_until("both starts are delivered", |daemon| {
            daemon.read("events.json").matches("processname:p ").count() == 2
        });
        let told = daemon.read("events.json");
        let starts: Vec<&str> = told.split("processname:p ").skip(1).collect();
        [0, 1].map(|start: usize| if starts[start].contains("tries:0") { "0" } else { "1" })
    });
}

/// The original shows 1970.
#[test]
fn a_process_that_never_ran_shows_the_time_of_the_attempt() {
    differ(true, false, |subject| {
        let text = "[program:p]\ncommand=no-such-command\nstartretries=50\n";
        let mut daemon = Scene::with("epoch", text).start(subject);
        daemon.wait_for_state("p", "BACKOFF");
        daemon.call("supervisor.stopProcess", &["p".into()]);
        daemon.info("p").get("description").text() == "Jan 01 12:00 AM"
    });
}

/// The original fails with an internal error after it queued a part of the text.
#[test]
fn stdin_data_is_queued_while_a_program_does_not_read() {
    differ(false, true, |subject| {
        let text = "[program:p]\ncommand=sh -c 'while [ ! -e go ]; do sleep 0.1; done; exec cat'\nstartsecs=0\nstdout_logfile={dir}/p.log\n\
            [program:deaf]\ncommand=sleep 1000\nstartsecs=0\n";
        let mut daemon = Scene::with("input", text).start(subject);
        daemon.wait_for_states(&["p", "deaf"], "RUNNING");
        let line = "x".repeat(9_999) + "\n";
        let answers: Vec<String> = (0..20)
            .map(|_| daemon.answer("supervisor.sendProcessStdin", &["p".into(), line.as_str().into()]))
            .collect();
        if answers.iter().any(|answer| answer != "true") {
            assert!(answers.iter().all(|answer| ["true", "HTTP status 500"].contains(&answer.as_str())), "{answers:?}");
            return false;
        }
        daemon.write("go", "");
        daemon.wait_until("all has come through", |daemon| daemon.read("p.log").len() == 200_000);
        // The queue has a limit.
        let flood = "x".repeat(9 << 20);
        let answers =
            [0, 1].map(|_| daemon.answer("supervisor.sendProcessStdin", &["deaf".into(), flood.as_str().into()]));
        assert_eq!(answers, ["true", "fault 30 FAILED: the process does not read its stdin, too much is waiting"]);
        true
    });
}

/// In the original a rejected event is sent to every pool of the same priority.
#[test]
fn a_rejected_event_is_sent_again_only_to_its_pool() {
    differ(true, false, |subject| {
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
        let mut daemon = scene.start(subject);
        daemon.wait_for_states(&["refuses", "other"], "RUNNING");
        daemon.call("supervisor.sendRemoteCommEvent", &["a".into(), "b".into()]);
        daemon.wait_until("it was offered four times, or to others", |daemon| {
            daemon.read("refused.txt").len() == 4 && subject == Subject::Ours || !daemon.read("events.json").is_empty()
        });
        !daemon.read("events.json").is_empty()
    });
}

/// The original never sends an event to such a listener again.
#[test]
fn a_listener_that_breaks_the_protocol_is_restarted() {
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

/// The original crashes when the pipe is full, and leaves its children behind.
#[test]
fn a_listener_that_never_reads_does_not_affect_others() {
    // It acknowledges each event when the test says so, without having read it.
    const DEAF: &str = "#!/bin/sh
number=0
echo READY
while :; do
    while [ ! -e go$number ]; do sleep 0.05; done
    printf 'RESULT 2\\nOKREADY\\n'
    number=$((number + 1))
done
";
    differ(false, true, |subject| {
        let text = "[supervisord]\nloglevel=debug\n[eventlistener:deaf]\ncommand={dir}/deaf\nevents=REMOTE_COMMUNICATION\nstartsecs=0\n\
            [program:p]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\n";
        let mut daemon = Scene::with("deaf", text).script("deaf", DEAF).start(subject);
        daemon.wait_for_states(&["deaf", "p"], "RUNNING");
        let pid = daemon.pid();
        let data = "x".repeat(40_000);
        for number in 0..4 {
            let _ = daemon.answer("supervisor.sendRemoteCommEvent", &["kind".into(), data.as_str().into()]);
            daemon.wait_until("it is sent", |daemon| {
                daemon.log().contains(&format!("event {number} sent to listener deaf")) || !processes::alive(pid)
            });
            daemon.write(&format!("go{number}"), "");
        }
        if subject == Subject::Original {
            daemon.wait_until("it has ended", |_| !processes::alive(pid));
            return false;
        }
        let before = daemon.kill_child("p");
        daemon.wait_until("it is replaced", |daemon| ![0, before].contains(&daemon.pid_of("p")));
        assert_eq!(daemon.state_of("deaf"), "RUNNING");
        daemon.stop() == 0
    });
}

/// The original writes the identifier into the header unchanged, where spaces and colons are separators.
#[test]
fn an_identifier_with_separators_does_not_break_event_headers() {
    differ(true, false, |subject| {
        let text = "[supervisord]\nidentifier=a b:c\n[eventlistener:l]\ncommand=sh -c 'echo READY; exec cat >header'\nevents=REMOTE_COMMUNICATION\nstartsecs=0\n";
        let mut daemon = Scene::with("header", text).start(subject);
        daemon.wait_for_state("l", "RUNNING");
        daemon.call("supervisor.sendRemoteCommEvent", &["kind".into(), "".into()]);
        let header = daemon.wait_for_file("header");
        assert_eq!(header.contains(" server:a_b_c "), subject == Subject::Ours, "{header}");
        header.contains(" server:a b:c ")
    });
}

/// The daemon may not signal this child, so the request fails. The original then sets the state to UNKNOWN, and crashes
/// at the child's exit.
#[test]
fn a_child_that_cannot_be_signalled_does_not_affect_others() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("left out, because it needs root: a child of another user than the daemon's");
        return;
    }
    differ(("UNKNOWN", false), ("RUNNING", true), |subject| {
        let text = "[program:p]\ncommand={dir}/become --reuid=0 --regid=0 --clear-groups sleep 1000\nstartsecs=0\nautorestart=false\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let prepare = "cp \"$(command -v setpriv)\" become; chmod 4755 become; chmod 777 .; exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
        let mut daemon = Scene::with("untouchable", text).shell(prepare).open_to_all().start(subject);
        daemon.wait_for_state("p", "RUNNING");
        let (daemon_pid, child) = (daemon.pid(), sleeper(&mut daemon, "p"));
        let answer = daemon.answer("supervisor.signalProcess", &["p".into(), "HUP".into()]);
        assert!(answer.starts_with("fault 30 FAILED"), "{answer}");
        let state = if daemon.state_of("p") == "UNKNOWN" { "UNKNOWN" } else { "RUNNING" };
        // In ours a process in the state UNKNOWN that exits becomes EXITED.
        let answer = daemon.answer("supervisor.stopProcess", &["p".into()]);
        assert!(answer.starts_with("fault "), "{answer}");
        assert_eq!(daemon.state_of("p"), "UNKNOWN");
        processes::signal(child, Signal::SIGKILL);
        daemon.wait_until("its end is noticed", |daemon| {
            let info = daemon.rpc_if_up("supervisor.getProcessInfo", &["p".into()]);
            !processes::alive(daemon_pid) || info.is_some_and(|info| info.get("statename").text() == "EXITED")
        });
        (state, processes::alive(daemon_pid))
    });
}

/// The original stops the listener at once.
#[test]
fn a_listener_can_answer_its_last_event_during_shutdown() {
    const LAST: &str = "import sys, time
while True:
    sys.stdout.write('READY\\n'); sys.stdout.flush()
    header = dict(token.split(':') for token in sys.stdin.readline().split())
    sys.stdin.read(int(header['len']))
    if header['eventname'] == 'SUPERVISOR_STATE_CHANGE_STOPPING':
        time.sleep(0.1)
        open('heard', 'w').close()
    sys.stdout.write('RESULT 2\\nOK'); sys.stdout.flush()
";
    differ(false, true, |subject| {
        let text = "[supervisord]\nloglevel=debug\n[eventlistener:last]\ncommand=python3 {dir}/last.py\nevents=SUPERVISOR_STATE_CHANGE\nstartsecs=0\n";
        let mut daemon = Scene::with("last", text).file("last.py", LAST).start(subject);
        daemon.wait_for_log("last: event was processed");
        assert_eq!(daemon.stop(), 0);
        daemon.path("heard").exists()
    });
}

/// A program that moves into the process group of a child of its own.
const MOVES: &str = "import os, time\n\
    other = os.fork()\n\
    if other == 0:\n    os.setpgid(0, 0)\n    time.sleep(1000)\n\
    while os.getpgid(other) != other:\n    time.sleep(0.01)\n\
    os.setpgid(0, other)\nprint('moved', flush=True)\ntime.sleep(1000)\n";

/// In the original the signals go to an empty process group, and the program stays STOPPING for ever.
#[test]
fn stopasgroup_stops_a_program_that_left_its_process_group() {
    differ("STOPPING", "STOPPED", |subject| {
        let text = "[program:p]\ncommand=python3 {dir}/moves.py\nstartsecs=0\nstopasgroup=true\nstopwaitsecs=1\n\
            stdout_logfile={dir}/p.log\n";
        let mut daemon = Scene::with("left its group", text).file("moves.py", MOVES).start(subject);
        daemon.wait_for_file("p.log");
        let pid = daemon.pid_of("p");
        daemon.call("supervisor.stopProcess", &["p".into(), false.into()]);
        match subject {
            Subject::Ours => daemon.wait_for_state("p", "STOPPED"),
            Subject::Original => {
                daemon.wait_until("it was tried twice", |daemon| daemon.log().matches("killing 'p' (").count() >= 2)
            }
        }
        assert_eq!(processes::alive(pid), subject == Subject::Original);
        if daemon.state_of("p") == "STOPPED" { "STOPPED" } else { "STOPPING" }
    });
}

/// All are spawned in one turn of the loop, during which the clock must advance.
#[test]
fn startsecs_counts_from_the_start_of_each_process() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sleep 1000\nstartsecs=1\nnumprocs=400\nprocess_name=p%(process_num)d\n\
            stdout_logfile=NONE\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("crowd", text).start(Subject::Ours);
        daemon.wait_until("all run", |daemon| daemon.log().matches(" INFO success: ").count() == 400);
        // Both clocks at one moment: the time of day, and the time since boot, in which /proc gives the start of
        // processes.
        let now = Command::new("date").arg("+%Y-%m-%d %H:%M:%S,%3N").output().expect("date can be executed").stdout;
        let now = millis(&String::from_utf8_lossy(&now))
            - since_boot(&fs::read_to_string("/proc/uptime").expect("it is there"), 0, 1_000);
        let pids: BTreeMap<String, i64> = daemon
            .call("supervisor.getAllProcessInfo", &[])
            .items()
            .iter()
            .map(|row| (row.get("name").text().to_owned(), row.get("pid").int()))
            .collect();
        let log = daemon.log();
        let running = log.lines().filter_map(|line| Some((line, line.split_once(" INFO success: ")?.1)));
        let lives = running.map(|(line, what)| {
            let pid = pids[what.split(' ').next().unwrap_or("")];
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
            let born = now + since_boot(stat.rsplit(')').next().unwrap_or(""), 19, 10);
            (millis(line) - born).rem_euclid(24 * 3_600_000)
        });
        let early: Vec<i64> = lives.filter(|life| *life < 950).collect();
        assert!(early.is_empty(), "called RUNNING before a second had passed: {early:?}");
    });
}

/// A field of a file in /proc, in milliseconds; `unit` is the length of its unit.
fn since_boot(text: &str, field: usize, unit: i64) -> i64 {
    let number: f64 =
        text.split_ascii_whitespace().nth(field).and_then(|number| number.parse().ok()).expect("a number");
    (number * unit as f64) as i64
}

/// The time of day in a line of the activity log, in milliseconds.
fn millis(line: &str) -> i64 {
    let part = |from: usize, to: usize| line[from..to].parse::<i64>().expect("a line begins with the time");
    ((part(11, 13) * 60 + part(14, 16)) * 60 + part(17, 19)) * 1_000 + part(20, 23)
}
