//! Whatever programs are called and write stays text.

use super::page::Page;
use super::{open, scene};
use crate::harness::Subject;

/// Names that would be markup, run backwards, or are very long.
const NAMES: [&str; 4] = ["\"><u>bold&amp;", "safe\u{202e}gpj\u{200f}.exe", "a'b\"c&d;#?%20..", "LONG"];

/// Bytes that would be markup, terminal commands, invalid UTF-8 and a very long line.
const OUTPUT: &str = r#"#!/usr/bin/env python3
import os, sys, time
markup = b"<img src=x onerror=window.broken=1><script>window.broken=1</script>"
for channel in (1, 2):
    os.write(channel, b"\033[31mred\033[0m plain\n")
    os.write(channel, b"\033]0;title\007\033[2J\033[Hcleared\n")
    os.write(channel, b"invalid \xff\xfe bytes \x00 and \xe2\x80\xae backwards\n")
    os.write(channel, b"progress 1%\rprogress 100%\n")
    os.write(channel, b"z" * 50000 + b"\n")
    os.write(channel, markup + b"\n")
time.sleep(1000)
"#;

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
        let name = name.replace('\u{202e}', "<U+202E>").replace('\u{200f}', "<U+200F>");
        let text = serde_json::Value::from(name.as_str()).to_string();
        assert!(shown.contains(&text), "{text} is not among {shown}");
    }
    assert_eq!(page.run("return document.querySelectorAll('.rows u, .rows img').length"), 0);
    assert_eq!(
        page.run("return document.documentElement.scrollWidth <= window.innerWidth"),
        true,
        "nothing sticks out"
    );
    let hidden = "document.getElementById('app').outerHTML.replace(/(data-key|href)=\"[^\"]*\"/g, '').match(/[\\u202e\\u200f]/) !== null";
    assert_eq!(page.run(&format!("return {hidden}")), false, "something runs backwards");
    // The address of a view holds whatever the name is.
    for _ in 0..4 {
        page.run("const links = [...document.querySelectorAll('.rows .name')]; links[window.next = (window.next ?? -1) + 1].click()");
        page.wait("its view is open", "return document.querySelector('.view-program h1') !== null");
        page.wait("it is found", "return document.querySelector('.view-program .facts dd') !== null");
        page.run("location.hash = '#/'");
        page.wait("all are listed", &format!("return {listed}.length === 4"));
    }
}

/// Whatever browsers make of addresses with them.
#[test]
fn programs_that_are_named_like_directories_are_started_and_stopped() {
    let (mut daemon, page) = open("browser-dots", "[program:..]\ncommand=sleep 1000\nstartsecs=0\n");
    daemon.wait_for_state("..", "RUNNING");
    page.wait_for_row("..:..", "Running");
    page.click("[aria-label='Stop ..']");
    daemon.wait_for_state("..", "STOPPED");
    page.wait_for_row("..:..", "Stopped");
    page.click("[aria-label='Start ..']");
    daemon.wait_for_state("..", "RUNNING");
    page.click(".row[data-key='..:..'] .name");
    page.wait_for_text("Browsers cannot ask about a program of this name");
}

#[test]
fn what_programs_write_stays_text() {
    let program = "[program:loud]\ncommand=python3 {dir}/loud.py\nstartsecs=0\n";
    let daemon = scene("browser-bytes", program).script("loud.py", OUTPUT).start(Subject::Ours);
    let page = Page::open(&daemon);
    page.wait_for_row("loud:loud", "Running");
    page.go_to_program("loud", "loud");
    for channel in ["stdout", "stderr"] {
        page.click(&format!("#tab-{channel}"));
        let line = |text: &str, script: &str| {
            let find = format!(
                "const line = [...document.querySelectorAll('.log-line')].find((line) => line.textContent.includes({}));",
                serde_json::Value::from(text)
            );
            page.wait(text, &format!("{find} return line !== undefined && ({script})"));
        };
        line("<script>window.broken=1</script>", "line.children.length === 0");
        line("red plain", "getComputedStyle(line.querySelector('.ansi-ink-1')).color !== getComputedStyle(line).color");
        line("cleared", "line.textContent === 'cleared'");
        line("invalid \u{fffd}\u{fffd} bytes \u{2400} and <U+202E> backwards", "true");
        line("progress 100%", "line.textContent === 'progress 100%'");
        line("zzzz", "line.textContent.length <= 10000");
    }
    assert_eq!(page.run("return window.broken === undefined && document.title.includes('running')"), true);
}
