//! Logs of numbered lines: whether every line is there, once, whole and in order.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::harness::Daemon;

/// A log, read as far as it is there.
#[derive(Default)]
pub struct Numbered {
    offset: u64,
    partial: Vec<u8>,
    own: Count,
    foreign: Count,
    has_ended: bool,
    pub lines: u64,
    /// The processes before this one.
    before: BTreeSet<u32>,
    pub tolerance: Tolerance,
}

/// What may be wrong, and how often.
#[derive(Default)]
pub struct Tolerance {
    /// Lines that are missing, one after the other.
    pub gaps: usize,
    /// Lines that come again, one after the other.
    pub repeats: usize,
    /// How often something was.
    pub used: usize,
}

/// How far one who counts has come.
#[derive(Default)]
struct Count {
    pid: u32,
    last: u64,
}

/// Uses one of those that are tolerated; none where none is left.
fn use_up(left: &mut usize, used: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    *used += 1;
    Some(())
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Own(u32, u64),
    Foreign(u32, u64),
    End,
    Torn,
}

impl Line {
    fn of(text: &str) -> Line {
        let number = |text: &str| {
            let (first, second) = text.split_once('~')?;
            let (pid, number) = first.split_once('.').filter(|_| first == second)?;
            Some((pid.parse().ok()?, number.parse().ok()?))
        };
        match text.strip_prefix("foreign ") {
            Some(rest) => number(rest).map_or(Line::Torn, |(pid, number)| Line::Foreign(pid, number)),
            None if text == "end" => Line::End,
            None => number(text).map_or(Line::Torn, |(pid, number)| Line::Own(pid, number)),
        }
    }
}

/// What the activity log says last of the program that has this log, and of its daemons.
fn story(daemon: &Daemon, log: &str) -> String {
    let name = Path::new(log).file_stem().unwrap_or_default().to_string_lossy();
    let text = daemon.log();
    let tells = |line: &&str| line.contains(&*name) || line.contains("supervisord started") || line.contains(" WARN ");
    let lines: Vec<&str> = text.lines().filter(tells).collect();
    lines[lines.len().saturating_sub(80)..].join("\n")
}

impl Numbered {
    /// Checks what has come since the last time.
    pub fn read(&mut self, daemon: &Daemon, log: &str) {
        let mut bytes = std::mem::take(&mut self.partial);
        let mut file = File::open(daemon.path(log)).expect("the log exists");
        file.seek(SeekFrom::Start(self.offset)).expect("it is a file");
        self.offset += file.read_to_end(&mut bytes).expect("it can be read") as u64;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.partial = bytes.split_off(whole);
        self.take(&String::from_utf8_lossy(&bytes), daemon, log);
    }

    /// Checks lines.
    pub fn take(&mut self, text: &str, daemon: &Daemon, log: &str) {
        let mut mistakes = Vec::new();
        self.take_all(text, |wrong, line| mistakes.push(format!("{line:?} {wrong}")));
        assert!(mistakes.is_empty(), "{log}: {mistakes:?}\n{}", story(daemon, log));
    }

    /// Checks lines, and says which are wrong in which way.
    pub fn take_all(&mut self, text: &str, mut tell: impl FnMut(String, &str)) {
        for line in text.lines() {
            self.lines += 1;
            if let Err(wrong) = self.take_line(line) {
                tell(wrong, line);
            }
        }
    }

    fn take_line(&mut self, line: &str) -> Result<(), String> {
        match Line::of(line) {
            Line::End => self.has_ended = true,
            Line::Torn => return Err("is torn".to_owned()),
            Line::Foreign(pid, number) => {
                let gap = self.foreign.go_on(pid, number)?;
                if gap > 0 {
                    return Err(format!("of somebody else comes after {gap} that are missing"));
                }
            }
            Line::Own(pid, number) => return self.take_own(pid, number),
        }
        Ok(())
    }

    fn take_own(&mut self, pid: u32, number: u64) -> Result<(), String> {
        let known = (pid == self.own.pid).then_some(self.own.last);
        if known.is_some_and(|last| number <= last) || self.before.contains(&pid) {
            use_up(&mut self.tolerance.repeats, &mut self.tolerance.used)
                .ok_or_else(|| format!("comes again, after {} of {}", self.own.last, self.own.pid))?;
            (self.own, self.has_ended) = (Count { pid, last: number }, false);
            self.before.remove(&pid);
            return Ok(());
        }
        let has_ended = std::mem::take(&mut self.has_ended);
        let is_cut = known.is_none() && self.own.pid != 0 && !has_ended;
        let before = self.own.pid;
        if known.is_none() {
            self.before.insert(before);
        }
        let gap = self.own.go_on(pid, number)?;
        if gap == 0 && !is_cut {
            return Ok(());
        }
        use_up(&mut self.tolerance.gaps, &mut self.tolerance.used).ok_or_else(|| match is_cut {
            true => format!("begins another life, and {before} has not ended"),
            false => format!("comes after {gap} that are missing"),
        })
    }

    /// Whether it has come as far as another log of the same program.
    pub fn has_reached(&self, other: &Numbered) -> bool {
        match self.own.pid == other.own.pid {
            true => self.own.last >= other.own.last && (self.has_ended || !other.has_ended),
            false => self.before.contains(&other.own.pid),
        }
    }

    /// Whether the last one has said its last words, and nothing stands behind them.
    pub fn is_complete(&self) -> bool {
        self.has_ended && self.partial.is_empty()
    }
}

impl Count {
    /// Takes the next number; says how many are missing before it.
    fn go_on(&mut self, pid: u32, number: u64) -> Result<u64, String> {
        if pid != self.pid {
            *self = Count { pid, last: 0 };
        }
        let Some(gap) = number.checked_sub(self.last + 1) else {
            return Err(format!("comes again, after {}", self.last));
        };
        self.last = number;
        Ok(gap)
    }
}

#[test]
fn what_is_missing_doubled_or_torn_is_found() {
    let line = |pid: u32, number: u64| format!("{pid}.{number}~{pid}.{number}\n");
    let wrong = |numbered: &mut Numbered, text: &str| text.lines().find_map(|line| numbered.take_line(line).err());
    let good = [line(1, 1), line(1, 2), "foreign 9.1~9.1\n".into(), "end\n".into(), line(2, 1)].concat();
    assert_eq!(wrong(&mut Numbered::default(), &good), None);
    for bad in [line(1, 2), line(1, 1) + &line(1, 1), line(1, 1) + &line(2, 1), "1.1~1.\n".into()] {
        assert!(wrong(&mut Numbered::default(), &bad).is_some(), "{bad}");
    }
    let tolerant = |gaps, repeats| Numbered { tolerance: Tolerance { gaps, repeats, used: 0 }, ..Numbered::default() };
    let (gap, repeat) = (line(1, 1) + &line(1, 4), line(1, 1) + &line(1, 2) + &line(1, 1) + &line(1, 2) + &line(1, 3));
    assert!(wrong(&mut tolerant(0, 9), &gap).is_some() && wrong(&mut tolerant(9, 0), &repeat).is_some());
    assert_eq!((wrong(&mut tolerant(1, 0), &gap), wrong(&mut tolerant(0, 1), &repeat)), (None, None));
    assert!(wrong(&mut tolerant(1, 0), &(gap + &line(1, 6))).is_some());
    let lives = [line(1, 1), "end\n".into(), line(2, 1), line(1, 1), "end\n".into(), line(2, 1)].concat();
    assert!(wrong(&mut tolerant(9, 0), &lives).is_some() && wrong(&mut tolerant(0, 1), &lives).is_none());
}
