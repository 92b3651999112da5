//! The client's part of a configuration file: read or refused with a message.

use supervisord_config::client;

use super::configuration::{FILE, Machine};

pub fn run(data: &[u8]) {
    let text = [b"[supervisorctl]\n", data].concat();
    match client::load(FILE, &Machine(&text)) {
        Ok(config) => {
            assert_eq!(client::load(FILE, &Machine(&text)).ok().map(|again| again.serverurl), Some(config.serverurl))
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
