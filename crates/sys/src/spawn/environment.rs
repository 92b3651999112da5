//! The environment of children, of which most is the same for all of them.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use crate::Errno;

/// Names and values in the order they are passed; no name occurs twice. Copies share what they have in common.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    entries: Vec<Arc<CStr>>,
}

impl Environment {
    /// Sets a variable: in its place if there is one of this name, else at the end.
    ///
    /// Fails with EINVAL when the name or the value contains a NUL byte.
    pub fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Result<(), Errno> {
        let (name, value) = (name.as_ref().as_bytes(), value.as_ref().as_bytes());
        let entry = Arc::from(c_string([name, b"=", value].concat())?);
        match self.entries.iter_mut().find(|known| is_named(known, name)) {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
        Ok(())
    }

    /// The value of a variable.
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        let name = name.as_ref().as_bytes();
        let entry = self.entries.iter().find(|entry| is_named(entry, name))?;
        Some(OsStr::from_bytes(&entry.to_bytes()[name.len() + 1..]))
    }

    pub(super) fn entries(&self) -> &[Arc<CStr>] {
        &self.entries
    }
}

pub(super) fn c_string(bytes: impl Into<Vec<u8>>) -> Result<CString, Errno> {
    CString::new(bytes).map_err(|_| Errno::EINVAL)
}

fn is_named(entry: &CStr, name: &[u8]) -> bool {
    entry.to_bytes().strip_prefix(name).is_some_and(|rest| rest.starts_with(b"="))
}

/// The variables of a process; of those with the same name the first counts, as it does for `getenv`.
impl<N: AsRef<OsStr>, V: AsRef<OsStr>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in variables {
            if environment.get(&name).is_none() {
                // It can only fail for NUL bytes, which the variables of a process cannot contain.
                let _ = environment.set(name, value);
            }
        }
        environment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(environment: &Environment) -> Vec<&str> {
        environment.entries().iter().map(|entry| entry.to_str().unwrap()).collect()
    }

    #[test]
    fn a_variable_is_replaced_in_its_place() {
        let base: Environment = [("A", "1"), ("AB", "2"), ("B", "x=y")].into_iter().collect();
        let mut copy = base.clone();
        copy.set("A", "3").unwrap();
        copy.set("C", "").unwrap();
        assert_eq!(texts(&copy), ["A=3", "AB=2", "B=x=y", "C="]);
        assert_eq!(texts(&base), ["A=1", "AB=2", "B=x=y"]);
        assert_eq!((copy.get("A"), copy.get("B"), copy.get("D")), (Some("3".as_ref()), Some("x=y".as_ref()), None));
    }

    #[test]
    fn a_nul_byte_is_refused() {
        let mut environment = Environment::default();
        assert_eq!(environment.set("A", "\0"), Err(Errno::EINVAL));
        assert_eq!(environment.set("A\0", ""), Err(Errno::EINVAL));
        assert!(texts(&environment).is_empty());
    }
}
