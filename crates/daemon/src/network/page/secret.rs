//! The secret in the forms of the page: who sends it has our page, whatever a proxy calls us.

use std::sync::OnceLock;

use subtle::ConstantTimeEq;
use supervisord_sys::random;

/// The field of a form that has the secret.
pub const FIELD: &str = "token";

/// For the whole life of the process, so that forms stay good while the configuration is read again. Nothing where the
/// system has no random numbers: then it proves nothing.
static SECRET: OnceLock<String> = OnceLock::new();

/// The secret as forms have it.
pub fn secret() -> &'static str {
    SECRET.get_or_init(|| {
        let bytes = random::bytes::<16>().ok();
        bytes.iter().flatten().map(|byte| format!("{byte:02x}")).collect()
    })
}

/// Whether this is the secret. The time tells nothing about it.
pub fn is_known(text: &str) -> bool {
    let secret = secret();
    !secret.is_empty() && bool::from(text.as_bytes().ct_eq(secret.as_bytes()))
}
