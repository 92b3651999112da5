use std::cell::Cell;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use supervisord_config::model::{LogRotation, WhenBlocked};
use supervisord_config::rotate_when::RotateWhen;
use supervisord_core::rotation::Rotation;
use supervisord_core::rotation::rules::RotationRules;
use supervisord_sys::user;

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
        assert!(texts[1].ends_with("can be written again, nothing was lost"));
    }
}

#[test]
fn the_rest_of_a_line_is_dropped_with_its_beginning() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log").display().to_string();
    fs::write(&path, "").expect("written");
    let mut sink = full(&path, WhenBlocked::DropNewest);
    let lines = [&[b'x'; 1023][..], b"\n"].concat().repeat(FULL / 1024);
    sink.write(&lines, Rotation::NEVER);
    sink.write(b"the begin", Rotation::NEVER);
    sink.reopen_at_path().expect("opened");
    sink.flush();
    assert!(
        !sink.is_behind() && sink.open_file().is_none(),
        "what is read next may not go there without being looked at"
    );
    sink.write(b"ning\nnext\n", Rotation::NEVER);
    assert!(sink.open_file().is_some());
    assert_eq!(fs::read(&path).expect("read"), [&lines[..], b"next\n"].concat());
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
    assert!(entries[0].1.ends_with(" nothing was lost"), "{entries:?}");
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

#[test]
fn what_does_not_fit_waits_in_a_file_for_the_next_daemon_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, place) = (dir.path().join("log").display().to_string(), Arc::from(dir.path().display().to_string()));
    fs::write(&path, "").expect("written");
    let policy = WhenBlocked::Spill(8);
    let mut sink = full(&path, policy);
    sink.spill_to(Arc::clone(&place));
    let mut entries = sink.write(b"one\n", Rotation::NEVER);
    entries.extend(sink.write(b"two\n", Rotation::NEVER));
    entries.extend(sink.write(b"three\n", Rotation::NEVER));
    assert!(sink.is_behind() && !sink.is_in_memory() && !sink.is_congested());
    let file = dir.path().join(Spill::name(&path));
    assert_eq!(fs::metadata(&file).expect("there").mode() & 0o777, 0o600);
    entries.extend(sink.flush());
    let texts: Vec<String> = entries.into_iter().map(|(_, text)| text).collect();
    assert!(texts[0].contains("output waits: ") && texts[1].ends_with(" is full") && texts.len() == 2, "{texts:?}");
    assert_eq!((sink.take_losses(), sink.close().len()), (6, 2));
    drop(sink);
    // The next one has another policy, and has not opened the log yet.
    let mut sink = Sink::unopened(path.as_str().into(), None);
    assert!(sink.adopt_spill(&place)[0].1.contains("8 bytes for "));
    sink.write(b"four\n", Rotation::NEVER);
    assert!(sink.retry_if_due(Instant::now()).is_some());
    assert!(!sink.is_behind() && sink.deadline().is_none() && !file.exists());
    sink.write(b"five\n", Rotation::NEVER);
    assert_eq!(fs::read(&path).expect("read"), b"one\ntwo\nfour\nfive\n");
}

/// The name can be guessed, and so can all that is in the file.
#[test]
fn a_file_that_another_user_has_put_there_is_neither_read_nor_written_to() {
    if user::effective_uid() != 0 {
        // Only root may give a file to somebody else.
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("for everybody");
    let (path, place) = (dir.path().join("log").display().to_string(), Arc::from(dir.path().display().to_string()));
    fs::write(&path, "").expect("written");
    let mut spill = Spill::create(&place, &path, false).expect("made");
    spill.push(b"forged\n", u64::MAX, None).expect("kept");
    let planted = spill.path().to_owned();
    std::os::unix::fs::chown(&planted, Some(65_534), Some(65_534)).expect("given away");
    drop(spill);
    let content = fs::read(&planted).expect("read");
    let mut sink = full(&path, WhenBlocked::Spill(1 << 20));
    let said = sink.adopt_spill(&place);
    assert!(said[0].0 == LogLevel::Warn && said[0].1.ends_with("it belongs to the user with the id 65534"), "{said:?}");
    let said = sink.write(b"own\n", Rotation::NEVER);
    assert!(
        said.iter()
            .any(|(_, text)| text.contains(&format!("{planted}: it belongs to the user with the id 65534; remove it"))),
        "{said:?}"
    );
    assert_eq!(fs::read(&planted).expect("read"), content);
    fs::remove_file(&planted).expect("somebody removes it");
    sink.write(b"more\n", Rotation::NEVER);
    sink.flush();
    assert!(!fs::read_to_string(&path).expect("read").contains("forged"));
}

/// Output comes in pieces that end anywhere, and what was lost must not join lines.
#[test]
fn the_beginning_of_a_line_is_lost_with_its_rest_in_a_spill_file_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, place) =
        (dir.path().join("log").display().to_string(), Arc::<str>::from(dir.path().display().to_string()));
    let taken_over = |sink: Sink| {
        drop(sink);
        let mut next = full(&path, WhenBlocked::Spill(8));
        assert_eq!(next.adopt_spill(&place).len(), 1);
        next
    };
    for is_other_daemon in [false, true] {
        for (before, written, first, rest, lost, log) in [
            // What waits ends within a line.
            ("", "", "one\nha", "lf of it\n", 11, "one\nnext\n"),
            // The log does.
            ("", "half", "a", "nd too much\n", 13, "half\nnext\n"),
            // Neither does.
            ("", "one\n", "two\n", "much more\n", 10, "one\ntwo\nnext\n"),
        ] {
            fs::write(&path, before).expect("written");
            let mut sink = Sink::open(path.as_str().into(), None).expect("opened");
            sink.set_policy(Some(WhenBlocked::Spill(8)));
            sink.write(written.as_bytes(), Rotation::NEVER);
            sink.target = full(&path, WhenBlocked::Spill(8)).target;
            sink.spill_to(Arc::clone(&place));
            sink.write(first.as_bytes(), Rotation::NEVER);
            if is_other_daemon {
                sink = taken_over(sink);
            }
            sink.write(rest.as_bytes(), Rotation::NEVER);
            assert_eq!(sink.take_losses(), lost, "{first:?} {is_other_daemon}");
            sink.reopen_at_path().expect("opened");
            sink.flush();
            sink.write(b"next\n", Rotation::NEVER);
            assert_eq!(fs::read_to_string(&path).expect("read"), log, "{first:?} {is_other_daemon}");
            assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 1);
        }
    }
}

/// A daemon may be killed at each step of an append to the log.
#[test]
fn what_an_interrupted_replay_has_written_is_not_written_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, place) = (dir.path().join("log").display().to_string(), dir.path().display().to_string());
    fs::write(&path, "before\n").expect("written");
    let lines: String = (0..20_000).map(|number| format!("{number:09}\n")).collect();
    let mut spill = Spill::create(&place, &path, false).expect("made");
    spill.push(lines.as_bytes(), u64::MAX, None).expect("kept");
    assert!(Spill::create(&place, &path, false).is_err(), "what is there is not given up");
    let open = || {
        let file = File::options().append(true).open(&path).expect("opened");
        let found = file.metadata().expect("there");
        LogFile::new(path.as_str().into(), file, &found)
    };
    const PIECE: u64 = 64 << 10;
    let mut rounds = 0;
    loop {
        let mut header = fs::read(spill.path()).expect("read")[..4096].to_vec();
        let is_begun = Cell::new(false);
        let outcome = spill.replay(&mut open(), |_, length| match is_begun.replace(true) {
            false => Ok(()),
            true => Err(Loss::new(length, &"killed")),
        });
        if outcome.is_ok() {
            break;
        }
        // It was killed after the append, before it could note that.
        let found = fs::metadata(&path).expect("there");
        let words = [found.dev(), found.ino(), found.len() - PIECE, PIECE];
        words.iter().zip(2..).for_each(|(word, at)| header[at * 8..][..8].copy_from_slice(&word.to_le_bytes()));
        let file = File::options().write(true).open(spill.path()).expect("opened");
        file.write_all_at(&header, 0).expect("written");
        spill = Spill::open(&place, &path).expect("understood").expect("not all of it is in the log");
        rounds += 1;
    }
    assert!(rounds > 2);
    assert!(fs::read_to_string(&path).expect("read") == format!("before\n{lines}"));
    // It was killed when the log had everything, before it had removed the file or after it had emptied it.
    for length in [4096, 0] {
        let bytes = fs::read(spill.path()).expect("read");
        fs::write(spill.path(), &bytes[..length]).expect("cut");
        if length > 0 {
            let file = File::options().write(true).open(spill.path()).expect("opened");
            file.write_all_at(&0_u64.to_le_bytes(), 8).expect("written");
        }
        assert!(Spill::open(&place, &path).expect("understood").is_none());
        assert!(!Path::new(spill.path()).exists());
        fs::write(spill.path(), &bytes).expect("written");
        fs::set_permissions(spill.path(), fs::Permissions::from_mode(0o600)).expect("set");
    }
    spill.remove();
    assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 1);
}
