use std::env;
use std::fs::{self, File};
use std::io::{PipeReader, Write, pipe as new_pipe};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use supervisord_sys::fd;
use supervisord_sys::syslog::Syslog;
use tempfile::TempDir;

use super::super::sinks::Sinks;
use super::super::transit::Transit;
use super::*;
use crate::follow::FollowHub;

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
        let count = transit.take(source.as_fd()).expect("taken");
        assert_eq!((count, pipe::waiting(source.as_fd()).expect("counted")), (bytes.len(), 0));
        Scene { dir, transit, source, count }
    }

    fn log(&self) -> File {
        File::options().append(true).open(self.dir.path().join("log")).expect("opened")
    }

    /// What the log is after the next daemon has settled, and whether it warns.
    fn settled(self) -> (String, bool) {
        let leftover = Leftover::read(&self.transit.files().expect("copies"));
        let mut sinks = sinks();
        if let Some(leftover) = leftover.expect("understood") {
            sinks.settle(&leftover);
        }
        (fs::read_to_string(self.dir.path().join("log")).expect("text"), !sinks.take_notices().is_empty())
    }
}

fn sinks() -> Sinks {
    Sinks::new(FollowHub::new(), Syslog::new("test"), None)
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
        let leftover = Leftover::read(&files).expect("understood").expect("something");
        let mut sinks = sinks();
        transit = Transit::adopt(files).expect("the same");
        sinks.settle(&leftover);
        assert_eq!(fs::read_to_string(&log).expect("text"), so_far);
        program.write_all(words.as_bytes()).expect("room in the pipe");
        transit.claim(&log.to_str().expect("text").into(), FileId::of(&fs::metadata(&log).expect("there")));
        assert_eq!(transit.take(source.as_fd()).expect("taken"), words.len());
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
    assert!(Leftover::read(&files(tempfile::tempfile().expect("a file").into())).is_err());
    let memory = SharedMemory::create(LENGTH).expect("memory");
    memory.word(word::FORM).store(FORM + 1, Ordering::SeqCst);
    let copy = || memory.as_fd().try_clone_to_owned().expect("a copy");
    assert!(Leftover::read(&files(copy())).is_err());
    memory.word(word::FORM).store(FORM, Ordering::SeqCst);
    memory.word(word::COUNT).store(u64::MAX, Ordering::SeqCst);
    assert!(Leftover::read(&files(copy())).is_err());
}

/// The variable by which this test, executed by itself, knows that it is the daemon that is killed.
const VICTIM: &str = "TEST_OF_LEFTOVERS_LOG";

/// Kills a process again and again while it moves bytes to a log to which somebody else appends, too.
#[test]
fn a_process_killed_at_any_moment_loses_and_repeats_nothing() {
    if let Ok(log) = env::var(VICTIM) {
        return move_until_killed(&log);
    }
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
    let own = until_over(own_word, Box::new(program));
    for _ in 0..KILLS {
        let mut victim = victim(&log, &source);
        let files = files_of(&mut victim);
        let before = position(&log);
        wait_until(|| position(&log) > before + 200_000);
        victim.kill().expect("killed");
        victim.wait().expect("reaped");
        if let Some(leftover) = Leftover::read(&files).expect("understood") {
            let mut sinks = sinks();
            sinks.settle(&leftover);
            assert!(sinks.take_notices().is_empty());
        }
    }
    is_over.store(true, Ordering::SeqCst);
    let mut victim = victim(&log, &source);
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

fn victim(log: &Path, source: &PipeReader) -> Child {
    let name = "output::leftover::tests::a_process_killed_at_any_moment_loses_and_repeats_nothing";
    Command::new(env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture"])
        .env(VICTIM, log)
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
    let [memory, reader, writer] = [(0, true, true), (1, true, false), (2, false, true)].map(|(index, read, write)| {
        let path = format!("/proc/{}/fd/{}", victim.id(), numbers[index]);
        File::options().read(read).write(write).open(path).expect("opened").into()
    });
    TransitFiles { memory, reader, writer }
}

fn move_until_killed(log: &str) {
    let source = io::stdin();
    // The other processes of the test share it, and want it so, too.
    fd::set_nonblocking(source.as_fd(), true).expect("set");
    let path: Arc<str> = log.into();
    let file = File::options().append(true).open(log).expect("opened");
    let mut transit = Transit::new().expect("memory");
    transit.set_kept(true);
    transit.claim(&path, FileId::of(&file.metadata().expect("there")));
    let files = transit.files().expect("copies");
    let [memory, reader, writer] = [&files.memory, &files.reader, &files.writer].map(AsRawFd::as_raw_fd);
    writeln!(io::stderr(), "{memory} {reader} {writer}").expect("said");
    loop {
        match transit.take(source.as_fd()) {
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
