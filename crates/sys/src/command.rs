//! Finds the executable file of a program, and checks whether it may be executed.

use std::env;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// Why a program cannot be executed. Each path is the file that was checked, including the directory of the search
/// path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The file does not exist, or cannot be accessed.
    NotFound,
    /// It is a directory.
    IsDirectory(PathBuf),
    /// No user has the permission to execute it.
    NotExecutable(PathBuf),
    /// Some users may execute it, but not the current one.
    NoPermission(PathBuf),
}

/// The file to execute for `program`.
///
/// A name with a slash is used unchanged, relative to the current directory. Otherwise the first directory of
/// `search_path` (separated by colons) that contains the name decides, as in the original: unlike a shell, the search
/// does not continue if that file cannot be executed.
pub fn locate(program: &str, search_path: &OsStr) -> Result<PathBuf, CommandError> {
    let (path, metadata) = if program.contains('/') {
        existing(Path::new(program).to_owned())
    } else {
        search_path
            .as_bytes()
            .split(|byte| *byte == b':')
            .find_map(|directory| existing(Path::new(OsStr::from_bytes(directory)).join(program)))
    }
    .ok_or(CommandError::NotFound)?;
    may_execute(path, &metadata)
}

/// The path under which this program was started; a bare name is searched in `PATH`.
pub fn own_path() -> PathBuf {
    let name = PathBuf::from(env::args_os().next().unwrap_or_default());
    if name.components().count() > 1 {
        return name;
    }
    let directories = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&directories).map(|directory| directory.join(&name)).find(|path| path.is_file()).unwrap_or(name)
}

/// Whether this file can be executed.
pub fn check(path: &Path) -> Result<(), CommandError> {
    let (path, metadata) = existing(path.to_owned()).ok_or(CommandError::NotFound)?;
    may_execute(path, &metadata).map(drop)
}

fn existing(path: PathBuf) -> Option<(PathBuf, Metadata)> {
    let metadata = path.metadata().ok()?;
    Some((path, metadata))
}

fn may_execute(path: PathBuf, metadata: &Metadata) -> Result<PathBuf, CommandError> {
    if metadata.is_dir() {
        Err(CommandError::IsDirectory(path))
    } else if metadata.permissions().mode() & 0o111 == 0 {
        Err(CommandError::NotExecutable(path))
    } else if access(&path, AccessFlags::X_OK).is_err() {
        Err(CommandError::NoPermission(path))
    } else {
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(path: &Path, mode: u32) {
        fs::write(path, "").unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_directory_with_the_name_decides() {
        let root = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| root.path().join(name));
        for directory in [&a, &b, &c] {
            fs::create_dir(directory).unwrap();
        }
        let path = format!("{}:/nonexistent:{}/:{}", a.display(), b.display(), c.display());
        let find = |program: &str| locate(program, OsStr::new(&path));

        assert_eq!(find("prog"), Err(CommandError::NotFound));
        file(&c.join("prog"), 0o755);
        assert_eq!(find("prog"), Ok(c.join("prog")));
        file(&b.join("prog"), 0o644);
        assert_eq!(find("prog"), Err(CommandError::NotExecutable(b.join("prog"))));
        fs::create_dir(a.join("prog")).unwrap();
        assert_eq!(find("prog"), Err(CommandError::IsDirectory(a.join("prog"))));
    }

    #[test]
    fn a_name_with_a_slash_is_not_searched() {
        let root = tempfile::tempdir().unwrap();
        file(&root.path().join("prog"), 0o755);
        let full = root.path().join("prog");
        assert_eq!(locate(full.to_str().unwrap(), OsStr::new("")), Ok(full.clone()));
        assert_eq!(locate("./prog", root.path().as_os_str()), Err(CommandError::NotFound));
        assert_eq!(locate("/", OsStr::new("")), Err(CommandError::IsDirectory("/".into())));
    }

    #[test]
    fn execute_permission_of_another_user_does_not_count() {
        if crate::user::current_uid() != 0 {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("prog");
            file(&path, 0o611);
            assert_eq!(locate(path.to_str().unwrap(), OsStr::new("")), Err(CommandError::NoPermission(path)));
        }
    }
}
