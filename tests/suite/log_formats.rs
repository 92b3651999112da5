//! Logs in the form of records. The original has none.

use serde_json::Value;

use crate::harness::{Daemon, Scene, Subject, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] =
    &["program stdout_log_format", "program stderr_log_format", "program log_markers", "supervisord logfile_format"];

/// The part of a record behind its time.
fn without_time(record: &str) -> &str {
    let (time, rest) = record.split_once(' ').unwrap_or_default();
    assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{record}");
    rest
}

#[test]
fn each_stream_has_its_format() {
    only_ours(|| {
        let command = "command=sh -c 'echo one; printf \"ERROR t\\303\\251\\377\\r\\n\" >&2; printf half'\n";
        let text = format!(
            "[program:web]\n{command}startsecs=0\nautorestart=false\nnumprocs=2\nnumprocs_start=3\n\
             process_name=%(program_name)s_%(process_num)02d\nstdout_log_format=text\nstderr_log_format=json\n\
             stdout_logfile={{dir}}/%(process_num)d.log\nstderr_logfile={{dir}}/%(process_num)d.err\n\
             [program:tell]\ncommand=sh -c 'echo a; echo WARN b >&2'\nstartsecs=0\nautorestart=false\nredirect_stderr=true\n\
             stdout_logfile={{dir}}/tell.log\n\
             stdout_log_format=%(time:%Y)s %(program_name)s %(group)s/%(process)s %(stream)s %(level)s 5%%: %(message)s\n"
        );
        let mut daemon = Scene::with("formats", &text).start(Subject::Ours);
        daemon.wait_for_states(&["web:web_03", "web:web_04", "tell"], "EXITED");
        for number in [3, 4] {
            let log = daemon.read(&format!("{number}.log"));
            let records: Vec<&str> = log.lines().map(without_time).collect();
            let head = format!("web:web_0{number} stdout | ");
            assert_eq!(records, [format!("{head}one"), format!("{head}half")]);
            let record: Value = serde_json::from_str(&daemon.read(&format!("{number}.err"))).expect("one object");
            assert_eq!(without_time(&format!("{} x", record["time"].as_str().expect("a time"))), "x");
            assert!(record["pid"].as_u64().expect("a number") > 1);
            let told =
                ["program", "group", "stream", "level", "message"].map(|field| record[field].as_str().expect("text"));
            assert_eq!(told, ["web", "web", "stderr", "error", "ERROR té\u{fffd}"]);
            assert_eq!(record["number"], number);
        }
        let tell = daemon.read("tell.log");
        let (first, second) = tell.split_once('\n').expect("two records");
        assert_eq!(&first[4..], " tell tell/tell stdout - 5%: a");
        assert_eq!(&second[4..], " tell tell/tell stdout warn 5%: WARN b\n");
        // Those who read a log see what is in the file.
        assert_eq!(daemon.ctl(&["tail", "tell"]).stdout, format!("{tell}\n"));
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn markers_tell_what_happens_to_a_program() {
    only_ours(|| {
        let text = "[program:a]\ncommand=sh -c 'printf half; exit 3'\nstartsecs=0\nautorestart=false\nlog_markers=true\n\
            stdout_logfile={dir}/a.log\n\
            [program:b]\ncommand=sh -c 'echo up; exec sleep 1000'\nstartsecs=0\nlog_markers=true\n\
            stdout_logfile=NONE\nstderr_logfile={dir}/b.log\nredirect_stderr=false\nstderr_log_format=json\n";
        let mut daemon = Scene::with("markers", text).start(Subject::Ours);
        daemon.wait_for_state("a", "EXITED");
        let log = daemon.read("a.log");
        let lines: Vec<&str> = log.lines().collect();
        let is_marker = |line: &str, text: &str| {
            let rest = line.strip_prefix("--- a ").and_then(|line| line.strip_suffix("Z ---"));
            rest.and_then(|rest| rest.rsplit_once(", ")).is_some_and(|(found, _)| found == text)
        };
        assert!(lines[0].starts_with("--- a started, pid ") && lines[0].ends_with("Z ---"), "{log}");
        assert_eq!(lines[1], "half");
        assert!(lines.len() == 3 && is_marker(lines[2], "ended, exit status 3"), "{log}");
        let pid = daemon.pid_of("b");
        daemon.crash();
        daemon.start_again();
        assert_eq!(daemon.pid_of("b"), pid);
        daemon.ctl(&["stop", "b"]);
        let log = daemon.read("b.log");
        let records: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
        let told: Vec<&str> = records.iter().map(|record| record["message"].as_str().expect("text")).collect();
        assert_eq!(told[..2], [format!("b started, pid {pid}"), "b is sent SIGTERM".to_owned()]);
        assert!(told[2].starts_with("b ended, ") && told.len() == 3, "{told:?}");
        assert!(records.iter().all(|record| record["marker"] == true && record["pid"] == pid));
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn the_activity_log_can_be_objects() {
    only_ours(|| {
        let text = "[supervisord]\nlogfile_format=json\n[program:a]\ncommand=true\nstartsecs=0\nautorestart=false\n";
        let mut daemon = Scene::with("activity", text).start(Subject::Ours);
        daemon.wait_for_state("a", "EXITED");
        assert_eq!(daemon.stop(), 0);
        let log = daemon.log();
        let entries: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
        let exited = entries.iter().find(|entry| entry["message"] == "exited: a (exit status 0; expected)");
        assert_eq!(exited.expect("it is told")["level"], "info", "{log}");
    });
}

/// Writes numbered lines in pieces of any length until it is told to end; then how many they were.
const WRITER: &str = r#"#!/usr/bin/perl
my $n = 0;
until (-e 'enough') {
    my $text = '';
    for (1 .. 200) { $n++; $text .= 'line é ' . $n . ' ' . ('x' x ($n % 251 == 0 ? 20000 : $n % 97)) . "\n" }
    while (length $text) { substr($text, 0, syswrite(STDOUT, $text, 1 + int(rand(9000)))) = '' }
    # On a busy machine this may go on for minutes, which the rotated files must have room for.
    select(undef, undef, undef, 0.01);
}
open(my $count, '>', 'count') or die;
print $count $n;
"#;

const KILLS: usize = 6;

/// All records of a rotated log, oldest first.
fn records(daemon: &Daemon) -> Vec<Value> {
    // What does not exist is empty.
    let backups = (1..=1000).rev().map(|number| daemon.read(&format!("writer.log.{number}")));
    let all: String = backups.chain([daemon.read("writer.log")]).collect();
    let parsed = all.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}")));
    parsed.collect()
}

#[test]
fn no_record_is_lost_torn_or_doubled_by_rotation_kill_9_and_upgrades() {
    only_ours(|| {
        let text = "[program:writer]\ncommand={dir}/writer\ndirectory={dir}\nstartsecs=0\nautorestart=false\n\
            stdout_log_format=json\nstdout_logfile={dir}/writer.log\nstdout_logfile_maxbytes=500KB\n\
            stdout_logfile_backups=1000\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("records", text).script("writer", WRITER).start(Subject::Ours);
        let size = |daemon: &Daemon| daemon.read("writer.log").len();
        for kill in 0..KILLS {
            daemon.wait_until("the writer is heard", |daemon| size(daemon) > 100_000);
            let before = daemon.read("writer.log");
            if kill % 2 == 0 {
                daemon.crash();
                daemon.start_again();
            } else {
                assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
            }
            daemon.wait_until("the writer is heard again", |daemon| daemon.read("writer.log") != before);
        }
        daemon.write("enough", "");
        daemon.wait_for_state("writer", "EXITED");
        let count: usize = daemon.read("count").parse().expect("a number");
        let mut lines: Vec<String> = Vec::new();
        for record in records(&daemon) {
            let message = record["message"].as_str().expect("text");
            match record["continued"].as_bool() {
                Some(true) => lines.last_mut().expect("its beginning").push_str(message),
                _ => lines.push(message.to_owned()),
            }
        }
        for (index, line) in lines.iter().enumerate() {
            let n = index + 1;
            let expected = format!("line é {n} {}", "x".repeat(if n % 251 == 0 { 20_000 } else { n % 97 }));
            assert_eq!(*line, expected, "{}", daemon.report());
        }
        assert_eq!(lines.len(), count, "{}", daemon.report());
        assert_eq!(daemon.stop(), 0);
    });
}
