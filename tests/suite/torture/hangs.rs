//! A disk that does not respond: system calls on its files block until the test ends the hang.
//!
//! `strace` holds every system call on chosen paths at its entry. Where it matters what the kernel itself does, a file system in
//! user space takes requests and does not answer, as an unreachable file server does.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::resources::{Resources, assert_no_leak, restart_latency};
use crate::harness::needs::{self, Power};
use crate::harness::{Daemon, Scene, Subject, only_ours, processes, wait};

/// The system calls that a disk can block.
const CALLS: &str = "read,write,writev,pwritev2,openat,newfstatat,statx,ftruncate,fsync,fdatasync,rename,renameat,\
    renameat2,unlink,unlinkat,access,faccessat,faccessat2";

/// Longer than any test, in microseconds.
const FOREVER_MICROS: u64 = 3_600_000_000;

/// Some paths hang until this is dropped.
struct Hang {
    strace: Child,
}

impl Hang {
    /// From now on no system call on these paths returns.
    fn begin(daemon: &mut Daemon, paths: &[&str]) -> Hang {
        Hang::delay(daemon, paths, FOREVER_MICROS)
    }

    /// From now on each system call on these paths takes this many microseconds longer.
    fn delay(daemon: &mut Daemon, paths: &[&str], delay: u64) -> Hang {
        let mut command = Command::new(needs::program("strace"));
        command.args(["-f", "-q", "-o"]).arg(daemon.path(".strace"));
        for path in paths {
            command.arg("-P").arg(daemon.path(path));
        }
        let pid = daemon.pid();
        command.args(["-e", &format!("trace={CALLS}"), "-e", &format!("inject={CALLS}:delay_enter={delay}")]);
        command.args(["-p", &pid.to_string()]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let hang = Hang { strace: command.spawn().expect("strace can be executed") };
        daemon.wait_until("every thread is held", |_| threads(pid).all(|status| is_traced(&status)));
        hang
    }

    /// Waits until a system call is blocked.
    fn wait_until_blocked(&self, daemon: &mut Daemon) {
        daemon.wait_until("something hangs", |daemon| !daemon.read(".strace").is_empty());
    }
}

impl Drop for Hang {
    fn drop(&mut self) {
        let pid = self.strace.id() as i32;
        // If the daemon exits during the hang, strace may not end by itself.
        processes::signal(pid, Signal::SIGTERM);
        let ended = crate::harness::wait::poll(Duration::from_secs(5), || self.strace.try_wait().ok().flatten());
        if ended.is_none() {
            let _ = self.strace.kill();
            let _ = self.strace.wait();
        }
    }
}

fn threads(pid: i32) -> impl Iterator<Item = String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
}

fn is_traced(status: &str) -> bool {
    status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
}

/// Writes numbered lines for ever.
const COUNTER: &str = "perl -e '$| = 1; while (1) { print ++$n, \"\\n\"; select(undef, undef, undef, 0.002); }'";

fn program(name: &str, command: &str, log: &str) -> String {
    format!(
        "[program:{name}]\ncommand={command}\nstartsecs=0\nautorestart=true\nstdout_logfile={log}\n\
         stdout_logfile_maxbytes=0\nstderr_logfile=NONE\n"
    )
}

/// Fails unless the log of a counter has every line of every run. Returns the number of runs. What is being written while the log
/// is read may be there in part: file systems write page by page.
fn runs(daemon: &Daemon, log: &str) -> usize {
    let mut text = daemon.read(log);
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    let mut last = 0;
    let mut runs = 0;
    for line in text.lines() {
        let number: u64 = line.parse().unwrap_or_else(|_| panic!("{log}: {line:?} after {last}"));
        assert!(number == last + 1 || number == 1, "{log}: {number} after {last}\n{}", daemon.report());
        runs += usize::from(number == 1);
        last = number;
    }
    runs
}

/// How many bytes a process has written since it was executed; its interpreter writes nothing before the program does.
fn bytes_written(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or(0)
}

#[test]
fn a_hanging_disk_delays_logs_and_loses_nothing() {
    only_ours(|| {
        let configuration = program("hung", COUNTER, "{dir}/hung.log")
            + &program("captured", COUNTER, "{dir}/captured.log")
            + "stdout_capture_maxbytes=1000\n"
            + &program("fine", COUNTER, "{dir}/fine.log")
            + &program("idle", "sh -c 'echo begun; exec sleep 1000'", "{dir}/idle.log")
            + &program("other", "sleep 1000", "NONE");
        let mut daemon = Scene::with("hang", &configuration).start(Subject::Ours);
        let logs = ["hung.log", "captured.log", "fine.log", "idle.log"];
        for log in logs {
            daemon.wait_for_file(log);
        }
        daemon.wait_for_states(&["hung", "captured", "fine", "idle", "other"], "RUNNING");
        let before = Resources::of(&daemon);

        let hang = Hang::begin(&mut daemon, &["hung.log", "captured.log"]);
        hang.wait_until_blocked(&mut daemon);
        for name in ["other", "hung", "fine", "captured", "fine", "other"] {
            restart_latency(&daemon, name);
            daemon.wait_for_state(name, "RUNNING");
            // A run that is killed before its first line leaves nothing to count.
            if name != "other" {
                daemon.wait_until("the counter writes", |daemon| bytes_written(daemon.pid_of(name)) > 0);
            }
        }
        assert_eq!(daemon.ctl(&["status", "fine"]).code, 0);
        // Nobody knows when the disk will respond, so the call is answered after a bounded time.
        let cleared = daemon.rpc("supervisor.clearProcessLogs", &["idle".into()]);
        assert_eq!(cleared.expect_err("it cannot be done").1, "FAILED: idle");
        let cleared = daemon.rpc("supervisor.clearLog", &[]);
        assert_eq!(cleared.expect_err("it cannot be done").1, "FAILED");
        daemon.signal(Signal::SIGUSR2);
        assert_eq!(daemon.call("supervisor.getState", &[]).get("statename").text(), "RUNNING");
        drop(hang);

        daemon.wait_until("it is cleared after all", |daemon| daemon.read("idle.log").is_empty());
        for (log, expected) in [("hung.log", 2), ("captured.log", 2), ("fine.log", 3)] {
            let size = daemon.read(log).len();
            daemon.wait_until("lines come again", |daemon| daemon.read(log).len() > size + 100);
            assert_eq!(runs(&daemon, log), expected, "{log}");
        }
        assert_no_leak(&mut daemon, before);
        assert_eq!(daemon.stop(), 0);
    });
}

/// The log lines about a change are written before the answer that shows it.
#[test]
fn changes_are_logged_before_a_client_sees_them() {
    only_ours(|| {
        let text = "[program:p]\ncommand=false\nautostart=false\nstartretries=0\n";
        let mut daemon = Scene::with("slow log", text).start(Subject::Ours);
        // Writing three of these lines takes less than the longest wait of an answer.
        let _slow = Hang::delay(&mut daemon, &["supervisord.log"], 10_000);
        for round in 1..=3 {
            let started = daemon.ctl(&["start", "p"]).stdout;
            assert_eq!(started, "p: ERROR (spawn error)\n");
            assert_eq!(daemon.read("supervisord.log").matches("gave up: p").count(), round);
        }
    });
}

#[test]
fn an_upgrade_is_refused_while_a_disk_hangs() {
    only_ours(|| {
        let text = program("hung", COUNTER, "{dir}/hung.log") + &program("other", "sleep 1000", "NONE");
        let mut daemon = Scene::with("hung upgrade", &text).start(Subject::Ours);
        daemon.wait_for_states(&["hung", "other"], "RUNNING");
        daemon.wait_for_file("hung.log");
        let before = daemon.pid_of("hung");
        let hang = Hang::begin(&mut daemon, &["hung.log"]);
        hang.wait_until_blocked(&mut daemon);
        let refused = daemon.ctl(&["upgrade"]);
        assert_eq!(refused.code, 1, "{}", refused.transcript());
        let reason = "the log files do not respond, and output could be lost";
        assert!(refused.stdout.contains(reason), "{}", refused.transcript());
        restart_latency(&daemon, "other");
        drop(hang);
        daemon.wait_for_log(&format!("ERRO not upgrading: {reason}"));
        daemon.wait_until("it can be upgraded again", |daemon| daemon.ctl(&["upgrade"]).code == 0);
        daemon.wait_for_log("supervisord upgraded with pid");
        let size = daemon.read("hung.log").len();
        daemon.wait_until("lines come again", |daemon| daemon.read("hung.log").len() > size + 100);
        assert_eq!((daemon.pid_of("hung"), runs(&daemon, "hung.log")), (before, 1), "{}", daemon.report());
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn a_hanging_disk_below_the_daemons_own_files_does_not_block_others() {
    only_ours(|| {
        let text = "[supervisord]\nlogfile={dir}/own.log\n".to_owned() + &program("other", "sleep 1000", "NONE");
        let mut daemon = Scene::with("own hang", &text).start(Subject::Ours);
        daemon.wait_for_state("other", "RUNNING");
        let before = Resources::of(&daemon);
        for paths in [&["own.log"] as &[&str], &["supervisord.pid.state", "supervisord.pid"]] {
            let spawned = |daemon: &Daemon| daemon.read("own.log").matches("spawned: 'other'").count();
            daemon.wait_until("all is written", |daemon| spawned(daemon) > 0);
            let known = spawned(&daemon);
            let hang = Hang::begin(&mut daemon, paths);
            for _ in 0..5 {
                restart_latency(&daemon, "other");
                daemon.wait_for_state("other", "RUNNING");
            }
            hang.wait_until_blocked(&mut daemon);
            drop(hang);
            daemon.wait_until("every start is written down", |daemon| spawned(daemon) == known + 5);
        }
        assert_no_leak(&mut daemon, before);
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn shutdown_does_not_wait_for_a_hanging_disk() {
    let ends = |path: &str| {
        let text = program("p", COUNTER, "{dir}/p.log");
        let mut daemon = Scene::with("last hang", &text).start(Subject::Ours);
        daemon.wait_for_file("p.log");
        let pid = daemon.pid();
        let hang = Hang::begin(&mut daemon, &[path]);
        processes::signal(pid, Signal::SIGTERM);
        daemon.wait_until(&format!("it ends although {path} hangs"), |_| {
            processes::process(pid).is_none_or(|process| process.state == 'Z')
        });
        drop(hang);
        assert_eq!(daemon.exit_code(), 0, "{path}");
    };
    only_ours(|| {
        std::thread::scope(|scope| {
            for path in ["p.log", "supervisord.log", "supervisord.pid", "supervisord.pid.state", "s.sock"] {
                scope.spawn(move || ends(path));
            }
        });
    });
}

/// How long the daemon stands still: longer than it waits for a disk.
const PAUSE: Duration = Duration::from_secs(3);

/// A machine is paused for a snapshot, or has no processor for it: while nothing runs, nothing can answer.
#[test]
fn a_pause_of_the_whole_daemon_is_no_disk_that_does_not_respond() {
    only_ours(|| {
        let text = program("slow", "{dir}/slow/tool", "NONE") + "autostart=false\n";
        let sleeper = "#!/bin/sh\nexec /bin/sleep 1000\n";
        let mut daemon = Scene::with("pause", &text).script("slow/tool", sleeper).start(Subject::Ours);
        let slow = Hang::delay(&mut daemon, &["slow/tool"], 300_000);
        std::thread::scope(|scope| {
            let starting = scope.spawn(|| daemon.ctl(&["start", "slow"]).stdout);
            let blocked = wait::poll(wait::DEADLINE, || (!daemon.read(".strace").is_empty()).then_some(()));
            assert!(blocked.is_some(), "it does not look for the program");
            daemon.signal(Signal::SIGSTOP);
            std::thread::sleep(PAUSE);
            daemon.signal(Signal::SIGCONT);
            assert_eq!(starting.join().expect("it does not panic"), "slow: started\n", "{}", daemon.report());
        });
        drop(slow);
        assert_eq!(daemon.stop(), 0);
    });
}

/// The number of programs on the hanging disk.
const HANGING_PROGRAMS: usize = 70;

#[test]
fn programs_on_a_hanging_disk_do_not_block_others_and_start_later() {
    only_ours(|| {
        let manual = "autostart=false\n";
        let text = program("lost", "{dir}/dead/%(process_num)02d", "NONE")
            + &format!("{manual}numprocs={HANGING_PROGRAMS}\nprocess_name=%(process_num)02d\n")
            + &program("far", "tool", "NONE")
            + &format!("{manual}environment=PATH=\"{{dir}}/dead:{{dir}}/good\"\n")
            + &program("near", "tool", "NONE")
            + &format!("{manual}environment=PATH=\"{{dir}}/good\"\n")
            + &program("other", "sleep 1000", "NONE");
        let lost: Vec<String> = (0..HANGING_PROGRAMS).map(|number| format!("dead/{number:02}")).collect();
        let sleeper = "#!/bin/sh\nexec /bin/sleep 1000\n";
        let scene = Scene::with("lost programs", &text).script("good/tool", sleeper);
        let scene = lost.iter().fold(scene, |scene, path| scene.script(path, sleeper));
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("other", "RUNNING");
        let before = Resources::of(&daemon);

        let paths: Vec<&str> = lost.iter().map(String::as_str).chain(["dead/tool"]).collect();
        let hang = Hang::begin(&mut daemon, &paths);
        let answers = daemon.call("supervisor.startProcessGroup", &["lost".into()]);
        assert_eq!(answers.items().len(), HANGING_PROGRAMS);
        for answer in answers.items() {
            assert_eq!(answer.get("description").text(), format!("SPAWN_ERROR: lost:{}", answer.get("name").text()));
        }
        daemon.rpc("supervisor.startProcess", &["far".into()]).expect_err("its command cannot be looked up");
        daemon.call("supervisor.startProcess", &["near".into()]);
        for _ in 0..3 {
            restart_latency(&daemon, "other");
            daemon.wait_for_state("other", "RUNNING");
        }
        let info = daemon.info("lost:00");
        let reason = format!("the disk with command '{}' does not respond", daemon.path("dead/00").display());
        assert_eq!((info.get("statename").text(), info.get("spawnerr").text()), ("BACKOFF", reason.as_str()));
        let upgrade = daemon.ctl(&["upgrade"]);
        assert!(upgrade.stdout.contains("a disk or a name server does not respond"), "{}", upgrade.transcript());
        drop(hang);

        daemon.wait_for_state("far", "RUNNING");
        for number in 0..HANGING_PROGRAMS {
            daemon.wait_for_state(&format!("lost:{number:02}"), "RUNNING");
        }
        for group in ["lost", "far", "near"] {
            daemon.call("supervisor.stopProcessGroup", &[group.into()]);
        }
        assert_no_leak(&mut daemon, before);
        assert_eq!(daemon.stop(), 0);
    });
}

/// The daemon sees `{dir}/back` at `{dir}/disk`, whose server does not answer while there is a file `hold`.
const REMOTE_DISK: &str = "mkdir back disk\nexec unshare --mount sh -c \
    'python3 hanging_disk.py back disk hold && exec \"$@\"' sh \"$@\"";

/// Until it is dropped, the server of the remote disk does not answer. Whoever looks at a process that waits for it waits, too.
struct Silence<'d>(&'d Daemon);

impl Silence<'_> {
    fn begin(daemon: &Daemon) -> Silence<'_> {
        daemon.write("hold", "");
        Silence(daemon)
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.path("hold"));
    }
}

/// A child that executes a program closes the files of the daemon. To close one of a file server is a question to that server.
#[test]
fn programs_start_while_a_file_server_with_logs_does_not_answer() {
    if !Power::Mount.is_there_for("a file server that does not answer") {
        return;
    }
    if let Err(error) = fs::File::open("/dev/fuse") {
        return eprintln!("left out, because there is no /dev/fuse ({error}): a file server that does not answer");
    }
    only_ours(|| {
        let other = "sh -c 'echo begun >> begun; exec sleep 1000'";
        let text = program("hung", COUNTER, "{dir}/disk/hung.log")
            + &program("other", other, "NONE")
            + "directory={dir}\n"
            + &program("hooked", "sleep 1000", "NONE")
            + "autostart=false\ndirectory={dir}\npre_start=sh -c 'echo asked >> asked'\n";
        let scene = Scene::with("server", &text).shell(REMOTE_DISK);
        let mut daemon =
            scene.file("hanging_disk.py", include_str!("../fixtures/hanging_disk.py")).start(Subject::Ours);
        daemon.wait_for_file("back/hung.log");
        daemon.wait_for_file("begun");
        let before = Resources::of(&daemon);
        let begun = |daemon: &Daemon| daemon.read("begun").lines().count();
        {
            let silence = Silence::begin(&daemon);
            wait::until("somebody waits for it", || daemon.path("hold.taken").exists());
            for count in 2..5 {
                restart_latency(&daemon, "other");
                wait::until("it is executed", || begun(&daemon) == count);
            }
            assert_eq!(daemon.ctl(&["start", "hooked"]).stdout, "hooked: started\n");
            assert_eq!(daemon.read("asked"), "asked\n");
            let refused = daemon.ctl(&["upgrade"]);
            let reason = "the log files do not respond, and output could be lost";
            assert!(refused.code == 1 && refused.stdout.contains(reason), "{}", refused.transcript());
            assert_eq!(daemon.ctl(&["stop", "hooked"]).stdout, "hooked: stopped\n");
            assert!(daemon.path("hold.taken").exists(), "the server has answered meanwhile");
            drop(silence);
        }
        let size = daemon.read("back/hung.log").len();
        daemon.wait_until("lines come again", |daemon| daemon.read("back/hung.log").len() > size + 100);
        assert_eq!(runs(&daemon, "back/hung.log"), 1);
        assert_no_leak(&mut daemon, before);
        assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
        assert_eq!(daemon.stop(), 0);
    });
}
