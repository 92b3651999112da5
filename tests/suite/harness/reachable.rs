//! Programs where everybody can start them.
//!
//! A test that becomes another user needs every directory on the way to a program to be open to that user. A build
//! directory below the home of root is not; then root keeps what such tests start below `/var/cache`.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::original::once;

/// The directory that stands in for the build directory.
const PUBLIC: &str = "/var/cache/supervisord-suite";

/// The directory for what is fetched at test time: below the build directory, unless only root can enter that.
pub fn cache() -> PathBuf {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let base = if is_hidden(build) { Path::new(PUBLIC) } else { build };
    base.join("original")
}

/// A program, where everybody can start it.
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

/// Whether root sees what others cannot reach.
fn is_hidden(path: &Path) -> bool {
    let is_closed = |directory: &Path| fs::metadata(directory).is_ok_and(|metadata| metadata.mode() & 0o001 == 0);
    geteuid().is_root() && path.ancestors().any(is_closed)
}
