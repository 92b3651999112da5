//! The same address in a browser that runs no scripts.

use super::page::Page;
use super::scene;
use crate::harness::Subject;

#[test]
fn without_scripts_the_table_and_its_buttons_are_there() {
    let mut daemon = scene("browser-plain", "[program:cat]\ncommand=cat\nstartsecs=0\n").start(Subject::Ours);
    daemon.wait_for_state("cat", "RUNNING");
    let page = Page::blank(&daemon);
    page.forbid_scripts(true);
    page.go("");
    page.click("button[name='Stop']");
    daemon.wait_for_state("cat", "STOPPED");
    page.click("button[name='Start']");
    daemon.wait_for_state("cat", "RUNNING");
}
