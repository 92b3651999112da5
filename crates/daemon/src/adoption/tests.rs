use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use supervisord_config::samples;
use supervisord_wire::state::ProcessState;

use super::*;
use crate::hand_over;

/// State files of every version stay readable, or are refused in words: these are never changed, only added to.
const VERSION_1: &str = include_str!("../../tests-data/state-v1.jsonl");
/// The same, of what travels in an upgrade.
const HAND_OVER_1: &str = include_str!("../../tests-data/hand-over-v1.json");

fn config() -> Config {
    samples::config([])
}

fn records(text: &str) -> impl Iterator<Item = Record> {
    text.lines().map_while(|line| serde_json::from_str(line).ok())
}

/// What a daemon makes of a state file with this text.
fn found(text: &str) -> Found {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.pid.state");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    look(path.to_str().unwrap(), &config(), "/")
}

/// The fixture as if it had been written in this boot.
fn of_this_boot(text: &str) -> String {
    text.replace("00000000-0000-0000-0000-000000000000", &orphan::boot_id().unwrap())
}

#[test]
fn a_state_of_version_1_is_understood() {
    let Remains { handed, losses } = gather(records(VERSION_1), &config(), "/");
    assert!(losses.is_empty());
    let groups: Vec<&str> = handed.snapshot.groups.iter().map(|group| group.definition.name.as_str()).collect();
    assert_eq!(groups, ["ear", "fast", "idle", "web"]);
    let web = &handed.snapshot.groups[3].members[0];
    assert_eq!((web.name.as_str(), web.machine.state()), ("web", ProcessState::Running));
    assert!(web.pid() != 0);
    assert_eq!(handed.snapshot.groups[2].members[0].machine.state(), ProcessState::Stopped);
    assert!(handed.children.is_empty(), "nobody of that boot lives");
}

#[test]
fn a_hand_over_of_version_1_is_understood() {
    let handed = hand_over::read(HAND_OVER_1.as_bytes()).unwrap();
    assert_eq!(handed.snapshot.groups.len(), 4);
}

#[test]
fn a_hand_over_of_another_version_is_refused_in_words() {
    let other = HAND_OVER_1.replacen("\"version\":1", "\"version\":2", 1);
    let refused = hand_over::read(other.as_bytes()).unwrap_err();
    assert_eq!(refused, "the state is of version 2, this program understands version 1");
}

#[test]
fn a_state_of_another_boot_means_nothing() {
    assert!(matches!(found(VERSION_1), Found::Nothing));
}

#[test]
fn a_state_of_another_version_is_recognized() {
    let other = of_this_boot(VERSION_1).replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(found(&other), Found::OtherVersion(2)));
    let of_another_boot = VERSION_1.replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(found(&of_another_boot), Found::Nothing));
}

#[test]
fn a_torn_last_line_is_as_if_it_was_not_there() {
    let text = of_this_boot(VERSION_1);
    let Found::Remains(whole) = found(&text) else { panic!("nothing was found") };
    let Found::Remains(torn) = found(&text[..text.len() - 40]) else { panic!("nothing was found") };
    assert_eq!(whole.handed.snapshot.groups.len(), torn.handed.snapshot.groups.len());
}

#[test]
fn what_is_no_state_file_is_not_used() {
    assert!(matches!(found("hello\n"), Found::Unusable(_)));
    assert!(matches!(found(""), Found::Unusable(_)));
    assert!(matches!(look("/nonexistent/file", &config(), "/"), Found::Nothing));
}

#[test]
fn a_file_that_others_may_write_to_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.pid.state");
    fs::write(&path, of_this_boot(VERSION_1)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(look(path.to_str().unwrap(), &config(), "/"), Found::Unusable(_)));
}

fn refusal(path: &Path) -> String {
    assert!(!is_of_a_killed_daemon(path.to_str().unwrap()));
    match look(path.to_str().unwrap(), &config(), "/") {
        Found::Unusable(reason) => reason,
        _ => panic!("{} is believed", path.display()),
    }
}

const NOT_OURS: &str = "it belongs to somebody else, others may write to it, or it is no file";

#[test]
fn a_file_of_somebody_else_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.pid.state");
    fs::write(&path, of_this_boot(VERSION_1)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(is_of_a_killed_daemon(path.to_str().unwrap()));
    match user::effective_uid() {
        0 => std::os::unix::fs::chown(&path, Some(65534), None).unwrap(),
        // Only root can give a file away; there is one of root that everybody may read.
        _ => return assert_eq!(refusal(Path::new("/etc/passwd")), NOT_OURS),
    }
    assert_eq!(refusal(&path), NOT_OURS);
}

#[test]
fn a_link_is_not_followed_and_a_pipe_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("real"), of_this_boot(VERSION_1)).unwrap();
    fs::set_permissions(path("real"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(is_of_a_killed_daemon(path("real").to_str().unwrap()));
    std::os::unix::fs::symlink(path("real"), path("link")).unwrap();
    assert!(refusal(&path("link")).contains("symbolic links"));
    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    assert_eq!(refusal(&path("pipe")), NOT_OURS);
}

#[test]
fn a_daemon_that_lives_is_recognized() {
    let mut other = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
    let started = orphan::facts(Pid::new(other.id()).unwrap()).unwrap().started.as_millis();
    let daemon = |started: u128| {
        let boot = orphan::boot_id().unwrap();
        found(&format!(
            "{{\"Daemon\":{{\"version\":1,\"boot\":\"{boot}\",\"pid\":{},\"started\":{started}}}}}\n",
            other.id()
        ))
    };
    let (alive, stranger) = (daemon(started), daemon(started + 60_000));
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(matches!(alive, Found::Alive(_)));
    assert!(matches!(stranger, Found::Remains(_)), "the same number, but another process");
}
