//! What the daemon tells the service manager that has started it, by systemd's protocol over a real socket.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::needs;
use crate::harness::{Daemon, Program, Scene, Subject, only_ours, processes};

/// The first program ends once the file `may_end` allows it.
const PROGRAMS: &str = "[program:p]\ncommand=sh program\nstartsecs=0\nstopwaitsecs=70\n\
    [program:q]\ncommand=no-such-command\nstartretries=0\n";

const SLEEPER: &str = "[program:p]\ncommand=sleep 1000\nstartsecs=0\n";

const PROGRAM: &str = "trap 'while [ ! -e may_end ]; do sleep 0.05; done; exit 0' TERM\nenv > environment\n\
    while :; do sleep 0.05; done\n";

/// The service manager: all messages that it has got.
struct Manager {
    socket: UnixDatagram,
    messages: Vec<String>,
}

impl Manager {
    /// Waits until a message has all these lines that came after the first `after` messages. Gives its position.
    fn hears(&mut self, daemon: &mut Daemon, after: usize, lines: &[&str]) -> usize {
        let mut found = 0;
        daemon.wait_until(&format!("the service manager hears {lines:?}"), |_| {
            let mut buffer = [0; 4096];
            while let Ok(length) = self.socket.recv(&mut buffer) {
                self.messages.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
            let has_all = |message: &String| lines.iter().all(|line| message.lines().any(|said| said == *line));
            let position = self.messages.iter().skip(after).position(has_all);
            found = after + position.unwrap_or(0);
            position.is_some()
        });
        found
    }
}

/// A daemon with a service manager that also wants signs of life, in this many microseconds.
fn scene(watchdog: &str) -> (Daemon, Manager) {
    let place = Scene::with("service_manager", PROGRAMS)
        .file("program", PROGRAM)
        .env("WATCHDOG_USEC", watchdog)
        .set_up(Subject::Ours);
    let socket = UnixDatagram::bind(place.path("notify")).expect("the place is free");
    socket.set_nonblocking(true).expect("possible");
    let mut command = place.command(&Subject::Ours.path(Program::Supervisord));
    command.env("NOTIFY_SOCKET", place.path("notify")).args(["-n", "-c", "supervisord.conf"]);
    (Daemon::launch(place, command), Manager { socket, messages: Vec::new() })
}

#[test]
fn the_service_manager_is_told_how_the_daemon_is() {
    only_ours(|| {
        let (mut daemon, mut manager) = scene("0");
        let status = "STATUS=1 of 2 programs run, 1 FATAL";
        let mut last = manager.hears(&mut daemon, 0, &["READY=1", status]);
        assert!(!manager.messages.iter().any(|message| message.contains("WATCHDOG")), "{:?}", manager.messages);
        let environment = daemon.wait_for_file("environment");
        assert!(!environment.contains("NOTIFY_SOCKET") && !environment.contains("WATCHDOG"), "{environment}");

        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        last = manager.hears(&mut daemon, last + 1, &["READY=1", status]);
        fs::write(daemon.path("may_end"), "").expect("written");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        last = manager.hears(&mut daemon, last + 1, &["STATUS=0 of 2 programs run, 1 FATAL, 1 STOPPED"]);

        fs::remove_file(daemon.path("environment")).expect("it is there");
        daemon.ctl(&["start", "p"]);
        fs::remove_file(daemon.path("may_end")).expect("it is there");
        daemon.wait_for_file("environment");
        daemon.signal(Signal::SIGHUP);
        last = manager.hears(&mut daemon, last + 1, &["RELOADING=1"]);
        assert!(manager.messages[last].contains("\nMONOTONIC_USEC="), "{:?}", manager.messages);
        fs::remove_file(daemon.path("environment")).expect("it is there");
        fs::write(daemon.path("may_end"), "").expect("written");
        last = manager.hears(&mut daemon, last + 1, &["READY=1", status]);
        daemon.wait_for_file("environment");

        fs::remove_file(daemon.path("may_end")).expect("it is there");
        daemon.signal(Signal::SIGTERM);
        // The daemon itself may take 30 seconds longer.
        let extended = "EXTEND_TIMEOUT_USEC=100000000";
        manager.hears(&mut daemon, last + 1, &["STOPPING=1", extended, "STATUS=1 of 2 programs still run"]);
        fs::write(daemon.path("may_end"), "").expect("written");
        assert_eq!(daemon.exit_code(), 0);
    });
}

#[test]
fn signs_of_life_come_from_a_daemon_that_supervises() {
    only_ours(|| {
        let (mut daemon, mut manager) = scene("100000");
        let mut last = 0;
        for _ in 0..3 {
            last = 1 + manager.hears(&mut daemon, last, &["WATCHDOG=1"]);
        }
        fs::write(daemon.path("may_end"), "").expect("written");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn a_service_manager_that_is_not_there_is_a_line_in_the_log() {
    only_ours(|| {
        let place = Scene::with("no_manager", SLEEPER).set_up(Subject::Ours);
        let mut command = place.command(&Subject::Ours.path(Program::Supervisord));
        command.env("NOTIFY_SOCKET", place.path("nobody")).args(["-n", "-c", "supervisord.conf"]);
        let mut daemon = Daemon::launch(place, command);
        daemon.wait_for_log("WARN cannot notify the service manager: No such file or directory");
        daemon.wait_for_state("p", "RUNNING");
        daemon.wait_until("nobody wakes up to look for it", |daemon| {
            let before = sleeps_of_network(daemon);
            sleep(Duration::from_millis(1500));
            sleeps_of_network(daemon) == before
        });
        assert_eq!(daemon.stop(), 0);
    });
}

/// How often the network plane has gone to sleep.
fn sleeps_of_network(daemon: &Daemon) -> String {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("it runs");
    let paths = tasks.map(|task| task.expect("a thread").path().join("status"));
    let statuses = paths.filter_map(|path| fs::read_to_string(path).ok());
    let status = statuses.into_iter().find(|status| status.starts_with("Name:\tnetwork\n")).expect("the network plane");
    status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).expect("it is counted").to_owned()
}

/// The sockets outlive what the daemon does, and are not its own to remove.
#[test]
fn servers_use_the_sockets_that_the_service_manager_has_opened() {
    only_ours(|| {
        let more = "[inet_http_server]\nport=127.0.0.1:{port}\n";
        let place = Scene::with("activation", &format!("{SLEEPER}{more}")).set_up(Subject::Ours);
        let mut command = place.command(&needs::program("systemd-socket-activate"));
        // The first is known by its address, the second by its name, and nobody asks for the third.
        command.args([
            &format!("--listen={}", place.path("s.sock").display()),
            &place.fill("--listen=127.0.0.1:{port2}"),
            &format!("--listen={}", place.path("other.sock").display()),
            "--fdname=web:inet_http_server:other",
        ]);
        command.arg(Subject::Ours.path(Program::Supervisord)).args(["-n", "-c", "supervisord.conf"]);
        let mut daemon = Daemon::launch(place, command);
        daemon.wait_until("its sockets are open", |daemon| daemon.path("other.sock").exists());
        let inode = |daemon: &Daemon| fs::metadata(daemon.path("s.sock")).map(|file| file.ino()).expect("it is there");
        let (before, port) = (inode(&daemon), daemon.fill("http://127.0.0.1:{port2}"));
        let answers = |daemon: &Daemon| {
            // The first client has the daemon started, and waits.
            assert!(daemon.ctl(&["status", "p"]).stdout.contains("RUNNING"), "{}", daemon.report());
            assert_eq!(daemon.ctl(&["-s", &port, "version"]).stdout, "4.3.0\n", "{}", daemon.report());
        };
        answers(&daemon);
        daemon.wait_for_log("that no server uses");
        assert!(daemon.log().contains("other.sock, named other)"), "{}", daemon.log());
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        answers(&daemon);
        let old = daemon.pid_of("p").into();
        assert_eq!(daemon.ctl(&["reload"]).stdout, "Restarted supervisord\n");
        daemon.wait_until("p runs anew", |daemon| {
            let info = daemon.rpc_if_up("supervisor.getProcessInfo", &["p".into()]);
            info.is_some_and(|info| ![0, old].contains(&info.get("pid").int()))
        });
        answers(&daemon);
        assert_eq!(daemon.stop(), 0);
        assert_eq!(inode(&daemon), before, "the file stays the one of the service manager");
    });
}

/// A reload is over for the service manager when the configuration is active, and what is refused changes nothing.
#[test]
fn a_reload_for_the_service_manager_updates_the_configuration() {
    only_ours(|| {
        let (mut daemon, mut manager) = scene("0");
        let mut last = manager.hears(&mut daemon, 0, &["READY=1", "STATUS=1 of 2 programs run, 1 FATAL"]);
        let pid = daemon.pid_of("p");
        let before = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &format!("{before}\n[program:r]\ncommand=sleep 1000\nstartsecs=0\n"));
        daemon.signal(Signal::SIGURG);
        last = manager.hears(&mut daemon, last + 1, &["RELOADING=1"]);
        assert!(manager.messages[last].contains("\nMONOTONIC_USEC="), "{:?}", manager.messages);
        last = manager.hears(&mut daemon, last + 1, &["READY=1", "STATUS=2 of 3 programs run, 1 FATAL"]);
        assert_eq!(daemon.pid_of("p"), pid, "it has not changed");

        // One that changes nothing is told, too.
        daemon.signal(Signal::SIGURG);
        last = manager.hears(&mut daemon, last + 1, &["RELOADING=1"]);
        last = manager.hears(&mut daemon, last + 1, &["READY=1", "STATUS=2 of 3 programs run, 1 FATAL"]);

        daemon.write("supervisord.conf", &format!("{before}\n[program:r]\nnonsense\n"));
        daemon.signal(Signal::SIGURG);
        last = manager.hears(&mut daemon, last + 1, &["RELOADING=1"]);
        last = manager.hears(&mut daemon, last + 1, &["READY=1"]);
        let said = &manager.messages[last];
        assert!(said.contains("; the last reload was refused: ") && said.contains("supervisord.conf"), "{said}");
        daemon.wait_for_log("ERRO cannot reload the configuration: ");
        assert_eq!(daemon.state_of("r"), "RUNNING");

        daemon.write("supervisord.conf", &before);
        daemon.signal(Signal::SIGURG);
        manager.hears(&mut daemon, last + 1, &["READY=1", "STATUS=1 of 2 programs run, 1 FATAL"]);
        fs::write(daemon.path("may_end"), "").expect("written");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn signs_of_life_are_not_expected_of_another_process() {
    only_ours(|| {
        let place = Scene::with("other_watchdog", SLEEPER)
            .env("WATCHDOG_USEC", "1000")
            .env("WATCHDOG_PID", "1")
            .set_up(Subject::Ours);
        let socket = UnixDatagram::bind(place.path("notify")).expect("the place is free");
        socket.set_nonblocking(true).expect("possible");
        let mut manager = Manager { socket, messages: Vec::new() };
        let mut command = place.command(&Subject::Ours.path(Program::Supervisord));
        command.env("NOTIFY_SOCKET", place.path("notify")).args(["-n", "-c", "supervisord.conf"]);
        let mut daemon = Daemon::launch(place, command);
        let last = manager.hears(&mut daemon, 0, &["READY=1", "STATUS=1 of 1 programs run"]);
        daemon.call("supervisor.stopProcess", &["p".into()]);
        manager.hears(&mut daemon, last + 1, &["STATUS=0 of 1 programs run, 1 STOPPED"]);
        assert!(!manager.messages.iter().any(|message| message.contains("WATCHDOG")), "{:?}", manager.messages);
        assert_eq!(daemon.stop(), 0);
    });
}

/// Says something when nobody supervises it, and again when it is told to.
const SPEAKER: &str = "echo begun\nwhile [ ! -e speak ]; do sleep 0.05; done\necho while nobody supervised\ntouch spoken\n\
    while [ ! -e speak_again ]; do sleep 0.05; done\necho supervised again\nwhile :; do sleep 0.05; done\n";

/// A daemon of a service manager that holds descriptors; `again` starts it again.
fn with_descriptor_store(name: &str) -> Daemon {
    let programs = "[program:p]\ncommand=sh speaker\nstartsecs=0\nstdout_logfile=p.log\nstopasgroup=true\n\
        [program:q]\ncommand=sleep 1000\nstartsecs=0\n";
    let place = Scene::with(name, programs)
        .file("speaker", SPEAKER)
        .file("service_manager.py", include_str!("fixtures/service_manager.py"))
        .set_up(Subject::Ours);
    let mut command = place.command(&needs::program("python3"));
    command.arg("service_manager.py").arg(Subject::Ours.path(Program::Supervisord)).args([
        "-n",
        "-c",
        "supervisord.conf",
    ]);
    let mut daemon = Daemon::launch(place, command);
    daemon.wait_until("it is ready", |daemon| daemon.read("messages").contains("READY=1"));
    daemon.wait_until("p has begun", |daemon| daemon.read("p.log") == "begun\n");
    daemon
}

/// Kills the daemon and its keeper, has the program speak, and starts the next daemon.
fn kill_both_and_go_on(daemon: &mut Daemon) {
    let (pid, keeper) = (daemon.pid(), daemon.running_keeper());
    for victim in [keeper, pid] {
        processes::signal(victim, Signal::SIGSTOP);
    }
    for victim in [keeper, pid] {
        processes::signal(victim, Signal::SIGKILL);
    }
    daemon.wait_until("both have ended", |_| !processes::alive(pid) && !processes::alive(keeper));
    fs::write(daemon.path("speak"), "").expect("written");
    daemon.wait_until("p has spoken", |daemon| daemon.path("spoken").exists());
    fs::write(daemon.path("restart"), "").expect("written");
    daemon.wait_until("the next one runs", |daemon| {
        daemon.pid() != pid && daemon.rpc_if_up("supervisor.getState", &[]).is_some()
    });
}

/// What programs say while nobody supervises is not lost where the keeper is gone, too.
#[test]
fn the_service_manager_stands_in_for_a_keeper_that_was_killed() {
    only_ours(|| {
        let mut daemon = with_descriptor_store("descriptor_store");
        let before = [daemon.pid_of("p"), daemon.pid_of("q")];
        kill_both_and_go_on(&mut daemon);
        assert_eq!([daemon.pid_of("p"), daemon.pid_of("q")], before, "{}", daemon.report());
        fs::write(daemon.path("speak_again"), "").expect("written");
        let said = "begun\nwhile nobody supervised\nsupervised again\n";
        daemon.wait_until("all is in the log", |daemon| daemon.read("p.log") == said);
        assert!(!daemon.log().contains("lost"), "{}", daemon.log());

        // It holds what is needed, and no more, through an upgrade and an orderly end.
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        daemon.wait_until("it answers", |daemon| daemon.rpc_if_up("supervisor.getState", &[]).is_some());
        daemon.call("supervisor.stopProcess", &["q".into()]);
        daemon.wait_until("the pipes of q are given up", |daemon| {
            daemon.read("messages").matches("FDSTOREREMOVE=1\nFDNAME=sv-run").count() >= 3
        });
        assert_eq!(daemon.pid_of("p"), before[0], "{}", daemon.report());
        daemon.signal(Signal::SIGTERM);
        daemon.wait_until("all is given up", |daemon| daemon.read("left") == "nothing\n");
    });
}

/// Where the keeper lives, what it holds counts.
#[test]
fn the_descriptor_store_is_put_in_order_after_a_crash() {
    only_ours(|| {
        let mut daemon = with_descriptor_store("store_in_order");
        let (before, pid) = (daemon.pid_of("p"), daemon.pid());
        let other = daemon.pid_of("q");
        processes::signal(pid, Signal::SIGKILL);
        daemon.wait_until("it has ended", |_| !processes::alive(pid));
        processes::signal(other, Signal::SIGKILL);
        fs::write(daemon.path("restart"), "").expect("written");
        daemon.wait_until("the next one runs", |daemon| {
            daemon.pid() != pid && daemon.rpc_if_up("supervisor.getState", &[]).is_some()
        });
        daemon.wait_until("the pipes of the run of q are given up", |daemon| {
            daemon.read("messages").matches("FDSTOREREMOVE=1\nFDNAME=sv-run").count() >= 3
        });
        assert_eq!(daemon.pid_of("p"), before, "{}", daemon.report());
        daemon.signal(Signal::SIGTERM);
        daemon.wait_until("all is given up", |daemon| daemon.read("left") == "nothing\n");
    });
}
