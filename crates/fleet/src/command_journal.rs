//! The file in which an agent writes down what it executes, before it does.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use crate::clock::epoch_millis;
use crate::command_memory::{CommandDecision, CommandEntry, CommandMemory};
use crate::request::FleetAnswer;

/// When the file is written anew, in bytes.
const LARGE: u64 = 4 << 20;
/// The longest line that is read, in bytes: a result that is remembered, and what JSON adds.
const MAX_LINE: usize = 256 << 10;

/// The journal, and what is remembered of it.
pub struct CommandJournal {
    path: PathBuf,
    file: File,
    size: u64,
    memory: CommandMemory,
}

impl CommandJournal {
    /// Opens the journal in a directory.
    pub fn open(directory: &Path) -> io::Result<CommandJournal> {
        let path = directory.join("commands");
        let entries = match File::open(&path) {
            Ok(file) => read(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut memory = CommandMemory::recall(entries);
        let file = written_anew(&path, &mut memory)?;
        let size = file.metadata()?.len();
        Ok(CommandJournal { path, file, size, memory })
    }

    /// Decides about a command; one that is to be executed is on the disk when this returns.
    pub fn begin(&mut self, id: &str, deadline: u64) -> io::Result<CommandDecision> {
        let decision = self.memory.decide(id, deadline, epoch_millis());
        if let CommandDecision::Execute(entry) = &decision
            && let Err(error) = self.append(entry, true)
        {
            self.memory.forget(id);
            return Err(error);
        }
        Ok(decision)
    }

    /// What is answered about a command that has come before; none about a new one.
    pub fn answer(&self, id: &str) -> Option<FleetAnswer> {
        self.memory.answer(id)
    }

    /// A command has been executed. Where that cannot be written down, the next agent is in doubt about it.
    pub fn end(&mut self, id: &str, answer: &FleetAnswer) -> io::Result<()> {
        let entry = self.memory.end(id, answer);
        self.append(&entry, false)
    }

    fn append(&mut self, entry: &CommandEntry, is_synced: bool) -> io::Result<()> {
        if self.size > LARGE {
            self.file = written_anew(&self.path, &mut self.memory)?;
            self.size = self.file.metadata()?.len();
        }
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| if is_synced { self.file.sync_data() } else { Ok(()) });
        match written {
            Ok(()) => self.size += line.len() as u64,
            // A part of the line may be there, to which nothing must be appended: the next entry writes the file anew.
            Err(_) => self.size = LARGE + 1,
        }
        written
    }
}

/// What can be understood. A line that was cut off by a crash is the last one.
fn read(file: File) -> Vec<CommandEntry> {
    let lines = BufReader::new(file).split(b'\n').map_while(Result::ok).filter(|line| line.len() <= MAX_LINE);
    lines.filter_map(|line| serde_json::from_slice(&line).ok()).collect()
}

/// The file with what is still to be remembered.
fn written_anew(path: &Path, memory: &mut CommandMemory) -> io::Result<File> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    for entry in memory.entries(epoch_millis()) {
        serde_json::to_writer(&mut file, &entry)?;
        file.write_all(b"\n")?;
    }
    file.sync_data()?;
    std::fs::rename(&new, path)?;
    OpenOptions::new().append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::FleetRefusal;

    #[test]
    fn the_next_agent_remembers() {
        let directory = tempfile::tempdir().unwrap();
        let deadline = epoch_millis() + 60_000;
        let mut journal = CommandJournal::open(directory.path()).unwrap();
        for id in ["a", "b"] {
            assert!(matches!(journal.begin(id, deadline).unwrap(), CommandDecision::Execute(_)));
        }
        let done = FleetAnswer::Done { result: 7.into() };
        journal.end("b", &done).unwrap();
        // A crash in the middle of a line.
        journal.file.write_all(b"{\"entry\":\"begun\",\"id\":\"c").unwrap();
        drop(journal);
        for _ in 0..2 {
            let mut next = CommandJournal::open(directory.path()).unwrap();
            let decided = next.begin("a", deadline).unwrap();
            let CommandDecision::Answer(FleetAnswer::Refused { reason, .. }) = decided else { panic!("{decided:?}") };
            assert_eq!(reason, FleetRefusal::InDoubt);
            assert_eq!(next.begin("b", deadline).unwrap(), CommandDecision::Answer(done.clone()));
        }
    }

    #[test]
    fn an_entry_after_one_that_could_not_be_written_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let deadline = epoch_millis() + 60_000;
        let mut journal = CommandJournal::open(directory.path()).unwrap();
        std::fs::write(&journal.path, "{\"a part of a line").unwrap();
        journal.file = OpenOptions::new().append(true).open("/dev/full").unwrap();
        assert!(journal.begin("a", deadline).is_err());
        assert!(matches!(journal.begin("b", deadline).unwrap(), CommandDecision::Execute(_)));
        let mut next = CommandJournal::open(directory.path()).unwrap();
        assert!(matches!(next.begin("b", deadline).unwrap(), CommandDecision::Answer(_)));
    }
}
