//! Runs one scene with both programs and compares the observations.

use std::fmt;

use super::additions::without_additions;
use super::daemon::Daemon;
use super::record;
use super::redact::redact;
use super::scene::{Place, Scene};
use super::subject::Subject;

/// The observations of one run: named texts in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    notes: Vec<(String, String)>,
}

impl Observed {
    /// Without observations.
    pub fn new() -> Observed {
        Observed::default()
    }

    /// Notes a text as it is.
    pub fn exactly(&mut self, what: &str, text: impl ToString) {
        self.notes.push((what.to_owned(), text.to_string()));
    }

    /// Notes a text of a scene, without what varies from run to run and without our additions to the original's
    /// messages.
    pub fn note(&mut self, place: &Place, what: &str, text: impl ToString) {
        self.exactly(what, without_additions(&redact(place, &text.to_string())));
    }

    /// The difference to another observation (- this, + the other).
    pub fn difference(&self, other: &Observed) -> String {
        let mut report = String::new();
        let missing = ("nothing".to_owned(), String::new());
        for index in 0..self.notes.len().max(other.notes.len()) {
            let (what, left) = self.notes.get(index).unwrap_or(&missing);
            let (also, right) = other.notes.get(index).unwrap_or(&missing);
            if what != also {
                report.push_str(&format!("observation {index}: {what} / {also}\n"));
            }
            if left != right {
                report.push_str(&format!("=== {what}\n{}", lines_apart(left, right)));
            }
        }
        report
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.notes.iter().try_for_each(|(what, text)| writeln!(f, "=== {what}\n{text}"))
    }
}

/// Runs a scene for every chosen subject and demands equal observations.
///
/// With one subject chosen there is nothing to compare, but `observe` and its assertions still run.
pub fn compare(scene: &Scene, observe: impl Fn(&mut Daemon, &mut Observed) + Sync) {
    compare_runs(|subject| {
        let mut daemon = scene.start(subject);
        let mut observed = Observed::new();
        observe(&mut daemon, &mut observed);
        println!("{subject:?} saw\n{observed}");
        observed
    });
}

/// Runs a scene whose daemon must refuse to start, and compares its stderr. The logs are not compared: ours tries
/// everything that can fail before it opens its log.
pub fn compare_refusal(scene: &Scene) {
    compare_runs(|subject| {
        let place = scene.set_up(subject);
        let output = scene.run_in(&place);
        let mut observed = Observed::new();
        observed.exactly("exit status", output.code);
        observed.note(
            &place,
            "refusal",
            output.stderr.replace(&scene.program(subject).display().to_string(), "{program}"),
        );
        println!("{subject:?} said\n{observed}");
        observed
    });
}

/// Runs a scene for every pair of a daemon and a client among the chosen subjects, and demands equal observations.
pub fn compare_pairs(scene: &Scene, observe: impl Fn(&mut Daemon, Subject, &mut Observed) + Sync) {
    let chosen = Subject::chosen();
    let pairs: Vec<(Subject, Subject)> =
        chosen.iter().flat_map(|&daemon| chosen.iter().map(move |&client| (daemon, client))).collect();
    compare_all(&pairs, |(subject, client)| {
        let mut daemon = scene.start(subject);
        let mut observed = Observed::new();
        observe(&mut daemon, client, &mut observed);
        println!("{client:?} at {subject:?} saw\n{observed}");
        observed
    });
}

/// Runs a function for every chosen subject, in parallel, and demands equal observations.
pub fn compare_runs(run: impl Fn(Subject) -> Observed + Sync) {
    compare_all(&Subject::chosen(), run);
}

/// Runs a function in several ways, in parallel, and demands the observation of the first from all.
fn compare_all<W: Copy + fmt::Debug + Send + Sync>(ways: &[W], run: impl Fn(W) -> Observed + Sync) {
    let test = record::comparing_test();
    let run = &run;
    let ended: Vec<(W, std::thread::Result<Observed>)> = std::thread::scope(|scope| {
        let started: Vec<_> = ways.iter().map(|&way| (way, scope.spawn(move || run(way)))).collect();
        started.into_iter().map(|(way, thread)| (way, thread.join())).collect()
    });
    let failed: Vec<W> = ended.iter().filter(|(_, run)| run.is_err()).map(|(way, _)| *way).collect();
    let seen: Vec<(W, Observed)> = ended.into_iter().filter_map(|(way, run)| Some((way, run.ok()?))).collect();
    let mut apart = String::new();
    if let Some(((first, reference), others)) = seen.split_first() {
        for (way, observed) in others.iter().filter(|(_, observed)| observed != reference) {
            let difference = reference.difference(observed);
            apart.push_str(&format!("the two programs differ (- {first:?}, + {way:?})\n{difference}"));
        }
        if ways.len() > 1 {
            record::compared(test, reference.notes.len(), failed.is_empty() && apart.is_empty());
        }
    }
    assert!(failed.is_empty(), "failed for {failed:?}, see above");
    assert!(apart.is_empty(), "{apart}");
}

/// Both texts line by line, with the common lines shown once.
fn lines_apart(left: &str, right: &str) -> String {
    let (left, right): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    // The length of the longest common subsequence of every pair of tails.
    let mut common = vec![vec![0usize; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i][j] = match left[i] == right[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut report) = (0, 0, String::new());
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            report.push_str(&format!("  {}\n", left[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == right.len() || (i < left.len() && common[i + 1][j] >= common[i][j + 1]) {
            report.push_str(&format!("- {}\n", left[i]));
            i += 1;
        } else {
            report.push_str(&format!("+ {}\n", right[j]));
            j += 1;
        }
    }
    report
}

#[test]
fn the_difference_shows_common_lines_once() {
    assert_eq!(lines_apart("a\nb\nc", "a\nx\nc\nd"), "  a\n- b\n+ x\n  c\n+ d\n");
}
