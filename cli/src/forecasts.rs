//! The sidecar's snapshot of forecasts, read from a file (docs/forecast-snapshot.schema.json).
//!
//! Promises that what it lets through is finite and not negative; an entry that is not so is left out, as the extender
//! does. Unlike there an entry never grows too old: a recording is looked at later than it was made.

use std::collections::BTreeMap;
use std::sync::Arc;

use gantry_cluster::{NodeForecast, Use, UseUnit, WorkloadForecast};
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

/// What is expected of each resource.
type Uses = Vec<(Arc<str>, Use)>;

/// The document that this build reads.
const VERSION: (&str, &str) = ("gantry.dev/v1alpha1", "ForecastSnapshot");

/// Why forecasts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ForecastsError {
    /// No JSON, or not of the form.
    #[error("the snapshot of forecasts is unreadable")]
    Syntax(#[from] serde_json::Error),
    /// Another document, or of another version.
    #[error("apiVersion and kind are `{found}`, allowed is `gantry.dev/v1alpha1 ForecastSnapshot`")]
    Version {
        /// What it says it is.
        found: String,
    },
    /// Without the median and the 0.9 quantile nothing can be decided.
    #[error("quantiles are {found:?}, 0.5 and 0.9 are needed")]
    Quantiles {
        /// The quantiles it has.
        found: Vec<f64>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: String,
    kind: String,
    quantiles: Vec<f64>,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    kind: String,
    #[serde(default)]
    namespace: String,
    name: String,
    resources: BTreeMap<String, Forecast>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Forecast {
    unit: String,
    values: Vec<Vec<f64>>,
    data_until: String,
}

/// The forecasts of nodes and of workloads.
pub(crate) type Forecasts = (Vec<NodeForecast>, Vec<WorkloadForecast>);

/// The forecasts of a document.
///
/// # Errors
/// A document that this build cannot use.
pub(crate) fn parse(json: &[u8]) -> Result<Forecasts, ForecastsError> {
    let document: Document = serde_json::from_slice(json)?;
    if (&*document.api_version, &*document.kind) != VERSION {
        return Err(ForecastsError::Version { found: format!("{} {}", document.api_version, document.kind) });
    }
    let position = |quantile: f64| document.quantiles.iter().position(|found| (found - quantile).abs() < 1e-9);
    let Some(quantiles) = position(0.5).zip(position(0.9)) else {
        return Err(ForecastsError::Quantiles { found: document.quantiles });
    };
    let of = |kind: &'static str| document.entries.iter().filter(move |entry| entry.kind == kind);
    let nodes = of("Node").filter_map(|entry| entry.node(quantiles)).collect();
    Ok((nodes, of("Workload").filter_map(|entry| entry.workload(quantiles)).collect()))
}

impl Entry {
    fn node(&self, quantiles: (usize, usize)) -> Option<NodeForecast> {
        let (uses, data_until) = self.uses(quantiles)?;
        Some(NodeForecast { node: self.name.as_str().into(), uses, data_until })
    }

    fn workload(&self, quantiles: (usize, usize)) -> Option<WorkloadForecast> {
        let (uses, data_until) = self.uses(quantiles)?;
        let [namespace, name] = [&self.namespace, &self.name].map(|text| Arc::from(text.as_str()));
        Some(WorkloadForecast { namespace, name, uses, data_until })
    }

    fn uses(&self, quantiles: (usize, usize)) -> Option<(Uses, i64)> {
        let read = |(name, forecast): (&String, &Forecast)| {
            let (expected, until) = forecast.expected(quantiles)?;
            Some(((Arc::from(name.as_str()), expected), until))
        };
        let (uses, untils): (Vec<_>, Vec<_>) = self.resources.iter().filter_map(read).unzip();
        Some((uses, untils.into_iter().min()?))
    }
}

impl Forecast {
    /// Mean of the medians, largest 0.9 quantile, and the end of the data.
    fn expected(&self, (p50, p90): (usize, usize)) -> Option<(Use, i64)> {
        let unit = match &*self.unit {
            "share" => UseUnit::Share,
            "base" => UseUnit::Base,
            _ => return None,
        };
        let column = |quantile: usize| -> Option<Vec<f64>> {
            let values = self.values.iter().map(|row| row.get(quantile).copied());
            values.map(|value| value.filter(|value| value.is_finite() && *value >= 0.0)).collect()
        };
        let (medians, highs) = (column(p50)?, column(p90)?);
        let until = self.data_until.parse::<Timestamp>().ok()?.as_second();
        let median = medians.iter().sum::<f64>() / medians.len() as f64;
        let expected = Use { unit, p50: median, p90: highs.into_iter().fold(0.0, f64::max) };
        (!medians.is_empty()).then_some((expected, until))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        let cpu = json!({"unit": "share", "values": [[0.2, 0.5, 0.6], [0.4, 0.7, 0.8]],
                         "dataUntil": "1970-01-01T00:01:40Z"});
        json!({
            "apiVersion": VERSION.0, "kind": VERSION.1, "generation": "9f86", "quantiles": [0.5, 0.9, 0.95],
            "entries": [
                {"kind": "Node", "name": "a", "resources": {"cpu": cpu}},
                {"kind": "Workload", "namespace": "shop", "name": "web", "resources": {"cpu": cpu}},
            ],
        })
    }

    fn parsed(document: &Value) -> Result<Forecasts, ForecastsError> {
        parse(document.to_string().as_bytes())
    }

    #[test]
    fn a_node_gets_the_mean_median_and_the_highest_of_the_high_quantile() {
        let expected = Use { unit: UseUnit::Share, p50: 0.300_000_000_000_000_04, p90: 0.7 };
        let node = NodeForecast { node: "a".into(), uses: vec![("cpu".into(), expected)], data_until: 100 };
        let (uses, data_until) = (node.uses.clone(), node.data_until);
        let workload = WorkloadForecast { namespace: "shop".into(), name: "web".into(), uses, data_until };
        assert_eq!(parsed(&document()).unwrap(), (vec![node], vec![workload]));
    }

    #[test]
    fn an_entry_that_makes_no_sense_is_left_out() {
        for (path, value) in [
            ("unit", json!("percent")),
            ("values", json!([])),
            ("values/0/1", json!(-0.5)),
            ("dataUntil", json!("yesterday")),
        ] {
            let mut document = document();
            *document.pointer_mut(&format!("/entries/0/resources/cpu/{path}")).unwrap() = value;
            assert_eq!(parsed(&document).unwrap().0, [], "{path}");
        }
    }

    #[test]
    fn another_document_is_refused_with_what_it_is() {
        for (path, value, named) in [
            ("/apiVersion", json!("gantry.dev/v2"), "gantry.dev/v2"),
            ("/quantiles", json!([0.5, 0.95]), "0.95"),
            ("/entries", json!(3), "unreadable"),
        ] {
            let mut document = document();
            *document.pointer_mut(path).unwrap() = value;
            assert!(parsed(&document).unwrap_err().to_string().contains(named), "{path}");
        }
    }
}
