//! Control groups (cgroup v2, Linux): a program in a group of its own keeps all its descendants in it, whatever they do.
//!
//! A group is a directory below that of this process, which must be writable (delegated). No controllers are used. The name of a
//! group says which process has made it, so that the next daemon finds those that a killed one has left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{io, process};

use crate::process_handle::ProcessHandle;
use crate::signal::SIGKILL;
use crate::{Errno, Pid, proc_stat, process_tree};

const PREFIX: &str = "supervisord-";

/// How often members are looked for that are asked to end, and may make others instead.
const SCANS_FOR_ASKING: usize = 2;

/// How often members are looked for that are killed one by one, at the most: the caller does it again later.
const SCANS_FOR_KILLING: usize = 100;

/// A group that a daemon has made for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    directory: PathBuf,
}

/// Why no group can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDelegated {
    /// There is no hierarchy of version 2, or it does not show the group of this process.
    NotMounted,
    /// `/proc` does not tell the group of this process.
    NoProc,
    /// The system refuses to make or change this file.
    Refused(PathBuf, Errno),
}

impl Cgroup {
    /// Makes a group. A process that writes `0` into the file enters it.
    ///
    /// # Errors
    /// Why that is not possible.
    pub fn make(number: u64) -> Result<(Cgroup, File), NotDelegated> {
        let own = own_directory().ok_or_else(|| match process_tree::can_list() {
            true => NotDelegated::NotMounted,
            false => NotDelegated::NoProc,
        })?;
        let directory = own.join(format!("{PREFIX}{}-{number}", process::id()));
        let refused = |path: &Path, error: io::Error| NotDelegated::Refused(path.to_owned(), errno(&error));
        // Who moves from one group to another must be able to write to that above both.
        let above = own.join("cgroup.procs");
        File::options().write(true).open(&above).map_err(|error| refused(&above, error))?;
        match fs::create_dir(&directory) {
            Ok(()) => {}
            // A program of an earlier life of this process had the number, and has left something behind.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(refused(&directory, error)),
        }
        let procs = directory.join("cgroup.procs");
        match File::options().write(true).open(&procs) {
            Ok(file) => Ok((Cgroup { directory }, file)),
            Err(error) => {
                let _ = fs::remove_dir(&directory);
                Err(refused(&procs, error))
            }
        }
    }

    /// The group that a daemon has made for this process or an ancestor of it.
    pub fn of(pid: Pid) -> Option<Cgroup> {
        let directory = directory_of(&pid.to_string())?;
        let made = |path: &&Path| path.file_name().and_then(maker).is_some();
        directory.ancestors().find(made).map(|path| Cgroup { directory: path.to_owned() })
    }

    /// The groups that are left of daemons that do not live any more, and those of this process.
    pub fn left_behind() -> Vec<Cgroup> {
        let Some(own) = own_directory() else { return Vec::new() };
        let entries = fs::read_dir(own).into_iter().flatten().flatten();
        let made = entries.filter_map(|entry| Some((maker(&entry.file_name())?, entry.path())));
        let is_left = |maker: u32| maker == process::id() || !lives(maker);
        made.filter(|(maker, _)| is_left(*maker)).map(|(_, directory)| Cgroup { directory }).collect()
    }

    /// The processes in it that live, also in groups below.
    pub fn members(&self) -> Vec<Pid> {
        let mut members = Vec::new();
        for directory in self.with_groups_below() {
            let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            members.extend(text.lines().filter_map(|line| Pid::new(line.parse().ok()?)));
        }
        members
    }

    /// Sends a signal to all members, to the `root` first. SIGKILL reaches those that are made meanwhile, too. Gives those that
    /// may not be signalled.
    ///
    /// # Errors
    /// ESRCH if there is nobody.
    pub fn send(&self, signal: i32, root: Option<Pid>) -> Result<Vec<Pid>, Errno> {
        if signal == SIGKILL && !self.members().is_empty() && fs::write(self.directory.join("cgroup.kill"), "1").is_ok()
        {
            return Ok(Vec::new());
        }
        // Before Linux 5.14 they are killed one by one, until nobody new is found.
        let scans = if signal == SIGKILL { SCANS_FOR_KILLING } else { SCANS_FOR_ASKING };
        let mut reached: Vec<(Pid, Result<(), Errno>)> = Vec::new();
        for _ in 0..scans {
            let before = reached.len();
            for pid in root.into_iter().chain(self.members()) {
                if !reached.iter().any(|(known, _)| *known == pid) {
                    reached.push((pid, self.signal_member(pid, signal)));
                }
            }
            if reached.len() == before {
                break;
            }
        }
        match reached.iter().all(|(_, result)| *result == Err(Errno::ESRCH)) {
            true => Err(Errno::ESRCH),
            false => {
                let refused = reached.into_iter().filter(|(_, result)| *result == Err(Errno::EPERM));
                Ok(refused.map(|(pid, _)| pid).collect())
            }
        }
    }

    /// Removes it. False while somebody is in it.
    pub fn remove(&self) -> bool {
        for directory in self.with_groups_below().into_iter().rev() {
            let _ = fs::remove_dir(directory);
        }
        !self.directory.exists()
    }

    fn signal_member(&self, pid: Pid, signal: i32) -> Result<(), Errno> {
        // The handle is on whoever has the number now: that one is meant, if it is in the group afterwards.
        let handle = ProcessHandle::open(pid)?;
        let is_member = match directory_of(&pid.to_string()) {
            Some(directory) => directory.starts_with(&self.directory),
            None => self.members().contains(&pid),
        };
        if is_member { handle.kill(signal) } else { Err(Errno::ESRCH) }
    }

    /// Its directory, and those below it, each behind the one that it is in.
    fn with_groups_below(&self) -> Vec<PathBuf> {
        let mut found = vec![self.directory.clone()];
        let mut next = 0;
        while let Some(directory) = found.get(next) {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            let below: Vec<PathBuf> = below.map(|entry| entry.path()).collect();
            found.extend(below);
            next += 1;
        }
        found
    }
}

/// The process id in the name of a group that a daemon has made.
fn maker(name: &std::ffi::OsStr) -> Option<u32> {
    let (maker, number) = name.to_str()?.strip_prefix(PREFIX)?.split_once('-')?;
    number.parse::<u64>().ok()?;
    maker.parse().ok()
}

/// Whether a process runs. One that has been killed may be a zombie for long, where nobody reaps it.
fn lives(pid: u32) -> bool {
    Pid::new(pid).and_then(proc_stat::read).is_some_and(|stat| !stat.is_zombie)
}

fn own_directory() -> Option<PathBuf> {
    directory_of("self")
}

/// The directory of the group of a process, as far as it can be seen here.
fn directory_of(process: &str) -> Option<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let (root, point) = mounts.lines().find_map(mounted)?;
    let below = Path::new(group).strip_prefix(root).ok()?;
    Some(Path::new(point).join(below))
}

/// What of the hierarchy of version 2 is mounted by a line of `mountinfo`, and where.
fn mounted(line: &str) -> Option<(&str, &str)> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    kind.starts_with("cgroup2 ").then_some((fields.next()?, fields.next()?))
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EINVAL, Errno::new)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_maker_that_has_ended_and_that_nobody_reaps_does_not_live() {
        assert!(lives(process::id()));
        let mut child = Command::new("/bin/cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        assert!(lives(child.id()));
        drop(child.stdin.take());
        let begin = Instant::now();
        while lives(child.id()) {
            assert!(begin.elapsed() < Duration::from_secs(60), "it is a zombie by now");
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!lives(child.id()));
    }

    #[test]
    fn a_group_is_known_by_its_name_and_a_mount_by_its_kind() {
        let maker = |name: &str| super::maker(std::ffi::OsStr::new(name));
        assert_eq!([maker("supervisord-12-0"), maker("supervisord-x-0"), maker("init.scope")], [Some(12), None, None]);
        let line = "41 31 0:38 /a /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw";
        assert_eq!(mounted(line), Some(("/a", "/sys/fs/cgroup/unified")));
        assert_eq!(mounted("31 22 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755"), None);
    }
}
