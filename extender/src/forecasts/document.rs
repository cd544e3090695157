//! The snapshot of forecasts as the sidecar writes it (docs/forecast-snapshot.schema.json).
//!
//! Promises that what it lets through is finite, not negative, and of the quantiles that Gantry needs; single entries
//! that are not so are left out and counted. Unknown fields are for later versions and ignored.

use std::sync::Arc;

use gantry_cluster::{Use, UseUnit};
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

/// The version that this build reads.
pub const API_VERSION: &str = "gantry.dev/v1alpha1";
/// The kind of the document.
pub const KIND: &str = "ForecastSnapshot";

/// Why a document was refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// No JSON, or not of the form.
    #[error("the snapshot of forecasts is unreadable")]
    Syntax(#[from] serde_json::Error),
    /// Written by another version.
    #[error("the snapshot is a {found}, this build reads {API_VERSION} {KIND}: use a sidecar of the same release")]
    Version {
        /// What it says it is.
        found: String,
    },
    /// Without the median and the 0.9 quantile nothing can be decided.
    #[error("the snapshot has the quantiles {found:?}, 0.5 and 0.9 are needed")]
    Quantiles {
        /// The quantiles it has.
        found: Vec<f64>,
    },
}

impl DocumentError {
    /// A label for the counter.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "unreadable",
            Self::Version { .. } => "other-version",
            Self::Quantiles { .. } => "no-quantiles",
        }
    }
}

/// The forecasts of all nodes and workloads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Names this state of the forecasts.
    pub generation: String,
    /// One entry a node and resource.
    pub entries: Vec<Entry>,
    /// One entry a workload and resource.
    pub workloads: Vec<WorkloadEntry>,
    /// Entries that could not be used.
    pub refused: usize,
}

/// The forecast of one resource of one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The node.
    pub node: Arc<str>,
    /// The resource.
    pub resource: Arc<str>,
    /// Mean of the medians, and largest 0.9 quantile, over the horizon.
    pub expected: Use,
    /// The newest data, in seconds since 1970.
    pub data_until: i64,
}

/// The forecast of one resource of all pods of a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadEntry {
    /// The workload's namespace.
    pub namespace: Arc<str>,
    /// What is forecast; `node` is the workload's name.
    pub entry: Entry,
}

impl Document {
    /// Reads a snapshot.
    ///
    /// # Errors
    /// [`DocumentError`] if it is none that this build can use.
    pub fn parse(json: &[u8]) -> Result<Self, DocumentError> {
        let file: File = serde_json::from_slice(json)?;
        if (&*file.api_version, &*file.kind) != (API_VERSION, KIND) {
            return Err(DocumentError::Version { found: format!("{} {}", file.api_version, file.kind) });
        }
        let position = |quantile: f64| file.quantiles.iter().position(|found| (found - quantile).abs() < 1e-9);
        let Some(quantiles) = position(0.5).zip(position(0.9)) else {
            return Err(DocumentError::Quantiles { found: file.quantiles });
        };
        let nodes = file.entries.iter().filter(|entry| entry.kind == "Node");
        let all = nodes.flat_map(|node| node.resources.iter().map(|(name, forecast)| (&node.name, name, forecast)));
        let read = all.map(|(node, resource, forecast)| Entry::read(node, resource, forecast, quantiles));
        let (entries, refused): (Vec<_>, Vec<_>) = read.partition(Option::is_some);
        let entries = entries.into_iter().flatten().collect();
        let workloads = file.entries.iter().filter(|entry| entry.kind == "Workload");
        let workloads = workloads.flat_map(|workload| workload.workload(quantiles)).collect();
        Ok(Self { generation: file.generation, entries, workloads, refused: refused.len() })
    }
}

impl Entry {
    fn read(node: &str, resource: &str, file: &ForecastFile, (p50, p90): (usize, usize)) -> Option<Self> {
        let unit = match &*file.unit {
            "share" => UseUnit::Share,
            "base" => UseUnit::Base,
            _ => return None,
        };
        let data_until = file.data_until.parse::<Timestamp>().ok()?.as_second();
        let column = |quantile: usize| -> Option<Vec<f64>> {
            let values = file.values.iter().map(|row| row.get(quantile).copied());
            values.map(|value| value.filter(|value| value.is_finite() && *value >= 0.0)).collect()
        };
        let (medians, highs) = (column(p50)?, column(p90)?);
        if medians.is_empty() {
            return None;
        }
        let median = medians.iter().sum::<f64>() / medians.len() as f64;
        let high = highs.into_iter().fold(0.0, f64::max);
        let expected = Use { unit, p50: median, p90: high };
        Some(Self { node: node.into(), resource: resource.into(), expected, data_until })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    api_version: String,
    kind: String,
    generation: String,
    quantiles: Vec<f64>,
    entries: Vec<EntryFile>,
}

#[derive(Deserialize)]
struct EntryFile {
    kind: String,
    #[serde(default)]
    namespace: String,
    name: String,
    resources: std::collections::BTreeMap<String, ForecastFile>,
}

impl EntryFile {
    /// One that makes no sense is left out, and its pods are expected to use what they ask for.
    fn workload(&self, quantiles: (usize, usize)) -> Vec<WorkloadEntry> {
        let read = self.resources.iter().filter_map(|(name, file)| Entry::read(&self.name, name, file, quantiles));
        read.map(|entry| WorkloadEntry { namespace: self.namespace.as_str().into(), entry }).collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForecastFile {
    unit: String,
    values: Vec<Vec<f64>>,
    data_until: String,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        json!({
            "apiVersion": API_VERSION, "kind": KIND, "generation": "9f86", "issuedAt": "2026-11-22T04:00:00Z",
            "stepSeconds": 60, "quantiles": [0.5, 0.9, 0.95],
            "entries": [
                {"kind": "Node", "namespace": "", "name": "a", "resources": {"cpu": {
                    "unit": "share", "values": [[0.2, 0.5, 0.6], [0.4, 0.7, 0.8]], "model": "lstm", "error": null,
                    "trainedAt": null, "dataUntil": "1970-01-01T00:01:40Z"}}},
                {"kind": "Workload", "namespace": "shop", "name": "web", "resources": {"cpu": {
                    "unit": "base", "values": [[1.5, 2.0, 2.5]], "model": "ridge", "error": null,
                    "trainedAt": null, "dataUntil": "1970-01-01T00:01:40Z"}}},
            ],
        })
    }

    fn parse(document: &Value) -> Result<Document, DocumentError> {
        Document::parse(document.to_string().as_bytes())
    }

    #[test]
    fn an_entry_is_the_mean_median_and_the_highest_of_the_high_quantile() {
        let document = parse(&document()).unwrap();
        let expected = Use { unit: UseUnit::Share, p50: 0.300_000_000_000_000_04, p90: 0.7 };
        let entry = Entry { node: "a".into(), resource: "cpu".into(), expected, data_until: 100 };
        let expected = Use { unit: UseUnit::Base, p50: 1.5, p90: 2.0 };
        let web = Entry { node: "web".into(), resource: "cpu".into(), expected, data_until: 100 };
        let workloads = vec![WorkloadEntry { namespace: "shop".into(), entry: web }];
        assert_eq!(document, Document { generation: "9f86".into(), entries: vec![entry], workloads, refused: 0 });
    }

    #[test]
    fn an_entry_that_makes_no_sense_is_left_out_and_the_others_stay() {
        let cpu = "/entries/0/resources/cpu";
        for (path, value) in [
            ("/unit", json!("percent")),
            ("/values", json!([])),
            ("/values/1", json!([0.4])),
            ("/values/0/1", json!(-0.5)),
            ("/dataUntil", json!("yesterday")),
        ] {
            let mut document = document();
            document["entries"][0]["resources"]["memory"] = document["entries"][0]["resources"]["cpu"].clone();
            *document.pointer_mut(&format!("{cpu}{path}")).unwrap() = value;
            let document = parse(&document).unwrap();
            assert_eq!((document.entries.len(), document.refused), (1, 1), "{path}");
        }
    }

    #[test]
    fn another_version_or_other_quantiles_are_refused_whole() {
        for (path, value, reason) in [
            ("/apiVersion", json!("gantry.dev/v2"), "other-version"),
            ("/kind", json!("Forecasts"), "other-version"),
            ("/quantiles", json!([0.5, 0.95]), "no-quantiles"),
            ("/entries", json!({}), "unreadable"),
        ] {
            let mut document = document();
            *document.pointer_mut(path).unwrap() = value;
            assert_eq!(parse(&document).unwrap_err().reason(), reason, "{path}");
        }
        assert_eq!(Document::parse(b"{\"apiVersion\"").unwrap_err().reason(), "unreadable");
    }
}
