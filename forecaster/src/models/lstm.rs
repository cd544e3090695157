//! The LSTM: one network for each resource, trained over all its series.
//!
//! A network for each series costs a hundred times as much to train and is worse on most; one network for all resources
//! would have to tell a memory's steps from a CPU's. So `cpu`, `memory`, … each have a network of their own, with
//! one-variate windows, and series that appear later are forecast by it at once.
//!
//! Promises: quantiles by pinball loss, relative to the last value; retraining starts from the weights that are known.
//! Must not know: which model is served.

mod activation;
mod adam;
mod features;
mod inference;
mod layer;
mod loss;
mod network;
mod parameters;
mod trainer;
mod weights;

use std::collections::BTreeMap;

pub use activation::Activation;
pub use adam::{Adam, clip};
pub use features::Windows;
pub use inference::predict;
pub use loss::Loss;
pub use network::gradient;
pub use parameters::{LAYERS, Parameters, Shape};
pub use trainer::Training;
pub use weights::WeightsError;

use super::{Forecast, HORIZONS, Model, ModelError, ModelKind, Observer, QUANTILES};
use crate::History;
use crate::series::{Cleaning, LAGS};
use features::{FEATURES, Scale};

/// How the networks are built and trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LstmConfig {
    /// Width of both layers. Default 64.
    pub hidden: usize,
    /// The cell's non-linearity. Default tanh.
    pub activation: Activation,
    /// Passes of the first training; more made what is served no better. Default 6.
    pub epochs: usize,
    /// Passes of a retraining. Default 3.
    pub retraining_epochs: usize,
    /// Windows of a step. Default 64.
    pub batch: usize,
    /// Adam's learning rate, falling to 0. Default 0.002.
    pub rate: f32,
    /// Bound on the gradient's norm. Default 1.
    pub clip: f32,
    /// What happens to outliers before windows are cut. Default off.
    pub cleaning: Cleaning,
    /// Windows of a training, over all resources; more are thinned out evenly. Bounds time and memory. Default 100 000.
    pub windows: usize,
    /// Decides the first weights, the windows and their order. Default 1.
    pub seed: u64,
}

impl Default for LstmConfig {
    fn default() -> Self {
        Self {
            hidden: 64,
            activation: Activation::Tanh,
            epochs: 6,
            retraining_epochs: 3,
            batch: 64,
            rate: 2e-3,
            clip: 1.0,
            cleaning: Cleaning::Off,
            windows: 100_000,
            seed: 1,
        }
    }
}

/// Weights of one network, and its non-linearity.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// The weights.
    pub parameters: Parameters,
    /// The non-linearity that they were trained with.
    pub activation: Activation,
}

impl Network {
    /// The network as a safetensors file with PyTorch's names.
    ///
    /// # Errors
    /// If the header cannot be written.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, WeightsError> {
        weights::to_bytes(&self.parameters, self.activation)
    }

    /// The network of a safetensors file.
    ///
    /// # Errors
    /// If it is no such file, a tensor is missing or misshapen, or a weight is no finite number.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, WeightsError> {
        weights::from_bytes(bytes).map(|(parameters, activation)| Self { parameters, activation })
    }
}

/// One network for each resource.
#[derive(Clone, Debug, Default)]
pub struct Lstm {
    config: LstmConfig,
    network_by_resource: BTreeMap<String, Network>,
    trainings: u64,
}

impl Lstm {
    /// A model that has learnt nothing.
    #[must_use]
    pub const fn new(config: LstmConfig) -> Self {
        Self { config, network_by_resource: BTreeMap::new(), trainings: 0 }
    }

    /// The networks, in the order of their resources' names.
    pub fn networks(&self) -> impl Iterator<Item = (&str, &Network)> {
        self.network_by_resource.iter().map(|(resource, network)| (resource.as_str(), network))
    }

    /// Takes a network that was trained before.
    ///
    /// # Errors
    /// If it has other inputs or outputs than a forecast needs.
    pub fn insert(&mut self, resource: impl Into<String>, network: Network) -> Result<(), WeightsError> {
        let (found, expected) = (network.parameters.shape(), Self::shape(network.parameters.shape().hidden));
        if found != expected {
            let expected = vec![expected.outputs, expected.hidden];
            return Err(WeightsError::Tensor { name: "head.weight".to_owned(), expected });
        }
        self.network_by_resource.insert(resource.into(), network);
        Ok(())
    }

    /// The sizes that forecasts need.
    const fn shape(hidden: usize) -> Shape {
        Shape { inputs: FEATURES, hidden, outputs: HORIZONS * QUANTILES.len() }
    }

    /// The network to start from, and for how many epochs.
    fn start(&self, resource: &str) -> (Network, usize) {
        let LstmConfig { hidden, activation, seed, .. } = self.config;
        match self.network_by_resource.get(resource) {
            Some(known) if known.activation == activation && known.parameters.shape() == Self::shape(hidden) => {
                (known.clone(), self.config.retraining_epochs)
            }
            _ => {
                let parameters = Parameters::random(Self::shape(hidden), seed);
                (Network { parameters, activation }, self.config.epochs)
            }
        }
    }

    fn train(
        &self,
        resource: &str,
        histories: &[History<'_>],
        most: usize,
        observer: &mut Observer<'_>,
    ) -> Result<Option<Network>, ModelError> {
        let seed = self.config.seed.wrapping_add(self.trainings);
        let windows = Windows::cut(histories, self.config.cleaning, most, seed as usize);
        if windows.truth.is_empty() {
            return Ok(None);
        }
        let (mut network, epochs) = self.start(resource);
        let LstmConfig { batch, rate, clip, activation, .. } = self.config;
        let training = Training { epochs, batch, rate, decay: true, clip, loss: Loss::Pinball, activation, seed };
        training.run(&mut network.parameters, &windows, observer)?;
        Ok(Some(network))
    }
}

/// The positions of histories, by resource.
fn positions<'a>(histories: &[History<'a>]) -> BTreeMap<&'a str, Vec<usize>> {
    let mut positions = BTreeMap::<&str, Vec<usize>>::new();
    for (k, history) in histories.iter().enumerate() {
        positions.entry(&history.name().resource).or_default().push(k);
    }
    positions
}

impl Model for Lstm {
    fn kind(&self) -> ModelKind {
        ModelKind::Lstm
    }

    fn fit(&mut self, histories: &[History<'_>], observer: &mut Observer<'_>) -> Result<(), ModelError> {
        let positions = positions(histories);
        let most = self.config.windows / positions.len().max(1);
        let mut trained = Vec::new();
        for (resource, positions) in positions {
            let own: Vec<History<'_>> = positions.into_iter().map(|k| histories[k]).collect();
            trained.extend(self.train(resource, &own, most, observer)?.map(|network| (resource.to_owned(), network)));
        }
        if trained.is_empty() {
            return Err(ModelError::NoWindow { series: histories.len(), lags: LAGS, horizons: HORIZONS });
        }
        self.network_by_resource.extend(trained);
        self.trainings += 1;
        Ok(())
    }

    fn forecast_all(&self, histories: &[History<'_>]) -> Vec<Option<Forecast>> {
        let mut forecasts = vec![None; histories.len()];
        for (resource, positions) in positions(histories) {
            let Some(network) = self.network_by_resource.get(resource) else { continue };
            let seen = |k: usize| Some((k, (Scale::of(histories[k])?, histories[k].window()?)));
            let (positions, windows): (Vec<usize>, Vec<_>) = positions.into_iter().filter_map(seen).unzip();
            let outputs = predict(&network.parameters, network.activation, features::batch(&windows).view());
            for ((k, (scale, window)), outputs) in positions.iter().zip(&windows).zip(outputs.rows()) {
                let outputs = outputs.as_slice().expect("invariant: outputs are in row-major order");
                forecasts[*k] = Some(scale.forecast(outputs, window[LAGS - 1], histories[*k].capacity()));
            }
        }
        forecasts
    }
}

#[cfg(test)]
mod tests;
