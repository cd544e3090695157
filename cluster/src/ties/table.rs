//! Equal ties, held once.

use std::collections::HashSet;
use std::sync::Arc;

use super::Ties;

/// Below this many it is not worth looking for those that nobody holds any more.
const FEW: usize = 1024;

/// All ties in use.
#[derive(Debug, Default)]
pub(crate) struct TiesTable {
    all: HashSet<Arc<Ties>>,
    /// Past this many those that nobody else holds are dropped; twice as many as were left then.
    sweep_at: usize,
}

impl TiesTable {
    /// The one that is held already, or this one from now on.
    pub(crate) fn intern(&mut self, ties: &Arc<Ties>) -> Arc<Ties> {
        if let Some(known) = self.all.get(ties) {
            return Arc::clone(known);
        }
        if self.all.len() >= self.sweep_at.max(FEW) {
            self.all.retain(|ties| Arc::strong_count(ties) > 1);
            self.sweep_at = 2 * self.all.len();
        }
        self.all.insert(Arc::clone(ties));
        Arc::clone(ties)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ties(namespace: String) -> Arc<Ties> {
        Arc::new(Ties { namespace, ..Ties::default() })
    }

    #[test]
    fn equal_ties_are_held_once() {
        let mut table = TiesTable::default();
        let first = table.intern(&ties("a".into()));
        assert!(Arc::ptr_eq(&first, &table.intern(&ties("a".into()))));
        assert!(!Arc::ptr_eq(&first, &table.intern(&ties("b".into()))));
    }

    #[test]
    fn what_nobody_holds_goes_and_what_somebody_holds_stays() {
        let mut table = TiesTable::default();
        let held = table.intern(&ties("held".into()));
        for number in 0..5 * FEW {
            table.intern(&ties(number.to_string()));
        }
        assert!(table.all.len() <= FEW);
        assert!(Arc::ptr_eq(&held, &table.intern(&ties("held".into()))));
    }
}
