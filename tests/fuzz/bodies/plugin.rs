//! The output of the Python process: each line is parsed or refused with a message, and our answer is one line.

use supervisord_wire::plugin::{FromPlugins, ToPlugins};
use supervisord_wire::xmlrpc::{decode_call, decode_response};

pub fn run(data: &[u8]) {
    for line in data.split(|&byte| byte == b'\n') {
        match FromPlugins::parse(line) {
            Ok(FromPlugins::Rpc { xml, .. }) => drop(decode_call(xml.as_bytes())),
            Ok(FromPlugins::Answer { xml, .. }) => drop(decode_response(xml.as_bytes())),
            Ok(_) => {}
            Err(why) => assert!(!why.is_empty()),
        }
    }
    let text = String::from_utf8_lossy(data).into_owned();
    for message in [
        ToPlugins::Call { id: 1, xml: text.clone() },
        ToPlugins::Event { name: "TICK_5", payload: text.clone() },
        ToPlugins::Refused { id: u64::MAX, text: text.clone() },
    ] {
        let line = message.line();
        assert_eq!(line.find('\n'), Some(line.len() - 1), "{line:?}");
        let read: serde_json::Value = serde_json::from_str(&line).expect("what we write can be read");
        assert!(["xml", "payload", "text"].iter().any(|&key| read[key] == text.as_str()), "{line:?}");
    }
}
