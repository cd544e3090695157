//! What the items ask for, as counts to compare with room, and what they use, as amounts to compute loads with.
//!
//! Promises: both are whole numbers, and the same ones unless told otherwise. After the last item comes *nobody*, who asks for nothing: moving an item is
//! exchanging it with nobody, so that there is one kind of move. Must not know: nodes.

use super::nodes::{LANES, groups, padded};

/// One group of resources.
pub(super) type Counts = [i64; LANES];
/// The same in floating point, exactly.
pub(super) type Amounts = [f64; LANES];

/// The requests and uses of all items, row-major, filled up to whole groups of resources.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    width: usize,
    counts: Vec<i64>,
    amounts: Vec<f64>,
    is_separate: bool,
}

/// The request of one item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) counts: &'a [i64],
    pub(super) amounts: &'a [f64],
}

impl Requests {
    /// From a row-major matrix; parts of a unit count whole.
    pub(super) fn new(matrix: &[f64], resources: usize) -> Self {
        let width = resources.next_multiple_of(LANES);
        let mut amounts = padded(matrix, resources);
        amounts.resize(amounts.len() + width, 0.0);
        for amount in &mut amounts {
            *amount = amount.ceil();
        }
        Self { width, counts: amounts.iter().map(|&amount| amount as i64).collect(), amounts, is_separate: false }
    }

    /// The same requests with the uses of the given items in another matrix.
    pub(super) fn with_uses(self, matrix: &[f64], resources: usize, items: &[u32]) -> Self {
        let Self { amounts, .. } = Self::new(matrix, resources).select(items);
        Self { amounts, is_separate: true, ..self }
    }

    /// The same, whose loads are not what is taken of the rows.
    pub(super) fn apart(self) -> Self {
        Self { is_separate: true, ..self }
    }

    /// Whether a row's load is something else than what is taken of it.
    pub(super) const fn is_separate(&self) -> bool {
        self.is_separate
    }

    /// Those of the given items only.
    pub(super) fn select(&self, items: &[u32]) -> Self {
        let places = items.iter().map(|&item| item as usize).chain([self.nobody()]);
        let (mut counts, mut amounts) = (Vec::new(), Vec::new());
        for request in places.map(|item| self.of(item)) {
            counts.extend_from_slice(request.counts);
            amounts.extend_from_slice(request.amounts);
        }
        Self { width: self.width, counts, amounts, is_separate: self.is_separate }
    }

    #[inline]
    pub(super) fn of(&self, item: usize) -> Request<'_> {
        let first = item * self.width;
        Request { counts: &self.counts[first..][..self.width], amounts: &self.amounts[first..][..self.width] }
    }

    /// The uses of all items, nobody's included.
    pub(super) fn amounts(&self) -> &[f64] {
        &self.amounts
    }

    /// The counts of all items, nobody's included.
    pub(super) fn counts(&self) -> &[i64] {
        &self.counts
    }

    pub(super) fn nobody(&self) -> usize {
        self.counts.len() / self.width - 1
    }
}

/// What goes from one row to another: a request, and another one back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shift<'a> {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) out: Request<'a>,
    pub(super) back: Request<'a>,
}

impl Shift<'_> {
    /// What `to` gains in all, group by group; never more than 2^53 either way.
    #[inline]
    pub(super) fn counts(&self) -> impl Iterator<Item = Counts> {
        groups(self.out.counts)
            .iter()
            .zip(groups(self.back.counts))
            .map(|(out, back)| std::array::from_fn(|lane| out[lane].wrapping_sub(back[lane])))
    }

    /// What `to` gains of load.
    #[inline]
    pub(super) fn amounts(&self) -> impl Iterator<Item = Amounts> {
        groups(self.out.amounts)
            .iter()
            .zip(groups(self.back.amounts))
            .map(|(out, back)| std::array::from_fn(|lane| out[lane] - back[lane]))
    }
}
