use std::fs;
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use supervisord_core::output::{Channel, ChannelPlan};
use supervisord_sys::Errno;

use super::*;
use crate::follow::Change;

mod files;
mod records;
mod rules;
mod special_files;

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
            format: ActivityFormat::Text,
            audit: None,
            rotation: Rotation::NEVER,
            rotation_rules: None,
            disk_reserve: None,
            spill_directory: dir.path().display().to_string(),
            forward: None,
            echo_to_stdout: false,
            level: LogLevel::Info,
            strip_ansi: false,
            syslog: Syslog::at(&dir.path().join("no-syslog"), "test"),
        };
        adjust(&mut options);
        let follow = Arc::<FollowHub>::default();
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
            file: Some(self.path(name).display().to_string().into()),
            maxbytes: 0,
            backups: 0,
            rotation_rules: None,
            capture_maxbytes: 0,
            events_enabled: false,
            syslog: false,
            keeps_end: false,
            records: None,
            markers: false,
            when_blocked: None,
            memory: None,
            forward: None,
            ready_line: None,
            is_private: false,
        }
    }

    /// Attaches one stdout; the writing end of its pipe is the answer.
    fn attach(&self, run: u64, plan: ChannelPlan) -> PipeWriter {
        let (reader, writer) = pipe().expect("a pipe");
        let channel = stdout(reader, plan);
        self.try_attach(run, vec![channel]).expect("attached");
        writer
    }

    /// Like [`Rig::attach`], by somebody who does not wait for the answer.
    fn attach_late(&self, run: u64, plan: ChannelPlan) -> PipeWriter {
        let (reader, writer) = pipe().expect("a pipe");
        let channel = stdout(reader, plan);
        let reply = answer::answer().0;
        self.handle.send(OutputRequest::Attach {
            run: RunId(run),
            process: "web".into(),
            channels: vec![channel],
            reply,
        });
        writer
    }

    /// Like [`Rig::attach`], of a process that another program started.
    fn resume(&self, run: u64, plan: ChannelPlan) -> PipeWriter {
        let (reader, writer) = pipe().expect("a pipe");
        let channel = stdout(reader, plan);
        self.handle.send(OutputRequest::Resume { run: RunId(run), process: "web".into(), channels: vec![channel] });
        writer
    }

    fn try_attach(&self, run: u64, channels: Vec<AttachChannel>) -> Result<(), LogFailure> {
        let (reply, answer) = answer::answer();
        self.handle.send(OutputRequest::Attach { run: RunId(run), process: "web".into(), channels, reply });
        answer.within(PATIENCE).expect("an answer")
    }

    /// Drains a run; the answer is what was reported before.
    fn drain(&self, run: u64) -> Vec<Report> {
        self.drain_with_end(run).0
    }

    /// The same, and the last bytes.
    fn drain_with_end(&self, run: u64) -> (Vec<Report>, Vec<u8>) {
        self.handle.send(OutputRequest::Drain { run: RunId(run), marker: None });
        let mut before = Vec::new();
        loop {
            match self.report() {
                Report::Drained { run: drained, end } if drained == RunId(run) => return (before, end),
                other => before.push(other),
            }
        }
    }

    fn report(&self) -> Report {
        self.reports.recv_timeout(PATIENCE).expect("a report")
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
        self.handle.send(OutputRequest::Stop);
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
            other => unreachable!("{other:?}"),
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
        if let Report::Log { bytes, .. } = rig.report() {
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
    assert!(is_of_closing(log.last()), "{log:?}");
}

/// A line about a pipe that is read no more.
fn is_of_closing(line: Option<&String>) -> bool {
    line.is_some_and(|line| {
        line.starts_with("DEBG fd ") && line.ends_with(" closed, stopped monitoring <stdout of web>")
    })
}

#[test]
fn a_pipe_that_is_closed_though_others_may_write_to_it_is_said() {
    let rig = Rig::with(|options| options.level = LogLevel::Debug);
    let writer = rig.attach(1, rig.plan("out"));
    rig.drain(1);
    drop(writer);
    let log = rig.stop();
    assert!(log.len() == 1 && is_of_closing(log.first()), "{log:?}");
}

#[test]
fn what_control_reads_is_logged_and_copied_as_bytes() {
    let rig = Rig::with(|options| options.level = LogLevel::Debug);
    let channel =
        AttachChannel { channel: Channel::Stdout, pipe: None, plan: rig.plan("out"), pipeline: None, end: Vec::new() };
    rig.try_attach(1, vec![channel]).expect("attached");
    rig.handle.send(OutputRequest::Write { run: RunId(1), channel: Channel::Stdout, bytes: b"READY\n".to_vec() });
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
    rig.handle.send(OutputRequest::StripAnsi(true));
    let mut second = rig.attach(2, rig.plan("second"));
    writer.write_all(b"\x1b[1mb").expect("written");
    second.write_all(b"\x1b[1mc").expect("written");
    rig.drain(1);
    rig.drain(2);
    assert_eq!((rig.text("out"), rig.text("second")), ("\x1b[1mab".into(), "c".into()));
}

#[test]
fn followers_hear_of_every_change() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let rig = Rig::new();
    let path = rig.path("out");
    let seen = Arc::new(AtomicU64::new(0));
    let (noted, watched) = (seen.clone(), path.clone());
    let callback = Arc::new(move |_| noted.store(size(&watched), Ordering::SeqCst));
    let _subscription = rig.follow.subscribe(&path.display().to_string(), callback);
    let mut writer = rig.attach(1, rig.plan("out"));
    for length in 1..=50 {
        writer.write_all(b"x").expect("written");
        wait_until("the follower heard", || seen.load(Ordering::SeqCst) == length);
    }
}

#[test]
fn followers_are_told_when_the_file_may_be_another() {
    let rig = Rig::new();
    let path = rig.path("out").display().to_string();
    let (sender, changes) = channel();
    let _subscription = rig.follow.subscribe(&path, Arc::new(move |change| _ = sender.send(change)));
    let next = || changes.recv_timeout(PATIENCE).expect("a change");
    let mut writer = rig.attach(1, ChannelPlan { maxbytes: 10, backups: 1, ..rig.plan("out") });
    for (text, change) in [("1234", Change::Grown), ("567890", Change::Replaced), ("1", Change::Grown)] {
        writer.write_all(text.as_bytes()).expect("written");
        assert_eq!(next(), change, "{text}");
    }
    for request in [OutputRequest::Reopen, OutputRequest::ClearLogs { files: vec![path], reply: Box::new(|_| ()) }] {
        rig.handle.send(request);
        assert_eq!(next(), Change::Replaced);
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

/// The stdout of a process.
fn stdout(pipe: PipeReader, plan: ChannelPlan) -> AttachChannel {
    AttachChannel { channel: Channel::Stdout, pipe: Some(pipe.into()), plan, pipeline: None, end: Vec::new() }
}

#[test]
fn the_last_bytes_are_reported_with_the_end() {
    let rig = Rig::new();
    let kept = |plan| ChannelPlan { keeps_end: true, ..plan };
    let plans = [
        rig.plan("plain"),
        ChannelPlan { file: None, ..rig.plan("none") },
        ChannelPlan { events_enabled: true, ..rig.plan("observed") },
    ];
    for (run, plan) in (1..).zip(plans) {
        let mut writer = rig.attach(run, kept(plan));
        let lines: String = (0..1000).map(|number| format!("line {number}\n")).collect();
        writer.write_all(lines.as_bytes()).expect("written");
        let (_, end) = rig.drain_with_end(run);
        assert_eq!(end, lines.as_bytes()[lines.len() - 512..], "run {run}");
    }
    let mut writer = rig.attach(9, rig.plan("other"));
    writer.write_all(b"text").expect("written");
    assert_eq!(rig.drain_with_end(9).1, b"", "nobody asked for it");
}

#[test]
fn the_last_bytes_go_with_the_stream_to_the_next_program() {
    let rig = Rig::new();
    let (reader, mut writer) = pipe().expect("a pipe");
    let plan = ChannelPlan { keeps_end: true, ..rig.plan("log") };
    let channel = AttachChannel { end: b"before, ".to_vec(), ..stdout(reader, plan) };
    rig.try_attach(1, vec![channel]).expect("attached");
    writer.write_all(b"after").expect("written");
    assert_eq!(rig.drain_with_end(1).1, b"before, after");
}
