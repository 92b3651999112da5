//! Every verb of `supervisorctl`, with valid and invalid arguments, of both clients with both daemons.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;

use crate::harness::areas::Area;
use crate::harness::command::run;
use crate::harness::programs::{BROKEN, CAT, EARLY, LATER, PLAIN, RUNNING, TEAM};
use crate::harness::{
    Daemon, Observed, Program, Scene, Subject, compare, compare_pairs, each_subject, processes, record, wait,
};

fn world() -> String {
    [CAT, LATER, BROKEN, PLAIN, EARLY, LONG_NAME, TEAM].concat()
}

const LONG_NAME: &str = "
[program:a_program_whose_name_is_longer_than_the_column]
command=sleep 1000
autostart=false
stdout_logfile=NONE
stderr_logfile=NONE
";

/// The input in order. Each line depends on the effects of the lines before.
const TYPED: &str = "
status
status cat
status cat team:* nobody nogroup:*
status all
status team
status cat cat
version
version x
avail
avail x
pid
pid cat later
pid nobody
pid team:*
pid all
start later
start later
start nobody
start broken
start plain
start early
start nogroup:*
start nobody broken
start broken nobody
start
start team:*
tail later
tail -3 later
tail --5 later
tail -0 later
tail later stdout
tail later STDERR
tail later nonsense
tail later x\u{200b}y
tail nobody
tail -x later
tail plain
tail -5
tail a b c d
tail
stop later
stop later
stop nobody
stop nogroup:*
stop team:member_0
stop
restart cat
restart later
restart nobody
restart team:*
restart
signal HUP later
signal NONSENSE cat
signal CONT team:*
signal CONT broken
signal CONT nobody
signal CONT nogroup:*
signal CONT all
signal CONT
signal
clear later
clear nobody
clear
clear all
maintail -x
maintail a b
maintail -0
reread
reread x
update
update nobody
update team all
add cat
add nobody
add
remove cat
remove nobody
remove
shutdown x
fg
fg a b
fg nobody
fg broken
fg team:*
open
open nonsense
open ftp://somewhere
open unix:///nowhere/s.sock
help nonsense
quit
exit
EOF
nonsense
status;pid
!x
?
start all
stop all
stop all
signal CONT all
shutdown
";

/// Verbs that the original does not have; they have tests of their own.
const ADDED: [&str; 11] =
    ["scale", "disable", "enable", "events", "health", "logs", "mcp", "top", "upgrade", "wait", "why"];

fn type_all(daemon: &mut Daemon, client: Subject, observed: &mut Observed) {
    daemon.wait_for_states(&RUNNING, "RUNNING");
    for line in TYPED.lines().filter(|line| !line.is_empty()) {
        if line == "tail later" {
            daemon.wait_for_file("later.log");
        }
        let words: Vec<&str> = line.split(' ').collect();
        let output = daemon.ctl_of(client, &words, "");
        let text = normal(line, &output.stdout);
        observed.note(daemon, line, format!("{text}\n(status {})", output.code));
    }
    observed.exactly("exit status", daemon.exit_code());
}

/// The output without pids and help texts, and sorted where the order of processes varies.
fn normal(line: &str, said: &str) -> String {
    let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
    if line.starts_with("pid") {
        for line in &mut lines {
            if line.parse::<i32>().is_ok_and(|pid| pid > 0) {
                *line = "<pid>".to_owned();
            }
        }
    }
    if line == "?" {
        // Columns change with every added verb.
        lines = lines.iter().flat_map(|line| line.split_whitespace().map(str::to_owned)).collect();
        lines.retain(|verb| !ADDED.contains(&verb.as_str()));
        lines.sort();
    }
    if let Some(error) = lines.iter().position(|line| line.starts_with("Error: ")) {
        lines.truncate(error + 1);
    }
    if lines.iter().any(|line| line.starts_with("error: ")) {
        // The position of an unexpected error in the client's source code.
        lines = lines.iter().map(|line| line.split(": file: ").next().unwrap_or_default().to_owned()).collect();
    }
    lines.retain(|line| !line.contains('\t'));
    if line.contains(":*") || line.contains("all") {
        lines.sort();
    }
    if line.starts_with("maintail -0") {
        lines.retain(|line| line.contains(" CRIT ") || line.contains("started with pid"));
    }
    lines.join("\n")
}

#[test]
fn each_client_prints_the_same_for_its_own_daemon() {
    compare(&Scene::with("verbs", &world()), |daemon, observed| type_all(daemon, daemon.subject, observed));
}

#[test]
fn our_client_works_with_both_daemons() {
    if Subject::chosen().contains(&Subject::Ours) {
        compare(&Scene::with("verbs", &world()), |daemon, observed| type_all(daemon, Subject::Ours, observed));
    }
}

/// In one session, because this client starts slowly.
#[test]
fn the_original_client_works_with_both_daemons() {
    if !Subject::chosen().contains(&Subject::Original) {
        return;
    }
    const NOT_IN_A_SESSION: [&str; 8] = ["quit", "exit", "EOF", "open", "reload", "shutdown", "maintail", "!x"];
    let lines: Vec<&str> = TYPED
        .lines()
        .filter(|line| !line.is_empty() && !NOT_IN_A_SESSION.iter().any(|verb| line.starts_with(verb)))
        .collect();
    compare(&Scene::with("session", &world()), |daemon, observed| {
        daemon.wait_for_states(&RUNNING, "RUNNING");
        let session = daemon.ctl_of(Subject::Original, &[], &(lines.join("\n") + "\n"));
        let answers: Vec<&str> = session.stdout.split("supervisor> ").collect();
        assert!(answers.len() > lines.len(), "{session:?}");
        for (line, answer) in lines.iter().zip(&answers[1..]) {
            observed.note(daemon, line, normal(line, answer));
        }
    });
}

#[test]
fn the_shell_prints_the_same() {
    const SESSION: &str = "status cat\npid nobody\n\nstop cat\nstart cat cat\nnonsense\nversion x\nopen unix:///nowhere/s.sock\nstatus\nstart cat\n\
        help nonsense\nshutdown\nn\nreload\nno\nquit\nversion\n";
    compare_pairs(&Scene::with("shell", &world()), |daemon, client, observed| {
        daemon.wait_for_states(&RUNNING, "RUNNING");
        let said = daemon.ctl_of(client, &[], SESSION);
        // The wording of the help is ours.
        let session: Vec<&str> = said.stdout.lines().filter(|line| !line.contains('\t')).collect();
        observed.note(daemon, "session", session.join("\n"));
        observed.exactly("exit status", said.code);
        let said = daemon.ctl_of(client, &[], "");
        observed.note(daemon, "nothing typed", said.stdout);
        let said = daemon.ctl_of(client, &["-i", "shutdown"], "n\n");
        observed.note(daemon, "asked before", format!("{} {}", said.stdout, said.code));
    });
}

#[test]
fn usage_errors_have_the_same_status_and_text() {
    const LINES: [&str; 20] = [
        "-s foo -h",
        "--server foo -h",
        "-u a -u b -h",
        "-r a --history_file b -h",
        "-h -z",
        "-h -s",
        "-p -u -u a -u b",
        "-s foo -u a -u b status",
        "-z",
        "--nosuch",
        "-c",
        "-s foo status",
        "-s http://a -s http://b status",
        "--server http://127.0.0.1:1 status",
        "-u",
        "-p",
        "-c nowhere.conf status",
        "-c . status",
        "-c other.conf status",
        "-i -i status",
    ];
    let scene = Scene::with("usage", "").file("other.conf", "[supervisord]\n");
    compare_pairs(&scene, |daemon, client, observed| {
        for line in LINES {
            let mut command = daemon.command(&client.path(Program::Supervisorctl));
            command.args(line.split(' '));
            let said = run(&mut command, "");
            observed.exactly(line, said.code);
            observed.note(daemon, "said", said.stdout);
            // The parser may word errors about options itself.
            let parser = said.stderr.starts_with("Error: option");
            if !parser && !said.stderr.starts_with("error: ") {
                let program = client.path(Program::Supervisorctl).display().to_string();
                observed.note(daemon, "complained", said.stderr.replace(&program, "{program}"));
            }
        }
    });
}

/// A client that runs until it is interrupted.
fn follow(daemon: &Daemon, client: Subject, arguments: &[&str], record: &str) -> Child {
    let mut command = daemon.command(&client.path(Program::Supervisorctl));
    command.args(["-c", "supervisord.conf"]).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    command.stdout(File::create(daemon.path(record)).expect("the directory can be written"));
    command.spawn().expect("the client starts")
}

#[test]
fn following_a_log_shows_new_output() {
    compare_pairs(&Scene::with("follow", &world()), |daemon, client, observed| {
        daemon.wait_for_state("cat", "RUNNING");
        let say = |daemon: &Daemon, text: &str| {
            daemon.call("supervisor.sendProcessStdin", &["cat".into(), text.into()]);
        };
        say(daemon, "before\n");
        daemon.wait_for_file("cat.log");
        let mut tail = follow(daemon, client, &["tail", "-f", "cat"], "tail.txt");
        let mut main = follow(daemon, client, &["maintail", "-f"], "main.txt");
        daemon.wait_until("it shows the past", |daemon| daemon.read("tail.txt").contains("before\n"));
        say(daemon, "gr\u{fc}\u{df}e\n");
        daemon.wait_until("it shows the present", |daemon| daemon.read("tail.txt").contains("gr\u{fc}\u{df}e\n"));
        daemon.ctl(&["stop", "cat"]);
        daemon.wait_until("it shows the log", |daemon| daemon.read("main.txt").contains("stopped: cat"));
        for client in [&mut tail, &mut main] {
            processes::signal(client.id() as i32, Signal::SIGINT);
            let status = wait::poll(wait::DEADLINE, || client.try_wait().expect("a child can be waited for"));
            observed.exactly("exit status", status.and_then(|status| status.code()).unwrap_or(-1));
        }
        observed.exactly("followed", daemon.read("tail.txt"));
        assert!(daemon.read("main.txt").starts_with("==> Press Ctrl-C to exit <==\n"));
    });
}

/// The original's client needs up to half a minute to leave, or fails, so only ours is tested, with both daemons.
#[test]
fn fg_sends_lines_and_shows_output() {
    if !Subject::chosen().contains(&Subject::Ours) {
        return;
    }
    each_subject(|subject| {
        let mut daemon = Scene::with("foreground", &world()).start(subject);
        daemon.wait_for_state("cat", "RUNNING");
        daemon.wait_until("its log is open", |daemon| daemon.path("cat.log").exists());
        let said = daemon.ctl_of(Subject::Ours, &["fg", "cat"], "hello\nworld\n");
        daemon.wait_until("it arrived", |daemon| daemon.read("cat.log") == "hello\nworld\n");
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.starts_with("==> Press Ctrl-C to exit <==\n"), "{said:?}");
        assert!(said.stdout.ends_with("Exiting foreground\n"), "{said:?}");
    });
}

/// Every verb in the client's help is typed above.
#[test]
fn coverage() {
    each_subject(|subject| {
        let daemon = Scene::with("help", "").start(subject);
        let help = daemon.ctl(&["help"]).stdout;
        let listed: BTreeSet<&str> =
            help.lines().skip_while(|line| !line.starts_with("==")).skip(1).flat_map(str::split_whitespace).collect();
        assert!(listed.len() > 15, "{help}");
        let typed: BTreeSet<&str> = TYPED.lines().filter_map(|line| line.split(' ').next()).collect();
        let shared: Vec<&str> = listed.into_iter().filter(|verb| !ADDED.contains(verb)).collect();
        // It has a test of its own.
        let is_typed = |verb: &str| typed.contains(verb) || verb == "reload";
        let bare: Vec<&&str> = shared.iter().filter(|verb| !is_typed(verb)).collect();
        if subject == Subject::Original {
            record::covered(Area::Supervisorctl, "verbs", shared.len() - bare.len(), shared.len());
        }
        assert!(bare.is_empty(), "verbs that are never typed: {bare:?}");
    });
}

#[test]
fn reload_restarts_the_daemon_in_place() {
    compare_pairs(&Scene::with("reload", &world()), |daemon, client, observed| {
        daemon.wait_for_state("cat", "RUNNING");
        let (pid, child) = (daemon.pid(), daemon.pid_of("cat"));
        observed.exactly("said", daemon.ctl_of(client, &["reload"], "").transcript());
        daemon.wait_until("everything is new", |daemon| {
            daemon.rpc_if_up("supervisor.getProcessInfo", &["cat".into()]).is_some_and(|info| {
                info.get("statename").text() == "RUNNING" && info.get("pid").int() != i64::from(child)
            })
        });
        assert_eq!(daemon.pid(), pid);
    });
}
