//! Who is there already: the pods with a node, those of equal ties together.

use std::collections::HashMap;
use std::sync::Arc;

use crate::residents::Residents;
use crate::ties::Ties;

/// Pods of equal ties, and where they are.
pub(super) struct Crowd<'a> {
    pub(super) ties: &'a Ties,
    /// Rows with the number of pods, and how many of those stay; ascending.
    pub(super) rows: Vec<(u32, u32, u32)>,
}

/// All pods that have a node.
pub(super) struct Census<'a> {
    pub(super) crowds: Vec<Crowd<'a>>,
}

impl<'a> Census<'a> {
    pub(super) fn take(residents: &'a Residents) -> Self {
        let mut crowd_by_ties: HashMap<*const Ties, usize> = HashMap::new();
        let mut crowds: Vec<Crowd<'a>> = Vec::new();
        for (row, residents) in (0..).zip(residents.rows()) {
            for resident in residents {
                let crowd = *crowd_by_ties.entry(Arc::as_ptr(&resident.ties)).or_insert_with(|| {
                    crowds.push(Crowd { ties: &resident.ties, rows: Vec::new() });
                    crowds.len() - 1
                });
                crowds[crowd].count(row, u32::from(!resident.deleting));
            }
        }
        Self { crowds }
    }

    /// The crowds that someone means.
    pub(super) fn meant(&self, means: impl Fn(&Ties) -> bool) -> impl Iterator<Item = &Crowd<'a>> {
        self.crowds.iter().filter(move |crowd| means(crowd.ties))
    }
}

impl Crowd<'_> {
    fn count(&mut self, row: u32, stays: u32) {
        match self.rows.last_mut() {
            Some((last, all, staying)) if *last == row => {
                *all += 1;
                *staying += stays;
            }
            _ => self.rows.push((row, 1, stays)),
        }
    }
}
