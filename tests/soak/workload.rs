//! The programs, and the random actions on them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::random::Random;
use crate::harness::{Daemon, Scene, Subject, processes, wait};
use crate::invariants::{InvariantChecker, supervised};
use crate::suite::torture::resources::Resources;
use crate::writers;

const WRITERS: usize = 8;

/// The states of a process after a stop.
const STOPPED_STATES: [&str; 3] = ["STOPPED", "EXITED", "FATAL"];

/// What the daemon logs at each start and restart.
const STARTED: &str = "supervisord started with pid";

/// What it logs after an upgrade.
const UPGRADED: &str = "supervisord upgraded";

/// How often the logs are checked while everything goes on.
const LOG_CHECK: Duration = Duration::from_secs(10);

const CRASHER: &str = r#"#!/bin/bash
case $((RANDOM % 6)) in
0) exit 0 ;;
1) exit 1 ;;
2) kill -KILL $$ ;;
3) kill -SEGV $$ ;;
4) exec 1>&- 2>&-; read -r -t 2; exit 2 ;;
5) for i in 1 2 3; do (sleep 0.3; echo late) & done; read -r -t 0.$RANDOM; exit 3 ;;
esac
"#;

const STUBBORN: &str = "#!/bin/bash\ntrap '' TERM\nwhile :; do read -r -t 1; echo \"$REPLY\"; done\n";

const LISTENER: &str = r#"#!/usr/bin/perl
$| = 1;
while (1) {
    print "READY\n";
    my $header = <STDIN> // exit;
    my ($length) = $header =~ /len:(\d+)/ or exit 1;
    read(STDIN, my $payload, $length) == $length or exit 1;
    exit 1 if rand() < 0.001;
    print "nonsense" if rand() < 0.001;
    print rand() < 0.01 ? "RESULT 4\nFAIL" : "RESULT 2\nOK";
}
"#;

/// The groups that are always there.
fn fixed() -> String {
    let mut text = String::from(
        "[supervisord]\nminfds=4000\nlogfile_maxbytes=4MB\nlogfile_backups=2\n\
         [eventlistener:listener]\ncommand={dir}/listener.pl\nevents=PROCESS_STATE,TICK_5,PROCESS_LOG\nautorestart=true\n\
         stopwaitsecs=2\nbuffer_size=50\nnumprocs=2\nprocess_name=%(process_num)d\nstderr_logfile=NONE\n\
         [program:crasher]\ncommand={dir}/crash.sh\nnumprocs=10\nprocess_name=%(process_num)d\nautorestart=true\n\
         startsecs=0\nstdout_logfile={dir}/logs/crasher\nstdout_logfile_maxbytes=100KB\nstderr_logfile=NONE\n\
         [program:failing]\ncommand={dir}/crash.sh\nnumprocs=4\nprocess_name=%(process_num)d\nautorestart=unexpected\n\
         startsecs=1\nstartretries=2\nstdout_logfile=AUTO\nredirect_stderr=true\n\
         [program:stubborn]\ncommand={dir}/stubborn.sh\nnumprocs=3\nprocess_name=%(process_num)d\nstartsecs=0\n\
         stopwaitsecs=1\nautorestart=true\nstdout_logfile=AUTO\nstdout_events_enabled=true\n\
         [program:missing]\ncommand={dir}/no-such-program\nstartretries=1\n",
    );
    for number in 0..WRITERS {
        // Both paths of output: unchanged, and through the pipeline.
        let capture = if number % 2 == 0 { 0 } else { 1000 };
        let _ = write!(
            text,
            "[program:w{number}]\ncommand={{dir}}/write.pl w{number}\ndirectory={{dir}}\nstartsecs=0\nautorestart=true\n\
             stopwaitsecs=5\nstdout_logfile={{dir}}/logs/w{number}\nstdout_logfile_maxbytes=200KB\n\
             stdout_logfile_backups={}\nstdout_capture_maxbytes={capture}\nstderr_logfile={{dir}}/logs/w{number}.err\n",
            writers::BACKUPS
        );
    }
    text
}

/// A group that the workload adds to and removes from the configuration.
const GUEST: &str = "[program:guest]\ncommand=sleep 1000\nnumprocs=3\nprocess_name=%(process_num)d\nstartsecs=0\n\
    stdout_logfile=NONE\nstderr_logfile=NONE\n";

/// A daemon and the random actions on it.
pub struct Workload {
    daemon: Daemon,
    random: Random,
    watch: InvariantChecker,
    /// How often each action was done.
    done: BTreeMap<&'static str, u64>,
    clients: Vec<UnixStream>,
    configuration: String,
    last_log_check: Instant,
    lines: usize,
}

impl Workload {
    pub fn begin(random: Random) -> Workload {
        let daemon = Scene::with("soak", &fixed())
            .script("crash.sh", CRASHER)
            .script("stubborn.sh", STUBBORN)
            .script("listener.pl", LISTENER)
            .script("write.pl", writers::SCRIPT)
            .file("logs/.keep", "")
            .file("state/.keep", "")
            .start(Subject::Ours);
        let configuration = daemon.read("supervisord.conf");
        Workload {
            daemon,
            random,
            watch: InvariantChecker::new(),
            done: BTreeMap::new(),
            clients: Vec::new(),
            configuration,
            last_log_check: Instant::now(),
            lines: 0,
        }
    }

    /// Does one action, then checks the invariants.
    pub fn step(&mut self) {
        match self.random.below(100) {
            0..20 => self.kill_something(),
            20..40 => self.call_for_one(),
            40..46 => self.call_for_all(),
            46..56 => self.feed(),
            56..66 => self.ask(),
            66..72 => self.misbehave_as_client(),
            72..76 => self.change_groups(),
            76..78 => self.reopen(),
            78..79 => self.restart(),
            79..80 => self.upgrade(),
            80..81 => self.kill_daemon(),
            _ => {
                self.count("rest");
                let pause = self.random.below(50) as u64;
                std::thread::sleep(Duration::from_millis(pause));
            }
        }
        self.watch.look(&mut self.daemon);
        if self.last_log_check.elapsed() > LOG_CHECK {
            self.check_some_logs();
        }
    }

    /// Stops everything and checks everything.
    pub fn end(mut self) -> String {
        self.clients.clear();
        self.daemon.call("supervisor.stopAllProcesses", &[]);
        self.daemon.wait_until("all have stopped", |daemon| {
            let all = daemon.call("supervisor.getAllProcessInfo", &[]);
            all.items().iter().all(|process| STOPPED_STATES.contains(&process.get("statename").text()))
        });
        assert!(processes::children(self.daemon.pid()).is_empty(), "children are left\n{}", self.daemon.report());
        assert!(supervised(&self.daemon).is_empty(), "programs are left\n{}", self.daemon.report());
        for number in 0..WRITERS {
            self.lines += writers::check(&self.daemon, &format!("w{number}"));
        }
        for name in self.daemon.names() {
            let text = if name.starts_with("supervisord.log") { self.daemon.read(&name) } else { String::new() };
            for bad in ["panicked", "poll error", "waitpid error"] {
                assert!(!text.contains(bad), "{name} says {bad:?}\n{}", self.daemon.report());
            }
        }
        // A daemon that was killed leaves its socket, and the next one tells as the original does.
        let stderr = self.daemon.stderr();
        let unexpected: Vec<&str> =
            stderr.lines().filter(|line| !line.starts_with("Unlinking stale socket ")).collect();
        assert_eq!(unexpected, [""; 0], "stderr is empty otherwise");
        let rest = Resources::of(&self.daemon);
        assert_eq!(self.daemon.stop(), 0, "{}", self.daemon.report());
        let mut summary = format!(
            "{} looks, {} lines checked, at most {} kB and {} descriptors, in the end {} kB and {}\n",
            self.watch.checks,
            self.lines,
            self.watch.most_memory,
            self.watch.most_descriptors,
            rest.memory,
            rest.descriptors
        );
        for (what, times) in &self.done {
            let _ = writeln!(summary, "  {what}: {times}");
        }
        summary
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    /// The name of some process, or a similar name that does not exist.
    fn name(&mut self) -> String {
        let number = self.random.below(10);
        let writer = number % WRITERS;
        match self.random.below(8) {
            0 | 1 => format!("w{writer}"),
            2 => format!("crasher:{number}"),
            3 => format!("failing:{}", number % 4),
            4 => format!("stubborn:{}", number % 3),
            5 => format!("listener:{}", number % 2),
            6 => format!("guest:{}", number % 3),
            _ => self.random.pick(&["missing", "nobody", "crasher:*", "guest:*", ""]).to_string(),
        }
    }

    /// An exit that the daemon did not ask for.
    fn kill_something(&mut self) {
        self.count("kill");
        let children = processes::children(self.daemon.pid());
        if children.is_empty() {
            return;
        }
        let signals = [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGSEGV, Signal::SIGHUP];
        let (child, signal) = (self.random.pick(&children).pid, *self.random.pick(&signals));
        processes::signal(child, signal);
    }

    /// Starts, stops or signals one process; a fault is a valid answer, too.
    fn call_for_one(&mut self) {
        self.count("call for one");
        let name = self.name();
        let wait = self.random.below(4) == 0;
        let method = *self.random.pick(&["startProcess", "startProcess", "stopProcess", "signalProcess"]);
        let second = if method == "signalProcess" { "HUP".into() } else { wait.into() };
        let _ = self.daemon.rpc_if_up(&format!("supervisor.{method}"), &[name.as_str().into(), second]);
    }

    fn call_for_all(&mut self) {
        self.count("call for all");
        let group = *self.random.pick(&["crasher", "stubborn", "failing", "listener", "guest", "nobody"]);
        let wait = self.random.below(4) == 0;
        let _ = match self.random.below(6) {
            0 => self.daemon.rpc_if_up("supervisor.stopProcessGroup", &[group.into(), wait.into()]),
            1 => self.daemon.rpc_if_up("supervisor.startProcessGroup", &[group.into(), wait.into()]),
            2 => self.daemon.rpc_if_up("supervisor.stopAllProcesses", &[wait.into()]),
            3 | 4 => self.daemon.rpc_if_up("supervisor.startAllProcesses", &[wait.into()]),
            _ => self.daemon.rpc_if_up("supervisor.signalAllProcesses", &["USR1".into()]),
        };
    }

    fn feed(&mut self) {
        self.count("feed");
        let name = self.name();
        let text = "x".repeat(self.random.below(2000)) + "\n";
        let _ = self.daemon.rpc_if_up("supervisor.sendProcessStdin", &[name.as_str().into(), text.as_str().into()]);
        let _ = self.daemon.rpc_if_up("supervisor.sendRemoteCommEvent", &["soak".into(), text.as_str().into()]);
    }

    fn ask(&mut self) {
        self.count("ask");
        let name = self.name();
        match self.random.below(4) {
            0 => {
                let output = self.daemon.ctl(&["status"]);
                assert!([0, 3].contains(&output.code), "{}", output.transcript());
            }
            1 => {
                let range = [name.as_str().into(), 0.into(), 5000.into()];
                let _ = self.daemon.rpc_if_up("supervisor.tailProcessStdoutLog", &range);
            }
            2 => drop(self.daemon.rpc_if_up("supervisor.readLog", &[(-3000).into(), 0.into()])),
            _ => drop(self.daemon.rpc_if_up("supervisor.getProcessInfo", &[name.as_str().into()])),
        }
    }

    /// Clients that begin a request and fall silent, follow a log, or disconnect.
    fn misbehave_as_client(&mut self) {
        self.count("be rude");
        if self.clients.len() > 10 {
            let gone = self.random.below(self.clients.len());
            self.clients.swap_remove(gone);
            return;
        }
        let Ok(mut client) = UnixStream::connect(self.daemon.path("s.sock")) else { return };
        let said: [&[u8]; 6] = [
            b"",
            b"POST /RPC2 HTTP/1.1\r\nContent-Length: 100000\r\n\r\n<methodCall>",
            b"GET /logtail/w0 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /mainlogtail HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ];
        let _ = client.write_all(self.random.pick::<&[u8]>(&said));
        self.clients.push(client);
    }

    /// Adds or removes the guest group.
    fn change_groups(&mut self) {
        self.count("change groups");
        let stays = self.random.below(2) == 0;
        let guest = if stays { GUEST } else { "" };
        let text = format!("{}{guest}", self.configuration);
        self.daemon.write("supervisord.conf", &text);
        if self.random.below(2) == 0 {
            let output = self.daemon.ctl(&["update"]);
            assert_eq!(output.code, 0, "{}", output.transcript());
        } else {
            let _ = self.daemon.rpc_if_up("supervisor.reloadConfig", &[]);
            let method = if stays { "addProcessGroup" } else { "removeProcessGroup" };
            let _ = self.daemon.rpc_if_up(&format!("supervisor.{method}"), &["guest".into()]);
        }
    }

    fn reopen(&mut self) {
        self.count("reopen logs");
        self.daemon.signal(Signal::SIGUSR2);
    }

    /// Restarts the daemon in place, with the same process id.
    fn restart(&mut self) {
        self.count("restart");
        let pid = self.daemon.pid();
        let before = self.logged(STARTED);
        self.daemon.signal(Signal::SIGHUP);
        let again = wait::poll(wait::DEADLINE, || {
            (self.logged(STARTED) != before).then_some(())?;
            let state = self.daemon.rpc_if_up("supervisor.getState", &[])?;
            (state.get("statename").text() == "RUNNING").then_some(())
        });
        assert!(again.is_some(), "it did not come back\n{}", self.daemon.report());
        assert_eq!(self.daemon.pid(), pid);
        self.watch.forget();
        self.clients.clear();
    }

    /// Replaces the daemon's program by the one on disk, under the same process id.
    fn upgrade(&mut self) {
        self.count("upgrade");
        let pid = self.daemon.pid();
        let before = self.logged(UPGRADED);
        self.daemon.signal(Signal::SIGUSR1);
        let upgraded = wait::poll(wait::DEADLINE, || {
            (self.logged(UPGRADED) != before).then_some(())?;
            self.daemon.rpc_if_up("supervisor.getPID", &[])
        });
        assert_eq!(upgraded.map(|answer| answer.int()), Some(pid.into()), "no upgrade\n{}", self.daemon.report());
        self.watch.forget();
    }

    /// Kills the daemon in whatever it is doing; the next one takes over its programs.
    fn kill_daemon(&mut self) {
        self.count("kill the daemon");
        self.daemon.crash();
        let pause = self.random.below(300) as u64;
        std::thread::sleep(Duration::from_millis(pause));
        self.daemon.launch_again();
        let launched = i64::from(self.daemon.launched_pid());
        self.daemon.wait_until("the next daemon answers", |daemon| {
            daemon.rpc_if_up("supervisor.getPID", &[]).is_some_and(|pid| pid.int() == launched)
        });
        self.watch.forget();
        self.clients.clear();
    }

    /// How often a text is in the activity log and its backups.
    fn logged(&self, text: &str) -> usize {
        let names = ["supervisord.log", "supervisord.log.1", "supervisord.log.2"];
        names.iter().map(|name| self.daemon.read(name).matches(text).count()).sum()
    }

    /// Stops one writer and looks at its log.
    fn check_some_logs(&mut self) {
        self.last_log_check = Instant::now();
        self.count("check logs");
        let name = format!("w{}", self.random.below(WRITERS));
        self.daemon.wait_until("the writer has stopped", |daemon| {
            // A writer that has just exited is started again, so it must be stopped once more. One that was stopped
            // while it waited for its restart stays EXITED.
            let _ = daemon.rpc("supervisor.stopProcess", &[name.as_str().into()]);
            STOPPED_STATES.contains(&daemon.state_of(&name).as_str())
        });
        self.lines += writers::check(&self.daemon, &name);
        self.daemon.call("supervisor.startProcess", &[name.as_str().into()]);
    }
}
