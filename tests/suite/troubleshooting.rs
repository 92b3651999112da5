//! `why`, `wait`, `health` and `status --wide`: the daemon explains itself. The original has none of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::harness::needs::Power;
use crate::harness::terminal::Terminal;
use crate::harness::{Daemon, Program, Scene, Subject, only_ours, wait};

/// What `why` prints of a program.
fn why(daemon: &Daemon, name: &str) -> String {
    let output = daemon.ctl(&["why", name]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{}", output.stdout);
    output.stdout
}

/// That `why` prints all of these parts.
fn assert_explained(daemon: &Daemon, name: &str, parts: &[&str]) {
    let text = why(daemon, name);
    for part in parts {
        assert!(text.contains(part), "{name}: {part:?} is missing in\n{text}");
    }
}

/// Programs that fail, each in its own way, and one that keeps the next daemon from beginning anew.
const FAILING: &str = "[program:alive]\ncommand=sleep 1000\n[program:trace]\ncommand=python3 -c 'import nothing_there'\nstartretries=0\n\
    [program:missing]\ncommand=/no/such/program\nstartretries=0\n\
    [program:text]\ncommand={dir}/text\nstartretries=0\n\
    [program:script]\ncommand={dir}/script\nstartretries=0\n\
    [program:nowhere]\ncommand=sleep 1000\ndirectory={dir}/nowhere\nstartretries=0\n\
    [program:core]\ncommand=sh -c 'ulimit -c unlimited; kill -SEGV $$'\nstartsecs=0\nautorestart=false\ndirectory={dir}\n\
    [program:brief]\ncommand=true\nstartretries=0\n\
    [program:loop]\ncommand=sh -c 'echo once more >&2; exit 4'\nstartsecs=0\nautorestart=true\n\
    [program:killed]\ncommand=sleep 1000\nautorestart=false\nstartsecs=0\n\
    [program:hostile]\ncommand={dir}/hostile\nstartretries=0\n";

const HOSTILE: &str =
    "#!/bin/sh\nprintf '\\033]0;owned\\007\\033[31mred\\033[0m \\033[2J\\001 \\302\\233 end\\n' >&2\nexit 5\n";

fn failing() -> Scene {
    let scene = Scene::with("failing", FAILING).file("text", "no program");
    scene.script("script", "#!/no/such/interpreter\n").script("hostile", HOSTILE)
}

#[test]
fn each_failure_is_explained_with_what_to_do_and_so_after_an_upgrade_and_kill_9() {
    only_ours(|| {
        let mut daemon = failing().start(Subject::Ours);
        let fatal = ["trace", "missing", "text", "script", "nowhere", "brief", "hostile"];
        daemon.wait_for_states(&fatal, "FATAL");
        daemon.wait_for_state("core", "EXITED");
        daemon.kill_child("killed");
        daemon.wait_for_state("killed", "EXITED");
        daemon.wait_until("the loop is delayed", |daemon| {
            let why = why(daemon, "loop");
            why.contains("restarted ") && why.contains(" times")
        });
        let assert_all_explained = |daemon: &Daemon| {
            for (name, parts) in [
                (
                    "trace",
                    &[
                        "trace is FATAL since 20",
                        ": 1 attempt to start it failed, and supervisord gave up (startretries=0)\n",
                        "\n  last end: exit status 1 after ",
                        "; that was too quick (startsecs=1)\n",
                        "\n    | Traceback (most recent call last):\n",
                        "\n    | ModuleNotFoundError: No module named 'nothing_there'\n",
                        "what to do: fix the cause, then start it: supervisorctl start trace\n",
                    ][..],
                ),
                ("missing", &["\n  could not be started: can't find command '/no/such/program'\n", "correct the path"]),
                ("text", &["is not executable", "chmod +x"]),
                ("script", &["couldn't exec ", ": ENOENT\n", "or the interpreter in its first line (#!) does not"]),
                ("nowhere", &["couldn't chdir to ", "what to do: the directory ", " does not exist: make it"]),
                (
                    "core",
                    &["terminated by SIGSEGV", "; that was not expected\n", "not started again (autorestart=false)"],
                ),
                ("brief", &["exit status 0 after ", "keep the program in the foreground"]),
                ("killed", &["terminated by SIGKILL after ", "the daemon did not send SIGKILL"]),
                ("loop", &["\n    | once more\n", "exit status 4 after ", "since it was started"]),
                ("hostile", &["\n    | \\x1b]0;owned\\x07red \\x01 \\x9b end\n", "exit status 5"]),
            ] {
                assert_explained(daemon, name, parts);
            }
        };
        assert_all_explained(&daemon);
        let before = why(&daemon, "trace");
        let (_, end) = before.split_once("last end: ").expect("it ended");
        let end = end.split(" (").next().expect("the time of the end").to_owned();
        daemon.crash();
        daemon.start_again();
        assert_all_explained(&daemon);
        assert!(why(&daemon, "trace").contains(&end), "{end} in {}", why(&daemon, "trace"));
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        assert_all_explained(&daemon);
        assert!(why(&daemon, "trace").contains(&end), "{end} in {}", why(&daemon, "trace"));
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn what_a_user_may_not_do_is_explained() {
    only_ours(|| {
        if !Power::ChangeUser.is_there_for("what a daemon without rights says of its programs") {
            return;
        }
        let text = "[program:user]\ncommand=sleep 1000\nuser=daemon\nstartretries=0\n\
            [program:nice]\ncommand=sleep 1000\nnice=-5\nstartretries=0\n\
            [program:log]\ncommand=sleep 1000\nstartretries=0\nstdout_logfile={dir}/shut/out.log\n\
            [program:inside]\ncommand=sleep 1000\nstartretries=0\ndirectory={dir}/shut\n";
        let as_nobody = "mkdir -m 700 shut; set -- setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
        let mut daemon = Scene::with("rights", text).open_to_all().shell(as_nobody).start(Subject::Ours);
        daemon.wait_for_states(&["user", "nice", "log", "inside"], "FATAL");
        for (name, parts) in [
            ("user", ["couldn't setuid to ", "only a daemon that runs as root can start programs as another user"]),
            ("nice", ["couldn't set nice to -5: EACCES", "nice=-5 is too low for it"]),
            (
                "log",
                [
                    "could not be started: unknown error making dispatchers for 'log': EACCES",
                    "the daemon may write there",
                ],
            ),
            ("inside", ["couldn't chdir to ", "the user of the program may not enter "]),
        ] {
            assert_explained(&daemon, name, &parts);
        }
        assert_eq!(daemon.stop(), 0);
    });
}

/// The terminal gets the same characters, whatever the program wrote.
#[test]
fn nothing_that_a_program_wrote_controls_the_terminal() {
    only_ours(|| {
        let mut daemon = failing().start(Subject::Ours);
        daemon.wait_for_state("hostile", "FATAL");
        for arguments in [
            &["why", "hostile"][..],
            &["status", "--wide", "hostile"],
            &["health", "hostile"],
            &["status", "--json", "hostile"],
        ] {
            let (shown, _) = Terminal::ctl(&daemon, arguments).raw_end();
            assert!(shown.contains("owned"), "{arguments:?}: {shown:?}");
            let plain = shown.replace("\u{1b}[31mFATAL\u{1b}[0m", "FATAL");
            assert!(!plain.chars().any(|c| c.is_control() && !"\r\n".contains(c)), "{arguments:?}: {shown:?}");
        }
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn output_with_and_without_a_log_is_kept_and_that_before_an_upgrade_too() {
    only_ours(|| {
        let text = "[program:none]\ncommand={dir}/says\nstderr_logfile=NONE\nautorestart=false\nstartsecs=0\n\
            [program:merged]\ncommand={dir}/says\nredirect_stderr=true\nautorestart=false\nstartsecs=0\n\
            [program:log]\ncommand={dir}/says\nstderr_logfile={dir}/log.err\nautorestart=false\nstartsecs=0\n\
            [program:file]\ncommand={dir}/says\nstderr_logfile=/dev/stderr\nstderr_logfile_maxbytes=0\nautorestart=false\nstartsecs=0\n\
            [eventlistener:heard]\ncommand={dir}/says\nevents=TICK_3600\nautorestart=false\nstartsecs=0\n";
        let says =
            "#!/bin/sh\necho first >&2\nwhile [ ! -e {dir}/enough ]; do sleep 0.05; done\necho second >&2\nexit 3\n";
        let mut daemon = Scene::with("said", text).script("says", says).start(Subject::Ours);
        let names = ["none", "merged", "log", "file", "heard"];
        daemon.wait_for_states(&names, "RUNNING");
        daemon.wait_until("the first line is there", |daemon| daemon.read("log.err") == "first\n");
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        daemon.write("enough", "");
        daemon.wait_for_states(&names, "EXITED");
        for name in names {
            let channel = if name == "merged" { "last lines of its output:" } else { "last lines on stderr:" };
            assert_explained(&daemon, name, &[&format!("\n  {channel}\n    | first\n    | second\n")]);
        }
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn a_chain_of_programs_that_wait_in_vain_is_explained_to_its_end() {
    only_ours(|| {
        // One that lives keeps the next daemon from beginning anew.
        let text = "[program:alive]\ncommand=sleep 1000\n[program:db]\ncommand=sh -c 'echo no data directory >&2; exit 3'\nstartretries=0\n\
            [program:web]\ncommand=sleep 1000\ndepends_on=db\n\
            [program:api]\ncommand=sleep 1000\ndepends_on=web\n\
            [program:proxy]\ncommand=sleep 1000\ndepends_on=api\n";
        let mut daemon = Scene::with("chain", text).start(Subject::Ours);
        daemon.wait_for_state("db", "FATAL");
        let parts = [
            "proxy is STARTING since ",
            ": it waits in vain for what it depends on\n  waiting for api to be ready (api waits in vain)\n    api is STARTING",
            "\n      waiting for web to be ready (web waits in vain)\n        web is STARTING",
            "\n          waiting for db to be ready (db is FATAL)\n            db is FATAL since ",
            "\n                | no data directory\n",
            "depended on by: web\n",
        ];
        assert_explained(&daemon, "proxy", &parts);
        daemon.crash();
        daemon.start_again();
        assert_explained(&daemon, "proxy", &parts);
        let waited = daemon.ctl(&["wait", "proxy", "--timeout", "1h"]);
        let line = "proxy: ERROR (cannot become running: STARTING, waiting for api to be ready (api waits in vain))\n";
        assert_eq!((waited.stdout.as_str(), waited.code), (line, 1));
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn who_stopped_started_or_signalled_a_program_last_is_known_and_kept() {
    only_ours(|| {
        let mut daemon = Scene::with("asked", "[program:web]\ncommand=sleep 1000\nstartsecs=0\n").start(Subject::Ours);
        daemon.wait_for_state("web", "RUNNING");
        assert!(!why(&daemon, "web").contains("last request"), "nobody asked");
        let by = "by a client via XML-RPC from the unix socket, uid ";
        assert_eq!(daemon.ctl(&["signal", "CONT", "web"]).code, 0);
        assert_explained(&daemon, "web", &["last request: signal SIGCONT, ", by]);
        assert_eq!(daemon.ctl(&["stop", "web"]).code, 0);
        let parts = [
            "last request: stop, ",
            by,
            "it was stopped, and is not started without a request",
            ", when it was stopped",
        ];
        assert_explained(&daemon, "web", &parts);
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        assert_explained(&daemon, "web", &parts);
        assert_eq!(daemon.ctl(&["start", "web"]).code, 0);
        daemon.crash();
        daemon.start_again();
        assert_explained(&daemon, "web", &["last request: start, ", by, "it runs with pid "]);
        assert_eq!(daemon.stop(), 0);
    });
}

/// A program that is ready when a file is there, and one that comes after it.
const LATE: &str = "[program:late]\ncommand={dir}/late\nstartsecs=0\nautorestart=true\nautostart=false\n\
    [program:after]\ncommand=sleep 1000\nstartsecs=0\ndepends_on=late\nautostart=false\n\
    [program:fatal]\ncommand=false\nstartretries=0\n\
    [program:job]\ncommand=sleep 0.1\nstartsecs=0\nautorestart=false\n\
    [group:team]\nprograms=a,b\n[program:a]\ncommand=sleep 1000\n[program:b]\ncommand=sleep 1000\n";

/// The sockets that a process has open, but those that it was started with.
fn connections(pid: u32) -> BTreeSet<PathBuf> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return BTreeSet::new() };
    let own = entries.flatten().filter(|entry| !["0", "1", "2"].iter().any(|name| entry.file_name() == *name));
    let links = own.filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).collect()
}

#[test]
fn wait_ends_when_all_have_got_there_whatever_happens_to_the_daemon() {
    only_ours(|| {
        let mut daemon = Scene::with("late", LATE).script("late", "#!/bin/sh\nexec sleep 1000\n").start(Subject::Ours);
        let waited = daemon.ctl(&["wait", "team:*"]);
        assert_eq!((waited.stdout.as_str(), waited.code), ("", 0));
        assert_eq!(daemon.state_of("team:a"), "RUNNING");
        assert_eq!(daemon.ctl(&["wait", "job", "--for", "stopped"]).code, 0);
        let waited = daemon.ctl(&["wait", "job:*", "--for", "ready"]);
        assert_eq!((waited.stdout.as_str(), waited.code), ("", 0), "it has done its work");
        let waited = daemon.ctl(&["wait", "job"]);
        let line = "job: ERROR (cannot become running: EXITED, exit status 0";
        assert!(waited.stdout.starts_with(line) && waited.code == 1, "{}", waited.stdout);
        daemon.wait_for_state("fatal", "FATAL");
        let waited = daemon.ctl(&["wait", "team:a", "fatal"]);
        assert_eq!(waited.code, 1);
        assert!(
            waited.stdout.starts_with("fatal: ERROR (cannot become running: FATAL, exit status 1 after "),
            "{}",
            waited.stdout
        );
        let waited = daemon.ctl(&["wait", "after", "--timeout", "50ms"]);
        assert_eq!((waited.stdout.as_str(), waited.code), ("after: ERROR (is not running: STOPPED)\n", 1));
        let waited = daemon.ctl(&["wait", "team:a", "--timeout", "0s"]);
        assert_eq!((waited.stdout.as_str(), waited.code), ("", 0), "it is so already");
        for (arguments, text) in [
            (&["wait", "nobody"][..], "nobody: ERROR (no such process)\n"),
            (&["wait", "nobody:*"], "nobody: ERROR (no such group)\n"),
        ] {
            let waited = daemon.ctl(arguments);
            assert_eq!((waited.stdout.as_str(), waited.code), (text, 1));
        }
        let scene = daemon.fill("{dir}/supervisord.conf");
        // It waits through an upgrade and a crash.
        let mut waiting = daemon.command(&Subject::Ours.path(Program::Supervisorctl));
        let mut waiting = waiting.args(["-c", &scene, "wait", "after", "--timeout", "2min"]).spawn().expect("it runs");
        wait::until("it waits", || !connections(waiting.id()).is_empty());
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        let before = connections(waiting.id());
        daemon.crash();
        daemon.start_again();
        wait::until("it asks this daemon", || {
            let now = connections(waiting.id());
            !now.is_empty() && now.is_disjoint(&before)
        });
        assert!(waiting.try_wait().expect("it is ours").is_none(), "it still waits");
        assert_eq!(daemon.ctl(&["start", "after"]).stdout, "after: started\n");
        assert!(waiting.wait().expect("it is ours").success());
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn health_is_that_of_what_should_run() {
    only_ours(|| {
        let mut daemon =
            Scene::with("healthy", LATE).script("late", "#!/bin/sh\nexec sleep 1000\n").start(Subject::Ours);
        daemon.wait_for_states(&["team:a", "team:b"], "RUNNING");
        daemon.wait_for_state("fatal", "FATAL");
        daemon.wait_for_state("job", "EXITED");
        let health = daemon.ctl(&["health"]);
        assert!(health.stdout.starts_with("fatal: FATAL: exit status 1 after "), "{}", health.stdout);
        assert_eq!(
            (health.stdout.lines().count(), health.code),
            (1, 1),
            "neither job nor late should run: {}",
            health.stdout
        );
        let quiet = daemon.ctl(&["health", "-q"]);
        assert_eq!((quiet.stdout.as_str(), quiet.code), ("", 1));
        let team = daemon.ctl(&["health", "team:*"]);
        assert_eq!((team.stdout.as_str(), team.code), ("healthy: 2 processes\n", 0));
        assert_eq!(daemon.ctl(&["health", "late"]).code, 1, "it was named");
        assert_eq!(daemon.ctl(&["health", "nobody"]).code, 1);
        assert_eq!(daemon.ctl(&["stop", "team:*"]).code, 0);
        assert_eq!(daemon.ctl(&["health"]).stdout.lines().count(), 1, "what was stopped need not run");
        let scene = daemon.fill("{dir}/supervisord.conf");
        assert_eq!(daemon.stop(), 0);
        let mut command = daemon.command(&Subject::Ours.path(Program::Supervisorctl));
        let output = command.args(["-c", &scene, "health", "-q"]).output().expect("it runs");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "there is no daemon");
    });
}

#[test]
fn status_has_more_columns_and_json_on_request() {
    only_ours(|| {
        let mut daemon = Scene::with("wide", LATE).script("late", "#!/bin/sh\nexec sleep 1000\n").start(Subject::Ours);
        daemon.wait_for_states(&["team:a", "team:b"], "RUNNING");
        daemon.wait_for_state("fatal", "FATAL");
        let wide = daemon.ctl(&["status", "--wide"]);
        assert_eq!(wide.code, 3, "as without it");
        let lines: Vec<&str> = wide.stdout.lines().collect();
        let heading: Vec<&str> = lines[0].split("  ").filter(|word| !word.is_empty()).map(str::trim).collect();
        assert_eq!(heading, ["NAME", "STATE", "SINCE", "PID", "RESTARTS", "LAST END"], "{}", wide.stdout);
        assert!(wide.stdout.contains("exit status 1, "), "{}", wide.stdout);
        let one = daemon.ctl(&["status", "team:a", "--wide"]);
        assert_eq!((one.stdout.lines().count(), one.code), (2, 0), "{}", one.stdout);
        let json = daemon.ctl(&["status", "--json", "fatal"]);
        let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
        assert_eq!(json["programs"][0]["last_end"]["exit_status"], 1);
        assert_eq!(daemon.ctl(&["status", "--wide", "nobody"]).code, 4);
        assert_eq!(daemon.ctl(&["why", "nobody"]).code, 4);
        let json = daemon.ctl(&["why", "--json", "fatal"]).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json[0]["outlook"], "out_of_attempts");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn an_unhealthy_program_fails_the_health_check_and_a_wait_until_it_is_mended() {
    only_ours(|| {
        let text = "[program:web]\ncommand=sleep 1000\nstartsecs=0\nhealthcheck=file:{dir}/well\n\
            healthcheck_interval=1s\nhealthcheck_retries=2\n[program:other]\ncommand=sleep 1000\nstartsecs=0\n";
        let mut daemon = Scene::with("ill", text).start(Subject::Ours);
        daemon.wait_until("it is unhealthy", |daemon| daemon.ctl(&["health", "-q"]).code == 1);
        let health = daemon.ctl(&["health"]);
        assert!(health.stdout.starts_with("web: unhealthy: ") && health.code == 1, "{}", health.stdout);
        assert_eq!(health.stdout.lines().count(), 1, "{}", health.stdout);
        assert_eq!(daemon.ctl(&["wait", "web"]).code, 0, "it is RUNNING");
        let waited = daemon.ctl(&["wait", "web", "--for", "healthy", "--timeout", "50ms"]);
        assert!(waited.stdout.starts_with("web: ERROR (is not healthy: RUNNING, unhealthy: "), "{}", waited.stdout);
        assert_eq!(waited.code, 1);
        assert_explained(&daemon, "web", &["health: unhealthy"]);
        let wide = daemon.ctl(&["status", "--wide"]).stdout;
        assert!(wide.contains("  HEALTH ") && wide.contains("  unhealthy "), "{wide}");
        let scene = daemon.fill("{dir}/supervisord.conf");
        let mut command = daemon.command(&Subject::Ours.path(Program::Supervisorctl));
        let waiting = command.args(["-c", &scene, "wait", "all", "--for", "healthy", "--timeout", "2min"]);
        let mut waiting = waiting.spawn().expect("it runs");
        daemon.write("well", "");
        assert!(waiting.wait().expect("it is ours").success());
        let health = daemon.ctl(&["health"]);
        assert_eq!((health.stdout.as_str(), health.code), ("healthy: 2 processes\n", 0));
        assert_eq!(daemon.stop(), 0);
    });
}

/// A control group with little memory.
struct TightGroup(PathBuf);

impl TightGroup {
    /// None, with a line, where this user may not make one.
    fn new() -> Option<TightGroup> {
        let places = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        for (place, limit) in places {
            let path = PathBuf::from(place).join(format!("suite-{}", std::process::id()));
            if fs::create_dir(&path).is_err() {
                continue;
            }
            let group = TightGroup(path);
            let limit = group.0.join(limit);
            if limit.exists() && fs::write(limit, "64000000").is_ok() {
                return Some(group);
            }
        }
        eprintln!(
            "left out, because this user may not limit the memory of a control group: a program that is killed for it"
        );
        None
    }
}

/// It can be removed when the last process has left it.
impl Drop for TightGroup {
    fn drop(&mut self) {
        wait::poll(wait::DEADLINE, || fs::remove_dir(&self.0).ok());
    }
}

#[test]
fn a_program_that_the_kernel_killed_for_its_memory_is_told_from_others() {
    only_ours(|| {
        let Some(group) = TightGroup::new() else { return };
        let text = "[program:hungry]\ncommand=python3 -c 'import time; x = bytearray(b\"x\" * 300000000); time.sleep(1000)'\n\
            startsecs=0\nautorestart=false\n";
        let join = format!("echo $$ > {}/cgroup.procs", group.0.display());
        let mut daemon = Scene::with("hungry", text).shell(&join).start(Subject::Ours);
        daemon.wait_for_state("hungry", "EXITED");
        assert_explained(
            &daemon,
            "hungry",
            &[
                "last end: terminated by SIGKILL after ",
                "the kernel has killed 1 process of its control group for want of memory since ",
                "what to do: let it use less memory",
            ],
        );
        assert_eq!(daemon.stop(), 0);
        drop(daemon);
        drop(group);
    });
}
