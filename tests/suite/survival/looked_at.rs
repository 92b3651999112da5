//! Logs that are looked at, under a daemon that is killed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{Daemon, Scene, Subject};

/// Writes numbered lines in colours, with sections between them, until it is told to end; then how many they were.
const SPEAKER: &str = r#"#!/usr/bin/perl
my $n = 0;
until (-e 'enough') {
    my $text = '';
    for (1 .. 200) {
        $n++;
        $text .= "\e[3" . ($n % 8) . "mline\e[0m é $n\n";
        $text .= "<!--XSUPERVISOR:BEGIN-->told $n\ntold $n<!--XSUPERVISOR:END-->" if $n % 3 == 0;
    }
    while (length $text) { substr($text, 0, syswrite(STDOUT, $text, 1 + int(rand(9000)))) = '' }
    select(undef, undef, undef, 0.001);
}
open(my $count, '>', 'count') or die;
print $count $n;
"#;

const KILLS: usize = 12;

fn lines(daemon: &Daemon) -> usize {
    daemon.read("speaker.log").lines().count()
}

#[test]
fn logs_that_are_looked_at_lose_and_repeat_nothing_when_the_daemon_is_killed() {
    let text = "[supervisord]\nstrip_ansi=true\n\
        [eventlistener:record]\ncommand=python3 {dir}/listener.py {dir}/events.json\nbuffer_size=100000\n\
        events=PROCESS_LOG,PROCESS_COMMUNICATION\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile={dir}/listener.err\n\
        [program:speaker]\ncommand={dir}/speaker\ndirectory={dir}\nstartsecs=0\nautorestart=false\n\
        stdout_logfile={dir}/speaker.log\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\n\
        stdout_events_enabled=true\nstdout_capture_maxbytes=1MB\n";
    let scene = Scene::with("looked", text)
        .file("listener.py", include_str!("../fixtures/listener.py"))
        .script("speaker", SPEAKER);
    let mut daemon = scene.start(Subject::Ours);
    for _ in 0..KILLS {
        let before = lines(&daemon);
        daemon.wait_until("the speaker is heard", |daemon| lines(daemon) > before + 2000);
        daemon.crash();
        daemon.start_again();
    }
    daemon.wait_until("a section is reported", |daemon| {
        daemon.read("events.json").contains("PROCESS_COMMUNICATION_STDOUT")
    });
    std::fs::write(daemon.path("enough"), "").expect("written");
    daemon.wait_for_state("speaker", "EXITED");
    let count: usize = daemon.read("count").parse().expect("a number");
    // The daemon waits only for a bounded time until the output is written before it shows the end of the program.
    daemon.wait_until("the log is whole", |daemon| lines(daemon) >= count);
    let log = daemon.read("speaker.log");
    for (index, line) in log.lines().enumerate() {
        assert_eq!(line, format!("line é {}", index + 1), "{}", daemon.report());
    }
    assert_eq!(log.lines().count(), count, "{}", daemon.report());
    // Some sections may not have been reported; those that were are whole.
    let reported: BTreeSet<String> = daemon
        .read("events.json")
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["header"]["eventname"] == "PROCESS_COMMUNICATION_STDOUT")
        .map(|event| event["payload"].as_str().expect("text").split_once('\n').expect("a head").1.to_owned())
        .collect();
    let whole: BTreeSet<String> = (1..=count / 3).map(|third| format!("told {0}\ntold {0}", third * 3)).collect();
    let stray: Vec<&String> = reported.difference(&whole).collect();
    assert!(stray.is_empty() && !reported.is_empty(), "{stray:?}\n{}", daemon.report());
}
