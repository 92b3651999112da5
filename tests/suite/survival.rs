//! Nothing dies with the supervisor: upgrades in place, and daemons that are killed.

mod chaos;
mod clients;
mod events;
mod hang_ups;
mod interrupted;
mod keeper;
mod looked_at;
mod reports;
mod state_file;
mod two_daemons;
mod unreadable_state;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;

use crate::harness::needs::Power;
use crate::harness::subject::Program;
use crate::harness::{Daemon, Scene, Subject, command, needs, processes, wait};

/// The options these tests are about.
pub const PINNED: &[&str] = &["supervisord adopt"];

/// Writes numbered lines without an end.
const WRITER: &str = "#!/bin/sh\ni=0\nwhile :; do i=$((i+1)); echo \"line $i\"; sleep 0.005; done\n";

/// A listener that writes down what it hears.
const LISTENER: &str = "#!/bin/sh\n\
    while :; do printf 'READY\\n'; read -r header || exit 1; len=${header##*len:}\n\
    payload=$(dd bs=1 count=\"$len\" 2>/dev/null); echo \"$payload\" >> heard; printf 'RESULT 2\\nOK'; done\n";

const MIXED: &str = "
[program:quiet]
command=sleep 1000
startsecs=0
[program:echo]
command=cat
startsecs=0
stdout_logfile={dir}/echo.log
[program:writer]
command={dir}/writer
startsecs=0
stdout_logfile={dir}/writer.log
stderr_logfile=NONE
[program:stopped]
command=sleep 1000
autostart=false
[eventlistener:listener]
command={dir}/listener
events=REMOTE_COMMUNICATION
startsecs=0
";

const LIVING: [&str; 4] = ["quiet", "echo", "writer", "listener"];

fn scene(name: &str, more: &str) -> Scene {
    Scene::with(name, &format!("{MIXED}{more}")).script("writer", WRITER).script("listener", LISTENER)
}

fn start(name: &str, more: &str) -> Daemon {
    let mut daemon = scene(name, more).start(Subject::Ours);
    daemon.wait_for_states(&LIVING, "RUNNING");
    daemon.wait_until("the writer has written", |daemon| daemon.read("writer.log").lines().count() > 10);
    daemon
}

fn pids(daemon: &Daemon, names: &[&str]) -> BTreeMap<String, i32> {
    names.iter().map(|name| ((*name).to_owned(), daemon.pid_of(name))).collect()
}

/// Waits until other processes of these programs run. A program whose group is being replaced is known all the time.
fn wait_for_others(daemon: &mut Daemon, names: &[&str], before: &BTreeMap<String, i32>) {
    daemon.wait_until("others run", |daemon| {
        names.iter().all(|name| {
            let info = daemon.info(name);
            info.get("statename").text() == "RUNNING" && info.get("pid").int() != i64::from(before[*name])
        })
    });
}

/// Every line the writer wrote is in its log, once and in order.
fn check_lines(daemon: &Daemon, log: &str) -> usize {
    let text = daemon.read(log);
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for (index, line) in whole.lines().enumerate() {
        assert_eq!(line, format!("line {}", index + 1), "{log}");
    }
    whole.lines().count()
}

fn wait_for_more_lines(daemon: &mut Daemon, log: &str) {
    let before = check_lines(daemon, log);
    daemon.wait_until("the writer goes on", |daemon| daemon.read(log).lines().count() > before + 20);
    check_lines(daemon, log);
}

fn tell(daemon: &Daemon, text: &str) {
    daemon.call("supervisor.sendRemoteCommEvent", &["t".into(), text.into()]);
}

#[test]
fn children_survive_a_killed_daemon_and_the_next_one_takes_them_over() {
    let mut daemon = start("crash", "");
    let before = pids(&daemon, &LIVING);
    tell(&daemon, "before");
    daemon.wait_until("the listener heard", |daemon| daemon.read("heard").contains("before"));
    daemon.crash();
    daemon.start_again();
    daemon.wait_for_states(&LIVING, "RUNNING");
    assert_eq!(pids(&daemon, &LIVING), before, "{}", daemon.report());
    assert_eq!(daemon.state_of("stopped"), "STOPPED", "what was stopped stays so");
    wait_for_more_lines(&mut daemon, "writer.log");
    daemon.call("supervisor.sendProcessStdin", &["echo".into(), "hello\n".into()]);
    daemon.wait_until("stdin and stdout still work", |daemon| daemon.read("echo.log") == "hello\n");
    tell(&daemon, "after");
    daemon.wait_until("the listener hears", |daemon| daemon.read("heard").contains("after"));
    let killed = daemon.kill_child("quiet");
    daemon.wait_until("a killed orphan is replaced", |daemon| {
        daemon.state_of("quiet") == "RUNNING" && daemon.pid_of("quiet") != killed
    });
    assert_eq!(daemon.stop(), 0);
    assert_eq!(daemon.names_for_successor(), [] as [&str; 0]);
    for pid in before.values() {
        assert!(!processes::alive(*pid), "{pid} is left behind");
    }
}

#[test]
fn autorestart_decides_about_programs_that_ended_between_two_daemons() {
    let more = "[program:once]\ncommand=sleep 1000\nautorestart=false\nstartsecs=0\n";
    let mut daemon = start("died", more);
    daemon.wait_for_state("once", "RUNNING");
    let (once, quiet) = (daemon.pid_of("once"), daemon.pid_of("quiet"));
    daemon.crash();
    for pid in [once, quiet] {
        processes::signal(pid, Signal::SIGKILL);
    }
    let gone = wait::poll(wait::DEADLINE, || (!processes::alive(once) && !processes::alive(quiet)).then_some(()));
    assert!(gone.is_some(), "they do not die");
    daemon.start_again();
    daemon.wait_for_state("quiet", "RUNNING");
    daemon.wait_for_state("once", "EXITED");
    let status = if needs::kernel_is_at_least(6, 15) { "terminated by SIGKILL" } else { "exit status unknown" };
    assert!(daemon.log().contains(&format!("exited: once ({status}; not expected)")), "{}", daemon.report());
}

/// A container that is killed and started again, say, is to start its programs.
/// Whatever is on its way to a log in the moment of a kill arrives there once, whoever else appends to the same log.
#[test]
fn a_flooded_log_that_others_append_to_is_whole_after_kills() {
    const LAST: u64 = 4_000_000;
    for rotation in ["0", "1GB"] {
        let text = format!(
            "[program:flood]\ncommand=sh -c 'seq 1 {LAST}; echo over >{{dir}}/done; exec sleep 1000'\nstartsecs=0\n\
             stdout_logfile={{dir}}/log\nstdout_logfile_maxbytes={rotation}\n"
        );
        let mut daemon = Scene::with("flood", &text).start(Subject::Ours);
        daemon.wait_for_file("log");
        let log = daemon.path("log");
        let size = || fs::metadata(&log).expect("it is there").len();
        let is_over = AtomicBool::new(false);
        let foreign = std::thread::scope(|scope| {
            let foreign = scope.spawn(|| {
                let mut file = fs::File::options().append(true).open(&log).expect("opened");
                let mut count = 0_u64;
                while !is_over.load(Ordering::SeqCst) && count < 400_000 {
                    file.write_all(b"foreign;").expect("written");
                    count += 1;
                    std::thread::yield_now();
                }
                count
            });
            for _ in 0..4 {
                let before = size();
                daemon.wait_until("it is in the midst of it", |daemon| {
                    size() > before + 3_000_000 || daemon.path("done").exists()
                });
                daemon.crash();
                daemon.start_again();
            }
            daemon.wait_for_file("done");
            daemon.ctl(&["stop", "flood"]);
            is_over.store(true, Ordering::SeqCst);
            foreign.join().expect("no panic")
        });
        let (ours, theirs): (String, String) =
            daemon.read("log").chars().partition(|letter| letter.is_ascii_digit() || *letter == '\n');
        let wrong = ours.lines().zip(1..).find(|(line, number)| *line != u64::to_string(number));
        assert_eq!((wrong, ours.lines().count() as u64), (None, LAST), "maxbytes {rotation}");
        assert!(theirs == "foreign;".repeat(foreign as usize), "{} letters of {foreign} words", theirs.len());
    }
}

#[test]
fn a_daemon_starts_afresh_when_no_program_survived() {
    let text = "[program:once]\ncommand=sleep 1000\nautorestart=false\nstartsecs=0\n\
        [program:brief]\ncommand=true\nautorestart=false\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
    let mut daemon = Scene::with("nobody", text).start(Subject::Ours);
    daemon.wait_for_state("once", "RUNNING");
    daemon.wait_for_state("brief", "EXITED");
    let once = daemon.pid_of("once");
    daemon.crash();
    processes::signal(once, Signal::SIGKILL);
    assert!(wait::poll(wait::DEADLINE, || (!processes::alive(once)).then_some(())).is_some(), "it does not die");
    daemon.start_again();
    daemon.wait_for_state("once", "RUNNING");
    daemon.wait_until("all have been started again", |daemon| daemon.log().matches("spawned: 'brief'").count() == 2);
    daemon.wait_for_log("INFO no program of the daemon before is left: all programs are started anew");
}

#[test]
fn changed_programs_are_replaced_and_removed_ones_stopped() {
    let mut daemon = start("changed", "");
    let before = pids(&daemon, &LIVING);
    daemon.crash();
    let config = daemon.read("supervisord.conf");
    let changed = config
        .replace("[program:echo]\ncommand=cat", "[program:echo]\ncommand=cat -u")
        .replace("[program:quiet]", "[program:new]");
    daemon.write("supervisord.conf", &changed);
    daemon.start_again();
    daemon.wait_for_states(&["new", "echo", "writer", "listener"], "RUNNING");
    daemon.wait_until("the removed one is gone", |_| !processes::alive(before["quiet"]));
    daemon.wait_until("the changed one is another", |daemon| {
        let pid = daemon.pid_of("echo");
        pid != 0 && pid != before["echo"]
    });
    assert_eq!(daemon.pid_of("writer"), before["writer"]);
    assert!(daemon.rpc("supervisor.getProcessInfo", &["quiet".into()]).is_err());
    for line in [
        "INFO the definition of echo differs: echo command (restart); it is stopped and started again",
        "INFO 'quiet' is not configured any more: it is stopped and removed",
        "INFO 'new' is new in the configuration: it is added",
    ] {
        daemon.wait_for_log(line);
    }
}

/// Without a keeper, the next daemon only knows that these programs are not there any more.
#[test]
fn programs_that_ended_between_two_daemons_are_not_started_as_they_were_defined_before() {
    let text = "[program:stays]\ncommand=sleep 1000\nstartsecs=0\n\
        [program:changed]\ncommand=sh -c 'echo old; exec sleep 1000'\nstdout_logfile={dir}/changed.log\nstartsecs=0\n\
        [program:removed]\ncommand=sleep 1000\nstartsecs=0\n";
    let mut daemon = Scene::with("changed and gone", text).start(Subject::Ours);
    daemon.wait_for_states(&["stays", "changed", "removed"], "RUNNING");
    daemon.wait_until("all is noted", |daemon| state_file::knows(daemon, &["stays", "changed", "removed"]));
    let before = pids(&daemon, &["stays", "changed", "removed"]);
    daemon.crash_with_keeper();
    for name in ["changed", "removed"] {
        processes::signal(before[name], Signal::SIGKILL);
        let ended = wait::poll(wait::DEADLINE, || (!processes::alive(before[name])).then_some(()));
        assert!(ended.is_some(), "{name} does not die");
    }
    let (kept, _) = text.split_once("[program:removed]").expect("it is the last one");
    let kept = kept.replace("echo old", "echo new").replace("{dir}", &daemon.dir().display().to_string());
    let config = daemon.read("supervisord.conf");
    let (head, _) = config.split_once("[program:stays]").expect("it is the first one");
    daemon.write("supervisord.conf", &format!("{head}{kept}"));
    daemon.start_again();
    wait_for_others(&mut daemon, &["stays", "changed"], &before);
    daemon.wait_until("the new one has written", |daemon| daemon.read("changed.log").contains("new"));
    daemon.wait_until("the other one is removed", |daemon| {
        daemon.rpc("supervisor.getProcessInfo", &["removed".into()]).is_err()
    });
    let spawned = |name: &str| daemon.log().matches(&format!("spawned: '{name}'")).count();
    assert_eq!((spawned("changed"), spawned("removed")), (2, 1), "{}", daemon.report());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_second_daemon_is_refused_and_disturbs_nothing() {
    let more = "[program:auto]\ncommand=sh -c 'echo auto; exec sleep 1000'\nstartsecs=0\n";
    let mut daemon = start("second", more);
    daemon.wait_for_state("auto", "RUNNING");
    let logs = daemon.names();
    let mut command = daemon.command(&Subject::Ours.path(Program::Supervisord));
    let second = command.args(["-n", "-c", "supervisord.conf"]).output().expect("it can be executed");
    assert_eq!(second.status.code(), Some(2), "{second:?}");
    assert_eq!(daemon.names(), logs);
    wait_for_more_lines(&mut daemon, "writer.log");
}

#[test]
fn take_over_can_be_switched_off() {
    let mut daemon = start("switched-off", "[supervisord]\nadopt=false\n");
    assert_eq!(daemon.names_for_successor(), ["supervisord.pid.lock"]);
    let before = daemon.pid_of("quiet");
    daemon.crash();
    daemon.start_again();
    daemon.wait_for_state("quiet", "RUNNING");
    assert_ne!(daemon.pid_of("quiet"), before);
}

/// Where an orphan could not be watched, none is made: programs are told that the daemon has gone.
#[test]
fn without_pidfds_nothing_is_taken_over() {
    let mut daemon = scene("old kernel", "").without_call("pidfd_open", "ENOSYS").start(Subject::Ours);
    daemon.wait_for_states(&LIVING, "RUNNING");
    daemon.wait_for_file("writer.log");
    assert!(!daemon.path("supervisord.pid.state").exists(), "{:?}", daemon.names());
    let restarted = daemon.kill_child("quiet");
    daemon.wait_until("a killed program is replaced", |daemon| ![0, restarted].contains(&daemon.pid_of("quiet")));
    let before = pids(&daemon, &LIVING);
    daemon.crash();
    let told = || !processes::alive(before["echo"]) && !processes::alive(before["writer"]);
    wait::until("those that read and write have ended", told);
    assert!(processes::alive(before["quiet"]), "nobody has ended the others");
}

/// A filter of system calls may allow a handle to be opened, and signals to be sent by number only.
#[test]
fn programs_taken_over_can_be_stopped_where_handles_take_no_signals() {
    let more = "[program:group]\ncommand=sh -c 'sleep 1000 & wait'\nstartsecs=0\nstopasgroup=true\n";
    let program = Subject::Ours.path(Program::Supervisord);
    let script =
        format!("#!/bin/sh\nexec python3 without_call.py pidfd_send_signal EPERM '{}' \"$@\"\n", program.display());
    let scene = scene("no signals", more).script("filtered", &script);
    let mut daemon = scene.file("without_call.py", include_str!("fixtures/without_call.py")).start(Subject::Ours);
    daemon.wait_for_states(&["quiet", "group"], "RUNNING");
    daemon.wait_until("the group is complete", |daemon| processes::children(daemon.pid_of("group")).len() == 1);
    let (quiet, group) = (daemon.pid_of("quiet"), daemon.pid_of("group"));
    let member = processes::children(group)[0].pid;
    daemon.crash();
    daemon.start_again_with(&daemon.path("filtered"));
    daemon.wait_for_states(&["quiet", "group"], "RUNNING");
    assert_eq!((daemon.pid_of("quiet"), daemon.pid_of("group")), (quiet, group));
    for name in ["quiet", "group"] {
        assert_eq!(daemon.ctl(&["stop", name]).stdout, format!("{name}: stopped\n"), "{}", daemon.report());
    }
    for pid in [quiet, group, member] {
        wait::until("it has ended", || !processes::alive(pid));
    }
}

#[test]
fn a_program_that_stops_to_be_replaced_is_replaced_after_an_upgrade_in_between() {
    const SLOW: &str = "[program:slow]\ncommand=sh -c 'trap \"while test ! -e {dir}/go; do sleep 0.05; done; exit\" TERM; \
        while :; do sleep 0.05; done' VERSION\nstartsecs=0\nstopwaitsecs=60\n";
    let mut daemon = Scene::with("retiring", SLOW).start(Subject::Ours);
    daemon.wait_for_state("slow", "RUNNING");
    let first = daemon.pid_of("slow");
    daemon.crash();
    daemon.write("supervisord.conf", &daemon.read("supervisord.conf").replace("VERSION", "NEXT"));
    daemon.start_again();
    daemon.wait_for_state("slow", "STOPPING");
    assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
    daemon.wait_for_log("supervisord upgraded with pid");
    assert_eq!((daemon.state_of("slow").as_str(), daemon.pid_of("slow")), ("STOPPING", first));
    daemon.write("go", "");
    daemon.wait_for_state("slow", "RUNNING");
    assert_ne!(daemon.pid_of("slow"), first);
}

#[test]
fn an_upgrade_is_not_noticed_by_any_process() {
    let more = "[program:dies]\ncommand=sh -c 'read line; exit 7'\nautorestart=false\nstartsecs=0\n";
    let mut daemon = start("upgrade", more);
    daemon.wait_for_state("dies", "RUNNING");
    let (before, itself) = (pids(&daemon, &LIVING), daemon.pid());
    for round in 1..=3 {
        let upgraded = daemon.ctl(&["upgrade"]);
        assert_eq!((upgraded.stdout.as_str(), upgraded.code), ("Upgraded supervisord\n", 0), "{}", daemon.report());
        daemon
            .wait_until("it goes on", |daemon| daemon.log().matches("supervisord upgraded with pid").count() == round);
        daemon.wait_for_states(&LIVING, "RUNNING");
        assert_eq!(pids(&daemon, &LIVING), before, "{}", daemon.report());
        wait_for_more_lines(&mut daemon, "writer.log");
        tell(&daemon, &format!("round {round}"));
        daemon.wait_until("the listener hears", |daemon| daemon.read("heard").contains(&format!("round {round}")));
    }
    assert_eq!(daemon.pid(), itself);
    daemon.call("supervisor.sendProcessStdin", &["dies".into(), "now\n".into()]);
    daemon.wait_for_log("exited: dies (exit status 7; not expected)");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_signal_upgrades_too() {
    let mut daemon = start("usr1", "");
    daemon.signal(Signal::SIGUSR1);
    daemon.wait_for_log("supervisord upgraded with pid");
    wait_for_more_lines(&mut daemon, "writer.log");
}

/// Each of these is a program on disk that is not fit to go on, and a word of what is said about it.
/// The next program does not start what this one has not started yet.
#[test]
fn an_upgrade_waits_for_programs_that_wait_for_plug_ins() {
    let text = "[program:p]\ncommand=sleep 1000\nstartsecs=0\n\
        [rpcinterface:slow]\nsupervisor.rpcinterface_factory=slow:make\n";
    let plugin = "import os, time\ndef make(supervisord):\n    open('made', 'w').close()\n    \
        while not os.path.exists('go'):\n        time.sleep(0.01)\n    return object()\n";
    let scene = Scene::with("upgraded early", text).file("slow.py", plugin).env("PYTHONPATH", "{dir}");
    let mut daemon = scene.start(Subject::Ours);
    daemon.wait_until("the plug-in is being made", |daemon| daemon.path("made").exists());
    daemon.signal(Signal::SIGUSR1);
    daemon.wait_for_log("upgrading: handing over to the program now on disk");
    daemon.write("go", "");
    daemon.wait_for_log("supervisord upgraded with pid");
    daemon.wait_for_state("p", "RUNNING");
    assert_eq!(daemon.log().matches("spawned: 'p'").count(), 1, "{}", daemon.report());
    assert!(!daemon.log().contains("reaped unknown pid"), "{}", daemon.report());
}

#[test]
fn a_program_that_cannot_take_over_is_refused() {
    let place = scene("refused", "").set_up(Subject::Ours);
    let program = place.path("supervisord");
    command::copy_program(&Subject::Ours.path(Program::Supervisord), &program);
    let mut command = place.command(&program);
    command.args(["-n", "-c", "supervisord.conf"]);
    let mut daemon = Daemon::launch(place, command);
    daemon.wait_until("the pid file is written", |daemon| daemon.recorded_pid().is_some());
    daemon.wait_for_states(&LIVING, "RUNNING");
    let before = pids(&daemon, &LIVING);
    let unfit = [
        ("#!/bin/sh\necho I cannot read that >&2\nexit 1\n", "(exit status 1): I cannot read that"),
        ("#!/bin/sh\nexit 0\n", "(exit status 0)"),
        ("just some text\n", "ENOEXEC"),
        // The head of a program for a machine that nobody has.
        ("\u{7f}ELF\u{2}\u{1}\u{1}\0\0\0\0\0\0\0\0\0\u{2}\0\u{6f}\u{6f}\u{1}\0\0\0", "ENOEXEC"),
        ("#!/bin/sh\nexec sleep 1000\n", "no answer within 10 seconds"),
        ("", "(exit status 127)"),
    ];
    for (content, words) in unfit {
        fs::remove_file(&program).expect("it is there");
        if !content.is_empty() {
            daemon.write("supervisord", content);
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        let refused = daemon.ctl(&["upgrade"]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stdout.contains(words), "{words}: {refused:?}");
        if content.is_empty() {
            daemon.write("supervisord", "");
        }
    }
    assert_eq!(pids(&daemon, &LIVING), before);
    wait_for_more_lines(&mut daemon, "writer.log");
}

#[test]
fn an_upgrade_waits_for_calls_that_wait() {
    let more = "[program:slow]\ncommand={dir}/slow\nstartsecs=0\n";
    let scene = scene("waiting", more)
        .script("slow", "#!/bin/sh\ntrap 'sleep 0.5; exit 0' TERM\necho ready\nsleep 1000 & wait\n");
    let mut daemon = scene.start(Subject::Ours);
    daemon.wait_for_state("slow", "RUNNING");
    let before = daemon.pid_of("slow");
    std::thread::scope(|scope| {
        let restart = scope.spawn(|| daemon.ctl(&["restart", "slow"]));
        let stopping = wait::poll(wait::DEADLINE, || (daemon.state_of("slow") != "RUNNING").then_some(()));
        assert!(stopping.is_some());
        assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
        let restarted = restart.join().expect("it is no panic");
        assert_eq!((restarted.stdout.as_str(), restarted.code), ("slow: stopped\nslow: started\n", 0));
    });
    daemon.wait_for_log("supervisord upgraded with pid");
    daemon.wait_for_state("slow", "RUNNING");
    assert_ne!(daemon.pid_of("slow"), before);
}

/// A FIFO is a file on a slow disk: reading the configuration takes as long as the test wants.
#[test]
fn a_restart_whose_configuration_is_being_read_is_not_lost_in_an_upgrade() {
    let mut daemon = start("slow configuration", "");
    let before = pids(&daemon, &LIVING);
    let (file, kept) = (daemon.path("supervisord.conf"), daemon.path("kept.conf"));
    fs::rename(&file, &kept).expect("it is there");
    assert!(Command::new("mkfifo").arg(&file).status().expect("mkfifo runs").success());
    daemon.signal(Signal::SIGHUP);
    let mut fifo = None;
    daemon.wait_until("the configuration is being read", |_| {
        let mut options = fs::File::options();
        fifo = options.write(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(&file).ok();
        fifo.is_some()
    });
    // The daemon has the FIFO open; a report of this test must not wait for it.
    fs::rename(&kept, &file).expect("the directory is ours");
    daemon.signal(Signal::SIGUSR1);
    daemon.wait_for_log(" ERRO not upgrading: the configuration is being read for a restart (SIGHUP)");
    fifo.take().expect("it is open").write_all(&fs::read(&file).expect("it is there")).expect("the daemon reads");
    daemon.wait_for_log(" WARN received SIGHUP indicating restart request");
    wait_for_others(&mut daemon, &LIVING, &before);
    assert!(!daemon.log().contains("supervisord upgraded"), "{}", daemon.log());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_shutdown_during_an_upgrade_is_obeyed() {
    let is_tried = |daemon: &Daemon| processes::children(daemon.pid()).iter().any(|child| child.name == "supervisord");
    let is_new = |daemon: &Daemon| {
        let environment = fs::read(format!("/proc/{}/environ", daemon.pid())).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains("SUPERVISORD_HAND_OVER=")
    };
    type Stage<'a> = (&'a str, &'a dyn Fn(&Daemon) -> bool);
    let stages: [Stage<'_>; 5] = [
        ("it is asked for", &|_| true),
        ("the program on disk is tried", &is_tried),
        ("everything is handed over", &|daemon| daemon.log().contains("upgrading: handing over")),
        ("the program is another", &is_new),
        ("it goes on", &|daemon| daemon.log().contains("supervisord upgraded with pid")),
    ];
    for (stage, is_reached) in stages {
        let mut daemon = start("end", "");
        daemon.signal(Signal::SIGUSR1);
        // A stage may be over before it is seen.
        daemon.wait_until(stage, |daemon| is_reached(daemon) || daemon.log().contains("supervisord upgraded with pid"));
        assert_eq!(daemon.stop(), 0, "{stage}\n{}", daemon.report());
    }
}

#[test]
fn events_lost_with_a_daemon_are_logged() {
    let deaf = "#!/bin/sh\nprintf 'READY\\n'\nread -r header\nexec sleep 1000\n";
    let more = "[eventlistener:deaf]\ncommand={dir}/deaf\nevents=REMOTE_COMMUNICATION\nstartsecs=0\n";
    let mut daemon = scene("events", more).script("deaf", deaf).start(Subject::Ours);
    daemon.wait_for_states(&["listener", "deaf"], "RUNNING");
    for number in 1..=5 {
        tell(&daemon, &format!("event {number}"));
    }
    daemon.wait_until("the other listener has heard all", |daemon| daemon.read("heard").contains("event 5"));
    daemon.wait_until("it is noted", |daemon| daemon.read("supervisord.pid.state").contains("\"waiting\":4"));
    daemon.crash();
    daemon.start_again();
    daemon.wait_for_log("WARN at least 4 events that waited for the listeners of 'deaf' are lost");
    assert!(!daemon.log().contains("listeners of 'listener' are lost"), "{}", daemon.report());
}

/// A child that a killed daemon was just making has its sockets until it executes its program.
#[test]
fn a_daemon_waits_for_the_sockets_of_one_that_was_just_killed() {
    let mut daemon = start("sockets", "");
    let before = pids(&daemon, &LIVING);
    daemon.crash();
    fs::remove_file(daemon.path("s.sock")).expect("it is left behind");
    let held = std::os::unix::net::UnixListener::bind(daemon.path("s.sock")).expect("the path is free");
    held.set_nonblocking(true).expect("it can be asked");
    daemon.launch_again();
    for time in ["once", "again"] {
        daemon.wait_until(&format!("it finds the socket taken {time}"), |_| held.accept().is_ok());
    }
    assert!(daemon.is_running(), "{}", daemon.report());
    drop(held);
    let launched = daemon.launched_pid();
    daemon.wait_until("it is back", |daemon| daemon.recorded_pid() == Some(launched));
    assert_eq!(pids(&daemon, &LIVING), before, "{}", daemon.report());
}

/// `supervisord` as it is when the form of its state has changed.
fn next_version() -> std::path::PathBuf {
    let ours = Subject::Ours.path(Program::Supervisord);
    let directory = ours.parent().expect("it is in the build directory");
    let mut build = std::process::Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--offline", "--package", "supervisord-daemon", "--example", "next_version"]);
    build.arg("--target-dir").arg(directory.parent().expect("above the profile"));
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    if directory.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo can be executed").success());
    directory.join("examples/next_version")
}

/// The next release takes over from this one, by an upgrade and after a crash. This one refuses an upgrade to itself from the
/// next; after a crash it knows what runs, and starts it again.
#[test]
fn a_release_reads_the_state_of_the_one_before_and_knows_the_children_of_the_one_after() {
    let (ours, next) = (Subject::Ours.path(Program::Supervisord), next_version());
    let place = scene("versions", "").set_up(Subject::Ours);
    let program = place.path("supervisord");
    command::copy_program(&ours, &program);
    let mut command = place.command(&program);
    command.args(["-n", "-c", "supervisord.conf"]);
    let mut daemon = Daemon::launch(place, command);
    daemon.wait_until("the pid file is written", |daemon| daemon.recorded_pid().is_some());
    daemon.wait_for_states(&LIVING, "RUNNING");
    let before = pids(&daemon, &LIVING);
    let replace = |other: &std::path::Path| {
        fs::remove_file(&program).expect("it is there");
        command::copy_program(other, &program);
    };
    let go_on = |daemon: &mut Daemon| {
        daemon.crash();
        daemon.start_again_with(&program);
        daemon.wait_for_states(&LIVING, "RUNNING");
    };

    replace(&next);
    go_on(&mut daemon);
    assert_eq!(pids(&daemon, &LIVING), before, "{}", daemon.report());
    replace(&ours);
    let refused = daemon.ctl(&["upgrade"]);
    let words = "the state is of version 3, this program understands version 2 and the one before";
    assert!(refused.code == 1 && refused.stdout.contains(words), "{refused:?}");
    assert_eq!(pids(&daemon, &LIVING), before);
    wait_for_more_lines(&mut daemon, "writer.log");

    daemon.crash();
    daemon.start_again_with(&program);
    wait_for_others(&mut daemon, &LIVING, &before);
    assert!(before.values().all(|pid| !processes::alive(*pid)), "{}", daemon.report());
    daemon.wait_for_log("the state is of version 3, this program understands version 2: what still runs is stopped");

    let before = pids(&daemon, &LIVING);
    replace(&next);
    assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n", "{}", daemon.report());
    daemon.wait_for_log("supervisord upgraded with pid");
    assert_eq!(pids(&daemon, &LIVING), before, "{}", daemon.report());
    assert_eq!(daemon.stop(), 0);
}

/// A FastCGI socket as its clients know it.
fn ask_gate(daemon: &Daemon, is_unix: bool) -> i32 {
    let mut text = String::new();
    let read = match is_unix {
        true => UnixStream::connect(daemon.path("f.sock")).and_then(|mut peer| peer.read_to_string(&mut text)),
        false => TcpStream::connect(("127.0.0.1", daemon.ports[0])).and_then(|mut peer| peer.read_to_string(&mut text)),
    };
    read.unwrap_or_else(|error| panic!("{error}\n{}", daemon.report()));
    text.parse().expect("a process id")
}

#[test]
fn a_fastcgi_socket_is_taken_back_from_the_children() {
    let gate = "#!/usr/bin/perl\nwhile (accept(my $peer, STDIN)) { syswrite($peer, $$); close($peer) }\n";
    for (socket, is_unix) in [("unix://{dir}/f.sock", true), ("tcp://127.0.0.1:{port}", false)] {
        let more = format!(
            "[fcgi-program:f]\ncommand={{dir}}/gate\nprocess_name=f%(process_num)d\nnumprocs=2\nstartsecs=0\nsocket={socket}\n"
        );
        let mut daemon = scene("fcgi", &more).script("gate", gate).start(Subject::Ours);
        let names = ["f:f0", "f:f1"];
        daemon.wait_for_states(&names, "RUNNING");
        let before = pids(&daemon, &names);
        let children: Vec<i32> = before.values().copied().collect();
        assert!(children.contains(&ask_gate(&daemon, is_unix)));
        daemon.crash();
        assert!(children.contains(&ask_gate(&daemon, is_unix)), "they answer while nobody is there");
        daemon.start_again();
        daemon.wait_for_states(&names, "RUNNING");
        assert_eq!(pids(&daemon, &names), before, "{}", daemon.report());
        assert!(children.contains(&ask_gate(&daemon, is_unix)));
        // One that is started now has the same socket: both answer, as one alone does.
        let old = daemon.kill_child("f:f0");
        daemon.wait_until("another one runs", |daemon| ![0, old].contains(&daemon.pid_of("f:f0")));
        let young = daemon.pid_of("f:f0");
        daemon.wait_until("the new one answers too", |daemon| ask_gate(daemon, is_unix) == young);
        daemon.wait_until("the old one still does", |daemon| ask_gate(daemon, is_unix) == before["f:f1"]);
        assert_eq!(daemon.log().matches("Creating socket").count(), 1, "{}", daemon.report());
        assert_eq!(daemon.stop(), 0);
    }
}

/// As in a small chroot. There a daemon that is killed cannot be told from others, so that nothing is taken over.
#[test]
fn without_proc_programs_run_and_are_not_taken_over() {
    if !Power::Mount.is_there_for("programs without /proc") {
        return;
    }
    let text = "[program:p]\ncommand=sh -c 'echo hello; exec sleep 1000'\nstartsecs=0\nstdout_logfile={dir}/p.log\n";
    let hidden = "set -- unshare -m sh -c 'mount -t tmpfs none /proc && exec \"$@\"' sh \"$@\"";
    let mut daemon = Scene::with("without proc", text).shell(hidden).start(Subject::Ours);
    daemon.wait_for_state("p", "RUNNING");
    assert_eq!(daemon.wait_for_file("p.log"), "hello\n");
    assert!(!daemon.path("supervisord.pid.state").exists());
    assert_eq!(daemon.ctl(&["restart", "p"]).stdout, "p: stopped\np: started\n", "{}", daemon.report());
}

/// A package may move the old program away, or change the link that leads to it.
#[test]
fn an_upgrade_goes_on_with_the_program_at_the_path_the_daemon_was_started_by() {
    let ours = Subject::Ours.path(Program::Supervisord);
    let place = scene("path", "").set_up(Subject::Ours);
    for version in ["v1", "v2"] {
        fs::create_dir(place.path(version)).expect("the directory can be written");
        command::copy_program(&ours, &place.path(&format!("{version}/supervisord")));
    }
    std::os::unix::fs::symlink("v1", place.path("current")).expect("the place is free");
    let mut command = place.command(&place.path("current/supervisord"));
    command.args(["-n", "-c", "supervisord.conf"]);
    let mut daemon = Daemon::launch(place, command);
    daemon.wait_until("the pid file is written", |daemon| daemon.recorded_pid().is_some());
    daemon.wait_for_states(&LIVING, "RUNNING");
    let before = pids(&daemon, &LIVING);
    fs::remove_file(daemon.path("current")).expect("it is there");
    std::os::unix::fs::symlink("v2", daemon.path("current")).expect("the place is free");
    assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n", "{}", daemon.report());
    daemon.wait_for_log("supervisord upgraded with pid");
    let running = fs::read_link(format!("/proc/{}/exe", daemon.pid())).expect("it runs");
    assert_eq!(running, daemon.path("v2/supervisord").canonicalize().expect("it is there"));
    assert_eq!(pids(&daemon, &LIVING), before);
    assert!(daemon.log().contains("current/supervisord)"), "the log names the path");
    assert_eq!(daemon.stop(), 0);
}
