//! Exhausted resources: descriptors, processes, threads, memory.

use std::process::Command;

use super::resources::{Resources, assert_idle, assert_no_leak};
use crate::harness::http;
use crate::harness::needs::{self, Power};
use crate::harness::rpc;
use crate::harness::{Daemon, Program, Scene, Subject, Value, only_ours, processes};

const COUNT: usize = 12;

fn programs() -> String {
    format!(
        "[supervisord]\nminfds=64\nminprocs=8\n[program:p]\ncommand=sleep 1000\nnumprocs={COUNT}\n\
         process_name=%(process_num)02d\nstartsecs=0\nautorestart=true\nstartretries=100000\n\
         stdout_logfile={{dir}}/log.%(process_num)02d\n"
    )
}

/// Changes a resource limit of a running process.
pub(super) fn limit(pid: i32, limit: &str) {
    limit_as(&mut Command::new("prlimit"), pid, limit);
}

fn limit_as(prlimit: &mut Command, pid: i32, limit: &str) {
    let output = prlimit.args(["--pid", &pid.to_string(), limit]).output().expect("prlimit runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn running(daemon: &Daemon) -> usize {
    processes::children(daemon.pid()).iter().filter(|child| child.state != 'Z').count()
}

fn wait_for_all(daemon: &mut Daemon) {
    daemon.wait_until("all are running", |daemon| running(daemon) == COUNT);
    daemon.wait_until("all are shown as running", |daemon| {
        let all = daemon.call("supervisor.getAllProcessInfo", &[]);
        all.items().iter().all(|process| process.get("statename").text() == "RUNNING")
    });
}

fn kill_all(daemon: &Daemon) {
    for child in processes::children(daemon.pid()) {
        processes::signal(child.pid, nix::sys::signal::Signal::SIGKILL);
    }
}

#[test]
fn starts_are_retried_while_descriptors_are_exhausted() {
    only_ours(|| {
        let mut daemon = Scene::with("descriptors", &programs()).start(Subject::Ours);
        wait_for_all(&mut daemon);
        let before = Resources::of(&daemon);
        let pid = daemon.pid();
        for round in 0..3 {
            // Enough for only one or two programs, and hardly for a client.
            let few = before.descriptors - 5 * (COUNT - 1) - round;
            limit(pid, &format!("--nofile={few}:20000"));
            kill_all(&daemon);
            let mut clients = Vec::new();
            daemon.wait_until("it says why it cannot spawn", |daemon| {
                clients.extend(std::os::unix::net::UnixStream::connect(daemon.path("s.sock")));
                daemon.log().matches("too many open files to spawn").count() > round
            });
            assert!(daemon.is_running());
            // A client that cannot be accepted waits; it must not keep the loop busy.
            assert_idle(&daemon);
            limit(pid, "--nofile=20000:20000");
            drop(clients);
            wait_for_all(&mut daemon);
        }
        assert_no_leak(&mut daemon, before);
        assert_eq!(daemon.stop(), 0);
    });
}

/// The limit counts the processes of one user and does not apply to root, so the daemon runs as another user.
#[test]
fn starts_are_retried_while_processes_are_exhausted() {
    if !Power::ChangeUser.is_there_for("no more processes") {
        return;
    }
    only_ours(|| {
        let user = UniqueUser::new(0);
        let mut daemon = user.start(Scene::with("processes", &programs()));
        wait_for_all(&mut daemon);
        let before = Resources::of(&daemon);
        let pid = daemon.pid();
        for round in 0..3 {
            // Threads count as well.
            user.limit(pid, &format!("--nproc={}:", before.threads + 2));
            kill_all(&daemon);
            daemon.wait_until("it says why it cannot spawn", |daemon| {
                daemon.log().matches("Too many processes in process table to spawn").count() > round
            });
            assert!(daemon.is_running());
            assert_eq!(daemon.call("supervisor.getAllProcessInfo", &[]).items().len(), COUNT);
            user.limit(pid, "--nproc=90000:");
            wait_for_all(&mut daemon);
        }
        assert_no_leak(&mut daemon, before);
        assert_eq!(daemon.stop(), 0);
    });
}

/// A user id that no other test uses, so that the limit on its processes and threads affects no other test.
struct UniqueUser {
    become_user: [String; 3],
}

impl UniqueUser {
    fn new(offset: u32) -> UniqueUser {
        let user = 3_000_000 + offset + std::process::id();
        UniqueUser { become_user: [format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()] }
    }

    fn start(&self, scene: Scene) -> Daemon {
        scene.shell(&format!("exec setpriv {} \"$@\"", self.become_user.join(" "))).open_to_all().start(Subject::Ours)
    }

    fn limit(&self, pid: i32, limit: &str) {
        limit_as(Command::new("setpriv").args(&self.become_user).arg("prlimit"), pid, limit);
    }
}

#[test]
fn without_threads_reading_logs_is_a_fault_and_nothing_panics() {
    if !Power::ChangeUser.is_there_for("no more threads") {
        return;
    }
    only_ours(|| {
        let user = UniqueUser::new(5_000_000);
        let configuration =
            "[program:p]\ncommand=sh -c 'echo hello; exec sleep 1000'\nstartsecs=0\nstdout_logfile={dir}/p.log\n";
        let mut daemon = user.start(Scene::with("threads", configuration));
        daemon.wait_until("the program has spoken", |daemon| daemon.read("p.log") == "hello\n");
        let reads: [(&str, &[Value]); 4] = [
            ("supervisor.readLog", &[0.into(), 0.into()]),
            ("supervisor.readProcessStdoutLog", &["p".into(), 0.into(), 0.into()]),
            ("supervisor.tailProcessStdoutLog", &["p".into(), 0.into(), 100.into()]),
            ("supervisor.reloadConfig", &[]),
        ];
        user.limit(daemon.pid(), "--nproc=1:");
        for (method, arguments) in reads {
            let fault = daemon.rpc(method, arguments).expect_err("there is no thread");
            assert_eq!(fault, (30, "FAILED: the system cannot make a thread".to_owned()), "{method}");
        }
        // A long read runs on the calling thread.
        let one = Value::Struct(vec![
            ("methodName".to_owned(), "supervisor.getAllProcessInfo".into()),
            ("params".to_owned(), Value::Array(Vec::new())),
        ]);
        assert_eq!(daemon.call("system.multicall", &[Value::Array(vec![one; 3000])]).items().len(), 3000);
        for path in ["/logtail/p", "/mainlogtail"] {
            let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
            let answer = http::request(&mut *stream, "GET", path, &["Connection: close"], b"").expect("an answer");
            assert_eq!(answer.status(), 503, "{path}");
        }
        user.limit(daemon.pid(), "--nproc=90000:");
        for (method, arguments) in reads {
            daemon.rpc(method, arguments).expect("there are threads again");
        }
        assert!(!daemon.stderr().contains("panicked"), "{}", daemon.stderr());
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn plug_ins_recover_after_a_shortage_of_threads() {
    if !Power::ChangeUser.is_there_for("no more threads") {
        return;
    }
    only_ours(|| {
        let user = UniqueUser::new(6_000_000);
        let plug_in = "class Interface:\n    def hi(self):\n        return 'hi'\n\ndef make(supervisord):\n    return Interface()\n";
        let scene = Scene::with("plug-ins", "[rpcinterface:x]\nsupervisor.rpcinterface_factory=plug:make\n");
        let mut daemon = user.start(scene.file("lib/plug.py", plug_in).env("PYTHONPATH", "{dir}/lib"));
        daemon.wait_until("the plug-in answers", |daemon| daemon.rpc("x.hi", &[]).is_ok());
        // The threads of the planes, and no worker thread.
        daemon.wait_until("no thread is idle", |daemon| Resources::of(daemon).threads <= 3);
        user.limit(daemon.pid(), "--nproc=1:");
        kill_all(&daemon);
        daemon.wait_until("it says why there are no plug-ins", |daemon| {
            daemon.log().contains("tried again every second")
        });
        daemon.rpc("x.hi", &[]).expect_err("there are none");
        user.limit(daemon.pid(), "--nproc=90000:");
        daemon.wait_until("the plug-in answers", |daemon| daemon.rpc("x.hi", &[]).is_ok());
        assert!(!daemon.stderr().contains("panicked"), "{}", daemon.stderr());
        assert_eq!(daemon.stop(), 0);
    });
}

/// A request that needs more memory than available fails, and nothing else does.
#[test]
fn without_memory_large_requests_fail_and_nothing_else() {
    const LOG: usize = 20_000_000;
    only_ours(|| {
        let configuration = format!(
            "[program:p]\ncommand=sh -c 'head -c {LOG} /dev/zero | tr \"\\\\0\" \"<\"; exec cat'\nstartsecs=0\n\
             stdout_logfile={{dir}}/p.log\nstdout_logfile_maxbytes=0\n"
        );
        let mut daemon = Scene::with("memory", &configuration).start(Subject::Ours);
        let length = |daemon: &Daemon| std::fs::metadata(daemon.path("p.log")).map_or(0, |log| log.len());
        daemon.wait_until("the program has spoken", |daemon| length(daemon) == LOG as u64);
        let one = Value::Struct(vec![
            ("methodName".to_owned(), "supervisor.readProcessStdoutLog".into()),
            ("params".to_owned(), Value::Array(vec!["p".into(), 0.into(), 2_000_000.into()])),
        ]);
        let read: [Value; 3] = ["p".into(), 0.into(), (LOG as i64).into()];
        let all: [Value; 1] = [Value::Array(vec![one; 30])];
        let send: [Value; 2] = ["p".into(), "x".repeat(15_000_000).as_str().into()];
        let size = processes::status(daemon.pid(), "VmSize").expect("a size");
        limit(daemon.pid(), &format!("--as={}:", (size + (80 << 10)) << 10));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let fault = daemon.rpc("supervisor.readProcessStdoutLog", &read).expect_err("there is no memory");
                    assert!(fault.1.starts_with("FAILED: there is no memory for so long an answer"), "{fault:?}");
                    // The request is refused before its whole body is sent.
                    let call = rpc::call(&daemon.path("s.sock"), "supervisor.sendProcessStdin", &send);
                    assert!(!matches!(call, Ok(Ok(_))), "there is no memory");
                    assert_eq!(daemon.state_of("p"), "RUNNING");
                });
            }
        });
        let fault = daemon.rpc("system.multicall", &all).expect_err("there is no memory");
        assert!(fault.1.starts_with("FAILED: there is no memory for so long an answer"), "{fault:?}");
        limit(daemon.pid(), "--as=unlimited:");
        assert_eq!(daemon.call("supervisor.readProcessStdoutLog", &read).text().len(), LOG);
        assert_eq!(daemon.stop(), 0);
    });
}

/// A program whose user may have no more processes.
#[test]
fn a_user_without_processes_left_affects_only_its_programs() {
    if !Power::ChangeUser.is_there_for("a user without processes") {
        return;
    }
    only_ours(|| {
        let configuration = "[program:p]\ncommand=sleep 1000\nuser=nobody\nstartsecs=0\nautorestart=true\n\
            startretries=1000\nstdout_logfile=NONE\nstderr_logfile=NONE\n[program:q]\ncommand=sleep 1000\nstartsecs=0\n\
            stdout_logfile=NONE\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("user", configuration).start(Subject::Ours);
        daemon.wait_for_states(&["p", "q"], "RUNNING");
        let pid = daemon.pid();
        limit(pid, "--nproc=0:");
        daemon.kill_child("p");
        // The system decides whether fork, setuid or exec fails; the daemon and the other program are not affected.
        daemon.wait_until("p has a successor or a reason", |daemon| {
            let info = daemon.info("p");
            info.get("statename").text() == "RUNNING"
                || !info.get("spawnerr").text().is_empty()
                || daemon.log().contains("exited: p")
        });
        limit(pid, "--nproc=90000:");
        daemon.wait_for_state("p", "RUNNING");
        assert_eq!(daemon.state_of("q"), "RUNNING");
        assert_eq!(daemon.stop(), 0);
    });
}

/// Container runtimes from before 2021 answer unknown calls with EPERM. The original creates no threads.
#[test]
fn threads_are_made_by_clone_where_clone3_is_refused() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sleep 1000\nstartsecs=0\n";
        let mut daemon = Scene::with("clone3", text).without_call("clone3", "EPERM").start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        daemon.wait_for_log("the system call clone3 is refused (EPERM)");
        let mut filtered = daemon.command(&needs::program("python3"));
        filtered.args(["without_call.py", "clone3", "EPERM"]).arg(Subject::Ours.path(Program::Supervisorctl));
        let restarted = filtered.args(["-c", "supervisord.conf", "restart", "p"]).output().expect("it can be executed");
        assert_eq!(String::from_utf8_lossy(&restarted.stdout), "p: stopped\np: started\n", "{restarted:?}");
        assert_eq!(daemon.stop(), 0);
    });
}
