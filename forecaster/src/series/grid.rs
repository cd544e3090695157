//! From samples to the grid: means of cells, short carries, explicit gaps.
//!
//! Promises: causal: a cell depends on samples up to its closing time only, so appending later samples changes no cell
//! that exists. Must not know: models.

use std::sync::Arc;

use super::{SeriesName, TimeSeries};

/// How many empty cells in a row repeat the last measured value: a scrape may fail, and some sources report every
/// 60 to 100 seconds. More would show a dead node as a steady one.
pub const CARRIED_STEPS: usize = 2;

/// By what factor a value may exceed the capacity before it is impossible: rates are estimated over a window.
pub const CAPACITY_TOLERANCE: f64 = 1.05;

/// A measured value at a Unix time in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Unix time in seconds.
    pub at: i64,
    /// The value, in the resource's unit.
    pub value: f64,
}

/// How many samples were impossible, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// NaN or infinite.
    pub not_finite: usize,
    /// Below zero.
    pub negative: usize,
    /// More than [`CAPACITY_TOLERANCE`] times the capacity.
    pub above_capacity: usize,
}

impl Dropped {
    /// All of them.
    #[must_use]
    pub const fn total(self) -> usize {
        self.not_finite + self.negative + self.above_capacity
    }

    /// Whether the value is possible; counts it if not.
    fn accepts(&mut self, value: f64, capacity: f64) -> bool {
        let count = if !value.is_finite() {
            &mut self.not_finite
        } else if value < 0.0 {
            &mut self.negative
        } else if value > capacity * CAPACITY_TOLERANCE {
            &mut self.above_capacity
        } else {
            return true;
        };
        *count += 1;
        false
    }
}

/// Room for cells to come, so that not every one of them moves the others.
const SPARE_CELLS: usize = 15;

impl TimeSeries {
    /// A series without cells whose first cell closes at `start`. A capacity that is no positive number counts as
    /// unknown; a step of 0 counts as 1 second.
    #[must_use]
    pub fn new(name: SeriesName, start: i64, step: u32, capacity: f64) -> Self {
        let capacity = if capacity > 0.0 { capacity as f32 } else { f32::INFINITY };
        Self { name: Arc::new(name), start, step: step.max(1), capacity, values: Vec::new(), carried: 0 }
    }

    /// The grid of samples in any order, from the first of them to `until`.
    #[must_use]
    pub fn resample(name: SeriesName, samples: &[Sample], step: u32, capacity: f64, until: i64) -> (Self, Dropped) {
        let mut series = Self::starting(name, samples, step, capacity, until);
        let dropped = series.append(samples, until);
        (series, dropped)
    }

    /// A series without cells that starts with the first of some samples, at `until` if there is none.
    #[must_use]
    pub fn starting(name: SeriesName, samples: &[Sample], step: u32, capacity: f64, until: i64) -> Self {
        let (step, first) = (step.max(1), samples.iter().map(|sample| sample.at).min().unwrap_or(until));
        let start = first.div_euclid(step.into()) * i64::from(step);
        let start = if start < first { start + i64::from(step) } else { start };
        Self::new(name, start, step, capacity)
    }

    /// Makes room for so many cells, and some to come.
    pub fn make_room(&mut self, cells: usize) {
        self.values.reserve_exact((cells + SPARE_CELLS).saturating_sub(self.values.len()));
    }

    /// Unix time in seconds at which the next cell closes.
    #[must_use]
    pub fn next_close(&self) -> i64 {
        self.start + self.values.len() as i64 * i64::from(self.step)
    }

    /// Closes every cell up to `until` with the samples given, in any order. Samples for cells that are closed already
    /// are ignored, those after the last full cell too: they belong to the next call.
    pub fn append(&mut self, samples: &[Sample], until: i64) -> Dropped {
        let cells = (until - self.next_close()).div_euclid(self.step.into()) + 1;
        let mut dropped = Dropped::default();
        if cells <= 0 {
            return dropped;
        }
        let mut sums = vec![(0.0_f64, 0_u32); cells as usize];
        for sample in samples {
            let Some(cell) = self.cell(sample.at).and_then(|cell| sums.get_mut(cell)) else { continue };
            if dropped.accepts(sample.value, self.capacity.into()) {
                *cell = (cell.0 + sample.value, cell.1 + 1);
            }
        }
        if self.values.capacity() - self.values.len() < sums.len() {
            // Twice the room, as a list takes by itself, would be most of what a large cluster's history needs.
            self.values.reserve_exact(sums.len() + SPARE_CELLS);
        }
        for (sum, count) in sums {
            self.close((count > 0).then(|| (sum / f64::from(count)) as f32));
        }
        dropped
    }

    /// Which of the open cells a time belongs to, counted from the next to close.
    fn cell(&self, at: i64) -> Option<usize> {
        let (step, late) = (i64::from(self.step), at - (self.next_close() - i64::from(self.step)));
        usize::try_from((late + step - 1).div_euclid(step) - 1).ok()
    }

    fn close(&mut self, measured: Option<f32>) {
        let carry = self.values.last().copied().filter(|_| self.carried < CARRIED_STEPS).unwrap_or(f32::NAN);
        self.carried = if measured.is_some() { 0 } else { self.carried + 1 };
        self.values.push(measured.unwrap_or(carry));
    }

    /// Forgets the oldest cells beyond the newest `cells`.
    pub fn keep(&mut self, cells: usize) {
        let old = self.values.len().saturating_sub(cells);
        self.values.drain(..old);
        let room = cells.saturating_add(SPARE_CELLS);
        if self.values.capacity() / 2 > room {
            self.values.shrink_to(room);
        }
        self.start += old as i64 * i64::from(self.step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid(samples: &[(i64, f64)], capacity: f64, until: i64) -> (TimeSeries, Dropped) {
        let samples: Vec<Sample> = samples.iter().map(|&(at, value)| Sample { at, value }).collect();
        TimeSeries::resample(SeriesName::new("n", "cpu"), &samples, 60, capacity, until)
    }

    /// Gaps as −1, which no cell can be.
    fn cells(series: &TimeSeries) -> Vec<f32> {
        series.history().cells().iter().map(|value| if value.is_nan() { -1.0 } else { *value }).collect()
    }

    #[test]
    fn two_samples_of_a_minute_are_averaged_and_belong_to_the_minute_that_they_close() {
        let (series, _) = grid(&[(30, 1.0), (60, 3.0), (90, 5.0), (120, 9.0)], 100.0, 120);
        assert_eq!(cells(&series), [2.0, 7.0]);
        assert_eq!(series.history().data_until(), 120);
    }

    #[test]
    fn a_value_is_carried_for_two_steps_and_then_there_is_a_gap() {
        let (series, _) = grid(&[(60, 4.0), (360, 0.0)], 100.0, 360);
        assert_eq!(cells(&series), [4.0, 4.0, 4.0, -1.0, -1.0, 0.0]);
    }

    #[test]
    fn the_newest_cell_is_a_gap_when_nothing_was_heard_for_long() {
        let (series, _) = grid(&[(60, 4.0)], 100.0, 300);
        assert_eq!(series.history().last(), None);
        assert_eq!(series.until(2).last(), Some(4.0));
    }

    #[test]
    fn impossible_values_are_dropped_and_counted_and_zero_is_kept() {
        let impossible = [(60, f64::NAN), (60, f64::INFINITY), (60, -0.1), (60, 105.1), (60, 0.0), (120, 104.9)];
        let (series, dropped) = grid(&impossible, 100.0, 120);
        assert_eq!(dropped, Dropped { not_finite: 2, negative: 1, above_capacity: 1 });
        assert_eq!((cells(&series), dropped.total()), (vec![0.0, 104.9], 4));
    }

    #[test]
    fn an_unknown_capacity_bounds_nothing() {
        let (series, dropped) = grid(&[(60, 1e9)], f64::NAN, 60);
        assert_eq!((cells(&series), dropped.total()), (vec![1e9], 0));
    }

    #[test]
    fn keeping_the_newest_cells_moves_the_start() {
        let (mut series, _) = grid(&[(60, 1.0), (120, 2.0), (180, 3.0)], 100.0, 180);
        series.keep(2);
        assert_eq!((cells(&series), series.history().data_until(), series.next_close()), (vec![2.0, 3.0], 180, 240));
    }

    #[test]
    fn room_for_a_whole_past_is_made_once() {
        let mut series = TimeSeries::starting(SeriesName::new("n", "cpu"), &[], 60, 1.0, 60);
        series.make_room(100);
        let room = series.values.capacity();
        for minute in 1..=300 {
            series.append(&[Sample { at: 60 * minute, value: 0.5 }], 60 * minute);
            series.keep(100);
            assert_eq!((series.values.capacity(), series.len()), (room, 100.min(minute as usize)));
        }
    }

    proptest! {
        #[test]
        fn appending_in_parts_gives_the_same_cells_as_at_once(
            samples in prop::collection::vec((1_i64..2_000, 0.0..100.0_f64), 1..60), cut in 0_i64..2_000,
        ) {
            let (whole, _) = grid(&samples, 100.0, 2_000);
            let (mut parts, _) = grid(&samples, 100.0, cut.max(samples.iter().map(|s| s.0).min().unwrap()));
            let all: Vec<Sample> = samples.iter().map(|&(at, value)| Sample { at, value }).collect();
            parts.append(&all, 2_000);
            prop_assert_eq!(cells(&whole), cells(&parts));
        }
    }
}
