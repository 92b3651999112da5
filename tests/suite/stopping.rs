//! How programs are stopped: the steps, and whom they reach. The original has only a signal and SIGKILL.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::needs::Power;
use crate::harness::scene::Place;
use crate::harness::{Daemon, Scene, Subject, only_ours, processes, wait};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program stop_sequence", "program kill_scope"];

/// A program that writes down which signals it gets, and ends at QUIT.
const LISTENS: &str = "#!/bin/sh\n\
for signal in TERM INT HUP USR1; do trap \"echo $signal >> heard\" $signal; done\n\
trap 'echo QUIT >> heard; exit 7' QUIT\n\
echo $$ > ready\n\
while :; do sleep 0.02; done\n";

fn scene(options: &str) -> Scene {
    let program = format!("command=./listens\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n{options}\n");
    Scene::with("stopping", &format!("[program:p]\n{program}[supervisord]\nloglevel=debug\n"))
        .script("listens", LISTENS)
        .env("PWD", "{dir}")
}

/// Starts the program, and waits until it takes signals.
fn ready(options: &str) -> Daemon {
    let mut daemon = scene(options).start(Subject::Ours);
    daemon.wait_for_file("ready");
    daemon
}

/// The signals that the activity log says were sent to the program.
fn sent(daemon: &Daemon) -> Vec<String> {
    let log = daemon.log();
    let signals = log.lines().filter(|line| line.contains("DEBG killing p (pid "));
    signals.filter_map(|line| Some(line.rsplit_once(' ')?.1.to_owned())).collect()
}

fn heard(place: &Place) -> Vec<String> {
    place.read("heard").lines().map(str::to_owned).collect()
}

#[test]
fn a_stop_sequence_sends_its_signals_one_after_the_other() {
    only_ours(|| {
        let daemon = ready("stop_sequence=TERM:4s, INT:4s, QUIT:1min, KILL");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert_eq!(heard(&daemon), ["TERM", "INT", "QUIT"]);
        assert_eq!(sent(&daemon), ["SIGTERM", "SIGINT", "SIGQUIT"]);
        for line in ["step 1 of its sequence: SIGTERM, for 4s", "step 3 of its sequence: SIGQUIT, for 1min"] {
            assert!(daemon.log().contains(&format!("INFO stopping p, {line}\n")), "{}", daemon.log());
        }
        assert!(daemon.log().contains("WARN stopped: p (exit status 7)"), "{}", daemon.log());
    });
}

#[test]
fn a_stop_sequence_ends_with_sigkill_whether_or_not_it_is_written() {
    only_ours(|| {
        for options in ["stop_sequence=TERM:100ms, INT:100ms, KILL", "stop_sequence=TERM:100ms, INT:100ms"] {
            let daemon = ready(options);
            assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
            assert_eq!(sent(&daemon), ["SIGTERM", "SIGINT", "SIGKILL"]);
            assert!(daemon.log().contains("stopped: p (terminated by SIGKILL)"), "{}", daemon.log());
        }
    });
}

#[test]
fn several_stop_signals_are_sent_one_after_the_other() {
    only_ours(|| {
        let daemon = ready("stopsignal=TERM,INT, quit\nstopwaitsecs=3");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert_eq!(heard(&daemon), ["TERM", "INT", "QUIT"]);
        let known = daemon.call("supervisor.getAllConfigInfo", &[]);
        assert_eq!(known.items()[0].get("stopsignal").int(), 15, "clients of the original expect one number");
    });
}

/// A stop that is under way goes on where it was, in the next program of the daemon and after a crash.
#[test]
fn a_stop_sequence_survives_an_upgrade_and_a_crash() {
    only_ours(|| {
        let mut daemon = ready("stop_sequence=TERM:4s, INT:4s, QUIT:1min");
        daemon.call("supervisor.stopProcess", &["p".into(), false.into()]);
        daemon.wait_until("it has heard TERM", |daemon| heard(daemon) == ["TERM"]);
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        assert_eq!(daemon.state_of("p"), "STOPPING");
        // The line of the log follows the signal, and a crash between them loses it.
        daemon.wait_until("it has heard INT", |daemon| {
            heard(daemon) == ["TERM", "INT"] && sent(daemon) == ["SIGTERM", "SIGINT"]
        });
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_state("p", "STOPPED");
        assert_eq!(heard(&daemon), ["TERM", "INT", "QUIT"]);
        assert_eq!(sent(&daemon), ["SIGTERM", "SIGINT", "SIGQUIT"], "no step is taken twice");
    });
}

/// Writes down who it is run for, and takes as long as there is a file that holds it.
const DRAIN: &str = "#!/bin/sh\n\
echo \"$1 $MAINPID\" >> heard\n\
echo \"draining $1\"\n\
while test -e hold; do sleep 0.02; done\n\
exit ${2-0}\n";

fn draining(options: &str) -> Daemon {
    let options = options.to_owned() + "\nstdout_logfile={dir}/p.log";
    let mut daemon = scene(&options).script("drain", DRAIN).start(Subject::Ours);
    daemon.wait_for_file("ready");
    daemon
}

#[test]
fn a_command_is_a_step_of_a_stop() {
    only_ours(|| {
        let daemon = draining("stop_sequence=exec:./drain first:3s, exec:'./drain' second 3:1min, QUIT:1min");
        let pid = daemon.pid_of("p");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert_eq!(heard(&daemon), [format!("first {pid}"), format!("second {pid}"), "QUIT".to_owned()]);
        assert_eq!(daemon.read("p.log"), "draining first\ndraining second\n");
        assert!(daemon.log().contains("WARN p: stop command failed (exit status 3)"), "the next step follows at once");
        assert_eq!(sent(&daemon), ["SIGQUIT"]);
        assert!(daemon.log().contains("INFO stopping p, step 2 of its sequence: its command, for 1min\n"));
    });
}

#[test]
fn the_command_of_a_stop_ends_at_its_time_and_with_the_program() {
    only_ours(|| {
        let daemon = draining("stop_sequence=exec:./drain:1s, QUIT:1min");
        daemon.write("hold", "");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert!(daemon.log().contains("WARN p: stop command failed (killed after 1s, its time limit)"));
        assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: started\n");

        let mut daemon = draining("stop_sequence=exec:./drain:1h");
        daemon.write("hold", "");
        daemon.call("supervisor.stopProcess", &["p".into(), false.into()]);
        daemon.wait_until("it drains", |daemon| heard(daemon).len() == 1);
        assert_eq!(daemon.state_of("p"), "STOPPING");
        assert_eq!(daemon.info("p").get("description").text(), "running stop command");
        daemon.kill_child("p");
        daemon.wait_for_state("p", "STOPPED");
    });
}

/// The command goes on in the next program of the daemon and after a crash, and is not run twice.
#[test]
fn the_command_of_a_stop_survives_an_upgrade_and_a_crash() {
    only_ours(|| {
        let mut daemon = draining("stop_sequence=exec:./drain:1h, QUIT:1min");
        let pid = daemon.pid_of("p");
        daemon.write("hold", "");
        daemon.call("supervisor.stopProcess", &["p".into(), false.into()]);
        daemon.wait_until("it drains", |daemon| heard(daemon).len() == 1);
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        daemon.wait_for_state("p", "STOPPING");
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_state("p", "STOPPING");
        assert_eq!(heard(&daemon), [format!(" {pid}")]);
        daemon.kill_child("p");
        daemon.wait_for_state("p", "STOPPED");
        fs::remove_file(daemon.path("hold")).expect("it is there");
        assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: started\n", "when the command has ended");
        assert_eq!(heard(&daemon), [format!(" {pid}")]);
    });
}

#[test]
fn a_stop_sequence_beside_what_it_replaces_is_refused_with_both_places() {
    only_ours(|| {
        let scene = scene("stopwaitsecs=5\nstop_sequence=TERM:5s");
        let mut daemon = scene.launch(Subject::Ours);
        assert_eq!(daemon.exit_code(), 2);
        let message = daemon.stderr();
        let (both, advice) = ("which is written as well at supervisord.conf:", "remove stop_sequence or stopwaitsecs");
        assert!(message.contains(both) && message.contains(advice), "{message}");
    });
}

/// Two descendants that have left everything behind, one that takes its time to end, and one in the background.
const FAMILY: &str = "#!/bin/sh\n\
: > pids\n\
note='echo $$ >> pids; exec sleep 1000'\n\
(setsid env -i PATH=\"$PATH\" sh -c \"$note\" &)\n\
(setsid sh -c \"setsid sh -c '$note' & $note\" &)\n\
sh -c 'trap \"sleep 1; echo clean > clean; exit\" TERM; echo $$ >> pids; while :; do sleep 0.02; done' &\n\
sh -c \"$note\" &\n\
while [ \"$(wc -l < pids)\" -lt 5 ]; do sleep 0.02; done\n\
echo $$ > ready\n\
while :; do sleep 0.02; done\n";

fn family(options: &str) -> (Daemon, Vec<i32>) {
    let program = format!("command=./family\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n{options}\n");
    let scene = Scene::with("family", &format!("[program:p]\n{program}[supervisord]\nloglevel=debug\n"));
    let mut daemon = scene.script("family", FAMILY).start(Subject::Ours);
    daemon.wait_for_file("ready");
    let pids: Vec<i32> = daemon.read("pids").lines().map(|pid| pid.parse().expect("a pid")).collect();
    assert_eq!(pids.len(), 5);
    (daemon, pids)
}

#[test]
fn a_tree_is_stopped_whatever_its_processes_do() {
    only_ours(|| {
        let (daemon, pids) = family("kill_scope=tree");
        let pid = daemon.pid();
        let orphans =
            pids.iter().filter(|pid_| processes::process(**pid_).is_some_and(|found| found.parent == pid)).count();
        assert!(orphans >= 2, "orphans become children of the daemon");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert_eq!(daemon.read("clean"), "clean\n", "a descendant has the time of the signal");
        let left: Vec<&i32> = pids.iter().filter(|pid| processes::alive(**pid)).collect();
        assert!(left.is_empty(), "{left:?} live\n{}", daemon.report());
        assert!(daemon.log().contains("killing p (pid ") && daemon.log().contains(" process tree with signal SIGTERM"));
        assert!(!daemon.log().contains("SIGKILL"), "{}", daemon.log());
        assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: started\n");
    });
}

/// Nothing is another way where nobody asked for it.
#[test]
fn without_a_tree_orphans_are_left_alone_and_are_nobody_s_business() {
    only_ours(|| {
        let (mut daemon, pids) = family("stopasgroup=true");
        let parents: Vec<i32> = pids.iter().filter_map(|pid| Some(processes::process(*pid)?.parent)).collect();
        assert!(!parents.contains(&daemon.pid()), "the daemon is no subreaper");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        let alive = || pids.iter().filter(|pid| processes::alive(**pid)).count();
        daemon.wait_until("those of the group have ended", |_| alive() == 3);
        assert_eq!(daemon.state_of("p"), "STOPPED");
        assert_eq!(alive(), 3, "those in sessions of their own live");
        // The environment of one has no mark by which it would be found.
        processes::kill_all(&pids);
    });
}

/// A thousand processes, and some that fork and exit for ever; none obeys TERM.
const CROWD: &str = "import os, signal, time\n\
signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
for number in range(1004):\n\
\x20   if os.fork() == 0:\n\
\x20       os.setsid()\n\
\x20       while number >= 1000:\n\
\x20           if os.fork() > 0: os._exit(0)\n\
\x20           os.setsid()\n\
\x20           time.sleep(0.01)\n\
\x20       time.sleep(1000)\n\
\x20       os._exit(0)\n\
open('crowd', 'w').write('all\\n')\n\
time.sleep(1000)\n";

#[test]
fn a_crowd_of_a_thousand_that_leave_their_group_while_they_are_killed_is_stopped() {
    only_ours(|| {
        let text = "[program:p]\ncommand=python3 crowd.py\nstartsecs=0\nkill_scope=tree\nstop_sequence=TERM:500ms, KILL\n\
            stdout_logfile=NONE\nstderr_logfile=NONE\n[program:other]\ncommand=sleep 1000\nstartsecs=0\n";
        let mut daemon = Scene::with("crowd", text).file("crowd.py", CROWD).start(Subject::Ours);
        daemon.wait_for_file("crowd");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        let mark = format!("{}={}", crate::harness::scene::MARK, daemon.dir().display());
        let left = processes::with_environment(&mark);
        let left: Vec<_> =
            left.into_iter().filter_map(processes::process).filter(|found| found.name.starts_with("python")).collect();
        assert!(left.is_empty(), "{} live: {left:?}", left.len());
        assert_eq!(daemon.state_of("other"), "RUNNING");
    });
}

/// The program that goes on after an upgrade or a crash knows the descendants as well.
#[test]
fn a_tree_is_stopped_after_an_upgrade_and_a_crash() {
    only_ours(|| {
        let (mut daemon, pids) = family("kill_scope=tree");
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_state("p", "RUNNING");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        let left: Vec<&i32> = pids.iter().filter(|pid| processes::alive(**pid)).collect();
        assert!(left.is_empty(), "{left:?} live\n{}", daemon.report());
    });
}

/// A descendant that outlives its program in a stop is waited for, and killed in its time, by whoever goes on.
#[test]
fn a_stop_goes_on_with_the_descendants_that_are_left_when_the_daemon_is_killed() {
    only_ours(|| {
        let leaves = "#!/bin/sh\n\
            setsid sh -c 'trap \"\" TERM; echo $$ > left; while :; do sleep 0.02; done' &\n\
            while ! test -s left; do sleep 0.02; done\nexec sleep 1000\n";
        let text = "[program:p]\ncommand=./leaves\nstartsecs=0\nkill_scope=tree\nstop_sequence=TERM:8s, KILL\n\
            stdout_logfile=NONE\nstderr_logfile=NONE\n[program:other]\ncommand=sleep 1000\nstartsecs=0\n";
        for keeper in [true, false] {
            let mut daemon = Scene::with("left", text).script("leaves", leaves).start(Subject::Ours);
            let left: i32 = daemon.wait_for_file("left").trim().parse().expect("a pid");
            daemon.wait_for_state("p", "RUNNING");
            let pid = daemon.pid_of("p");
            daemon.call("supervisor.stopProcess", &["p".into(), false.into()]);
            wait::until("the program has ended", || !processes::alive(pid));
            assert_eq!(daemon.state_of("p"), "STOPPING");
            if keeper {
                daemon.crash();
            } else {
                daemon.crash_with_keeper();
            }
            daemon.start_again();
            daemon.wait_for_state("p", "STOPPED");
            wait::until("what it left has ended", || !processes::alive(left));
            assert_eq!(daemon.stop(), 0);
        }
    });
}

/// The cgroup of the program of a daemon; none, which is printed, where none can be made.
fn cgroup_of(daemon: &Daemon, pid: i32) -> Option<PathBuf> {
    if let Some(line) = daemon.log().lines().find(|line| line.contains("no cgroup can be made for p")) {
        eprintln!("left out, because this machine delegates no cgroup: what it holds ({line})");
        return None;
    }
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("it lives");
    let group = groups.lines().find_map(|line| line.strip_prefix("0::")).expect("a group of version 2");
    assert!(group.rsplit('/').next().is_some_and(|name| name.starts_with("supervisord-")), "{group}");
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("Linux");
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).expect("it is mounted");
    let point = mount.split(' ').nth(4).expect("a mount point");
    Some(Path::new(point).join(group.trim_start_matches('/')))
}

#[test]
fn a_cgroup_is_stopped_whatever_its_processes_do_and_removed() {
    only_ours(|| {
        let (mut daemon, pids) = family("kill_scope=cgroup\nstop_sequence=TERM:30s, KILL");
        let cgroup = cgroup_of(&daemon, daemon.pid_of("p"));
        assert!(cgroup.is_none() || cgroup == cgroup_of(&daemon, pids[0]), "it holds who has left everything else");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert_eq!(daemon.read("clean"), "clean\n", "a descendant has the time of the signal");
        let left: Vec<&i32> = pids.iter().filter(|pid| processes::alive(**pid)).collect();
        assert!(left.is_empty(), "{left:?} live\n{}", daemon.report());
        assert!(!daemon.log().contains("SIGKILL"), "{}", daemon.log());
        assert!(cgroup.iter().all(|cgroup| !cgroup.exists()), "{cgroup:?} is left");
        // It has entered its cgroup once it executes its program.
        fs::remove_file(daemon.dir().join("ready")).expect("it was there");
        assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: started\n");
        daemon.wait_for_file("ready");
        let second = cgroup_of(&daemon, daemon.pid_of("p"));
        assert_eq!(daemon.stop(), 0);
        assert!(second.iter().all(|cgroup| !cgroup.exists()), "{second:?} is left");
    });
}

#[test]
fn a_crowd_in_a_cgroup_is_killed_at_once() {
    only_ours(|| {
        let text = "[program:p]\ncommand=python3 crowd.py\nstartsecs=0\nkill_scope=cgroup\nstop_sequence=TERM:500ms, KILL\n\
            stdout_logfile=NONE\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("crowd", text).file("crowd.py", CROWD).start(Subject::Ours);
        daemon.wait_for_file("crowd");
        let cgroup = cgroup_of(&daemon, daemon.pid_of("p"));
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert!(cgroup.iter().all(|cgroup| !cgroup.exists()), "{cgroup:?} is left");
        let mark = format!("{}={}", crate::harness::scene::MARK, daemon.dir().display());
        let left = processes::with_environment(&mark).into_iter().filter_map(processes::process);
        let left: Vec<_> = left.filter(|found| found.name.starts_with("python")).collect();
        assert!(left.is_empty(), "{} live: {left:?}", left.len());
    });
}

/// The program that goes on after an upgrade or a crash stops the cgroup as well, and removes it; also one whose program has
/// ended while no daemon ran.
#[test]
fn a_cgroup_is_stopped_and_removed_after_an_upgrade_and_a_crash() {
    only_ours(|| {
        let (mut daemon, pids) = family("kill_scope=cgroup");
        let cgroup = cgroup_of(&daemon, daemon.pid_of("p"));
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_state("p", "RUNNING");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        let left: Vec<&i32> = pids.iter().filter(|pid| processes::alive(**pid)).collect();
        assert!(left.is_empty(), "{left:?} live\n{}", daemon.report());
        assert!(cgroup.iter().all(|cgroup| !cgroup.exists()), "{cgroup:?} is left");
        fs::remove_file(daemon.dir().join("ready")).expect("it was there");
        assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: started\n");
        daemon.wait_for_file("ready");
        let pid = daemon.pid_of("p");
        let cgroup = cgroup_of(&daemon, pid);
        daemon.crash();
        let members =
            daemon.read("pids").lines().map(|pid| pid.parse().expect("a pid")).chain([pid]).collect::<Vec<i32>>();
        processes::kill_all(&members);
        daemon.wait_until("all have ended", |_| members.iter().all(|pid| !processes::alive(*pid)));
        daemon.start_again();
        daemon.wait_until("its cgroup is removed", |_| cgroup.iter().all(|cgroup| !cgroup.exists()));
        // It has started the program again, of whose processes one has an empty environment: nobody else would find that.
        daemon.wait_for_state("p", "RUNNING");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn without_cgroups_the_tree_takes_their_place_and_one_line_says_why() {
    if !Power::Mount.is_there_for("a machine without cgroups") {
        return;
    }
    only_ours(|| {
        let program = "command=./family\nstartsecs=0\nkill_scope=cgroup\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let shell = "exec unshare -m sh -c 'umount -R /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup; exec \"$@\"' sh \"$@\"";
        let other = "[program:q]\ncommand=sleep 1000\nstartsecs=0\nkill_scope=cgroup\n";
        let scene = Scene::with("family", &format!("[program:p]\n{program}{other}")).script("family", FAMILY);
        let mut daemon = scene.shell(shell).start(Subject::Ours);
        daemon.wait_for_file("ready");
        let lines: Vec<String> =
            daemon.log().lines().filter(|line| line.contains("no cgroup")).map(str::to_owned).collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].ends_with("because cgroup v2 is not mounted; stops reach the tree of its descendants instead"),
            "{lines:?}"
        );
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        let pids: Vec<i32> = daemon.read("pids").lines().map(|pid| pid.parse().expect("a pid")).collect();
        assert!(pids.iter().all(|pid| !processes::alive(*pid)), "{}", daemon.report());
    });
}

/// The original says nothing about them.
#[test]
fn what_outlives_a_stop_in_the_process_group_is_named() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sh -c 'sleep 1000 & echo $! > pid; exec sleep 1000'\ndirectory={dir}\nstartsecs=0\n\
            [program:q]\ncommand=sh -c 'sleep 1000 & echo > q; exec sleep 1000'\ndirectory={dir}\nstartsecs=0\nkill_scope=group\n";
        let mut daemon = Scene::with("survivors", text).start(Subject::Ours);
        let pid: i32 = daemon.wait_for_file("pid").trim().parse().expect("a pid");
        daemon.wait_for_file("q");
        daemon.ctl(&["stop", "q", "p"]);
        let line = format!("INFO processes of the group of p outlive its stop: sleep (pid {pid})\n");
        daemon.wait_for_log(&line);
        assert!(!daemon.log().contains("group of q"), "{}", daemon.log());
        processes::kill_all(&[pid]);
    });
}

/// As in a small chroot: nobody can tell there who descends from whom.
#[test]
fn without_proc_a_stop_reaches_the_process_group_and_says_whom_it_cannot_reach() {
    if !Power::Mount.is_there_for("programs without /proc") {
        return;
    }
    only_ours(|| {
        let program = |scope: &str| {
            let script = format!(
                "sleep 1000 & echo $! > {scope}.in; setsid sleep 1000 & echo $! > {scope}.out; exec sleep 1000"
            );
            format!("[program:{scope}]\ncommand=sh -c '{script}'\nkill_scope={scope}\ndirectory={{dir}}\n")
        };
        let hidden = "exec unshare -m sh -c 'mount -t tmpfs none /proc && exec \"$@\"' sh \"$@\"";
        let text = program("tree") + &program("cgroup");
        let mut daemon = Scene::with("no proc", &text).shell(hidden).start(Subject::Ours);
        daemon.wait_for_states(&["tree", "cgroup"], "RUNNING");
        assert!(
            daemon
                .log()
                .contains("; kill_scope=tree and kill_scope=cgroup reach only the process group of a program\n"),
            "{}",
            daemon.log()
        );
        let reason = "no cgroup can be made for cgroup, because /proc is not there to tell its own; stops reach its process group instead";
        assert!(daemon.log().contains(reason), "{}", daemon.log());
        for scope in ["tree", "cgroup"] {
            let pid = |file: &str| daemon.read(file).trim().parse::<i32>().expect("a pid");
            let (within, outside) = (pid(&format!("{scope}.in")), pid(&format!("{scope}.out")));
            assert_eq!(daemon.ctl(&["stop", scope]).stdout, format!("{scope}: stopped\n"));
            wait::until("its process group has ended", || !processes::alive(within));
            assert!(processes::alive(outside), "otherwise the log is wrong");
            processes::kill_all(&[outside]);
            let line = format!(
                "WARN descendants of {scope} cannot be found without /proc: those that have left its process group outlive its stop\n"
            );
            assert!(daemon.log().contains(&line), "{}", daemon.log());
        }
    });
}

/// As after `unshare --pid` alone: the processes in `/proc` are those of others. The daemon is not the first process there, so that
/// it could leave its programs to the next one. Its program ends it.
#[test]
fn with_the_proc_of_others_the_start_says_what_stops_do_not_reach() {
    if !Power::BeFirstProcess.is_there_for("programs with the /proc of others") {
        return;
    }
    only_ours(|| {
        let text = "[supervisord]\nlogfile={dir}/d.log\npidfile={dir}/d.pid\n\
            [program:p]\ncommand=sh -c 'kill $PPID; exec sleep 1000'\nstartsecs=0\n";
        let place_of_others = "exec unshare --pid --fork sh -c '\"$@\"; exit $?' sh \"$@\"";
        let scene = Scene::new("proc of others").config(text).shell(place_of_others);
        let scene = scene.arguments(&["-n", "-c", "supervisord.conf"]);
        let place = scene.set_up(Subject::Ours);
        let said = scene.run_in(&place);
        let line = "WARN /proc is that of another process-id namespace: kill_scope=tree and kill_scope=cgroup reach only the process \
            group of a program\n";
        let log = place.read("d.log");
        assert_eq!(log.matches(line).count(), 1, "{log}\n{}", said.transcript());
    });
}

/// A scope is that of a stop. A client sends its signal to the program alone, and once.
#[test]
fn a_signal_of_a_client_reaches_the_program_alone() {
    only_ours(|| {
        let child = "for s in TERM USR1; do trap \"echo child $s >> heard\" $s; done\necho 1 > there\nwhile :; do sleep 0.02; done\n";
        let scene =
            scene("kill_scope=tree\nstop_sequence=QUIT:5s, KILL").script("child", &format!("#!/bin/sh\n{child}"));
        let mut daemon =
            scene.script("listens", &LISTENS.replace("echo $$", "./child &\necho $$")).start(Subject::Ours);
        daemon.wait_for_file("ready");
        daemon.wait_for_file("there");
        for signal in ["USR1", "TERM"] {
            assert_eq!(daemon.ctl(&["signal", signal, "p"]).stdout, "p: signalled\n");
            daemon.wait_until("it has heard it", |daemon| heard(daemon).last().is_some_and(|last| last == signal));
        }
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert_eq!(heard(&daemon), ["USR1", "TERM", "QUIT"]);
    });
}

fn read_guide() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/stopping.md")).expect("the guide exists")
}

/// The configurations in the guide can be used as they are.
#[test]
fn the_examples_of_the_guide_run() {
    only_ours(|| {
        let guide = read_guide();
        let examples: Vec<&str> = guide.split("```ini\n").skip(1).filter_map(|text| text.split("```").next()).collect();
        assert!(!examples.is_empty());
        for example in examples {
            let mut daemon = Scene::with("guide", example).start(Subject::Ours);
            daemon.wait_until("everything runs", |daemon| {
                let status = daemon.ctl(&["status"]).stdout;
                status.lines().count() > 0 && status.lines().all(|line| line.contains("RUNNING"))
            });
            assert!(!daemon.log().contains("WARN unknown"), "{}", daemon.log());
            assert_eq!(daemon.stop(), 0);
        }
    });
}
