//! Cargo, called by a test.

use std::process::Command;

/// Cargo as it was called for the tests themselves.
///
/// What it tells a test about its package, it takes for a change of the environment when it is called by the test. The build
/// script of `ring` asks for that, so `ring` and everything above it would be built again, and then again for the next tests.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let told = name.to_str().is_some_and(|name| {
            name == "OUT_DIR" || ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
        });
        if told {
            command.env_remove(name);
        }
    }
    command
}
