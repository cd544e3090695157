//! Tests of conformal quantiles: coverage, scaling, and series that are new.

use super::*;
use crate::models::{MaxOf10, Naive, RidgeAr10, unobserved};
use crate::rng::Rng;
use crate::{Sample, TimeSeries};

fn series(subject: &str, capacity: f64, values: impl IntoIterator<Item = f32>) -> TimeSeries {
    let samples: Vec<Sample> =
        values.into_iter().enumerate().map(|(k, value)| Sample { at: k as i64 * 60, value: value.into() }).collect();
    let until = samples.last().unwrap().at;
    TimeSeries::resample(SeriesName::new(subject, "cpu"), &samples, 60, capacity, until).0
}

fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| 50.0 + 10.0 * (rng.symmetric() + rng.symmetric())).collect()
}

fn coverage(model: &impl Model, series: &TimeSeries, from: usize) -> f64 {
    let covered = |k: usize| {
        let forecast = model.forecast(series.until(k)).unwrap();
        (0..HORIZONS).filter(|&h| series.history().cells()[k + h] <= forecast.p90(h)).count()
    };
    let steps = from..series.len() - HORIZONS;
    steps.clone().map(covered).sum::<usize>() as f64 / (steps.len() * HORIZONS) as f64
}

#[test]
fn the_quantiles_of_each_point_forecast_cover_what_they_promise() {
    let series = series("n", 100.0, noise(1, 6_000));
    let past = [series.until(4_000)];
    let (mut naive, mut peak, mut ridge) = (Naive::default(), MaxOf10::default(), RidgeAr10::default());
    naive.fit(&past, &mut unobserved).unwrap();
    peak.fit(&past, &mut unobserved).unwrap();
    ridge.fit(&past, &mut unobserved).unwrap();
    for coverage in
        [coverage(&naive, &series, 4_000), coverage(&peak, &series, 4_000), coverage(&ridge, &series, 4_000)]
    {
        assert!((0.87..0.93).contains(&coverage), "{coverage}");
    }
}

#[test]
fn a_new_series_gets_its_last_value_and_the_fleets_quantiles_at_its_level() {
    let old = series("old", f64::INFINITY, noise(1, 2_000));
    let mut naive = Naive::default();
    naive.fit(&[old.history()], &mut unobserved).unwrap();
    let new = series("new", f64::INFINITY, [500.0, 500.0]);
    let forecast = naive.forecast(new.history()).unwrap();
    let known = naive.forecast(series("old", f64::INFINITY, vec![50.0; 20]).history()).unwrap();
    let (new, known) = (forecast.p90(0) - 500.0, known.p90(0) - 50.0);
    assert!((new / known - 10.0).abs() < 0.5, "{new} {known}");
}

#[test]
fn a_series_that_a_model_never_saw_has_no_ridge_forecast() {
    let old = series("old", 100.0, noise(1, 2_000));
    let mut ridge = RidgeAr10::default();
    ridge.fit(&[old.history()], &mut unobserved).unwrap();
    assert!(ridge.forecast(series("new", 100.0, noise(2, 50)).history()).is_none());
    assert!(ridge.forecast(old.history()).is_some());
}

#[test]
fn nothing_is_forecast_after_a_gap_or_before_anything_was_learnt() {
    let series = series("n", 100.0, noise(1, 300));
    let mut naive = Naive::default();
    assert!(naive.forecast(series.history()).is_none());
    naive.fit(&[series.history()], &mut unobserved).unwrap();
    assert!(naive.forecast(series.history()).is_some());
    let mut silent = series.clone();
    silent.append(&[], series.next_close() + 600);
    assert!(naive.forecast(silent.history()).is_none());
}

#[test]
fn without_any_residual_nothing_is_learnt() {
    let error = Naive::default().fit(&[], &mut unobserved).unwrap_err();
    assert_eq!((error.reason(), error.to_string().contains("0 series")), ("no_window", true));
}

#[test]
fn a_forgotten_series_counts_as_new() {
    let series = series("n", 100.0, noise(1, 2_000));
    let mut ridge = RidgeAr10::default();
    ridge.fit(&[series.history()], &mut unobserved).unwrap();
    ridge.retain(|_| false);
    assert!(ridge.forecast(series.history()).is_none());
}
