//! The values of secrets. They are looked up at every start, on another thread, and the daemon frees its copies once the child has
//! them. Freed memory is not overwritten: a value can stay in it until something else is written there.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use supervisord_config::host::reason;
use supervisord_config::model::Process;
use supervisord_config::pyrepr::repr;
use supervisord_config::secret::{Secret, SecretSource};
use supervisord_core::supervisor::SpawnFailure;
use supervisord_sys::small_file;
use supervisord_sys::user::current_name;

use crate::control::child_env::ChildEnv;
use crate::control::offload::{NoReply, Offload};

/// The most bytes of a value: the system takes no longer variables.
const MOST_BYTES: u64 = 128 << 10;

/// The variable in which the system tells the daemon where its own credentials are.
pub(super) const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The variables of the secrets of a process that stand in files.
pub(super) fn variables(
    process: &Process,
    child_env: &ChildEnv,
    offload: &mut Offload,
) -> Result<Vec<(String, OsString)>, SpawnFailure> {
    let mut variables = Vec::new();
    let owner = repr(&process.identity.name);
    for Secret { name, source } in &process.spawn.secrets {
        let refused = |reason: String| SpawnFailure::Refused(format!("secret {name} of {owner}: {reason}"));
        // What commands tell is added when they have ended, where a program is spawned.
        let Some(path) = path(source, child_env).map_err(refused)? else { continue };
        let (shown, question) = (path.display().to_string(), path.clone());
        let value = offload.ask(&format!("secret {shown}"), move || read(&question)).map_err(|NoReply| {
            SpawnFailure::Unanswered(format!(
                "the file system of the secret {name} of {owner}, {shown}, does not respond"
            ))
        })?;
        let value = value.map_err(|error| refused(cannot_read(&path, &reason(&error))))?;
        variables.push((name.clone(), value));
    }
    Ok(variables)
}

/// Why the value of a secret could not be read at a start; none where it probably could. It reads nothing of the value, and may
/// block.
pub fn obstacle(source: &SecretSource, child_env: &ChildEnv) -> Option<String> {
    let path = match path(source, child_env) {
        Ok(path) => path?,
        Err(reason) => return Some(reason),
    };
    let failure = match std::fs::metadata(&path) {
        Err(error) => reason(&error),
        Ok(found) if found.is_dir() => "it is a directory".to_owned(),
        Ok(_) => reason(&small_file::open(&path).err()?),
    };
    Some(cannot_read(&path, &failure))
}

fn cannot_read(path: &Path, reason: &str) -> String {
    format!("{} cannot be read as user {}: {reason}", path.display(), current_name())
}

/// The file of a secret; none where a command tells it.
fn path(source: &SecretSource, child_env: &ChildEnv) -> Result<Option<PathBuf>, String> {
    match source {
        SecretSource::Exec(_) => Ok(None),
        SecretSource::File(path) => Ok(Some(path.into())),
        SecretSource::Credential(name) => match child_env.own(CREDENTIALS) {
            Some(directory) => Ok(Some(Path::new(directory).join(name))),
            None => Err(format!(
                "credential {name} is looked for in {CREDENTIALS}, which is not set; systemd sets it for a unit with \
                 LoadCredential={name}:PATH"
            )),
        },
    }
}

/// What is in a file.
fn read(path: &Path) -> io::Result<OsString> {
    let mut content = Vec::new();
    small_file::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut content)?;
    value(content).map_err(io::Error::other)
}

/// The value that is written so: without the end of its last line.
///
/// # Errors
/// Why it cannot be that of a variable.
pub(super) fn value(mut written: Vec<u8>) -> Result<OsString, String> {
    if written.last() == Some(&b'\n') {
        written.pop();
        written.pop_if(|last| *last == b'\r');
    }
    match written.len() {
        length if u64::try_from(length).is_ok_and(|length| length > MOST_BYTES) => {
            Err(format!("it has more than {MOST_BYTES} bytes"))
        }
        _ if written.contains(&0) => Err("it contains a zero byte, which no variable can".to_owned()),
        _ => Ok(OsString::from_vec(written)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_is_in_the_file_without_the_end_of_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let read = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            super::read(&path).map(OsString::into_vec).map_err(|error| error.to_string())
        };
        assert_eq!(read(b"hunter2\n"), Ok(b"hunter2".to_vec()));
        assert_eq!(read(b"a\nb\r\n"), Ok(b"a\nb".to_vec()));
        assert_eq!(read(b"\xff \n\n"), Ok(b"\xff \n".to_vec()));
        assert_eq!(read(b""), Ok(Vec::new()));
        assert!(read(b"a\0b").unwrap_err().contains("zero byte"));
        assert!(read(&vec![b'x'; 200_000]).unwrap_err().contains("more than 131072 bytes"));
        assert!(super::read(directory.path()).is_err());
    }
}
