//! The file that says which programs are disabled. It must outlive a reboot, so that it does not stand beside the pid file.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use supervisord_config::host::reason;
use supervisord_config::model::Config;
use supervisord_core::disabled::{DisabledPrograms, Disabling};
use supervisord_core::event::ProcessName;
use supervisord_sys::{Errno, trusted};

use crate::file_replacement::{Durability, remove, replace, sync_directory};

/// The largest file that is read, in bytes.
const MOST: u64 = 64 << 20;

/// The content. What a later release adds is passed over.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct DisabledRecord {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    disabled: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    group: Arc<str>,
    program: Arc<str>,
    #[serde(default)]
    by: String,
    /// Seconds since the epoch.
    #[serde(default)]
    at: i64,
}

impl From<&DisabledPrograms> for DisabledRecord {
    fn from(disabled: &DisabledPrograms) -> DisabledRecord {
        let entry = |(name, disabling): (ProcessName, &Arc<Disabling>)| Entry {
            group: name.group,
            program: name.process,
            by: disabling.by.clone(),
            at: disabling.at,
        };
        DisabledRecord { disabled: disabled.iter().map(entry).collect() }
    }
}

impl From<DisabledRecord> for DisabledPrograms {
    fn from(record: DisabledRecord) -> DisabledPrograms {
        let mut disabled = DisabledPrograms::default();
        for Entry { group, program, by, at } in record.disabled {
            disabled.disable(&ProcessName { group, process: program }, &Arc::new(Disabling { by, at }));
        }
        disabled
    }
}

/// Where it stands: in the state directory, or beside the configuration, under the name of the configuration.
pub fn path(config: &Config) -> String {
    let name = Path::new(&config.file).file_name().map(|name| name.to_string_lossy().into_owned());
    let directory = config.supervisord.state_directory.as_deref().unwrap_or(&config.here);
    format!("{}/{}.disabled", directory.trim_end_matches('/'), name.as_deref().unwrap_or("supervisord.conf"))
}

/// What it says; nothing where there is none.
///
/// # Errors
/// Why it cannot be read, for people.
pub fn read(path: &str) -> Result<DisabledPrograms, String> {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(DisabledPrograms::default()),
        Err(error) => return Err(format!("{path} cannot be read: {}", reason(&error))),
    };
    let record: DisabledRecord =
        serde_json::from_slice(&text).map_err(|error| format!("{path} is not what the daemon writes: {error}"))?;
    Ok(record.into())
}

fn read_text(path: &str) -> io::Result<Vec<u8>> {
    // The system has no words for opening a socket.
    let explained = |error| fs::metadata(path).ok().and_then(|found| check_kind(&found).err()).unwrap_or(error);
    let file = trusted::open_read(path).map_err(explained)?;
    let found = file.metadata()?;
    check_kind(&found)?;
    if found.len() > MOST {
        return Err(io::Error::other(format!("it has more than {MOST} bytes")));
    }
    let mut text = Vec::new();
    file.take(MOST).read_to_end(&mut text)?;
    Ok(text)
}

fn check_kind(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    let kind = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "directory",
        () if kind.is_fifo() => "named pipe",
        () if kind.is_socket() => "socket",
        () => "device",
    };
    Err(io::Error::other(format!("it is a {kind}, and must be a regular file")))
}

/// Puts another file in its place, in one step, unless it says the same. It is on the disk afterwards. It waits for the disk.
///
/// # Errors
/// Why it cannot be written, for people, and what to do about it.
pub fn write(path: &str, disabled: &DisabledPrograms) -> Result<(), String> {
    store(path, disabled).map_err(|error| {
        let reason = Errno::from(error);
        format!("{path} cannot be written ({reason}){}", advice(reason))
    })
}

/// What to do about an error.
fn advice(reason: Errno) -> &'static str {
    match reason {
        Errno::EMFILE => "; allow the daemon more open files: see minfds in [supervisord]",
        Errno::ENFILE => "; the system has too many open files",
        Errno::ENOSPC => "; make room on its disk",
        _ => "; write state_directory=PATH in [supervisord], with a directory in which the daemon may write",
    }
}

fn store(path: &str, disabled: &DisabledPrograms) -> io::Result<()> {
    if disabled.is_empty() {
        remove(path)?;
        return sync_directory(path);
    }
    let mut text = serde_json::to_vec_pretty(&DisabledRecord::from(disabled)).map_err(io::Error::other)?;
    text.push(b'\n');
    if read_text(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    replace(path, &format!("{path}.new"), &text, 0o600, Durability::System).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn some() -> DisabledPrograms {
        let mut disabled = DisabledPrograms::default();
        let by = Arc::new(Disabling { by: "user 'ann'".to_owned(), at: 1_780_000_000 });
        for process in ["web_0", "web_1"] {
            disabled.disable(&ProcessName { group: "web".into(), process: process.into() }, &by);
        }
        disabled
    }

    #[test]
    fn it_is_read_as_it_was_written_and_goes_with_the_last_program() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = format!("{}/supervisord.conf.disabled", directory.path().display());
        assert_eq!(read(&path), Ok(DisabledPrograms::default()));
        assert_eq!(write(&path, &some()), Ok(()));
        assert_eq!(read(&path), Ok(some()));
        assert_eq!(write(&path, &DisabledPrograms::default()), Ok(()));
        assert_eq!(fs::read_dir(directory.path()).expect("it is there").count(), 0);
    }

    #[test]
    fn what_is_no_file_is_said_to_be_none() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = format!("{}/list", directory.path().display());
        let said = || read(&path).expect_err("it cannot be read").replace(&path, "X");
        fs::create_dir(&path).expect("made");
        assert_eq!(said(), "X cannot be read: it is a directory, and must be a regular file");
        fs::remove_dir(&path).expect("removed");
        let socket = std::os::unix::net::UnixListener::bind(&path).expect("bound");
        assert_eq!(said(), "X cannot be read: it is a socket, and must be a regular file");
        drop(socket);
        fs::remove_file(&path).expect("removed");
        fs::write(&path, "").expect("written");
        fs::File::options().write(true).open(&path).and_then(|file| file.set_len(MOST + 1)).expect("it has holes");
        assert_eq!(said(), "X cannot be read: it has more than 67108864 bytes");
    }

    #[test]
    fn what_a_later_release_adds_is_passed_over_and_what_is_no_list_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = format!("{}/list", directory.path().display());
        fs::write(&path, r#"{"later":1,"disabled":[{"group":"g","program":"p","why":"x"}]}"#).expect("written");
        assert!(read(&path).is_ok_and(|disabled| disabled.get("g", "p").is_some()));
        fs::write(&path, "g:p\n").expect("written");
        assert!(read(&path).is_err_and(|error| error.contains("is not what the daemon writes: ")));
        let missing = format!("{}/missing/list", directory.path().display());
        let refused = write(&missing, &some()).expect_err("there is no directory");
        assert!(refused.ends_with("in which the daemon may write") && refused.contains("No such file"), "{refused}");
    }

    #[test]
    fn it_stands_beside_the_configuration_or_in_the_state_directory() {
        let mut config = supervisord_config::samples::config([]);
        config.file = "/etc/supervisor/main.conf".to_owned();
        config.here = "/etc/supervisor".to_owned();
        assert_eq!(path(&config), "/etc/supervisor/main.conf.disabled");
        config.supervisord.state_directory = Some("/var/lib/supervisor/".to_owned());
        assert_eq!(path(&config), "/var/lib/supervisor/main.conf.disabled");
    }
}
