//! What the activity log says about requests.

use supervisord_config::model::LogLevel;
use supervisord_config::pyrepr;
use supervisord_wire::fault::Fault;
use supervisord_wire::xmlrpc::DecodeError;

use crate::activity::Activity;

/// How much of what a client sent is repeated in a line, in bytes.
const MAX_SHOWN: usize = 1024;

pub(super) fn called(activity: &Activity, method: &str) {
    trace(activity, || format!("XML-RPC method called: {}()", line(method)));
}

pub(super) fn returned(activity: &Activity, method: &str) {
    trace(activity, || format!("XML-RPC method {}() returned successfully", line(method)));
}

pub(super) fn refused(activity: &Activity, method: &str, fault: &Fault) {
    let Fault { code, text } = fault;
    trace(activity, || format!("XML-RPC method {}() returned fault: [{code}] {}", line(method), line(text)));
}

pub(super) fn invalid(activity: &Activity, body: &[u8], error: &DecodeError) {
    let why = match error {
        DecodeError::NoMethodName => "no method name",
        _ => "unmarshallable",
    };
    let shown = String::from_utf8_lossy(&body[..body.len().min(MAX_SHOWN)]);
    let data = pyrepr::repr(&shown);
    let more = if body.len() > MAX_SHOWN { "..." } else { "" };
    activity.log(LogLevel::Error, &format!("XML-RPC request data {data}{more} is invalid: {why}"));
}

fn trace(activity: &Activity, text: impl FnOnce() -> String) {
    if activity.wants(LogLevel::Trace) {
        activity.log(LogLevel::Trace, &text());
    }
}

/// What a client sent, as a part of a line that it can neither break nor make endless.
fn line(text: &str) -> String {
    let mut end = text.len().min(MAX_SHOWN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut shown = String::with_capacity(end);
    for c in text[..end].chars() {
        match c {
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    if end < text.len() { shown + "..." } else { shown }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use supervisord_wire::fault::FaultCode;

    use super::*;

    /// What is logged at TRAC, without the time.
    fn logged(log: impl FnOnce(&Activity)) -> String {
        let lines = Arc::new(Mutex::new(String::new()));
        let sink = lines.clone();
        log(&Activity::new(LogLevel::Trace, move |line| sink.lock().expect("no panics").push_str(&line)));
        let lines = lines.lock().expect("no panics");
        let (_, line) = lines.split_once(',').expect("a time with milliseconds");
        line[4..].trim_end().to_owned()
    }

    #[test]
    fn lines_are_those_of_the_original() {
        assert_eq!(logged(|log| called(log, "a.b")), "TRAC XML-RPC method called: a.b()");
        assert_eq!(logged(|log| returned(log, "a.b")), "TRAC XML-RPC method a.b() returned successfully");
        let fault = Fault::with(FaultCode::BadName, "x");
        assert_eq!(
            logged(|log| refused(log, "a.b", &fault)),
            "TRAC XML-RPC method a.b() returned fault: [10] BAD_NAME: x"
        );
        let no_name = logged(|log| invalid(log, b"<a/>", &DecodeError::NoMethodName));
        assert_eq!(no_name, "ERRO XML-RPC request data '<a/>' is invalid: no method name");
        let bad = logged(|log| invalid(log, b"it's\n", &DecodeError::Encoding));
        assert_eq!(bad, "ERRO XML-RPC request data \"it's\\n\" is invalid: unmarshallable");
    }

    #[test]
    fn a_client_can_neither_forge_nor_flood_lines() {
        assert_eq!(line("a\nb\x1b"), "a\\nb\\u{1b}");
        assert_eq!(line(&"é".repeat(MAX_SHOWN)), "é".repeat(MAX_SHOWN / 2) + "...");
        let long = logged(|log| invalid(log, &[b'x'; 100_000], &DecodeError::Encoding));
        assert_eq!(
            long,
            format!("ERRO XML-RPC request data '{}'... is invalid: unmarshallable", "x".repeat(MAX_SHOWN))
        );
    }
}
