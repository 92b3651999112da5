//! Logs that cannot be written: a full volume, a FIFO without a reader, a file system that does not respond.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;

use super::exhaustion::limit;
use super::resources::{Resources, assert_idle, assert_no_leak, restart_latency};
use crate::harness::needs::Power;
use crate::harness::{Daemon, Scene, Subject, only_ours};

/// Writes numbered lines for ever, at a fixed rate.
const COUNTER: &str = "perl -e '$| = 1; while (1) { print ++$n, \"\\n\"; select(undef, undef, undef, 0.0005); }'";

/// The daemon sees a small volume at `{dir}/volume`, in a mount namespace of its own.
const SMALL_VOLUME: &str =
    "mkdir volume\nexec unshare --mount sh -c 'mount -t tmpfs -o size=64k none volume && exec \"$@\"' sh \"$@\"";

/// A path as the daemon sees it.
fn within(daemon: &Daemon, path: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{}", daemon.pid(), daemon.path(path).display()))
}

#[test]
fn a_full_volume_loses_only_the_output_that_did_not_fit() {
    if !Power::Mount.is_there_for("a full volume") {
        return;
    }
    only_ours(|| {
        let program = |name: &str, more: &str| {
            format!(
                "[program:{name}]\ncommand={COUNTER}\nstartsecs=0\nautorestart=true\nstdout_logfile_maxbytes=0\n\
                 stdout_logfile={{dir}}/volume/{name}\nstderr_logfile=NONE\n{more}\n"
            )
        };
        let configuration = program("plain", "")
            + &program("captured", "stdout_capture_maxbytes=1000")
            + "[program:other]\ncommand=sleep 1000\nstartsecs=0\nautorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("full", &configuration).shell(SMALL_VOLUME).start(Subject::Ours);
        daemon.wait_for_states(&["plain", "captured", "other"], "RUNNING");
        let filler = within(&daemon, "volume/filler");
        let before = Resources::of(&daemon);
        for round in 1..=3 {
            let _ = fs::write(&filler, vec![0; 1 << 20]);
            for name in ["plain", "captured"] {
                let text = format!("could not write to {}", daemon.path("volume").join(name).display());
                daemon.wait_until(&format!("{name} fails, round {round}"), |daemon| {
                    daemon.log().matches(&text).count() >= round
                });
            }
            // The program that writes does not block, and everything else goes on.
            for name in ["plain", "captured"] {
                assert_eq!(daemon.state_of(name), "RUNNING");
            }
            restart_latency(&daemon, "other");
            fs::remove_file(&filler).expect("it exists");
            for name in ["plain", "captured"] {
                let log = within(&daemon, &format!("volume/{name}"));
                File::options().write(true).open(&log).and_then(|file| file.set_len(0)).expect("it exists");
                let text = format!("{} can be written again, ", daemon.path("volume").join(name).display());
                daemon.wait_until(&format!("{name} recovers, round {round}"), |daemon| {
                    daemon.log().matches(&text).count() >= round
                });
                daemon.wait_until("lines come again", |_| fs::metadata(&log).is_ok_and(|file| file.len() > 100));
            }
        }
        assert_no_leak(&mut daemon, before);
        assert_eq!(daemon.stop(), 0);
    });
}

/// The volume of the activity log is full.
#[test]
fn a_full_volume_under_the_activity_log_does_not_end_the_daemon() {
    if !Power::Mount.is_there_for("a full volume under the activity log") {
        return;
    }
    only_ours(|| {
        let configuration = "[supervisord]\nlogfile={dir}/volume/supervisord.log\nlogfile_maxbytes=20KB\n\
            logfile_backups=5\n[program:p]\ncommand=sleep 1000\nstartsecs=0\nautorestart=true\n\
            stdout_logfile=NONE\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("full log", configuration).shell(SMALL_VOLUME).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let filler = within(&daemon, "volume/filler");
        let _ = fs::write(&filler, vec![0; 1 << 20]);
        for _ in 0..60 {
            restart_latency(&daemon, "p");
            daemon.wait_for_state("p", "RUNNING");
        }
        fs::remove_file(&filler).expect("it exists");
        let log = within(&daemon, "volume/supervisord.log");
        daemon.wait_until("the loss is logged", |daemon| {
            restart_latency(daemon, "p");
            fs::read_to_string(&log).is_ok_and(|text| text.contains("can be written again, "))
        });
        assert_eq!(daemon.stop(), 0);
    });
}

/// The limit leaves room for the beginning of an entry.
#[test]
fn an_entry_after_a_torn_one_begins_on_a_new_line() {
    only_ours(|| {
        let configuration = "[program:p]\ncommand=sleep 1000\nstartsecs=0\nautorestart=true\nstdout_logfile=NONE\n";
        let mut daemon = Scene::with("torn", configuration).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        daemon.wait_for_log("success: p entered RUNNING");
        let mut torn = 0;
        for round in 1..=2 {
            let before = daemon.log().len();
            limit(daemon.pid(), &format!("--fsize={}:", before + 10));
            restart_latency(&daemon, "p");
            daemon.wait_until("half an entry is there", |daemon| daemon.log().len() == before + 10);
            limit(daemon.pid(), "--fsize=unlimited:");
            restart_latency(&daemon, "p");
            daemon.wait_until("the loss is logged", |daemon| {
                daemon.log().matches("supervisord.log can be written again, ").count() == round
            });
            torn = daemon.log().lines().filter(|line| line.len() == 10).count();
            assert_eq!(torn, round, "{}", daemon.log());
        }
        let log = daemon.log();
        let entries = |line: &str| -> usize {
            [" CRIT ", " INFO ", " WARN "].iter().map(|level| line.matches(level).count()).sum()
        };
        let whole = log.lines().filter(|line| entries(line) == 1).count();
        assert_eq!(whole + torn, log.lines().count(), "{log}");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn a_device_that_is_always_full_is_logged_once() {
    only_ours(|| {
        let counts_twice = COUNTER.replace("print ++$n, \"\\n\";", "print ++$n, \"\\n\"; print STDERR \"$n\\n\";");
        let configuration = format!(
            "[program:full]\ncommand={counts_twice}\nstartsecs=0\nstdout_logfile=/dev/full\nstderr_logfile={{dir}}/counted\n"
        );
        let mut daemon = Scene::with("device", &configuration).start(Subject::Ours);
        daemon.wait_for_log("could not write to /dev/full");
        let counted = |daemon: &Daemon| daemon.read("counted").lines().count();
        let before = counted(&daemon);
        daemon.wait_until("much more is lost", |daemon| counted(daemon) > before + 300);
        daemon.call("supervisor.stopProcess", &["full".into()]);
        assert_eq!(daemon.log().matches("could not write to /dev/full").count(), 1, "{}", daemon.log());
        daemon.wait_for_log(" bytes for /dev/full were lost");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn a_fifo_without_a_reader_does_not_affect_others() {
    only_ours(|| {
        let program = |name: &str, command: &str, log: &str| {
            format!(
                "[program:{name}]\ncommand={command}\nstartsecs=0\nautorestart=true\nstdout_logfile={log}\nstderr_logfile=NONE\n"
            )
        };
        let configuration = program("mute", COUNTER, "{dir}/fifo")
            + &program("flood", "seq 1 100000000", "{dir}/flood")
            + &program("fine", COUNTER, "{dir}/fine");
        let scene = Scene::with("fifo", &configuration);
        let place = scene.set_up(Subject::Ours);
        for name in ["fifo", "flood"] {
            assert!(Command::new("mkfifo").arg(place.path(name)).status().expect("mkfifo runs").success());
        }
        let mut daemon = scene.start_in(place);
        daemon.wait_for_states(&["mute", "flood", "fine"], "RUNNING");
        daemon.wait_for_log("nobody reads it");
        let before = Resources::of(&daemon);
        restart_latency(&daemon, "fine");
        let size = fs::metadata(daemon.path("fine")).map_or(0, |file| file.len());
        daemon.wait_until("the neighbour's log grows", |daemon| daemon.read("fine").len() as u64 > size + 100);

        // A reader opens the FIFO, and reads whole lines.
        let mut fifo = File::options()
            .read(true)
            .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
            .open(daemon.path("fifo"))
            .expect("a fifo");
        let mut seen = Vec::new();
        daemon.wait_until("the reader sees it count", |_| {
            let mut piece = vec![0; 1 << 16];
            seen.extend_from_slice(&piece.clone()[..fifo.read(&mut piece).unwrap_or(0)]);
            seen.len() > 1000
        });
        drop(fifo);
        daemon.call("supervisor.stopAllProcesses", &[]);
        let now = Resources::of(&daemon);
        assert!(now.descriptors <= before.descriptors && now.memory < before.memory + (12 << 10), "{before:?} {now:?}");
        assert_idle(&daemon);
        assert_eq!(daemon.stop(), 0);
    });
}

/// A log directory that is removed, and made again.
#[test]
fn a_removed_log_directory_stops_only_its_programs() {
    only_ours(|| {
        let configuration = "[program:p]\ncommand=sleep 1000\nstartsecs=0\nautorestart=true\nstartretries=1000\n\
            stdout_logfile={dir}/logs/p\nstderr_logfile=NONE\n[program:q]\ncommand=sleep 1000\nstartsecs=0\n\
            autorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let scene = Scene::with("vanished", configuration).file("logs/.keep", "");
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_states(&["p", "q"], "RUNNING");
        let before = Resources::of(&daemon);
        fs::rename(daemon.path("logs"), daemon.path("elsewhere")).expect("it exists");
        daemon.kill_child("p");
        let failure = "spawnerr: unknown error making dispatchers for 'p': ENOENT";
        daemon.wait_until("it has failed again and again", |daemon| daemon.log().matches(failure).count() >= 3);
        assert!(Resources::of(&daemon).descriptors < before.descriptors, "each failure keeps its pipes open");
        restart_latency(&daemon, "q");
        fs::rename(daemon.path("elsewhere"), daemon.path("logs")).expect("it exists");
        daemon.wait_for_state("p", "RUNNING");
        assert_eq!(daemon.stop(), 0);
    });
}
