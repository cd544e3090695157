//! The section `model`: how the LSTM is made.
//!
//! Must not know: how it is trained.

use super::Checker;
use crate::config::file::ModelFile;
use crate::models::lstm::{Activation, LstmConfig};
use crate::series::Cleaning;

impl Checker {
    pub(super) fn model(&mut self, file: &ModelFile) -> Option<LstmConfig> {
        let default = LstmConfig::default();
        let config = LstmConfig {
            activation: self.activation(file.activation.as_deref()),
            cleaning: self.cleaning(file.cleaning.as_deref()),
            epochs: self.number("model.epochs", file.epochs, default.epochs, 1..=200),
            retraining_epochs: self.number(
                "model.retrainingEpochs",
                file.retraining_epochs,
                default.retraining_epochs,
                1..=200,
            ),
            windows: self.number("model.windows", file.windows, default.windows, 1_000..=10_000_000),
            seed: file.seed.unwrap_or(default.seed),
            ..default
        };
        file.lstm.unwrap_or(true).then_some(config)
    }

    fn activation(&mut self, name: Option<&str>) -> Activation {
        let Some(name) = name else { return Activation::default() };
        Activation::named(name).unwrap_or_else(|| {
            self.refuse("model.activation", name, "write tanh or relu");
            Activation::default()
        })
    }

    fn cleaning(&mut self, name: Option<&str>) -> Cleaning {
        match name {
            None | Some("off") => Cleaning::Off,
            Some("zscore") => Cleaning::Zscore,
            Some(name) => {
                self.refuse("model.cleaning", name, "write off or zscore; off needs quotes in YAML");
                Cleaning::Off
            }
        }
    }
}
