//! The private directories in which programs find their secrets as files. One is made for each child, in memory where the system
//! has a file system there, and is removed when the child has ended. Its path is made of the run, in a directory of this daemon, so
//! that the next one finds what one that was killed has left. Where somebody else has taken the name of that directory, a number
//! that nobody can guess is added to it.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use supervisord_config::host::reason;
use supervisord_config::model::{LogLevel, Process};
use supervisord_config::pyrepr::repr;
use supervisord_core::supervisor::SpawnFailure;
use supervisord_sys::user::{RunAs, current_uid};
use supervisord_sys::{fd, host, random};

use super::secret_variables::CREDENTIALS;
use crate::activity::Activity;
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
    /// In which the next one is made, as soon as one was made or found.
    home: Option<PathBuf>,
    /// In which that of each child is.
    runs: HashMap<RunId, PathBuf>,
}

/// A directory in which those of the children are.
struct Home {
    path: PathBuf,
    /// Where it is on a disk: why it is not in memory.
    on_disk: Option<String>,
}

impl SecretDirectories {
    /// The variables by which a child finds these secrets of its process. `instance` is a name for this daemon.
    pub(super) fn variables(
        &mut self,
        process: &Process,
        values: Vec<(String, OsString)>,
        reader: SecretReader,
        user: Option<&RunAs>,
        (instance, offload, activity): (&str, &mut Offload, &Activity),
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
                    let known = known.filter(|known| check(known).is_ok()).map(|path| Home { path, on_disk: None });
                    let home = known.map_or_else(|| home(places(), &instance), Ok)?;
                    fill(&home.path, run, &values, owner).map(|path| (home, path))
                });
                let name = repr(&process.identity.name);
                let made =
                    made.map_err(|NoReply| SpawnFailure::Unanswered(format!("{SUBJECT} of {name} does not respond")))?;
                let (home, path) = made.map_err(|error| {
                    SpawnFailure::Refused(format!("{SUBJECT} of {name} cannot be made: {}", reason(&error)))
                })?;
                let Home { path: home, on_disk } = home;
                if let Some(refusals) = on_disk {
                    let text = format!(
                        "the secrets of {name} are on a disk, in {}, because no file system in memory takes them ({refusals})",
                        home.display()
                    );
                    activity.log(LogLevel::Warn, &text);
                }
                self.home = Some(home.clone());
                self.runs.insert(run, home);
                Ok(variable(path))
            }
            SecretReader::Command(run) => {
                let found = run.and_then(|run| Some((run, self.runs.get(&run)?)));
                Ok(found.map(|(run, home)| variable(home.join(run.0.to_string()))).unwrap_or_default())
            }
        }
    }

    /// Removes the directory of a child that has ended.
    pub(in crate::control) fn remove(&mut self, run: RunId, offload: &mut Offload) {
        if let Some(home) = self.runs.remove(&run) {
            // One that hangs is removed when it goes on, or by the next daemon.
            let _ = offload.ask(SUBJECT, move || remove(&home, &run.0.to_string()));
        }
    }

    /// Finds the directories that the daemon before has left. Those of others than these children are removed.
    pub(in crate::control) fn recall(&mut self, instance: &str, living: HashSet<RunId>, offload: &mut Offload) {
        let instance = instance.to_owned();
        let found = offload.ask(SUBJECT, move || {
            let homes = places().into_iter().flat_map(|place| homes_in(&place, &instance));
            let look =
                |home: PathBuf| Some(sweep(&home, &living).ok()?.into_iter().map(move |run| (run, home.clone())));
            homes.filter_map(look).flatten().collect::<HashMap<_, _>>()
        });
        if let Ok(runs) = found {
            self.home = runs.values().next().cloned();
            self.runs = runs;
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

/// The directories of this daemon and of those before it in this place, and perhaps those of others with such names.
fn homes_in(place: &Path, instance: &str) -> Vec<PathBuf> {
    let is_meant = |name: &OsStr| {
        let rest = name.as_bytes().strip_prefix(instance.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
    };
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries.filter(|entry| is_meant(&entry.file_name())).map(|entry| entry.path()).collect()
}

/// The directory in which those of the children are, made if need be in the first of these places that allows it: in memory, if
/// there is one.
fn home(places: Vec<PathBuf>, instance: &str) -> io::Result<Home> {
    let is_in_memory =
        |place: &PathBuf| File::open(place).is_ok_and(|there| fd::is_on_memory_file_system(there.as_fd()));
    let (memory, disks): (Vec<_>, Vec<_>) = places.into_iter().partition(is_in_memory);
    let mut refusals: Vec<String> = Vec::new();
    let mut refuse = |place: &Path, reason: &str| refusals.push(format!("{}: {reason}", place.display()));
    let mut refusal = io::Error::from(ErrorKind::NotFound);
    for place in memory {
        match make_home(&place, instance) {
            Ok(path) => return Ok(Home { path, on_disk: None }),
            Err(error) => {
                refuse(&place, &reason(&error));
                refusal = error;
            }
        }
    }
    for place in &disks {
        refuse(place, if place.exists() { "it is on a disk" } else { "it does not exist" });
    }
    for place in disks {
        match make_home(&place, instance) {
            Ok(path) => return Ok(Home { path, on_disk: Some(refusals.join(", ")) }),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// Makes the directory, if it is not there. Others may pass through it, and not look into it.
fn make_home(place: &Path, instance: &str) -> io::Result<PathBuf> {
    let make = |home: PathBuf| -> io::Result<PathBuf> {
        DirBuilder::new().mode(0o711).create(&home)?;
        fs::set_permissions(&home, Permissions::from_mode(0o711))?;
        Ok(home)
    };
    let home = place.join(instance);
    match make(home.clone()) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match check(&home) {
            Ok(()) => Ok(home),
            // Somebody has put it there, to be given the secrets or to have them written to a disk.
            Err(_) => make(place.join(format!("{instance}.{:016x}", u64::from_ne_bytes(random::bytes()?)))),
        },
        made => made,
    }
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
    fn where_somebody_has_taken_the_name_another_one_is_used_and_found_again() {
        let place = tempfile::tempdir().unwrap();
        let planted = place.path().join("home");
        DirBuilder::new().create(&planted).unwrap();
        fs::set_permissions(&planted, Permissions::from_mode(0o777)).unwrap();
        let path = home(vec![place.path().to_owned()], "home").unwrap().path;
        assert!(path != planted && path.parent() == Some(place.path()) && mode(&path) == 0o711, "{path:?}");
        fill(&path, RunId(3), &[], None).unwrap();
        let homes = homes_in(place.path(), "home");
        assert_eq!(homes.iter().cloned().collect::<HashSet<_>>(), HashSet::from([planted.clone(), path.clone()]));
        assert!(sweep(&planted, &HashSet::new()).is_err());
        assert_eq!(sweep(&path, &HashSet::from([RunId(3)])).unwrap(), HashSet::from([RunId(3)]));
        remove(&path, "3").unwrap();
        assert!(!path.exists());
        fs::remove_dir(&planted).unwrap();
        assert_eq!(home(vec![place.path().to_owned()], "home").unwrap().path, planted);
    }

    #[test]
    fn what_goes_to_a_disk_says_why() {
        let disk = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        if fd::is_on_memory_file_system(File::open(disk.path()).unwrap().as_fd()) {
            return;
        }
        let (missing, there) = (disk.path().join("missing"), disk.path().to_owned());
        let made = home(vec![missing.clone(), there.clone()], "home").unwrap();
        let reason = format!("{}: it does not exist, {}: it is on a disk", missing.display(), there.display());
        assert_eq!((made.path, made.on_disk), (there.join("home"), Some(reason)));
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
