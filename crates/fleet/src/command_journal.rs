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
    /// None where it could not be written so far.
    file: Option<File>,
    size: u64,
    memory: CommandMemory,
}

impl CommandJournal {
    /// Opens the journal in a directory, which is made if it is missing. Where there is no room for it, this is said, too: what was
    /// there is remembered, and nothing is executed until it can be written down.
    pub fn open(directory: &Path) -> io::Result<(CommandJournal, Option<io::Error>)> {
        let path = directory.join("commands");
        let entries = match File::open(&path) {
            Ok(file) => read(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let memory = CommandMemory::recall(entries);
        let mut journal = CommandJournal { path, file: None, size: 0, memory };
        let failure = journal.write_anew().err();
        match failure {
            Some(error) if !is_want_of_room(&error) => Err(error),
            failure => Ok((journal, failure)),
        }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
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
            self.file = None;
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.write_anew()?,
        };
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let written = file.write_all(&line).and_then(|()| if is_synced { file.sync_data() } else { Ok(()) });
        match written {
            Ok(()) => self.size += line.len() as u64,
            // A part of the line may be there, to which nothing must be appended: the next entry writes the file anew.
            Err(_) => self.file = None,
        }
        written
    }

    /// Writes the file with what is still to be remembered.
    fn write_anew(&mut self) -> io::Result<&mut File> {
        let file = written_anew(&self.path, &mut self.memory)?;
        self.size = file.metadata()?.len();
        Ok(self.file.insert(file))
    }
}

/// Whether a failure says that nothing can be written now, and not that the directory is the wrong one.
fn is_want_of_room(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    [StorageFull, QuotaExceeded, ReadOnlyFilesystem].contains(&error.kind())
}

/// What can be understood. A line that was cut off by a crash is the last one.
fn read(file: File) -> io::Result<Vec<CommandEntry>> {
    let mut entries = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        entries.extend((line.len() <= MAX_LINE).then(|| serde_json::from_slice(&line).ok()).flatten());
    }
    Ok(entries)
}

/// The file with what is still to be remembered.
fn written_anew(path: &Path, memory: &mut CommandMemory) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let new = path.with_extension("new");
    let written = write(&new, &memory.entries(epoch_millis()));
    if written.is_err() {
        // It takes room, of which there may be too little.
        let _ = std::fs::remove_file(&new);
    }
    written?;
    std::fs::rename(&new, path)?;
    OpenOptions::new().append(true).open(path)
}

fn write(path: &Path, entries: &[CommandEntry]) -> io::Result<()> {
    let mut file = File::create(path)?;
    for entry in entries {
        serde_json::to_writer(&mut file, entry)?;
        file.write_all(b"\n")?;
    }
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::FleetRefusal;

    fn open(directory: &Path) -> CommandJournal {
        let (journal, failure) = CommandJournal::open(directory).unwrap();
        assert!(failure.is_none(), "{failure:?}");
        journal
    }

    #[test]
    fn a_full_disk_is_no_reason_to_forget_or_to_end() {
        let directory = tempfile::tempdir().unwrap();
        let deadline = epoch_millis() + 60_000;
        open(directory.path()).begin("a", deadline).unwrap();
        let fill = || std::os::unix::fs::symlink("/dev/full", directory.path().join("commands.new")).unwrap();
        fill();
        let (mut next, failure) = CommandJournal::open(directory.path()).unwrap();
        assert_eq!(failure.unwrap().kind(), io::ErrorKind::StorageFull);
        fill();
        assert_eq!(next.begin("b", deadline).unwrap_err().kind(), io::ErrorKind::StorageFull);
        // There is room again.
        assert!(matches!(next.begin("a", deadline).unwrap(), CommandDecision::Answer(_)), "it is in doubt");
        assert!(matches!(next.begin("b", deadline).unwrap(), CommandDecision::Execute(_)));
        assert!(open(directory.path()).answer("a").is_some());
        // The wrong directory is told at once.
        std::fs::write(directory.path().join("file"), "").unwrap();
        assert!(CommandJournal::open(&directory.path().join("file")).is_err());
    }

    #[test]
    fn the_next_agent_remembers() {
        let directory = tempfile::tempdir().unwrap();
        let deadline = epoch_millis() + 60_000;
        let mut journal = open(directory.path());
        for id in ["a", "b"] {
            assert!(matches!(journal.begin(id, deadline).unwrap(), CommandDecision::Execute(_)));
        }
        let done = FleetAnswer::Done { result: 7.into() };
        journal.end("b", &done).unwrap();
        // A crash in the middle of a line.
        journal.file.as_mut().unwrap().write_all(b"{\"entry\":\"begun\",\"id\":\"c").unwrap();
        drop(journal);
        for _ in 0..2 {
            let mut next = open(directory.path());
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
        let mut journal = open(directory.path());
        std::fs::write(&journal.path, "{\"a part of a line").unwrap();
        journal.file = OpenOptions::new().append(true).open("/dev/full").ok();
        assert!(journal.begin("a", deadline).is_err());
        assert!(matches!(journal.begin("b", deadline).unwrap(), CommandDecision::Execute(_)));
        let mut next = open(directory.path());
        assert!(matches!(next.begin("b", deadline).unwrap(), CommandDecision::Answer(_)));
    }
}
