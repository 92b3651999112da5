//! The table of programs: live, searched, filtered, and what its buttons and keys do.

use super::page::{DOWN, ENTER, ESCAPE, LEFT, Page, UP};
use super::{open, scene};
use crate::harness::Subject;

const PROGRAMS: &str = "
[program:cat]
command=cat
startsecs=0
[program:idle]
command=sleep 1000
autostart=false
startsecs=0
[program:broken]
command=sh -c 'echo no database >&2; exit 3'
startretries=0
[group:team]
programs=one,two
[program:one]
command=sleep 1000
startsecs=0
[program:two]
command=sleep 1000
startsecs=0
";

/// The names of the rows from top to bottom.
const NAMES: &str = "return [...document.querySelectorAll('.rows .row')]
    .sort((one, other) => one.ariaRowIndex - other.ariaRowIndex)
    .map((row) => row.querySelector('.name, .fold bdi').textContent).join(' ')";

fn wait_for_names(page: &Page, expected: &str) {
    page.wait(&format!("the rows are {expected}"), &format!("{NAMES} === '{expected}'"));
}

#[test]
fn the_table_shows_what_runs_and_why_something_does_not() {
    let (_daemon, page) = open("browser-table", PROGRAMS);
    page.wait_for_row("broken:broken", "Fatal");
    page.wait_for_row("broken:broken", "no database");
    page.wait_for_row("broken:broken", "exit 3");
    page.wait_for_row("cat:cat", "Running");
    page.wait_for_row("idle:idle", "never started");
    wait_for_names(&page, "broken cat idle team one two");
    page.wait_for_row("cat:cat", "MB");
    let cut = "return [...document.querySelectorAll('.c-time .main')].filter((cell) => cell.scrollWidth > cell.clientWidth).length";
    assert_eq!(page.run(cut), 0, "a text is cut");
    page.wait("the title counts", "return document.title.startsWith('(1!) 3/5 running')");
    page.wait("it is live", "return document.querySelector('.link').textContent === 'Live'");
}

#[test]
fn changes_are_shown_as_they_happen() {
    let (daemon, mut page) = open("browser-live", PROGRAMS);
    // The page may ask for programs of a group that has just been removed, and then reads all.
    page.expect_message("/api/v1/programs");
    page.wait_for_row("cat:cat", "Running");
    daemon.call("supervisor.stopProcess", &["cat".into()]);
    page.wait_for_row("cat:cat", "Stopped");
    daemon.call("supervisor.startProcess", &["idle".into()]);
    page.wait_for_row("idle:idle", "Running");
    daemon.call("supervisor.stopProcessGroup", &["team".into()]);
    daemon.call("supervisor.removeProcessGroup", &["team".into()]);
    wait_for_names(&page, "broken cat idle");
}

#[test]
fn buttons_act_and_say_what_came_of_it() {
    let (mut daemon, mut page) = open("browser-buttons", PROGRAMS);
    page.wait_for_row("cat:cat", "Running");
    page.click("[aria-label='Stop cat']");
    page.wait_for_row("cat:cat", "Stopped");
    page.click("[aria-label='Start cat']");
    page.wait_for_row("cat:cat", "Running");
    let before = daemon.pid_of("cat");
    page.click("[aria-label='Restart cat']");
    daemon.wait_until("it has been restarted", |daemon| {
        let now = daemon.pid_of("cat");
        now != 0 && now != before
    });
    // Why it failed stays at its row.
    page.expect_message("/api/v1/programs/broken/broken/start");
    page.click("[aria-label='Start broken']");
    page.wait_for_row("broken:broken", "Start failed: ");
}

#[test]
fn many_are_selected_and_stopped_after_a_question() {
    let (mut daemon, page) = open("browser-bulk", PROGRAMS);
    daemon.wait_for_states(&["cat", "team:one", "team:two"], "RUNNING");
    page.wait_for_row("cat:cat", "Running");
    page.click("[aria-label='Select group team']");
    page.wait_for_text("2 selected");
    page.click(".bulk .button:nth-of-type(3)");
    page.wait_for_text("Stop 2 programs?");
    page.click("dialog button[value='']");
    assert_eq!(daemon.state_of("team:one"), "RUNNING", "cancelled");
    page.click("[aria-label='Stop group team']");
    page.click("dialog button[value='yes']");
    daemon.wait_for_states(&["team:one", "team:two"], "STOPPED");
    page.wait_for_row("team:one", "Stopped");
    assert_eq!(daemon.state_of("cat"), "RUNNING");
}

#[test]
fn search_filters_and_folding_narrow_the_table() {
    let (mut daemon, page) = open("browser-search", PROGRAMS);
    daemon.wait_for_state("broken", "FATAL");
    wait_for_names(&page, "broken cat idle team one two");
    page.press(&['/']);
    page.write("database");
    wait_for_names(&page, "broken");
    page.press(&[ESCAPE]);
    wait_for_names(&page, "broken cat idle team one two");
    page.click(".filters [data-filter='RUNNING']");
    wait_for_names(&page, "cat team one two");
    page.click(".filters [data-filter='all']");
    page.click(".row.group .fold");
    wait_for_names(&page, "broken cat idle team");
    page.run("document.querySelector('select').value = 'name'; document.querySelector('select').dispatchEvent(new Event('change'))");
    wait_for_names(&page, "broken cat idle team");
    page.write("/nothing-has-this-name");
    page.wait_for_text("Nothing matches");
}

#[test]
fn the_keyboard_is_enough() {
    let (mut daemon, page) = open("browser-keys", PROGRAMS);
    daemon.wait_for_state("broken", "FATAL");
    wait_for_names(&page, "broken cat idle team one two");
    page.press(&[DOWN, DOWN]);
    page.wait("cat has the focus", "return document.activeElement.dataset.key === 'cat:cat'");
    let before = daemon.pid_of("cat");
    page.press(&['r']);
    daemon.wait_until("it has been restarted", |daemon| ![0, before].contains(&daemon.pid_of("cat")));
    page.wait_for_row("cat:cat", "restarted");
    page.press(&['s']);
    daemon.wait_for_state("cat", "STOPPED");
    page.press(&['?']);
    page.wait("the help is shown", "return document.querySelector('dialog[open]')?.innerText.includes('Keyboard')");
    page.press(&[ESCAPE]);
    page.wait("the help is closed", "return document.querySelector('dialog') === null");
    page.wait("cat has the focus", "return document.activeElement.dataset.key === 'cat:cat'");
    page.press(&[DOWN, DOWN, DOWN, LEFT]);
    wait_for_names(&page, "broken cat idle team");
    page.press(&['/']);
    page.write("cat");
    wait_for_names(&page, "cat");
    page.press(&[DOWN]);
    page.run("document.activeElement.blur()");
    page.press(&[DOWN, ENTER]);
    page.wait("the view of cat is open", "return location.hash === '#/programs/cat/cat'");
    page.press(&[ESCAPE]);
    page.wait("the table is back", "return document.querySelector('.view-table') !== null");
}

const GROUP: &str = "
[group:team]
programs=one,two,three,four
[program:one]
command=sleep 1000
startsecs=0
[program:two]
command=sleep 1000
startsecs=0
[program:three]
command=sleep 1000
startsecs=0
autostart=false
[program:four]
command=sleep 1000
startsecs=0
autostart=false
";

/// What a search hides is not meant.
#[test]
fn a_group_means_its_programs_that_are_shown() {
    let (mut daemon, page) = open("browser-shown", GROUP);
    daemon.wait_for_states(&["team:one", "team:two"], "RUNNING");
    wait_for_names(&page, "team four one three two");
    let before = ["team:one", "team:two"].map(|name| daemon.pid_of(name));
    // The first match, also in a folded group.
    page.click(".row.group .fold");
    wait_for_names(&page, "team");
    page.press(&['/']);
    page.write("one");
    page.wait_for_text("1 of 4 programs");
    page.press(&[ENTER]);
    page.wait("the match has the focus", "return document.activeElement.dataset.key === 'team:one'");
    page.press(&[UP]);
    page.wait("the group has the focus", "return document.activeElement.matches('.row.group')");
    page.press(&['r']);
    daemon.wait_until("it has been restarted", |daemon| ![0, before[0]].contains(&daemon.pid_of("team:one")));
    assert_eq!(daemon.pid_of("team:two"), before[1], "it is not shown");
    page.press(&[' ']);
    page.wait_for_text("1 selected");
    let all = "document.querySelector('[aria-label=\"Select all that are shown\"]')";
    page.wait("all that are shown are selected", &format!("return {all}.checked"));
    page.press(&['/']);
    page.write("two");
    page.wait_for_text("1 selected, 1 not shown");
    page.wait("none that is shown is", &format!("return !{all}.checked && {all}.indeterminate"));
    page.press(&[ESCAPE, ESCAPE, ESCAPE]);
    page.wait("nothing is selected", &format!("return !{all}.checked && !{all}.indeterminate"));
}

#[test]
fn a_restart_starts_what_does_not_run_or_says_why_it_does_nothing() {
    let (mut daemon, page) = open("browser-restart", GROUP);
    daemon.wait_for_states(&["team:one", "team:two"], "RUNNING");
    wait_for_names(&page, "team four one three two");
    page.press(&['r']);
    page.wait_for_text("Nothing to restart: choose a row with the arrows.");
    page.press(&['a', 'r']);
    page.wait_for_text("Restart 4 programs?");
    page.wait_for_text("2 of them do not run, and are started.");
    page.click("dialog button[value='yes']");
    daemon.wait_for_states(&["team:one", "team:two", "team:three", "team:four"], "RUNNING");
    daemon.call("supervisor.stopProcess", &["team:four".into()]);
    page.wait_for_row("team:four", "Stopped");
    page.press(&[ESCAPE, '/']);
    page.write("four");
    page.press(&[ENTER, 'r']);
    daemon.wait_for_state("team:four", "RUNNING");
    assert_eq!(daemon.ctl(&["disable", "team:four"]).code, 0);
    page.wait("it can be enabled", "return document.activeElement.querySelector('.act-enable:not([hidden])') !== null");
    page.press(&['r']);
    page.wait_for_text("team:four is disabled: nothing to restart.");
}

#[test]
fn a_reader_hears_how_the_table_is_sorted() {
    let (_daemon, page) = open("browser-sorted", PROGRAMS);
    page.wait_for_row("cat:cat", "MB");
    let header = "document.querySelector('[role=columnheader].c-memory')";
    for order in ["descending", "ascending"] {
        page.click("[role=columnheader].c-memory button");
        page.wait(order, &format!("return {header}.ariaSort === '{order}'"));
        let first = if order == "descending" { "MB" } else { "—" };
        page.wait(
            "the first row has the most, or nothing",
            &format!("return document.querySelector('.rows .row:not(.group) .c-memory').innerText.includes('{first}')"),
        );
    }
}

/// A proxy may hold back what a server sends little by little.
#[test]
fn without_a_stream_the_page_asks_again_and_again() {
    let mut daemon = scene("browser-polling", PROGRAMS).start(Subject::Ours);
    daemon.wait_for_state("cat", "RUNNING");
    let page = Page::blank(&daemon);
    page.run_without_streams(|| {
        page.go("");
        page.wait_for_row("cat:cat", "Running");
        daemon.call("supervisor.stopProcess", &["cat".into()]);
        page.wait_for_row("cat:cat", "Stopped");
        page.wait("it says so", "return document.querySelector('.link').textContent === 'Every 3 s'");
    });
}

#[test]
fn cpu_and_memory_are_shown() {
    let (_daemon, page) = open("browser-usage", PROGRAMS);
    page.wait_for_row("cat:cat", "MB");
    page.wait_for_row("cat:cat", "%");
    page.go_to_program("cat", "cat");
    page.wait_for_text("peak ");
}
