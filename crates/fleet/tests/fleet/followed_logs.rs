//! Followed logs are complete, or say what is missing, whatever fails meanwhile.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{NatsServer, RealDaemon, Running, beside, wait_until};

/// A program whose log the test writes.
const QUIET: &str = "[program:quiet]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile={dir}/quiet.log\n\
                     [supervisorctl]\nserverurl=unix://{dir}/sock\n";

/// One host, and somebody who follows the log of its program.
struct Followed {
    nats: NatsServer,
    daemon: RealDaemon,
    agent: Running,
    shown: PathBuf,
    _client: Running,
    written: u32,
}

impl Followed {
    fn start() -> Followed {
        let nats = NatsServer::start();
        let daemon = RealDaemon::start(QUIET);
        let agent = nats.agent("h", &daemon.url(), &[]);
        nats.wait_for_hosts(1);
        wait_until("the program has a log", || daemon.directory.path().join("quiet.log").exists());
        let shown = nats.path("shown");
        let output = File::create(&shown).expect("a file");
        let mut client = nats.fleet();
        client.args(["logs", "-f", "-n", "0", "--json", "quiet"]).stdout(output).stderr(Stdio::null());
        let client = Running(client.spawn().expect("it runs"));
        let mut followed = Followed { nats, daemon, agent, shown, _client: client, written: 0 };
        wait_until("the log is followed", || {
            followed.write(1);
            !followed.pieces().is_empty()
        });
        followed
    }

    fn append(&self, text: &str) {
        let log = self.daemon.directory.path().join("quiet.log");
        let mut log = File::options().append(true).open(log).expect("the log");
        log.write_all(text.as_bytes()).expect("written");
    }

    /// Writes so many more lines.
    fn write(&mut self, lines: u32) {
        let text: String = (self.written..self.written + lines).map(|number| format!("line {number}\n")).collect();
        self.append(&text);
        self.written += lines;
    }

    fn pieces(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.shown).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn text(&self) -> String {
        self.pieces().iter().filter_map(|piece| piece["text"].as_str().map(str::to_owned)).collect()
    }

    /// Waits for the line that was written last, and checks that all since the first that was shown are there once.
    fn all_are_shown(&self) {
        let last = format!("line {}\n", self.written - 1);
        wait_until("the last line is shown", || self.text().ends_with(&last));
        let text = self.text();
        let first: u32 = text.lines().next().and_then(|line| line.strip_prefix("line ")?.parse().ok()).expect("a line");
        let expected: String = (first..self.written).map(|number| format!("line {number}\n")).collect();
        assert_eq!(text, expected);
        let losses: Vec<Value> =
            self.pieces().into_iter().filter(|piece| piece["dropped"] != 0 || piece["gap"] != false).collect();
        assert!(losses.is_empty(), "{losses:?}");
    }
}

#[test]
fn a_followed_log_goes_on_after_an_upgrade_of_the_daemon() {
    let mut followed = Followed::start();
    for _ in 0..2 {
        let mut upgrade = Command::new(beside("supervisorctl"));
        upgrade.arg("-c").arg(followed.daemon.directory.path().join("conf")).arg("upgrade").stdin(Stdio::null());
        let upgraded = upgrade.output().expect("it runs");
        assert!(upgraded.status.success(), "{upgraded:?}");
        followed.write(50);
        followed.all_are_shown();
    }
}

#[test]
fn a_followed_log_has_every_line_after_an_outage_of_the_server_or_the_agent() {
    let mut followed = Followed::start();
    followed.write(50);
    followed.nats.kill();
    followed.write(50);
    followed.nats.run();
    followed.write(50);
    followed.all_are_shown();
    followed.agent.kill();
    followed.write(50);
    followed.agent = followed.nats.agent("h", &followed.daemon.url(), &[]);
    followed.write(50);
    followed.all_are_shown();
}

#[test]
fn what_is_left_out_of_a_burst_is_told_to_the_last_byte() {
    let followed = Followed::start();
    let counted = || {
        let pieces = followed.pieces();
        let shown: usize = pieces.iter().filter_map(|piece| piece["text"].as_str()).map(str::len).sum();
        let dropped: u64 = pieces.iter().filter_map(|piece| piece["dropped"].as_u64()).sum();
        (shown as u64, dropped)
    };
    wait_until("all lines are shown", || followed.text().ends_with(&format!("line {}\n", followed.written - 1)));
    let (before, _) = counted();
    let burst = "0123456789abcde\n".repeat(3 << 16);
    followed.append(&burst);
    wait_until("all is accounted for", || {
        let (shown, dropped) = counted();
        shown + dropped >= before + burst.len() as u64
    });
    let (shown, dropped) = counted();
    assert_eq!(shown + dropped, before + burst.len() as u64);
    assert!(dropped > 0, "{shown} bytes are shown");
}
