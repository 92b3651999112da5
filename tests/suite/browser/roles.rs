//! What the page shows to whom.

use super::page::Page;
use super::scene;
use crate::harness::Subject;

/// `viewer`, as a token.
const PROGRAMS: &str = "
[user:ann]
token={SHA256}d35ca5051b82ffc326a3b0b6574a9a3161dee16b9478a199ee39cd803ce5b799
[program:cat]
command=cat
startsecs=0
";

/// At its address, too; and nothing is asked that would be refused.
#[test]
fn a_view_for_administrators_is_not_shown_to_others() {
    let daemon = scene("browser-role", PROGRAMS).start(Subject::Ours);
    let page = Page::blank(&daemon);
    page.send_header(Some(("Authorization", "Bearer viewer")));
    page.go("#/configuration");
    page.wait_for_text("Your role does not allow this view.");
    assert_eq!(page.run("return document.querySelectorAll('main button').length"), 0);
    page.go("#/log");
    page.wait_for_text("Activity log");
    page.go("#/");
    page.wait_for_row("cat:cat", "Running");
    page.press(&['a', 'r']);
    page.wait_for_text("Your role does not allow to restart programs.");
}
