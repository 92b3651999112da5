//! What is in the directories of logs that have rules, read once for all logs that look there in the same turn of the loop.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A name in a directory, and whether it is that of a regular file.
pub(super) type Name = (String, bool);

/// The names in each directory that was looked at in this turn.
#[derive(Debug, Default)]
pub(super) struct Directories {
    names: HashMap<PathBuf, BTreeMap<String, bool>>,
}

impl Directories {
    /// The names in this directory that begin so, for a log with many others beside it. What is no text is none of ours.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn names(&mut self, directory: &Path, start: &str) -> io::Result<Vec<Name>> {
        if !self.names.contains_key(directory) {
            let path = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            let names = fs::read_dir(path)?.flatten().filter_map(|entry| {
                let is_regular = entry.file_type().is_ok_and(|kind| kind.is_file());
                Some((entry.file_name().into_string().ok()?, is_regular))
            });
            self.names.insert(directory.to_owned(), names.collect());
        }
        let Some(names) = self.names.get(directory) else { return Ok(Vec::new()) };
        let found = names.range(start.to_owned()..).take_while(|(name, _)| name.starts_with(start));
        Ok(found.map(|(name, is_regular)| (name.clone(), *is_regular)).collect())
    }

    /// A file has another name now; none where it is gone.
    pub fn renamed(&mut self, directory: &Path, from: &str, to: Option<&str>) {
        let Some(names) = self.names.get_mut(directory) else { return };
        let is_regular = names.remove(from).unwrap_or(true);
        names.extend(to.map(|to| (to.to_owned(), is_regular)));
    }

    /// The turn is over: what is there may be something else by the next one.
    pub fn forget(&mut self) {
        self.names = HashMap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_read_once_in_a_turn() {
        let directory = tempfile::tempdir().expect("a directory");
        let create = |name: &str| fs::write(directory.path().join(name), "").expect("created");
        ["a.log", "a.log.1", "b.log", "a", "a.lo"].into_iter().for_each(create);
        let mut directories = Directories::default();
        let names = |directories: &mut Directories| {
            let found = directories.names(directory.path(), "a.log").expect("read");
            found.into_iter().map(|(name, is_regular)| if is_regular { name } else { name + "@" }).collect::<Vec<_>>()
        };
        assert_eq!(names(&mut directories), ["a.log", "a.log.1"]);
        create("a.log.9");
        directories.renamed(directory.path(), "a.log.1", Some("a.log.2"));
        directories.renamed(directory.path(), "a.log", None);
        assert_eq!(names(&mut directories), ["a.log.2"]);
        directories.forget();
        std::os::unix::fs::symlink("a.log", directory.path().join("a.log.4")).expect("linked");
        assert_eq!(names(&mut directories), ["a.log", "a.log.1", "a.log.4@", "a.log.9"]);
        directories.renamed(directory.path(), "a.log.4", Some("a.log.5"));
        assert_eq!(names(&mut directories), ["a.log", "a.log.1", "a.log.5@", "a.log.9"], "it stays what it is");
        assert!(directories.names(&directory.path().join("none"), "").is_err());
    }
}
