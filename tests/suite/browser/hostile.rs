//! Whatever programs are called and write stays text.

use super::open;

/// Names that would be markup, run backwards, or are very long.
const NAMES: [&str; 4] = ["\"><u>bold&amp;", "safe\u{202e}gpj.exe", "a'b\"c&d;#?%20..", "LONG"];

fn long() -> String {
    "x".repeat(200)
}

#[test]
fn names_that_are_markup_stay_text() {
    let names = NAMES.map(|name| name.replace("LONG", &long()));
    let programs: String = names
        .iter()
        .map(|name| {
            format!("[program:{name}]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n")
        })
        .collect();
    let (_daemon, page) = open("browser-names", &programs);
    let listed = "[...document.querySelectorAll('.rows .name bdi')].map((name) => name.textContent)";
    page.wait("all are listed", &format!("return {listed}.length === 4"));
    let shown = page.run(&format!("return {listed}")).to_string();
    for name in names {
        let text = serde_json::Value::from(name.as_str()).to_string();
        assert!(shown.contains(&text), "{text} is not among {shown}");
    }
    assert_eq!(page.run("return document.querySelectorAll('.rows u, .rows img').length"), 0);
    assert_eq!(
        page.run("return document.documentElement.scrollWidth <= window.innerWidth"),
        true,
        "nothing sticks out"
    );
    // The address of a view holds whatever the name is.
    for _ in 0..4 {
        page.run("const links = [...document.querySelectorAll('.rows .name')]; links[window.next = (window.next ?? -1) + 1].click()");
        page.wait("its view is open", "return document.querySelector('.view-program h1') !== null");
        page.wait("it is found", "return document.querySelector('.view-program .facts dd') !== null");
        page.run("location.hash = '#/'");
        page.wait("all are listed", &format!("return {listed}.length === 4"));
    }
}
