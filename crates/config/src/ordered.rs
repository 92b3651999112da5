//! A map that remembers in which order its keys first came.

use std::collections::HashMap;

/// Values by name, in the order of first appearance.
#[derive(Clone, Debug)]
pub(crate) struct Ordered<V> {
    entries: Vec<(String, V)>,
    places: HashMap<String, usize>,
}

impl<V> Default for Ordered<V> {
    fn default() -> Self {
        Ordered { entries: Vec::new(), places: HashMap::new() }
    }
}

impl<V> Ordered<V> {
    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.places.get(key).map(|&place| &self.entries[place].1)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.places.get(key).map(|&place| &mut self.entries[place].1)
    }

    /// Puts a value under a key; a known key keeps its place. Gives back the value that was there.
    pub(crate) fn insert(&mut self, key: &str, value: V) -> Option<V> {
        if let Some(&place) = self.places.get(key) {
            return Some(std::mem::replace(&mut self.entries[place].1, value));
        }
        self.places.insert(key.to_owned(), self.entries.len());
        self.entries.push((key.to_owned(), value));
        None
    }

    /// Takes a value out; those behind it move up.
    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        let place = self.places.remove(key)?;
        for other in self.places.values_mut().filter(|other| **other > place) {
            *other -= 1;
        }
        Some(self.entries.remove(place).1)
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    pub(crate) fn into_entries(self) -> Vec<(String, V)> {
        self.entries
    }
}
