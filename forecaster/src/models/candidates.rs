//! All models at once: what is trained together and compared on each series.
//!
//! Promises: forecasts come in the order of [`ModelKind::ALL`]. Must not know: which of them is served.

use super::lstm::LstmConfig;
use super::{Forecast, Lstm, MaxOf10, Model, ModelError, ModelKind, Naive, Observer, RidgeAr10};
use crate::History;

/// One history's forecasts, in the order of [`ModelKind::ALL`]; none where a model cannot tell.
pub type Forecasts = [Option<Forecast>; ModelKind::ALL.len()];

/// One of each model.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// The LSTM.
    pub lstm: Lstm,
    /// Ridge regression.
    pub ridge: RidgeAr10,
    /// The maximum of the last ten values.
    pub peak: MaxOf10,
    /// The last value.
    pub naive: Naive,
}

impl Candidates {
    /// Models that have learnt nothing.
    #[must_use]
    pub fn new(lstm: LstmConfig) -> Self {
        Self { lstm: Lstm::new(lstm), ..Self::default() }
    }

    /// Learns the quantiles of the fleet, and every series for the models of single series: all but the LSTM. Takes a
    /// few milliseconds for a week of minutes.
    ///
    /// # Errors
    /// If no series has a step that another follows.
    pub fn fit_baselines(&mut self, histories: &[History<'_>]) -> Result<(), ModelError> {
        let observer = &mut super::unobserved;
        self.naive.fit(histories, observer)?;
        self.peak.fit(histories, observer)?;
        // Ridge wants a hundred windows of at least one series; without them the others stand in.
        let _ = self.ridge.fit(histories, observer);
        Ok(())
    }

    /// Learns one series again for the models of single series.
    pub fn refit(&mut self, history: History<'_>) {
        self.ridge.refit(history);
        self.peak.refit(history);
        self.naive.refit(history);
    }

    /// Trains the LSTM, from its weights if it has any.
    ///
    /// # Errors
    /// If there is no window, or the training diverges; it then forecasts as before.
    pub fn train(&mut self, histories: &[History<'_>], observer: &mut Observer<'_>) -> Result<(), ModelError> {
        self.lstm.fit(histories, observer)
    }

    /// The forecasts of several histories.
    #[must_use]
    pub fn forecast_all(&self, histories: &[History<'_>]) -> Vec<Forecasts> {
        let by_lstm = self.lstm.forecast_all(histories);
        histories.iter().zip(by_lstm).map(|(history, lstm)| self.with_lstm(*history, lstm)).collect()
    }

    /// The forecasts of one history whose LSTM forecast is known.
    pub(crate) fn with_lstm(&self, history: History<'_>, lstm: Option<Forecast>) -> Forecasts {
        [lstm, self.ridge.forecast(history), self.peak.forecast(history), self.naive.forecast(history)]
    }
}
