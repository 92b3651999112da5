//! What only the page of a daemon has.

use serde_json::Value;

use super::page::Page;
use crate::harness::Daemon;

impl Page {
    /// The page of a daemon with a server on its first port.
    pub fn open(daemon: &Daemon) -> Page {
        let page = Page::blank(daemon);
        page.go("");
        page
    }

    /// The page of a daemon whose server speaks TLS, with any certificate.
    pub fn open_secure(daemon: &Daemon) -> Page {
        let page = Page::blank_at(format!("https://127.0.0.1:{}/", daemon.ports[0]));
        page.go("");
        page
    }

    /// A window that shows nothing yet, for the page of a daemon.
    pub fn blank(daemon: &Daemon) -> Page {
        Page::blank_at(format!("http://127.0.0.1:{}/", daemon.ports[0]))
    }

    /// Goes to the view of a program.
    pub fn go_to_program(&self, group: &str, name: &str) {
        self.go(&format!("#/programs/{group}/{name}"));
        self.wait("the program is shown", "return document.querySelector('.view-program h1') !== null");
    }

    /// The row of a program in the table, as a script.
    pub fn row(key: &str) -> String {
        format!("document.querySelector('.row[data-key=\"{key}\"]')")
    }

    /// Waits until the row of a program shows a text.
    pub fn wait_for_row(&self, key: &str, text: &str) {
        let row = Page::row(key);
        self.wait(&format!("{key} shows {text}"), &format!("return {row}?.innerText.includes({})", Value::from(text)));
    }
}
