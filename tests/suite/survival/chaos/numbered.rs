//! Logs of numbered lines: whether every line is there, once, whole and in order.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

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
}

/// How far one who counts has come.
#[derive(Default)]
struct Count {
    pid: u32,
    last: u64,
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

impl Numbered {
    /// Checks what has come since the last time.
    pub fn read(&mut self, daemon: &Daemon, log: &str) {
        let mut bytes = std::mem::take(&mut self.partial);
        let mut file = File::open(daemon.path(log)).expect("the log exists");
        file.seek(SeekFrom::Start(self.offset)).expect("it is a file");
        self.offset += file.read_to_end(&mut bytes).expect("it can be read") as u64;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.partial = bytes.split_off(whole);
        self.take(&String::from_utf8_lossy(&bytes), log);
    }

    /// Checks lines.
    pub fn take(&mut self, text: &str, log: &str) {
        for line in text.lines() {
            self.lines += 1;
            self.take_line(line).unwrap_or_else(|wrong| panic!("{log}: {line:?} {wrong}"));
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
            Line::Own(pid, number) => {
                if pid != self.own.pid && self.own.pid != 0 && !std::mem::take(&mut self.has_ended) {
                    return Err(format!("begins another life, and {} has not ended", self.own.pid));
                }
                let gap = self.own.go_on(pid, number)?;
                if gap > 0 {
                    return Err(format!("comes after {gap} that are missing"));
                }
            }
        }
        Ok(())
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
}
