//! Clients come all the time while the daemon is upgraded again and again.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;

use nix::sys::signal::Signal;

use crate::harness::http::{self, Stream};
use crate::harness::{Daemon, rpc};

/// How one client behaves.
#[derive(Clone, Copy, Debug)]
struct Habit {
    /// At the unix socket or at the port.
    is_local: bool,
    /// One connection for everything, or one for each call.
    keeps: bool,
}

const HABITS: [Habit; 4] = [
    Habit { is_local: true, keeps: false },
    Habit { is_local: true, keeps: true },
    Habit { is_local: false, keeps: false },
    Habit { is_local: false, keeps: true },
];

/// What became of the calls of one client.
#[derive(Default)]
struct Outcome {
    answered: usize,
    /// Connections that ended when an answer to a request had come.
    said_goodbye: usize,
    wrong: Vec<String>,
}

impl Habit {
    fn connect(self, daemon: &Daemon) -> io::Result<Box<dyn Stream>> {
        if self.is_local { http::unix(&daemon.path("s.sock")) } else { http::tcp(daemon.ports[0]) }
    }

    /// Asks the same question until it is over. Every connection must be let in and every request be answered; only an
    /// answer may say that the connection ends with it.
    fn ask(self, daemon: &Daemon, expected: i32, over: &AtomicBool) -> Outcome {
        let body = rpc::encode("supervisor.getPID", &[]);
        let mut outcome = Outcome::default();
        let mut kept = None;
        while !over.load(Ordering::SeqCst) {
            let answer =
                kept.take().map_or_else(|| self.connect(daemon), Ok).and_then(|mut stream: Box<dyn Stream>| {
                    let response =
                        http::request(&mut *stream, "POST", "/RPC2", &["Content-Type: text/xml"], body.as_bytes());
                    response.map(|response| (stream, response))
                });
            match answer {
                Ok((stream, response)) if response.text().contains(&format!("<int>{expected}</int>")) => {
                    outcome.answered += 1;
                    let is_last = response.header("connection").is_some_and(|how| how == "close");
                    outcome.said_goodbye += usize::from(is_last);
                    kept = (self.keeps && !is_last).then_some(stream);
                }
                Ok((_, response)) => outcome.wrong.push(format!("{self:?}: {response:?}")),
                Err(error) => outcome.wrong.push(format!("{self:?}: {error}")),
            }
        }
        outcome
    }
}

/// `UPGRADES` says how often the daemon is upgraded.
#[test]
fn clients_are_not_turned_away_by_an_upgrade() {
    let upgrades: usize = std::env::var("UPGRADES").ok().and_then(|upgrades| upgrades.parse().ok()).unwrap_or(5);
    let mut daemon = super::start("clients", "[inet_http_server]\nport=127.0.0.1:{port}\n");
    let expected = daemon.pid();
    let over = AtomicBool::new(false);
    let mut silent = HABITS.map(|habit| habit.connect(&daemon).expect("it listens"));
    let outcomes = std::thread::scope(|scope| {
        let place = &daemon;
        let clients = HABITS.map(|habit| {
            let over = &over;
            scope.spawn(move || habit.ask(place, expected, over))
        });
        for round in 1..=upgrades {
            place.signal(Signal::SIGUSR1);
            let upgraded = crate::harness::wait::poll(crate::harness::wait::DEADLINE, || {
                (place.log().matches("supervisord upgraded").count() >= round).then_some(())
            });
            assert!(upgraded.is_some(), "{}", place.report());
        }
        over.store(true, Ordering::SeqCst);
        clients.map(|client: ScopedJoinHandle<'_, Outcome>| client.join().expect("a client does not fail"))
    });
    for outcome in &outcomes {
        assert!(outcome.wrong.is_empty(), "{:?}\n{}", outcome.wrong, daemon.report());
        assert!(outcome.answered > upgrades, "{}", outcome.answered);
        println!("{} answered, {} of them as the last of their connection", outcome.answered, outcome.said_goodbye);
    }
    for stream in &mut silent {
        let body = rpc::encode("supervisor.getPID", &[]);
        let answer = http::request(&mut **stream, "POST", "/RPC2", &[], body.as_bytes()).expect("it was handed over");
        assert!(answer.text().contains(&format!("<int>{expected}</int>")), "{answer:?}");
    }
    assert_eq!(daemon.stop(), 0);
}
