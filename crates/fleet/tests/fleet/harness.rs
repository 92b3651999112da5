//! Processes that end with the test, and what waits for them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[path = "../../../../tests/suite/harness/cargo.rs"]
mod cargo;
#[path = "../../../../tests/suite/harness/http.rs"]
#[expect(dead_code, reason = "the tests of the daemon use more of it")]
pub mod http;
pub mod needs;
#[path = "../../../../tests/suite/harness/original.rs"]
pub mod original;
pub mod proxy;
#[path = "../../../../tests/suite/harness/reachable.rs"]
#[expect(dead_code, reason = "the tests of the daemon use more of it")]
pub mod reachable;
pub mod stub_daemon;
#[path = "../../../../tests/suite/harness/wait.rs"]
#[expect(dead_code, reason = "the tests of the daemon use more of it")]
pub mod wait;

/// How long something may take that should happen at once, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a condition.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process that is killed when it goes out of scope.
pub struct Running(pub Child);

impl Running {
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A daemon that is asked to end when it goes out of scope, so that it ends its programs.
pub struct Supervising(pub Child);

impl Supervising {
    /// Asks, and waits. Returns whether it has ended well.
    pub fn end(&mut self) -> bool {
        let pid = self.0.id().to_string();
        // Where a test has failed, it may still be stopped.
        for signal in ["-TERM", "-CONT"] {
            let _ = Command::new("kill").args([signal, &pid]).stderr(Stdio::null()).status();
        }
        self.0.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Supervising {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

/// A NATS server with JetStream, which can be killed and comes back at the same port.
pub struct NatsServer {
    pub directory: TempDir,
    pub port: u16,
    extra: String,
    process: Option<Running>,
}

impl NatsServer {
    pub fn start() -> NatsServer {
        NatsServer::with("")
    }

    /// With more lines of configuration.
    pub fn with(extra: &str) -> NatsServer {
        NatsServer::in_directory(tempfile::tempdir().expect("a directory"), extra)
    }

    /// With all files, those of agents too, in memory where the system has a place for that: hosts do not share a disk.
    pub fn in_memory() -> NatsServer {
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        NatsServer::in_directory(directory.expect("a directory"), "")
    }

    fn in_directory(directory: TempDir, extra: &str) -> NatsServer {
        let mut server = NatsServer { directory, port: 0, extra: extra.to_owned(), process: None };
        server.run();
        server
    }

    pub fn run(&mut self) {
        let path = self.directory.path();
        let port = if self.port == 0 { "-1".to_owned() } else { self.port.to_string() };
        let dir = path.display();
        let text = format!(
            "host: 127.0.0.1\nport: {port}\njetstream {{ store_dir: \"{dir}/js\" }}\nports_file_dir: \"{dir}\"\n{}\n",
            self.extra
        );
        fs::write(path.join("nats.conf"), text).expect("written");
        let program = needs::program("nats-server");
        let log = File::create(path.join("nats.log")).expect("a log");
        let child =
            Command::new(program).arg("-c").arg(path.join("nats.conf")).stdout(Stdio::null()).stderr(log).spawn();
        let process = Running(child.expect("nats-server runs"));
        let ports = path.join(format!("nats-server_{}.ports", process.0.id()));
        self.process = Some(process);
        wait_until("the server listens", || {
            let text = fs::read_to_string(&ports).unwrap_or_default();
            let port = text.split("://127.0.0.1:").nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
            port.map(|port| self.port = port).is_some()
        });
    }

    pub fn kill(&mut self) {
        self.process = None;
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A command of `supervisor-fleet` for this server.
    pub fn fleet(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_supervisor-fleet"));
        command.env_remove("SUPERVISOR_SERVER_URL").env("SUPERVISOR_FLEET_NATS", self.url());
        command.env("SUPERVISOR_FLEET_AS", "ann").stdin(Stdio::null());
        command
    }

    /// What a command prints, and its exit status.
    pub fn ask(&self, arguments: &[&str]) -> (String, i32) {
        let Output { status, stdout, stderr } = self.fleet().args(arguments).output().expect("it runs");
        let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        (text, status.code().unwrap_or(-1))
    }

    /// An agent of this server. Its log is `HOST.log`.
    pub fn agent(&self, host: &str, daemon: &str, more: &[&str]) -> Running {
        self.agent_by(&self.url(), host, daemon, more)
    }

    /// An agent with more variables in its environment.
    pub fn agent_with(&self, variables: &[(&str, &str)], host: &str, daemon: &str, more: &[&str]) -> Running {
        self.run_agent(&self.url(), variables, host, daemon, more)
    }

    /// An agent that reaches the server by another address.
    pub fn agent_by(&self, url: &str, host: &str, daemon: &str, more: &[&str]) -> Running {
        self.run_agent(url, &[], host, daemon, more)
    }

    fn run_agent(&self, url: &str, variables: &[(&str, &str)], host: &str, daemon: &str, more: &[&str]) -> Running {
        let log = File::options().create(true).append(true).open(self.path(&format!("{host}.log"))).expect("a log");
        let mut command = self.fleet();
        command.envs(variables.iter().copied());
        command.env("SUPERVISOR_FLEET_NATS", url).args(["agent", "--host", host, "--daemon", daemon, "--state"]);
        command.arg(self.path(&format!("{host}.state"))).args(more).stdout(Stdio::null()).stderr(log);
        Running(command.spawn().expect("the agent runs"))
    }

    /// Waits until the fleet has so many hosts that answer.
    pub fn wait_for_hosts(&self, count: usize) {
        wait_until("all hosts answer", || {
            let (text, _) = self.ask(&["status", "--json", "--timeout", "5"]);
            text.matches("\"answer\":\"done\"").count() == count
        });
    }
}

/// A real daemon.
pub struct RealDaemon {
    // Ends before its directory goes.
    process: Supervising,
    pub directory: TempDir,
}

impl RealDaemon {
    /// With more lines of configuration; `{dir}` is its directory.
    pub fn start(configuration: &str) -> RealDaemon {
        let directory = tempfile::tempdir().expect("a directory");
        let dir = directory.path().display().to_string();
        let head = "[supervisord]\nnodaemon=true\nlogfile={dir}/log\npidfile={dir}/pid\naudit_logfile={dir}/audit\n\
                    [unix_http_server]\nfile={dir}/sock\n[rpcinterface:supervisor]\n\
                    supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n";
        let file = directory.path().join("conf");
        fs::write(&file, format!("{head}{configuration}").replace("{dir}", &dir)).expect("written");
        let mut command = Command::new(supervisord());
        command.arg("-c").arg(&file).current_dir(directory.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let daemon = RealDaemon { directory, process: Supervising(child.expect("supervisord runs")) };
        wait_until("the daemon listens", || daemon.directory.path().join("sock").exists());
        daemon
    }

    pub fn url(&self) -> String {
        format!("unix://{}/sock", self.directory.path().display())
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.process.0.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "{name} is sent");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap_or_default()
    }
}

/// The daemon's program, which is built where it is missing.
pub fn supervisord() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| beside("supervisord")).clone()
}

/// A program of this package or the one of the daemon, which is built where it is missing.
pub fn beside(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_supervisor-fleet")).with_file_name(name);
    if !path.exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let built = cargo::cargo().args(["build", "--bin", name]).current_dir(root).status();
        assert!(built.is_ok_and(|status| status.success()), "{name} is built");
    }
    path
}
