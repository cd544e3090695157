//! Domain classes: for pods with equal constraints, the rows they may run on.
//!
//! A class is made when a pod with new constraints turns up, and kept current one row at a time. The table is bounded:
//! when it is full, the quarter that was used least recently goes, of those that nobody waits with as long as there are
//! any. An id is never given out twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::constraints::{Constraints, Site, Standing};
use crate::dictionary::Dictionary;

/// The rows where pods of one class may run and how much they would like them.
///
/// A set of rows is a bitmap: row `j` is bit `j % 64` of word `j / 64`; bits of rows without a node are 0.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainClass {
    /// The class's number.
    pub id: u32,
    /// The generation in which it last changed.
    pub changed: u64,
    /// Rows where node selector, node affinity, taints, unschedulable and host ports let the pods run.
    pub possible: Vec<u64>,
    /// Rows that the admin's dictionary permits.
    pub permitted: Vec<u64>,
    /// How much the pods would like each row, 0 to 1; empty when they do not care.
    pub preference: Vec<f64>,
}

impl DomainClass {
    /// Whether Kubernetes' own constraints let the pods run on the row.
    #[must_use]
    pub fn is_possible(&self, row: u32) -> bool {
        bit(&self.possible, row as usize)
    }

    /// Whether the admin's dictionary permits the row.
    #[must_use]
    pub fn is_permitted(&self, row: u32) -> bool {
        bit(&self.permitted, row as usize)
    }

    /// How much the pods would like the row, 0 to 1.
    #[must_use]
    pub fn preference_of(&self, row: u32) -> f64 {
        self.preference.get(row as usize).copied().unwrap_or(1.0)
    }

    fn empty(id: u32, rows: usize) -> Self {
        let words = vec![0; rows.div_ceil(64)];
        Self { id, changed: 0, possible: words.clone(), permitted: words, preference: Vec::new() }
    }

    fn standing(&self, row: usize) -> Standing {
        Standing {
            possible: bit(&self.possible, row),
            permitted: bit(&self.permitted, row),
            preference: self.preference_of(row as u32),
        }
    }

    /// `picky`: the pods prefer some rows by affinity, so the preference is never left out.
    fn set(&mut self, row: usize, rows: usize, standing: Standing, picky: bool) {
        set_bit(&mut self.possible, row, standing.possible);
        set_bit(&mut self.permitted, row, standing.permitted);
        if self.preference.is_empty() && (picky || standing.preference < 1.0) {
            self.preference = vec![1.0; rows];
        }
        if let Some(preference) = self.preference.get_mut(row) {
            *preference = standing.preference;
        }
        if !picky && self.preference.iter().all(|preference| *preference == 1.0) {
            self.preference = Vec::new();
        }
    }

    fn grow(&mut self, rows: usize) {
        self.possible.resize(rows.div_ceil(64), 0);
        self.permitted.resize(rows.div_ceil(64), 0);
        if !self.preference.is_empty() {
            self.preference.resize(rows, 1.0);
        }
    }
}

fn bit(words: &[u64], row: usize) -> bool {
    words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
}

fn set_bit(words: &mut [u64], row: usize, value: bool) {
    let mask = 1 << (row % 64);
    let word = &mut words[row / 64];
    *word = if value { *word | mask } else { *word & !mask };
}

/// The classes in use.
#[derive(Debug)]
pub(crate) struct ClassTable {
    by_id: BTreeMap<u32, Entry>,
    id_by_constraints: HashMap<Arc<Constraints>, u32>,
    capacity: usize,
    next_id: u32,
    uses: u64,
    rows: usize,
}

#[derive(Debug)]
struct Entry {
    constraints: Arc<Constraints>,
    class: Arc<DomainClass>,
    last_use: u64,
}

/// What [`ClassTable::intern`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interned {
    /// The class was there.
    Known(u32),
    /// It is new; `evicted`: others had to go for it.
    New { id: u32, evicted: bool },
}

impl Interned {
    pub(crate) fn id(self) -> u32 {
        match self {
            Self::Known(id) | Self::New { id, .. } => id,
        }
    }
}

impl ClassTable {
    /// A table for at most `capacity` classes, at least 1.
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { by_id: BTreeMap::new(), id_by_constraints: HashMap::new(), capacity, next_id: 0, uses: 0, rows: 0 }
    }

    /// The class of the constraints, made if there is none. `sites`: every row; `in_use`: the classes of pods that wait.
    pub(crate) fn intern<'a>(
        &mut self,
        constraints: Constraints,
        sites: impl Iterator<Item = Option<Site<'a>>>,
        dictionary: &Dictionary,
        generation: u64,
        in_use: impl FnOnce() -> HashSet<u32>,
    ) -> Interned {
        self.uses += 1;
        if let Some(&id) = self.id_by_constraints.get(&constraints) {
            if let Some(entry) = self.by_id.get_mut(&id) {
                entry.last_use = self.uses;
            }
            return Interned::Known(id);
        }
        let evicted = self.make_room(in_use);
        let id = self.next_id;
        self.next_id += 1;
        let constraints = Arc::new(constraints);
        let class = self.compile(id, &constraints, sites, dictionary, generation);
        self.id_by_constraints.insert(Arc::clone(&constraints), id);
        self.by_id.insert(id, Entry { constraints, class: Arc::new(class), last_use: self.uses });
        Interned::New { id, evicted }
    }

    /// Judges one row anew for every class, or only for those with host ports. True if a class changed.
    pub(crate) fn judge_row(
        &mut self,
        row: usize,
        site: Option<Site<'_>>,
        dictionary: &Dictionary,
        generation: u64,
        only_ports: bool,
    ) -> bool {
        let rows = self.rows;
        let mut changed = false;
        for entry in self.by_id.values_mut().filter(|entry| !only_ports || entry.constraints.has_ports()) {
            let standing = entry.constraints.judge(site, dictionary);
            if standing != entry.class.standing(row) {
                let class = Arc::make_mut(&mut entry.class);
                class.set(row, rows, standing, entry.constraints.has_preferences());
                class.changed = generation;
                changed = true;
            }
        }
        changed
    }

    /// Makes room for rows without a node.
    pub(crate) fn grow(&mut self, rows: usize) {
        self.rows = rows;
        for entry in self.by_id.values_mut() {
            Arc::make_mut(&mut entry.class).grow(rows);
        }
    }

    /// Empties the table and hands out what was in it: the constraints by class. The rows stay, and no id comes again.
    pub(crate) fn clear(&mut self) -> HashMap<u32, Arc<Constraints>> {
        self.id_by_constraints.clear();
        std::mem::take(&mut self.by_id).into_iter().map(|(id, entry)| (id, entry.constraints)).collect()
    }

    /// The classes by ascending id.
    pub(crate) fn list(&self) -> Vec<Arc<DomainClass>> {
        self.by_id.values().map(|entry| Arc::clone(&entry.class)).collect()
    }

    fn compile<'a>(
        &self,
        id: u32,
        constraints: &Constraints,
        sites: impl Iterator<Item = Option<Site<'a>>>,
        dictionary: &Dictionary,
        generation: u64,
    ) -> DomainClass {
        let picky = constraints.has_preferences();
        let mut class = DomainClass { changed: generation, ..DomainClass::empty(id, self.rows) };
        let mut preference = Vec::with_capacity(self.rows);
        for (row, site) in sites.enumerate() {
            let standing = constraints.judge(site, dictionary);
            set_bit(&mut class.possible, row, standing.possible);
            set_bit(&mut class.permitted, row, standing.permitted);
            preference.push(standing.preference);
        }
        if picky || preference.iter().any(|preference| *preference < 1.0) {
            class.preference = preference;
        }
        class
    }

    /// Drops the quarter used least recently if the table is full. In batches, because whoever holds the classes has to
    /// be told to drop them too, by a whole push. A class that pods wait with stays while another can go: nobody could
    /// tell any more where those pods may run.
    fn make_room(&mut self, in_use: impl FnOnce() -> HashSet<u32>) -> bool {
        if self.by_id.len() < self.capacity {
            return false;
        }
        let in_use = in_use();
        let entries = self.by_id.iter();
        let mut by_use: Vec<(bool, u64, u32)> =
            entries.map(|(id, entry)| (in_use.contains(id), entry.last_use, *id)).collect();
        by_use.sort_unstable();
        let idle = by_use.partition_point(|(is_in_use, ..)| !is_in_use);
        let able = if idle > 0 { idle } else { by_use.len() };
        for (.., id) in by_use.iter().take(self.capacity.div_ceil(4).min(able)) {
            if let Some(entry) = self.by_id.remove(id) {
                self.id_by_constraints.remove(&entry.constraints);
            }
        }
        true
    }
}
