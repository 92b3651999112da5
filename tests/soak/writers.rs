//! Programs that number their lines, and the check that the logs have all lines in order.

use std::collections::BTreeMap;
use std::fs;

use crate::harness::Daemon;

/// Writes bursts of lines `RUN NUMBER` and, after each burst, the last number to a file: the log must have all lines up
/// to this number, and at most one burst more. A burst is small enough for the pipe to take all of it or nothing.
pub const SCRIPT: &str = r#"#!/usr/bin/perl
use Fcntl;
my $name = shift;
my $run = 0;
if (open(my $old, '<', "state/$name.run")) { $run = <$old>; close($old); }
$run++;
open(my $new, '>', "state/$name.new") or die; print $new $run; close($new);
rename("state/$name.new", "state/$name.run") or die;
sysopen(my $truth, "state/$name.$run", O_RDWR | O_CREAT) or die;
$SIG{TERM} = sub { exit 0 };
my $number = 0;
while (1) {
    my $burst = 1 + int(rand(80));
    my $text = join('', map { sprintf("%08d %012d\n", $run, $number + $_) } 1 .. $burst);
    syswrite(STDOUT, $text) == length($text) or die;
    $number += $burst;
    sysseek($truth, 0, 0);
    syswrite($truth, sprintf('%012d', $number));
    select(undef, undef, undef, rand(0.02)) if rand() < 0.9;
}
"#;

/// The most lines between two updates of the file.
const BURST: u64 = 80;

/// How many rotated files the configuration keeps.
pub const BACKUPS: u32 = 4;

/// Checks the logs of one writer that is not running; returns the number of lines.
///
/// Logs are rotated and old files deleted, so the first run in them may lack its beginning.
pub fn check(daemon: &Daemon, name: &str) -> usize {
    let mut text = String::new();
    for number in (1..=BACKUPS).rev() {
        text.push_str(&daemon.read(&format!("logs/{name}.{number}")));
    }
    let is_whole = text.is_empty();
    text.push_str(&daemon.read(&format!("logs/{name}")));
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    let mut previous: Option<(u64, u64)> = None;
    for line in text.lines() {
        let numbers = line.split_once(' ').and_then(|(run, number)| Some((run.parse().ok()?, number.parse().ok()?)));
        let (run, number): (u64, u64) = numbers.unwrap_or_else(|| panic!("{name}: torn line {line:?}"));
        let follows = match previous {
            Some((before, last)) if before == run => number == last + 1,
            Some((before, _)) => run > before && number == 1,
            None => !is_whole || number == 1,
        };
        assert!(follows, "{name}: {line:?} after {previous:?}");
        previous = Some((run, number));
        last.insert(run, number);
    }
    check_ends(daemon, name, &last);
    text.lines().count()
}

/// Each run is in the log up to its last number.
fn check_ends(daemon: &Daemon, name: &str, last: &BTreeMap<u64, u64>) {
    let Some(first) = last.keys().next().copied() else { return };
    let prefix = format!("{name}.");
    for entry in fs::read_dir(daemon.path("state")).expect("the directory exists").flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some(run) = file.strip_prefix(&prefix).and_then(|run| run.parse::<u64>().ok()) else { continue };
        if run < first {
            let _ = fs::remove_file(entry.path());
            continue;
        }
        let written: u64 = fs::read_to_string(entry.path()).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        let logged = last.get(&run).copied().unwrap_or(0);
        assert!(
            (written..=written + BURST).contains(&logged),
            "{name}: run {run} wrote {written} lines, its log ends with {logged}; it has {last:?}\n{}",
            daemon.report()
        );
    }
}
