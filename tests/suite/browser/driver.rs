//! A browser, driven by the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::{Value, json};

use crate::harness::{http, needs, wait};

/// All tests share one browser, which ends with the last of them.
static SHARED: Mutex<Weak<Browser>> = Mutex::new(Weak::new());

/// The key under which the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A running browser with one window.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    /// The browser of all tests.
    pub fn shared() -> Arc<Browser> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let browser = Arc::new(Browser::launch());
            *shared = Arc::downgrade(&browser);
            browser
        })
    }

    fn launch() -> Browser {
        let binary = needs::program("chromium");
        let mut command = Command::new(needs::program("chromedriver"));
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = command.spawn().expect("chromedriver starts");
        let said = BufReader::new(driver.stdout.take().expect("it is a pipe"));
        let started = said.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let port = started.expect("chromedriver says its port");
        let mut browser = Browser { driver, port, session: String::new() };
        let arguments = [
            "--headless=new",
            // Tests often run as root, for whom the sandbox does not work.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--window-size=1280,900",
        ];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "acceptInsecureCerts": true,
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": binary, "args": arguments},
        }}});
        let session = browser.send("POST", "/session", Some(&capabilities));
        let id = session.get("sessionId").and_then(Value::as_str).unwrap_or_else(|| panic!("no session: {session}"));
        id.clone_into(&mut browser.session);
        browser
    }

    /// Sends a command to the session and answers its value.
    pub fn command(&self, verb: &str, path: &str, body: &Value) -> Value {
        self.send(verb, &format!("/session/{}{path}", self.session), (verb == "POST").then_some(body))
    }

    /// Sends a command of the DevTools protocol.
    pub fn devtools(&self, method: &str, parameters: &Value) -> Value {
        self.command("POST", "/goog/cdp/execute", &json!({"cmd": method, "params": parameters}))
    }

    /// The name of the first element that a selector finds.
    pub fn element(&self, selector: &str) -> String {
        let query = json!({"using": "css selector", "value": selector});
        let found = wait::poll(wait::DEADLINE, || {
            let value = self.command("POST", "/element", &query);
            value.get(ELEMENT).and_then(Value::as_str).map(str::to_owned)
        });
        found.unwrap_or_else(|| panic!("the page has no {selector}"))
    }

    fn send(&self, verb: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let headers = ["Connection: close", "Content-Type: application/json"];
        let mut stream = http::tcp(self.port).expect("chromedriver listens");
        let response = http::request(&mut *stream, verb, path, &headers, body.as_bytes()).expect("an answer");
        let answer: Value = serde_json::from_slice(&response.body).expect("the answer is JSON");
        answer.get("value").cloned().unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.command("DELETE", "", &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
