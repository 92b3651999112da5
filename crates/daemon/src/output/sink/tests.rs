use std::fs::{self, File};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use supervisord_config::model::{LogRotation, WhenBlocked};
use supervisord_config::rotate_when::RotateWhen;
use supervisord_core::rotation::Rotation;
use supervisord_core::rotation::rules::RotationRules;

use super::super::held_output::RETRY;
use super::super::log_file::{LogFile, NEW_MODE};
use super::super::log_limits::LogLimits;
use super::super::log_target::Target;
use super::super::waiting_output::FULL;
use super::*;

/// A log on a device that takes nothing.
fn full(path: &str, policy: WhenBlocked) -> Sink {
    let (file, found) = (File::options().append(true).open("/dev/full").expect("opened"), fs::metadata(path));
    let target = Target::File(LogFile::new(path.into(), file, &found.expect("there")));
    let mut sink = Sink { target, ..Sink::unopened(path.into(), None) };
    sink.set_policy(Some(policy));
    sink
}

#[test]
fn what_a_full_disk_does_not_take_is_written_when_it_does() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log").display().to_string();
    for policy in WhenBlocked::ALL {
        fs::write(&path, "").expect("written");
        let mut sink = full(&path, policy);
        let mut entries = sink.write(b"one\n", Rotation::NEVER);
        entries.extend(sink.write(b"two\n", Rotation::NEVER));
        assert!(sink.is_behind() && sink.open_file().is_none());
        assert_eq!(sink.is_congested(), policy == WhenBlocked::Block);
        let due = sink.deadline().expect("it is tried again");
        assert!(sink.retry_if_due(due - RETRY).is_none());
        entries.extend(sink.retry_if_due(due).expect("it is time"));
        assert!(sink.is_behind() && sink.deadline() > Some(due));
        entries.extend(sink.reopen_at_path().expect("opened"));
        entries.extend(sink.flush());
        assert!(!sink.is_behind() && sink.deadline().is_none() && sink.open_file().is_some());
        assert_eq!(fs::read(&path).expect("read"), b"one\ntwo\n");
        let texts: Vec<String> = entries.into_iter().map(|(_, text)| text).collect();
        assert!(texts[0].contains("output waits: ") && texts.len() == 2, "{texts:?}");
        assert!(texts[1].ends_with("can be written again, 0 bytes were lost"));
    }
}

#[test]
fn beyond_the_room_the_policy_decides_what_is_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log").display().to_string();
    for (policy, kept) in [(WhenBlocked::DropOldest, b'b'), (WhenBlocked::DropNewest, b'a')] {
        fs::write(&path, "").expect("written");
        let mut sink = full(&path, policy);
        let lines = |letter: u8| [&[letter; 1023][..], b"\n"].concat().repeat(FULL / 1024);
        sink.write(&lines(b'a'), Rotation::NEVER);
        sink.write(&lines(b'b'), Rotation::NEVER);
        sink.reopen_at_path().expect("opened");
        let entries = sink.flush();
        assert!(entries[0].1.ends_with(&format!("{FULL} bytes were lost")), "{entries:?}");
        assert_eq!(fs::read(&path).expect("read"), lines(kept));
    }
}

#[test]
fn what_waits_for_a_file_that_is_emptied_is_dropped() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log").display().to_string();
    fs::write(&path, "").expect("written");
    let mut sink = full(&path, WhenBlocked::Block);
    sink.write(b"one\n", Rotation::NEVER);
    sink.clear().expect("emptied");
    assert!(!sink.is_behind() && sink.deadline().is_none());
    let entries = sink.write(b"two\n", Rotation::NEVER);
    assert_eq!(fs::read(&path).expect("read"), b"two\n");
    assert!(entries[0].1.ends_with(" 0 bytes were lost"), "{entries:?}");
}

#[test]
fn what_waits_for_a_file_is_lost_when_something_else_takes_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log").display().to_string();
    fs::write(&path, "").expect("written");
    let mut sink = full(&path, WhenBlocked::Block);
    sink.write(b"one\n", Rotation::NEVER);
    let other = Target::open(&"/dev/null".into(), None, NEW_MODE).expect("opened");
    let mut entries = sink.replace(other);
    assert!(!sink.is_behind() && sink.deadline().is_none());
    entries.extend(sink.write(b"two\n", Rotation::NEVER));
    let texts: Vec<String> = entries.into_iter().map(|(_, text)| text).collect();
    assert!(texts[0].contains("output is lost: ") && texts[1].ends_with(" 4 bytes were lost"), "{texts:?}");
}

#[test]
fn a_rotation_that_came_due_while_output_waited_is_done_after_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log").display().to_string();
    fs::write(&path, "old\n").expect("written");
    let mut sink = full(&path, WhenBlocked::Block);
    let daily =
        LogRotation { logfile_rotate: Some(RotateWhen { period: 86_400, offset: 0 }), ..LogRotation::default() };
    sink.write(b"one\n", Rotation::NEVER);
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    File::options().append(true).open(&path).and_then(|file| file.set_modified(yesterday)).expect("set");
    let rotation = Rotation { maxbytes: 0, backups: 3 };
    let limits = LogLimits { rotation, rules: RotationRules::of(&daily), leaves_reserve: false };
    assert!(sink.limit(&limits, &Arc::default()));
    assert_eq!(sink.keep_up(), []);
    sink.write(b"two\n", rotation);
    sink.reopen_at_path().expect("opened");
    sink.flush();
    assert_eq!(fs::read(format!("{path}.1")).expect("read"), b"old\none\ntwo\n");
    assert_eq!(fs::read(&path).expect("read"), b"");
    sink.write(b"three\n", rotation);
    assert_eq!(fs::read(&path).expect("read"), b"three\n", "it was rotated once");
}
