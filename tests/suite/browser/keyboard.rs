//! Everything that the page can do, with the keyboard alone.

use super::open;
use super::page::{DOWN, ENTER, ESCAPE, Page, RIGHT, TAB, UP};

const PROGRAMS: &str = "
[program:cat]
command=cat
startsecs=0
[program:broken]
command=sh -c 'echo no database >&2; exit 3'
startretries=0
[program:trap]
command=sh -c 'trap \"echo got USR1\" USR1; echo begun; echo careful >&2; while :; do sleep 0.1; done'
startsecs=0
stopsignal=KILL
[group:team]
programs=one,two
[program:one]
command=sleep 1000
startsecs=0
[program:two]
command=sleep 1000
startsecs=0
";

/// Waits until what a selector finds has the focus.
fn wait_for_focus(page: &Page, selector: &str) {
    page.wait(
        &format!("{selector} has the focus"),
        &format!("return document.activeElement.matches({})", serde_json::Value::from(selector)),
    );
}

#[test]
fn programs_are_selected_and_acted_upon() {
    let (mut daemon, page) = open("keyboard-table", PROGRAMS);
    daemon.wait_for_states(&["cat", "team:one", "team:two", "trap"], "RUNNING");
    page.wait_for_row("broken:broken", "Fatal");
    page.wait(
        "a reader hears the reason",
        "return document.querySelector('[data-key=\"broken:broken\"]').ariaLabel.includes('no database')",
    );
    // From the search into what was found.
    page.press(&['/']);
    page.write("team");
    page.wait("it is found", "return document.querySelectorAll('.rows .row').length === 3");
    page.press(&[DOWN]);
    wait_for_focus(&page, "[data-key='team:one']");
    page.press(&[UP]);
    wait_for_focus(&page, ".row.group");
    page.press(&[' ']);
    page.wait_for_text("2 selected");
    page.tab_to(".bulk [data-verb=stop]");
    // The button stays where it is while programs change.
    daemon.call("supervisor.stopProcess", &["cat".into()]);
    page.wait("the title counts", "return document.title.includes('3/5 running')");
    wait_for_focus(&page, ".bulk [data-verb=stop]");
    page.press(&[ENTER]);
    page.wait_for_text("Stop 2 programs?");
    page.press(&[ESCAPE]);
    page.wait("the question is closed", "return document.querySelector('dialog') === null");
    wait_for_focus(&page, ".bulk [data-verb=stop]");
    assert_eq!(daemon.state_of("team:one"), "RUNNING", "cancelled");
    page.press(&[ENTER, TAB, ENTER]);
    daemon.wait_for_states(&["team:one", "team:two"], "STOPPED");
    page.wait_for_text("2 programs: stopped");
    page.tab_to(".bulk [aria-label='Clear the selection']");
    page.press(&[ENTER]);
    page.wait("nothing is selected", "return document.querySelector('.bulk').hidden");
    wait_for_focus(&page, ".row.group");
    page.press(&['s']);
    daemon.wait_for_states(&["team:one", "team:two"], "RUNNING");
}

#[test]
fn one_program_is_opened_signalled_and_restarted_and_the_table_is_where_it_was() {
    let (mut daemon, page) = open("keyboard-program", PROGRAMS);
    daemon.wait_for_state("trap", "RUNNING");
    page.wait_for_row("trap:trap", "Running");
    page.press(&['/']);
    page.write("trap");
    page.press(&[ENTER, ENTER]);
    page.wait("its view is open", "return document.title.includes(' · trap · ')");
    wait_for_focus(&page, ".view-program");
    page.wait_for_text("begun");
    // Choosing from the menu sends nothing yet.
    page.tab_to("[aria-label=Signal]");
    page.press(&[DOWN]);
    page.wait("a signal is chosen", "return document.activeElement.value === 'USR1'");
    page.press(&[TAB, ENTER]);
    page.wait_for_text("got USR1");
    wait_for_focus(&page, "[data-verb=signal]");
    let before = daemon.pid_of("trap");
    page.tab_back_to("[data-verb=restart]");
    page.press(&[ENTER]);
    daemon.wait_until("it has been restarted", |daemon| ![0, before].contains(&daemon.pid_of("trap")));
    page.wait_for_text("restarted");
    wait_for_focus(&page, "[data-verb=restart]");
    page.tab_to("[data-verb=stop]");
    page.press(&[ENTER]);
    daemon.wait_for_state("trap", "STOPPED");
    // There is no such button any more.
    wait_for_focus(&page, "[data-verb=start]");
    page.tab_to("#tab-stdout");
    page.press(&[RIGHT]);
    wait_for_focus(&page, "#tab-stderr[aria-selected=true]");
    page.wait_for_text("careful");
    page.press(&['/']);
    page.write("nothing");
    page.wait("no line is left", "return document.querySelectorAll('.log-line:not([hidden])').length === 0");
    page.press(&[ESCAPE]);
    page.wait("the filter is empty", "return document.activeElement.value === ''");
    page.press(&[ESCAPE, ESCAPE]);
    page.wait("the table is back", "return document.querySelector('.view-table') !== null");
    wait_for_focus(&page, "[data-key='trap:trap']");
    page.wait("the title has no view", "return !document.title.includes('trap')");
}

#[test]
fn a_plan_is_read_and_applied_and_the_daemon_restarted() {
    let (mut daemon, page) = open("keyboard-plan", PROGRAMS);
    daemon.wait_for_state("cat", "RUNNING");
    page.wait_for_row("cat:cat", "Running");
    page.tab_to(".nav [href='#/configuration']");
    page.press(&[ENTER]);
    page.wait_for_text("nothing to apply");
    wait_for_focus(&page, ".view-configuration");
    daemon.write("supervisord.conf", &(daemon.read("supervisord.conf") + "[program:more]\ncommand=sleep 1000\n"));
    page.tab_to(".plan-controls .button");
    page.press(&[ENTER]);
    page.wait_for_text("It is new, and is started.");
    wait_for_focus(&page, ".plan-controls .button");
    page.tab_to(".plan .button.primary");
    page.press(&[ENTER]);
    page.wait_for_text("Done: 1 add.");
    page.wait("the focus is still there", "return document.activeElement.closest('.plan') !== null");
    daemon.wait_for_state("more", "RUNNING");
    page.tab_to(".view-configuration .card:last-child .button");
    page.press(&[ENTER]);
    page.wait_for_text("Restart the daemon?");
    page.press(&[ESCAPE]);
    page.wait("the question is closed", "return document.querySelector('dialog') === null");
    assert_eq!(daemon.state_of("more"), "RUNNING", "cancelled");
}
