//! Under which names a hub is asked where nobody logs in, without input and output.

use std::net::IpAddr;

/// Whether the header `Host` names an address or this machine. A page of another site may have its name lead here (DNS rebinding),
/// and would read what everybody on this machine may read. Where people log in, browsers keep what they log in with from such a name.
pub(super) fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_this_machine() {
        for host in
            ["localhost", "LOCALHOST:9080", "a.localhost:1", "127.0.0.1:9080", "[::1]:9080", "[::1]", "10.0.0.7"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in
            ["", "evil.example", "evil.example:9080", "localhost.evil.example", "127.0.0.1.evil.example", "[evil]"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
