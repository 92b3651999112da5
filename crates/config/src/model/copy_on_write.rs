//! Options that many processes have alike, kept in memory once.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A value that its clones share until one of them is changed.
#[derive(Clone, Debug, Default)]
pub struct CopyOnWrite<T>(Arc<T>);

impl<T> From<T> for CopyOnWrite<T> {
    fn from(value: T) -> CopyOnWrite<T> {
        CopyOnWrite(Arc::new(value))
    }
}

impl<T> Deref for CopyOnWrite<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for CopyOnWrite<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

/// Clones that have not been changed are not looked into.
impl<T: PartialEq> PartialEq for CopyOnWrite<T> {
    fn eq(&self, other: &CopyOnWrite<T>) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || *self.0 == *other.0
    }
}

impl<T: Eq> Eq for CopyOnWrite<T> {}

impl<T: PartialEq> CopyOnWrite<T> {
    /// Shares an equal value with another one, in place of its own.
    pub(super) fn share_with(&mut self, other: &CopyOnWrite<T>) {
        if self == other {
            self.0 = other.0.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_one_leaves_the_others_alone() {
        let first = CopyOnWrite::from(vec![1]);
        let mut second = first.clone();
        assert!(std::ptr::eq(&*first, &*second));
        second.push(2);
        assert_eq!((&*first, &*second), (&vec![1], &vec![1, 2]));
        assert_ne!(first, second);
    }

    #[test]
    fn equal_values_become_one() {
        let first = CopyOnWrite::from(vec![1]);
        let (mut equal, mut other) = (CopyOnWrite::from(vec![1]), CopyOnWrite::from(vec![2]));
        equal.share_with(&first);
        other.share_with(&first);
        assert!(std::ptr::eq(&*first, &*equal));
        assert_eq!(*other, [2]);
    }
}
