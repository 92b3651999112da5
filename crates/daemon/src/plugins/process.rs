//! The plug-in process as a child: what it executes, and who spawns it, reaps it and learns of its end.
//!
//! Control reaps every child of the daemon, so that it spawns this one, too. Only before there is a control plane, when the
//! first configuration is read, whoever needs a plug-in process spawns and reaps it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use supervisord_sys::command::{self, CommandError};
use supervisord_sys::signal::{self, SIGKILL};
use supervisord_sys::spawn::{self, ProcessGroup, SpawnPlan, Stdio};
use supervisord_sys::{Errno, Pid, host, wait};
use supervisord_wire::plugin::BOOTSTRAP;

use super::notice::{NotifyControl, PluginNotice, SpawnRequest};
use crate::output::RunId;

/// The environment variable that names the interpreter.
const INTERPRETER: &str = "SUPERVISOR_PYTHON";

/// The environment variable that names the directories of modules.
const SEARCH_PATH: &str = "PYTHONPATH";

/// Where programs are looked for without `PATH`.
const USUAL_PATH: &str = "/bin:/usr/bin";

/// Who spawns plug-in processes.
#[derive(Clone)]
pub enum Launcher {
    /// Control.
    Control(NotifyControl),
    /// Whoever needs one: there is no control plane that reaps it.
    Caller,
}

impl Launcher {
    /// Starts a plug-in process; what is written into the stream comes to it. It may block. See [`PreparedPlugin::new`].
    pub(super) fn start(&self, directory: &Path) -> io::Result<(PluginChild, UnixStream)> {
        let prepared = PreparedPlugin::new(directory)?;
        match self {
            Launcher::Caller => prepared.spawn(),
            Launcher::Control(notify) => {
                let (sender, spawned) = sync_channel(1);
                let on_spawned = move |result| _ = sender.send(result);
                let stream = prepared.have_spawned(notify, on_spawned, || ());
                let (run, _) = spawned.recv().map_err(|_| io::Error::other("the daemon ends"))??;
                Ok((PluginChild::Controlled { run, notify: notify.clone() }, stream))
            }
        }
    }
}

/// A running plug-in process. It ends by itself once its stream is closed.
pub(super) enum PluginChild {
    /// Control reaps it.
    Controlled { run: RunId, notify: NotifyControl },
    /// Whoever spawned it reaps it.
    Own(Pid),
}

impl PluginChild {
    /// Kills it, whatever it is doing, and sees to it that it is reaped.
    pub(super) fn end(self) {
        match self {
            PluginChild::Controlled { run, notify } => notify(PluginNotice::Kill(run)),
            PluginChild::Own(pid) => {
                // Neither fails for a child that has not been reaped.
                let _ = signal::kill(pid, SIGKILL);
                let _ = wait::wait_for(pid);
            }
        }
    }
}

/// A plug-in process that is about to be spawned.
pub(crate) struct PreparedPlugin {
    plan: SpawnPlan,
    ours: UnixStream,
    theirs: OwnedFd,
}

impl PreparedPlugin {
    /// Finds the interpreter, which may block. What the environment says of files counts from `directory`, where the daemon
    /// was started: it may have gone to one in which others put what they like.
    pub(crate) fn new(directory: &Path) -> io::Result<PreparedPlugin> {
        let mut environment: spawn::Environment = host::environment().into_iter().collect();
        if let Some(path) = std::env::var_os(SEARCH_PATH) {
            environment.set(SEARCH_PATH, search_path(directory, &path))?;
        }
        let name = std::env::var_os(INTERPRETER).unwrap_or_else(|| "python3".into());
        let interpreter = interpreter(directory, &name)?;
        let words = [name.as_os_str(), "-u".as_ref(), "-c".as_ref(), BOOTSTRAP.as_ref(), "0".as_ref()];
        let plan = SpawnPlan::new(&interpreter, &words, environment)?.group(ProcessGroup::Inherited);
        let (ours, theirs) = UnixStream::pair()?;
        Ok(PreparedPlugin { plan, ours, theirs: theirs.into() })
    }

    /// Has control spawn the process, and gives our end of its stream.
    pub(crate) fn have_spawned(
        self,
        notify: &NotifyControl,
        on_spawned: impl FnOnce(Result<(RunId, u32), Errno>) + Send + 'static,
        on_exit: impl FnOnce() + Send + 'static,
    ) -> UnixStream {
        let PreparedPlugin { plan, ours, theirs } = self;
        let (on_spawned, on_exit) = (Box::new(on_spawned), Box::new(on_exit));
        notify(PluginNotice::Spawn(Box::new(SpawnRequest { plan, stdin: theirs, on_spawned, on_exit })));
        ours
    }

    fn spawn(self) -> io::Result<(PluginChild, UnixStream)> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let stdio = Stdio { stdin: self.theirs.as_fd(), stdout: stdout.as_fd(), stderr: stderr.as_fd() };
        let pid = spawn::spawn(self.plan, stdio)?;
        Ok((PluginChild::Own(pid), self.ours))
    }
}

/// The file of the interpreter: the first in `PATH` that can be executed, if it is a bare name.
fn interpreter(directory: &Path, name: &OsStr) -> io::Result<PathBuf> {
    let path = Path::new(name);
    if path.components().nth(1).is_some() {
        return executable(directory.join(path));
    }
    let directories = std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into());
    let mut failure = io::Error::from(Errno::ENOENT);
    for candidate in std::env::split_paths(&directories).map(|directory| directory.join(path)) {
        match executable(candidate) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => failure = error,
            found => return found,
        }
    }
    Err(failure)
}

fn executable(path: PathBuf) -> io::Result<PathBuf> {
    match command::check(&path) {
        Ok(()) => Ok(path),
        Err(CommandError::NotFound) => Err(Errno::ENOENT.into()),
        Err(CommandError::IsDirectory(_) | CommandError::NotExecutable(_) | CommandError::NoPermission(_)) => {
            Err(Errno::EACCES.into())
        }
    }
}

/// The search path with all entries absolute; an empty one is the directory itself, where there are others.
fn search_path(directory: &Path, path: &OsStr) -> OsString {
    let entries = path.as_bytes().split(|byte| *byte == b':').map(|entry| match entry {
        [] => directory.to_owned(),
        entry => directory.join(OsStr::from_bytes(entry)),
    });
    let entries: Vec<PathBuf> = entries.collect();
    if path.is_empty() { OsString::new() } else { std::env::join_paths(entries).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_path_counts_from_where_the_daemon_was_started() {
        let absolute = |path: &str| search_path(Path::new("/start"), OsStr::new(path));
        assert_eq!(absolute("lib:/opt/lib"), "/start/lib:/opt/lib");
        assert_eq!(absolute(":x"), "/start:/start/x");
        assert_eq!(absolute(""), "");
    }

    #[test]
    fn an_interpreter_that_cannot_be_executed_is_no_interpreter() {
        let find = |name: &str| interpreter(Path::new("/"), OsStr::new(name)).map_err(|error| error.raw_os_error());
        assert_eq!(find("bin/sh"), Ok("/bin/sh".into()));
        assert!(find("sh").is_ok_and(|path| path.is_absolute()));
        assert_eq!(find("etc/passwd"), Err(Some(Errno::EACCES.number())));
        assert_eq!(find("etc/nonexistent"), Err(Some(Errno::ENOENT.number())));
        assert_eq!(find("nonexistent-interpreter"), Err(Some(Errno::ENOENT.number())));
    }
}
