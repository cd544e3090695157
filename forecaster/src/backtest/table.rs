//! The backtest's table, as text.
//!
//! Promises: says where the models lose. Must not know: how results came about.

use std::fmt;

use super::{Backtest, SeriesResult};
use crate::ModelKind;

/// The greatest loss over the last value's that still counts as no loss.
const TOLERATED: f32 = 1.1;

/// A backtest as a table: the p90 pinball loss of each model over that of the last value.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(pub &'a Backtest);

impl SeriesResult {
    /// A model's p90 pinball loss over the last value's; none for a series that never changes.
    #[must_use]
    pub fn ratio(&self, model: ModelKind) -> Option<f32> {
        self.over_last_value(self.scores[model as usize].pinball90)
    }

    /// The served p90 pinball loss over the last value's; none for a series that never changes.
    #[must_use]
    pub fn served_ratio(&self) -> Option<f32> {
        self.over_last_value(self.served.pinball90)
    }

    fn over_last_value(&self, loss: f32) -> Option<f32> {
        (self.last_value.pinball90 > 0.0).then(|| loss / self.last_value.pinball90)
    }
}

impl Backtest {
    /// The geometric mean over the series that change; none if there is none.
    #[must_use]
    pub fn geometric_mean(&self, ratio: impl Fn(&SeriesResult) -> Option<f32>) -> Option<f32> {
        let logs: Vec<f64> = self.series.iter().filter_map(ratio).map(|ratio| f64::from(ratio).ln()).collect();
        (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp() as f32)
    }

    /// Mean share of truths at or below the served p90.
    #[must_use]
    pub fn coverage90(&self) -> f32 {
        self.series.iter().map(|series| series.served.coverage90).sum::<f32>() / self.series.len().max(1) as f32
    }

    /// The series on which what was served lost more than a tenth against the last value.
    pub fn losing(&self) -> impl Iterator<Item = &SeriesResult> {
        self.series.iter().filter(|series| series.served_ratio().is_some_and(|ratio| ratio > TOLERATED))
    }
}

/// A ratio, or a dash.
struct Ratio(Option<f32>);

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(ratio) => f.pad(&format!("{ratio:.3}")),
            None => f.pad("-"),
        }
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(backtest) = self;
        let names = backtest.series.iter().map(|series| series.name.to_string().len());
        let width = names.max().unwrap_or(0).max("geometric mean".len());
        writeln!(f, "p90 pinball loss over that of the last value; served: what the selection chose")?;
        write!(f, "{:width$} {:>6}", "series", "steps")?;
        ModelKind::ALL.iter().try_for_each(|model| write!(f, " {:>9}", model.name()))?;
        writeln!(f, " {:>7} {:>8} {:>6} {:>9}", "served", "coverage", "MASE", "mostly")?;
        for series in &backtest.series {
            row(f, series, width)?;
        }
        write!(f, "{:width$} {:>6}", "geometric mean", "")?;
        for model in ModelKind::ALL {
            write!(f, " {:>9}", Ratio(backtest.geometric_mean(|series| series.ratio(model))))?;
        }
        let mase = backtest.geometric_mean(|series| Some(series.served.mase).filter(|mase| *mase > 0.0));
        let served = Ratio(backtest.geometric_mean(SeriesResult::served_ratio));
        writeln!(f, " {served:>7} {:>8.3} {:>6}", backtest.coverage90(), Ratio(mase))?;
        let losing: Vec<String> = backtest.losing().map(|series| series.name.to_string()).collect();
        let losing = if losing.is_empty() { "none".to_owned() } else { losing.join(", ") };
        write!(f, "more than a tenth worse than the last value: {losing}")
    }
}

fn row(f: &mut fmt::Formatter<'_>, series: &SeriesResult, width: usize) -> fmt::Result {
    write!(f, "{:width$} {:>6}", series.name.to_string(), series.served.steps)?;
    for model in ModelKind::ALL {
        write!(f, " {:>9}", Ratio(series.ratio(model)))?;
    }
    let shares = ModelKind::ALL.into_iter().zip(series.shares);
    let mostly = shares.max_by(|one, two| one.1.total_cmp(&two.1)).map_or("-", |(model, _)| model.name());
    let (served, score) = (Ratio(series.served_ratio()), series.served);
    writeln!(f, " {served:>7} {:>8.3} {:>6.3} {mostly:>9}", score.coverage90, score.mase)
}
