//! The content of the web page and the effect of its links. Its design is ours.

use std::fmt::Write;

use crate::harness::http::{self, Response};
use crate::harness::programs::{BROKEN, CAT, EARLY, IDLE, PLAIN, RUNNING, TEAM};
use crate::harness::redact::replace_shape;
use crate::harness::{Daemon, Scene, Subject, compare};

fn world() -> String {
    [CAT, IDLE, BROKEN, PLAIN, EARLY, TEAM].concat()
}

fn get(daemon: &Daemon, path: &str) -> Response {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
    http::request(&mut *stream, "GET", path, &["Connection: close"], b"").expect("an answer")
}

/// The words between two tags, without the tags in between.
fn words(page: &str, from: &str, to: &str) -> String {
    let part = page.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map_or(page, |(part, _)| part);
    // The reason below the description of a program that has failed is ours alone.
    let mut pieces = part.split("<small class=\"reason\">");
    let first = pieces.next().unwrap_or_default().to_owned();
    let part = pieces.fold(first, |part, piece| part + piece.split_once("</small>").map_or("", |(_, rest)| rest));
    let mut text = String::new();
    for piece in part.split('<') {
        let _ = write!(text, "{} ", piece.split_once('>').map_or(piece, |(_, text)| text));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text of the log on a page. How characters are escaped does not matter.
fn preformatted(page: &str) -> String {
    let text = page.split_once("<pre>").and_then(|(_, rest)| rest.split_once("</pre>")).map_or("", |(text, _)| text);
    let escapes = [("&#60;", "<"), ("&lt;", "<"), ("&#62;", ">"), ("&gt;", ">"), ("&#34;", "\""), ("&quot;", "\"")];
    let text = escapes.into_iter().fold(text.to_owned(), |text, (escape, letter)| text.replace(escape, letter));
    text.replace("&#38;", "&").replace("&amp;", "&")
}

/// The message on a page that an action leads to.
fn message(response: &Response) -> String {
    let location = response.header("location").unwrap_or_default();
    let text = location.split_once("message=").map_or("", |(_, text)| text);
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                u8::from_str_radix(&String::from_utf8_lossy(&digits), 16).expect("two digits")
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn the_process_table_shows_the_same() {
    compare(&Scene::with("table", &world()), |daemon, observed| {
        daemon.wait_for_states(&RUNNING, "RUNNING");
        let _ = daemon.rpc("supervisor.startProcess", &["broken".into()]);
        for path in ["/", "/index.html", "/index.html?message=some%20%3Cwords%3E"] {
            let page = get(daemon, path).text();
            observed.note(daemon, path, words(&page, "<table", "</table>"));
            observed.exactly("message", words(&page, "status_msg\"", "</div>").contains("some &lt;words&gt;"));
        }
    });
}

#[test]
fn a_page_without_programs_says_so() {
    compare(&Scene::with("nothing", ""), |daemon, observed| {
        observed.exactly("page", words(&get(daemon, "/").text(), "<form", "</form>").contains("No programs to manage"));
    });
}

/// These requests look like those of a client that is not a browser.
#[test]
fn links_act_the_same_and_show_the_same_message() {
    const LINKS: [&str; 21] = [
        "action=refresh",
        "processname=idle&action=start",
        "processname=idle&action=start",
        "processname=idle&action=restart",
        "processname=idle&action=stop",
        "processname=idle&action=stop",
        "processname=idle&action=restart",
        "processname=broken&action=start",
        "processname=plain&action=start",
        "processname=early&action=start",
        "processname=nobody&action=start",
        "processname=team:*&action=stop",
        "processname=team:member_0&action=stop",
        "processname=team%3Amember_0&action=start",
        "processname=cat&action=clearlog",
        "processname=nobody&action=clearlog",
        "processname=cat&action=nonsense",
        "action=start",
        "action=stopall",
        "action=restartall",
        "action=",
    ];
    compare(&Scene::with("links", &world()), |daemon, observed| {
        daemon.wait_for_states(&RUNNING, "RUNNING");
        for link in LINKS {
            let response = get(daemon, &format!("/index.html?{link}"));
            // Ours answers 303, because browsers cache a 301.
            let kind = match response.status() {
                200 => "page",
                301 | 303 => "redirect",
                // A client or a server error; see docs/differences.md.
                status => {
                    assert!(status == if daemon.subject == Subject::Ours { 400 } else { 500 }, "{link}: {status}");
                    "refused"
                }
            };
            let mut message = message(&response);
            for shape in ["Aaa Aaa 99 99:99:99 9999", "Aaa Aaa  9 99:99:99 9999"] {
                message = replace_shape(&message, shape, "time");
            }
            observed.note(daemon, link, format!("{kind} {message}"));
            let states: Vec<String> =
                ["cat", "idle", "team:member_0", "team:member_1"].map(|name| daemon.state_of(name)).into();
            observed.exactly("states", states.join(" "));
        }
    });
}

#[test]
fn the_log_page_shows_the_end_of_the_log() {
    compare(&Scene::with("tail", &world()), |daemon, observed| {
        daemon.wait_for_state("cat", "RUNNING");
        let line = "0123456789 <b> & \"quoted\" gr\u{fc}\u{df}e\n";
        daemon.call("supervisor.sendProcessStdin", &["cat".into(), line.repeat(100).as_str().into()]);
        daemon.wait_until("all is written", |daemon| daemon.read("cat.log").len() == line.len() * 100);
        for query in [
            "processname=cat",
            "processname=cat:cat",
            "processname=cat&limit=2000",
            "processname=cat&limit=5",
            "processname=cat&limit=x",
            "processname=idle",
            "processname=nobody",
            "",
            "processname=team:*",
        ] {
            let response = get(daemon, &format!("/tail.html?{query}"));
            observed.note(daemon, query, format!("{} {}", response.status(), preformatted(&response.text())));
        }
    });
}
