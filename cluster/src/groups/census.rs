//! Who is there already: the pods with a node, those of equal ties together.

use std::collections::HashMap;
use std::sync::Arc;

use crate::pod::PodRow;
use crate::residents::{Resident, Residents};
use crate::ties::Ties;

/// Pods of equal ties, and where they are.
pub(super) struct Crowd<'a> {
    pub(super) ties: &'a Ties,
    /// Rows with the number of pods, and how many of those stay; a row may come more than once.
    pub(super) rows: Vec<(u32, u32, u32)>,
}

/// All pods that have a node, or are promised one.
pub(super) struct Census<'a> {
    pub(super) crowds: Vec<Crowd<'a>>,
}

impl<'a> Census<'a> {
    pub(super) fn take(residents: &'a Residents, promised: &'a [(u32, Arc<PodRow>)]) -> Self {
        let mut crowd_by_ties: HashMap<*const Ties, usize> = HashMap::new();
        let mut crowds: Vec<Crowd<'a>> = Vec::new();
        let on_row = |(row, residents): (u32, &'a [Resident])| {
            residents.iter().map(move |resident| (row, &resident.ties, !resident.deleting))
        };
        let here = (0..).zip(residents.rows()).flat_map(on_row);
        let coming = promised.iter().map(|(row, pod)| (*row, &pod.ties, true));
        for (row, ties, stays) in here.chain(coming) {
            let crowd = *crowd_by_ties.entry(Arc::as_ptr(ties)).or_insert_with(|| {
                crowds.push(Crowd { ties, rows: Vec::new() });
                crowds.len() - 1
            });
            crowds[crowd].count(row, u32::from(stays));
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
