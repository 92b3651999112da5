use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::Value;
use supervisord_config::samples;
use supervisord_core::process::{ProcessFailure, ProcessPhase, Timer, Wanted};
use supervisord_core::supervisor::snapshot::MemberSnapshot;
use supervisord_sys::{proc_stat, start_time};
use supervisord_wire::listener::{ListenerData, ListenerState};
use supervisord_wire::state::ProcessState;

use super::*;

/// State files of every version stay readable, or are refused in words: these are never changed, only added to.
const VERSION_1: &str = include_str!("../../tests-data/state-v1.jsonl");
const VERSION_2: &str = include_str!("../../tests-data/state-v2.jsonl");

/// Recorded of a daemon that had taken over the programs of a killed one.
const VERSION_2_FULL: &str = include_str!("../../tests-data/state-v2-full.jsonl");

fn config() -> Config {
    samples::config([])
}

/// What a daemon makes of this state file.
fn look_at(path: &Path) -> Found {
    let state_file = path.to_str().unwrap().to_owned();
    look(
        &Paths { state_file, keeper_socket: path.with_extension("keeper"), spawned_pids: None },
        &config(),
        "/",
        BTreeMap::new(),
    )
}

/// What a daemon makes of a state file with this text.
fn found(text: impl AsRef<[u8]>) -> Found {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.pid.state");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    look_at(&path)
}

fn remains(text: impl AsRef<[u8]>) -> Remains {
    match found(text) {
        Found::Remains(remains) => *remains,
        _ => panic!("nothing was found"),
    }
}

/// The fixture as if it had been written in this boot and this container.
fn of_this_boot(text: &str) -> String {
    let first = Pid::new(1).and_then(proc_stat::read).unwrap().started_millis();
    text.replace("00000000-0000-0000-0000-000000000000", &start_time::boot_id().unwrap()).replacen(
        "\"first\":240",
        &format!("\"first\":{first}"),
        1,
    )
}

fn names(remains: &Remains) -> Vec<&str> {
    remains.handed.snapshot.groups.iter().map(|group| group.definition.name.as_str()).collect()
}

#[test]
fn a_state_of_version_1_is_understood() {
    let remains = remains(of_this_boot(VERSION_1));
    assert_eq!(remains.losses, [] as [String; 0]);
    assert_eq!(names(&remains), ["ear", "fast", "idle", "web"]);
    let web = &remains.handed.snapshot.groups[3].members[0];
    assert_eq!((web.name.as_str(), web.machine.state()), ("web", ProcessState::Running));
    assert!(web.pid() != 0);
    assert!(remains.handed.snapshot.groups[2].members[0].machine.never_started());
    assert!(remains.handed.children.is_empty(), "nobody of that boot lives");
}

#[test]
fn a_state_of_version_2_is_understood() {
    let remains = remains(of_this_boot(VERSION_2));
    assert_eq!(names(&remains), ["ear", "web", "team", "fcgi", "never"]);
    let state = |group: usize, member: usize| {
        let member = &remains.handed.snapshot.groups[group].members[member];
        (member.name.clone(), member.machine.state(), member.stdout_log.clone())
    };
    let (auto, log) = ("/srv/app/ear-stdout---supervisor-2yptyiq1.log".into(), "/srv/app/web.log".into());
    assert_eq!(state(0, 0), ("ear".into(), ProcessState::Running, Some(auto)));
    assert_eq!(state(1, 1), ("web_01".into(), ProcessState::Running, Some(log)));
    assert_eq!(state(2, 0), ("quiet".into(), ProcessState::Running, None));
    assert_eq!(state(2, 1).1, ProcessState::Stopped);
    assert_eq!(state(4, 0).1, ProcessState::Fatal);
    let machine = |group: usize, member: usize| &remains.handed.snapshot.groups[group].members[member].machine;
    assert!(machine(2, 1).never_started());
    assert_eq!(
        (machine(4, 0).phase(), machine(4, 0).failure()),
        (ProcessPhase::GivenUp, Some(&ProcessFailure::TooQuick))
    );
    assert_eq!((machine(4, 0).wanted(), machine(2, 1).wanted()), (Wanted::Up, Wanted::Down));
    assert_eq!(remains.afresh, None);
    assert!(remains.handed.next_run > 0);
    assert!(remains.handed.children.is_empty(), "nobody of that boot lives");
}

fn full_member<'a>(remains: &'a Remains, name: &str) -> &'a MemberSnapshot {
    let members = remains.handed.snapshot.groups.iter().flat_map(|group| &group.members);
    members.into_iter().find(|member| member.name == name).unwrap()
}

#[test]
fn every_line_of_a_state_of_version_2_is_understood() {
    let remains = remains(of_this_boot(VERSION_2_FULL));
    let expected = [
        "ear", "quiet", "web", "backoff", "capture", "changed", "done", "failed", "fast", "idle", "reader", "short",
        "stubborn", "token",
    ];
    assert_eq!(names(&remains), expected);
    let machine = |name| &full_member(&remains, name).machine;
    let phases = ["web_01", "token", "changed", "stubborn", "backoff", "failed", "short", "idle", "done"];
    let phases = phases.map(|name| machine(name).phase());
    let (up, stopping, given_up) = (ProcessPhase::Up, ProcessPhase::Stopping, ProcessPhase::GivenUp);
    let (back_off, never, exited) = (ProcessPhase::BackingOff, ProcessPhase::NeverStarted, ProcessPhase::Exited);
    assert_eq!(phases, [up, up, stopping, stopping, back_off, given_up, given_up, never, exited]);
    assert_eq!(machine("backoff").next_timer(), Some((Timer::Retry, Duration::new(13_048, 112_339_620))));
    assert_eq!(machine("changed").next_timer(), Some((Timer::NextStopStep, Duration::new(16_635, 576_504_340))));
    assert_eq!((machine("web_00").pid(), machine("web_00").progress().last_start), (20_942, 1_796_004_495));
    let failed = ProcessFailure::NotSpawned("can't find command '/nonexistent/program'".into());
    assert_eq!((machine("failed").failure(), machine("done").progress().exit_status), (Some(&failed), Some(0)));
    let listener = full_member(&remains, "ear").listener.clone().unwrap();
    assert_eq!(
        listener.event.map(|event| (event.serial, event.event.payload.clone())),
        Some((12, "type:kind\ndata 0".into()))
    );
    let protocol = ListenerData::from(listener.protocol);
    assert_eq!((protocol.state, protocol.buffer.as_slice()), (ListenerState::Busy, &b"hal"[..]));
    let lost = |pool, count| format!("at least {count} events that waited for the listeners of '{pool}' are lost");
    assert_eq!(remains.losses, [lost("ear", 2), lost("quiet", 9)]);
    let log = full_member(&remains, "stubborn").stderr_log.as_deref();
    assert_eq!(log, Some("/srv/app/stubborn-stderr---supervisor-wwxq1o5r.log"));
    let definition = |index: usize| &remains.handed.snapshot.groups[index].definition;
    assert_eq!(definition(12).processes[0].stop.stopwaitsecs, 3600);
    assert!(definition(8).processes[0].spawn.socket.is_some());
    assert_eq!(remains.handed.next_run, 15, "the greatest number of a run that is said to go on is 14");
}

/// A release to come may say more, of everything.
#[test]
fn what_a_state_says_more_is_passed_over() {
    fn add(value: &mut Value) {
        match value {
            // One that has a single key says by it which of several things it is. A duration stays what it is.
            Value::Object(fields) if fields.len() > 1 && !fields.contains_key("nanos") => {
                fields.values_mut().for_each(add);
                fields.insert("some_day".to_owned(), serde_json::json!({ "http": ["x", 1] }));
            }
            Value::Object(fields) => fields.values_mut().for_each(add),
            Value::Array(values) => values.iter_mut().for_each(add),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let text = of_this_boot(VERSION_2_FULL);
    let mut later = String::new();
    for line in text.lines() {
        let mut record: Value = serde_json::from_str(line).unwrap();
        add(&mut record);
        later += &format!("{record}\n{{\"probe\":{{\"group\":\"web\"}}}}\n");
    }
    let (expected, found) = (remains(&text), remains(&later));
    assert_eq!(format!("{:?}", found.handed), format!("{:?}", expected.handed));
    assert_eq!(found.losses, expected.losses);
}

/// As the first writers of version 2 said it.
#[test]
fn a_listener_that_was_being_recycled_is_started_again() {
    let machine = |more: &str| {
        let line = format!(r#"{{"process":{{"group":"ear","name":"ear","state":40,"pid":7,"start":9{more}}}}}"#);
        let remains = remains(format!("{}{line}\n", of_this_boot(VERSION_2)));
        remains.handed.snapshot.groups[0].members[0].machine.clone()
    };
    let recycled = machine(r#","replacing":true"#);
    assert_eq!((recycled.phase(), recycled.is_recycled()), (ProcessPhase::Stopping, true));
    assert!(!machine("").is_recycled());
    assert!(!machine(r#","replacing":true,"wanted":"down""#).is_recycled());
}

/// In whatever order its lines are stored.
#[test]
fn processes_that_are_not_understood_keep_one_order() {
    let children: Vec<Sleeper> = (0..8).map(|_| Sleeper::new()).collect();
    let line = |(number, child): (usize, &Sleeper)| {
        let (pid, started) = (child.0.id(), child.started());
        format!(
            r#"{{"process":{{"group":"g{number}","name":"p","state":{{}},"run":{{"run":{number},"pid":{pid},"started":{started}}}}}}}"#
        )
    };
    let lines: Vec<String> = children.iter().enumerate().map(line).collect();
    let head = of_this_boot(VERSION_2).lines().next().unwrap().to_owned();
    let remains = remains(format!("{head}\n{}\n", lines.join("\n")));
    assert_eq!(names(&remains), ["g0", "g1", "g2", "g3", "g4", "g5", "g6", "g7"]);
    let owners: Vec<&str> = remains.handed.children.iter().map(|child| child.group.as_str()).collect();
    assert_eq!(owners, names(&remains));
}

#[test]
fn a_state_says_that_everything_was_being_stopped() {
    assert_eq!(remains(of_this_boot(VERSION_2) + "\"ending\"\n").afresh, Some(Afresh::Ending));
}

#[test]
fn a_state_of_another_boot_means_nothing() {
    for text in [VERSION_1, VERSION_2] {
        assert!(matches!(found(text), Found::Nothing(_)));
    }
}

#[test]
fn a_torn_state_is_read_up_to_the_tear() {
    for text in [VERSION_1, VERSION_2] {
        let text = of_this_boot(text);
        let whole = names(&remains(&text)).len();
        assert_eq!(names(&remains(&text[..text.len() - 40])).len(), whole);
        // In the middle of a character.
        let mut torn = text.clone().into_bytes();
        torn.extend_from_slice("{\"group\":\"J\u{fc}".as_bytes());
        torn.pop();
        assert_eq!(names(&remains(&torn)).len(), whole);
        // What follows behind it, because a disk was full for a moment, counts.
        torn.extend_from_slice(b"\n{\"removed\":\"web\"}\n{\"Removed\":\"web\"}\n");
        assert_eq!(names(&remains(&torn)).len(), whole - 1);
    }
}

#[test]
fn a_group_that_is_defined_anew_keeps_what_its_members_did() {
    let text = of_this_boot(VERSION_2);
    let team = text.lines().find(|line| line.contains("\"name\":\"team\"")).unwrap();
    let again = remains(format!("{text}{team}\n"));
    let (before, after) = (remains(&text), again);
    let pids = |remains: &Remains| -> Vec<u32> {
        remains.handed.snapshot.groups.iter().flat_map(|group| &group.members).map(MemberSnapshot::pid).collect()
    };
    assert_eq!(pids(&after), pids(&before));
    assert_eq!(names(&after), names(&before));
}

fn refusal(path: &Path) -> String {
    match look_at(path) {
        Found::Nothing(complaints) => complaints.join("\n"),
        _ => panic!("{} is believed", path.display()),
    }
}

#[test]
fn a_file_that_is_no_state_is_not_used_and_not_lost() {
    for text in ["hello\n", "", "\0\0\0", "{\"Daemon\":{}}\n", "[1]\n{\"process\":{}}\n"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.pid.state");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refusal = refusal(&path);
        let kept = directory.path().join("s.pid.state.unreadable");
        assert!(
            refusal.contains("does not begin as a state does") && refusal.contains(kept.to_str().unwrap()),
            "{refusal}"
        );
        assert_eq!((fs::read_to_string(kept).unwrap().as_str(), path.exists()), (text, false));
    }
    assert_eq!(refusal(Path::new("/nonexistent/file")), "");
}

const NOT_OURS: &str = "it belongs to somebody else, others may write to it, or it is no file";

#[test]
fn a_file_that_others_may_write_to_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.pid.state");
    fs::write(&path, of_this_boot(VERSION_1)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(refusal(&path).ends_with(NOT_OURS));
}

#[test]
fn a_file_of_somebody_else_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.pid.state");
    fs::write(&path, of_this_boot(VERSION_1)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(look_at(&path), Found::Remains(_)));
    match user::effective_uid() {
        0 => std::os::unix::fs::chown(&path, Some(65534), None).unwrap(),
        // Only root can give a file away; there is one of root that everybody may read.
        _ => return assert!(refusal(Path::new("/etc/passwd")).ends_with(NOT_OURS)),
    }
    assert!(refusal(&path).ends_with(NOT_OURS));
}

#[test]
fn a_link_is_not_followed_and_a_pipe_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("real"), of_this_boot(VERSION_1)).unwrap();
    fs::set_permissions(path("real"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(look_at(&path("real")), Found::Remains(_)));
    std::os::unix::fs::symlink(path("real"), path("link")).unwrap();
    assert!(refusal(&path("link")).contains("symbolic links"));
    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    assert!(refusal(&path("pipe")).ends_with(NOT_OURS));
}

/// Something that runs until it goes out of scope.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Sleeper {
        Sleeper(Command::new("/bin/sleep").arg("1000").spawn().unwrap())
    }

    fn started(&self) -> u64 {
        proc_stat::read(Pid::new(self.0.id()).unwrap()).unwrap().started_millis()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One of the release before, which holds no lock, or one that could not have it.
#[test]
fn a_daemon_that_lives_is_recognized_without_a_lock() {
    let other = Sleeper::new();
    for version in [1, 2] {
        let daemon = |started: u64| {
            let boot = start_time::boot_id().unwrap();
            found(format!(
                "{{\"Daemon\":{{\"version\":{version},\"boot\":\"{boot}\",\"pid\":{},\"started\":{started}}}}}\n",
                other.0.id()
            ))
        };
        assert!(matches!(daemon(other.started()), Found::Alive(_)));
        assert!(matches!(daemon(other.started() + 60_000), Found::Remains(_)), "the same number, but another process");
    }
}

#[test]
fn a_link_or_a_file_in_the_place_of_a_keeper_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let (path, elsewhere) = (directory.path().join("keeper"), directory.path().join("elsewhere"));
    let _silent = supervisord_sys::passing::listen_at(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(keeper::connect(&path).unwrap().is_none());
    fs::remove_file(&path).unwrap();
    fs::write(&path, "").unwrap();
    assert!(keeper::connect(&path).unwrap().is_none());
}

/// Without a keeper the pipes of a child cannot be had, so that it is taken over only to be replaced; without the right
/// start it is a stranger.
#[test]
fn a_child_without_a_keeper_is_known_by_its_start_and_cut_off() {
    let child = Sleeper::new();
    let quiet = |started: u64| {
        let text = of_this_boot(VERSION_2);
        let line = format!(
            "{{\"process\":{{\"group\":\"team\",\"name\":\"quiet\",\"state\":20,\"pid\":{0},\"run\":{{\"run\":9,\"pid\":{0},\
             \"started\":{started},\"exact\":true}}}}}}",
            child.0.id()
        );
        remains(format!("{text}{line}\n"))
    };
    let stranger = quiet(child.started() + 10);
    assert!(stranger.handed.children.is_empty());
    let ours = quiet(child.started());
    assert_eq!(ours.survivors(), 1);
    let [found] = &ours.handed.children[..] else { panic!("{:?}", ours.handed.children) };
    assert_eq!((found.pid, found.is_replaced, found.process.as_str()), (child.0.id(), true, "quiet"));
    assert!(ours.losses.iter().any(|loss| loss.contains("has lost its pipes")), "{:?}", ours.losses);
    assert_eq!(ours.handed.next_run, 10);
}

/// What a release to come may write, with a child of ours.
fn other_version(child: &Sleeper, started: u64, group: &str, name: &str) -> String {
    let text = of_this_boot(VERSION_2).replacen("\"version\":2", "\"version\":9", 1);
    let (writer, _) = text.split_once('\n').unwrap();
    format!(
        "{writer}\n{{\"unit\":{{\"of\":\"{group}\"}}}}\n{{\"process\":{{\"group\":\"{group}\",\"name\":\"{name}\",\"state\":{{}},\"run\":\
         {{\"run\":9,\"pid\":{},\"started\":{started},\"exact\":true,\"cgroup\":\"x\"}}}}}}\n",
        child.0.id()
    )
}

#[test]
fn of_a_state_of_another_version_the_children_are_known() {
    let child = Sleeper::new();
    let ours = remains(other_version(&child, child.started(), "team", "quiet"));
    assert_eq!(ours.afresh, Some(Afresh::OtherVersion(9)));
    assert_eq!((names(&ours), ours.survivors()), (vec!["team"], 1));
    let [child_found] = &ours.handed.children[..] else { panic!("{:?}", ours.handed.children) };
    assert_eq!((child_found.pid, child_found.is_replaced, child_found.process.as_str()), (child.0.id(), true, "quiet"));
    let line = format!("'quiet' (pid {}) was left running", child.0.id());
    assert!(ours.losses.iter().any(|loss| loss.starts_with(&line)), "{:?}", ours.losses);
    let member = &ours.handed.snapshot.groups[0].members[0];
    assert_eq!(member.machine.phase(), ProcessPhase::Up);
    let stop = &ours.handed.snapshot.groups[0].definition.processes[0].stop;
    assert_eq!((stop.stopsignal.first, stop.stopwaitsecs), (15, 10));
    // The same number, but another process; and the same of another boot.
    assert_eq!(remains(other_version(&child, child.started() + 10, "team", "quiet")).survivors(), 0);
    let elsewhere =
        other_version(&child, child.started(), "team", "quiet").replace(&start_time::boot_id().unwrap(), "x");
    assert!(matches!(found(elsewhere), Found::Nothing(_)));
}

#[test]
fn a_child_whose_lines_are_broken_is_known_all_the_same() {
    let child = Sleeper::new();
    let run = format!("\"run\":{{\"run\":9,\"pid\":{},\"started\":{}}}", child.0.id(), child.started());
    let text = of_this_boot(VERSION_2);
    let broken_process = format!("{{\"process\":{{\"group\":\"team\",\"name\":\"quiet\",\"state\":\"?\",{run}}}}}\n");
    let without_group = format!("{{\"process\":{{\"group\":\"lost\",\"name\":\"p\",\"state\":20,{run}}}}}\n");
    for (line, name) in [(broken_process, "quiet"), (without_group, "p")] {
        let remains = remains(format!("{text}{line}"));
        let [found] = &remains.handed.children[..] else { panic!("{:?}", remains.handed.children) };
        assert_eq!((found.pid, found.is_replaced, found.process.as_str()), (child.0.id(), true, name));
        assert_eq!(remains.afresh, None, "the others are taken over");
    }
    // A later line that is understood counts.
    let broken = format!("{{\"process\":{{\"group\":\"team\",\"name\":\"quiet\",\"state\":\"?\",{run}}}}}\n");
    let whole = "{\"process\":{\"group\":\"team\",\"name\":\"quiet\",\"state\":0}}\n";
    assert!(remains(format!("{text}{broken}{whole}")).handed.children.is_empty());
}

/// A keeper may have been told less than was written, or be left over from before a downgrade.
#[test]
fn of_the_copies_of_a_state_the_later_one_counts() {
    let boot = start_time::boot_id().unwrap();
    let written = |version: u32, begun: Option<u64>, boot: &str, at: u64| {
        let begun = begun.map_or(String::new(), |begun| format!(",\"begun\":{begun}"));
        let text =
            format!("{{\"Daemon\":{{\"version\":{version},\"boot\":\"{boot}\",\"pid\":1,\"started\":1{begun}}}}}\n");
        Written { text: text.into_bytes(), at }
    };
    let kept = written(2, Some(500), &boot, 0).text;
    assert!(written(2, Some(501), &boot, 0).is_later_than(&kept));
    assert!(!written(2, Some(500), &boot, 900).is_later_than(&kept));
    assert!(written(1, None, &boot, 501).is_later_than(&kept));
    assert!(!written(1, None, &boot, 499).is_later_than(&kept));
    assert!(!written(2, Some(501), "another", 900).is_later_than(&kept));
    assert!(!Written { text: b"torn".to_vec(), at: 900 }.is_later_than(&kept));
}
