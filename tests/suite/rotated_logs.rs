//! Logs that are rotated by time, and whose rotated files have dates, an age and a total. The original knows sizes only.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::harness::needs::Power;
use crate::harness::{Daemon, Scene, Subject, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &[
    "program stdout_logfile_rotate",
    "program stdout_logfile_date_format",
    "program stdout_logfile_max_age",
    "program stdout_logfile_max_total",
    "program stdout_logfile_compress",
    "program stderr_logfile_rotate",
    "program stderr_logfile_date_format",
    "program stderr_logfile_max_age",
    "program stderr_logfile_max_total",
    "program stderr_logfile_compress",
    "supervisord logfile_rotate",
    "supervisord logfile_date_format",
    "supervisord logfile_max_age",
    "supervisord logfile_max_total",
    "supervisord logfile_compress",
    "supervisord log_min_free_disk",
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

/// Writes 3000 numbers, and after as many as fill the log waits until it has been rotated so often.
const COUNTS: &str = "#!/bin/sh\ni=0\nfor part in 1 2 3 4 5; do\n\
    while [ $i -lt $((part * 600)) ]; do i=$((i+1)); echo $i; done\n\
    until [ -e p.log.$part ] || [ -e p.log.$part.gz ]; do sleep 0.02; done\ndone\nexec sleep 1000\n";

#[test]
fn rotated_logs_are_compressed_and_a_killed_daemon_leaves_none_half_done() {
    only_ours(|| {
        let text = "[supervisord]\nlogfile_compress=zstd\n[program:p]\ncommand={dir}/count\nstartsecs=0\ndirectory={dir}\n\
            stdout_logfile={dir}/p.log\nstdout_logfile_maxbytes=2KB\nstdout_logfile_backups=100\nstdout_logfile_compress=gzip\n\
            stderr_logfile={dir}/p.err\nstderr_logfile_compress=zstd\n";
        let scene = Scene::with("compressed", text).script("count", COUNTS);
        let scene = scene.file("p.err.1", "old\n").file("p.err.compressing", "half");
        let mut daemon = scene.start(Subject::Ours);
        let written = |daemon: &Daemon| {
            let shell = "cat p.log; for file in p.log.*; do gzip -dcf $file; done";
            let read = std::process::Command::new("sh").args(["-c", shell]).current_dir(daemon.path(".")).output();
            String::from_utf8_lossy(&read.expect("it runs").stdout).into_owned()
        };
        // Where the last lines fill the log, it is rotated, and empty.
        daemon.wait_until("all is written", |daemon| written(daemon).lines().any(|line| line == "3000"));
        daemon.crash();
        daemon.start_again();
        // The log is not opened before there is something to write, but what was half done is looked for at once.
        daemon.wait_until("all is compressed", |daemon| {
            let rotated = [named(daemon, "p.log."), named(daemon, "p.err.")].concat();
            rotated.len() > 3 && rotated.iter().all(|name| name.ends_with(".gz") || name.ends_with(".zst"))
        });
        let read = written(&daemon);
        let mut numbers: Vec<u32> = read.lines().filter_map(|line| line.parse().ok()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=3000).collect::<Vec<u32>>());
        assert_eq!(named(&daemon, "p.err."), ["p.err.1.zst"]);
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn rotated_files_are_read_like_the_log() {
    only_ours(|| {
        let programs = "[program:web]\ncommand=true\nautostart=false\nstdout_logfile={dir}/web.log\nstdout_logfile_compress=gzip\n\
            [program:api]\ncommand=true\nautostart=false\nstdout_logfile={dir}/api.log\n\
            [program:raw]\ncommand=true\nautostart=false\nstdout_logfile={dir}/raw.log\n";
        let scene = Scene::with("read", programs)
            .file("web.log", "2020-11-30T12:00:05Z w5\n")
            .file("web.log.1", "2020-11-30T12:00:03Z w3\n2020-11-30T12:00:04Z w4\n")
            .file("web.log.2", "2020-11-30T12:00:01Z w1\n")
            .file("api.log", "{\"time\":\"2020-11-30T12:00:02Z\",\"message\":\"a2\"}\n2020-11-30T12:00:04.5Z a4\n")
            .file("raw.log", "no time\n");
        let daemon = scene.start(Subject::Ours);
        let gzip = std::process::Command::new("gzip").arg(daemon.path("web.log.2")).status();
        assert!(gzip.expect("it runs").success());
        for (name, seconds) in [("web.log.1", 10), ("web.log.2.gz", 20)] {
            age(&daemon, name, Duration::from_secs(seconds));
        }
        let shown = |words: &[&str]| {
            let said = daemon.ctl(words);
            let words = said.stdout.lines().map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned());
            (words.collect::<Vec<String>>().join(" "), said.code)
        };
        assert_eq!(shown(&["logs", "-n", "1", "web"]), ("w5".to_owned(), 0));
        assert_eq!(shown(&["logs", "-n", "3", "web"]), ("w3 w4 w5".to_owned(), 0));
        assert_eq!(shown(&["logs", "web"]), ("w1 w3 w4 w5".to_owned(), 0));
        assert_eq!(shown(&["logs", "--since", "2020-11-30T12:00:04Z", "web"]), ("w4 w5".to_owned(), 0));
        let merged = "w1 {\"time\":\"2020-11-30T12:00:02Z\",\"message\":\"a2\"} w3 w4 a4 w5";
        assert_eq!(shown(&["logs", "web", "api"]), (merged.to_owned(), 0));
        assert_eq!(shown(&["logs", "--since=2020-11-30T12:00:04Z", "web", "api"]), ("w4 a4 w5".to_owned(), 0));
        let (said, code) = shown(&["logs", "--since", "1h", "raw"]);
        assert!(code == 1 && said.ends_with("-n)"), "{said}");

        let get = |path: &str| {
            let mut stream = crate::harness::http::unix(&daemon.path("s.sock")).expect("it listens");
            let path = format!("/api/v1/programs/web/web/logs/stdout/files{path}");
            crate::harness::http::request(&mut *stream, "GET", &path, &[], b"").expect("an answer")
        };
        let listed: serde_json::Value = serde_json::from_slice(&get("").body).expect("JSON");
        let files: Vec<&str> =
            listed["files"].as_array().expect("files").iter().filter_map(|file| file["name"].as_str()).collect();
        assert_eq!(files.len(), 3, "{listed}");
        assert_eq!((files[0], listed["files"][2]["compression"].as_str()), ("web.log", Some("gzip")));
        assert_eq!(get("/web.log.2.gz?offset=-4").body, b" w1\n");
        assert_eq!(get("/web.log.2.gz?offset=21&length=2").body, b"w1");
        assert_eq!(get("/api.log").status(), 404);
        assert_eq!(get("/..%2Fapi.log").status(), 404);
    });
}

/// Writes until the daemon says that the disk is low, and then until it goes on.
const FILLS: &str = "#!/bin/sh\necho first\nhead -c 12000000 /dev/zero > small/fill\n\
    until grep -q 'could not write to' supervisord.log; do echo lost; sleep 0.1; done\nrm small/fill\n\
    until grep -q 'can be written again' supervisord.log; do echo maybe; sleep 0.1; done\necho last\n\
    until grep -q last small/p.log; do sleep 0.1; done\ncp small/p.log copy\nexec sleep 1000\n";

#[test]
fn logs_stop_before_the_disk_is_full_and_go_on_later() {
    if !Power::Mount.is_there_for("a disk that fills up") {
        return;
    }
    only_ours(|| {
        let text = "[supervisord]\nlog_min_free_disk=50%\n[program:p]\ncommand={dir}/fills\nstartsecs=0\ndirectory={dir}\n\
            stdout_logfile={dir}/small/p.log\nstderr_logfile={dir}/p.err\n";
        let mount = "exec unshare -m sh -c 'mount -t tmpfs -o size=20m none {dir}/small && exec \"$@\"' sh \"$@\"";
        let scene = Scene::with("full", text).script("fills", FILLS).file("small/.keep", "").shell(mount);
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_until("it is over", |daemon| daemon.read("copy").contains("last"));
        let copy = daemon.read("copy");
        assert!(copy.starts_with("first\n"), "{copy}");
        let log = daemon.log();
        assert!(log.contains("output is lost: its disk has less free than log_min_free_disk"), "{log}");
        assert!(log.contains(" bytes were lost"), "{log}");
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
            ("stdout_logfile_compress=gz", "write gzip"),
            ("stdout_logfile_max_age=10", "is below lower bound (1min)"),
        ] {
            let scene = Scene::with("refused", &format!("[program:p]\ncommand=true\n{option}\n"));
            let said = scene.run(Subject::Ours).stderr;
            assert!(said.contains(advice) && said.contains(&format!("[program:p] {option}")), "{said}");
        }
    });
}
