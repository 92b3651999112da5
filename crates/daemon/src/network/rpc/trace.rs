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
