//! The page of the hub in a real browser, Chromium without a window.

#[path = "../../../../tests/suite/browser/barriers.rs"]
mod barriers;
#[path = "../../../../tests/suite/browser/driver.rs"]
mod driver;
#[path = "../../../../tests/suite/browser/page.rs"]
#[expect(dead_code, reason = "the tests of the daemon use more of it")]
mod page;

use std::fs;

use serde_json::{Value, json};

use crate::harness::{NatsServer, RealDaemon, wait_until};
use crate::hub::{BAR, FOO, Hub};
use crate::pretended_hosts::{PretendedHosts, program};
use page::Page;

const PROGRAMS: &str = "
[program:web]
command=sleep 1000
startsecs=0
[program:broken]
command=sh -c 'echo no database >&2; exit 3'
startretries=0
[program:idle]
command=sleep 1000
autostart=false
startsecs=0
";

/// A hub where Ann operates and Vera reads what has the role `web`.
fn hub_with_people(nats: &NatsServer) -> Hub {
    let people = nats.path("people");
    fs::write(&people, format!("ann operator {FOO}\nvera viewer {BAR} role=web\n")).expect("written");
    Hub::start(nats, &["--people", &people.display().to_string()])
}

/// The page, for somebody who has logged in; for everybody without a login.
fn open(hub: &Hub, login: &str) -> Page {
    // The browser is the same for both pages.
    let _browser = driver::Browser::shared();
    if !login.is_empty() {
        // The browser keeps what it has logged in with. The page itself is not loaded so, because its requests would be refused.
        let mut page = Page::blank_at(format!("http://{login}@{}/", hub.address()));
        page.expect_message("/favicon.ico");
        page.go("icon.svg");
    }
    let page = Page::blank_at(format!("http://{}/", hub.address()));
    page.go("");
    page
}

/// The rows from top to bottom: host, program, state, each row between semicolons.
fn rows(page: &Page) -> String {
    let script = "return [...document.querySelectorAll('#rows tr')].map((row) =>
        ['.host-name', '.program', '.state'].map((cell) => row.querySelector(cell).textContent).join(' ')).join('; ')";
    page.run(script).as_str().unwrap_or_default().to_owned()
}

fn wait_for_rows(page: &Page, expected: &str) {
    let mut last = String::new();
    let found = crate::harness::wait::poll(crate::harness::wait::DEADLINE, || {
        last = rows(page);
        (last == expected).then_some(())
    });
    assert!(found.is_some(), "the rows are {last}");
}

fn search(page: &Page, text: &str) {
    let text = Value::from(text);
    page.run(&format!(
        "const field = document.getElementById('search'); field.value = {text}; field.dispatchEvent(new Event('input'))"
    ));
}

#[test]
fn somebody_who_operates_sees_failures_first_and_acts_on_one_or_many() {
    let nats = NatsServer::start();
    let daemons = [RealDaemon::start(PROGRAMS), RealDaemon::start(PROGRAMS)];
    let _agents = [
        nats.agent("web1", &daemons[0].url(), &["--label", "role=web"]),
        nats.agent("db1", &daemons[1].url(), &["--label", "role=db"]),
    ];
    let hub = hub_with_people(&nats);
    let mut page = open(&hub, "ann:foo");
    wait_for_rows(
        &page,
        "db1 broken Fatal; web1 broken Fatal; db1 idle Stopped; db1 web Running; web1 idle Stopped; web1 web Running",
    );
    page.wait_for_text("no database");
    page.wait("the title counts", "return document.title === '(2!) 2/6 running · Fleet'");
    page.wait_for_text("ann · operator");
    page.wait("it is live", "return document.getElementById('link').textContent === 'Live'");

    // One.
    page.click("[aria-label='Stop web on web1']:not([aria-disabled])");
    page.click("[aria-label='Start web on web1']:not([aria-disabled])");
    page.click("[aria-label='Restart web on web1']:not([aria-disabled])");
    wait_until("the daemon has been asked for all, by name", || {
        let audit = daemons[0].read("audit");
        ["\"stop 'web'", "\"start 'web'", "\"restart 'web'"].iter().all(|request| audit.contains(request))
            && audit.matches("\"on_behalf_of\":\"ann\"").count() == 3
    });
    page.click("[aria-label='Start broken on db1']:not([aria-disabled])");
    page.wait("what fails is said", "return /^db1: broken: /.test(document.getElementById('notice').innerText)");
    page.click("[aria-label='Close']");

    // Many: what a search and a filter have found.
    search(&page, "web role=web");
    page.wait_for_text("web1");
    search(&page, "role=db");
    wait_for_rows(&page, "db1 broken Fatal; db1 idle Stopped; db1 web Running");
    page.click("#filters .chip:nth-child(2)");
    wait_for_rows(&page, "db1 broken Fatal");
    page.click("#filters .chip:nth-child(2)");
    search(&page, "idle");
    wait_for_rows(&page, "db1 idle Stopped; web1 idle Stopped");
    page.click("#bulk [aria-label='Start 2 programs']");
    page.wait_for_text("Start 2 programs on 2 hosts?");
    page.click("dialog button[value='']");
    assert_eq!(rows(&page), "db1 idle Stopped; web1 idle Stopped", "cancelled");
    page.click("#bulk [aria-label='Start 2 programs']");
    page.click("dialog button[value='yes']");
    wait_for_rows(&page, "db1 idle Running; web1 idle Running");

    // Keys: search from anywhere, and back.
    page.run("document.activeElement.blur()");
    page.press(&['/']);
    page.wait("the search has the focus", "return document.activeElement.id === 'search'");
    page.press(&[page::ESCAPE]);
    page.wait("all are shown", "return document.querySelectorAll('#rows tr').length === 6");

    // The hub ends: the page says so, and comes back with it.
    page.expect_message("/api/");
    let address = hub.address().to_owned();
    drop(hub);
    page.wait("nobody answers", "return document.getElementById('link').textContent === 'No answer'");
    let people = nats.path("people").display().to_string();
    let _hub = Hub::start_with(&nats, &["hub", "--listen", &address, "--people", &people]);
    page.wait("it is live again", "return document.getElementById('link').textContent === 'Live'");
    wait_for_rows(
        &page,
        "db1 broken Fatal; web1 broken Fatal; db1 idle Running; db1 web Running; web1 idle Running; web1 web Running",
    );
}

#[test]
fn somebody_who_reads_sees_his_hosts_and_no_buttons() {
    let nats = NatsServer::start();
    assert_eq!(nats.ask(&["setup"]).1, 0);
    let _hosts = PretendedHosts::join(
        &nats,
        vec![
            ("web1".to_owned(), json!({"role": "web"}), vec![program("web", "web", "RUNNING")], false),
            ("db1".to_owned(), json!({"role": "db"}), vec![program("db", "db", "FATAL")], false),
        ],
    );
    let hub = hub_with_people(&nats);
    let page = open(&hub, "vera:bar");
    wait_for_rows(&page, "web1 web Running");
    page.wait_for_text("vera · viewer");
    search(&page, "web1");
    assert_eq!(page.run("return document.querySelectorAll('#rows .act, #bulk .button').length"), 0);
    assert!(!page.words().contains("db1"));
    // A button that is made up is refused by the hub.
    let status = page.run_async(
        "return (await fetch('api/actions', { method: 'POST', headers: { 'Content-Type': 'application/json' },
             body: JSON.stringify({ action: 'stop', hosts: ['web1'], select: ['web:web'] }) })).status",
    );
    assert_eq!(status, 403);
    let mut page = page;
    page.expect_message("/api/actions");
}

#[test]
fn what_hosts_say_stays_text() {
    let nats = NatsServer::start();
    assert_eq!(nats.ask(&["setup"]).1, 0);
    let long = "x".repeat(200);
    let markup = "<img src=x onerror=window.broken=1>";
    let names = ["\"><u>bold&amp;", "safe\u{202e}gpj.exe", "a'b\"c&d;#?%20..", markup, &long];
    let programs = names.iter().map(|name| {
        let mut program = program(name, name, "FATAL");
        program["reason"] = Value::from(format!("{markup} {long}"));
        program
    });
    let labels = json!({"role": markup, markup: long, "back": "\u{202e}wards"});
    let _hosts = PretendedHosts::join(&nats, vec![("h".repeat(60), labels, programs.collect(), false)]);
    let hub = Hub::start(&nats, &[]);
    let page = open(&hub, "");
    page.wait("all are listed", "return document.querySelectorAll('#rows tr').length === 5");
    let shown =
        page.run("return [...document.querySelectorAll('#rows .program')].map((name) => name.textContent)").to_string();
    for name in names {
        // What reverses text is shown as what it is.
        let text = Value::from(name.replace('\u{202e}', "<U+202E>")).to_string();
        assert!(shown.contains(&text), "{text} is not among {shown}");
    }
    for width in [1280, 390] {
        if width == 390 {
            page.become_phone();
            page.go("");
            page.wait("all are listed", "return document.querySelectorAll('#rows tr').length === 5");
        }
        assert_eq!(page.run("return document.querySelectorAll('main u, main img').length"), 0);
        let fits = "return document.documentElement.scrollWidth <= window.innerWidth";
        assert_eq!(page.run(fits), true, "nothing sticks out of {width} pixels");
    }
    assert_eq!(page.run("return window.broken === undefined"), true);
}

/// Three hundred hosts with ten programs each: some fail, some have left.
fn three_hundred() -> Vec<(String, Value, Vec<Value>, bool)> {
    let host = |number: usize| {
        let programs = (0..10).map(|process| {
            let state = if number % 100 == 50 && process == 3 { "FATAL" } else { "RUNNING" };
            program("web", &format!("web_{process}"), state)
        });
        (
            format!("web{number}"),
            json!({"role": "web", "zone": format!("eu{}", number % 3)}),
            programs.collect(),
            number == 77,
        )
    };
    (0..300).map(host).collect()
}

#[test]
fn of_three_hundred_hosts_the_page_shows_what_fails_and_finds_the_rest() {
    let nats = NatsServer::start();
    assert_eq!(nats.ask(&["setup"]).1, 0);
    let _hosts = PretendedHosts::join(&nats, three_hundred());
    let hub = Hub::start(&nats, &[]);
    let page = open(&hub, "");
    page.wait_for_text("300 hosts · 1 away · 3,000 programs");
    let top = "web77 10 programs Left; web50 web:web_3 Fatal; web150 web:web_3 Fatal; web250 web:web_3 Fatal; web0 web:web_0 Running; ";
    page.wait("the away are known", "return document.querySelector('#rows .state')?.textContent === 'Left'");
    assert!(rows(&page).starts_with(top), "{}", &rows(&page)[..200]);
    // Rows out of sight cost nothing until somebody asks for them.
    assert_eq!(page.run("return document.querySelectorAll('#rows tr').length"), 300);
    page.wait_for_text("2,701 more");
    page.click("#more .button");
    page.wait("more are shown", "return document.querySelectorAll('#rows tr').length === 600");
    search(&page, "web299 web_7");
    wait_for_rows(&page, "web299 web:web_7 Running");
    search(&page, "");
    page.click("#filters .chip:nth-child(2)");
    wait_for_rows(
        &page,
        "web77 10 programs Left; web50 web:web_3 Fatal; web150 web:web_3 Fatal; web250 web:web_3 Fatal",
    );
    // A label is a search.
    page.click("#rows tr:nth-child(2) .label:last-child");
    wait_for_rows(&page, "web77 10 programs Left; web50 web:web_3 Fatal");
}

/// Its port still accepts clients, and its stream stays open.
#[test]
fn a_hub_that_hangs_is_reported_and_found_again() {
    let nats = NatsServer::start();
    assert_eq!(nats.ask(&["setup"]).1, 0);
    let hub = Hub::start(&nats, &[]);
    let mut page = open(&hub, "");
    page.expect_message("/api/");
    page.wait("it is live", "return document.getElementById('link').textContent === 'Live'");
    hub.signal("STOP");
    page.wait("nobody answers", "return document.getElementById('link').textContent === 'No answer'");
    hub.signal("CONT");
    page.wait("it is live again", "return document.getElementById('link').textContent === 'Live'");
}

#[test]
fn an_accessibility_checker_finds_nothing() {
    let checker = barriers::checker();
    let nats = NatsServer::start();
    assert_eq!(nats.ask(&["setup"]).1, 0);
    let states = ["FATAL", "BACKOFF", "STARTING", "STOPPING", "RUNNING", "EXITED", "STOPPED", "UNKNOWN"];
    let mut programs: Vec<Value> = states.iter().map(|state| program(state, state, state)).collect();
    programs
        .push(json!({"group": "sick", "name": "sick", "state": "RUNNING", "health": "unhealthy", "is_wanted": true}));
    let host = |name: &str, has_left| (name.to_owned(), json!({"role": "web"}), programs.clone(), has_left);
    let _hosts = PretendedHosts::join(&nats, vec![host("web1", false), host("web2", true)]);
    let hub = hub_with_people(&nats);
    let page = open(&hub, "ann:foo");
    let fits = "return document.documentElement.scrollWidth <= window.innerWidth";
    for (scheme, is_phone) in [("light", false), ("dark", false), ("light", true), ("dark", true)] {
        page.prefer("prefers-color-scheme", scheme);
        if is_phone {
            page.become_phone();
        }
        page.go("");
        page.wait("all are shown", "return document.querySelectorAll('#rows tr').length === 19");
        assert_eq!(barriers::barriers(&page, &checker), "", "{scheme}, phone: {is_phone}");
        assert_eq!(page.run(fits), true, "{scheme}, phone: {is_phone}: it is too wide");
        search(&page, "web1");
        page.click("#bulk .button:last-child");
        page.wait_for_text("on web1?");
        assert_eq!(barriers::barriers(&page, &checker), "", "{scheme}, phone: {is_phone}: the question");
        page.click("dialog button[value='']");
        search(&page, "nosuch");
        page.wait_for_text("Nothing matches");
        assert_eq!(barriers::barriers(&page, &checker), "", "{scheme}, phone: {is_phone}: nothing found");
    }
}

/// A host takes so many selectors in a request; the page asks several times.
#[test]
fn all_that_a_search_finds_on_one_host_is_started_however_much_it_is() {
    let nats = NatsServer::start();
    let many = "[program:many]\ncommand=sleep 1000\nnumprocs=70\nprocess_name=%(process_num)d\nautostart=false\n\
                startsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
    let daemon = RealDaemon::start(many);
    let _agent = nats.agent("web1", &daemon.url(), &[]);
    let hub = hub_with_people(&nats);
    let page = open(&hub, "ann:foo");
    page.wait("all are shown", "return document.querySelectorAll('#rows tr').length === 70");
    search(&page, "many");
    page.click("#bulk [aria-label='Start 70 programs']");
    page.click("dialog button[value='yes']");
    let running =
        "[...document.querySelectorAll('#rows .state')].filter((state) => state.textContent === 'Running').length";
    page.wait(
        "all run, or something is said",
        &format!("return {running} === 70 || !document.getElementById('notice').hidden"),
    );
    assert_eq!(page.run("return document.getElementById('notice').innerText"), "");
}
