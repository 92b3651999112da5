//! The CSRF token in the forms of the page: a request that carries it comes from a page of this daemon, whatever name a
//! proxy has for it.

use std::sync::OnceLock;

use subtle::ConstantTimeEq;
use supervisord_sys::random;

/// The form field that carries the token.
pub const FIELD: &str = "token";

/// Made once per process, so that forms stay valid when the configuration is read again. Empty if the system has no random
/// numbers; an empty token is never valid.
static TOKEN: OnceLock<String> = OnceLock::new();

/// The token as forms have it.
pub fn token() -> &'static str {
    TOKEN.get_or_init(|| {
        let bytes = random::bytes::<16>().ok();
        bytes.iter().flatten().map(|byte| format!("{byte:02x}")).collect()
    })
}

/// Whether this is the token, compared in constant time.
pub fn is_valid(text: &str) -> bool {
    let token = token();
    !token.is_empty() && bool::from(text.as_bytes().ct_eq(token.as_bytes()))
}
