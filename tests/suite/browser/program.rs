//! The view of one program: why it is as it is, its logs, signals.

use std::fs::OpenOptions;
use std::io::Write;

use super::open;
use crate::harness::Daemon;

const PROGRAMS: &str = "
[program:db]
command=sleep 1000
startsecs=0
[program:web]
command=sh -c 'echo ready; echo careful >&2; exec cat'
startsecs=0
depends_on=db
stdout_logfile={dir}/web.log
stdout_logfile_maxbytes=2KB
[program:broken]
command=sh -c 'echo no database >&2; exit 3'
startretries=0
[program:trap]
command=sh -c 'trap \"echo got USR1\" USR1; while :; do sleep 0.1; done'
startsecs=0
";

fn say(daemon: &Daemon, text: &str) {
    daemon.call("supervisor.sendProcessStdin", &["web".into(), text.into()]);
}

/// How many lines of the log contain a text.
fn lines_with(text: &str) -> String {
    format!(
        "[...document.querySelectorAll('.log-line:not([hidden])')].filter((line) => line.textContent.includes('{text}')).length"
    )
}

#[test]
fn a_program_explains_itself() {
    let (_daemon, page) = open("browser-program", PROGRAMS);
    page.wait_for_row("broken:broken", "Fatal");
    page.click(".row[data-key='broken:broken'] .name");
    page.wait_for_text("broken is FATAL");
    page.wait_for_text("no database");
    page.wait_for_text("Ended: exit status 3");
    // The address works on its own.
    page.go_to_program("web", "web");
    page.run("location.reload()");
    page.wait("it depends on db", "return document.querySelector('.facts a')?.textContent === 'db ready'");
    page.click(".facts a");
    page.wait("db is shown", "return document.querySelector('.view-program h1')?.textContent === 'db'");
}

/// What was before it nobody knows.
#[test]
fn one_measurement_is_a_level() {
    let (_daemon, page) = open("browser-graph", PROGRAMS);
    let path = page.run_async(
        "const { Graph } = await import('/ui/charts.js');
         const graph = new Graph('Memory', 2, String);
         graph.update({ samples: [[1000, 0, 50]] }, String);
         return graph.line.getAttribute('d')",
    );
    let ends: Vec<&str> = path.as_str().unwrap_or_default().trim_start_matches('M').split('L').collect();
    let heights: Vec<&str> = ends.iter().filter_map(|end| end.split(' ').nth(1)).collect();
    assert!(matches!(heights[..], [one, other] if one == other), "{path}");
}

#[test]
fn logs_are_followed_searched_and_paused() {
    let (mut daemon, page) = open("browser-log", PROGRAMS);
    daemon.wait_for_state("web", "RUNNING");
    page.wait_for_row("web:web", "Running");
    page.go_to_program("web", "web");
    page.wait("the log is shown", &format!("return {} === 1", lines_with("ready")));
    say(&daemon, "one apple\ntwo pears\n");
    page.wait("it follows", &format!("return {} === 1", lines_with("two pears")));
    page.click(".log-search");
    page.write("apple");
    page.wait("only the match is left", "return document.querySelectorAll('.log-line:not([hidden])').length === 1");
    page.wait("it is counted", "return document.querySelector('.log-matches').textContent === '1 line'");
    page.run("const field = document.querySelector('.log-search'); field.value = ''; field.dispatchEvent(new Event('input'))");
    page.click("[aria-label='Pause']");
    say(&daemon, "three plums\n");
    page.wait("a new line waits", "return document.querySelector('[aria-label=\"Continue (1 new line)\"]') !== null");
    assert_eq!(page.run(&format!("return {}", lines_with("plums"))), 0);
    page.click("[aria-label^='Continue']");
    page.wait("it goes on", &format!("return {} === 1", lines_with("plums")));
    page.click("#tab-stderr");
    page.wait("stderr is shown", &format!("return {} === 1", lines_with("careful")));
}

#[test]
fn a_log_is_followed_beyond_its_rotation_and_cleared() {
    let (mut daemon, page) = open("browser-rotation", PROGRAMS);
    daemon.wait_for_state("web", "RUNNING");
    page.wait_for_row("web:web", "Running");
    page.go_to_program("web", "web");
    page.wait("the log is shown", &format!("return {} === 1", lines_with("ready")));
    say(&daemon, &("a".repeat(1000) + "\n").repeat(3));
    daemon.wait_until("it is rotated", |daemon| daemon.path("web.log.1").exists());
    say(&daemon, "after the rotation\n");
    page.wait("it goes on", &format!("return {} === 1", lines_with("after the rotation")));
    page.click("[aria-label='Clear logs']");
    page.wait_for_text("removed for good");
    page.click("dialog button[value='yes']");
    daemon.wait_until("it is empty", |daemon| daemon.read("web.log").is_empty());
    let mut log = OpenOptions::new().append(true).open(daemon.path("web.log")).expect("it is there");
    log.write_all(b"a line of another writer\n").expect("it can be written");
    say(&daemon, "after it was cleared\n");
    page.wait("it goes on", &format!("return {} === 1", lines_with("after it was cleared")));
}

#[test]
fn signals_are_sent_and_dangerous_ones_only_after_a_question() {
    let (mut daemon, page) = open("browser-signal", PROGRAMS);
    daemon.wait_for_state("trap", "RUNNING");
    page.wait_for_row("trap:trap", "Running");
    page.go_to_program("trap", "trap");
    let send = |name: &str| {
        page.run(&format!("document.querySelector('[aria-label=\"Signal\"]').value = '{name}'"));
        page.click("[data-verb=signal]");
    };
    page.wait("it can be signalled", "return document.querySelector('[data-verb=signal]') !== null");
    send("USR1");
    page.wait("it got it", &format!("return {} === 1", lines_with("got USR1")));
    let before = daemon.pid_of("trap");
    page.wait("the menu is ready", "return document.querySelector('[data-verb=signal]:not([aria-disabled])') !== null");
    send("KILL");
    page.wait_for_text("Send SIGKILL to trap?");
    assert_eq!(daemon.pid_of("trap"), before);
    page.click("dialog button[value='yes']");
    daemon.wait_until("it was killed", |daemon| ![0, before].contains(&daemon.pid_of("trap")));
    page.wait_for_text("Ended: terminated by SIGKILL");
}
