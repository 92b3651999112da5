//! The page while its daemon makes way for another program, and while nobody looks at it.

use nix::sys::signal::Signal;

use super::page::Page;
use super::{open, scene};
use crate::harness::{Daemon, Scene, Subject, processes};
use crate::tls;

const PROGRAMS: &str = "[program:cat]\ncommand=cat\nstartsecs=0\n";

/// Notes what the page says about its connection from now on.
const NOTE_LINK: &str = "window.said = new Set(); const link = document.querySelector('.link');
    new MutationObserver(() => window.said.add(link.textContent)).observe(link, { subtree: true, childList: true, characterData: true })";

/// The timeline of the program that is shown, the newest first.
const TIMELINE: &str = "[...document.querySelectorAll('.happening')].map((entry) => entry.innerText).join('\\n')";

/// What happens around an upgrade is shown, and nothing else is said about it.
fn goes_on_over_an_upgrade(daemon: &mut Daemon, page: &mut Page) {
    // The browser itself notes that streams have ended.
    page.expect_message("/api/v1/");
    daemon.wait_for_state("cat", "RUNNING");
    page.wait("it is live", "return document.querySelector('.link').textContent === 'Live'");
    page.go_to_program("cat", "cat");
    page.run(NOTE_LINK);
    for round in 1..=3 {
        assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
        // At once, before the page is there again.
        daemon.call("supervisor.stopProcess", &["cat".into()]);
        daemon.call("supervisor.startProcess", &["cat".into()]);
        for change in ["Running → Stopping", "Stopping → Stopped", "Stopped → Starting", "Starting → Running"] {
            page.wait(
                &format!("{change} is there {round} times"),
                &format!("return {TIMELINE}.split('{change}').length > {round}"),
            );
        }
    }
    page.wait("it is live", "return document.querySelector('.link').textContent === 'Live'");
    assert_eq!(page.run("return [...window.said].filter((text) => text !== 'Live')"), serde_json::json!([]));
}

#[test]
fn an_upgrade_goes_unnoticed() {
    let (mut daemon, mut page) = open("browser-upgrade", PROGRAMS);
    goes_on_over_an_upgrade(&mut daemon, &mut page);
}

#[test]
fn an_upgrade_of_a_server_with_tls_goes_unnoticed() {
    let scene = Scene::with("browser-upgrade-tls", &[tls::SERVER, PROGRAMS].concat());
    let place = scene.set_up(Subject::Ours);
    tls::certificates(&place);
    let mut daemon = scene.start_in(place);
    let mut page = Page::open_secure(&daemon);
    goes_on_over_an_upgrade(&mut daemon, &mut page);
}

#[test]
fn a_daemon_that_is_gone_is_reported_and_found_again() {
    let (mut daemon, mut page) = open("browser-gone", PROGRAMS);
    page.expect_message("/api/v1/");
    page.wait_for_row("cat:cat", "Running");
    daemon.crash();
    page.wait("it says so", "return document.querySelector('.link').textContent === 'No answer'");
    daemon.start_again();
    page.wait("it is live", "return document.querySelector('.link').textContent === 'Live'");
}

/// Its sockets still accept clients, and its streams stay open.
#[test]
fn a_daemon_that_hangs_is_reported_and_found_again() {
    let (daemon, mut page) = open("browser-hung", PROGRAMS);
    page.expect_message("/api/v1/");
    page.wait_for_row("cat:cat", "MB");
    page.wait("it is live", "return document.querySelector('.link').textContent === 'Live'");
    daemon.signal(Signal::SIGSTOP);
    page.wait("it says so", "return document.querySelector('.link').textContent === 'No answer'");
    daemon.signal(Signal::SIGCONT);
    page.wait("it is live", "return document.querySelector('.link').textContent === 'Live'");
}

/// The daemon remembers what has happened before.
#[test]
fn the_timeline_begins_before_the_page() {
    let mut daemon = scene("browser-before", PROGRAMS).start(Subject::Ours);
    daemon.wait_for_state("cat", "RUNNING");
    daemon.call("supervisor.stopProcess", &["cat".into()]);
    let page = Page::blank(&daemon);
    page.go("#/programs/cat/cat");
    page.wait("the change is there", &format!("return {TIMELINE}.includes('Stopping → Stopped')"));
    page.wait("it is shown as it is", "return document.querySelector('.program-title .state').innerText === 'Stopped'");
}

/// How often the threads of the daemon have waited, which each does after it has done something.
fn waits(daemon: &Daemon) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("it runs");
    let ids = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(|id| processes::status(id, "voluntary_ctxt_switches")).sum()
}

#[test]
fn a_hidden_tab_costs_nothing() {
    let (mut daemon, page) = open("browser-hidden", PROGRAMS);
    page.wait_for_row("cat:cat", "MB");
    page.while_hidden(|| {
        page.wait("it knows", "return document.hidden");
        // Whoever looks has the daemon do something at least once a second.
        let mut before = None;
        daemon.wait_until("it rests for three seconds", |daemon| {
            let now = (waits(daemon), std::time::Instant::now());
            let (waits, since) = *before.get_or_insert(now);
            if waits != now.0 {
                before = Some(now);
            }
            since.elapsed().as_secs() >= 3 && waits == now.0
        });
        daemon.call("supervisor.stopProcess", &["cat".into()]);
    });
    page.wait_for_row("cat:cat", "Stopped");
    page.wait("it is live", "return document.querySelector('.link').textContent === 'Live'");
}
