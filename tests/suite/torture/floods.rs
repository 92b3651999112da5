//! Much output, and output just before an exit: the log has every byte.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use super::dial;
use super::resources::{Resources, assert_no_leak};
use crate::harness::{Daemon, Scene, Subject, only_ours, wait};

/// The number of lines of `seq` with about this size; lines have eight or nine bytes.
fn lines(mebibytes: u64) -> u64 {
    (mebibytes << 20) / 8
}

/// Compares the concatenation of these files with the numbers from 1, in another process, which is faster than a debug
/// build.
fn assert_counts_to(daemon: &Daemon, last: u64, files: &[String]) {
    let script = format!("seq 1 {last} >expected && cat {} | cmp - expected", files.join(" "));
    let output = daemon.command("/bin/sh".as_ref()).args(["-c", &script]).output().expect("a shell runs");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&said), daemon.report());
    fs::remove_file(daemon.path("expected")).expect("it was written");
}

/// Waits for a program to end by itself, for as long as its log grows.
fn wait_for_end(daemon: &mut Daemon, name: &str, log: &str) {
    let size = |daemon: &Daemon| fs::metadata(daemon.path(log)).map_or(0, |file| file.size());
    loop {
        let before = size(daemon);
        let ended = wait::poll(wait::DEADLINE, || {
            let state = daemon.state_of(name);
            (state == "EXITED" || size(daemon) != before).then_some(state == "EXITED")
        });
        match ended {
            Some(true) => return,
            Some(false) => {}
            None => panic!("{name} stands still\n{}", daemon.report()),
        }
    }
}

/// Writes the number of its run and exits, until the last run.
const RESTARTER: &str = r#"#!/bin/bash
read -r run 2>/dev/null <run || run=0
run=$((run + 1))
echo "$run" >run
echo "$run"
[ "$run" -ge "$1" ] && exec sleep 1000
kill -KILL $$
"#;

#[test]
fn a_flood_beside_a_constantly_restarting_program_loses_nothing() {
    only_ours(|| {
        let (mebibytes, restarts) = (dial("FLOOD_MIB", 128, 1024), dial("RESTARTS", 300, 1000));
        let (plain, smaller) = (lines(mebibytes), lines(mebibytes / 4));
        let flood = |name: &str, last: u64, log: &str| {
            format!(
                "[program:{name}]\ncommand=seq 1 {last}\nautostart=false\nautorestart=false\nstartsecs=0\n\
                 stdout_logfile={{dir}}/{name}.log\nstderr_logfile=NONE\n{log}\n"
            )
        };
        let configuration = [
            "[program:first]\ncommand=sleep 1000\nstartsecs=0\n".to_owned(),
            flood("plain", plain, "stdout_logfile_maxbytes=0"),
            flood("rotated", smaller, "stdout_logfile_maxbytes=1MB\nstdout_logfile_backups=1000"),
            flood("captured", smaller, "stdout_logfile_maxbytes=0\nstdout_capture_maxbytes=1MB"),
            format!(
                "[program:restarted]\ncommand={{dir}}/restart.sh {restarts}\ndirectory={{dir}}\nautorestart=true\n\
                 startsecs=0\nstdout_logfile={{dir}}/restarted.log\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\n\
                 autostart=false\n"
            ),
        ]
        .concat();
        let mut daemon = Scene::with("flood", &configuration).script("restart.sh", RESTARTER).start(Subject::Ours);
        // The thread that the daemon creates for its first child stays.
        daemon.wait_for_state("first", "RUNNING");
        let before = Resources::of(&daemon);
        daemon.call("supervisor.startAllProcesses", &[false.into()]);
        for name in ["plain", "rotated", "captured"] {
            wait_for_end(&mut daemon, name, &format!("{name}.log"));
        }
        let last = format!("{restarts}\n");
        daemon.wait_until("it has been restarted often enough", |daemon| daemon.read("restarted.log").ends_with(&last));

        assert_counts_to(&daemon, plain, &["plain.log".to_owned()]);
        assert_counts_to(&daemon, smaller, &["captured.log".to_owned()]);
        assert_counts_to(&daemon, restarts, &["restarted.log".to_owned()]);
        let mut rotated: Vec<String> =
            (1..1000).map(|number| format!("rotated.log.{number}")).filter(|name| daemon.path(name).exists()).collect();
        assert!(rotated.len() >= (mebibytes / 8) as usize, "it was rotated {} times", rotated.len());
        rotated.reverse();
        rotated.push("rotated.log".to_owned());
        assert_counts_to(&daemon, smaller, &rotated);

        daemon.call("supervisor.stopAllProcesses", &[]);
        assert_no_leak(&mut daemon, before);
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn output_just_before_an_exit_is_logged() {
    /// As much as a pipe holds, on both channels; the program exits before the daemon can have read it.
    const LAST: &str = r#"#!/usr/bin/perl
open(my $runs, '+<', 'runs') or die;
my $run = <$runs> + 1;
seek($runs, 0, 0);
print $runs "$run\n";
close($runs);
syswrite(STDERR, sprintf("%08d\n", $run) x 7000);
syswrite(STDOUT, sprintf("%08d\n", $run) x 7000);
sleep(1000) if $run >= $ARGV[0];
kill('KILL', $$) if $run % 3 == 0;
exit($run % 3);
"#;
    only_ours(|| {
        let runs = dial("RESTARTS", 300, 1000) / 6;
        let program = |name: &str, log: &str| {
            format!(
                "[program:{name}]\ncommand={{dir}}/last.pl {runs}\ndirectory={{dir}}/{name}\nautorestart=true\n\
                 startsecs=0\nstdout_logfile={{dir}}/{name}/out\nstdout_logfile_maxbytes=0\n\
                 stderr_logfile={{dir}}/{name}/err\nstderr_logfile_maxbytes=0\n{log}\n"
            )
        };
        let configuration =
            program("plain", "") + &program("captured", "stdout_capture_maxbytes=1MB\nstderr_capture_maxbytes=1MB");
        let scene = Scene::with("last", &configuration).script("last.pl", LAST);
        let mut daemon = scene.file("plain/runs", "0\n").file("captured/runs", "0\n").start(Subject::Ours);
        let expected: String = (1..=runs).map(|run| format!("{run:08}\n").repeat(7000)).collect();
        for name in ["plain", "captured"] {
            for channel in ["out", "err"] {
                let path = daemon.path(&format!("{name}/{channel}"));
                daemon.wait_until(&format!("{} is complete", path.display()), |_| {
                    fs::metadata(&path).is_ok_and(|file| file.size() >= expected.len() as u64)
                });
                let found = fs::read(&path).expect("it exists");
                assert!(found == expected.as_bytes(), "{} differs\n{}", path.display(), daemon.report());
            }
        }
        assert_eq!(daemon.stop(), 0);
    });
}

/// A child may write much output during a stop.
#[test]
fn output_during_a_stop_is_logged() {
    let program = "[program:polite]\ncommand=perl -e '$SIG{TERM} = sub { syswrite(STDOUT, \"bye\\n\" x 15000); exit 0 }; \
        open(F, \">ready\"); close(F); sleep 1000'\ndirectory={dir}\nstartsecs=0\nstdout_logfile={dir}/log\nstdout_logfile_maxbytes=0\n";
    only_ours(|| {
        let mut daemon = Scene::with("polite", program).start(Subject::Ours);
        for round in 1..=10 {
            daemon.wait_until("it is ready", |daemon| daemon.path("ready").exists());
            fs::remove_file(daemon.path("ready")).expect("it exists");
            daemon.call("supervisor.stopProcess", &["polite".into()]);
            assert!(daemon.read("log") == "bye\n".repeat(15000 * round), "{}", daemon.report());
            daemon.call("supervisor.startProcess", &["polite".into()]);
        }
        // The same holds for the shutdown of the daemon.
        daemon.wait_until("it is ready", |daemon| daemon.path("ready").exists());
        assert_eq!(daemon.stop(), 0);
        assert!(daemon.read("log") == "bye\n".repeat(15000 * 11), "{}", daemon.report());
    });
}

/// All bytes sent to a program come back from it, although it reads slowly.
#[test]
fn stdin_data_reaches_the_program_completely() {
    let program = "[program:cat]\ncommand=perl -e 'while (sysread(STDIN, my $b, 3000)) { syswrite(STDOUT, $b); }'\n\
        startsecs=0\nstdout_logfile={dir}/log\nstdout_logfile_maxbytes=0\n";
    only_ours(|| {
        let mut daemon = Scene::with("cat", program).start(Subject::Ours);
        daemon.wait_for_state("cat", "RUNNING");
        let mut sent = Vec::new();
        for round in 0..100_u32 {
            let piece = format!("{round:06}\n").repeat(10_000);
            daemon.call("supervisor.sendProcessStdin", &["cat".into(), piece.as_str().into()]);
            sent.write_all(piece.as_bytes()).expect("memory");
        }
        daemon.wait_until("all has come back", |daemon| daemon.read("log").len() >= sent.len());
        assert!(fs::read(daemon.path("log")).expect("it exists") == sent);
        assert_eq!(daemon.stop(), 0);
    });
}

/// A client that follows a flooded log slowly is served, and the flood does not wait for it.
#[test]
fn a_slow_reader_of_a_flooded_log_does_not_block_others() {
    only_ours(|| {
        let last = lines(dial("FLOOD_MIB", 128, 1024) / 4);
        let program = format!(
            "[program:flood]\ncommand=seq 1 {last}\nautostart=false\nautorestart=false\nstartsecs=0\n\
             stdout_logfile={{dir}}/flood.log\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\n\
             [program:first]\ncommand=sleep 1000\nstartsecs=0\n"
        );
        let mut daemon = Scene::with("slow reader", &program).start(Subject::Ours);
        // The thread that the daemon creates for its first child stays, with its descriptors.
        daemon.wait_for_state("first", "RUNNING");
        let before = Resources::of(&daemon);
        let mut followers = Vec::new();
        for _ in 0..20 {
            let mut stream = std::os::unix::net::UnixStream::connect(daemon.path("s.sock")).expect("it listens");
            stream.write_all(b"GET /logtail/flood HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
            followers.push(stream);
        }
        daemon.call("supervisor.startProcess", &["flood".into()]);
        wait_for_end(&mut daemon, "flood", "flood.log");
        assert_counts_to(&daemon, last, &["flood.log".to_owned()]);
        let during = Resources::of(&daemon);
        assert!(during.memory < before.memory + 64 * 1024, "memory grew from {before:?} to {during:?}");
        drop(followers);
        daemon.wait_until("the followers are gone", |daemon| Resources::of(daemon).descriptors <= before.descriptors);
        assert_eq!(daemon.stop(), 0);
    });
}

/// The daemon's own output is a pipe that is never read.
#[test]
fn an_unread_console_does_not_block_the_daemon() {
    only_ours(|| {
        let program = "[supervisord]\nloglevel=blather\n[program:talk]\ncommand=seq 1 400000\nautorestart=false\n\
            startsecs=0\nstdout_logfile={dir}/talk.log\nstdout_logfile_maxbytes=0\n[program:other]\ncommand=sleep 1000\nstartsecs=0\n";
        let scene = Scene::with("console", program);
        let place = scene.set_up(Subject::Ours);
        let status = Command::new("mkfifo").arg(place.path("console")).status().expect("mkfifo runs");
        assert!(status.success());
        // Open for reading and writing, so that opening does not block; never read.
        let console = File::options().read(true).write(true).open(place.path("console")).expect("a fifo");
        let mut command = place.command(&Subject::Ours.path(crate::harness::Program::Supervisord));
        let output = console.try_clone().expect("a descriptor");
        let mut child = command
            .args(["-n", "-c", "supervisord.conf"])
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let talked = wait::poll(wait::DEADLINE, || place.read("talk.log").ends_with("\n400000\n").then_some(()));
        let answer = crate::harness::rpc::call(&place.path("s.sock"), "supervisor.getState", &[]);
        let _ =
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), nix::sys::signal::Signal::SIGTERM);
        let ended = wait::poll(wait::DEADLINE, || child.try_wait().expect("a child"));
        let _ = child.kill();
        place.kill_everything(&[]);
        assert!(talked.is_some(), "the program was held up: {}", place.read("supervisord.log"));
        assert!(answer.is_ok(), "{answer:?}");
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    });
}
