//! A map that forgets what was not used lately, so that strangers can't fill the memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// Two halves: what is used moves into the young one, and when that is full, the old one is forgotten.
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash, V: Default> Recent<K, V> {
    /// A map of at most `most` keys.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            half: most / 2,
        }
    }

    /// The value of a key, which is used now.
    pub(crate) fn of(&mut self, key: K) -> &mut V {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        match self.young.entry(key) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => {
                let kept = self.old.remove(place.key());
                place.insert(kept.unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_map_never_grows_beyond_its_bound() {
        let mut map: Recent<u32, u32> = Recent::new(100);
        for key in 1..10_000 {
            *map.of(0) += 1;
            *map.of(key) = key;
            assert!(map.young.len() + map.old.len() <= 100);
        }
        assert_eq!(*map.of(0), 9_999);
        assert_eq!(*map.of(9_999), 9_999);
        assert_eq!(*map.of(1), 0, "forgotten");
    }
}
