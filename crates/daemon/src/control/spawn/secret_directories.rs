//! The private directories in which programs find their secrets as files. One is made for each child, in memory where the system
//! has a file system there, and is removed when the child has ended. Its path is made of the run alone, so that the next daemon finds
//! what one that was killed has left.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use supervisord_config::host::reason;
use supervisord_config::model::Process;
use supervisord_config::pyrepr::repr;
use supervisord_core::supervisor::SpawnFailure;
use supervisord_sys::user::{RunAs, current_uid};
use supervisord_sys::{fd, host};

use super::secret_variables::CREDENTIALS;
use crate::control::offload::{NoReply, Offload};
use crate::output::RunId;

/// Where file systems in memory usually are, the best first.
const IN_MEMORY: [&str; 2] = ["/run", "/dev/shm"];

/// What a disk that hangs is called in messages.
const SUBJECT: &str = "the directory of secrets";

/// Whose secrets are meant.
#[derive(Clone, Copy)]
pub(super) enum SecretReader {
    /// A child of this run, which is about to be made.
    Program(RunId),
    /// A command of a program. Its child, if it has one, is of this run.
    Command(Option<RunId>),
}

/// The directories of the children that have one.
#[derive(Default)]
pub(in crate::control) struct SecretDirectories {
    /// In which they are, as soon as one was made or found.
    home: Option<PathBuf>,
    runs: HashSet<RunId>,
}

impl SecretDirectories {
    /// The variables by which a child finds these secrets of its process. `instance` is a name for this daemon.
    pub(super) fn variables(
        &mut self,
        process: &Process,
        values: Vec<(String, OsString)>,
        reader: SecretReader,
        user: Option<&RunAs>,
        (instance, offload): (&str, &mut Offload),
    ) -> Result<Vec<(String, OsString)>, SpawnFailure> {
        if !process.spawn.secret_files {
            return Ok(values);
        }
        let variable = |path: PathBuf| vec![(CREDENTIALS.to_owned(), path.into_os_string())];
        match reader {
            SecretReader::Program(_) if values.is_empty() => Ok(Vec::new()),
            SecretReader::Program(run) => {
                let (known, instance, owner) = (self.home.clone(), instance.to_owned(), owner(user));
                let made = offload.ask(SUBJECT, move || {
                    // It has gone with the last of its directories.
                    let known = known.filter(|known| check(known).is_ok());
                    let home = known.map_or_else(|| home(&instance), Ok)?;
                    fill(&home, run, &values, owner).map(|path| (home, path))
                });
                let name = repr(&process.identity.name);
                let made =
                    made.map_err(|NoReply| SpawnFailure::Unanswered(format!("{SUBJECT} of {name} does not respond")))?;
                let (home, path) = made.map_err(|error| {
                    SpawnFailure::Refused(format!("{SUBJECT} of {name} cannot be made: {}", reason(&error)))
                })?;
                self.home = Some(home);
                self.runs.insert(run);
                Ok(variable(path))
            }
            SecretReader::Command(run) => {
                let run = run.filter(|run| self.runs.contains(run));
                Ok(run.and_then(|run| Some(variable(self.home.as_ref()?.join(run.0.to_string())))).unwrap_or_default())
            }
        }
    }

    /// Removes the directory of a child that has ended.
    pub(in crate::control) fn remove(&mut self, run: RunId, offload: &mut Offload) {
        if self.runs.remove(&run)
            && let Some(home) = self.home.clone()
        {
            // One that hangs is removed when it goes on, or by the next daemon.
            let _ = offload.ask(SUBJECT, move || remove(&home, &run.0.to_string()));
        }
    }

    /// Finds the directories that the daemon before has left. Those of others than these children are removed.
    pub(in crate::control) fn recall(&mut self, instance: &str, living: HashSet<RunId>, offload: &mut Offload) {
        let instance = instance.to_owned();
        let found = offload.ask(SUBJECT, move || {
            let look = |place: PathBuf| Some((place.join(&instance), sweep(&place.join(&instance), &living).ok()?));
            let found: Vec<_> = places().into_iter().filter_map(look).collect();
            found.into_iter().find(|(_, kept)| !kept.is_empty())
        });
        if let Ok(Some((home, kept))) = found {
            self.home = Some(home);
            self.runs = kept;
        }
    }
}

/// Who is to own a directory; none for the user of the daemon.
fn owner(user: Option<&RunAs>) -> Option<(u32, u32)> {
    match user {
        Some(RunAs::Other(ids)) => Some((ids.uid, ids.gid)),
        // Whoever cannot become the user will not read it.
        Some(RunAs::Same | RunAs::Refused { .. }) | None => None,
    }
}

/// Where the directory of this daemon may be.
fn places() -> Vec<PathBuf> {
    IN_MEMORY.into_iter().map(PathBuf::from).chain([host::temporary_dir()]).collect()
}

/// The directory in which those of the children are, made if need be. Others may pass through it, and not look into it.
fn home(instance: &str) -> io::Result<PathBuf> {
    let is_in_memory =
        |place: &PathBuf| File::open(place).is_ok_and(|there| fd::is_on_memory_file_system(there.as_fd()));
    let places = places();
    let (memory, disks): (Vec<_>, Vec<_>) = places.into_iter().partition(is_in_memory);
    let mut refusal = io::Error::from(ErrorKind::NotFound);
    for place in memory.into_iter().chain(disks) {
        let home = place.join(instance);
        match DirBuilder::new().mode(0o711).create(&home) {
            Ok(()) => {
                fs::set_permissions(&home, Permissions::from_mode(0o711))?;
                return Ok(home);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => match check(&home) {
                Ok(()) => return Ok(home),
                Err(error) => refusal = error,
            },
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// That nobody else can change what is in a directory.
fn check(home: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(home)?;
    match found.is_dir() && found.uid() == current_uid() && found.mode() & 0o022 == 0 {
        true => Ok(()),
        false => Err(io::Error::other(format!("{} belongs to somebody else", home.display()))),
    }
}

/// Makes the directory of a child with its secrets. It belongs to its user as soon as it is complete.
fn fill(home: &Path, run: RunId, values: &[(String, OsString)], owner: Option<(u32, u32)>) -> io::Result<PathBuf> {
    let path = home.join(run.0.to_string());
    let made = make(&path, values, owner);
    if made.is_err() {
        let _ = remove(home, &run.0.to_string());
    }
    made.map(|()| path)
}

fn make(path: &Path, values: &[(String, OsString)], owner: Option<(u32, u32)>) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)?;
    let give = |file: &File, mode: u32| {
        file.set_permissions(Permissions::from_mode(mode))?;
        owner.map_or(Ok(()), |(uid, gid)| fchown(file, Some(uid), Some(gid)))
    };
    for (name, value) in values {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(path.join(name))?;
        file.write_all(value.as_bytes())?;
        give(&file, 0o400)?;
    }
    give(&File::open(path)?, 0o700)
}

/// Removes the directory of a child, and that in which it is when no other is left.
fn remove(home: &Path, name: &str) -> io::Result<()> {
    let removed = fs::remove_dir_all(home.join(name));
    // It fails as long as there are others.
    let _ = fs::remove_dir(home);
    removed
}

/// Removes the directories in this one but for those of living children, and gives the children that have one.
fn sweep(home: &Path, living: &HashSet<RunId>) -> io::Result<HashSet<RunId>> {
    check(home)?;
    let mut kept = HashSet::new();
    for entry in fs::read_dir(home)?.flatten() {
        let name = entry.file_name();
        let run = name.to_str().and_then(|name| name.parse().ok()).map(RunId);
        match run.filter(|run| living.contains(run)) {
            Some(run) => _ = kept.insert(run),
            None => _ = name.to_str().map(|name| remove(home, name)),
        }
    }
    let _ = fs::remove_dir(home);
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").mode() & 0o7777
    }

    #[test]
    fn a_directory_is_private_and_goes_with_its_child() {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("home");
        DirBuilder::new().mode(0o711).create(&home).unwrap();
        let values = [("KEY".to_owned(), OsString::from("hunter2")), ("OTHER".to_owned(), OsString::new())];
        let path = fill(&home, RunId(7), &values, None).unwrap();
        assert_eq!((mode(&path), mode(&path.join("KEY"))), (0o700, 0o400));
        assert_eq!(fs::read_to_string(path.join("KEY")).unwrap(), "hunter2");
        fill(&home, RunId(8), &values, None).unwrap();
        assert!(fill(&home, RunId(8), &values, None).is_err(), "nobody else's is used");
        assert!(!home.join("8").exists(), "what is half made is removed");
        fill(&home, RunId(8), &values, None).unwrap();
        fs::write(home.join("odd"), "").unwrap();
        assert_eq!(sweep(&home, &HashSet::from([RunId(8), RunId(9)])).unwrap(), HashSet::from([RunId(8)]));
        assert!(!path.exists() && home.join("8").join("KEY").exists());
        fs::remove_file(home.join("odd")).unwrap();
        remove(&home, "8").unwrap();
        assert!(!home.exists(), "nothing is left");
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_not_used() {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("home");
        DirBuilder::new().create(&home).unwrap();
        fs::set_permissions(&home, Permissions::from_mode(0o777)).unwrap();
        fs::create_dir(home.join("1")).unwrap();
        assert!(check(&home).is_err() && sweep(&home, &HashSet::new()).is_err());
        assert!(home.join("1").exists(), "it is left as it is");
        std::os::unix::fs::symlink(&home, place.path().join("link")).unwrap();
        assert!(check(&place.path().join("link")).is_err());
    }
}
