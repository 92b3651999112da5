//! The client's part of a configuration file: it is read, or refused with a message.

use supervisord_config::client;

use super::configuration::{FILE, FakeSystem};

pub fn run(data: &[u8]) {
    let text = [b"[supervisorctl]\n", data].concat();
    match client::load(FILE, &FakeSystem(&text)) {
        Ok(config) => {
            assert_eq!(client::load(FILE, &FakeSystem(&text)).ok().map(|again| again.serverurl), Some(config.serverurl))
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
