//! Made-up clusters to ask a plugin about: of any size, always the same.

use gantry_host::types::{DomainClass, Pod};

use crate::columns::{Columns, NOT_PLANNED, PodColumns};

/// Columns of a made-up cluster: Gantry's default resources, and a label behind them.
const COLUMNS: usize = 5;
/// Which of them is the label.
const LABEL: usize = 4;
/// What a node offers, at least; twice as much at most.
const OFFERED: [f64; COLUMNS] = [8_000.0, 34_359_738_368.0, 1_000.0, 1_000.0, 50.0];
/// Part of the least node that a pod asks for.
const ASKED: f64 = 0.05;

/// A class of pods that may run on every node.
pub(super) const EVERYWHERE: u32 = 0;
/// A class of pods that may run on every other node.
pub(super) const EVERY_OTHER: u32 = 1;
/// A class of pods that may run on every third node, which comes with a change.
pub(super) const EVERY_THIRD: u32 = 2;
/// A class that nobody was told of.
pub(super) const UNKNOWN: u32 = 999_999;

/// A made-up cluster.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    generation: u64,
    rows: usize,
    allocatable: Vec<f64>,
    requested: Vec<f64>,
    weights: Vec<f64>,
    all: Vec<u64>,
    other: Vec<u64>,
    third: Option<Vec<u64>>,
    since: Option<(u64, Vec<u32>)>,
}

impl Sample {
    /// `rows` nodes of different sizes, each up to half full.
    pub(super) fn new(rows: usize) -> Self {
        let cells = rows * COLUMNS;
        // The fractional parts of multiples of the golden ratio: as even as chance, and the same everywhere.
        let share = |cell: usize, salt: f64| ((cell as f64 + salt) * 0.618_033_988_749_894_9).fract();
        let allocatable: Vec<f64> =
            (0..cells).map(|cell| (OFFERED[cell % COLUMNS] * (1.0 + share(cell / COLUMNS, 0.0))).floor()).collect();
        let is_label = |cell: usize| cell % COLUMNS == LABEL;
        let asked = |cell: usize, all: f64| if is_label(cell) { 0.0 } else { (all * share(cell, 0.5) / 2.0).floor() };
        let requested = allocatable.iter().enumerate().map(|(cell, all)| asked(cell, *all));
        Self {
            generation: rows as u64 * 2 + 1,
            rows,
            requested: requested.collect(),
            weights: (0..cells).map(|cell| f64::from(!is_label(cell))).collect(),
            all: words(rows, |_| true),
            other: words(rows, |row| row % 2 == 0),
            third: None,
            since: None,
            allocatable,
        }
    }

    /// The same cluster after everything that a change may tell of has changed: a pod came to one node, that and the last
    /// one offer more and have another label, the last one is as it was not for a class, and a class is new. It takes two
    /// nodes at least.
    pub(super) fn changed(&self) -> Self {
        let (row, last) = (self.rows / 2, self.rows - 1);
        let mut next = Self { generation: self.generation + 1, ..self.clone() };
        for (resource, amount) in Self::request().into_iter().enumerate() {
            next.requested[row * COLUMNS + resource] += amount;
        }
        for (row, factor) in [(row, 2.0), (last, 3.0)] {
            next.allocatable[row * COLUMNS..][..COLUMNS].iter_mut().for_each(|offered| *offered *= factor);
        }
        next.other[last / 64] ^= 1 << (last % 64);
        next.third = Some(words(self.rows, |row| row % 3 == 0));
        next.since = Some((self.generation, vec![row as u32, last as u32]));
        next
    }

    /// The same cluster, without saying what changed.
    pub(super) fn whole(&self) -> Self {
        Self { since: None, ..self.clone() }
    }

    /// The number of nodes.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// What a pod asks for.
    pub(super) fn request() -> Vec<f64> {
        let mut request: Vec<f64> = OFFERED.iter().map(|offered| (offered * ASKED).floor()).collect();
        request[LABEL] = 0.0;
        request
    }

    /// A pod of a class.
    pub(super) fn pod(class: u32, request: &[f64]) -> Pod<'_> {
        Pod { class, request, estimate: &[], planned_row: NOT_PLANNED }
    }

    /// Two pods for each node, of either class in turn.
    pub(super) fn pods(&self) -> PodColumns {
        let mut pods = PodColumns::default();
        for pod in 0..2 * self.rows {
            pods.push(if pod % 3 == 0 { EVERY_OTHER } else { EVERYWHERE }, &Self::request());
        }
        pods
    }

    /// What is wrong with an assignment of [`Sample::pods`], if anything.
    pub(super) fn fault(&self, rows: &[i32]) -> Option<String> {
        let mut requested = self.requested.clone();
        for (pod, row) in rows.iter().enumerate() {
            let Ok(row) = usize::try_from(*row) else { continue };
            if pod % 3 == 0 && row % 2 != 0 {
                return Some(format!("pod {pod} is planned for row {row}, which its domain class forbids"));
            }
            for (resource, amount) in Self::request().into_iter().enumerate() {
                requested[row * COLUMNS + resource] += amount;
            }
        }
        let is_over = |cell: &usize| requested[*cell] > self.allocatable[*cell];
        let cell = (0..requested.len()).find(is_over)?;
        Some(format!("row {} is planned to hold more of resource {} than it offers", cell / COLUMNS, cell % COLUMNS))
    }

    /// What a plugin is lent.
    pub(super) fn lend(&self) -> Columns<'_> {
        let class = |id: u32, possible| DomainClass { id, possible, permitted: &self.all, preference: &[] };
        let mut classes = vec![class(EVERYWHERE, &self.all[..]), class(EVERY_OTHER, &self.other[..])];
        classes.extend(self.third.iter().map(|third| class(EVERY_THIRD, &third[..])));
        Columns {
            generation: self.generation,
            rows: self.rows as u32,
            resources: COLUMNS as u32,
            allocatable: (&self.allocatable[..]).into(),
            requested: (&self.requested[..]).into(),
            weights: (&self.weights[..]).into(),
            classes,
            since: self.since.clone(),
            ..Columns::default()
        }
    }
}

/// The bitmap of the rows to keep.
fn words(rows: usize, keep: impl Fn(usize) -> bool) -> Vec<u64> {
    let mut words = vec![0; rows.div_ceil(64)];
    for row in (0..rows).filter(|row| keep(*row)) {
        words[row / 64] |= 1 << (row % 64);
    }
    words
}

#[cfg(test)]
mod tests {
    use gantry_host::SnapshotSource as _;

    use super::*;

    #[test]
    fn a_change_says_which_rows_changed_and_the_whole_does_not() {
        let before = Sample::new(5);
        let after = before.changed();
        assert_eq!(after.since, Some((before.generation, vec![2, 4])));
        let differing = before.requested.iter().zip(&after.requested).filter(|(one, other)| one != other);
        assert_eq!(differing.count(), COLUMNS - 1, "a label is not asked for");
        assert_eq!(after.whole().since, None);
        assert!(after.whole().lend().changes(before.generation).is_none());
    }

    /// What a plugin must take in to answer as one that is told the whole.
    #[test]
    fn a_change_tells_of_what_nodes_offer_of_their_labels_and_of_classes_old_and_new() {
        let (before, after) = (Sample::new(65), Sample::new(65).changed());
        let lent = after.lend();
        let changes = lent.changes(before.generation).unwrap();
        assert_eq!(changes.changed, [32, 64]);
        for (place, row) in [32, 64].into_iter().enumerate() {
            for column in 0..COLUMNS {
                let offered = changes.allocatable[place * COLUMNS + column];
                assert!(offered > before.allocatable[row * COLUMNS + column], "row {row}, column {column}");
            }
        }
        let classes = changes.classes.iter().map(|class| (class.id, class.possible)).collect::<Vec<_>>();
        let [everywhere, (EVERY_OTHER, other), (EVERY_THIRD, third)] = classes[..] else { panic!("{classes:?}") };
        assert_eq!(everywhere, (EVERYWHERE, &before.all[..]));
        assert_eq!((other[0], other[1]), (before.other[0], before.other[1] ^ 1), "one row goes");
        assert_eq!(third[0] & 0b1111, 0b1001);
    }

    #[test]
    fn an_assignment_to_a_forbidden_or_a_full_row_has_a_fault() {
        let sample = Sample::new(3);
        assert_eq!(sample.fault(&[0, 1, -1, 2, 1, 0]), None);
        assert!(sample.fault(&[1, -1, -1, -1, -1, -1]).unwrap().contains("forbids"));
        assert!(Sample::new(30).fault(&vec![0; 60]).unwrap().contains("more of resource"));
    }
}
