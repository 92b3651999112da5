//! Logs that are regular files: rotated, opened again, cleared.

use super::*;

#[test]
fn rotation_under_a_flood_keeps_the_newest_in_order() {
    let rig = Rig::new();
    let mut plan = rig.plan("out");
    (plan.maxbytes, plan.backups) = (100_000, 3);
    let mut writer = rig.attach(1, plan);
    for number in 0..100_000 {
        writeln!(writer, "{number:09}").expect("written");
    }
    drop(writer);
    rig.drain(1);
    let kept = ["out.3", "out.2", "out.1", "out"].map(|name| rig.text(name)).concat();
    let numbers: Vec<u32> = kept.split_whitespace().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(numbers.last(), Some(&99_999));
    let missing = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert_eq!(missing, 0);
    assert!(numbers.len() >= 30_000, "three backups of at least 10,000 lines: {}", numbers.len());
    assert!(!rig.path("out.4").exists());
    assert!(size(&rig.path("out.1")) >= 100_000);
}

#[test]
fn without_backups_the_content_is_given_up() {
    let rig = Rig::new();
    let mut plan = rig.plan("out");
    plan.maxbytes = 10;
    let mut writer = rig.attach(1, plan);
    writer.write_all(b"0123456789abc").expect("written");
    rig.drain(1);
    assert_eq!(rig.text("out"), "");
    assert!(!rig.path("out.1").exists());
}

#[test]
fn a_failing_rotation_loses_nothing_and_is_said_once() {
    let rig = Rig::new();
    fs::create_dir(rig.path("out.2")).expect("a directory");
    fs::write(rig.path("out.1"), "before").expect("written");
    let mut plan = rig.plan("out");
    (plan.maxbytes, plan.backups) = (10, 3);
    let mut writer = rig.attach(1, plan);
    for round in 1..=5 {
        writer.write_all(b"0123456789").expect("written");
        wait_until("the piece is written", || size(&rig.path("out")) == round * 10);
    }
    assert!(rig.path("out.2").is_dir() && rig.text("out.1") == "before", "nothing is moved");
    fs::remove_dir(rig.path("out.2")).expect("removed");
    writer.write_all(b"0123456789").expect("written");
    wait_until("it is rotated again", || rig.path("out.2").is_file());
    assert_eq!((size(&rig.path("out.1")), rig.text("out.2").as_str()), (60, "before"));
    rig.drain(1);
    let warnings: Vec<String> = rig.stop().into_iter().filter(|line| line.contains("could not rotate")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("/out.2 is a directory, which stands in the way"), "{warnings:?}");
}

#[test]
fn two_streams_on_one_path_share_the_file() {
    let rig = Rig::new();
    let mut plan = rig.plan("out");
    (plan.maxbytes, plan.backups) = (1000, 1000);
    let mut writers = [rig.attach(1, plan.clone()), rig.attach(2, plan)];
    for round in 0..5_000 {
        writers[round % 2].write_all(format!("{round:09}\n").as_bytes()).expect("written");
    }
    drop(writers);
    rig.drain(1);
    rig.drain(2);
    let mut lines = 0;
    for entry in fs::read_dir(rig.dir.path()).expect("listed").flatten() {
        if entry.file_name().to_string_lossy().starts_with("out") {
            lines += fs::read_to_string(entry.path()).expect("text").lines().filter(|line| line.len() == 9).count();
        }
    }
    assert_eq!(lines, 5_000);
}

/// A program's own `2>>`, a job of cron, another daemon with the same log.
#[test]
fn a_log_keeps_everything_that_we_and_others_append() {
    const LINES: usize = 100_000;
    let rig = Rig::new();
    let plain = rig.plan("out");
    let plans = [plain.clone(), ChannelPlan { capture_maxbytes: 100, ..plain }];
    let mut writers = Vec::new();
    for (plan, run) in plans.into_iter().zip(1..) {
        writers.push((format!("ours {run}"), Box::new(rig.attach(run, plan)) as Box<dyn Write + Send>));
    }
    for number in 1..=2 {
        let file = fs::File::options().append(true).open(rig.path("out")).expect("opened");
        writers.push((format!("theirs {number}"), Box::new(file)));
    }
    let write = |(name, mut out): (String, Box<dyn Write + Send>)| {
        std::thread::spawn(move || {
            for number in 0..LINES {
                out.write_all(format!("{name}: {number}\n").as_bytes()).expect("written");
            }
            name
        })
    };
    let threads: Vec<_> = writers.into_iter().map(write).collect();
    let names: Vec<String> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
    rig.drain(1);
    rig.drain(2);
    let text = rig.text("out");
    let counts: Vec<usize> = names
        .iter()
        .map(|name| {
            let of = text.lines().filter_map(|line| line.strip_prefix(name.as_str())?.strip_prefix(": "));
            of.zip(0..).filter(|(found, right)| *found == right.to_string()).count()
        })
        .collect();
    assert_eq!((counts, text.lines().count()), (vec![LINES; 4], 4 * LINES));
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error_and_attaches_nothing() {
    let rig = Rig::new();
    let (reader, mut writer) = pipe().expect("a pipe");
    let good = AttachChannel {
        channel: Channel::Stdout,
        pipe: Some(reader.into()),
        plan: rig.plan("good"),
        pipeline: None,
        end: Vec::new(),
    };
    let bad = AttachChannel {
        channel: Channel::Stderr,
        pipe: None,
        plan: rig.plan("no/such/directory"),
        pipeline: None,
        end: Vec::new(),
    };
    let path = rig.path("no/such/directory").display().to_string().into();
    assert_eq!(rig.try_attach(1, vec![good, bad]), Err(LogFailure { path, error: Errno::ENOENT }));
    wait_until("the pipe is closed", || writer.write_all(b"x").is_err());
}

#[test]
fn reopen_follows_a_renamed_file() {
    let rig = Rig::new();
    let mut writer = rig.attach(1, rig.plan("out"));
    writer.write_all(b"old").expect("written");
    wait_until("written", || rig.text("out") == "old");
    fs::rename(rig.path("out"), rig.path("moved")).expect("renamed");
    writer.write_all(b"still old").expect("written");
    wait_until("written to the old file", || rig.text("moved") == "oldstill old");
    rig.activity.log(LogLevel::Info, "before");
    wait_until("logged", || rig.text("activity.log").ends_with("before\n"));
    fs::rename(rig.path("activity.log"), rig.path("activity.old")).expect("renamed");
    rig.handle.send(OutputRequest::Reopen);
    wait_until("opened again", || rig.path("out").exists() && rig.path("activity.log").exists());
    writer.write_all(b"new").expect("written");
    rig.drain(1);
    assert_eq!((rig.text("out"), rig.text("moved")), ("new".into(), "oldstill old".into()));
    assert_eq!(rig.stop(), Vec::<String>::new());
}

/// A restart attaches the next run before the run before is drained. Its log is opened at the path all the same.
#[test]
fn a_run_that_follows_another_one_finds_a_log_that_was_moved() {
    let rig = Rig::new();
    let mut writer = rig.attach(1, rig.plan("out"));
    writer.write_all(b"old").expect("written");
    wait_until("written", || rig.text("out") == "old");
    let mut same = rig.attach(2, rig.plan("out"));
    fs::rename(rig.path("out"), rig.path("moved")).expect("renamed");
    same.write_all(b", same").expect("written");
    wait_until("written to the old file", || rig.text("moved") == "old, same");
    let mut next = rig.attach(3, rig.plan("out"));
    rig.drain(1);
    rig.drain(2);
    next.write_all(b"new").expect("written");
    rig.drain(3);
    assert_eq!((rig.text("out"), rig.text("moved")), ("new".into(), "old, same".into()));
    assert_eq!(rig.stop(), Vec::<String>::new());
}

/// Nobody else loses the log when it cannot be opened for another run.
#[test]
fn a_log_that_was_moved_and_cannot_be_opened_again_is_an_error_and_stays_open() {
    let rig = Rig::new();
    let mut writer = rig.attach(1, rig.plan("out"));
    wait_until("opened", || rig.path("out").exists());
    fs::rename(rig.path("out"), rig.path("moved")).expect("renamed");
    fs::create_dir(rig.path("out")).expect("created");
    let (reader, _writer) = pipe().expect("a pipe");
    let next = AttachChannel {
        channel: Channel::Stdout,
        pipe: Some(reader.into()),
        plan: rig.plan("out"),
        pipeline: None,
        end: Vec::new(),
    };
    let refused = rig.try_attach(2, vec![next]).expect_err("it is a directory");
    assert_eq!(refused.error.to_string(), "Is a directory");
    writer.write_all(b"still").expect("written");
    rig.drain(1);
    assert_eq!(rig.text("moved"), "still");
}

#[test]
fn clearing_empties_open_and_closed_logs_and_the_capture_buffer() {
    let rig = Rig::new();
    let mut plan = rig.plan("out");
    plan.capture_maxbytes = 100;
    let mut writer = rig.attach(1, plan);
    writer.write_all(b"x<!--XSUPERVISOR:BEGIN-->old").expect("written");
    wait_until("written", || rig.text("out") == "x");
    fs::write(rig.path("closed"), "text").expect("written");
    let files = ["out", "closed", "missing"].map(|name| rig.path(name).display().to_string()).to_vec();
    let (sender, cleared) = channel();
    rig.handle.send(OutputRequest::ClearLogs { files, reply: Box::new(move |outcome| _ = sender.send(outcome)) });
    assert_eq!(cleared.recv_timeout(PATIENCE), Ok(Ok(())));
    assert_eq!((rig.text("out"), rig.text("closed")), (String::new(), String::new()));
    assert!(!rig.path("missing").exists());
    writer.write_all(b"new<!--XSUPERVISOR:END-->y").expect("written");
    let reports = rig.drain(1);
    assert!(matches!(&reports[..], [Report::Communication { bytes, .. }] if bytes == b"new"), "{reports:?}");
    assert_eq!(rig.text("out"), "y");
}

#[test]
fn the_activity_log_is_cleared_and_says_so_in_the_removed_file() {
    let rig = Rig::new();
    rig.activity.log(LogLevel::Info, "before");
    wait_until("logged", || rig.text("activity.log").ends_with("before\n"));
    fs::hard_link(rig.path("activity.log"), rig.path("removed")).expect("linked");
    let clear = || {
        let (sender, cleared) = channel();
        rig.handle.send(OutputRequest::ClearActivity { reply: Box::new(move |outcome| _ = sender.send(outcome)) });
        cleared.recv_timeout(PATIENCE).expect("an answer")
    };
    assert_eq!(clear(), Ok(()));
    assert!(rig.text("removed").ends_with("INFO reopening log file\n"));
    assert_eq!(rig.text("activity.log"), "");
    fs::remove_file(rig.path("activity.log")).expect("removed");
    assert_eq!(clear(), Err(ClearError::NoFile));
}

#[test]
fn an_automatic_log_is_private_and_never_replaces_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::new();
    let path = rig.path("auto.log");
    rig.handle.send(OutputRequest::CreateAuto { path: path.display().to_string() });
    wait_until("created", || path.exists());
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    fs::write(&path, "kept").expect("written");
    rig.handle.send(OutputRequest::CreateAuto { path: path.display().to_string() });
    assert_eq!(rig.text("auto.log"), "kept");
    let log = rig.stop();
    assert!(log[0].starts_with(&format!("ERRO could not create {}", path.display())), "{log:?}");
}

#[test]
fn an_automatic_log_stays_private_when_it_is_cleared_and_reopened() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::new();
    let path = rig.path("auto.log");
    rig.handle.send(OutputRequest::CreateAuto { path: path.display().to_string() });
    let mut writer = rig.attach(1, ChannelPlan { maxbytes: 10, backups: 1, ..rig.plan("auto.log") });
    let mode = || fs::metadata(&path).map(|file| file.permissions().mode() & 0o777).ok();
    for _ in 0..2 {
        writer.write_all(b"0123456789").expect("written");
        let backup = rig.path("auto.log.1");
        wait_until("it is rotated", || backup.exists() && path.exists() && size(&path) == 0);
        fs::remove_file(backup).expect("it exists");
        assert_eq!(mode(), Some(0o600));
        let (sender, cleared) = channel();
        let reply = Box::new(move |outcome| _ = sender.send(outcome));
        rig.handle.send(OutputRequest::ClearLogs { files: vec![path.display().to_string()], reply });
        assert_eq!(cleared.recv_timeout(PATIENCE), Ok(Ok(())));
        assert_eq!(mode(), Some(0o600));
        fs::remove_file(&path).expect("it exists");
        rig.handle.send(OutputRequest::Reopen);
        wait_until("it is there again", || path.exists());
        assert_eq!(mode(), Some(0o600));
    }
    rig.drain(1);
}

#[test]
fn the_log_of_a_process_that_runs_already_is_opened_when_it_is_written() {
    let rig = Rig::new();
    fs::write(rig.path("log"), "before\n").expect("written");
    for (run, capture_maxbytes) in [(1, 0), (2, 100)] {
        let mut writer = rig.resume(run, ChannelPlan { capture_maxbytes, ..rig.plan("log") });
        let (sender, cleared) = channel();
        let reply = Box::new(move |outcome| _ = sender.send(outcome));
        rig.handle.send(OutputRequest::ClearLogs { files: vec![rig.path("log").display().to_string()], reply });
        assert_eq!(cleared.recv_timeout(PATIENCE), Ok(Ok(())));
        assert_eq!(rig.text("log"), "");
        fs::remove_file(rig.path("log")).expect("nobody has opened it");
        writer.write_all(b"after\n").expect("written");
        drop(writer);
        rig.drain(run);
        assert_eq!(rig.text("log"), "after\n");
    }
}

#[test]
fn an_activity_log_that_cannot_be_opened_is_an_error() {
    let path = "/no/such/directory/log".to_owned();
    let options = Options {
        activity: ActivityLog::File(path.clone()),
        format: ActivityFormat::Text,
        audit: None,
        rotation: Rotation::NEVER,
        rotation_rules: None,
        disk_reserve: None,
        spill_directory: String::new(),
        forward: None,
        echo_to_stdout: false,
        level: LogLevel::Info,
        strip_ansi: false,
        syslog: Syslog::new("test"),
    };
    let error = Output::open(options, Arc::default()).err().expect("an error");
    assert_eq!((error.path, error.source.kind()), (path, io::ErrorKind::NotFound));
}

#[test]
fn lines_logged_before_the_start_are_written() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("log");
    let options = Options {
        activity: ActivityLog::File(path.display().to_string()),
        format: ActivityFormat::Text,
        audit: None,
        rotation: Rotation { maxbytes: 60, backups: 1 },
        rotation_rules: None,
        disk_reserve: None,
        spill_directory: String::new(),
        forward: None,
        echo_to_stdout: false,
        level: LogLevel::Info,
        strip_ansi: false,
        syslog: Syslog::new("test"),
    };
    let output = Output::open(options, Arc::default()).expect("open");
    let activity = output.activity();
    activity.log(LogLevel::Warn, "early");
    activity.log(LogLevel::Debug, "too quiet");
    let Running { handle, thread, .. } = output.start(|_| ()).expect("the thread starts");
    activity.log(LogLevel::Info, "enough to fill the file up to its limit");
    handle.send(OutputRequest::Stop);
    thread.join().expect("the output thread does not panic");
    let text = fs::read_to_string(dir.path().join("log.1")).expect("text");
    let lines: Vec<&str> = text.lines().map(without_time).collect();
    assert_eq!(lines, ["WARN early", "INFO enough to fill the file up to its limit"]);
    assert_eq!(size(&path), 0);
}

/// The lines of the activity log and of its backups, the oldest first, of lines that come all at once.
fn logged_at_once(rotation: Rotation, lines: &[String]) -> Vec<Vec<String>> {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("activity.log");
    let options = Options {
        activity: ActivityLog::File(path.display().to_string()),
        format: ActivityFormat::Text,
        audit: None,
        rotation,
        rotation_rules: None,
        disk_reserve: None,
        spill_directory: String::new(),
        forward: None,
        echo_to_stdout: false,
        level: LogLevel::Info,
        strip_ansi: false,
        syslog: Syslog::at(&dir.path().join("no-syslog"), "test"),
    };
    let output = Output::open(options, Arc::default()).expect("the activity log opens");
    let handle = output.handle();
    lines.iter().for_each(|line| handle.send(OutputRequest::Activity { line: line.clone() }));
    let running = output.start(|_| ()).expect("the thread starts");
    handle.send(OutputRequest::Stop);
    running.thread.join().expect("it ends");
    let of_file =
        |number| fs::read_to_string(supervisord_core::rotation::name(&path.display().to_string(), number)).ok();
    let files = (0..=rotation.backups).rev().filter_map(of_file);
    files.map(|text| text.lines().map(str::to_owned).collect()).collect()
}

#[test]
fn lines_that_come_at_once_are_rotated_as_if_they_came_one_by_one() {
    let lines: Vec<String> = (0..10).map(|number| format!("line {number}\n")).collect();
    let all: Vec<String> = lines.iter().map(|line| line.trim_end().to_owned()).collect();
    let whole = vec![all.clone()];
    assert_eq!(logged_at_once(Rotation::NEVER, &lines), whole);
    // Three lines of seven bytes reach the limit.
    let rotation = Rotation { maxbytes: 20, backups: 9 };
    assert_eq!(logged_at_once(rotation, &lines), all.chunks(3).map(<[String]>::to_vec).collect::<Vec<_>>());
    let rotation = Rotation { maxbytes: 1000, backups: 1 };
    assert_eq!(logged_at_once(rotation, &lines), whole);
}

#[test]
fn a_log_replaced_by_a_directory_goes_on_in_the_old_file() {
    let rig = Rig::new();
    let mut writer = rig.attach(1, rig.plan("out"));
    writer.write_all(b"a").expect("written");
    wait_until("written", || rig.text("out") == "a");
    fs::rename(rig.path("out"), rig.path("old")).expect("renamed");
    fs::create_dir(rig.path("out")).expect("created");
    rig.handle.send(OutputRequest::Reopen);
    writer.write_all(b"b").expect("written");
    rig.drain(1);
    assert_eq!(rig.text("old"), "ab");
    let log = rig.stop();
    assert!(log.len() == 1 && log[0].starts_with("WARN could not reopen "), "{log:?}");
}

#[test]
fn a_removed_log_comes_back_at_its_rotation() {
    let rig = Rig::new();
    let mut plan = rig.plan("out");
    (plan.maxbytes, plan.backups) = (10, 2);
    let mut writer = rig.attach(1, plan);
    writer.write_all(b"0123456789").expect("written");
    wait_until("rotated", || rig.text("out.1") == "0123456789");
    fs::remove_file(rig.path("out")).expect("removed");
    writer.write_all(b"lost in a removed file").expect("written");
    wait_until("begun anew", || rig.path("out").exists());
    writer.write_all(b"x").expect("written");
    rig.drain(1);
    assert_eq!((rig.text("out"), rig.text("out.1")), ("x".into(), "0123456789".into()));
    assert!(!rig.path("out.2").exists());
}

#[test]
fn a_truncated_log_has_no_hole() {
    let rig = Rig::new();
    let mut writer = rig.attach(1, rig.plan("out"));
    for round in 0..3 {
        writer.write_all(b"before").expect("written");
        wait_until("written", || size(&rig.path("out")) == 6);
        fs::File::options().write(true).open(rig.path("out")).and_then(|file| file.set_len(0)).expect("truncated");
        if round == 1 {
            // From here on the bytes go through our memory.
            rig.handle.send(OutputRequest::StripAnsi(true));
        }
    }
    writer.write_all(b"after").expect("written");
    rig.drain(1);
    assert_eq!(rig.text("out"), "after");
}

/// Nobody waits any more when the logs are opened at last: the process runs, and its output has to be read.
#[test]
fn a_run_that_is_attached_too_late_for_an_answer_is_read() {
    let rig = Rig::new();
    let mut writer = rig.attach_late(1, rig.plan("late.log"));
    writer.write_all(b"said\n").expect("room in the pipe");
    drop(writer);
    rig.drain(1);
    assert_eq!(rig.text("late.log"), "said\n");
}

#[test]
fn a_log_that_cannot_be_opened_too_late_for_an_answer_is_tried_with_every_write() {
    let rig = Rig::new();
    let plan = ChannelPlan { events_enabled: true, ..rig.plan("later/late.log") };
    let mut writer = rig.attach_late(1, plan);
    writer.write_all(b"lost\n").expect("room in the pipe");
    wait_until("the loss is said", || rig.text("activity.log").contains("late.log, output is lost"));
    assert!(matches!(rig.report(), Report::Log { .. }), "it is read");
    fs::create_dir(rig.path("later")).expect("room on the disk");
    writer.write_all(b"kept\n").expect("room in the pipe");
    drop(writer);
    rig.drain(1);
    assert_eq!(rig.text("later/late.log"), "kept\n");
    let path = rig.path("later/late.log").display().to_string();
    let lines = rig.stop();
    let end = format!("WARN {path} can be written again, 5 bytes were lost");
    assert_eq!(lines.last(), Some(&end), "{lines:?}");
}
