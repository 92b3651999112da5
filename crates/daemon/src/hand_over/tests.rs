use std::time::Duration;

use serde_json::Value as Json;
use supervisord_config::model::{Config, GroupKind, ServerUrl};
use supervisord_core::process::{Failure, Phase, Timer};
use supervisord_core::supervisor::snapshot::MemberSnapshot;

use super::*;

/// Texts of every version stay readable, or are refused in words: these are never changed, only added to. The second was
/// recorded of programs that wait for another attempt, are given up, ignore a stop, and are in the midst of a section, and of
/// a listener that has an event and two more waiting.
const VERSION_1: &str = include_str!("../../tests-data/hand-over-v1.json");
const VERSION_1_FULL: &str = include_str!("../../tests-data/hand-over-v1-full.json");

fn member<'a>(handed: &'a HandOver<RawFd>, name: &str) -> &'a MemberSnapshot {
    let members = handed.snapshot.groups.iter().flat_map(|group| &group.members);
    members.into_iter().find(|member| member.name == name).unwrap()
}

/// As this program writes it.
fn written(handed: HandOver<RawFd>) -> String {
    let text = handed.with_snapshot(|snapshot| state::Snapshot::new(&snapshot, version::of_hand_over()));
    serde_json::to_string(&text).unwrap()
}

#[test]
fn version_1_is_understood() {
    assert_eq!(read(VERSION_1.as_bytes()).unwrap().snapshot.groups.len(), 4);
    let handed = read(VERSION_1_FULL.as_bytes()).unwrap();
    let Config { file, servers, rpc_interfaces, groups, supervisord, .. } = &*handed.snapshot.config;
    assert_eq!(
        (file.as_str(), servers.len(), rpc_interfaces.len(), groups.len()),
        ("/srv/app/supervisord.conf", 1, 1, 8)
    );
    assert_eq!((supervisord.pidfile.as_str(), supervisord.umask), ("/srv/app/s.pid", 0o22));
    assert_eq!(servers[0].credentials.as_ref().map(|credentials| credentials.password.as_str()), Some("secret"));
    let machine = |name| member(&handed, name).machine.clone();
    let phases = ["web_00", "backoff", "failed", "stubborn", "idle"].map(|name| machine(name).phase());
    assert_eq!(phases, [Phase::Up, Phase::BackingOff, Phase::GivenUp, Phase::Stopping, Phase::NeverStarted]);
    assert_eq!(machine("backoff").next_timer(), Some((Timer::Retry, Duration::new(813, 424_195_301))));
    assert_eq!(machine("backoff").progress().attempts, 8);
    assert_eq!(
        machine("failed").failure(),
        Some(&Failure::NotSpawned("can't find command '/nonexistent/program'".into()))
    );
    let deaf = &handed.snapshot.groups[0];
    assert!(matches!(deaf.definition.kind, GroupKind::Listeners(_)));
    assert_eq!(deaf.pool.as_ref().map(|pool| pool.len()), Some(2));
    assert!(deaf.members[0].seat.is_some());
    assert_eq!(member(&handed, "web_01").stdout_log.as_deref(), Some("/srv/app/web.log"));
    assert_eq!(member(&handed, "web_01").stderr_log, None);
    let auto = Some("/srv/app/quiet-stderr---supervisor-jird8e_y.log");
    assert_eq!(member(&handed, "quiet").stderr_log.as_deref(), auto);
    let quiet = handed.snapshot.groups.iter().flat_map(|group| &group.definition.processes);
    let quiet = quiet.into_iter().find(|process| process.identity.name == "quiet").unwrap();
    assert_eq!(
        (quiet.stop.stopsignal, &quiet.restart.exitcodes, &quiet.spawn.serverurl),
        (2, &vec![0, 2], &ServerUrl::Auto)
    );
    assert_eq!((handed.children.len(), handed.sockets.len(), handed.next_run, handed.lock), (7, 1, 15, Some(3)));
    let capture = handed.children.iter().find(|child| child.process == "capture").unwrap();
    assert!(
        capture
            .streams
            .iter()
            .any(|stream| stream.pipeline.as_ref().is_some_and(|pipeline| !pipeline.is_transparent()))
    );
}

#[test]
fn what_is_written_is_read_back() {
    for text in [VERSION_1, VERSION_1_FULL] {
        let first = written(read(text.as_bytes()).unwrap());
        assert_eq!(written(read(first.as_bytes()).unwrap()), first);
        assert!(first.len() < text.len() * 2 / 3, "what is at its default is left out: {} {}", first.len(), text.len());
    }
}

/// A release to come may add an option, or something of another kind.
#[test]
fn what_is_not_known_is_passed_over() {
    fn add(value: &mut Json) {
        match value {
            // One that has a single key says by it which of several things it is. A duration stays what it is.
            Json::Object(fields) if fields.len() > 1 && !fields.contains_key("nanos") => {
                fields.values_mut().for_each(add);
                fields.insert("ready_when".to_owned(), serde_json::json!({ "http": ["x", 1] }));
            }
            Json::Object(fields) => fields.values_mut().for_each(add),
            Json::Array(values) => values.iter_mut().for_each(add),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    let present = written(read(VERSION_1_FULL.as_bytes()).unwrap());
    for text in [VERSION_1_FULL, &present] {
        let mut later: Json = serde_json::from_str(text).unwrap();
        add(&mut later);
        assert_eq!(written(read(later.to_string().as_bytes()).unwrap()), present);
    }
}

#[test]
fn another_version_is_refused_in_words() {
    let other = VERSION_1.replacen("\"version\":1", "\"version\":3", 1);
    assert_eq!(
        read(other.as_bytes()).unwrap_err(),
        "the state is of version 3, this program understands version 2 and the one before"
    );
    assert!(read(b"{}").is_err());
}
