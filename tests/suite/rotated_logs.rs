//! Logs that are rotated by time, and whose rotated files have dates, an age and a total. The original knows sizes only.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::harness::{Daemon, Scene, Subject, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &[
    "program stdout_logfile_rotate",
    "program stdout_logfile_date_format",
    "program stdout_logfile_max_age",
    "program stdout_logfile_max_total",
    "program stderr_logfile_rotate",
    "program stderr_logfile_date_format",
    "program stderr_logfile_max_age",
    "program stderr_logfile_max_total",
    "supervisord logfile_rotate",
    "supervisord logfile_date_format",
    "supervisord logfile_max_age",
    "supervisord logfile_max_total",
];

const DAY: Duration = Duration::from_secs(86_400);

/// Makes the last line of a file so old.
fn age(daemon: &Daemon, name: &str, age: Duration) {
    let file = File::options().append(true).open(daemon.path(name)).expect("it is there");
    file.set_modified(SystemTime::now() - age).expect("set");
}

/// The names that begin with a text.
fn named(daemon: &Daemon, start: &str) -> Vec<String> {
    daemon.names().into_iter().filter(|name| name.starts_with(start)).collect()
}

const PROGRAM: &str = "[program:p]\ncommand=sh -c 'echo out; echo err >&2; exec sleep 1000'\nstartsecs=0\nautostart=false\n\
    stdout_logfile={dir}/%(program_name)s.log\nstdout_logfile_rotate=daily\nstdout_logfile_date_format=%Y%m%d\n\
    stdout_logfile_max_age=30d\nstderr_logfile={dir}/p.err\nstderr_logfile_rotate=weekly\nstderr_logfile_backups=3\n\
    stderr_logfile_max_total=10\n";

#[test]
fn what_was_missed_is_made_up_for_at_the_start_of_a_program() {
    only_ours(|| {
        let scene = Scene::with("missed", PROGRAM)
            .file("p.log", "of another day\n")
            .file("p.err", "of another week\n")
            .file("p.err.1", "1234567\n")
            .file("p.err.2", "1234567\n")
            .file("p-20200101.log", "long ago\n")
            .file("p-2020.log", "not ours\n");
        let mut daemon = scene.start(Subject::Ours);
        for (name, days) in [("p.log", 2), ("p.err", 8), ("p-20200101.log", 40), ("p-2020.log", 400)] {
            age(&daemon, name, days * DAY);
        }
        daemon.ctl(&["start", "p"]);
        daemon
            .wait_until("it has written", |daemon| daemon.read("p.log") == "out\n" && daemon.read("p.err") == "err\n");
        let dated = named(&daemon, "p-");
        assert_eq!(dated.len(), 2, "{dated:?}");
        assert_eq!(dated.iter().map(|name| daemon.read(name)).collect::<String>(), "not ours\nof another day\n");
        // What was rotated is larger than the total by itself.
        assert_eq!(named(&daemon, "p.err."), [] as [String; 0]);
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn the_log_of_the_daemon_is_rotated_by_time_too() {
    only_ours(|| {
        let options = "logfile_rotate=03:30\nlogfile_date_format=%Y-%m-%d\nlogfile_max_age=1d\nlogfile_max_total=1MB\n";
        let mut daemon = Scene::with("daemon", &format!("[supervisord]\n{options}")).start(Subject::Ours);
        assert_eq!(daemon.stop(), 0);
        age(&daemon, "supervisord.log", 25 * Duration::from_secs(3600) + DAY);
        let before = daemon.read("supervisord.log");
        daemon.write("supervisord-2020-01-01.log", &before);
        daemon.start_again();
        daemon.wait_until("it is rotated", |daemon| !daemon.read("supervisord.log").starts_with(&before));
        // It is older than a day.
        daemon.wait_until("it is removed", |daemon| named(daemon, "supervisord-") == ["supervisord-2020-01-01.log"]);
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn mistakes_are_refused_with_what_to_write() {
    only_ours(|| {
        for (option, advice) in [
            ("stdout_logfile_rotate=dayly", "did you mean daily?"),
            ("stderr_logfile_rotate=25:00", "write a time of day from 00:00 to 23:59"),
            ("stdout_logfile_date_format=%d%m%Y", "write the parts in the order %Y, %m, %d, %H, %M, %S"),
            ("stdout_logfile_max_age=10", "is below lower bound (1min)"),
        ] {
            let scene = Scene::with("refused", &format!("[program:p]\ncommand=true\n{option}\n"));
            let said = scene.run(Subject::Ours).stderr;
            assert!(said.contains(advice) && said.contains(&format!("[program:p] {option}")), "{said}");
        }
    });
}
