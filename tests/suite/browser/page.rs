//! A page in the browser, as its user sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::driver::Browser;
use crate::harness::wait;

/// Keys without a letter.
pub const ENTER: char = '\u{e007}';
pub const ESCAPE: char = '\u{e00c}';
pub const DOWN: char = '\u{e015}';
pub const UP: char = '\u{e013}';
pub const LEFT: char = '\u{e012}';
pub const RIGHT: char = '\u{e014}';
pub const TAB: char = '\u{e004}';
const SHIFT: char = '\u{e008}';

/// How often the Tab key may be pressed before something is out of its reach.
const MOST_TABS: usize = 60;

/// The browser has one window, for one test at a time.
static WINDOW: Mutex<()> = Mutex::new(());

/// An open page. No other test has the window until it is dropped.
pub struct Page {
    browser: Arc<Browser>,
    address: String,
    /// Messages of the console that a test expects.
    expected: Vec<&'static str>,
    _window: MutexGuard<'static, ()>,
}

impl Page {
    /// A window that shows nothing yet, for a site at an address that ends with a slash.
    pub fn blank_at(address: String) -> Page {
        // Whoever waits for the window keeps the browser alive.
        let browser = Browser::shared();
        let window = WINDOW.lock().unwrap_or_else(PoisonError::into_inner);
        let page = Page { browser, address, expected: Vec::new(), _window: window };
        page.console();
        page
    }

    /// Goes to an address below that of the site.
    pub fn go(&self, path: &str) {
        self.browser.command("POST", "/url", &json!({"url": format!("{}{path}", self.address)}));
    }

    /// Does not fail because of messages of the console with this text.
    pub fn expect_message(&mut self, text: &'static str) {
        self.expected.push(text);
    }

    /// What a function with this body returns.
    pub fn run(&self, script: &str) -> Value {
        let answer = self.browser.command("POST", "/execute/sync", &json!({"script": script, "args": []}));
        if let Some(error) = answer.get("error") {
            panic!("{script}: {error} {}", answer.get("message").unwrap_or(&Value::Null));
        }
        answer
    }

    /// What an async function with this body returns.
    pub fn run_async(&self, script: &str) -> Value {
        self.run(&format!("return (async () => {{ {script} }})()"))
    }

    /// Waits until a function with this body returns something that counts as true, and answers that.
    pub fn wait(&self, what: &str, script: &str) -> Value {
        let is_there = |value: &Value| !matches!(value, Value::Null | Value::Bool(false)) && value != "";
        let found = wait::poll(wait::DEADLINE, || Some(self.run(script)).filter(is_there));
        found.unwrap_or_else(|| panic!("waited in vain until {what}; the page says:\n{}", self.words()))
    }

    /// Waits until the page has this text somewhere.
    pub fn wait_for_text(&self, text: &str) {
        self.wait(text, &format!("return document.body.innerText.includes({})", Value::from(text)));
    }

    /// The text of the page as its user reads it.
    pub fn words(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Clicks the first element that a selector finds.
    pub fn click(&self, selector: &str) {
        let clicked = wait::poll(wait::DEADLINE, || {
            // The page may have made it anew meanwhile.
            let element = self.browser.element(selector);
            let answer = self.browser.command("POST", &format!("/element/{element}/click"), &json!({}));
            answer.is_null().then_some(())
        });
        assert!(clicked.is_some(), "{selector} cannot be clicked");
    }

    /// Presses these keys one after the other, wherever the focus is.
    pub fn press(&self, keys: &[char]) {
        let strokes: Vec<Value> = keys
            .iter()
            .flat_map(|key| {
                [
                    json!({"type": "keyDown", "value": key.to_string()}),
                    json!({"type": "keyUp", "value": key.to_string()}),
                ]
            })
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.browser.command("POST", "/actions", &actions);
    }

    /// Presses the Tab key until what a selector finds has the focus.
    pub fn tab_to(&self, selector: &str) {
        self.go_by(&[], selector);
    }

    /// The same backwards.
    pub fn tab_back_to(&self, selector: &str) {
        self.go_by(&[SHIFT], selector);
    }

    fn go_by(&self, held: &[char], selector: &str) {
        let key = |kind: &str, key: char| json!({"type": kind, "value": key.to_string()});
        let mut strokes: Vec<Value> = held.iter().map(|held| key("keyDown", *held)).collect();
        strokes.extend([key("keyDown", TAB), key("keyUp", TAB)]);
        strokes.extend(held.iter().map(|held| key("keyUp", *held)));
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        let has_focus = format!("return document.activeElement.matches({})", Value::from(selector));
        for _ in 0..MOST_TABS {
            if self.run(&has_focus) == true {
                return;
            }
            self.browser.command("POST", "/actions", &actions);
        }
        panic!("the Tab key does not reach {selector}");
    }

    /// Types a text, wherever the focus is.
    pub fn write(&self, text: &str) {
        self.press(&text.chars().collect::<Vec<_>>());
    }

    /// Sends a header with every request from now on; none without a value.
    pub fn send_header(&self, header: Option<(&str, &str)>) {
        self.browser.devtools("Network.enable", &json!({}));
        let headers: serde_json::Map<_, _> =
            header.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self.browser.devtools("Network.setExtraHTTPHeaders", &json!({"headers": headers}));
    }

    /// Pretends to be a phone.
    pub fn become_phone(&self) {
        let screen = json!({"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true});
        self.browser.devtools("Emulation.setDeviceMetricsOverride", &screen);
    }

    /// Says that its user prefers something, such as a dark scheme.
    pub fn prefer(&self, feature: &str, value: &str) {
        let features = json!({"features": [{"name": feature, "value": value}]});
        self.browser.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// Prints the page: the width and the text that paper would show.
    pub fn emulate_paper(&self) {
        self.browser.devtools("Emulation.setEmulatedMedia", &json!({"media": "print"}));
    }

    /// Takes the streams away from pages that are opened meanwhile, as a proxy does that holds them back.
    pub fn run_without_streams(&self, test: impl FnOnce()) {
        let source = "window.EventSource = class extends EventTarget { close() {} get readyState() { return 0; } };";
        let added = self.browser.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({"source": source}));
        test();
        self.browser.devtools("Page.removeScriptToEvaluateOnNewDocument", &added);
    }

    /// Does something while another tab hides the page.
    pub fn while_hidden(&self, act: impl FnOnce()) {
        let window = self.browser.command("GET", "/window", &Value::Null);
        let other = self.browser.command("POST", "/window/new", &json!({"type": "tab"}));
        let target = |handle: &Value| json!({"targetId": handle.as_str().unwrap_or_default()});
        self.browser.devtools("Target.activateTarget", &target(&other["handle"]));
        act();
        self.browser.devtools("Target.closeTarget", &target(&other["handle"]));
        self.browser.devtools("Target.activateTarget", &target(&window));
    }

    /// Runs no scripts of pages from the next one on.
    pub fn forbid_scripts(&self, is_forbidden: bool) {
        self.browser.devtools("Emulation.setScriptExecutionDisabled", &json!({"value": is_forbidden}));
    }

    /// What the console says: errors, refusals by the policy, failed requests.
    fn console(&self) -> Vec<String> {
        let lines = self.browser.command("POST", "/se/log", &json!({"type": "browser"}));
        let lines = lines.as_array().into_iter().flatten();
        let severe = lines.filter(|line| line.get("level").and_then(Value::as_str) == Some("SEVERE"));
        severe.filter_map(|line| line.get("message").and_then(Value::as_str).map(str::to_owned)).collect()
    }
}

impl Drop for Page {
    /// The next test gets the window as it was.
    fn drop(&mut self) {
        let mut messages = self.console();
        messages.retain(|message| !self.expected.iter().any(|text| message.contains(text)));
        self.forbid_scripts(false);
        self.send_header(None);
        self.browser.devtools("Emulation.clearDeviceMetricsOverride", &json!({}));
        self.browser.devtools("Emulation.setEmulatedMedia", &json!({"media": "", "features": []}));
        self.browser.command("POST", "/url", &json!({"url": "about:blank"}));
        if !std::thread::panicking() {
            assert!(messages.is_empty(), "the console says: {messages:#?}");
        }
    }
}
