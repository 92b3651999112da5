//! The variables that a program has from files. They are read at every start, on another thread, and kept nowhere.

use std::io;
use std::path::Path;

use supervisord_config::environment_file::{self, BadLine, EnvironmentFile};
use supervisord_config::host::reason;
use supervisord_config::model::Process;
use supervisord_config::pyrepr::repr;
use supervisord_core::supervisor::SpawnFailure;
use supervisord_sys::small_file;
use supervisord_sys::user::current_name;

use crate::control::offload::{NoReply, Offload};

/// The most bytes of a file: variables of a process have no room for more.
const MOST_BYTES: u64 = 1 << 20;

/// The variables of the files of a process, in their order.
pub(super) fn variables(process: &Process, offload: &mut Offload) -> Result<Vec<(String, String)>, SpawnFailure> {
    let mut variables = Vec::new();
    let name = repr(&process.identity.name);
    for file in &process.spawn.env_file {
        let (question, subject) = (file.clone(), format!("environment file {}", file.path));
        let read = offload.ask(&subject, move || read(&question)).map_err(|NoReply| {
            let path = &file.path;
            SpawnFailure::Unanswered(format!(
                "the file system of the environment file {path} of {name} does not respond"
            ))
        })?;
        let refused = |reason: String| SpawnFailure::Refused(format!("environment file of {name}: {reason}"));
        variables.extend(read.map_err(refused)?);
    }
    Ok(variables)
}

/// What is in a file. It may block.
///
/// # Errors
/// Why it cannot be read, or what is wrong in which line, beginning with its path.
pub fn read(file: &EnvironmentFile) -> Result<Vec<(String, String)>, String> {
    let content = match content(&file.path) {
        Ok(content) => content,
        Err(error) if file.is_optional && error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(format!("{} cannot be read as user {}: {}", file.path, current_name(), reason(&error)));
        }
    };
    environment_file::variables(&content).map_err(|BadLine { line, reason }| format!("{}:{line}: {reason}", file.path))
}

fn content(path: &str) -> io::Result<String> {
    String::from_utf8(small_file::read(Path::new(path), MOST_BYTES)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_what_is_wrong_is_said_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let read = |name: &str, content: Option<&str>, is_optional| {
            if let Some(content) = content {
                std::fs::write(path(name), content).unwrap();
            }
            read(&EnvironmentFile { path: path(name), is_optional })
        };
        assert_eq!(read("good", Some("A=1\n"), false), Ok(vec![("A".to_owned(), "1".to_owned())]));
        assert_eq!(read("missing", None, true), Ok(Vec::new()));
        let missing = read("missing", None, false).unwrap_err();
        assert!(missing.starts_with(&path("missing")) && missing.ends_with(": No such file or directory"), "{missing}");
        let bad = read("bad", Some("A=1\nsecret\n"), true).unwrap_err();
        assert!(
            bad.starts_with(&format!("{}:2: expected NAME=VALUE", path("bad"))) && !bad.contains("secret"),
            "{bad}"
        );
        let pipe = path("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let refused = super::read(&EnvironmentFile { path: pipe, is_optional: true }).unwrap_err();
        assert!(refused.ends_with(": it is a named pipe, and must be a regular file"), "{refused}");
        let large = "A=1\n".repeat(300_000);
        assert!(read("large", Some(&large), true).unwrap_err().ends_with(": it has more than 1048576 bytes"));
    }
}
