//! A running daemon.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::command::{self, Output};
use super::processes;
use super::rpc::{self, Value};
use super::scene::Place;
use super::subject::{Program, Subject};
use super::wait;

/// How long lines of the activity log may be delayed. The wait ends then, because some daemons always have something to
/// write.
const LAG: Duration = Duration::from_secs(5);

/// A daemon that was started from a scene. Dropping it kills it and everything it started.
pub struct Daemon {
    place: Place,
    child: Child,
    code: Option<i32>,
}

impl Deref for Daemon {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Daemon {
    /// Starts the daemon of a scene on disk.
    pub fn launch(place: Place, mut command: Command) -> Daemon {
        let stream = |name| Stdio::from(File::create(place.path(name)).expect("the directory can be written"));
        command.stdin(Stdio::null()).stdout(stream(".stdout")).stderr(stream(".stderr"));
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Daemon { place, child, code: None }
    }

    /// The process that was started; with a daemonizing scene this is not the daemon.
    pub fn launched_pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The pid in the pid file.
    pub fn recorded_pid(&self) -> Option<i32> {
        self.read("supervisord.pid").trim().parse().ok()
    }

    /// The pid of the daemon, in the foreground or not.
    pub fn pid(&self) -> i32 {
        self.recorded_pid().unwrap_or_else(|| self.launched_pid())
    }

    /// The activity log. Our daemon writes it on a thread of its own, so lines about what the test has seen already may
    /// still be missing: this waits for them.
    pub fn log(&self) -> String {
        if self.subject == Subject::Ours {
            wait::poll(LAG, || (!processes::is_thread_busy(self.pid(), "output")).then_some(()));
        }
        self.read("supervisord.log")
    }

    /// What the daemon wrote to its stdout.
    pub fn stdout(&self) -> String {
        self.read(".stdout")
    }

    /// What the daemon wrote to its stderr.
    pub fn stderr(&self) -> String {
        self.read(".stderr")
    }

    /// Waits for a condition; on failure the report shows what the daemon was doing.
    pub fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&Daemon) -> bool) {
        let mut ended = None;
        let reached = wait::poll(wait::DEADLINE, || {
            if condition(self) {
                return Some(true);
            }
            // A launcher that daemonized exits with 0; any other exit is final.
            ended = self.child.try_wait().ok().flatten().filter(|status| !status.success());
            (ended.is_some() && !condition(self)).then_some(false)
        });
        let ended = ended.map(|status| format!(", the daemon has ended: {status}")).unwrap_or_default();
        assert!(reached == Some(true), "waited in vain until {what}{ended}\n{}", self.report());
    }

    /// Waits until the daemon has written its pid file or has exited; returns whether it runs.
    pub fn comes_up(&mut self) -> bool {
        let up = wait::poll(wait::DEADLINE, || match self.is_running() {
            true => self.recorded_pid().is_some().then_some(true),
            false => Some(false),
        });
        up.unwrap_or_else(|| panic!("it neither came up nor ended\n{}", self.report()))
    }

    /// Waits until the activity log contains a text.
    pub fn wait_for_log(&mut self, text: &str) {
        self.wait_until(&format!("the log says {text:?}"), |daemon| daemon.log().contains(text));
    }

    /// Waits until a process is in a state, such as `RUNNING`.
    pub fn wait_for_state(&mut self, name: &str, state: &str) {
        self.wait_until(&format!("{name} is {state}"), |daemon| daemon.state_of(name) == state);
    }

    /// Waits until processes are in a state.
    pub fn wait_for_states(&mut self, names: &[&str], state: &str) {
        for name in names {
            self.wait_for_state(name, state);
        }
    }

    /// Waits until a file has content, and returns it.
    pub fn wait_for_file(&mut self, path: &str) -> String {
        self.wait_until(&format!("{path} has content"), |daemon| !daemon.read(path).is_empty());
        self.read(path)
    }

    /// The activity log without what is worded freely or depends on timing: internal names of dispatchers, debug lines
    /// about signals and polling, repeated "waiting for" lines, who outlives a stop, and whether the first program is RUNNING
    /// before or after the second is started.
    pub fn story(&self) -> String {
        const FREE: [&str; 5] = ["stopped monitoring", "received SIGCHLD", " BLAT ", " to stop", " outlive its stop: "];
        let log = self.log();
        let mut lines: Vec<&str> = Vec::new();
        for line in log.lines().filter(|line| !FREE.iter().any(|free| line.contains(free))) {
            let again =
                line.contains(" INFO waiting for ") && lines.iter().any(|known| known.contains(" INFO waiting for "));
            if !again {
                lines.push(line);
            }
        }
        for starts in lines.chunk_by_mut(|left, right| is_start(left) && is_start(right)) {
            starts.sort_by_key(|line| line.contains(" success: "));
        }
        lines.join("\n")
    }

    /// The name of the state of a process.
    pub fn state_of(&self, name: &str) -> String {
        self.info(name).get("statename").text().to_owned()
    }

    /// The pid of a process, 0 when it has none.
    pub fn pid_of(&self, name: &str) -> i32 {
        self.info(name).get("pid").int() as i32
    }

    /// The result of `getProcessInfo`.
    pub fn info(&self, name: &str) -> Value {
        self.call("supervisor.getProcessInfo", &[name.into()])
    }

    /// Calls a method over the unix socket; a fault is its code and its text.
    pub fn rpc(&self, method: &str, parameters: &[Value]) -> Result<Value, (i64, String)> {
        rpc::call(&self.path("s.sock"), method, parameters)
            .unwrap_or_else(|error| panic!("{method}: {error}\n{}", self.report()))
    }

    /// The answer to a call as text; a fault or an HTTP status, too.
    pub fn answer(&self, method: &str, parameters: &[Value]) -> String {
        rpc::ask(&self.path("s.sock"), method, parameters)
            .map_or_else(|error| error.kind().to_string(), |answer| answer.to_string())
    }

    /// Calls a method of a daemon that may be about to restart; none when it does not answer, or answers with a fault.
    pub fn rpc_if_up(&self, method: &str, parameters: &[Value]) -> Option<Value> {
        rpc::call(&self.path("s.sock"), method, parameters).ok()?.ok()
    }

    /// Calls a method that must succeed.
    pub fn call(&self, method: &str, parameters: &[Value]) -> Value {
        self.rpc(method, parameters)
            .unwrap_or_else(|(code, text)| panic!("{method}: fault {code} {text}\n{}", self.report()))
    }

    /// Runs the subject's `supervisorctl` on the configuration of the scene.
    pub fn ctl(&self, arguments: &[&str]) -> Output {
        self.ctl_of(self.subject, arguments, "")
    }

    /// Runs either subject's `supervisorctl`, with this text on its stdin.
    pub fn ctl_of(&self, subject: Subject, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(&subject.path(Program::Supervisorctl));
        command.args(["-c", "supervisord.conf"]).args(arguments);
        command::run(&mut command, input)
    }

    /// Sends a signal to the daemon.
    pub fn signal(&self, signal: Signal) {
        processes::signal(self.pid(), signal);
    }

    /// Kills a supervised process with SIGKILL and returns the pid it had.
    pub fn kill_child(&self, name: &str) -> i32 {
        let pid = self.pid_of(name);
        assert!(pid > 0, "{name} is not running\n{}", self.report());
        processes::signal(pid, Signal::SIGKILL);
        pid
    }

    /// Waits until the launched process has ended, and returns its exit status.
    pub fn exit_code(&mut self) -> i32 {
        if let Some(code) = self.code {
            return code;
        }
        let status = wait::poll(wait::DEADLINE, || self.child.try_wait().expect("a child can be waited for"));
        let Some(status) = status else { panic!("the daemon did not end\n{}", self.report()) };
        let code = command::shell_code(status);
        self.code = Some(code);
        code
    }

    /// Kills the launched process, a daemon in the foreground, with SIGKILL, and waits until it is gone.
    pub fn crash(&mut self) {
        processes::signal(self.launched_pid(), Signal::SIGKILL);
        self.exit_code();
    }

    /// Like [`Daemon::crash`], and kills the keeper, so that only the state file is left.
    pub fn crash_with_keeper(&mut self) {
        let keeper = self.running_keeper();
        self.crash();
        processes::signal(keeper, Signal::SIGKILL);
        assert!(wait::poll(wait::DEADLINE, || (!processes::alive(keeper)).then_some(())).is_some(), "it does not die");
    }

    /// The process id of the daemon's keeper, which may be starting still.
    pub fn running_keeper(&self) -> i32 {
        wait::poll(wait::DEADLINE, || self.keeper()).unwrap_or_else(|| panic!("no keeper\n{}", self.report()))
    }

    /// The process id of the daemon's keeper, or of the keeper that a killed daemon left behind.
    pub fn keeper(&self) -> Option<i32> {
        self.keepers().first().copied()
    }

    /// The process ids of all keepers; more than one while one replaces another.
    pub fn keepers(&self) -> Vec<i32> {
        let mark = format!("{}={}", super::scene::MARK, self.dir().display());
        let is_keeper = |pid: &i32| processes::process(*pid).is_some_and(|process| process.name == processes::KEEPER);
        processes::with_environment(&mark).into_iter().filter(is_keeper).collect()
    }

    /// Starts the daemon again after it has ended, and waits until it has written its pid file.
    pub fn start_again(&mut self) {
        self.start_again_with(&self.place.subject.path(Program::Supervisord));
    }

    /// Like [`Daemon::start_again`], with another program.
    pub fn start_again_with(&mut self, program: &Path) {
        self.launch_again_with(program);
        let launched = self.launched_pid();
        self.wait_until("the pid file is written", |daemon| daemon.recorded_pid() == Some(launched));
    }

    /// Starts the daemon again after it has ended, without waiting.
    pub fn launch_again(&mut self) {
        self.launch_again_with(&self.place.subject.path(Program::Supervisord));
    }

    /// Like [`Daemon::launch_again`], with another program.
    pub fn launch_again_with(&mut self, program: &Path) {
        let mut command = self.place.command(program);
        let stream = |name| File::options().append(true).create(true).open(self.place.path(name)).map(Stdio::from);
        let (stdout, stderr) = (stream(".stdout"), stream(".stderr"));
        command.args(["-n", "-c", "supervisord.conf"]).stdin(Stdio::null());
        command
            .stdout(stdout.expect("the directory can be written"))
            .stderr(stderr.expect("the directory can be written"));
        self.child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        self.code = None;
    }

    /// Asks the daemon to shut down, waits for it and returns its exit status.
    pub fn stop(&mut self) -> i32 {
        self.signal(Signal::SIGTERM);
        self.exit_code()
    }

    /// Whether the launched process still runs.
    pub fn is_running(&mut self) -> bool {
        self.code.is_none() && matches!(self.child.try_wait(), Ok(None))
    }

    /// The state of the daemon and its logs, for failure messages.
    pub fn report(&self) -> String {
        let tree = processes::descendants(self.pid());
        let mut text = format!("{} ({:?}) in {}\n", self.name, self.subject, self.dir().display());
        for (title, content) in [
            ("configuration", self.read("supervisord.conf")),
            ("activity log", self.log()),
            ("stdout", self.stdout()),
            ("stderr", self.stderr()),
        ] {
            let lines: Vec<&str> = content.lines().collect();
            let shown = &lines[lines.len().saturating_sub(60)..];
            text.push_str(&format!("--- {title}\n{}\n", shown.join("\n")));
        }
        text.push_str("--- as the daemon sees them\n");
        for row in self.rpc_if_up("supervisor.getAllProcessInfo", &[]).unwrap_or(Value::Nil).items() {
            let (group, name, state) = (row.get("group").text(), row.get("name").text(), row.get("statename").text());
            let (pid, trouble) = (row.get("pid").int(), row.get("spawnerr").text());
            text.push_str(&format!("{group}:{name} {state} {pid} {trouble}\n"));
        }
        text.push_str(&format!("--- files\n{}\n--- processes\n", self.names().join(" ")));
        for process in tree {
            text.push_str(&format!("{process:?}\n"));
        }
        text
    }
}

/// Whether a line is about the start of a program.
fn is_start(line: &str) -> bool {
    line.contains(" spawned: ") || line.contains(" success: ")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let mut started: Vec<i32> = Vec::new();
        let recorded = self.recorded_pid().filter(|&pid| self.is_scene_process(pid));
        for daemon in recorded.into_iter().chain((self.code.is_none()).then(|| self.launched_pid())) {
            started.push(daemon);
            started.extend(processes::descendants(daemon).iter().map(|process| process.pid));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        started.retain(|&pid| pid != self.launched_pid());
        self.place.kill_everything(&started);
    }
}

impl Daemon {
    /// Whether the pid still belongs to this scene; a pid file may outlive its process.
    fn is_scene_process(&self, pid: i32) -> bool {
        let mark = format!("{}={}", super::scene::MARK, self.dir().display());
        processes::with_environment(&mark).contains(&pid)
    }
}
