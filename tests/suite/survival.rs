//! Nothing dies with the supervisor: upgrades in place, and daemons that are killed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;

use crate::harness::subject::Program;
use crate::harness::{Daemon, Scene, Subject, processes, rpc, wait};

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
    assert!(!daemon.names().iter().any(|name| name.ends_with(".state")), "{:?}", daemon.names());
    for pid in before.values() {
        assert!(!processes::alive(*pid), "{pid} is left behind");
    }
}

#[test]
fn what_died_while_nobody_looked_is_handled_by_its_autorestart() {
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
    assert!(daemon.log().contains("exited: once (exit status unknown; not expected)"), "{}", daemon.report());
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
fn adoption_can_be_switched_off() {
    let mut daemon = start("switched-off", "[supervisord]\nadopt=false\n");
    assert!(!daemon.names().iter().any(|name| name.ends_with(".state")), "{:?}", daemon.names());
    let before = daemon.pid_of("quiet");
    daemon.crash();
    daemon.start_again();
    daemon.wait_for_state("quiet", "RUNNING");
    assert_ne!(daemon.pid_of("quiet"), before);
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

#[test]
fn a_program_that_cannot_take_over_is_refused() {
    let place = scene("refused", "").set_up(Subject::Ours);
    let program = place.path("supervisord");
    fs::copy(Subject::Ours.path(Program::Supervisord), &program).expect("the directory can be written");
    let mut command = place.command(&program);
    command.args(["-n", "-c", "supervisord.conf"]);
    let mut daemon = Daemon::launch(place, command);
    daemon.wait_until("the pid file is written", |daemon| daemon.recorded_pid().is_some());
    daemon.wait_for_states(&LIVING, "RUNNING");
    fs::remove_file(&program).expect("it is there");
    daemon.write("supervisord", "#!/bin/sh\necho I cannot read that >&2\nexit 1\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let refused = daemon.ctl(&["upgrade"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stdout.contains("I cannot read that"), "{refused:?}");
    daemon.wait_for_states(&LIVING, "RUNNING");
    wait_for_more_lines(&mut daemon, "writer.log");
}

/// Clients come all the time while the daemon is upgraded again and again: whoever connects is let in, and whoever is
/// answered is answered rightly. `UPGRADES` says how often.
#[test]
fn clients_are_not_turned_away_by_an_upgrade() {
    let upgrades: usize = std::env::var("UPGRADES").ok().and_then(|upgrades| upgrades.parse().ok()).unwrap_or(5);
    let mut daemon = start("clients", "");
    let (socket, expected) = (daemon.path("s.sock"), daemon.pid());
    let over = AtomicBool::new(false);
    let (answered, turned_away) = std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let (mut answered, mut turned_away) = (0, Vec::new());
            while !over.load(Ordering::SeqCst) {
                match rpc::call(&socket, "supervisor.getPID", &[]) {
                    Ok(Ok(pid)) if pid.int() == i64::from(expected) => answered += 1,
                    Ok(other) => turned_away.push(format!("{other:?}")),
                    // Let in by the program before, which ended before it had read the request.
                    Err(error) if is_closed(&error) => {}
                    Err(error) => turned_away.push(error.to_string()),
                }
            }
            (answered, turned_away)
        });
        for round in 1..=upgrades {
            daemon.signal(Signal::SIGUSR1);
            daemon.wait_until("it is upgraded", |daemon| daemon.log().matches("supervisord upgraded").count() >= round);
        }
        over.store(true, Ordering::SeqCst);
        client.join().expect("the client does not fail")
    });
    assert!(turned_away.is_empty(), "{turned_away:?}\n{}", daemon.report());
    assert!(answered > upgrades, "{answered}");
}

fn is_closed(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// Kills and upgrades the daemon at random moments. `CHAOS_ROUNDS` says how often.
#[test]
fn chaos_loses_nothing() {
    let rounds: u64 = std::env::var("CHAOS_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(12);
    let programs = "[program:w]\ncommand={dir}/writer\nprocess_name=w%(process_num)d\nnumprocs=8\nstartsecs=0\n\
         stdout_logfile={dir}/w%(process_num)d.log\nstderr_logfile=NONE\n";
    let mut daemon = start("chaos", programs);
    let names: Vec<String> = (0..8).map(|number| format!("w:w{number}")).chain(LIVING.map(str::to_owned)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    daemon.wait_for_states(&names, "RUNNING");
    let before = pids(&daemon, &names);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut generation = 0;
    for round in 0..rounds {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let written = daemon.read("w0.log").lines().count();
        daemon.wait_until("some lines pass", |daemon| {
            daemon.read("w0.log").lines().count() > written + (random % 40) as usize
        });
        if random & 0x100 == 0 {
            daemon.crash();
            daemon.start_again();
            generation = daemon.log().matches("supervisord upgraded").count();
        } else {
            daemon.signal(Signal::SIGUSR1);
            generation += 1;
            daemon.wait_until("it is upgraded", |daemon| {
                daemon.log().matches("supervisord upgraded").count() >= generation
            });
        }
        daemon.wait_for_states(&names, "RUNNING");
        assert_eq!(pids(&daemon, &names), before, "round {round}\n{}", daemon.report());
    }
    let logs: Vec<String> = (0..8).map(|number| format!("w{number}.log")).chain(["writer.log".to_owned()]).collect();
    for log in &logs {
        wait_for_more_lines(&mut daemon, log);
    }
    assert_eq!(daemon.stop(), 0);
}
