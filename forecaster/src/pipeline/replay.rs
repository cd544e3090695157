//! First scores: the models are taught without the newest hours and then forecast those, minute by minute.
//!
//! Without it a process that was just started would serve the LSTM untested for hours. The LSTM goes on learning from
//! the weights that this leaves.
//!
//! Promises: no model is scored on what it was taught. Must not know: what the scores are used for.

use super::ensemble::Ensemble;
use super::training::{Board, Sampled};
use crate::models::lstm::Lstm;
use crate::models::{Model as _, Observer};
use crate::select::{FEWEST_STEPS, Scoreboard};
use crate::{History, ModelError};

/// How many steps are forecast: enough for a verdict, with some to spare for gaps.
const STEPS: usize = FEWEST_STEPS as usize + 40;

/// Teaches an LSTM all but the newest steps, and gives the scores of all models on those; no scores where the series
/// are too short for that.
///
/// # Errors
/// If the training diverges.
pub(super) fn replay(
    lstm: &mut Lstm,
    sample: &[Sampled],
    observer: &mut Observer<'_>,
) -> Result<Vec<Board>, ModelError> {
    let past: Vec<History> = sample.iter().map(|sampled| sampled.series.history().before(STEPS)).collect();
    match lstm.fit(&past, observer) {
        Err(ModelError::NoWindow { .. }) => return Ok(Vec::new()),
        fitted => fitted?,
    }
    let mut ensemble = Ensemble::new(None);
    let older: Vec<Sampled> = sample.iter().map(|sampled| before(sampled, STEPS)).collect();
    ensemble.fit(&older);
    ensemble.adopt(lstm.clone(), 0);
    let mut boards = vec![Scoreboard::default(); sample.len()];
    for left in (1..=STEPS).rev() {
        step(&ensemble, sample, left, &mut boards);
    }
    let named = |(sampled, board): (&Sampled, Scoreboard)| (sampled.query, sampled.subject.clone(), board);
    Ok(sample.iter().zip(boards).map(named).collect())
}

fn before(sampled: &Sampled, steps: usize) -> Sampled {
    let series = crate::TimeSeries::from_history(sampled.series.history().before(steps));
    Sampled { query: sampled.query, subject: sampled.subject.clone(), series }
}

/// Forecasts all series as they were `left` steps before their end, and then lets the next cell score them.
fn step(ensemble: &Ensemble, sample: &[Sampled], left: usize, boards: &mut [Scoreboard]) {
    let at = |sampled: &Sampled| sampled.series.len().checked_sub(left);
    let due: Vec<(usize, History)> = sample
        .iter()
        .enumerate()
        .filter_map(|(k, sampled)| Some((k, sampled.series.until(at(sampled)?))))
        .filter(|(_, history)| history.last().is_some())
        .collect();
    let histories: Vec<History> = due.iter().map(|(_, history)| *history).collect();
    for ((k, history), forecasts) in due.iter().zip(ensemble.forecast_all(&histories)) {
        let last = history.last().expect("invariant: histories without a newest value were left out");
        boards[*k].record(history.data_until(), last, forecasts, history.step());
    }
    for (sampled, board) in sample.iter().zip(boards) {
        let Some(cells) = at(sampled) else { continue };
        let next = sampled.series.until(cells + 1);
        board.observe(next.data_until(), next.last());
    }
}
