//! A directory with a configuration, ready to be started with any subject.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::command::{self, Output};
use super::daemon::Daemon;
use super::reachable;
use super::subject::{Program, Subject};
use super::wait;

/// The environment variable that marks every process of a scene, including daemonized ones.
pub const MARK: &str = "SUITE_SCENE";

/// The permissions of a program.
const PROGRAM_MODE: u32 = 0o755;

/// The permissions of a directory that every user may write into.
const OPEN_TO_ALL: u32 = 0o777;

/// The sections nearly every scene begins with. `{dir}` is the directory of the scene.
const PREAMBLE: &str = "\
[supervisord]
logfile={dir}/supervisord.log
pidfile={dir}/supervisord.pid
childlogdir={dir}
[unix_http_server]
file={dir}/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{dir}/s.sock
";

/// The files and the environment of a test. In texts, `{dir}` stands for the directory of the running scene, and
/// `{port}`, `{port2}` and `{port3}` for free TCP ports.
#[derive(Clone, Debug)]
pub struct Scene {
    name: String,
    files: Vec<(String, String, u32)>,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    shell: Option<String>,
    mode: u32,
    marked: bool,
}

impl Scene {
    /// An empty scene; the name appears in failure reports.
    pub fn new(name: &str) -> Scene {
        Scene {
            name: name.to_owned(),
            files: Vec::new(),
            environment: [
                ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
                ("HOME", "{dir}"),
                // The original's interpreter changes the locale of its children when none is set.
                ("LANG", "C.UTF-8"),
                ("TZ", "UTC"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            arguments: vec!["-n".to_owned()],
            shell: None,
            mode: 0o755,
            marked: true,
        }
    }

    /// A scene whose configuration is the usual preamble (foreground, log, pid file, unix socket) and this.
    ///
    /// Later sections of the same name merge into earlier ones, so `[supervisord]` may be continued.
    pub fn with(name: &str, configuration: &str) -> Scene {
        Scene::new(name).config(&format!("{PREAMBLE}{configuration}"))
    }

    /// The whole of `supervisord.conf`.
    pub fn config(self, text: &str) -> Scene {
        self.file("supervisord.conf", text)
    }

    /// A file below the directory of the scene.
    pub fn file(mut self, path: &str, text: &str) -> Scene {
        self.files.retain(|(known, ..)| known != path);
        self.files.push((path.to_owned(), text.to_owned(), 0o644));
        self
    }

    /// An executable file below the directory of the scene.
    pub fn script(mut self, path: &str, text: &str) -> Scene {
        self.files.push((path.to_owned(), text.to_owned(), PROGRAM_MODE));
        self
    }

    /// An environment variable of the daemon and of `supervisorctl`.
    pub fn env(mut self, name: &str, value: &str) -> Scene {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the whole environment, including the variable that marks the processes of the scene.
    pub fn only_env(mut self, environment: &[(&str, &str)]) -> Scene {
        self.environment = environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.marked = false;
        self
    }

    /// The command line of the daemon instead of `-n`; `-c supervisord.conf` is added unless there is a `-c`.
    pub fn arguments(mut self, arguments: &[&str]) -> Scene {
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self
    }

    /// Shell commands that prepare the process before it becomes the daemon, such as `ulimit -n 100`.
    pub fn shell(mut self, commands: &str) -> Scene {
        self.shell = Some(commands.to_owned());
        self
    }

    /// Makes a system call fail for the daemon and its children, as on an older kernel or with a seccomp filter.
    pub fn without_call(self, call: &str, error: &str) -> Scene {
        let commands = format!("set -- python3 without_call.py {call} {error} \"$@\"");
        self.file("without_call.py", include_str!("../fixtures/without_call.py")).shell(&commands)
    }

    /// Allows every user to write into the directory and to start the daemon.
    pub fn open_to_all(mut self) -> Scene {
        self.mode = OPEN_TO_ALL;
        self
    }

    /// Writes the files, without starting anything.
    pub fn set_up(&self, subject: Subject) -> Place {
        let directory = tempfile::Builder::new().prefix("sv").rand_bytes(6).tempdir().expect("a temporary directory");
        let place = Place {
            subject,
            name: self.name.clone(),
            ports: [free_port(), free_port(), free_port()],
            directory,
            environment: Vec::new(),
        };
        fs::set_permissions(place.dir(), fs::Permissions::from_mode(self.mode)).expect("the directory is ours");
        for (path, text, mode) in &self.files {
            place.make_room(path);
            match *mode {
                PROGRAM_MODE => command::write_program(&place.fill(text), &place.path(path)),
                mode => {
                    place.write(path, text);
                    fs::set_permissions(place.path(path), fs::Permissions::from_mode(mode)).expect("the file is ours");
                }
            }
        }
        let mut environment: Vec<(String, String)> =
            self.environment.iter().map(|(name, value)| (name.clone(), place.fill(value))).collect();
        if self.marked {
            environment.push((MARK.to_owned(), place.dir().display().to_string()));
        }
        Place { environment, ..place }
    }

    /// Starts the daemon and waits until it has written its pid file.
    pub fn start(&self, subject: Subject) -> Daemon {
        self.start_in(self.set_up(subject))
    }

    /// Like [`Scene::start`], in a directory that was set up before.
    pub fn start_in(&self, place: Place) -> Daemon {
        let mut daemon = self.launch_in(place);
        daemon.wait_until("the pid file is written", |daemon| daemon.recorded_pid().is_some());
        daemon
    }

    /// Starts the daemon without waiting.
    pub fn launch(&self, subject: Subject) -> Daemon {
        self.launch_in(self.set_up(subject))
    }

    fn launch_in(&self, place: Place) -> Daemon {
        let command = self.daemon_command(&place);
        Daemon::launch(place, command)
    }

    /// Runs the daemon to its end.
    pub fn run(&self, subject: Subject) -> Output {
        self.run_in(&self.set_up(subject))
    }

    /// Runs the daemon to its end, in a directory that outlives it.
    pub fn run_in(&self, place: &Place) -> Output {
        self.run_within(wait::DEADLINE, place).unwrap_or_else(|output| panic!("{} did not end\n{output:?}", self.name))
    }

    /// Like [`Scene::run_in`], with a limit of its own; the error is the output so far of a daemon that was killed.
    pub fn run_within(&self, limit: Duration, place: &Place) -> Result<Output, Output> {
        let output = command::run_within(limit, &mut self.daemon_command(place), "");
        place.kill_everything(&[]);
        output
    }

    /// The path of the daemon.
    pub fn program(&self, subject: Subject) -> PathBuf {
        let path = subject.path(Program::Supervisord);
        if self.mode == OPEN_TO_ALL { reachable::program(path) } else { path }
    }

    fn daemon_command(&self, place: &Place) -> Command {
        let program = self.program(place.subject);
        let mut command = match &self.shell {
            Some(commands) => {
                let mut shell = place.command(Path::new("/bin/sh"));
                shell.arg("-c").arg(format!("{}\nexec \"$@\"", place.fill(commands))).arg("sh").arg(program);
                shell
            }
            None => place.command(&program),
        };
        command.args(self.arguments.iter().map(|argument| place.fill(argument)));
        if !self.arguments.iter().any(|argument| argument.starts_with("-c") || argument.starts_with("--configuration"))
        {
            command.args(["-c", "supervisord.conf"]);
        }
        command
    }
}

/// A scene on disk.
pub struct Place {
    pub subject: Subject,
    pub name: String,
    pub ports: [u16; 3],
    directory: TempDir,
    environment: Vec<(String, String)>,
}

impl Place {
    /// The directory of the scene, absolute.
    pub fn dir(&self) -> &Path {
        self.directory.path()
    }

    /// A path below it.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir().join(relative)
    }

    /// Replaces the placeholders for the directory and the ports.
    pub fn fill(&self, text: &str) -> String {
        text.replace("{dir}", &self.dir().display().to_string())
            .replace("{port}", &self.ports[0].to_string())
            .replace("{port2}", &self.ports[1].to_string())
            .replace("{port3}", &self.ports[2].to_string())
    }

    /// Writes a file below the directory, with placeholders filled.
    pub fn write(&self, path: &str, text: &str) {
        self.make_room(path);
        fs::write(self.path(path), self.fill(text)).expect("the directory can be written");
    }

    /// Makes the directory of a file below the directory.
    fn make_room(&self, path: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a path below the directory")).expect("the directory can be written");
    }

    /// The text of a file; empty while it does not exist.
    pub fn read(&self, path: &str) -> String {
        fs::read(self.path(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The names in the directory, sorted, without hidden files and without the files beside the pid file that a
    /// successor of our daemon uses.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.all_names();
        names.retain(|name| !is_for_successor(name));
        names
    }

    /// The names of the files that a successor of our daemon uses.
    pub fn names_for_successor(&self) -> Vec<String> {
        let mut names = self.all_names();
        names.retain(|name| is_for_successor(name));
        names
    }

    fn all_names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir()).expect("the directory exists");
        let mut names: Vec<_> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    }

    /// A command in the directory, with exactly the environment of the scene.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.dir()).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The file in which our daemon keeps the process ids of the children that it made last.
    pub fn spawned_pids(&self) -> PathBuf {
        let found = fs::metadata(self.dir()).expect("the directory exists");
        let shared = format!("/dev/shm/supervisord-{:x}-{:x}-supervisord.pid.spawned", found.dev(), found.ino());
        let beside = self.path("supervisord.pid.spawned");
        if beside.exists() { beside } else { shared.into() }
    }

    /// Removes what daemons that were killed have left in shared memory, whatever their pid files are called, and whether they
    /// are in the directory or one below it.
    fn remove_spawned_pids(&self) {
        let below = fs::read_dir(self.dir()).into_iter().flatten().flatten().map(|entry| entry.path());
        let directories = below.chain([self.dir().to_owned()]).filter_map(|path| fs::symlink_metadata(path).ok());
        let prefixes: Vec<String> = directories
            .filter(fs::Metadata::is_dir)
            .map(|found| format!("supervisord-{:x}-{:x}-", found.dev(), found.ino()))
            .collect();
        for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Kills every process of the scene, and `others`, and removes what is outside of its directory.
    pub fn kill_everything(&self, others: &[i32]) {
        use super::processes;
        processes::kill_all(others);
        let mark = format!("{MARK}={}", self.dir().display());
        // A process may start another one while it is being killed.
        loop {
            let marked = processes::with_environment(&mark);
            if marked.is_empty() {
                return self.remove_spawned_pids();
            }
            processes::kill_all(&marked);
        }
    }
}

/// A TCP port of the loopback interface that is free; never the same twice in one run. It is below the range of
/// ephemeral ports, from which the system could give it to a connection before the daemon binds it.
fn free_port() -> u16 {
    // Five digits, so that the port does not change the width of compared text.
    const FIRST: usize = 10_000;
    const COUNT: usize = 32_768 - FIRST;
    static TRIED: AtomicUsize = AtomicUsize::new(0);
    // Runs at the same time begin at different places.
    let begin = std::process::id() as usize * 1000;
    loop {
        let port = FIRST + (begin + TRIED.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(port).expect("it is in the range");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The ends of the names of what our daemon keeps beside its pid file for the next one.
const FOR_SUCCESSOR: [&str; 6] = [".keeper", ".lock", ".state", ".keeper.new", ".state.new", ".spawned"];

fn is_for_successor(name: &str) -> bool {
    FOR_SUCCESSOR.iter().any(|end| name.strip_suffix(end).is_some_and(|name| name.ends_with(".pid")))
}

/// Removes what our daemon keeps beside a pid file for the next one, in shared memory, too.
pub fn remove_beside(pidfile: &Path) {
    for end in FOR_SUCCESSOR {
        let _ = fs::remove_file(format!("{}{end}", pidfile.display()));
    }
    if let (Some(Ok(place)), Some(name)) = (pidfile.parent().map(fs::metadata), pidfile.file_name()) {
        let name = name.to_string_lossy();
        let _ = fs::remove_file(format!("/dev/shm/supervisord-{:x}-{:x}-{name}.spawned", place.dev(), place.ino()));
    }
}
