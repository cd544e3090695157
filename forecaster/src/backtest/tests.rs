//! Tests of the backtest: no look ahead, the table, series that are too short.

use super::*;
use crate::rng::Rng;
use crate::{Sample, SeriesName};

fn series(subject: &str, values: &[f32]) -> TimeSeries {
    let samples: Vec<Sample> =
        values.iter().enumerate().map(|(k, value)| Sample { at: k as i64 * 60, value: (*value).into() }).collect();
    let until = samples.last().unwrap().at;
    TimeSeries::resample(SeriesName::new(subject, "cpu"), &samples, 60, 100.0, until).0
}

fn noisy(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..count).map(|k| 50.0 + 20.0 * (k as f32 * 0.05).sin() + 5.0 * rng.symmetric()).collect()
}

fn config() -> BacktestConfig {
    let lstm = LstmConfig { hidden: 8, epochs: 4, rate: 1e-2, ..LstmConfig::default() };
    BacktestConfig { lstm, ..BacktestConfig::default() }
}

fn backtest(series: &[TimeSeries]) -> Backtest {
    run(series, &config(), &mut crate::models::unobserved, |_, _| ()).unwrap()
}

#[test]
fn noise_around_a_wave_is_forecast_better_than_by_its_last_value() {
    let all = [series("a", &noisy(1, 1_500)), series("b", &noisy(2, 1_500))];
    let mut progress = Vec::new();
    let backtest = run(&all, &config(), &mut crate::models::unobserved, |done, of| progress.push((done, of))).unwrap();
    assert_eq!(progress, [(1, 2), (2, 2)]);
    assert!(backtest.geometric_mean(SeriesResult::served_ratio).unwrap() < 0.8, "{}", Table(&backtest));
    assert!((0.85..0.95).contains(&backtest.coverage90()), "{}", Table(&backtest));
    let result = &backtest.series[0];
    assert_eq!((result.served.steps, result.bands.len()), (450 - HORIZONS as u32 + 1, 446));
    assert!((result.shares.iter().sum::<f32>() - 1.0).abs() < 1e-4);
}

#[test]
fn values_after_a_step_do_not_change_its_forecast() {
    let mut values = noisy(1, 1_500);
    let before = backtest(&[series("a", &values)]);
    values[1_300..].fill(99.0);
    let after = backtest(&[series("a", &values)]);
    let forecasts = |backtest: &Backtest| -> Vec<(f32, f32)> {
        let known = backtest.series[0].bands.iter().filter(|point| point.at < 1_300 * 60);
        known.map(|point| (point.p50, point.p90)).collect()
    };
    assert!(forecasts(&before).len() > 200);
    assert_eq!(forecasts(&before), forecasts(&after));
}

#[test]
fn the_table_names_every_series_and_those_that_lose() {
    let mut backtest = backtest(&[series("wave", &noisy(1, 1_500))]);
    let mut losing = backtest.series[0].clone();
    losing.name = SeriesName::new("loser", "cpu");
    losing.served.pinball90 = 1.2 * losing.last_value.pinball90;
    backtest.series.push(losing);
    let table = Table(&backtest).to_string();
    assert!(table.contains("wave/cpu") && table.contains("geometric mean"), "{table}");
    assert!(table.ends_with("more than a tenth worse than the last value: loser/cpu"), "{table}");
}

#[test]
fn a_series_that_never_changes_has_no_ratio_and_spoils_no_mean() {
    let backtest = backtest(&[series("a", &noisy(1, 1_500)), series("still", &[30.0; 1_500])]);
    let still = &backtest.series[1];
    assert_eq!((still.served_ratio(), still.last_value.pinball90), (None, 0.0));
    assert!(backtest.geometric_mean(SeriesResult::served_ratio).unwrap().is_finite());
}

#[test]
fn a_series_that_is_too_short_has_no_result_and_too_little_of_everything_is_an_error() {
    let backtest = backtest(&[series("a", &noisy(1, 1_500)), series("short", &noisy(2, 12))]);
    assert_eq!(backtest.series.len(), 1);
    let error = run(&[series("short", &noisy(2, 12))], &config(), &mut crate::models::unobserved, |_, _| ());
    assert_eq!(error.unwrap_err().reason(), "no_window");
}
