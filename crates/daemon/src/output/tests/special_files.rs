//! Logs that are not regular files.

use super::*;

#[test]
fn a_full_device_is_said_once_and_never_renamed() {
    let rig = Rig::new();
    let mut plan = rig.plan("unused");
    plan.file = Some("/dev/full".into());
    (plan.maxbytes, plan.backups) = (1, 1);
    let mut writer = rig.attach(1, plan);
    writer.write_all(b"0123456789").expect("written");
    wait_until("said", || rig.text("activity.log").contains("could not write to /dev/full, output is lost"));
    writer.write_all(b"0123456789").expect("written");
    rig.drain(1);
    assert!(!Path::new("/dev/full.1").exists());
    let log = rig.stop();
    assert_eq!(log.iter().filter(|line| line.contains("could not write")).count(), 1, "{log:?}");
    assert_eq!(log.last().map(String::as_str), Some("WARN 20 bytes for /dev/full were lost"));
}

/// Opens the reading end of a FIFO without waiting for a writer; reads block.
fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("spawned").success());
}

#[test]
fn a_fifo_nobody_reads_blocks_nothing_and_its_losses_are_said() {
    let rig = Rig::new();
    fifo(&rig.path("fifo"));
    let mut plan = rig.plan("fifo");
    (plan.maxbytes, plan.backups) = (10, 1);
    const TOTAL: usize = 10_000_000;
    let writer = rig.attach(1, plan);
    let mut child =
        Command::new("head").args(["-c", &TOTAL.to_string(), "/dev/zero"]).stdout(writer).spawn().expect("spawned");
    let mut other = rig.attach(2, rig.plan("other"));
    other.write_all(b"x").expect("written");
    wait_until("another stream is read", || size(&rig.path("other")) == 1);
    assert!(child.wait().expect("reaped").success());
    rig.drain(1);
    assert!(fs::metadata(rig.path("fifo")).is_ok_and(|there| !there.is_file()), "it was not renamed");
    let log = rig.stop();
    assert!(log[0].ends_with("fifo is not rotated: it is not a regular file"), "{log:?}");
    assert!(log[1].starts_with("ERRO could not write to ") && log[1].ends_with("output is lost: nobody reads it"));
    let lost: usize = log[2].split(' ').nth(1).and_then(|count| count.parse().ok()).expect("a count");
    assert!((TOTAL - 200_000..TOTAL).contains(&lost), "{log:?}");
}

#[test]
fn a_slow_reader_of_a_fifo_loses_nothing() {
    use std::io::Read;
    let rig = Rig::new();
    let path = rig.path("fifo");
    fifo(&path);
    const TOTAL: usize = 20_000_000;
    let writer = rig.attach(1, rig.plan("fifo"));
    let reader = std::thread::spawn(move || {
        let mut file = fs::File::open(path).expect("opened");
        let (mut total, mut buffer) = (0, vec![0; 50_000]);
        while total < TOTAL {
            total += file.read(&mut buffer).expect("read");
            std::thread::yield_now();
        }
        total
    });
    let mut child =
        Command::new("head").args(["-c", &TOTAL.to_string(), "/dev/zero"]).stdout(writer).spawn().expect("spawned");
    child.wait().expect("reaped");
    rig.drain(1);
    assert_eq!(reader.join().expect("read"), TOTAL);
    assert_eq!(rig.stop(), Vec::<String>::new());
}

#[test]
fn a_fifo_recovers_when_somebody_reads_it() {
    use std::io::Read;
    let rig = Rig::new();
    fifo(&rig.path("fifo"));
    let writer = rig.attach(1, rig.plan("fifo"));
    let mut child = Command::new("head").args(["-c", "10000000", "/dev/zero"]).stdout(writer).spawn().expect("spawned");
    assert!(child.wait().expect("reaped").success());
    wait_until("it is given up", || rig.text("activity.log").contains("nobody reads it"));
    let mut reader = fs::File::open(rig.path("fifo")).expect("opened");
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    wait_until("it is taken up again", || {
        // The pipe is never empty for long while something waits; the last read would block otherwise.
        if !rig.text("activity.log").contains("can be written again") && total < 4 << 20 {
            total += reader.read(&mut buffer).expect("read");
        }
        rig.text("activity.log").contains("can be written again")
    });
    rig.drain(1);
}

#[test]
fn a_link_to_the_standard_error_is_the_inherited_descriptor() {
    let rig = Rig::new();
    std::os::unix::fs::symlink("/dev/stderr", rig.path("link")).expect("linked");
    let mut plan = rig.plan("link");
    (plan.maxbytes, plan.backups) = (1, 1);
    for run in [1, 2] {
        drop(rig.attach(run, plan.clone()));
        rig.drain(run);
    }
    assert!(fs::symlink_metadata(rig.path("link")).is_ok_and(|there| there.is_symlink()));
    let warning =
        format!("WARN {} is not rotated: it is a descriptor that was inherited", plan.file.unwrap_or_default());
    assert_eq!(rig.stop(), [warning]);
}

/// `supervisord -n > console`, while somebody else appends to the console.
#[test]
fn a_file_that_was_inherited_is_appended_to() {
    use std::os::fd::AsRawFd;
    let rig = Rig::new();
    let inherited = fs::File::create(rig.path("console")).expect("created");
    let mut other = fs::File::options().append(true).open(rig.path("console")).expect("opened");
    let plan = ChannelPlan { file: Some(format!("/dev/fd/{}", inherited.as_raw_fd()).into()), ..rig.plan("console") };
    let mut writer = rig.attach(1, plan);
    let mut expected = String::new();
    for _ in 0..3 {
        for (line, out) in [("theirs\n", &mut other as &mut dyn Write), ("ours\n", &mut writer)] {
            out.write_all(line.as_bytes()).expect("written");
            expected.push_str(line);
            wait_until("it is there", || rig.text("console").len() == expected.len());
        }
    }
    rig.drain(1);
    assert_eq!(rig.text("console"), expected);
}

#[test]
fn clearing_a_device_fails_and_leaves_it_alone() {
    let rig = Rig::with(|options| options.activity = ActivityLog::File("/dev/null".to_owned()));
    let plan = ChannelPlan { file: Some("/dev/full".into()), ..rig.plan("device") };
    let _writer = rig.attach(1, plan);
    let clear = |name: &str| {
        let (sender, cleared) = channel();
        let reply = Box::new(move |outcome: Result<(), i32>| _ = sender.send(outcome.is_ok()));
        rig.handle.send(OutputRequest::ClearLogs { files: vec![name.to_owned()], reply });
        cleared.recv_timeout(PATIENCE).expect("an answer")
    };
    assert!(!clear("/dev/full"));
    assert!(clear("/dev/zero"), "nobody writes to it");
    let (sender, cleared) = channel();
    rig.handle.send(OutputRequest::ClearActivity { reply: Box::new(move |outcome| _ = sender.send(outcome)) });
    assert_eq!(cleared.recv_timeout(PATIENCE), Ok(Err(ClearError::Failed)));
    for device in ["/dev/null", "/dev/full"] {
        use std::os::unix::fs::FileTypeExt;
        assert!(fs::metadata(device).is_ok_and(|found| found.file_type().is_char_device()), "{device}");
    }
}

/// What a command writes that tells secrets is in the log of its program, and nowhere else.
#[test]
fn private_output_is_not_copied_to_the_activity_log() {
    let rig = Rig::with(|options| options.level = LogLevel::Debug);
    let mut open = rig.attach(1, rig.plan("open"));
    let mut private = rig.attach(2, ChannelPlan { is_private: true, ..rig.plan("private") });
    private.write_all(b"hunter2\n").expect("written");
    open.write_all(b"public\n").expect("written");
    drop((open, private));
    (1..=2).for_each(|run| _ = rig.drain(run));
    assert_eq!(rig.text("private"), "hunter2\n");
    let lines = rig.stop().join("\n");
    assert!(lines.contains("public") && !lines.contains("hunter2"), "{lines}");
}

#[test]
fn the_lowest_level_shows_every_reading() {
    let rig = Rig::with(|options| options.level = LogLevel::Blather);
    let mut writer = rig.attach(1, ChannelPlan { file: None, ..rig.plan("none") });
    writer.write_all(b"hello\n").expect("written");
    wait_until("it is shown", || rig.text("activity.log").contains("output:\nhello"));
    drop(writer);
    rig.drain(1);
    let log = rig.stop();
    let expected = ["BLAT read event caused by <stdout of web>", "DEBG 'web' stdout output:", "hello"];
    assert_eq!(log[..3], expected);
}

/// A log daemon that notes what comes after the header.
fn log_daemon(path: &Path) -> impl FnMut() -> String + use<> {
    let socket = std::os::unix::net::UnixDatagram::bind(path).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    move || {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).expect("a message");
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let (header, text) = message.split_once(" test: ").expect("a header");
        assert!(header.starts_with("<14>"), "{message}");
        text.to_owned()
    }
}

#[test]
fn lines_are_copied_to_the_system_log() {
    let socket_dir = TempDir::new().expect("a directory");
    let mut next = log_daemon(&socket_dir.path().join("log"));
    let rig = Rig::with(|options| options.syslog = Syslog::at(&socket_dir.path().join("log"), "test"));
    let mut plan = rig.plan("out");
    plan.syslog = true;
    let mut writer = rig.attach(1, plan);
    writer.write_all(b"one\n\ntwo\n\n").expect("written");
    assert_eq!([next(), next(), next()], ["web one", "web ", "web two"]);
    rig.drain(1);
    assert_eq!(rig.text("out"), "one\n\ntwo\n\n");
}

#[test]
fn the_activity_log_can_be_the_system_log() {
    let socket_dir = TempDir::new().expect("a directory");
    let mut next = log_daemon(&socket_dir.path().join("log"));
    let rig = Rig::with(|options| {
        options.activity = ActivityLog::Syslog;
        options.syslog = Syslog::at(&socket_dir.path().join("log"), "test");
    });
    rig.activity.log(LogLevel::Info, "first\nsecond");
    assert_eq!([next(), next()].each_ref().map(|text| without_time(text)), ["INFO first\n", "INFO second\n"]);
    let (sender, cleared) = channel();
    rig.handle.send(OutputRequest::ClearActivity { reply: Box::new(move |outcome| _ = sender.send(outcome)) });
    assert_eq!(cleared.recv_timeout(PATIENCE), Ok(Err(ClearError::NoFile)));
}

#[test]
fn a_missing_log_daemon_is_said_once_and_its_messages_are_counted() {
    let rig = Rig::new();
    let mut plan = rig.plan("out");
    plan.syslog = true;
    let mut writer = rig.attach(1, plan);
    writer.write_all(b"a\nb\nc\n").expect("written");
    rig.drain(1);
    let log = rig.stop();
    assert!(
        log.len() == 2 && log[0].starts_with("ERRO could not write to the system log, output is lost: "),
        "{log:?}"
    );
    assert_eq!(log[1], "WARN 3 messages for the system log were lost");
}
