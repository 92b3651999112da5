//! A file beside the configuration that says how many processes a program has.

use std::io::{self, ErrorKind};
use std::path::Path;

use supervisord_config::drop_in::drop_in_path;
use supervisord_config::host::reason;
use supervisord_config::model::Config;
use supervisord_sys::{Errno, small_file, trusted};

use crate::file_replacement::{Durability, replace};
use crate::host::SystemHost;

/// The first line of each, by which the daemon knows its own.
const HEADER: &str = "; Written by supervisorctl scale --persist. Without this file, the number that the section has elsewhere counts.\n";

/// The largest file that is read.
const MOST_BYTES: u64 = 1 << 20;

/// One that has been written. It is taken back when it is dropped, unless it is to be kept.
#[derive(Debug)]
pub struct DropIn {
    path: String,
    /// What has been written.
    text: Vec<u8>,
    /// What was there before.
    before: Option<Vec<u8>>,
    is_kept: bool,
}

impl DropIn {
    /// Writes one for a section, in one step. It may wait for a disk.
    ///
    /// # Errors
    /// Why it cannot be done, and what to write or do.
    pub fn write(config: &Config, section: &str, numprocs: i64) -> Result<DropIn, String> {
        let (_, program) = section.split_once(':').unwrap_or(("", section));
        let host = SystemHost::in_directory(config.here.clone());
        let path = drop_in_path(&config.file, &format!("scale-{program}"), &host)?;
        let before = match small_file::read(Path::new(&path), MOST_BYTES) {
            Ok(text) => match text.strip_prefix(HEADER.as_bytes()) {
                Some(content) => {
                    check_unedited(&path, section, &String::from_utf8_lossy(content))?;
                    Some(text)
                }
                None => return Err(format!("{path} is there, and was not written by the daemon: rename it")),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(format!("{path} cannot be read ({})", reason(&error))),
        };
        let text = format!("{HEADER}[{section}]\nnumprocs={numprocs}\n").into_bytes();
        write(&path, &text).map_err(|error| format!("{path} cannot be written ({})", Errno::from(error)))?;
        Ok(DropIn { path, text, before, is_kept: false })
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// It stays unless it is taken back by [`DropIn::undo`].
    pub fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Takes it back. It may wait for a disk.
    pub fn undo(mut self) {
        self.is_kept = false;
    }
}

impl Drop for DropIn {
    /// What somebody else has written since stays.
    fn drop(&mut self) {
        if self.is_kept || small_file::read(Path::new(&self.path), MOST_BYTES).ok().as_ref() != Some(&self.text) {
            return;
        }
        // What cannot be taken back is there for the next update to find.
        let _ = match &self.before {
            Some(text) => write(&self.path, text),
            None => trusted::remove(&self.path),
        };
    }
}

/// That what stands behind the first line is a number of processes and nothing else: what somebody has added would be lost.
fn check_unedited(path: &str, section: &str, content: &str) -> Result<(), String> {
    let is_own = |line: &str| {
        let number = line.split_once(['=', ':']).filter(|(option, _)| option.trim().eq_ignore_ascii_case("numprocs"));
        line.trim().is_empty()
            || line.trim_end() == format!("[{section}]")
            || number.is_some_and(|(_, number)| number.trim().parse::<i64>().is_ok())
    };
    let Some((index, line)) = content.lines().enumerate().find(|(_, line)| !is_own(line)) else { return Ok(()) };
    // A value may be secret.
    let what = line.split(['=', ':', ';', '#']).next().map(str::trim).filter(|what| !what.is_empty());
    Err(format!(
        "{path} has been edited by hand: {} in line {} would be lost. Move what was added into another file that [include] reads, so \
         that only numprocs is left in this one, or rename this one",
        what.unwrap_or("a comment"),
        index + 2
    ))
}

/// Writes the file. The name that it has meanwhile is matched by no pattern.
fn write(path: &str, text: &[u8]) -> io::Result<()> {
    let (directory, name) = path.rsplit_once('/').unwrap_or((".", path));
    replace(path, &format!("{directory}/.{name}.new"), text, 0o644, Durability::System).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_may_be_changed_by_hand_and_nothing_may_be_added() {
        let check = |content: &str| check_unedited("F", "program:w", content);
        for content in ["[program:w]\nnumprocs=3\n", "[program:w]\n\nNumprocs : 12 \n"] {
            assert_eq!(check(content), Ok(()), "{content}");
        }
        for (added, said) in [
            ("environment=KEY=\"hunter2\"", "F has been edited by hand: environment in line 4 would be lost"),
            ("; why", "a comment in line 4"),
            ("[program:x]", "[program in line 4"),
            ("numprocs=%(ENV_N)s", "numprocs in line 4"),
        ] {
            let refused = check(&format!("[program:w]\nnumprocs=3\n{added}\n")).expect_err(added);
            assert!(refused.contains(said) && !refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn only_what_it_has_written_itself_is_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("zz-scale-w.conf").display().to_string();
        let put = |text: &str, before: Option<&str>| {
            write(&path, text.as_bytes()).unwrap();
            let bytes = |text: &str| text.as_bytes().to_vec();
            DropIn { path: path.clone(), text: bytes(text), before: before.map(bytes), is_kept: false }
        };
        let content = || std::fs::read_to_string(&path).ok();

        drop(put("1", None));
        assert_eq!(content(), None);
        put("2", Some("1")).undo();
        assert_eq!(content().as_deref(), Some("1"));
        let given_up = put("2", Some("1"));
        let mut newer = put("3", Some("2"));
        drop(given_up);
        assert_eq!(content().as_deref(), Some("3"), "a newer one stays");
        newer.keep();
        drop(newer);
        assert_eq!(content().as_deref(), Some("3"));
        let mut kept = put("4", Some("3"));
        kept.keep();
        kept.undo();
        assert_eq!(content().as_deref(), Some("3"));
    }
}
