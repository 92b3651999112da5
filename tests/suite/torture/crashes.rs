//! Many programs that exit at random.

use std::time::{Duration, Instant};

use super::resources::{Resources, assert_no_leak};
use super::{dial, resources};
use crate::harness::{Daemon, Scene, Subject, only_ours, processes};

/// Writes a numbered line to its log and to a file of its own, and exits in one of many ways.
const CRASHER: &str = r#"#!/bin/bash
read -r run 2>/dev/null <"run.$1" || run=0
run=$((run + 1))
echo "$run" >"run.$1"
line="$1 $run $RANDOM"
echo "$line"
echo "$line" >>"truth.$1"
case $((RANDOM % 6)) in
0) exit 0 ;;
1) exit 1 ;;
2) kill -KILL $$ ;;
3) kill -SEGV $$ ;;
4) read -r -t 0.1; exit 0 ;;
5) exec 1>&- 2>&-; read -r -t 0.05; exit 7 ;;
esac
"#;

fn crashers(count: u64) -> Scene {
    let program = format!(
        "[supervisord]\nminfds=4000\n[program:crasher]\ncommand={{dir}}/crash.sh %(process_num)03d\nnumprocs={count}\n\
         process_name=%(process_num)03d\ndirectory={{dir}}\nstartsecs=0\nautorestart=true\nstopwaitsecs=5\n\
         stdout_logfile={{dir}}/log.%(process_num)03d\nstdout_logfile_maxbytes=0\nredirect_stderr=true\n"
    );
    Scene::with("crashers", &program).script("crash.sh", CRASHER)
}

/// How often a crasher has been run.
fn runs(daemon: &Daemon, number: u64) -> u64 {
    daemon.read(&format!("run.{number:03}")).trim().parse().unwrap_or(0)
}

/// The number of log lines that are not in the program's own file: a process killed between its two `echo`s leaves at
/// most one.
fn check(daemon: &Daemon, number: u64) -> usize {
    let truth = daemon.read(&format!("truth.{number:03}"));
    let log = daemon.read(&format!("log.{number:03}"));
    assert!(log.starts_with(&truth), "{number:03}: the log\n{log}\nis not what was written\n{truth}");
    let surplus = log[truth.len()..].lines().count();
    assert!(surplus <= 1, "{number:03}: {surplus} lines too many");
    truth.lines().count()
}

#[test]
fn programs_that_crash_at_random_lose_and_leak_nothing() {
    only_ours(|| {
        let count = dial("CRASHERS", 40, 500);
        let mut daemon = crashers(count).start(Subject::Ours);
        let runs = |daemon: &Daemon| (0..count).map(|number| runs(daemon, number)).sum::<u64>();
        daemon.wait_until("all have run", |daemon| {
            assert!(processes::children(daemon.pid()).len() as u64 <= count, "a process runs twice");
            runs(daemon) > 2 * count
        });
        let memory = Resources::of(&daemon).memory;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(dial("SOAK_SECONDS", 4, 600)) {
            assert!(processes::children(daemon.pid()).len() as u64 <= count, "a process runs twice");
            assert_eq!(daemon.call("supervisor.getAllProcessInfo", &[]).items().len() as u64, count);
            std::thread::sleep(Duration::from_millis(50));
        }
        daemon.call("supervisor.stopAllProcesses", &[]);
        daemon.wait_until("all are gone", |daemon| processes::children(daemon.pid()).is_empty());
        let runs: usize = (0..count).map(|number| check(&daemon, number)).sum();
        assert_eq!(resources::zombies(&daemon), 0);
        daemon.wait_until("its pipes are closed", |daemon| Resources::of(daemon).descriptors < 40);
        let after = Resources::of(&daemon);
        assert!(after.memory <= memory + 6 * 1024, "memory grew from {memory} kB to {} kB", after.memory);
        eprintln!("{runs} runs of {count} programs, {memory} kB before, {after:?}");
        assert_eq!(daemon.stop(), 0);
    });
}

/// Events about programs that change state all the time reach a slow listener, or are counted as lost.
#[test]
fn a_slow_listener_and_a_crash_storm_do_not_affect_each_other() {
    const LISTENER: &str = r#"#!/usr/bin/perl
$| = 1;
while (1) {
    print "READY\n";
    my $header = <STDIN> // exit;
    my ($length) = $header =~ /len:(\d+)/;
    read(STDIN, my $payload, $length);
    select(undef, undef, undef, 0.002);
    print STDERR "heard\n";
    print "RESULT 2\nOK";
}
"#;
    only_ours(|| {
        let configuration = "[eventlistener:slow]\ncommand={dir}/listener.pl\nevents=PROCESS_STATE\nbuffer_size=20\n\
            stderr_logfile={dir}/heard\n[program:crasher]\ncommand={dir}/crash.sh %(process_num)03d\nnumprocs=10\n\
            process_name=%(process_num)03d\ndirectory={dir}\nstartsecs=0\nautorestart=true\n\
            stdout_logfile={dir}/log.%(process_num)03d\nstdout_logfile_maxbytes=0\nredirect_stderr=true\n";
        let scene = Scene::with("listener", configuration);
        let mut daemon = scene.script("crash.sh", CRASHER).script("listener.pl", LISTENER).start(Subject::Ours);
        daemon.wait_until("the listener is at work", |daemon| daemon.read("heard").lines().count() > 200);
        daemon.wait_for_log("event buffer overflowed, discarding event");
        assert_eq!(daemon.state_of("slow"), "RUNNING");
        daemon.call("supervisor.stopProcessGroup", &["crasher".into()]);
        for number in 0..10 {
            check(&daemon, number);
        }
        let before = Resources::of(&daemon);
        assert_no_leak(&mut daemon, before);
        assert_eq!(daemon.stop(), 0);
    });
}
