//! The counts of health checks: they go on, whoever asks.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cast::group;
use crate::harness::{Daemon, http};

/// What has been counted of programs whose checks all fail, since they were started.
#[derive(Default)]
pub struct Counts {
    /// How many checks there had been before, and how many failures the daemon counted last.
    programs: BTreeMap<String, Count>,
    /// How often the daemon was killed or replaced: a check that was under way is made again.
    interruptions: usize,
}

struct Count {
    asked_before: usize,
    failures: usize,
}

impl Counts {
    /// Begins to count.
    pub fn begin(daemon: &Daemon, names: &[String]) -> Counts {
        let count = |name: &String| {
            let failures = failures(daemon, name);
            (name.clone(), Count { asked_before: asked(daemon, name).saturating_sub(failures), failures })
        };
        Counts { programs: names.iter().map(count).collect(), interruptions: 0 }
    }

    /// The daemon has been killed or replaced.
    pub fn interrupted(&mut self) {
        self.interruptions += 1;
    }

    /// None of the failures has been forgotten, and none counted twice.
    pub fn check(&mut self, daemon: &Daemon) {
        for (name, count) in &mut self.programs {
            let before = asked(daemon, name) - count.asked_before;
            let failures = failures(daemon, name);
            let after = asked(daemon, name) - count.asked_before;
            assert!(failures >= count.failures, "{name}: {failures} after {}\n{}", count.failures, daemon.report());
            // One may be under way, and one may have been asked for when the counting began.
            let least = before.saturating_sub(self.interruptions + 2);
            assert!(
                (least..=after + 1).contains(&failures),
                "{name}: {failures} of {before} to {after}, {} interruptions",
                self.interruptions
            );
            count.failures = failures;
        }
    }
}

/// How often the health of a program was asked for.
fn asked(daemon: &Daemon, name: &str) -> usize {
    daemon.read(&format!("state/{name}")).lines().count()
}

/// How many failures in a row the daemon counts.
fn failures(daemon: &Daemon, name: &str) -> usize {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
    let path = format!("/api/v1/programs/{}/{name}", group(name));
    let response = http::request(&mut *stream, "GET", &path, &["Host: h"], b"").expect("an answer");
    let program: Value = serde_json::from_slice(&response.body).expect("JSON");
    program["health"]["failures"].as_u64().unwrap_or(0) as usize
}
