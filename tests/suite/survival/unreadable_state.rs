//! States that a daemon cannot understand: of another version, or broken. It starts all the same, and starts nothing twice as far as
//! anybody knows what runs.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use super::state_file::knows;
use super::{pids, wait_for_others};
use crate::harness::{Daemon, Scene, Subject, processes, wait};

const STATE: &str = "supervisord.pid.state";

/// A program that takes a moment to stop, and says so if another one of its kind runs.
const ONCE: &str = "#!/bin/sh\nexec 9> \"$1.lock\"\nflock -n 9 || echo \"$1\" >> twice\n\
    trap 'sleep 0.5; exit 0' TERM\nwhile :; do sleep 0.05; done\n";

const NAMES: [&str; 2] = ["a", "b"];

fn start(name: &str) -> Daemon {
    let programs = ["a", "b", "gone"].map(|name| {
        format!("[program:{name}]\ncommand={{dir}}/once {name}\ndirectory={{dir}}\nstartsecs=0\nstopwaitsecs=60\n")
    });
    let text = programs.concat() + "[program:off]\ncommand=sleep 1000\nautostart=false\n";
    let mut daemon = Scene::with(name, &text).script("once", ONCE).start(Subject::Ours);
    let all = ["a", "b", "gone"];
    daemon.wait_for_states(&all, "RUNNING");
    daemon.wait_until("all is noted", |daemon| knows(daemon, &all));
    daemon.wait_until("all have their locks", |daemon| {
        all.iter().all(|name| daemon.path(&format!("{name}.lock")).exists())
    });
    daemon
}

/// The state in memory, which the keeper has as well.
fn memory(daemon: &Daemon) -> File {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("it runs");
    let files = descriptors.filter_map(|entry| {
        let path = entry.ok()?.path();
        let is_memory = fs::read_link(&path).ok()?.to_string_lossy().contains("memfd:");
        is_memory.then(|| File::options().read(true).write(true).open(path).ok())?
    });
    let is_state = |file: &File| {
        let mut first = [0; 9];
        file.read_exact_at(&mut first, 0).is_ok() && first == *b"{\"Daemon\""
    };
    files.into_iter().find(is_state).expect("it has a state")
}

fn overwrite(memory: &File, text: &str) {
    memory.set_len(0).expect("it is ours");
    memory.write_all_at(text.as_bytes(), 0).expect("it is ours");
}

/// As a release to come may write it: all that it promises to write as ever is who the children are.
fn of_other_version(text: &str) -> String {
    text.replacen("\"version\":2", "\"version\":9", 1)
        .replace("{\"group\":{\"name\"", "{\"set\":{\"of\"")
        .replace("\"state\":20", "\"state\":{\"phase\":\"up\"}")
}

fn check_that_nothing_runs_twice(daemon: &Daemon, before: &std::collections::BTreeMap<String, i32>) {
    wait::until("those of before have ended", || before.values().all(|pid| !processes::alive(*pid)));
    assert_eq!(daemon.read("twice"), "", "{}", daemon.report());
}

/// Takes a program out of the configuration.
fn forget_gone(daemon: &Daemon) {
    let config = daemon.read("supervisord.conf").replace("[program:gone]", "[program:new]\nautostart=false");
    daemon.write("supervisord.conf", &config);
}

#[test]
fn children_of_a_state_of_another_version_are_stopped_before_their_programs_are_started_again() {
    for has_keeper in [true, false] {
        let mut daemon = start("other version");
        let before = pids(&daemon, &["a", "b", "gone"]);
        let memory = memory(&daemon);
        match has_keeper {
            true => daemon.crash(),
            false => daemon.crash_with_keeper(),
        }
        let text = of_other_version(&daemon.read(STATE));
        overwrite(&memory, &text);
        daemon.write(STATE, &text);
        forget_gone(&daemon);
        daemon.start_again();
        wait_for_others(&mut daemon, &NAMES, &before);
        check_that_nothing_runs_twice(&daemon, &before);
        assert_eq!((daemon.state_of("off").as_str(), daemon.state_of("new").as_str()), ("STOPPED", "STOPPED"));
        let reason =
            "WARN the state is of version 9, this program understands version 2: what still runs is stopped, and all";
        daemon.wait_for_log(reason);
        for (name, pid) in &before {
            daemon.wait_for_log(&format!(
                "WARN '{name}' (pid {pid}) was left running, and its entry in the state is not"
            ));
        }
        daemon.wait_until("its own state is written", |daemon| knows(daemon, &NAMES));
        assert_eq!(daemon.stop(), 0);
    }
}

#[test]
fn a_broken_state_in_memory_is_replaced_by_the_state_file() {
    let mut daemon = start("broken memory");
    let before = pids(&daemon, &["a", "b", "gone"]);
    let memory = memory(&daemon);
    daemon.crash();
    overwrite(&memory, "\0broken\n{}\n");
    daemon.start_again();
    daemon.wait_for_states(&NAMES, "RUNNING");
    assert_eq!(pids(&daemon, &["a", "b", "gone"]), before, "{}", daemon.report());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn processes_known_only_to_the_keeper_are_stopped_before_any_start() {
    let mut daemon = start("broken both");
    let before = pids(&daemon, &["a", "b", "gone"]);
    let memory = memory(&daemon);
    daemon.crash();
    overwrite(&memory, "{\"Daemon\":[]}\n");
    daemon.write(STATE, "nothing\n");
    forget_gone(&daemon);
    daemon.start_again();
    wait_for_others(&mut daemon, &NAMES, &before);
    check_that_nothing_runs_twice(&daemon, &before);
    daemon.wait_for_log("WARN the state that the keeper holds cannot be used");
    daemon.wait_for_log("WARN waiting up to 62 seconds for processes to end that were left running");
    for pid in before.values() {
        daemon.wait_for_log(&format!(
            "WARN process {pid} (once) was left running, and the state does not tell which program"
        ));
    }
    assert_eq!(daemon.read("supervisord.pid.state.unreadable"), "nothing\n");
    assert_eq!(daemon.keepers().len(), 1, "the one of before has gone");
    assert_eq!(daemon.stop(), 0);
}

/// The process ids of the children that were made last are in a file of their own.
#[test]
fn children_that_only_their_process_ids_tell_of_are_stopped_before_any_start() {
    for state in [Some("nothing\n"), None] {
        let mut daemon = start("process ids");
        let before = pids(&daemon, &["a", "b", "gone"]);
        daemon.crash_with_keeper();
        match state {
            Some(text) => daemon.write(STATE, text),
            None => fs::remove_file(daemon.path(STATE)).expect("it is there"),
        }
        forget_gone(&daemon);
        daemon.start_again();
        wait_for_others(&mut daemon, &NAMES, &before);
        check_that_nothing_runs_twice(&daemon, &before);
        for pid in before.values() {
            daemon.wait_for_log(&format!(
                "WARN process {pid} (once) was left running, and the state does not tell which program"
            ));
        }
        assert!(daemon.spawned_pids().exists(), "those of the next children are kept as well");
        assert_eq!(daemon.stop(), 0);
        assert!(!daemon.spawned_pids().exists(), "nothing is left behind");
    }
}

/// The state file is written by another thread, and may lack what was done last.
#[test]
fn children_made_after_the_last_line_of_the_state_file_are_stopped_before_any_start() {
    let text =
        "[program:x]\ncommand=sleep 1000\nprocess_name=x_%(process_num)d\nnumprocs=20\nstartsecs=0\nautostart=false\n";
    for is_noted in [false, true] {
        let mut daemon = Scene::with("made last", text).start(Subject::Ours);
        let names: Vec<String> = (0..20).map(|number| format!("x:x_{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        daemon.wait_until("the state file is there", |daemon| !daemon.read(STATE).is_empty());
        let earlier = daemon.read(STATE);
        daemon.call("supervisor.startProcessGroup", &["x".into()]);
        let before = pids(&daemon, &names);
        daemon.wait_until("all is noted", |daemon| {
            before.values().all(|pid| daemon.read(STATE).contains(&format!("\"pid\":{pid},")))
        });
        let later = daemon.read(STATE);
        daemon.crash_with_keeper();
        // Up to the lines that say that they are about to be made, or without these.
        let of_making = |line: &&str| line.contains("\"run\":") && !line.contains("\"pid\":");
        let making: Vec<&str> = later.lines().filter(of_making).filter(|_| is_noted).collect();
        daemon.write(STATE, &format!("{earlier}{}\n", making.join("\n")));
        daemon.start_again();
        wait::until("those of before have ended", || before.values().all(|pid| !processes::alive(*pid)));
        daemon.wait_until("nobody runs unknown", |daemon| {
            let known = pids(daemon, &names).into_values().filter(|pid| *pid != 0).count();
            let is_of_program = |process: &processes::Process| process.name == "sleep";
            processes::children(daemon.pid()).iter().filter(|process| is_of_program(process)).count() == known
        });
        assert!(!daemon.log().contains("the daemon was killed while making it"), "{}", daemon.report());
        assert_eq!(daemon.stop(), 0);
    }
}

/// Nobody can know what runs. Nobody is signalled on suspicion.
#[test]
fn a_broken_state_file_alone_is_kept_and_what_may_run_twice_is_logged() {
    let mut daemon = start("broken file");
    let before = pids(&daemon, &["a", "b", "gone"]);
    daemon.crash_with_keeper();
    fs::remove_file(daemon.spawned_pids()).expect("it is there");
    let half = daemon.read(STATE);
    let half = half.get(half.len() / 2..).expect("plain text").to_owned();
    daemon.write(STATE, &half);
    daemon.start_again();
    wait_for_others(&mut daemon, &NAMES, &before);
    let kept = daemon.path("supervisord.pid.state.unreadable");
    daemon.wait_for_log(&format!(
        "does not begin as a state does; it is now {}. Programs that an earlier",
        kept.display()
    ));
    assert_eq!(fs::read_to_string(kept).expect("it is kept"), half);
    assert!(before.values().all(|pid| processes::alive(*pid)), "{}", daemon.report());
    daemon.wait_until("they run twice", |daemon| daemon.read("twice").contains("a\n"));
    processes::kill_all(&before.into_values().collect::<Vec<_>>());
    assert_eq!(daemon.stop(), 0);
}
