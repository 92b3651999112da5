//! Daemons that are killed when much is going on: while they end or restart, with groups that were changed, before or
//! without a state on disk.

use std::fs;

use nix::sys::signal::Signal;

use super::state_file::knows;
use super::{pids, scene};
use crate::harness::{Scene, Subject, processes, wait};

/// A program that takes its time to stop, and two that do not.
const SLOW: &str = "
[program:slow]
command=sh -c 'trap \"\" TERM; while test ! -e {dir}/go; do sleep 0.02; done'
startsecs=0
autorestart=true
stopwaitsecs=100
[program:web]
command=sleep 1000
startsecs=0
[program:off]
command=sleep 1000
autostart=false
";

#[test]
fn a_daemon_killed_during_shutdown_leaves_nothing_stopped() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let mut daemon = Scene::with("at its end", SLOW).start(Subject::Ours);
        daemon.wait_for_states(&["slow", "web"], "RUNNING");
        let before = pids(&daemon, &["slow", "web"]);
        daemon.signal(signal);
        wait::until("one has been stopped", || !processes::alive(before["web"]));
        daemon.wait_until("that is known", |daemon| daemon.log().contains("stopped: web"));
        assert!(processes::alive(before["slow"]));
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_log(
            "INFO the daemon before was killed while it stopped everything: what still runs is stopped, and",
        );
        daemon.write("go", "");
        wait::until("the slow one has been stopped", || !processes::alive(before["slow"]));
        fs::remove_file(daemon.path("go")).expect("it is there");
        daemon.wait_for_state("web", "RUNNING");
        daemon.wait_until("both run again", |daemon| {
            // One that began before the file was removed has ended by itself, and is restarted.
            pids(daemon, &["slow", "web"]).values().all(|pid| *pid != 0 && processes::alive(*pid))
        });
        assert_eq!(daemon.state_of("off"), "STOPPED");
        assert_eq!(daemon.log().matches("spawned: 'web'").count(), 2, "{signal}\n{}", daemon.report());
    }
}

/// A plug-in that adds a program to a group.
const GROW: &str = "
from supervisor.options import UnhosedConfigParser
class Grow:
    def __init__(self, supervisord):
        self.supervisord = supervisord
    def add(self, team, name, command):
        group = self.supervisord.process_groups[team]
        parser = UnhosedConfigParser()
        section = 'program:' + name
        parser.add_section(section)
        parser.set(section, 'command', command)
        parser.set(section, 'startsecs', '0')
        for config in self.supervisord.options.processes_from_section(parser, section, team):
            config.create_autochildlogs()
            group.config.process_configs.append(config)
            group.processes[config.name] = config.make_process(group)
        return True
def make(supervisord, **options):
    return Grow(supervisord)
";

#[test]
fn a_group_that_was_enlarged_runs_once_after_a_kill() {
    let text = "[program:first]\ncommand=sleep 1000\nstartsecs=0\n[program:second]\ncommand=sleep 1000\nstartsecs=0\n\
        [group:team]\nprograms=first,second\n[rpcinterface:grow]\nsupervisor.rpcinterface_factory=grow:make\n";
    let scene = Scene::with("enlarged", text).file("grow.py", GROW).env("PYTHONPATH", "{dir}");
    let mut daemon = scene.env("PYTHONDONTWRITEBYTECODE", "1").start(Subject::Ours);
    let names = ["team:first", "team:second", "team:third"];
    daemon.wait_for_states(&names[..2], "RUNNING");
    let add = ["team", "third", "sleep 1001"].map(Into::into);
    daemon.wait_until("a program is added", |daemon| daemon.rpc_if_up("grow.add", &add).is_some());
    if daemon.state_of("team:third") != "RUNNING" {
        daemon.call("supervisor.startProcess", &["team:third".into()]);
    }
    let before = pids(&daemon, &names);
    daemon.crash();
    daemon.start_again();
    daemon.wait_for_states(&names[..2], "RUNNING");
    // The group is another one in the file, so that its programs may be replaced. The added one is shown, or has ended.
    wait::until("every process of before is known or gone", || {
        let pid = |name: &str| {
            daemon.rpc("supervisor.getProcessInfo", &[name.into()]).map_or(0, |info| info.get("pid").int())
        };
        before.iter().all(|(name, old)| pid(name) == i64::from(*old) || !processes::alive(*old))
    });
    let rows = daemon.call("supervisor.getAllProcessInfo", &[]);
    let known = rows.items().iter().filter(|row| row.get("pid").int() != 0).count();
    let mark = format!("{}={}", crate::harness::scene::MARK, daemon.dir().display());
    let is_program = |pid: &i32| processes::process(*pid).is_some_and(|process| process.name == "sleep");
    let running = processes::with_environment(&mark).iter().filter(|pid| is_program(pid)).count();
    assert_eq!(running, known, "{}", daemon.report());
}

/// Where the state file cannot be written, the keeper has the state all the same.
#[test]
fn programs_survive_while_the_state_file_cannot_be_written() {
    let text = "[program:a]\ncommand=sleep 1000\nstartsecs=0\n[program:b]\ncommand=sleep 1000\nstartsecs=0\n";
    // What stands in the way of the file cannot be put away.
    let scene = Scene::with("no room", text).file("supervisord.pid.state.new/full", "");
    let mut daemon = scene.start(Subject::Ours);
    let names = ["a", "b"];
    daemon.wait_for_states(&names, "RUNNING");
    daemon.wait_for_log("could not write the state file, will try again");
    daemon.kill_child("a");
    daemon.wait_until("another one runs", |daemon| daemon.log().matches("spawned: 'a'").count() == 2);
    daemon.wait_for_state("a", "RUNNING");
    let before = pids(&daemon, &names);
    for _ in 0..2 {
        assert!(!daemon.path("supervisord.pid.state").exists());
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_states(&names, "RUNNING");
        assert_eq!(pids(&daemon, &names), before, "{}", daemon.report());
    }
    fs::remove_dir_all(daemon.path("supervisord.pid.state.new")).expect("it is ours");
    daemon.wait_for_log("the state file is written again");
    daemon.wait_until("all is noted", |daemon| knows(daemon, &names));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_truncated_state_file_is_read_up_to_the_last_line() {
    let more = "[program:named]\ncommand=sleep 1000\nstartsecs=0\nenvironment=NAME=\"Jürgen\"\n";
    let mut daemon = scene("torn", more).start(Subject::Ours);
    let names = ["quiet", "echo", "named"];
    daemon.wait_for_states(&names, "RUNNING");
    daemon.wait_until("all is noted", |daemon| knows(daemon, &names));
    let before = pids(&daemon, &names);
    daemon.crash_with_keeper();
    let path = daemon.path("supervisord.pid.state");
    let mut text = fs::read(&path).expect("it is left behind");
    // The first of the two bytes of a letter.
    text.extend_from_slice(b"{\"group\":{\"name\":\"J\xc3");
    fs::write(&path, text).expect("it is ours");
    daemon.start_again();
    daemon.wait_until("all are others", |daemon| {
        let now = pids(daemon, &names);
        names.iter().all(|name| now[*name] != 0 && now[*name] != before[*name])
    });
    assert!(before.values().all(|pid| !processes::alive(*pid)), "somebody runs twice\n{}", daemon.report());
    assert_eq!(daemon.stop(), 0);
}
