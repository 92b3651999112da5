//! Nothing dies with the supervisor: upgrades in place, and daemons that are killed.

mod chaos;
mod clients;
mod definitions;
mod events;
mod hang_ups;
mod interrupted;
mod keeper;
mod looked_at;
mod releases;
mod reports;
mod sockets;
mod state_file;
mod stops;
mod systems;
mod two_daemons;
mod unreadable_state;
mod upgrades;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::subject::Program;
use crate::harness::{Daemon, Scene, Subject, processes};

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
