//! Usage series on a regular grid, and read-only views of their past.
//!
//! Promises: a grid cell is a measured or carried value, or a gap; a zero is a value. A view ends at a step and shows
//! nothing later. Must not know: where samples come from, or what is forecast from them.

mod cleaning;
mod counter;
mod grid;
mod window;

use std::fmt;
use std::sync::Arc;

pub use cleaning::{Cleaning, OUTLIER_DEVIATIONS};
pub use counter::rates;
pub use grid::{CAPACITY_TOLERANCE, CARRIED_STEPS, Dropped, Sample};
pub use window::{LAGS, windows};

/// What a series measures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesName {
    /// Whose usage it is, as the source names it: a node, a workload, a machine.
    pub subject: String,
    /// What is used: `cpu`, `memory`, `disk_io`, …; one model is trained for each.
    pub resource: String,
}

impl SeriesName {
    /// The name of a subject's resource.
    #[must_use]
    pub fn new(subject: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { subject: subject.into(), resource: resource.into() }
    }
}

impl fmt::Display for SeriesName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.subject, self.resource)
    }
}

/// A series on a grid: cell k covers the samples in (`start` + (k − 1)·`step`, `start` + k·`step`].
#[derive(Clone, Debug, PartialEq)]
pub struct TimeSeries {
    /// Shared with whoever keeps something about the series: there are tens of thousands.
    name: Arc<SeriesName>,
    start: i64,
    step: u32,
    capacity: f32,
    /// NaN stands for a gap; a sample that is no number never gets here.
    values: Vec<f32>,
    /// How many cells at the end repeat the last measured one.
    carried: usize,
}

impl TimeSeries {
    /// The series' name.
    #[must_use]
    pub fn name(&self) -> &SeriesName {
        &self.name
    }

    /// The greatest possible value; infinite if unknown.
    #[must_use]
    pub const fn capacity(&self) -> f32 {
        self.capacity
    }

    /// Number of cells, gaps included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no cell.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// A copy of a view, for a caller that changes cells.
    pub(crate) fn from_history(history: History<'_>) -> Self {
        let History { name, start, step, capacity, values } = history;
        Self { name: Arc::clone(name), start, step, capacity, values: values.to_vec(), carried: 0 }
    }

    /// Removes outliers; says how many.
    pub(crate) fn clean(&mut self, cleaning: Cleaning) -> usize {
        cleaning.apply(&mut self.values)
    }

    /// Everything up to the newest cell.
    #[must_use]
    pub fn history(&self) -> History<'_> {
        self.until(self.len())
    }

    /// The first `cells` cells, as they were known when the last of them closed.
    #[must_use]
    pub fn until(&self, cells: usize) -> History<'_> {
        let values = &self.values[..cells.min(self.len())];
        History { name: &self.name, start: self.start, step: self.step, capacity: self.capacity, values }
    }
}

/// A series' past, as a model may see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct History<'a> {
    name: &'a Arc<SeriesName>,
    start: i64,
    step: u32,
    capacity: f32,
    values: &'a [f32],
}

impl<'a> History<'a> {
    /// The series' name.
    #[must_use]
    pub fn name(self) -> &'a SeriesName {
        self.name
    }

    /// The series' name, to keep.
    pub(crate) fn shared_name(self) -> Arc<SeriesName> {
        Arc::clone(self.name)
    }

    /// Unix time in seconds at which the newest cell closed; the start if there is none.
    #[must_use]
    pub const fn data_until(self) -> i64 {
        self.start + self.step as i64 * (self.values.len() as i64 - 1)
    }

    /// The grid's step in seconds.
    #[must_use]
    pub const fn step(self) -> u32 {
        self.step
    }

    /// The greatest possible value; infinite if unknown.
    #[must_use]
    pub const fn capacity(self) -> f32 {
        self.capacity
    }

    /// The cells, oldest first; NaN is a gap.
    #[must_use]
    pub const fn cells(self) -> &'a [f32] {
        self.values
    }

    /// The newest value; none if the newest cell is a gap.
    #[must_use]
    pub fn last(self) -> Option<f32> {
        self.values.last().copied().filter(|value| !value.is_nan())
    }

    /// The newest [`LAGS`] values; none if fewer are known or one is a gap.
    #[must_use]
    pub fn window(self) -> Option<&'a [f32]> {
        let window = &self.values[self.values.len().checked_sub(LAGS)?..];
        window.iter().all(|value| !value.is_nan()).then_some(window)
    }

    /// The newest cells that a span of time holds, at least one cell.
    #[must_use]
    pub fn recent(self, span: std::time::Duration) -> Self {
        let cells = (span.as_secs() / u64::from(self.step)).max(1) as usize;
        self.from(self.values.len().saturating_sub(cells))
    }

    /// Without the newest `cells` cells.
    #[must_use]
    pub fn before(self, cells: usize) -> Self {
        Self { values: &self.values[..self.values.len().saturating_sub(cells)], ..self }
    }

    /// Without the oldest `cells` cells.
    #[must_use]
    pub fn from(self, cells: usize) -> Self {
        let cells = cells.min(self.values.len());
        Self { start: self.start + i64::from(self.step) * cells as i64, values: &self.values[cells..], ..self }
    }
}
