//! The page of the daemon in a real browser, Chromium without a window.

mod access;
mod barriers;
mod daemon_page;
mod driver;
mod hostile;
mod keyboard;
mod page;
mod plan;
mod program;
mod roles;
mod scale;
mod table;
mod upgraded;
mod without_script;

use crate::harness::{Daemon, Scene, Subject};
use page::Page;

/// A server on a port, for the browser.
const SERVER: &str = "[inet_http_server]\nport=127.0.0.1:{port}\n";

/// A scene whose page the browser can open.
fn scene(name: &str, programs: &str) -> Scene {
    Scene::with(name, &format!("{SERVER}{programs}"))
}

/// The daemon of such a scene, with its page open.
fn open(name: &str, programs: &str) -> (Daemon, Page) {
    let daemon = scene(name, programs).start(Subject::Ours);
    let page = Page::open(&daemon);
    (daemon, page)
}
