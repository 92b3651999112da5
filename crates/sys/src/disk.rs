//! Disks and how full they are.

use std::io;
use std::os::fd::AsFd;

use nix::sys::statvfs::fstatvfs;

/// How much room a file system has, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// What users other than root can still write.
    pub free: u64,
    /// All of it.
    pub size: u64,
}

/// The room on the file system of an open file.
///
/// # Errors
/// The system does not tell.
#[allow(clippy::useless_conversion, reason = "the numbers have other types on other systems")]
pub fn space(file: &impl AsFd) -> io::Result<DiskSpace> {
    let found = fstatvfs(file)?;
    let block = u64::from(found.fragment_size());
    let bytes = |blocks: u64| blocks.saturating_mul(block);
    Ok(DiskSpace { free: bytes(found.blocks_available().into()), size: bytes(found.blocks().into()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_no_more_free_than_its_size() {
        let space = space(&tempfile::tempfile().expect("a file")).expect("known");
        assert!(space.size > 0 && space.free <= space.size, "{space:?}");
    }
}
