//! `--fleet`: the rest of the command line is for `supervisor-fleet`, which asks many hosts.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// The option. It stands first.
const OPTION: &str = "--fleet";
/// The program.
const PROGRAM: &str = "supervisor-fleet";

/// What is for the other program; none where the command line is for this one. The program name comes first.
pub fn handed_over(arguments: impl IntoIterator<Item = OsString>) -> Option<Vec<OsString>> {
    let mut rest = arguments.into_iter().skip(1);
    (rest.next()? == OPTION).then(|| rest.collect())
}

/// Becomes the other program. Returns why that is not possible.
pub fn become_fleet(arguments: Vec<OsString>) -> String {
    // The one beside this program fits it; otherwise the system looks for it.
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(PROGRAM)).filter(|path| path.exists());
    let error = Command::new(beside.unwrap_or_else(|| PathBuf::from(PROGRAM))).args(arguments).exec();
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{OPTION}: {PROGRAM} is neither beside this program nor on the PATH: install the package {PROGRAM}")
        }
        _ => format!("{OPTION}: {PROGRAM} cannot be run: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_word_hands_over() {
        let words = |words: &[&str]| handed_over(words.iter().map(OsString::from));
        assert_eq!(
            words(&["c", "--fleet", "-H", "web*", "status"]),
            Some(["-H", "web*", "status"].map(OsString::from).into())
        );
        assert_eq!(words(&["c", "--fleet"]), Some(Vec::new()));
        assert_eq!(words(&["c", "status", "--fleet"]), None);
        assert_eq!(words(&["c"]), None);
    }
}
