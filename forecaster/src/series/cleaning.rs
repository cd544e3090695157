//! Outlier removal for training windows.
//!
//! Promises: only single samples between two good neighbours change. Runs are load, and the newest sample is never
//! touched: at serving time this cleaning would take a new, higher level for outliers and hold the forecast down for
//! good. Must not know: models.

/// How many standard deviations from the mean make an outlier, as the source has it.
pub const OUTLIER_DEVIATIONS: f64 = 3.0;

/// What happens to outliers in training windows. Forecasts always see raw values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cleaning {
    /// Nothing: of the samples that the rule finds, most are load and not noise.
    #[default]
    Off,
    /// Isolated samples more than [`OUTLIER_DEVIATIONS`] standard deviations from the mean are interpolated linearly.
    Zscore,
}

impl Cleaning {
    /// Cleans the cells of a series in place, NaN being gaps; says how many changed.
    pub fn apply(self, cells: &mut [f32]) -> usize {
        match self {
            Self::Off => 0,
            Self::Zscore => interpolate_outliers(cells),
        }
    }
}

fn interpolate_outliers(cells: &mut [f32]) -> usize {
    let Some((mean, deviation)) = moments(cells) else { return 0 };
    let is_good = |value: f32| (f64::from(value) - mean).abs() <= OUTLIER_DEVIATIONS * deviation;
    let is_outlier = |value: f32| !value.is_nan() && !is_good(value);
    let single: Vec<usize> = (1..cells.len().saturating_sub(1))
        .filter(|&k| is_good(cells[k - 1]) && is_outlier(cells[k]) && is_good(cells[k + 1]))
        .collect();
    for &k in &single {
        cells[k] = f32::midpoint(cells[k - 1], cells[k + 1]);
    }
    single.len()
}

/// Mean and standard deviation of the known cells; none if there is no spread.
fn moments(cells: &[f32]) -> Option<(f64, f64)> {
    let known = || cells.iter().filter(|value| !value.is_nan()).map(|value| f64::from(*value));
    let count = known().count().max(1) as f64;
    let mean = known().sum::<f64>() / count;
    let deviation = (known().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    (deviation > 0.0).then_some((mean, deviation))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy() -> Vec<f32> {
        (0..100).map(|k| 10.0 + (k % 3) as f32).collect()
    }

    #[test]
    fn a_single_outlier_becomes_the_mean_of_its_neighbours() {
        let mut cells = noisy();
        cells[50] = 90.0;
        assert_eq!(Cleaning::Zscore.apply(&mut cells), 1);
        assert_eq!(cells[50], f32::midpoint(cells[49], cells[51]));
    }

    #[test]
    fn a_run_an_end_and_a_neighbour_of_a_gap_stay() {
        let mut cells = noisy();
        (cells[20], cells[21]) = (90.0, 91.0);
        (cells[60], cells[61]) = (f32::NAN, 90.0);
        cells[99] = 90.0;
        let before = cells.clone();
        assert_eq!(Cleaning::Zscore.apply(&mut cells), 0);
        assert_eq!(format!("{cells:?}"), format!("{before:?}"));
    }

    #[test]
    fn cleaning_that_is_off_or_has_no_spread_changes_nothing() {
        let mut cells = noisy();
        cells[50] = 90.0;
        assert_eq!(Cleaning::Off.apply(&mut cells), 0);
        assert_eq!(Cleaning::Zscore.apply(&mut [5.0; 9]), 0);
        assert_eq!(Cleaning::Zscore.apply(&mut []), 0);
    }
}
