//! Programs at a path where every user can execute them.
//!
//! A test that changes its user needs every directory on the path of a program to be accessible to that user. A build
//! directory below the home of root is not; then root copies what such tests start to `/var/cache`.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::original::once;

/// The directory that replaces the build directory.
const PUBLIC: &str = "/var/cache/supervisord-suite";

/// The directory for downloads of tests: below the build directory, unless only root can enter that.
pub fn cache() -> PathBuf {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let base = if is_hidden(build) { Path::new(PUBLIC) } else { build };
    base.join("original")
}

/// The path of a program, or of a copy, that every user can execute.
pub fn program(path: PathBuf) -> PathBuf {
    if !is_hidden(&path) {
        return path;
    }
    let mut checkout = DefaultHasher::new();
    path.parent().hash(&mut checkout);
    let name = path.file_name().expect("a program has a name");
    let directory = Path::new(PUBLIC).join(format!("{:x}", checkout.finish())).join(name);
    let public = directory.join(name);
    let built = fs::metadata(&path).expect("it has been built");
    let version = format!("{} {}.{}", built.len(), built.mtime(), built.mtime_nsec());
    once(&directory, &[&version], |_| {
        fs::hard_link(&path, &public).or_else(|_| fs::copy(&path, &public).map(drop)).expect("root may write there");
    });
    public
}

/// Whether the path is accessible only to root.
fn is_hidden(path: &Path) -> bool {
    let is_closed = |directory: &Path| fs::metadata(directory).is_ok_and(|metadata| metadata.mode() & 0o001 == 0);
    geteuid().is_root() && path.ancestors().any(is_closed)
}
