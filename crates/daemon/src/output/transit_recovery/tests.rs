use std::env;
use std::fs::{self, File};
use std::io::{PipeReader, Write, pipe as new_pipe};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use supervisord_config::log_form::LogFormat;
use supervisord_core::output::records::{RecordPlan, RecordSource};
use supervisord_core::output::{Channel, ChannelPlan};
use supervisord_core::rotation::Rotation;
use supervisord_core::supervisor::RunId;
use supervisord_sys::fd;
use supervisord_sys::syslog::Syslog;
use tempfile::TempDir;

use super::super::log_file::Transfer;
use super::super::log_limits::LogLimits;
use super::super::sinks::Sinks;
use super::super::transit::{PIECE, Transit};
use super::*;

/// A daemon between two steps: bytes have been taken from a program whose log is `log`.
struct Scene {
    dir: TempDir,
    transit: Transit,
    source: PipeReader,
    count: usize,
}

impl Scene {
    fn new(before: &[u8], bytes: &[u8]) -> Scene {
        let dir = TempDir::new().expect("a directory");
        let log = dir.path().join("log");
        fs::write(&log, before).expect("written");
        let (source, mut program) = new_pipe().expect("a pipe");
        program.write_all(bytes).expect("room in the pipe");
        let mut transit = Transit::new().expect("memory");
        transit.set_kept(true);
        let found = FileId::of(&fs::metadata(&log).expect("there"));
        transit.claim(&log.to_str().expect("text").into(), found);
        let count = if bytes.is_empty() { 0 } else { transit.take(source.as_fd(), usize::MAX).expect("taken") };
        assert_eq!((count, pipe::waiting(source.as_fd()).expect("counted")), (bytes.len(), 0));
        Scene { dir, transit, source, count }
    }

    fn log(&self) -> File {
        File::options().append(true).open(self.dir.path().join("log")).expect("opened")
    }

    /// What the log is after the next daemon has settled, and whether it warns.
    fn settled(self) -> (String, bool) {
        let recovery = TransitRecovery::read(&self.transit.files().expect("copies"));
        let mut sinks = sinks();
        if let Some(recovery) = recovery.expect("understood") {
            sinks.settle(&recovery);
        }
        (fs::read_to_string(self.dir.path().join("log")).expect("text"), !sinks.take_notices().is_empty())
    }
}

fn sinks() -> Sinks {
    Sinks::new(Arc::default(), Syslog::new("test"), None)
}

#[test]
fn what_was_taken_and_not_appended_is_appended() {
    assert_eq!(Scene::new(b"before\n", b"more\n").settled(), ("before\nmore\n".to_owned(), false));
}

#[test]
fn what_was_appended_is_not_appended_again() {
    let mut scene = Scene::new(b"before\n", b"more\n");
    let (log, count) = (scene.log(), scene.count);
    scene.transit.append(&log, 0..count).expect("appended");
    scene.transit.finish(scene.source.as_fd(), count);
    assert_eq!(scene.settled(), ("before\nmore\n".to_owned(), false));
}

/// Daemon after daemon is killed with something on its way.
#[test]
fn the_next_daemon_goes_on_with_what_is_held_for_this_one() {
    let (source, mut program) = new_pipe().expect("a pipe");
    let Scene { dir, mut transit, .. } = Scene::new(b"before\n", b"first\n");
    let log = dir.path().join("log");
    for (words, so_far) in [("second\n", "before\nfirst\n"), ("third\n", "before\nfirst\nsecond\n")] {
        let files = transit.files().expect("copies");
        let recovery = TransitRecovery::read(&files).expect("understood").expect("something");
        let mut sinks = sinks();
        transit = Transit::adopt(files).expect("the same");
        sinks.settle(&recovery);
        assert_eq!(fs::read_to_string(&log).expect("text"), so_far);
        program.write_all(words.as_bytes()).expect("room in the pipe");
        transit.claim(&log.to_str().expect("text").into(), FileId::of(&fs::metadata(&log).expect("there")));
        assert_eq!(transit.take(source.as_fd(), usize::MAX).expect("taken"), words.len());
        assert_eq!(pipe::waiting(source.as_fd()).expect("counted"), 0, "it relies on being kept");
    }
    let scene = Scene { dir, transit, count: 0, source };
    assert_eq!(scene.settled(), ("before\nfirst\nsecond\nthird\n".to_owned(), false));
}

/// An append of which nobody could note that it had happened: what of it the file shows is not repeated.
#[test]
fn an_append_that_was_under_way_is_completed() {
    let bytes: Vec<u8> = (0..2000_u32).flat_map(|number| format!("{number:07}\n").into_bytes()).collect();
    let before = [b'b'; 100];
    let whole = |parts: &[&[u8]]| parts.concat();
    let page = 4096 - before.len();
    let cases: [(&str, Vec<u8>, Vec<u8>); 7] = [
        ("nothing", vec![], bytes.clone()),
        ("all", bytes.clone(), vec![]),
        ("a page", bytes[..page].to_vec(), bytes[page..].to_vec()),
        ("foreign", b"foreign\n".to_vec(), bytes.clone()),
        ("all between foreign", whole(&[b"foreign\n", &bytes, b"foreign\n"]), vec![]),
        ("a page before foreign", whole(&[&bytes[..page], b"foreign\n"]), bytes[page..].to_vec()),
        (
            "the beginning, which somebody else wrote",
            whole(&[&bytes[..500], b"foreign\n", &bytes, b"foreign\n"]),
            vec![],
        ),
    ];
    for (case, appended, missing) in cases {
        let scene = Scene::new(&before, &bytes);
        scene.transit.note_append(0..bytes.len(), before.len() as u64);
        scene.log().write_all(&appended).expect("written");
        let expected = String::from_utf8(whole(&[&before, &appended, &missing])).expect("text");
        assert!(scene.settled() == (expected, false), "{case}");
    }
}

#[test]
fn a_few_bytes_that_others_write_too_are_not_taken_for_ours() {
    for (appended, expected) in [("\n", "\n"), ("foreign\n", "foreign\n\n")] {
        let scene = Scene::new(b"", b"\n");
        scene.transit.note_append(0..1, 0);
        scene.log().write_all(appended.as_bytes()).expect("written");
        assert_eq!(scene.settled().0, expected);
    }
}

#[test]
fn what_cannot_be_known_is_repeated_with_a_warning() {
    let scene = Scene::new(b"before\n", b"more\n");
    scene.transit.note_append(0..5, 7);
    scene.log().write_all(b"more\n").expect("written");
    fs::rename(scene.dir.path().join("log"), scene.dir.path().join("moved")).expect("renamed");
    fs::write(scene.dir.path().join("log"), b"new\n").expect("written");
    assert_eq!(scene.settled(), ("new\nmore\n".to_owned(), true));
}

#[test]
fn what_does_not_fit_the_form_is_refused() {
    let scene = Scene::new(b"", b"x");
    let files = |memory| TransitFiles { memory, ..scene.transit.files().expect("copies") };
    assert!(TransitRecovery::read(&files(tempfile::tempfile().expect("a file").into())).is_err());
    let memory = SharedMemory::create(LENGTH).expect("memory");
    memory.word(word::FORM).store(FORM + 1, Ordering::SeqCst);
    let copy = || memory.as_fd().try_clone_to_owned().expect("a copy");
    assert!(TransitRecovery::read(&files(copy())).is_err());
    memory.word(word::FORM).store(FORM, Ordering::SeqCst);
    memory.word(word::COUNT).store(u64::MAX, Ordering::SeqCst);
    assert!(TransitRecovery::read(&files(copy())).is_err());
}

/// The bytes of a stream that has to be looked at: in the middle of a section there is a colour.
const LOOKED_AT: &[u8] = b"a\x1b[1mb<!--XSUPERVISOR:BEGIN-->sec\x1b[0mret";

fn stripping_and_capturing() -> Pipeline {
    Pipeline::new(&plan(), true, false)
}

fn plan() -> ChannelPlan {
    ChannelPlan {
        file: None,
        maxbytes: 0,
        backups: 0,
        rotation_rules: None,
        capture_maxbytes: 1 << 20,
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

const STREAM: StreamKey = StreamKey::new(RunId(3), Channel::Stdout);

/// Wherever a daemon is killed, the log has all, and the rest of the section is not taken for output.
#[test]
fn what_has_to_be_looked_at_is_made_again() {
    type Step = fn(&mut Transit, &Pipeline, &[u8], &File);
    let put: Step = |transit, pipeline, text, _| transit.put(STREAM, pipeline, text);
    let append: Step = |transit, pipeline, text, log| {
        transit.put(STREAM, pipeline, text);
        transit.append(log, 0..text.len()).expect("appended");
    };
    let finish: Step = |transit, pipeline, text, log| {
        transit.put(STREAM, pipeline, text);
        transit.append(log, 0..text.len()).expect("appended");
        transit.finish_text();
    };
    for (step, what) in [(None, "taken"), (Some(put), "put"), (Some(append), "appended"), (Some(finish), "finished")] {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("log");
        fs::write(&path, "before\n").expect("written");
        let log = File::options().append(true).open(&path).expect("opened");
        let mut transit = Transit::new().expect("memory");
        transit.set_kept(true);
        transit.claim(&path.to_str().expect("text").into(), FileId::of(&log.metadata().expect("there")));
        let (source, mut program) = new_pipe().expect("a pipe");
        program.write_all(LOOKED_AT).expect("room in the pipe");
        let mut pipeline = stripping_and_capturing();
        let mut bytes = [0; 1000];
        let count = transit.take_to_look_at(source.as_fd(), &mut bytes, STREAM, &pipeline).expect("taken");
        assert_eq!(&bytes[..count], LOOKED_AT);
        let text = push(&mut pipeline, &bytes[..count]).0;
        if let Some(step) = step {
            step(&mut transit, &pipeline, &text, &log);
        }
        let files = || transit.files().expect("copies");
        let mut sinks = sinks();
        if let Some(recovery) = TransitRecovery::read(&files()).expect("understood") {
            sinks.settle(&recovery);
        }
        sinks.replace_transit(Transit::adopt(files()).expect("adopted"));
        assert!(sinks.take_notices().is_empty());
        assert_eq!(fs::read(&path).expect("read"), b"before\nab", "{what}");
        let mut pipeline = sinks.noted(STREAM).expect("the section goes on");
        let (text, sections) = push(&mut pipeline, b" of mine<!--XSUPERVISOR:END-->c");
        assert_eq!((text.as_slice(), sections), (&b"c"[..], vec![b"secret of mine".to_vec()]), "{what}");
        assert!(TransitRecovery::read(&files()).expect("understood").is_none(), "nothing is left");
    }
}

/// Records are longer than what they are made of: there may be no room to keep them all.
#[test]
fn a_text_that_is_too_long_to_keep_is_written_all_the_same() {
    let format = LogFormat::parse("................................................%(message)s").expect("a format");
    let source = RecordSource { program: "p", group: "p", process: "p", number: 0, channel: Channel::Stdout };
    let plan = ChannelPlan { records: RecordPlan::new(&format, &source, Some(1)), ..plan() };
    let written = [&b"\n".repeat(60_000)[..], b"half"].concat();
    let scene = Scene::new(b"", b"");
    let (source, mut program) = new_pipe().expect("a pipe");
    program.write_all(&written).expect("room in the pipe");
    let mut scene = Scene { source, ..scene };
    let pipeline = Pipeline::new(&plan, false, false);
    scene.transit.take_to_look_at(scene.source.as_fd(), &mut vec![0; PIECE], STREAM, &pipeline).expect("taken");
    let copies = || scene.transit.files().expect("copies");
    let recovery = TransitRecovery::read(&copies()).expect("understood").expect("something");
    assert!(recovery.missing().bytes.len() > LONGEST_TEXT);
    let mut sinks = sinks();
    sinks.settle(&recovery);
    sinks.replace_transit(Transit::adopt(copies()).expect("adopted"));
    let mut pipeline = sinks.noted(STREAM).expect("a line has begun");
    let (text, _) = push(&mut pipeline, b" a line\n");
    let log = fs::read_to_string(scene.dir.path().join("log")).expect("text") + str::from_utf8(&text).expect("text");
    let dots = ".".repeat(48);
    assert!(log == format!("{dots}\n").repeat(60_000) + &dots + "half a line\n", "{} bytes", log.len());
    assert!(sinks.take_notices().is_empty());
}

#[test]
fn events_that_nobody_was_told_of_are_logged() {
    let scene = Scene::new(b"", b"");
    let (source, mut program) = new_pipe().expect("a pipe");
    program.write_all(b"<!--XSUPERVISOR:BEGIN-->x<!--XSUPERVISOR:END-->").expect("room in the pipe");
    let mut scene = Scene { source, ..scene };
    let pipeline = stripping_and_capturing();
    scene.transit.take_to_look_at(scene.source.as_fd(), &mut [0; 1000], STREAM, &pipeline).expect("taken");
    assert_eq!(scene.settled(), (String::new(), true));
}

/// What goes to the log, and the sections.
fn push(pipeline: &mut Pipeline, bytes: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut text, mut sections) = (Vec::new(), Vec::new());
    pipeline.push(bytes, &mut |piece| match piece {
        Piece::Log(bytes) => text.extend_from_slice(bytes),
        Piece::Records(records) => text.extend_from_slice(&records),
        Piece::Unformatted(_) | Piece::Line { .. } => {}
        Piece::Section(held) => sections.push(held.bytes),
        Piece::Observed(_) | Piece::Cut(_) => {}
    });
    (text, sections)
}

/// The variable by which a test, executed by itself, knows that it is the daemon that is killed.
const VICTIM: &str = "TEST_OF_LEFTOVERS_LOG";

/// The variable that says what the daemon before has left.
const BEFORE_IT: &str = "TEST_OF_LEFTOVERS_BEFORE";

/// Kills a process again and again while it moves bytes to a log to which somebody else appends, too.
#[test]
fn a_process_killed_at_any_moment_loses_and_repeats_nothing() {
    let name = "output::transit_recovery::tests::a_process_killed_at_any_moment_loses_and_repeats_nothing";
    match env::var(VICTIM) {
        Ok(log) => move_until_killed(&log),
        Err(_) => kill_again_and_again(name, own_word),
    }
}

/// The same, where it takes colours and sections out of what it moves.
#[test]
fn a_process_killed_while_it_looks_at_bytes_loses_and_repeats_nothing() {
    let name = "output::transit_recovery::tests::a_process_killed_while_it_looks_at_bytes_loses_and_repeats_nothing";
    match env::var(VICTIM) {
        Ok(log) => look_at_until_killed(&log),
        Err(_) => kill_again_and_again(name, |number| {
            format!(
                "{}\x1b[31m<!--XSUPERVISOR:BEGIN-->\x1b[1m{number:09}TOLD\n<!--XSUPERVISOR:END-->",
                own_word(number)
            )
        }),
    }
}

/// `word` is what is written, of which [`own_word`] has to be in the log.
fn kill_again_and_again(name: &str, word: fn(u64) -> String) {
    const KILLS: u64 = 40;
    let dir = TempDir::new().expect("a directory");
    let log = dir.path().join("log");
    File::create(&log).expect("created");
    let (source, program) = new_pipe().expect("a pipe");
    let is_over = Arc::new(AtomicBool::new(false));
    let until_over = |word: fn(u64) -> String, mut out: Box<dyn Write + Send>| {
        let is_over = is_over.clone();
        std::thread::spawn(move || {
            let mut number = 0;
            while !is_over.load(Ordering::SeqCst) {
                out.write_all(word(number).as_bytes()).expect("written");
                number += 1;
            }
            number
        })
    };
    let foreign = until_over(foreign_word, Box::new(File::options().append(true).open(&log).expect("opened")));
    let own = until_over(word, Box::new(program));
    let mut before: Option<TransitFiles> = None;
    for _ in 0..KILLS {
        let mut victim = victim(name, &log, &source, before.as_ref());
        let files = files_of(&mut victim);
        let length = position(&log);
        wait_until(|| position(&log) > length + 200_000);
        victim.kill().expect("killed");
        victim.wait().expect("reaped");
        if let Some(recovery) = TransitRecovery::read(&files).expect("understood") {
            let mut sinks = sinks();
            sinks.settle(&recovery);
            assert!(recovery.is_unreported || sinks.take_notices().is_empty());
        }
        before = Some(files);
    }
    is_over.store(true, Ordering::SeqCst);
    let mut victim = victim(name, &log, &source, before.as_ref());
    let foreign = foreign.join().expect("no panic");
    let own = own.join().expect("no panic");
    assert!(victim.wait().expect("reaped").success(), "it moves everything to the end");
    let text = fs::read_to_string(&log).expect("text");
    // A word of ours that was torn by a kill may have a foreign one in it, but no letter of either is lost.
    let (owns, foreigns): (String, String) = text.chars().partition(|letter| letter.is_ascii_digit());
    let complete = |word: fn(u64) -> String, count: u64| (0..count).map(word).collect::<String>();
    assert!(owns == complete(own_word, own), "{own} words of ours: {} letters", owns.len());
    assert!(foreigns == complete(foreign_word, foreign), "{foreign} foreign words: {} letters", foreigns.len());
}

/// Digits only.
fn own_word(number: u64) -> String {
    format!("{number:09}")
}

/// No digits.
fn foreign_word(number: u64) -> String {
    let letters = format!("{number:011}");
    letters.bytes().map(|digit| char::from(digit - b'0' + b'a')).chain(['\n']).collect()
}

fn victim(name: &str, log: &Path, source: &PipeReader, before: Option<&TransitFiles>) -> Child {
    let path = |number: &String| format!("/proc/{}/fd/{number}", std::process::id());
    let before = before.map(|files| numbers(files).each_ref().map(path).join(" "));
    Command::new(env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture"])
        .env(VICTIM, log)
        .env(BEFORE_IT, before.unwrap_or_default())
        .stdin(source.try_clone().expect("a copy"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("spawned")
}

/// Copies of the files of the victim, which it says the numbers of.
fn files_of(victim: &mut Child) -> TransitFiles {
    use std::io::BufRead;
    let mut line = String::new();
    let mut said = io::BufReader::new(victim.stderr.take().expect("a pipe"));
    said.read_line(&mut line).expect("read");
    let numbers: Vec<&str> = line.split_whitespace().collect();
    let id = victim.id();
    open_all(|index| format!("/proc/{id}/fd/{}", numbers[index]))
}

/// Opens the files at these paths, in their order.
fn open_all(path: impl Fn(usize) -> String) -> TransitFiles {
    let [memory, reader, writer] = [(0, true, true), (1, true, false), (2, false, true)]
        .map(|(index, read, write)| File::options().read(read).write(write).open(path(index)).expect("opened").into());
    TransitFiles { memory, reader, writer }
}

/// Where they are.
fn numbers(files: &TransitFiles) -> [String; 3] {
    [&files.memory, &files.reader, &files.writer].map(|file| file.as_raw_fd().to_string())
}

/// The transit of a victim, which says its files, and holds them open for as long as it lives.
fn transit_of_victim() -> Transit {
    let before = env::var(BEFORE_IT).expect("set");
    let before: Vec<&str> = before.split_whitespace().collect();
    let transit = if before.is_empty() {
        let mut transit = Transit::new().expect("memory");
        transit.set_kept(true);
        transit
    } else {
        Transit::adopt(open_all(|index| before[index].to_owned())).expect("adopted")
    };
    let files = transit.files().expect("copies");
    writeln!(io::stderr(), "{}", numbers(&files).join(" ")).expect("said");
    std::mem::forget(files);
    transit
}

fn move_until_killed(log: &str) {
    let source = io::stdin();
    // The other processes of the test share it, and want it so, too.
    fd::set_nonblocking(source.as_fd(), true).expect("set");
    let path: Arc<str> = log.into();
    let file = File::options().append(true).open(log).expect("opened");
    let mut transit = transit_of_victim();
    transit.claim(&path, FileId::of(&file.metadata().expect("there")));
    loop {
        match transit.take(source.as_fd(), usize::MAX) {
            Ok(0) => return,
            Ok(count) => {
                // As for a log that is rotated.
                let middle = transit.record_end(0, count, count / 2);
                for part in [0..middle, middle..count] {
                    transit.append(&file, part).expect("appended");
                }
                transit.finish(source.as_fd(), count);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                fd::poll_readable(source.as_fd(), None).expect("waited");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_next_daemon_learns_how_much_waited_in_the_memory_of_a_killed_one() {
    let transit = Transit::new().expect("a transit");
    transit.note_waiting(7);
    let mut sinks = sinks();
    assert_eq!(sinks.replace_transit(Transit::adopt(transit.files().expect("copies")).expect("adopted")), 7);
    assert_eq!(transit.take_waiting(), 0, "it is told once");
    // Of this process itself the other tests decide how much waits.
    transit.note_waiting(0);
    assert_eq!(sinks.replace_transit(Transit::adopt(transit.files().expect("copies")).expect("adopted")), 0);
}

fn look_at_until_killed(log: &str) {
    let source = io::stdin();
    fd::set_nonblocking(source.as_fd(), true).expect("set");
    let mut sinks = sinks();
    let id = sinks.acquire(&log.into(), &LogLimits::NONE).expect("opened");
    sinks.replace_transit(transit_of_victim());
    let mut pipeline = sinks.noted(STREAM).unwrap_or_else(stripping_and_capturing);
    // No piece is like the one before.
    let mut bytes = [0; 12_345];
    loop {
        match sinks.take(id, source.as_fd(), &mut bytes, STREAM, &pipeline) {
            Transfer::Ended => return,
            Transfer::Moved(count) => {
                let text = push(&mut pipeline, &bytes[..count]).0;
                sinks.put(Some(id), STREAM, &pipeline, &text, Rotation::NEVER);
            }
            Transfer::Empty => _ = fd::poll_readable(source.as_fd(), None).expect("waited"),
            Transfer::Refused => panic!("it is a file"),
        }
    }
}

fn position(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |found| found.len())
}

fn wait_until(mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < Duration::from_secs(60), "it moves nothing");
        std::thread::yield_now();
    }
}
