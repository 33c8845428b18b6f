//! A bounded map that forgets what has not been asked for lately.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// Two generations: what is asked for moves to the young one; when that is full, the old one is dropped
/// and the young one takes its place. That is nearly what a list by last use would keep, without the list.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    generation: usize,
}

impl<K: Eq + Hash, V> Cache<K, V> {
    /// A cache of at most `capacity` entries, at least two. At least half of it survives from one
    /// forgetting to the next.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            generation: (capacity / 2).max(1),
        }
    }

    /// The value of `key`.
    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.insert(key, value);
        }
        self.young.get(key)
    }

    /// Sets the value of `key`.
    pub(super) fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        if self.young.len() >= self.generation && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_what_is_asked_for() {
        let mut cache = Cache::new(8);
        cache.insert(0, "kept");
        for n in 1..1000 {
            cache.insert(n, "passing");
            assert_eq!(cache.get(&0), Some(&"kept"), "after {n}");
        }
        assert_eq!(cache.get(&1), None);
        assert_eq!(cache.get(&999), Some(&"passing"));
    }

    #[test]
    fn keeps_the_latest_half() {
        let mut cache = Cache::new(8);
        for n in 0..100 {
            cache.insert(n, n);
        }
        for n in 96..100 {
            assert_eq!(cache.get(&n), Some(&n));
        }
    }

    #[test]
    fn a_new_value_replaces_the_old_one_in_either_generation() {
        let mut cache = Cache::new(2);
        cache.insert('a', 1);
        cache.insert('a', 2);
        assert_eq!(cache.get(&'a'), Some(&2));
        cache.insert('b', 1);
        cache.insert('a', 3);
        assert_eq!(cache.get(&'a'), Some(&3));
        assert_eq!(cache.len(), 2);
    }

    proptest! {
        #[test]
        fn is_bounded_and_never_wrong(capacity in 0usize..20, ops in prop::collection::vec((any::<bool>(), 0u8..40), 0..300)) {
            let mut cache = Cache::new(capacity);
            let mut truth = HashMap::new();
            for (step, (insert, key)) in ops.into_iter().enumerate() {
                if insert {
                    cache.insert(key, step);
                    truth.insert(key, step);
                    prop_assert_eq!(cache.get(&key), Some(&step));
                } else if let Some(value) = cache.get(&key) {
                    prop_assert_eq!(Some(value), truth.get(&key));
                }
                prop_assert!(cache.len() <= capacity.max(2));
            }
        }
    }
}
