//! What cannot be written to the disk is said once, and not for each event or command; and so is that it can be written again.

use std::fmt::Display;

/// Whether there is something to complain about.
#[derive(Debug, Default)]
pub(super) struct StorageComplaint {
    is_standing: bool,
}

impl StorageComplaint {
    /// What there is to say after an attempt, about what is done with the file.
    pub(super) fn after<E: Display>(&mut self, failure: Option<&E>, what: &str) -> Option<String> {
        let was_standing = std::mem::replace(&mut self.is_standing, failure.is_some());
        match failure {
            Some(error) if !was_standing => {
                Some(format!("{what}: {error}; this is not said again until it is possible"))
            }
            None if was_standing => Some(format!("{what}: it is possible again")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_once() {
        let mut complaint = StorageComplaint::default();
        let mut after = |failure: Option<&str>| complaint.after(failure.as_ref(), "x");
        assert_eq!(after(None), None);
        assert_eq!(after(Some("full")).unwrap(), "x: full; this is not said again until it is possible");
        assert_eq!((after(Some("full")), after(Some("other"))), (None, None));
        assert_eq!(after(None).unwrap(), "x: it is possible again");
        assert!(after(None).is_none() && after(Some("full")).is_some());
    }
}
