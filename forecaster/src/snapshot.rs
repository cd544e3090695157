//! The snapshot: all forecasts at one time, as the extender reads them.
//!
//! Its JSON is described by `docs/forecast-snapshot.schema.json`. The generation is a hash of everything that follows it,
//! so equal content has equal generations and a damaged file is recognised.
//!
//! Promises: no number is NaN or infinite; quantiles ascend in each row; the bytes of a snapshot are made once. Must not
//! know: who reads it, where it is kept.

mod encoded;
mod time;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use encoded::{Encoded, Key, SnapshotError};
pub use time::rfc3339;

use crate::score::Score;
use crate::{Forecast, HORIZONS, ModelKind, QUANTILES};

/// The API version of the document.
pub const API_VERSION: &str = "gantry.dev/v1alpha1";
/// The kind of the document.
pub const KIND: &str = "ForecastSnapshot";
/// Seconds between the steps of a forecast.
pub const STEP_SECONDS: u32 = 60;

/// Whose usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A Kubernetes node; it has no namespace.
    Node,
    /// What makes pods: a Deployment, a `StatefulSet`, …
    Workload,
}

impl Kind {
    /// The name in configuration, paths, metrics and snapshots.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Workload => "Workload",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Node, Self::Workload].into_iter().find(|kind| kind.name() == name)
    }
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A share: 1 is all that the node can give.
    Share,
    /// Kubernetes' base unit of the resource: cores, bytes, bytes per second.
    Base,
}

impl Unit {
    /// The unit of a name in the configuration.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "share" => Some(Self::Share),
            "base" => Some(Self::Base),
            _ => None,
        }
    }
}

/// All forecasts at one time.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// When it was made, Unix time in seconds.
    #[serde(with = "rfc3339")]
    pub issued_at: i64,
    /// In the order of kind, namespace and name; no two alike.
    pub entries: Vec<Entry>,
}

/// Forecasts of one node or workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Empty for nodes.
    pub namespace: String,
    /// As Kubernetes calls it.
    pub name: String,
    /// By the Kubernetes name of the resource; never empty.
    pub resources: BTreeMap<String, ResourceForecast>,
}

/// The forecast of one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceForecast {
    /// What a value counts.
    pub unit: Unit,
    /// By step and, in the order of [`QUANTILES`], by probability.
    pub values: [[f32; QUANTILES.len()]; HORIZONS],
    /// The model's name.
    pub model: String,
    /// How good the model was over the last day.
    pub error: ErrorFigures,
    /// When the model was trained, Unix time in seconds; none for a model that is not.
    #[serde(with = "rfc3339::option")]
    pub trained_at: Option<i64>,
    /// Time of the newest sample that was used, Unix time in seconds.
    #[serde(with = "rfc3339")]
    pub data_until: i64,
}

/// Error figures of a model on one series; none where there was too little to score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorFigures {
    /// Mean absolute error of the median, in the values' unit.
    pub mae: Option<f32>,
    /// That over the last value's.
    pub mase: Option<f32>,
    /// Mean pinball loss of the 0.9 quantile, in the values' unit.
    pub pinball90: Option<f32>,
    /// Share of truths at or below the 0.9 quantile.
    pub coverage90: Option<f32>,
}

impl From<Score> for ErrorFigures {
    fn from(score: Score) -> Self {
        let known = |value: f32| Some(value).filter(|value| value.is_finite());
        Self {
            mae: known(score.mae),
            mase: known(score.mase),
            pinball90: known(score.pinball90),
            coverage90: known(score.coverage90),
        }
    }
}

impl ResourceForecast {
    /// The forecast of a model; none if one of its values is no finite number.
    #[must_use]
    pub fn new(
        unit: Unit,
        (model, forecast): (ModelKind, Forecast),
        error: ErrorFigures,
        trained_at: Option<i64>,
        data_until: i64,
    ) -> Option<Self> {
        let values = forecast.quantiles;
        let is_finite = values.iter().flatten().all(|value| value.is_finite());
        let model = model.name().to_owned();
        is_finite.then_some(Self { unit, values, model, error, trained_at, data_until })
    }
}
