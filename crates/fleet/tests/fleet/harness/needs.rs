//! The programs that tests need and the build does not provide.

use std::path::PathBuf;

/// Directories of system services, which may not be in `PATH`.
const SYSTEM: [&str; 2] = ["/usr/sbin", "/usr/local/bin"];

/// The path of a program. If it is missing, the test fails with its name; `.ci/run` installs its package.
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(SYSTEM.map(PathBuf::from));
    let found = places.map(|place| place.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: .ci/run installs what the tests need"))
}
