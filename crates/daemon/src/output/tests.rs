use std::fs;
use std::io::{PipeWriter, Write, pipe};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;

/// Far longer than anything here takes; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running output plane in a directory of its own.
struct Rig {
    dir: TempDir,
    handle: OutputHandle,
    budget: ReportBudget,
    activity: Activity,
    follow: Arc<FollowHub>,
    reports: Receiver<Report>,
    thread: Option<JoinHandle<()>>,
}

impl Rig {
    fn new() -> Rig {
        Rig::with(|_| ())
    }

    fn with(adjust: impl FnOnce(&mut Options)) -> Rig {
        let dir = TempDir::new().expect("a directory");
        let mut options = Options {
            activity: ActivityLog::File(dir.path().join("activity.log").display().to_string()),
            rotation: Rotation::NEVER,
            echo_to_stdout: false,
            level: LogLevel::Info,
            strip_ansi: false,
        };
        adjust(&mut options);
        let follow = FollowHub::new();
        let output = Output::open(options, follow.clone()).expect("the activity log opens");
        let activity = output.activity();
        let (sender, reports) = channel();
        let running = output.start(move |report| _ = sender.send(report)).expect("the thread starts");
        let Running { handle, budget, thread } = running;
        Rig { dir, handle, budget, activity, follow, reports, thread: Some(thread) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn plan(&self, name: &str) -> ChannelPlan {
        ChannelPlan {
            file: Some(self.path(name).display().to_string()),
            maxbytes: 0,
            backups: 0,
            capture_maxbytes: 0,
            events_enabled: false,
            syslog: false,
        }
    }

    /// Attaches one stdout; the writing end of its pipe is the answer.
    fn attach(&self, run: u64, plan: ChannelPlan) -> PipeWriter {
        let (reader, writer) = pipe().expect("a pipe");
        let channel = AttachChannel { channel: Channel::Stdout, pipe: Some(reader.into()), plan };
        self.try_attach(run, vec![channel]).expect("attached");
        writer
    }

    fn try_attach(&self, run: u64, channels: Vec<AttachChannel>) -> Result<(), i32> {
        let (reply, answer) = sync_channel(1);
        self.handle.send(Request::Attach { run: RunId(run), process: "web".into(), channels, reply });
        answer.recv_timeout(PATIENCE).expect("an answer")
    }

    /// Drains a run; the answer is what was reported before.
    fn drain(&self, run: u64) -> Vec<Report> {
        self.handle.send(Request::Drain { run: RunId(run) });
        let mut before = Vec::new();
        loop {
            match self.reports.recv_timeout(PATIENCE).expect("a report") {
                Report::Drained { run: drained } if drained == RunId(run) => return before,
                other => before.push(other),
            }
        }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_default()
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect("text")
    }

    /// Ends the plane; what it wrote into its activity log, without the times.
    fn stop(mut self) -> Vec<String> {
        self.end();
        let text = self.text("activity.log");
        text.lines().map(|line| without_time(line).to_owned()).collect()
    }

    fn end(&mut self) {
        self.handle.send(Request::Stop);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the output thread does not panic");
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.end();
    }
}

fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A line of the activity log from its level on; later lines of one entry have no time.
fn without_time(line: &str) -> &str {
    let begins_with_date = line.len() > 24 && line.as_bytes()[..4].iter().all(u8::is_ascii_digit);
    if begins_with_date { &line[24..] } else { line }
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |there| there.len())
}

#[test]
fn output_is_in_the_log_soon_and_all_of_it_when_drained() {
    let rig = Rig::new();
    let mut writer = rig.attach(1, rig.plan("out"));
    writer.write_all(b"first\n").expect("written");
    wait_until("the first line arrives", || rig.text("out") == "first\n");
    writer.write_all(b"last words").expect("written");
    drop(writer);
    assert!(rig.drain(1).is_empty());
    assert_eq!(rig.text("out"), "first\nlast words");
}

#[test]
fn everything_a_process_wrote_is_in_its_log() {
    let rig = Rig::new();
    let writer = rig.attach(1, rig.plan("out"));
    let mut child = Command::new("sh")
        .args(["-c", "head -c 100000000 /dev/zero; echo end"])
        .stdin(Stdio::null())
        .stdout(writer)
        .spawn()
        .expect("spawned");
    child.wait().expect("reaped");
    rig.drain(1);
    let written = rig.read("out");
    assert_eq!(written.len(), 100_000_004);
    assert!(written.ends_with(b"\0end\n"));
}

#[test]
fn a_grandchild_that_floods_does_not_hold_the_end_back() {
    let rig = Rig::new();
    let mut plan = rig.plan("out");
    plan.file = None;
    let writer = rig.attach(1, plan);
    let mut grandchild = Command::new("cat").arg("/dev/zero").stdout(writer).spawn().expect("spawned");
    rig.drain(1);
    // Its pipe is closed now.
    assert!(!grandchild.wait().expect("reaped").success());
}

#[test]
fn a_flood_on_one_stream_does_not_starve_another() {
    let rig = Rig::new();
    let mut plan = rig.plan("flood");
    plan.file = None;
    let flood = rig.attach(1, plan);
    let mut other = rig.attach(2, rig.plan("other"));
    let mut child = Command::new("cat").arg("/dev/zero").stdout(flood).spawn().expect("spawned");
    for round in 1..=20 {
        other.write_all(b"x").expect("written");
        wait_until("the quiet stream is read", || size(&rig.path("other")) == round);
    }
    rig.drain(1);
    child.wait().expect("reaped");
}

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
    fs::create_dir_all(rig.path("out.1/in the way")).expect("a directory");
    let mut plan = rig.plan("out");
    (plan.maxbytes, plan.backups) = (10, 1);
    let mut writer = rig.attach(1, plan);
    for round in 1..=5 {
        writer.write_all(b"0123456789").expect("written");
        wait_until("the piece is written", || size(&rig.path("out")) == round * 10);
    }
    rig.drain(1);
    let warnings: Vec<String> = rig.stop().into_iter().filter(|line| line.contains("could not rotate")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
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

#[test]
fn a_log_that_cannot_be_opened_is_an_error_and_attaches_nothing() {
    let rig = Rig::new();
    let (reader, mut writer) = pipe().expect("a pipe");
    let good = AttachChannel { channel: Channel::Stdout, pipe: Some(reader.into()), plan: rig.plan("good") };
    let bad = AttachChannel { channel: Channel::Stderr, pipe: None, plan: rig.plan("no/such/directory") };
    let not_found = fs::metadata(rig.path("nothing")).expect_err("not there").raw_os_error();
    assert_eq!(rig.try_attach(1, vec![good, bad]).err(), not_found);
    assert!(writer.write_all(b"x").is_err(), "the pipe is closed");
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
    rig.handle.send(Request::Reopen);
    wait_until("opened again", || rig.path("out").exists() && rig.path("activity.log").exists());
    writer.write_all(b"new").expect("written");
    rig.drain(1);
    assert_eq!((rig.text("out"), rig.text("moved")), ("new".into(), "oldstill old".into()));
    assert_eq!(rig.stop(), Vec::<String>::new());
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
    rig.handle.send(Request::ClearLogs { files, reply: Box::new(move |outcome| _ = sender.send(outcome)) });
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
        rig.handle.send(Request::ClearActivity { reply: Box::new(move |outcome| _ = sender.send(outcome)) });
        cleared.recv_timeout(PATIENCE).expect("an answer")
    };
    assert_eq!(clear(), Ok(()));
    assert!(rig.text("removed").ends_with("INFO reopening log file\n"));
    assert_eq!(rig.text("activity.log"), "");
    fs::remove_file(rig.path("activity.log")).expect("removed");
    assert_eq!(clear(), Err(ClearError::NoFile));
}

#[test]
fn log_events_come_in_order_before_the_end() {
    let rig = Rig::new();
    let mut plan = rig.plan("out");
    (plan.events_enabled, plan.capture_maxbytes) = (true, 100);
    let mut writer = rig.attach(1, plan);
    writer.write_all(b"a<!--XSUPERVISOR:BEGIN-->b<!--XSUPERVISOR:END-->\xc3").expect("written");
    drop(writer);
    let seen: Vec<(bool, Vec<u8>)> = rig
        .drain(1)
        .into_iter()
        .map(|report| match report {
            Report::Log { bytes, .. } => (false, bytes),
            Report::Communication { bytes, .. } => (true, bytes),
            Report::Drained { .. } => unreachable!("the end comes last"),
        })
        .collect();
    let expected = [(false, &b"a"[..]), (false, b"b"), (true, b"b"), (false, b"\xc3")];
    assert_eq!(seen, expected.map(|(section, bytes)| (section, bytes.to_vec())));
    assert_eq!(rig.read("out"), b"a\xc3");
}

#[test]
fn a_slow_control_stops_the_reading_of_events_and_nothing_is_lost() {
    let rig = Rig::new();
    let mut plan = rig.plan("out");
    plan.events_enabled = true;
    let writer = rig.attach(1, plan);
    const TOTAL: usize = 40_000_000;
    let mut child =
        Command::new("head").args(["-c", &TOTAL.to_string(), "/dev/zero"]).stdout(writer).spawn().expect("spawned");
    let mut other = rig.attach(2, rig.plan("other"));
    let limit = 8 << 20;
    wait_until("reading goes on up to the limit", || size(&rig.path("out")) > limit);
    other.write_all(b"x").expect("written");
    wait_until("other streams are read", || size(&rig.path("other")) == 1);
    assert!(size(&rig.path("out")) < limit + (1 << 20), "{}", size(&rig.path("out")));
    let mut seen = 0;
    while seen < TOTAL {
        if let Report::Log { bytes, .. } = rig.reports.recv_timeout(PATIENCE).expect("a report") {
            seen += bytes.len();
            rig.budget.release(bytes.len());
        }
    }
    child.wait().expect("reaped");
    rig.drain(1);
    assert_eq!((seen, size(&rig.path("out"))), (TOTAL, TOTAL as u64));
}

#[test]
fn output_is_copied_at_the_debug_level() {
    let rig = Rig::with(|options| options.level = LogLevel::Debug);
    let mut plan = rig.plan("out");
    plan.file = None;
    let mut writer = rig.attach(1, plan);
    writer.write_all(b"caf\xc3").expect("written");
    wait_until("the copy is logged", || rig.text("activity.log").contains("'web' stdout output:\ncaf"));
    writer.write_all(b"\xa9 \xff").expect("written");
    drop(writer);
    rig.drain(1);
    let log = rig.stop();
    assert_eq!(log[0], "DEBG 'web' stdout output:");
    assert_eq!(log[1], "caf");
    assert_eq!(log[3], "Undecodable: b'\\xc3\\xa9 \\xff'");
    let closed = log.last().expect("a last line");
    assert!(closed.starts_with("DEBG fd ") && closed.ends_with(" closed, stopped monitoring <stdout of web>"));
}

#[test]
fn what_control_reads_is_logged_and_copied_as_bytes() {
    let rig = Rig::with(|options| options.level = LogLevel::Debug);
    let channel = AttachChannel { channel: Channel::Stdout, pipe: None, plan: rig.plan("out") };
    rig.try_attach(1, vec![channel]).expect("attached");
    rig.handle.send(Request::Write { run: RunId(1), channel: Channel::Stdout, bytes: b"READY\n".to_vec() });
    rig.drain(1);
    assert_eq!(rig.text("out"), "READY\n");
    assert_eq!(rig.stop(), ["DEBG 'web' stdout output:", "b'READY\\n'"]);
}

#[test]
fn stripping_can_be_turned_on_and_off() {
    let rig = Rig::new();
    let mut writer = rig.attach(1, rig.plan("out"));
    writer.write_all(b"\x1b[1ma").expect("written");
    wait_until("unchanged", || rig.text("out") == "\x1b[1ma");
    rig.handle.send(Request::StripAnsi(true));
    let mut second = rig.attach(2, rig.plan("second"));
    writer.write_all(b"\x1b[1mb").expect("written");
    second.write_all(b"\x1b[1mc").expect("written");
    rig.drain(1);
    rig.drain(2);
    assert_eq!((rig.text("out"), rig.text("second")), ("\x1b[1mab".into(), "c".into()));
}

#[test]
fn an_automatic_log_is_private_and_never_replaces_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::new();
    let path = rig.path("auto.log");
    rig.handle.send(Request::CreateAuto { path: path.display().to_string() });
    wait_until("created", || path.exists());
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    fs::write(&path, "kept").expect("written");
    rig.handle.send(Request::CreateAuto { path: path.display().to_string() });
    assert_eq!(rig.text("auto.log"), "kept");
    let log = rig.stop();
    assert!(log[0].starts_with(&format!("ERRO could not create {}", path.display())), "{log:?}");
}

#[test]
fn followers_hear_of_every_change() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let rig = Rig::new();
    let path = rig.path("out");
    let seen = Arc::new(AtomicU64::new(0));
    let (noted, watched) = (seen.clone(), path.clone());
    let callback = Arc::new(move || noted.store(size(&watched), Ordering::SeqCst));
    let _subscription = rig.follow.subscribe(&path.display().to_string(), callback);
    let mut writer = rig.attach(1, rig.plan("out"));
    for length in 1..=50 {
        writer.write_all(b"x").expect("written");
        wait_until("the follower heard", || seen.load(Ordering::SeqCst) == length);
    }
}

#[test]
fn stop_writes_what_is_left() {
    let rig = Rig::new();
    let mut writer = rig.attach(1, rig.plan("out"));
    writer.write_all(&vec![b'x'; 60_000]).expect("written");
    let path = rig.path("out");
    let mut rig = rig;
    for number in 0..1000 {
        rig.activity.log(LogLevel::Info, &format!("line {number}"));
    }
    rig.end();
    assert_eq!(size(&path), 60_000);
    let log = rig.stop();
    assert_eq!((log.len(), log[999].as_str()), (1000, "INFO line 999"));
}

#[test]
fn an_activity_log_that_cannot_be_opened_is_an_error() {
    let path = "/no/such/directory/log".to_owned();
    let options = Options {
        activity: ActivityLog::File(path.clone()),
        rotation: Rotation::NEVER,
        echo_to_stdout: false,
        level: LogLevel::Info,
        strip_ansi: false,
    };
    let error = Output::open(options, FollowHub::new()).err().expect("an error");
    assert_eq!((error.path, error.source.kind()), (path, io::ErrorKind::NotFound));
}

#[test]
fn lines_logged_before_the_start_are_written() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("log");
    let options = Options {
        activity: ActivityLog::File(path.display().to_string()),
        rotation: Rotation { maxbytes: 60, backups: 1 },
        echo_to_stdout: false,
        level: LogLevel::Info,
        strip_ansi: false,
    };
    let mut output = Output::open(options, FollowHub::new()).expect("open");
    let activity = output.activity();
    activity.log(LogLevel::Warn, "early");
    activity.log(LogLevel::Debug, "too quiet");
    output.write_waiting();
    let line = fs::read_to_string(&path).expect("text");
    assert!(line.ends_with(" WARN early\n"), "{line}");
    activity.log(LogLevel::Info, "enough to fill the file up to its limit");
    output.write_waiting();
    assert_eq!(size(&path), 0);
    assert!(dir.path().join("log.1").exists());
}

#[test]
fn a_full_device_is_said_once_and_never_renamed() {
    let rig = Rig::new();
    let mut plan = rig.plan("unused");
    plan.file = Some("/dev/full".to_owned());
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
fn a_log_replaced_by_a_directory_goes_on_in_the_old_file() {
    let rig = Rig::new();
    let mut writer = rig.attach(1, rig.plan("out"));
    writer.write_all(b"a").expect("written");
    wait_until("written", || rig.text("out") == "a");
    fs::rename(rig.path("out"), rig.path("old")).expect("renamed");
    fs::create_dir(rig.path("out")).expect("created");
    rig.handle.send(Request::Reopen);
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
            rig.handle.send(Request::StripAnsi(true));
        }
    }
    writer.write_all(b"after").expect("written");
    rig.drain(1);
    assert_eq!(rig.text("out"), "after");
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
