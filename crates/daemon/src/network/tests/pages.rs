//! The web page and what its buttons do.

use supervisord_core::call::{Reason, Refusal};
use supervisord_core::process::{EndJudgement, EndTraces, ExitStatus, LastEnd};

use super::*;

#[test]
fn the_health_page_says_ok() {
    let plane = Plane::start();
    for path in ["/ok.html", "//ok.html", "/ok.html?x=y"] {
        let response = plane.get(path);
        assert_eq!(response.body, "OK");
        assert_eq!(response.header("Content-Type"), Some("text/plain"));
        assert_eq!(response.header("Content-Length"), Some("2"));
    }
    assert_eq!(plane.post("/ok.html", "", "").body, "OK");
}

#[test]
fn a_program_that_failed_shows_how_it_ended_below_the_description() {
    let plane = Plane::start();
    let traces = EndTraces { output: "first\ncannot <open> data".to_owned(), kills: None };
    let (status, judgement) = (ExitStatus::Code(3), EndJudgement::TooQuick);
    let end = LastEnd { at: 100, status, judgement, lived: Duration::from_millis(200), stop_decision: None, traces };
    let text = "Exited too quickly (process log may have details)";
    for (name, phase) in [("db", ProcessPhase::GivenUp), ("up", ProcessPhase::Up)] {
        let row = Row { phase, spawnerr: text.to_owned(), last_end: Some(Arc::new(end.clone())), ..row(name, name) };
        plane.view.publish_row(row);
    }
    let page = plane.get("/").body;
    let cell = "<td><span>Exited too quickly (process log may have details)</span><br /><small class=\"reason\">\
                exit status 3 after 200 ms: cannot &#60;open&#62; data</small></td>";
    assert!(page.contains(cell), "{page}");
    assert_eq!(page.matches("class=\"reason\"").count(), 1, "what runs has no reason: {page}");
}

#[test]
fn the_status_page_lists_processes() {
    let plane = Plane::start();
    plane.publish("cat", "cat", ProcessState::Running);
    plane.publish("grp", "g1", ProcessState::Fatal);
    plane.publish("grp", "g2", ProcessState::Starting);
    plane.publish("grp", "g3", ProcessState::Backoff);
    plane.publish("grp", "g4", ProcessState::Stopping);
    for path in ["/", "/index.html", "/?action="] {
        let response = plane.get(path);
        assert_eq!(response.header("Content-Type"), Some("text/html;charset=utf-8"));
        assert_eq!(response.header("Cache-Control"), Some("no-cache"));
        let page = response.body;
        for part in [
            "<title>Supervisor Status</title>",
            "<div class=\"hidden\">#</div>",
            "<form action=\"index.html\" method=\"post\">",
            "<tr class=\"\">",
            "<td class=\"status\"><span class=\"statusrunning\">running</span></td>",
            "<td><span>pid 42, uptime 0:16:40</span></td>",
            "<td><a href=\"tail.html?processname=cat\" target=\"_blank\">cat</a></td>",
            "formaction=\"index.html?processname=cat&amp;action=restart\" name=\"Restart\"",
            "formaction=\"index.html?processname=cat&amp;action=stop\" name=\"Stop\"",
            "formaction=\"index.html?processname=grp%3Ag1&amp;action=start\" name=\"Start\"",
            "formaction=\"index.html?processname=grp%3Ag2&amp;action=stop\" name=\"Stop\"",
            "formaction=\"index.html?processname=grp%3Ag3&amp;action=stop\" name=\"Stop\"",
            "formaction=\"index.html?processname=cat&amp;action=clearlog\" name=\"Clear Log\"",
            "<a href=\"logtail/grp%3Ag1\" name=\"Tail -f Stdout\" target=\"_blank\">Tail -f Stdout</a>",
            "<a href=\"logtail/grp%3Ag1/stderr\" name=\"Tail -f Stderr\" target=\"_blank\">Tail -f Stderr</a>",
            "<tr class=\"shade\">",
            "<span class=\"statuserror\">fatal</span>",
            "<span class=\"statusnominal\">starting</span>",
            "<a class=\"hidden\" href=\"#\" name=\"#\">Action</a>",
            "<a href=\"index.html?action=refresh\">Refresh</a>",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.contains("grp%3Ag4&amp;action=stop"), "it is being stopped");
        assert!(!page.contains("<find>"), "what a program says is escaped");
    }
}

#[test]
fn no_page_is_shown_in_a_frame_or_runs_what_others_wrote() {
    let plane = Plane::start();
    for path in ["/", "/tail.html?processname=cat"] {
        let response = plane.get(path);
        let policy = response.header("Content-Security-Policy").unwrap_or_default();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.split("; ").any(|rule| rule == part), "{path}: {part} is not in {policy:?}");
        }
    }
}

#[test]
fn without_processes_there_is_no_table() {
    let page = Plane::start().get("/").body;
    assert!(page.contains("No programs to manage"));
    assert!(!page.contains("<table"));
}

#[test]
fn a_message_is_shown_escaped() {
    let page = Plane::start().get("/?message=a+%3Cscript%3E%22").body;
    assert!(page.contains("<div class=\"status_msg\">a &#60;script&#62;&#34;</div>"), "{page}");
}

/// What a browser says of a link on a page of ours, of an address that was typed, and of pages of other sites.
const OWN: &str = "User-Agent: Mozilla/5.0\r\nReferer: http://h/\r\n";
const TYPED: &str = "User-Agent: Mozilla/5.0\r\nSec-Fetch-Site: none\r\n";
const FOREIGN: [&str; 4] = [
    "Referer: http://evil/\r\n",
    "Origin: null\r\n",
    "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: image\r\n",
    // An image with `referrerpolicy=no-referrer`, over plain HTTP.
    "User-Agent: Mozilla/5.0\r\n",
];

fn link(plane: &Plane, headers: &str) -> u16 {
    plane.ask(&format!("GET /index.html?processname=cat&action=stop HTTP/1.1\r\nHost: h\r\n{headers}\r\n")).status
}

#[test]
fn links_act_only_where_they_are_allowed() {
    let plane = Plane::start();
    plane.publish("cat", "cat", ProcessState::Running);
    for headers in FOREIGN.into_iter().chain([OWN, TYPED]) {
        let request = format!("GET /index.html?processname=cat&action=stop HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
        let response = plane.ask(&request);
        assert_eq!(response.status, 403, "{headers}");
        assert!(response.body.contains("get_actions"));
    }
    assert!(plane.calls.try_recv().is_err());

    let plane = Setup { get_actions: true, ..Setup::default() }.start();
    plane.publish("cat", "cat", ProcessState::Running);
    let offered = "<a href=\"index.html?processname=cat&amp;action=stop\" name=\"Stop\">Stop</a>";
    assert!(plane.get("/").body.contains(offered));
    for headers in FOREIGN {
        assert_eq!(link(&plane, headers), 403, "{headers}");
    }
    assert!(plane.calls.try_recv().is_err());
    for headers in [OWN, TYPED] {
        assert_eq!(link(&plane, headers), 303, "{headers}");
        assert_eq!(plane.asked(), "StopProcess { name: \"cat\", wait: true }");
    }
    let mut client = plane.unix();
    client.send(&format!("HEAD /index.html?processname=cat&action=stop HTTP/1.1\r\nHost: h\r\n{OWN}\r\n"));
    assert_eq!(client.head().status, 403);
}

#[test]
fn links_act_for_clients_that_are_no_browsers() {
    for get_actions in [false, true] {
        let plane = Setup { get_actions, ..Setup::default() }.start();
        plane.publish("cat", "cat", ProcessState::Running);
        for headers in ["", "User-Agent: curl/8.5.0\r\n", "User-Agent: Wget/1.21 (like Mozilla/5.0)\r\n"] {
            assert_eq!(link(&plane, headers), 303, "{headers}");
            assert_eq!(plane.asked(), "StopProcess { name: \"cat\", wait: true }");
        }
    }
}

/// The field of our forms that proves that they are ours.
fn proof(page: &str) -> String {
    let (_, rest) = page.split_once("<input name=\"token\" type=\"hidden\" value=\"").expect("a field");
    format!("token={}", rest.split_once('"').expect("a value").0)
}

#[test]
fn a_form_with_the_secret_of_the_page_acts_behind_any_proxy() {
    let plane = Plane::start();
    plane.publish("cat", "cat", ProcessState::Running);
    let address = "/index.html?processname=cat&action=stop";
    let proof = proof(&plane.get("/").body);
    assert!(proof.len() > "token=".len() + 30, "{proof}");
    for hidden in ["Origin: http://outer\r\n", "Origin: null\r\n", "Referer: http://outer/\r\n"] {
        for wrong in ["", "token=", "token=00000000000000000000000000000000"] {
            assert_eq!(plane.post(address, hidden, wrong).status, 403, "{hidden}{wrong}");
        }
        assert_eq!(plane.post(&format!("{address}&{proof}"), hidden, "").status, 403, "addresses are logged");
        assert!(plane.calls.try_recv().is_err());
        let response = plane.post(address, hidden, &proof);
        assert_eq!(response.header("Location"), Some("./?message=Process%20cat%20stopped"));
        assert_eq!(plane.asked(), "StopProcess { name: \"cat\", wait: true }");
    }
    let site = "Origin: http://outer\r\nSec-Fetch-Site: cross-site\r\n";
    assert_eq!(plane.post(address, site, &proof).status, 403, "the browser knows better");
}

/// A page whose name leads to this machine can read and send whatever it likes, but not under a name of ours.
#[test]
fn dns_rebinding_is_refused() {
    const STOP: &str = "/index.html?processname=cat&action=stop";
    let plane = Setup { get_actions: true, ..Setup::default() }.start();
    plane.publish("cat", "cat", ProcessState::Running);
    std::fs::write(plane.path("cat.out"), "secret").expect("written");
    let ask = |request: &str, host: &str, headers: &str, body: &str| {
        let mut client = plane.tcp();
        let length = body.len();
        client.send(&format!(
            "{request} HTTP/1.1\r\nHost: {host}:{}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}",
            plane.inet.port()
        ));
        client.head().status
    };
    let call = "<?xml version='1.0'?><methodCall><methodName>supervisor.getState</methodName></methodCall>";
    let requests = [
        (format!("GET {STOP}"), ""),
        (format!("POST {STOP}"), "token=x"),
        ("POST /RPC2".to_owned(), call),
        ("GET /".to_owned(), ""),
        ("GET /tail.html?processname=cat".to_owned(), ""),
        ("GET /logtail/cat".to_owned(), ""),
        ("GET /api/v1/programs".to_owned(), ""),
    ];
    for (request, body) in &requests {
        for headers in ["Sec-Fetch-Site: same-origin\r\nContent-Type: text/xml\r\n", "User-Agent: Mozilla/5.0\r\n"] {
            assert_eq!(ask(request, "evil.example", headers, body), 403, "{request} {headers}");
        }
        let headers = "Sec-Fetch-Site: same-origin\r\nContent-Type: text/xml\r\n";
        assert!(plane.calls.try_recv().is_err(), "{request}");
        for (host, headers) in [("localhost", headers), ("evil.example", "User-Agent: curl/8.5.0\r\n")] {
            assert!([200, 303].contains(&ask(request, host, headers, body)), "{request} {host}");
        }
        while plane.calls.try_recv().is_ok() {}
    }
    assert_eq!(ask("GET /ok.html", "evil.example", "User-Agent: Mozilla/5.0\r\n", ""), 200);
}

#[test]
fn the_head_of_a_page_can_be_asked_for() {
    let plane = Plane::start();
    let mut client = plane.unix();
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.head().status, 200);
}

#[test]
fn refreshing_is_always_allowed() {
    let response = Plane::start().get("/?action=refresh");
    let location = "./?message=Page%20refreshed%20at%20Fri%20Nov%2020%2012%3A00%3A00%202026";
    assert_eq!((response.status, response.header("Location")), (303, Some(location)));
    assert_eq!(response.header("Cache-Control"), Some("no-cache"));
}

#[test]
fn forms_act_when_they_are_ours() {
    let plane = Plane::start();
    plane.publish("grp", "a b", ProcessState::Stopped);
    let address = "/index.html?processname=grp%3Aa%20b&action=start";
    assert_eq!(plane.post(address, "Origin: http://evil\r\n", "").status, 403);
    assert_eq!(plane.post(address, "Sec-Fetch-Site: cross-site\r\n", "").status, 403);
    assert!(plane.calls.try_recv().is_err());
    let response = plane.post(address, "Origin: http://h\r\n", "Start=");
    assert_eq!(response.header("Location"), Some("./?message=Process%20grp%3Aa%20b%20started"));
    assert_eq!(plane.asked(), "StartProcess { name: \"grp:a b\", wait: true }");
    let response = plane.post("/", "", "action=restart&processname=grp:a+b\r\n");
    assert_eq!(response.header("Location"), Some("./?message=Process%20grp%3Aa%20b%20restarted"));
    assert_eq!(plane.asked(), "StopProcess { name: \"grp:a b\", wait: true }");
    assert_eq!(plane.asked(), "StartProcess { name: \"grp:a b\", wait: true }");
}

#[test]
fn all_processes_have_actions_too() {
    let plane = Plane::start();
    let response = plane.post("/", "", "action=restartall");
    let location = response.header("Location").expect("an address");
    assert!(location.starts_with("./?message=All%20restarted%20at%20Fri%20Nov%2020"), "{location}");
    assert_eq!(plane.asked(), "StopAllProcesses { wait: true }");
    assert_eq!(plane.asked(), "StartAllProcesses { wait: true }");
    plane.post("/", "", "action=stopall");
    assert_eq!(plane.asked(), "StopAllProcesses { wait: true }");
}

#[test]
fn failures_are_told() {
    let rote: Rote = |call| {
        let (reason, name) = match call {
            Call::StartProcess { .. } => (Reason::AlreadyStarted, "cat"),
            _ => (Reason::NotRunning, "cat"),
        };
        Some(Err(Refusal::with(reason, name)))
    };
    let plane = Setup { rote, ..Setup::default() }.start();
    plane.publish("cat", "cat", ProcessState::Running);
    let told = |action: &str, name: &str| {
        let response = plane.post("/", "", &format!("action={action}&processname={name}"));
        let location = response.header("Location").expect("an address").to_owned();
        crate::network::route::decode(&location).strip_prefix("./?message=").expect("a message").to_owned()
    };
    assert_eq!(told("start", "cat"), "ERROR: Process cat: already started");
    assert_eq!(told("stop", "cat"), "unexpected rpc fault [70] NOT_RUNNING: cat");
    assert_eq!(told("clearlog", "cat"), "unexpected rpc fault [70] NOT_RUNNING: cat");
    assert_eq!(told("restart", "cat"), "Process cat restarted");
    assert_eq!(told("start", "cat:*"), "No such process named cat:*");
    assert_eq!(told("stop", "dog"), "No such process named dog");
    assert_eq!(plane.post("/", "", "action=explode").status, 400);
    assert_eq!(plane.post("/", "", "action=stop").status, 400);
}

#[test]
fn the_end_of_a_log_is_a_page() {
    let plane = Plane::start();
    plane.publish("grp", "g1", ProcessState::Running);
    let page = |query: &str| plane.get(&format!("/tail.html?{query}")).body;
    assert!(page("processname=grp:g1").contains("<pre>No file for grp:g1</pre>"));
    let text = format!("{}\u{e4}<b>&amp;\n", "x".repeat(3000));
    std::fs::write(plane.path("g1.out"), text).expect("written");
    let tail = page("processname=grp:g1&limit=10");
    assert!(tail.contains("<title>Supervisor tail of process grp:g1</title>"));
    assert!(tail.contains(&format!("<pre>{}", "x".repeat(1024 - 11))), "{tail}");
    assert!(tail.contains("\u{e4}&#60;b&#62;&#38;amp;"), "{tail}");
    assert!(tail.contains("tail.html?processname=grp%3Ag1&amp;limit=1024"));
    assert!(page("processname=grp:g1&limit=9999").contains(&"x".repeat(3000)));
    assert!(page("").contains("<pre>No process name found</pre>"));
    assert!(page("processname=no").contains("<pre>ERROR: unexpected rpc fault [10] BAD_NAME: no</pre>"));
}
