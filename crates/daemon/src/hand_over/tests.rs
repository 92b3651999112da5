use std::time::Duration;

use serde_json::Value as Json;
use supervisord_config::model::{Config, GroupKind, ProgramServerUrl};
use supervisord_core::output::pipeline::PipelineData;
use supervisord_core::output::strip;
use supervisord_core::pool::PoolData;
use supervisord_core::process::{ProcessFailure, ProcessPhase, Timer};
use supervisord_core::supervisor::snapshot::MemberSnapshot;
use supervisord_wire::event::EventType;
use supervisord_wire::listener::{Completeness, ListenerData, ListenerState};

use super::*;

/// Texts of every version stay readable, or are refused in words: these are never changed, only added to. The second was
/// recorded of programs that wait for another attempt, are given up, ignore a stop, and are in the midst of a section, and of
/// a listener that has an event and two more waiting.
const VERSION_1: &str = include_str!("../../tests-data/hand-over-v1.json");
const VERSION_1_FULL: &str = include_str!("../../tests-data/hand-over-v1-full.json");

/// Recorded of a daemon that had taken over the programs of a killed one, in the midst of everything an upgrade passes on.
const VERSION_2_FULL: &str = include_str!("../../tests-data/hand-over-v2-full.json");

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
    assert_eq!(
        phases,
        [
            ProcessPhase::Up,
            ProcessPhase::BackingOff,
            ProcessPhase::GivenUp,
            ProcessPhase::Stopping,
            ProcessPhase::NeverStarted
        ]
    );
    assert_eq!(machine("backoff").next_timer(), Some((Timer::Retry, Duration::new(813, 424_195_301))));
    assert_eq!(machine("backoff").progress().attempts, 8);
    assert_eq!(
        machine("failed").failure(),
        Some(&ProcessFailure::NotSpawned("can't find command '/nonexistent/program'".into()))
    );
    let deaf = &handed.snapshot.groups[0];
    assert!(matches!(deaf.definition.kind, GroupKind::Listeners(_)));
    assert_eq!(deaf.pool.as_ref().map(|pool| pool.len()), Some(2));
    assert!(deaf.members[0].listener.is_some());
    assert_eq!(member(&handed, "web_01").stdout_log.as_deref(), Some("/srv/app/web.log"));
    assert_eq!(member(&handed, "web_01").stderr_log, None);
    let auto = Some("/srv/app/quiet-stderr---supervisor-jird8e_y.log");
    assert_eq!(member(&handed, "quiet").stderr_log.as_deref(), auto);
    let quiet = handed.snapshot.groups.iter().flat_map(|group| &group.definition.processes);
    let quiet = quiet.into_iter().find(|process| process.identity.name == "quiet").unwrap();
    assert_eq!(
        (quiet.stop.stopsignal.first, &quiet.restart.exitcodes, &quiet.spawn.serverurl),
        (2, &vec![0, 2], &ProgramServerUrl::Auto)
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

fn child<'a>(handed: &'a HandOver<RawFd>, name: &str) -> &'a HandedChild<RawFd> {
    handed.children.iter().find(|child| child.process == name).unwrap()
}

fn pipeline(handed: &HandOver<RawFd>, name: &str, channel: Channel) -> PipelineData {
    let stream = child(handed, name).streams.iter().find(|stream| stream.channel == channel).unwrap();
    stream.pipeline.as_ref().unwrap().into()
}

#[test]
fn version_2_is_understood() {
    let handed = read(VERSION_2_FULL.as_bytes()).unwrap();
    let SupervisorSnapshot { config, groups, next_serial, ticks, retiring, disabled: _, reaped_orphans } =
        &handed.snapshot;
    assert_eq!(*reaped_orphans, 0, "the writer did not know it");
    assert_eq!((config.file.as_str(), config.here.as_str()), ("/srv/app/s.conf", "/srv/app"));
    assert_eq!((config.supervisord.pidfile.as_str(), config.supervisord.strip_ansi), ("/srv/app/s.pid", true));
    assert_eq!((config.servers.len(), config.rpc_interfaces.len(), config.groups.len()), (2, 1, 14));
    assert_eq!((groups.len(), *next_serial, retiring.as_slice()), (14, 26, &["changed".to_owned()][..]));
    assert_eq!(ticks.as_ref().map(|ticks| ticks.periods()), Some([359_200_903, 29_933_408, 498_890]));
    let phases = ["web_01", "backoff", "failed", "short", "stubborn", "changed", "idle", "done"];
    let phases = phases.map(|name| member(&handed, name).machine.phase());
    let (up, back_off, given_up, stopping) =
        (ProcessPhase::Up, ProcessPhase::BackingOff, ProcessPhase::GivenUp, ProcessPhase::Stopping);
    let (never, exited) = (ProcessPhase::NeverStarted, ProcessPhase::Exited);
    assert_eq!(phases, [up, back_off, given_up, given_up, stopping, stopping, never, exited]);
    let machine = |name| &member(&handed, name).machine;
    assert_eq!(machine("backoff").next_timer(), Some((Timer::Retry, Duration::new(13_061, 136_697_368))));
    assert_eq!((machine("backoff").progress().attempts, machine("done").progress().exit_status), (7, Some(0)));
    assert_eq!(machine("changed").next_timer(), Some((Timer::NextStopStep, Duration::new(16_635, 576_504_340))));
    assert_eq!((machine("web_00").pid(), machine("web_00").progress().last_start), (20_942, 1_796_004_495));
    assert_eq!(machine("short").failure(), Some(&ProcessFailure::TooQuick));
    assert_eq!(member(&handed, "token").stderr_log.as_deref(), Some("/srv/app/token.err"));
    assert!(member(&handed, "reader").stdout_log.as_ref().is_some_and(|log| log.contains("---supervisor-")));
}

#[test]
fn version_2_tells_what_waits_for_listeners() {
    let handed = read(VERSION_2_FULL.as_bytes()).unwrap();
    let ear = handed.snapshot.groups.iter().find(|group| group.definition.name == "ear").unwrap();
    let PoolData { subscriptions, buffer_size, queue, next_serial, refusals, held_until } =
        ear.pool.as_ref().unwrap().data();
    assert_eq!(subscriptions, &[EventType::RemoteCommunication, EventType::Tick60]);
    assert_eq!((*buffer_size, *next_serial, *refusals, *held_until), (20, 3, 0, None));
    let queued: Vec<_> = queue.iter().map(|queued| (queued.serial, queued.event.payload.as_str())).collect();
    assert_eq!(queued, [(13, "type:kind\ndata 1"), (14, "type:kind\ndata 2")]);
    let listener = ear.members[0].listener.clone().unwrap();
    let (event, protocol) = (listener.event.unwrap(), ListenerData::from(listener.protocol));
    assert_eq!((event.serial, event.pool_serial, event.event.payload.as_str()), (12, 0, "type:kind\ndata 0"));
    assert_eq!((protocol.state, protocol.completeness), (ListenerState::Busy, Completeness::Uncertain));
    assert_eq!((protocol.buffer.as_slice(), protocol.result_length), (&b"hal"[..], Some(5)));
}

#[test]
fn version_2_tells_who_the_children_are_and_what_is_held_back() {
    let handed = read(VERSION_2_FULL.as_bytes()).unwrap();
    assert_eq!((handed.children.len(), handed.next_run, handed.start_dir.as_str()), (10, 20, "/srv/app"));
    let changed = child(&handed, "changed");
    assert_eq!((changed.run, changed.pid, changed.orphan, changed.handle), (RunId(6), 20_945, true, Some(30)));
    assert_eq!((changed.kept.started, changed.kept.exact, changed.stdin), (13_033_020, true, Some(27)));
    assert_eq!((child(&handed, "ear").listener, child(&handed, "ear").streams.len()), (Some(14), 2));
    assert_eq!(child(&handed, "reader").waiting, b"xxxx");
    let out = pipeline(&handed, "token", Channel::Stdout);
    assert_eq!(out.stripper.map(|stripper| stripper.state), Some(strip::StripState::Escape));
    assert_eq!(out.capture.map(|capture| (capture.limit, capture.pending)), Some((100, b"<!--XSUPER".to_vec())));
    let err = pipeline(&handed, "token", Channel::Stderr);
    assert_eq!(err.observers.map(|characters| characters.held), Some(b"\xe2\x82".to_vec()));
    let section = pipeline(&handed, "capture", Channel::Stdout).capture.and_then(|capture| capture.section).unwrap();
    assert_eq!((Vec::from(section.bytes), section.dropped), (b"held back".to_vec(), 0));
    let servers: Vec<_> = handed.servers.iter().map(|server| (server.config.section.as_str(), server.socket)).collect();
    assert_eq!(servers, [("inet_http_server", 50), ("unix_http_server", 51)]);
    let [socket] = &handed.sockets[..] else { panic!("{:?}", handed.sockets) };
    assert_eq!((socket.url.as_str(), socket.socket, socket.number), ("unix:///srv/app/fast.sock", 38, Some(0)));
    let keeper = handed.keeper.unwrap();
    assert_eq!((keeper.connection, keeper.pid, keeper.handle, handed.lock), (6, 20_938, Some(39), Some(3)));
    let transit = handed.transit.unwrap();
    assert_eq!((transit.memory, transit.reader, transit.writer), (43, 44, 45));
}

/// Whatever becomes of the types that hold it in memory.
#[test]
fn the_form_of_version_2_stays_as_it_is() {
    fn empty_stripped(value: &mut Json) {
        match value {
            Json::Object(fields) => {
                fields.entry("stripped").and_modify(|bytes| *bytes = Json::Array(Vec::new()));
                fields.values_mut().for_each(empty_stripped);
            }
            Json::Array(values) => values.iter_mut().for_each(empty_stripped),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    let mut form: Json = serde_json::from_str(VERSION_2_FULL).unwrap();
    // It held bytes that nobody needed.
    empty_stripped(&mut form);
    let mut written: Json = serde_json::from_str(&written(read(VERSION_2_FULL.as_bytes()).unwrap())).unwrap();
    // Options of releases to come are written as well.
    let known = &form["snapshot"]["config"]["supervisord"];
    let settings = written["snapshot"]["config"]["supervisord"].as_object_mut().unwrap();
    settings.retain(|option, _| known.get(option).is_some());
    assert_eq!(written, form);
}

#[test]
fn what_is_written_is_read_back() {
    for text in [VERSION_1, VERSION_1_FULL] {
        let first = written(read(text.as_bytes()).unwrap());
        assert_eq!(written(read(first.as_bytes()).unwrap()), first);
        assert!(first.len() < text.len() * 2 / 3, "what is at its default is left out: {} {}", first.len(), text.len());
    }
    let mut handed = read(VERSION_2_FULL.as_bytes()).unwrap();
    handed.snapshot.reaped_orphans = 400;
    assert_eq!(read(written(handed).as_bytes()).unwrap().snapshot.reaped_orphans, 400);
}

/// A release to come may add an option, or something of another kind.
#[test]
fn what_is_not_known_is_passed_over() {
    fn add(value: &mut Json) {
        match value {
            // One that has a single key says by it which of several things it is. A duration stays what it is.
            Json::Object(fields) if fields.len() > 1 && !fields.contains_key("nanos") => {
                fields.values_mut().for_each(add);
                fields.insert("some_day".to_owned(), serde_json::json!({ "http": ["x", 1] }));
            }
            Json::Object(fields) => fields.values_mut().for_each(add),
            Json::Array(values) => values.iter_mut().for_each(add),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    for text in [VERSION_1_FULL, VERSION_2_FULL] {
        let present = written(read(text.as_bytes()).unwrap());
        for text in [text, &present] {
            let mut later: Json = serde_json::from_str(text).unwrap();
            add(&mut later);
            assert_eq!(written(read(later.to_string().as_bytes()).unwrap()), present);
        }
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
