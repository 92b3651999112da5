//! The daemon's reactions to signals.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::harness::{Daemon, Scene, Subject, compare, only_ours, processes, wait};

const PROGRAMS: &str = "
[program:one]
command=sleep 1000
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
[program:two]
priority=1000
command=sh -c 'trap \"exit 0\" TERM; touch ready; while :; do sleep 0.1; done'
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
";

/// Waits until both run and the second has set its trap.
fn ready(daemon: &mut Daemon) {
    daemon.wait_for_states(&["one", "two"], "RUNNING");
    daemon.wait_for_log("success: two");
    daemon.wait_until("the second is prepared", |daemon| daemon.path("ready").exists());
}

#[test]
fn term_int_and_quit_shut_down_in_order() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
        compare(&Scene::with("ending", PROGRAMS), |daemon, observed| {
            ready(daemon);
            daemon.signal(signal);
            observed.exactly("exit status", daemon.exit_code());
            observed.note(daemon, "activity log", daemon.story());
            observed.exactly("files", daemon.names().join(" "));
        });
    }
}

#[test]
fn sighup_rereads_the_configuration_and_restarts_everything() {
    compare(&Scene::with("hangup", PROGRAMS), |daemon, observed| {
        ready(daemon);
        fs::remove_file(daemon.path("ready")).expect("it is there");
        let (daemon_pid, child_pid) = (daemon.pid(), daemon.pid_of("one"));
        let text = daemon.read("supervisord.conf");
        daemon.write(
            "supervisord.conf",
            &(text + "[program:three]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n"),
        );
        daemon.signal(Signal::SIGHUP);
        daemon.wait_for_log("success: three");
        daemon.wait_for_states(&["one", "two", "three"], "RUNNING");
        ready(daemon);
        assert_eq!(daemon.pid(), daemon_pid, "it is the same process");
        assert!(!processes::alive(child_pid), "the children are new");
        observed.note(daemon, "activity log", daemon.story());
        observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
        observed.exactly("exit status", daemon.stop());
    });
}

#[test]
fn sighup_during_shutdown_is_ignored() {
    let text = "[program:slow]\ncommand=sh -c 'trap \"\" TERM; touch ready; while :; do sleep 0.1; done'\nstartsecs=0\nstopwaitsecs=6\n\
        stdout_logfile=NONE\nstderr_logfile=NONE\nkillasgroup=true\n";
    compare(&Scene::with("ignored", text), |daemon, observed| {
        daemon.wait_for_state("slow", "RUNNING");
        daemon.wait_until("it ignores TERM", |daemon| daemon.path("ready").exists());
        daemon.wait_for_log("success: slow");
        daemon.signal(Signal::SIGTERM);
        daemon.wait_for_log("waiting for slow to die");
        daemon.signal(Signal::SIGHUP);
        daemon.wait_for_log("SIGHUP");
        observed.exactly("exit status", daemon.exit_code());
        observed.note(daemon, "activity log", daemon.story());
    });
}

#[test]
fn sigusr2_reopens_all_logs() {
    let text = "[program:talk]\ncommand=sh -c 'while :; do echo line; echo error >&2; sleep 0.1; done'\nstartsecs=0\n\
        stdout_logfile={dir}/talk.out\nstderr_logfile={dir}/talk.err\n";
    compare(&Scene::with("reopen", text), |daemon, observed| {
        daemon.wait_for_state("talk", "RUNNING");
        daemon.wait_for_log("success: talk");
        daemon.wait_for_file("talk.err");
        for name in ["supervisord.log", "talk.out", "talk.err"] {
            fs::rename(daemon.path(name), daemon.path(&format!("{name}.moved"))).expect("the log exists");
        }
        daemon.signal(Signal::SIGUSR2);
        daemon.wait_for_file("talk.out");
        daemon.wait_for_file("talk.err");
        daemon.wait_until("the new log exists", |daemon| daemon.path("supervisord.log").exists());
        daemon.ctl(&["stop", "talk"]);
        daemon.wait_for_log("stopped: talk");
        observed.note(daemon, "old activity log", daemon.read("supervisord.log.moved"));
        observed.note(daemon, "new activity log", daemon.story());
        observed.exactly("new child log", daemon.read("talk.out").lines().all(|line| line == "line"));
    });
}

/// Signals without a special meaning for a supervisor: some end it, others do not.
#[test]
fn other_signals_have_their_default_effect() {
    const OTHERS: [Signal; 9] = [
        Signal::SIGCHLD,
        Signal::SIGCONT,
        Signal::SIGURG,
        Signal::SIGWINCH,
        Signal::SIGPIPE,
        Signal::SIGALRM,
        Signal::SIGVTALRM,
        Signal::SIGPROF,
        Signal::SIGABRT,
    ];
    let scene = Scene::with(
        "others",
        "[program:p]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n",
    );
    for signal in OTHERS {
        compare(&scene, |daemon, observed| {
            daemon.wait_for_state("p", "RUNNING");
            daemon.wait_for_log("success: p");
            let child = daemon.pid_of("p");
            daemon.signal(signal);
            let ends = [Signal::SIGALRM, Signal::SIGVTALRM, Signal::SIGPROF, Signal::SIGABRT].contains(&signal);
            if ends {
                observed.exactly(signal.as_str(), daemon.exit_code());
                assert!(processes::alive(child), "it was not stopped");
            } else {
                // The daemon handles a signal before a request that comes after it.
                observed.exactly(signal.as_str(), daemon.state_of("p"));
                observed.exactly("exit status", daemon.stop());
            }
        });
    }
}

/// Signals sent to a program by name, in any case, and by number. (XFSZ is in docs/differences.md.)
#[test]
fn signals_reach_programs_by_name_and_number() {
    let text = "[program:p]\ncommand=bash {dir}/note.sh\ndirectory={dir}\nstartsecs=0\nautorestart=false\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
    let note = "for name in HUP INT QUIT USR1 USR2 TERM ALRM WINCH IO XCPU URG TSTP; do\n\
        trap \"echo $name >> got\" $name; done\ntouch ready\nwhile :; do sleep 0.05; done\n";
    compare(&Scene::with("names", text).file("note.sh", note), |daemon, observed| {
        daemon.wait_for_state("p", "RUNNING");
        daemon.wait_until("it listens", |daemon| daemon.path("ready").exists());
        let mut sent = 0;
        for name in ["HUP", "SIGINT", "QUIT", "usr1", "12", "TERM", "sigalrm", "28", "IO", "XCPU", "URG", "TSTP"] {
            let said = daemon.ctl(&["signal", name, "p"]).transcript();
            sent += usize::from(said.contains("p: signalled"));
            observed.exactly(name, said);
            // One after the other, because pending signals of one number are merged.
            daemon.wait_until("it was noted", |daemon| daemon.read("got").lines().count() == sent);
        }
        observed.exactly("got", daemon.read("got"));
    });
}

/// An impatient user sends it twice.
#[test]
fn a_second_shutdown_signal_changes_nothing() {
    let text = "[program:slow]\ncommand=sh -c 'trap \"\" TERM; touch ready; while [ ! -e end ]; do sleep 0.1; done'\nstartsecs=0\nstopwaitsecs=300\n\
        stdout_logfile=NONE\nstderr_logfile=NONE\n";
    compare(&Scene::with("twice", text), |daemon, observed| {
        daemon.wait_for_log("success: slow");
        daemon.wait_until("it ignores TERM", |daemon| daemon.path("ready").exists());
        daemon.signal(Signal::SIGTERM);
        daemon.wait_for_log("waiting for slow to die");
        for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
            let before = daemon.log().matches("indicating exit request").count();
            daemon.signal(signal);
            daemon
                .wait_until("it is noticed", |daemon| daemon.log().matches("indicating exit request").count() > before);
        }
        daemon.write("end", "");
        observed.exactly("exit status", daemon.exit_code());
        observed.note(daemon, "activity log", daemon.story());
    });
}

/// The original stops everything first and then ends with status 2 because it cannot read the file.
#[test]
fn sighup_with_a_broken_file_changes_nothing() {
    only_ours(|| {
        let mut daemon = Scene::with("broken", PROGRAMS).start(Subject::Ours);
        daemon.wait_for_states(&["one", "two"], "RUNNING");
        let before = [daemon.pid_of("one"), daemon.pid_of("two")];
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &(text.clone() + "[program:three]\ncommand=cat\nstartsecs=soon\n"));
        daemon.signal(Signal::SIGHUP);
        daemon.wait_for_log("invalid literal for int() with base 10: 'soon' in section 'program:three'");
        assert_eq!([daemon.pid_of("one"), daemon.pid_of("two")], before, "nothing was touched");
        daemon.write("supervisord.conf", &text);
        daemon.signal(Signal::SIGHUP);
        daemon.wait_until("it restarts after all", |daemon| {
            daemon.rpc_if_up("supervisor.getProcessInfo", &["one".into()]).is_some_and(|info| {
                info.get("statename").text() == "RUNNING" && info.get("pid").int() != i64::from(before[0])
            })
        });
        assert_eq!(daemon.stop(), 0);
    });
}

/// The original loses the signal, and goes on.
#[test]
fn a_shutdown_signal_during_a_restart_is_obeyed() {
    only_ours(|| {
        let mut daemon = Scene::with("between", "[program:p]\ncommand=sleep 1000\n").start(Subject::Ours);
        daemon.wait_for_state("p", "STARTING");
        let socket = || fs::metadata(daemon.path("s.sock")).ok().map(|found| (found.ino(), found.ctime_nsec()));
        let (first, deadline) = (socket(), Instant::now() + wait::DEADLINE);
        daemon.call("supervisor.restart", &[]);
        // The window is too short for pauses between polls. If it was missed all the same, the next generation gets the
        // signal.
        while socket() == first {
            assert!(Instant::now() < deadline, "the first life is not over\n{}", daemon.report());
        }
        daemon.signal(Signal::SIGTERM);
        assert_eq!(daemon.exit_code(), 0);
        assert!(!daemon.path("supervisord.pid").exists(), "{:?}", daemon.names());
    });
}

/// A signal that interrupts another thread costs it a wake-up and tells it nothing.
#[test]
#[cfg(target_os = "linux")]
fn signals_interrupt_only_the_main_thread() {
    only_ours(|| {
        let mut daemon = Scene::with("threads", PROGRAMS).start(Subject::Ours);
        ready(&mut daemon);
        let pid = daemon.pid();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the threads of the daemon");
        let mut others = Vec::new();
        for task in tasks.flatten().map(|task| task.path()) {
            let status = fs::read_to_string(task.join("status")).expect("the thread is there");
            let field =
                |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned();
            let blocked = u64::from_str_radix(&field("SigBlk:"), 16).expect("a mask");
            let blocks_sigchld = blocked >> (Signal::SIGCHLD as u32 - 1) & 1 == 1;
            let is_main = task.ends_with(pid.to_string());
            assert_eq!(blocks_sigchld, !is_main, "{} of {status}", task.display());
            others.extend((!is_main).then(|| field("Name:")));
        }
        assert!(["network", "output"].iter().all(|name| others.iter().any(|other| other == name)), "{others:?}");
    });
}
