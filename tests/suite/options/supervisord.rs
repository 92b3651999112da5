//! `[supervisord]`.

use std::fs;

use nix::unistd::geteuid;

use crate::harness::{Daemon, Observed, Scene, compare, compare_refusal, compare_runs, each_subject, processes};

const SLEEPER: &str = "[program:p]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n";

fn scene(name: &str, options: &str) -> Scene {
    Scene::with(name, &format!("{SLEEPER}[supervisord]\n{options}"))
}

/// The activity log once the program runs.
fn note_story(daemon: &mut Daemon, observed: &mut Observed) {
    daemon.wait_for_state("p", "RUNNING");
    daemon.wait_for_log("entered RUNNING");
    observed.note(daemon, "activity log", daemon.story());
}

pins! {
    minfds: "supervisord minfds" => {
        compare(&scene("minfds", "minfds=3000").shell("ulimit -Sn 300"), |daemon, observed| {
            note_story(daemon, observed);
            let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid_of("p"))).unwrap_or_default();
            let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
            observed.exactly("limit of the child", files.split_whitespace().nth(3).unwrap_or_default());
        });
        // More than the hard limit. The original's message gives the wanted number as the limit.
        compare_runs(|subject| {
            let output = scene("minfds", "minfds=2000000000").run(subject);
            let mut observed = Observed::new();
            observed.exactly("exit status", output.code);
            observed.exactly("refusal", output.stderr.split("The current environment").next().unwrap_or_default());
            observed
        });
    }

    minprocs: "supervisord minprocs" => {
        compare(&scene("minprocs", "minprocs=5000").shell("prlimit --pid $$ --nproc=4000:"), |daemon, observed| {
            note_story(daemon, observed);
            daemon.wait_for_log("Increased RLIMIT_NPROC limit to 5000");
            let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid_of("p"))).unwrap_or_default();
            let processes = limits.lines().find(|line| line.starts_with("Max processes")).unwrap_or_default();
            observed.exactly("limit of the child", processes.split_whitespace().nth(2).unwrap_or_default());
        });
    }

    /// Both only matter for a daemon in the background.
    directory_and_umask: "supervisord directory" "supervisord umask" => {
        let options = "directory={dir}/there\numask=027\n[program:q]\ncommand=sh -c 'umask; pwd; exec sleep 1000'\n\
            stdout_logfile={dir}/q.log\nstderr_logfile=NONE\nstartsecs=0\n";
        for arguments in [&["-n"] as &[&str], &[]] {
            let scene = scene("directory", options).arguments(arguments).file("there/.keep", "");
            compare(&scene, |daemon, observed| {
                daemon.wait_for_state("q", "RUNNING");
                daemon.wait_until("the program has spoken", |daemon| daemon.read("q.log").lines().count() == 2);
                note_story(daemon, observed);
                let directory = fs::read_link(format!("/proc/{}/cwd", daemon.pid())).unwrap_or_default();
                observed.note(daemon, "directory of the daemon", directory.display());
                observed.note(daemon, "what the child sees", daemon.read("q.log"));
            });
        }
    }

    user: "supervisord user" => {
        compare_refusal(&scene("user", "user=no-such-user"));
        compare_refusal(&scene("user", "user=999999"));
        if geteuid().is_root() {
            compare(&scene("user", "user=root"), note_story);
            compare(&scene("user", "user=nobody").open_to_all(), |daemon, observed| {
                note_story(daemon, observed);
                let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid_of("p"))).unwrap_or_default();
                for line in status.lines().filter(|line| ["Uid", "Gid", "Gro"].contains(&&line[..3])) {
                    observed.exactly("identity of the child", line);
                }
                observed.note(daemon, "environment", daemon.ctl(&["status"]).transcript());
            });
        } else {
            compare_refusal(&scene("user", "user=root"));
        }
    }

    logfile: "supervisord logfile" => {
        compare(&scene("logfile", "logfile=other.log"), |daemon, observed| {
            daemon.wait_for_state("p", "RUNNING");
            daemon.wait_until("the log is written", |daemon| daemon.read("other.log").contains("entered RUNNING"));
            observed.note(daemon, "log", daemon.read("other.log"));
            observed.note(daemon, "echo", daemon.stdout());
            observed.note(daemon, "over the wire", daemon.call("supervisor.readLog", &[0.into(), 0.into()]).text());
            observed.exactly("files", daemon.names().join(" "));
        });
        compare(&scene("logfile", "logfile=syslog"), |daemon, observed| {
            daemon.wait_for_state("p", "RUNNING");
            observed.exactly("files", daemon.names().join(" "));
            observed.exactly("read", format!("{:?}", daemon.rpc("supervisor.readLog", &[0.into(), 0.into()])));
            observed.exactly("clear", format!("{:?}", daemon.rpc("supervisor.clearLog", &[])));
            observed.note(daemon, "tail", daemon.ctl(&["maintail"]).transcript());
        });
        // An option without a value means the default.
        compare(&scene("logfile", "").arguments(&["-n", "-l", "", "-j", ""]), |daemon, observed| {
            note_story(daemon, observed);
            observed.exactly("files", daemon.names().join(" "));
        });
        compare_refusal(&scene("logfile", "logfile=nowhere/supervisord.log"));
    }

    logfile_rotation: "supervisord logfile_maxbytes" "supervisord logfile_backups" => {
        for options in ["logfile_maxbytes=1KB\nlogfile_backups=2\nloglevel=debug", "logfile_maxbytes=1KB\nlogfile_backups=0\nloglevel=debug"] {
            compare(&scene("rotation", options), |daemon, observed| {
                daemon.wait_for_state("p", "RUNNING");
                for _ in 0..100 {
                    daemon.call("supervisor.signalProcess", &["p".into(), "CONT".into()]);
                }
                let expected = if options.contains("backups=2") { 3 } else { 1 };
                let mut logs = Vec::new();
                daemon.wait_until("it is between two rotations", |daemon| {
                    logs = daemon.names().into_iter().filter(|name| name.contains(".log")).collect();
                    logs.len() >= expected
                });
                for log in logs.iter().filter(|log| *log != "supervisord.log") {
                    let size = daemon.read(log).len();
                    assert!((1024..1400).contains(&size), "{log} has {size} bytes");
                }
                observed.exactly("files", logs.join(" "));
            });
        }
    }

    loglevel: "supervisord loglevel" => {
        for level in ["critical", "warn", "info", "debug", "trace"] {
            let scene = scene("loglevel", &format!("loglevel={level}\n[program:bad]\ncommand=false\nautorestart=false\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n"));
            compare(&scene, |daemon, observed| {
                daemon.wait_for_states(&["p"], "RUNNING");
                daemon.wait_for_state("bad", "EXITED");
                if level != "critical" {
                    daemon.wait_for_log("exited: bad");
                }
                daemon.call("supervisor.signalProcess", &["p".into(), "CONT".into()]);
                // Lines of the HTTP server at TRAC differ between the two programs.
                let log = daemon.log();
                let mut levels: Vec<&str> = log.lines().filter_map(|line| line.split(' ').nth(2)).collect();
                levels.retain(|level| ["CRIT", "ERRO", "WARN", "INFO", "DEBG", "TRAC"].contains(level));
                levels.sort();
                levels.dedup();
                observed.exactly(level, levels.join(" "));
            });
        }
        compare_refusal(&scene("loglevel", "loglevel=loud"));
    }

    pidfile: "supervisord pidfile" => {
        each_subject(|subject| {
            let mut daemon = scene("pidfile", "pidfile=%(here)s/run/other.pid").file("run/.keep", "").launch(subject);
            let pid = daemon.wait_for_file("run/other.pid");
            assert_eq!(pid, format!("{}\n", daemon.launched_pid()));
            daemon.wait_for_log("started with pid");
            processes::signal(daemon.launched_pid(), nix::sys::signal::Signal::SIGTERM);
            assert_eq!(daemon.exit_code(), 0);
            assert!(!daemon.path("run/other.pid").exists(), "the pid file is removed");
        });
        // A pid file that cannot be written is only logged.
        let scene = scene("pidfile", "pidfile={dir}/directory").file("directory/.keep", "");
        compare_runs(|subject| {
            let mut daemon = scene.launch(subject);
            daemon.wait_for_log("entered RUNNING");
            let mut observed = Observed::new();
            observed.note(&daemon, "log", daemon.story());
            observed
        });
    }

    identifier: "supervisord identifier" => {
        let options = "identifier=the-one\n[program:q]\ncommand=sleep 1000\nstartsecs=0\n";
        compare(&scene("identifier", options), |daemon, observed| {
            daemon.wait_for_state("q", "RUNNING");
            observed.exactly("over the wire", daemon.call("supervisor.getIdentification", &[]));
            let mut logs = daemon.names();
            logs.retain(|name| name.starts_with("q-std"));
            for log in logs {
                let (head, random) = log.split_at(log.len() - "12345678.log".len());
                observed.exactly("automatic log", head);
                observed.exactly("its end", random.len());
            }
        });
    }

    nodaemon: "supervisord nodaemon" => {
        compare(&scene("nodaemon", "nodaemon=true").arguments(&[]), |daemon, observed| {
            note_story(daemon, observed);
            assert_eq!(daemon.launched_pid(), daemon.pid(), "it stays in the foreground");
            observed.note(daemon, "echo", daemon.stdout());
        });
        compare(&scene("nodaemon", "nodaemon=false").arguments(&[]), |daemon, observed| {
            note_story(daemon, observed);
            observed.exactly("exit status of the launcher", daemon.exit_code());
            observed.note(daemon, "echo", daemon.stdout());
            let process = processes::process(daemon.pid()).expect("the daemon runs");
            observed.exactly("leads its session", process.session == process.pid);
            observed.exactly("leads its group", process.group == process.pid);
            for descriptor in 0..3 {
                let target = fs::read_link(format!("/proc/{}/fd/{descriptor}", daemon.pid())).unwrap_or_default();
                observed.exactly("descriptor", target.display());
            }
        });
    }

    silent: "supervisord silent" => {
        for options in ["silent=true", "silent=false", "silent=true\nlogfile=/dev/stdout\nlogfile_maxbytes=0"] {
            compare(&scene("silent", options), |daemon, observed| {
                daemon.wait_for_state("p", "RUNNING");
                daemon.wait_until("it is logged", |daemon| {
                    (daemon.log() + &daemon.stdout()).contains("entered RUNNING")
                });
                observed.note(daemon, "echo", daemon.stdout());
            });
        }
    }

    childlogdir: "supervisord childlogdir" => {
        let options = "childlogdir={dir}/logs\n[program:q]\ncommand=sh -c 'echo out; echo err >&2; exec sleep 1000'\nstartsecs=0\n";
        compare(&scene("childlogdir", options).file("logs/.keep", ""), |daemon, observed| {
            daemon.wait_for_state("q", "RUNNING");
            for channel in ["stdout_logfile", "stderr_logfile"] {
                let log = daemon.info("q").get(channel).text().to_owned();
                daemon.wait_for_file(&log);
                observed.exactly(channel, daemon.read(&log));
                observed.note(daemon, "name", &log);
                let mode = fs::metadata(&log).map(|meta| std::os::unix::fs::PermissionsExt::mode(&meta.permissions()));
                observed.exactly("mode", format!("{:o}", mode.unwrap_or(0)));
            }
        });
        compare_refusal(&scene("childlogdir", "childlogdir={dir}/nowhere"));
    }

    nocleanup: "supervisord nocleanup" => {
        const OLD: [&str; 6] = [
            "x-stdout---supervisor-abcd1234.log",
            "x-stderr---supervisor-abcd1234.log.1",
            "anything---supervisor-z.log.txt",
            "---supervisor-z.log",
            "x-stdout---other-abcd1234.log",
            "x-stdout---supervisor-.log",
        ];
        for options in ["nocleanup=true", "nocleanup=false"] {
            let scene = OLD.iter().fold(scene("nocleanup", options), |scene, name| scene.file(name, "old"));
            compare(&scene, |daemon, observed| {
                daemon.wait_for_state("p", "RUNNING");
                observed.exactly("files", daemon.names().join("\n"));
            });
        }
    }

    strip_ansi: "supervisord strip_ansi" => {
        for options in ["strip_ansi=true", "strip_ansi=false"] {
            let options = format!("{options}\n[program:q]\ncommand=printf '\\033[31mred \\033[0mplain\\033[2K\\n'\nstartsecs=0\n\
                autorestart=false\nstdout_logfile={{dir}}/q.log\nstderr_logfile=NONE\n");
            compare(&scene("strip_ansi", &options), |daemon, observed| {
                daemon.wait_for_state("q", "EXITED");
                observed.exactly("log", format!("{:?}", daemon.read("q.log")));
            });
        }
    }

    environment: "supervisord environment" => {
        let options = "environment=A=\"1 2\",B='%(ENV_HOME)s',SUPERVISOR_PROCESS_NAME=mine,C=100%%%%\n\
            [program:q]\ncommand=env\nstartsecs=0\nautorestart=false\nstdout_logfile=%(ENV_B)s/q.log\nstderr_logfile=NONE\n\
            environment=A=3,D=\"%(ENV_A)s\"\n";
        compare(&scene("environment", options), |daemon, observed| {
            daemon.wait_for_state("q", "EXITED");
            let log = daemon.read("q.log");
            let mut variables: Vec<&str> = log.lines().collect();
            variables.sort();
            observed.note(daemon, "environment", variables.join("\n"));
        });
    }
}
