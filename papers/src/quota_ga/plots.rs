//! The plots of T000.
//!
//! Promises: one plot a question. Must not know: how the figures came about.

use super::Trade;
use super::loads::Comparison;
use super::replay::{Load, Measured, Moment};
use super::tuning::{Run, bound};
use crate::report::{Plot, Series};

pub(super) fn all(means: &Run, comparisons: &[Comparison; 3], trades: &[Trade; 3]) -> Vec<Plot> {
    let [high, burst, _] = comparisons;
    let files = ["quota-trade-high", "quota-trade-burst", "quota-trade-low"];
    let mut plots = vec![
        convergence(means),
        response("quota-response-high", high),
        utilisation("quota-utilisation-high", high),
        response("quota-response-burst", burst),
        utilisation("quota-utilisation-burst", burst),
    ];
    plots.extend(files.into_iter().zip(trades).map(|(file, trade)| traded(file, trade)));
    plots
}

fn convergence(means: &Run) -> Plot {
    let by_generation = |of: &dyn Fn(&(f64, f64)) -> f64| -> Vec<(f64, f64)> {
        means.curve.iter().enumerate().map(|(generation, point)| (generation as f64, of(point))).collect()
    };
    Plot {
        file: "quota-convergence",
        title: "Quotas of eight pods: fitness, mean of 20 seeds".into(),
        x: "generation",
        y: "fitness F",
        series: vec![
            Series::line("limit F*", by_generation(&|_| bound().fitness)),
            Series::line("best", by_generation(&|point| point.1)),
            Series::line("mean", by_generation(&|point| point.0)),
        ],
    }
}

/// The course of one figure under a load, by the three methods of most interest.
fn course(comparison: &Comparison, of: &dyn Fn(&Moment) -> f64) -> Vec<Series> {
    let series = |name: &str, run: &Measured| {
        let point = |(index, moment): (usize, &Moment)| ((index as f64 + 0.5) / 4.0, of(moment));
        Series::line(name, run.moments.iter().enumerate().map(point).collect())
    };
    vec![
        series("reactive", &Measured::mean(&comparison.reactive)),
        series("forecast + GA", &Measured::mean(&comparison.genetic)),
        series("forecast + division, u* = 0.7", &comparison.roomy),
    ]
}

fn response(file: &'static str, comparison: &Comparison) -> Plot {
    Plot {
        file,
        title: format!("Response under the {} load", comparison.load.name()),
        x: "minutes",
        y: "response, ms",
        series: course(comparison, &|moment| moment.response),
    }
}

fn utilisation(file: &'static str, comparison: &Comparison) -> Plot {
    Plot {
        file,
        title: format!("Cpu utilisation under the {} load", comparison.load.name()),
        x: "minutes",
        y: "used / quota, %",
        series: course(comparison, &|moment| moment.utilisation),
    }
}

fn traded(file: &'static str, trade: &Trade) -> Plot {
    let Trade { load, reactive, division } = trade;
    // Past 80 % the reactive scaler's responses are seconds long in high and burst, and would flatten everything else.
    let (shown, cut) =
        if *load == Load::Low { (reactive.len(), "") } else { (reactive.len() - 1, " (reactive: to 80 %)") };
    Plot {
        file,
        title: format!("Response over utilisation, {} load, targets 50 to 90 %{cut}", load.name()),
        x: "cpu utilisation, %",
        y: "response, ms",
        series: vec![
            Series::points("reactive", reactive[..shown].to_vec()),
            Series::points("forecast + division", division.clone()),
        ],
    }
}
