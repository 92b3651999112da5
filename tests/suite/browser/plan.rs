//! The plan of an update on the page, before it is applied.

use super::open;
use crate::harness::Daemon;

const PROGRAMS: &str = "[program:web]\ncommand=sleep 1000\nprocess_name=web_%(process_num)d\nnumprocs=3\nstartsecs=0\n\
    [program:old]\ncommand=sleep 1000\nstartsecs=0\n";

fn rewrite(daemon: &Daemon, from: &str, to: &str) {
    let text = daemon.read("supervisord.conf");
    assert!(text.contains(from), "{text}");
    daemon.write("supervisord.conf", &text.replace(from, to));
}

#[test]
fn the_plan_is_shown_before_it_is_applied() {
    let (mut daemon, mut page) = open("browser-plan", PROGRAMS);
    // A file that cannot be read is refused.
    page.expect_message("409 (Conflict)");
    daemon.wait_for_states(&["web:web_0", "web:web_1", "web:web_2", "old"], "RUNNING");
    let before = daemon.pid_of("web:web_0");
    page.go("#/configuration");
    page.wait_for_text("nothing to apply");
    rewrite(&daemon, "numprocs=3", "numprocs=4\nstopwaitsecs=3");
    rewrite(&daemon, "program:old", "program:new");
    page.click(".plan-controls button");
    page.wait_for_text("as Supervisor does");
    page.click("input[name=mode][value=minimal]");
    page.wait(
        "only what must restart does",
        "return document.querySelector('.plan-summary')?.innerText.includes('3 apply live')",
    );
    let words = page.words();
    for part in [
        "1 remove",
        "2 add",
        "web:web_0, web:web_1, web:web_2",
        "stopwaitsecs",
        "10 → 3",
        "It is stopped and forgotten.",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    // What has changed meanwhile is shown, and not applied.
    rewrite(&daemon, "stopwaitsecs=3", "stopwaitsecs=4");
    page.click(".plan .button.primary");
    page.wait_for_text("have changed meanwhile");
    assert_eq!(daemon.state_of("old"), "RUNNING");
    page.click(".plan .button.primary");
    page.wait_for_text("These are stopped: old");
    page.click("dialog .button.primary");
    page.wait_for_text("Done: 1 remove, 2 add, 3 apply live.");
    daemon.wait_for_states(&["new", "web:web_3"], "RUNNING");
    assert_eq!(daemon.pid_of("web:web_0"), before, "it goes on");
    rewrite(&daemon, "numprocs=4", "numprocs=many");
    page.click(".plan-controls button");
    page.wait_for_text("The configuration cannot be applied");
    page.wait_for_text("numprocs");
}

#[test]
fn a_group_that_is_replaced_says_so() {
    let (mut daemon, page) = open("browser-plan-group", PROGRAMS);
    daemon.wait_for_states(&["web:web_0", "web:web_1", "web:web_2", "old"], "RUNNING");
    rewrite(&daemon, "numprocs=3", "numprocs=4");
    page.go("#/configuration");
    page.click("input[name=mode][value=groups]");
    page.wait_for_text("3 processes. Their group changes, and is replaced as a whole.");
}

#[test]
fn a_program_is_disabled_and_enabled_on_its_page() {
    let (mut daemon, page) = open("browser-disable", PROGRAMS);
    daemon.wait_for_state("old", "RUNNING");
    page.go_to_program("old", "old");
    page.click("[data-verb=disable]");
    page.wait_for_text("nothing starts it until it is enabled again");
    page.click("dialog .button.danger");
    daemon.wait_for_state("old", "STOPPED");
    page.wait("it can be enabled", "return document.querySelector('[data-verb=enable]') !== null");
    page.wait_for_text("it is disabled since");
    page.click("[data-verb=enable]");
    page.wait("it can be started", "return document.querySelector('[data-verb=start]') !== null");
    assert_eq!(daemon.ctl(&["start", "old"]).stdout, "old: started\n");
}
