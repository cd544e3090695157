//! All models together: what each would forecast, and when it learnt.
//!
//! Promises: without a trained LSTM the others still forecast. Must not know: which one is served.

use crate::models::lstm::{Lstm, LstmConfig, Network, WeightsError};
use crate::models::{MaxOf10, Model, Naive, RidgeAr10, unobserved};
use crate::{Forecast, History, ModelKind, SeriesName};

use super::training::Sampled;

/// Forecasts of all models, in the order of [`ModelKind::ALL`].
pub(super) type Forecasts = [Option<Forecast>; ModelKind::ALL.len()];

/// All models together.
#[derive(Debug)]
pub struct Ensemble {
    config: Option<LstmConfig>,
    lstm: Lstm,
    lstm_at: Option<i64>,
    has_been_trained: bool,
    ridge: RidgeAr10,
    peak: MaxOf10,
    naive: Naive,
    /// When the fleet's quantiles were learnt.
    fitted_at: Option<i64>,
}

impl Ensemble {
    /// Models that have learnt nothing; without a configuration there is no LSTM among them.
    #[must_use]
    pub fn new(config: Option<LstmConfig>) -> Self {
        Self {
            config,
            lstm: Lstm::new(config.unwrap_or_default()),
            lstm_at: None,
            has_been_trained: false,
            ridge: RidgeAr10::default(),
            peak: MaxOf10::default(),
            naive: Naive::default(),
            fitted_at: None,
        }
    }

    /// How the LSTM is made; none if there is none.
    #[must_use]
    pub const fn config(&self) -> Option<LstmConfig> {
        self.config
    }

    /// The LSTM as it is.
    #[must_use]
    pub fn lstm(&self) -> Lstm {
        self.lstm.clone()
    }

    /// Whether the LSTM was trained by this process; weights that were stored do not count.
    #[must_use]
    pub const fn has_been_trained(&self) -> bool {
        self.has_been_trained
    }

    /// Takes stored weights for a query.
    ///
    /// # Errors
    /// If they are for another network.
    pub fn insert(&mut self, query: &str, network: Network, trained_at: Option<i64>) -> Result<(), WeightsError> {
        if self.config.is_none() {
            return Ok(());
        }
        self.lstm_at = trained_at;
        self.lstm.insert(query, network)
    }

    /// Takes a trained LSTM.
    pub fn adopt(&mut self, lstm: Lstm, at: i64) {
        (self.lstm, self.lstm_at, self.has_been_trained) = (lstm, Some(at), true);
    }

    /// Teaches all models but the LSTM, and the quantiles of new series.
    pub(super) fn fit(&mut self, sample: &[Sampled]) {
        let histories: Vec<History> = sample.iter().map(|sampled| sampled.series.history()).collect();
        let mut observer = unobserved;
        let models: [&mut dyn Model; 3] = [&mut self.ridge, &mut self.peak, &mut self.naive];
        for model in models {
            if let Err(error) = model.fit(&histories, &mut observer) {
                tracing::debug!(model = model.kind().name(), %error, "not fitted");
            }
        }
        self.fitted_at = histories.iter().map(|history| history.data_until()).max();
    }

    /// Teaches all models but the LSTM one series again.
    pub fn refit(&mut self, history: History<'_>) {
        self.ridge.refit(history);
        self.peak.refit(history);
        self.naive.refit(history);
    }

    /// Forgets all series but those that `keep` names.
    pub fn retain(&mut self, keep: impl Fn(&SeriesName) -> bool) {
        self.ridge.retain(&keep);
        self.peak.retain(&keep);
        self.naive.retain(&keep);
    }

    /// Forecasts of several series, in their order.
    pub(super) fn forecast_all(&self, histories: &[History<'_>]) -> Vec<Forecasts> {
        let models: [&dyn Model; 4] = [&self.lstm, &self.ridge, &self.peak, &self.naive];
        let mut all = vec![Forecasts::default(); histories.len()];
        for model in models {
            for (row, forecast) in all.iter_mut().zip(model.forecast_all(histories)) {
                row[model.kind() as usize] = forecast;
            }
        }
        all
    }

    /// When a model was trained, Unix time in seconds; none for one that is not, or not yet.
    #[must_use]
    pub const fn trained_at(&self, model: ModelKind) -> Option<i64> {
        match model {
            ModelKind::Lstm => self.lstm_at,
            ModelKind::Ridge => self.fitted_at,
            ModelKind::MaxOf10 | ModelKind::Naive => None,
        }
    }
}
