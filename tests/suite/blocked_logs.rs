//! Logs that nobody reads, and what is lost of them. The original has no choice.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::harness::http;
use crate::harness::{Daemon, Scene, Subject, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program log_when_blocked"];

/// Writes numbered lines, more than waits of a log, and then says that it has.
const WRITER: &str = "#!/usr/bin/perl\n$| = 0; printf('line %07d' . chr(10), $_) for 1 .. 700000; close(STDOUT);\n\
    open(my $done, '>', 'done') or die; print $done 'done'; close($done); sleep(1000);\n";

const LINES: u32 = 700_000;

/// A daemon whose program writes into a FIFO, and the end of it that nobody reads yet.
fn start(policy: &str) -> (Daemon, File) {
    let text = format!(
        "[program:p]\ncommand={{dir}}/writer\ndirectory={{dir}}\nautostart=false\nstartsecs=0\nstdout_logfile={{dir}}/fifo\n\
         stdout_logfile_maxbytes=0\nstderr_logfile=NONE\nlog_when_blocked={policy}\n"
    );
    let daemon = Scene::with("blocked", &text).script("writer", WRITER).start(Subject::Ours);
    let path = daemon.path("fifo");
    nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO");
    let reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).expect("opened");
    assert_eq!(daemon.ctl(&["start", "p"]).code, 0);
    (daemon, reader)
}

/// Reads until that is enough: the numbers of the whole lines.
fn read_until(daemon: &mut Daemon, reader: &mut File, is_enough: impl Fn(&[u8]) -> bool) -> Vec<u32> {
    let mut text = Vec::new();
    daemon.wait_until("enough has come", |_| {
        let mut piece = vec![0; 1 << 16];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => return false,
                Ok(count) => text.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return is_enough(&text),
                Err(error) => panic!("{error}"),
            }
        }
    });
    text.truncate(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    let text = String::from_utf8(text).expect("text");
    let number = |line: &str| line.strip_prefix("line ").and_then(|number| number.parse().ok());
    text.lines().map(|line| number(line).unwrap_or_else(|| panic!("a whole line: {line:?}"))).collect()
}

fn has_last(text: &[u8]) -> bool {
    text.ends_with(last().as_bytes())
}

#[test]
fn a_blocked_log_loses_the_oldest_lines_and_stops_nobody() {
    only_ours(|| {
        let (mut daemon, mut reader) = start("drop_oldest");
        daemon.wait_for_file("done");
        let numbers = read_until(&mut daemon, &mut reader, has_last);
        assert!(numbers.is_sorted() && numbers.len() < LINES as usize && numbers[0] == 1, "{}", numbers.len());
        daemon.wait_for_log("can be written again");
        assert!(daemon.log().contains("output is lost: nobody reads it"));
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn a_blocked_log_loses_nothing_where_the_program_waits() {
    only_ours(|| {
        let (mut daemon, mut reader) = start("block");
        let numbers = read_until(&mut daemon, &mut reader, has_last);
        assert!(numbers.into_iter().eq(1..=LINES));
        daemon.wait_for_file("done");
        assert!(!daemon.log().contains("lost"), "{}", daemon.log());
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn a_blocked_log_loses_the_newest_lines_and_keeps_the_others() {
    only_ours(|| {
        let (mut daemon, mut reader) = start("drop_newest");
        daemon.wait_for_file("done");
        let kept = (4 << 20) / 13;
        let numbers = read_until(&mut daemon, &mut reader, |text| text.len() > 4 << 20);
        assert!(numbers.len() >= kept as usize && numbers.is_sorted());
        assert!(numbers[..kept as usize].iter().copied().eq(1..=kept));
        assert_eq!(daemon.stop(), 0);
    });
}

/// The log is a file that may not become larger, as on a full disk.
#[test]
fn what_a_log_does_not_take_waits_in_a_file_through_kill_9_and_an_upgrade() {
    only_ours(|| {
        let text = "[program:p]\ncommand={dir}/writer\ndirectory={dir}\nautostart=false\nstartsecs=0\n\
            stdout_logfile={dir}/p.log\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\nlog_when_blocked=spill:64MB\n";
        let scene =
            Scene::with("spilled", text).script("writer", WRITER).shell("set -- prlimit --fsize=8388608 \"$@\"");
        let mut daemon = scene.start(Subject::Ours);
        assert_eq!(daemon.ctl(&["start", "p"]).code, 0);
        daemon.wait_for_file("done");
        daemon.wait_until("all of it is in files", |daemon| {
            let kept: u64 = spilled(daemon).iter().map(|path| size(path) - 4096).sum();
            kept > 0 && kept + size(&daemon.path("p.log")) == u64::from(LINES) * 13
        });
        assert_eq!(fs::metadata(&spilled(&daemon)[0]).expect("there").mode() & 0o777, 0o600);
        // The limit holds for the next daemon, too, but for none that is started anew.
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        daemon.wait_for_log(" have waited in ");
        assert_eq!(spilled(&daemon).len(), 1);
        daemon.crash();
        daemon.start_again();
        daemon.wait_until("the log has it", |daemon| spilled(daemon).is_empty());
        let written = daemon.read("p.log");
        assert!(written.lines().map(str::to_owned).eq((1..=LINES).map(|number| format!("line {number:07}"))));
        assert!(!daemon.log().contains("output is lost"), "{}", daemon.log());
        assert_eq!(daemon.stop(), 0);
    });
}

/// Writes the same lines, the last of them slowly.
const SLOW_WRITER: &str = "#!/usr/bin/perl\n$| = 0; for (1 .. 700000) { printf('line %07d' . chr(10), $_); \
    select(undef, undef, undef, 0.002) if $_ > 630000 && $_ % 50 == 0; } close(STDOUT);\n\
    open(my $done, '>', 'done') or die; print $done 'done'; close($done); sleep(1000);\n";

/// The daemon is killed again and again, while output goes into the file and while it is written to the log.
#[test]
fn what_waits_in_a_file_is_not_lost_by_daemons_that_are_killed() {
    only_ours(|| {
        let text = "[program:p]\ncommand={dir}/writer\ndirectory={dir}\nautostart=false\nstartsecs=0\n\
            stdout_logfile={dir}/p.log\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\nlog_when_blocked=spill:64MB\n";
        let limit = "set -- prlimit --fsize=8388608 \"$@\"";
        let mut daemon = Scene::with("killed", text).script("writer", SLOW_WRITER).shell(limit).start(Subject::Ours);
        assert_eq!(daemon.ctl(&["start", "p"]).code, 0);
        daemon.wait_until("the log is full", |daemon| !spilled(daemon).is_empty());
        let mut kills = 0;
        while !daemon.path("done").exists() {
            daemon.crash();
            daemon.start_again();
            kills += 1;
            let before = spilled(&daemon).iter().map(|path| size(path)).sum::<u64>();
            daemon.wait_until("more waits, or all does", |daemon| {
                spilled(daemon).iter().map(|path| size(path)).sum::<u64>() > before || daemon.path("done").exists()
            });
        }
        for _ in 0..3 {
            daemon.crash();
            daemon.start_again();
        }
        daemon.wait_until("the log has it", |daemon| {
            spilled(daemon).is_empty() && daemon.read("p.log").ends_with(&last())
        });
        let written = daemon.read("p.log");
        // What was on its way when a daemon was killed can be there twice.
        let number = |line: &str| line.strip_prefix("line ").and_then(|number| number.parse::<u32>().ok());
        let numbers: BTreeSet<u32> = written.lines().filter_map(number).collect();
        let missing: Vec<u32> = (1..=LINES).filter(|number| !numbers.contains(number)).take(5).collect();
        assert!(missing.is_empty(), "after {kills} kills: {missing:?} of {} lines\n{}", numbers.len(), daemon.log());
        assert!(kills > 0 && !daemon.log().contains("output is lost"), "{}", daemon.log());
        assert_eq!(daemon.stop(), 0);
    });
}

/// The files in which output waits.
fn spilled(daemon: &Daemon) -> Vec<PathBuf> {
    let entries = fs::read_dir(daemon.path(".")).expect("read").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "spill")).collect()
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

fn last() -> String {
    format!("line {LINES:07}\n")
}

/// No disk has so much free.
const NOTHING_FITS: &str = "[supervisord]\nlog_min_free_disk=900000000GB\n";

#[test]
fn what_a_file_has_not_taken_is_counted_when_the_daemon_ends() {
    only_ours(|| {
        let text = format!(
            "{NOTHING_FITS}[program:p]\ncommand=sh -c 'echo abc; touch done; exec sleep 1000'\ndirectory={{dir}}\n\
             stdout_logfile={{dir}}/p.log\nlog_when_blocked=block\n"
        );
        let mut daemon = Scene::with("unwritten", &text).start(Subject::Ours);
        daemon.wait_for_log("output waits: its disk has less free than log_min_free_disk");
        assert_eq!(daemon.stop(), 0);
        let log = daemon.log();
        assert!(log.contains(&format!("4 bytes for {} were lost", daemon.path("p.log").display())), "{log}");
    });
}

#[test]
fn what_was_lost_is_told_everywhere_and_counted_on_after_an_upgrade_and_kill_9() {
    only_ours(|| {
        let text = format!(
            "{NOTHING_FITS}[program:p]\ncommand=sh -c 'echo abc; exec sleep 1000'\nstartsecs=0\nautostart=false\n\
             stdout_logfile={{dir}}/p.log\n"
        );
        let mut daemon = Scene::with("counted", &text).start(Subject::Ours);
        let get = |daemon: &Daemon, path: &str| {
            let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
            let response = http::request(&mut *stream, "GET", path, &["Host: h"], b"").expect("an answer");
            String::from_utf8(response.body).expect("text")
        };
        assert!(!daemon.ctl(&["status", "--wide"]).stdout.contains("LOST"));
        assert_eq!(daemon.ctl(&["start", "p"]).code, 0);
        let metric = |bytes: u32| {
            format!("supervisord_program_log_lost_bytes_total{{group=\"p\",name=\"p\",stream=\"stdout\"}} {bytes}\n")
        };
        daemon.wait_until("it is counted", |daemon| get(daemon, "/metrics").contains(&metric(4)));
        let program = get(&daemon, "/api/v1/programs/p/p");
        assert!(program.contains("\"lost_bytes\":{\"stdout\":4,\"stderr\":0}"), "{program}");
        let wide = daemon.ctl(&["status", "--wide"]).stdout;
        assert!(wide.contains("LOST OUTPUT") && wide.contains("4 bytes of stdout"), "{wide}");
        let events = daemon.ctl(&["events", "--json"]).stdout;
        assert!(events.contains("output_lost") && events.contains("\"lost_bytes\":4"), "{events}");

        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        assert!(get(&daemon, "/metrics").contains(&metric(4)));
        daemon.crash();
        daemon.start_again();
        assert_eq!(daemon.ctl(&["restart", "p"]).code, 0);
        daemon.wait_until("it is counted on", |daemon| get(daemon, "/metrics").contains(&metric(8)));
        assert_eq!(daemon.stop(), 0);
    });
}
