//! A map that remembers in which order its keys first came.

use std::collections::HashMap;

/// How many keys are looked at one after the other; of more there is an index. Most sections have fewer options.
const FEW: usize = 16;

/// Values by name, in the order of first appearance.
#[derive(Clone, Debug)]
pub(crate) struct Ordered<V> {
    entries: Vec<(String, V)>,
    /// The places of all keys; empty where there are few.
    places: HashMap<String, usize>,
}

impl<V> Default for Ordered<V> {
    fn default() -> Self {
        Ordered { entries: Vec::new(), places: HashMap::new() }
    }
}

impl<V> Ordered<V> {
    fn place(&self, key: &str) -> Option<usize> {
        match self.entries.len() > FEW {
            true => self.places.get(key).copied(),
            false => self.entries.iter().position(|(known, _)| known == key),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.place(key).map(|place| &self.entries[place].1)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.place(key).map(|place| &mut self.entries[place].1)
    }

    /// Puts a value under a key; a known key keeps its place. Gives back the value that was there.
    pub(crate) fn insert(&mut self, key: &str, value: V) -> Option<V> {
        if let Some(place) = self.place(key) {
            return Some(std::mem::replace(&mut self.entries[place].1, value));
        }
        self.entries.push((key.to_owned(), value));
        match self.entries.len() {
            len if len > FEW + 1 => drop(self.places.insert(key.to_owned(), len - 1)),
            len if len > FEW => self.index(),
            _ => {}
        }
        None
    }

    /// Takes a value out; those behind it move up.
    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        let place = self.place(key)?;
        let (_, value) = self.entries.remove(place);
        match self.entries.len() > FEW {
            true => {
                self.places.remove(key);
                self.places.values_mut().filter(|other| **other > place).for_each(|other| *other -= 1);
            }
            false => self.places.clear(),
        }
        Some(value)
    }

    fn index(&mut self) {
        let places = self.entries.iter().enumerate().map(|(place, (key, _))| (key.clone(), place));
        self.places = places.collect();
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.place(key).is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_keys_are_found_replaced_and_taken_out_in_order() {
        for count in [FEW - 1, FEW, FEW + 1, 10 * FEW] {
            let mut ordered = Ordered::default();
            let keys: Vec<String> = (0..count).map(|number| format!("key{number}")).collect();
            for (number, key) in keys.iter().enumerate() {
                assert!(ordered.insert(key, number).is_none() && !ordered.contains("key"));
            }
            assert_eq!(ordered.insert("key3", 100), Some(3));
            assert_eq!(ordered.get("key3"), Some(&100));
            assert_eq!((ordered.remove("key1"), ordered.remove("key1")), (Some(1), None));
            assert_eq!(ordered.insert("more", 7), None);
            *ordered.get_mut("key0").unwrap() += 1;
            let listed: Vec<(&str, usize)> = ordered.iter().map(|(key, value)| (key, *value)).collect();
            assert_eq!((listed[0], listed[1], listed[2]), (("key0", 1), ("key2", 2), ("key3", 100)), "{count}");
            assert_eq!(listed.last(), Some(&("more", 7)));
            let last = format!("key{}", count - 1);
            assert_eq!((ordered.get(&last), listed.len()), (Some(&(count - 1)), count));
        }
    }
}
