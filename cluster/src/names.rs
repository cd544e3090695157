//! Which row a node is on, by its name.
//!
//! Every request looks all its candidates up, hundreds of names, in a process whose caches others have used since. The
//! names therefore lie one behind the other, in the order of their rows where nodes came in that order, and not each
//! where the allocator found a place: what is compared is mostly in the cache already because its neighbour was.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Rows by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowByName {
    entries: HashTable<Entry>,
    /// The names, and between them those of nodes that have gone: never more of these than of the others.
    text: String,
    /// How much of the text is nobody's any more, in bytes.
    lost: usize,
    hasher: RandomState,
}

/// A name's place in the text, and its row.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    end: usize,
    row: u32,
}

impl RowByName {
    /// The row of a name.
    pub(crate) fn get(&self, name: &str) -> Option<u32> {
        let is_it = |entry: &Entry| self.text[entry.start..entry.end] == *name;
        self.entries.find(self.hasher.hash_one(name), is_it).map(|entry| entry.row)
    }

    /// Gives a row to a name that has none.
    pub(crate) fn insert(&mut self, name: &str, row: u32) {
        debug_assert!(self.get(name).is_none(), "{name} has a row");
        let start = self.text.len();
        self.text.push_str(name);
        let Self { entries, text, hasher, .. } = self;
        let hash = |entry: &Entry| hasher.hash_one(&text[entry.start..entry.end]);
        let entry = Entry { start, end: text.len(), row };
        entries.insert_unique(hash(&entry), entry, hash);
    }

    /// Forgets a name, if there is one.
    pub(crate) fn remove(&mut self, name: &str) {
        let is_it = |entry: &Entry| self.text[entry.start..entry.end] == *name;
        let Ok(found) = self.entries.find_entry(self.hasher.hash_one(name), is_it) else { return };
        found.remove();
        self.lost += name.len();
        if self.lost > self.text.len() / 2 {
            self.close_up();
        }
    }

    /// How many names there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All names, in any order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &self.text[entry.start..entry.end])
    }

    /// Puts the names together again, in the order of their rows.
    fn close_up(&mut self) {
        let mut kept: Vec<&mut Entry> = self.entries.iter_mut().collect();
        kept.sort_unstable_by_key(|entry| entry.row);
        let mut text = String::with_capacity(self.text.len() - self.lost);
        for entry in kept {
            let start = text.len();
            text.push_str(&self.text[entry.start..entry.end]);
            (entry.start, entry.end) = (start, text.len());
        }
        (self.text, self.lost) = (text, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_come_and_go_as_in_a_plain_map(
            steps in prop::collection::vec(("[a-d]{0,3}", any::<bool>(), 0..9u32), 0..200),
        ) {
            let (mut rows, mut plain) = (RowByName::default(), BTreeMap::new());
            for (name, comes, row) in steps {
                if !comes {
                    rows.remove(&name);
                    plain.remove(&name);
                } else if rows.get(&name).is_none() {
                    rows.insert(&name, row);
                    plain.insert(name, row);
                }
                prop_assert!(rows.lost <= rows.text.len() / 2, "{rows:?}");
                prop_assert_eq!(rows.len(), plain.len());
                prop_assert!(plain.iter().all(|(name, row)| rows.get(name) == Some(*row)));
            }
            let mut names: Vec<&str> = rows.names().collect();
            names.sort_unstable();
            prop_assert!(names.into_iter().eq(plain.keys().map(String::as_str)));
        }
    }
}
