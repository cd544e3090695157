//! The plugin's settings: a JSON document, typed and checked before anything uses it.

use serde::Deserialize;

use crate::types::ConfigError;

/// The JSON schema of [`Settings`], as `describe` hands it out.
pub(crate) const SCHEMA: &str = include_str!("settings.schema.json");

/// How long a quoted value may be in an error.
const QUOTED: usize = 256;

/// What the plugin is told to do; every key is optional.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// What a good assignment is.
    pub objective: Objective,
    /// How `plan` searches.
    pub search: Search,
    /// A row is overloaded soon when the 0.9 quantile of its forecast use and the pod's estimate together pass this
    /// share of what it offers, in any resource. 0 < share ≤ 10, default 0.9.
    pub hot_share: f64,
    /// How much a pod's preference for a row counts in its score, beside the objective. 0 to 1, default 0:
    /// kube-scheduler already scores preferred affinities itself.
    pub preference_share: f64,
    /// What one squared percentage point of forecast risk above `hotShare` costs, in the objective's unit, in Score and
    /// in plans. 0 to 1,000, default 0.
    pub risk_weight: f64,
    /// What one percentage point of mean load costs in plans. 0 to 1,000, default 0; a little breaks ties in favour of
    /// nodes on which the pods weigh less.
    pub mean_load_weight: f64,
    /// What a pod that leaves its row of the warm start costs in plans. 0 to 1,000, default 0.
    pub move_weight: f64,
    /// A gain in the objective up to this has no practical value: the memetic search ends when it finds no more, and
    /// leaves pods where they were for it. 0 to 1,000, default 0.1.
    pub practical_gain: f64,
    /// Individuals of the genetic searches, ants, or food sources of a slave. 4 to 10,000, default 60. Where all of them
    /// together would have more than 4 million genes of pods (a quarter of the memory of an instance), as many as have no
    /// more are used, and `tcga` uses at most 1,000.
    pub population: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            objective: Objective::Balanced,
            search: Search::Memetic,
            hot_share: 0.9,
            preference_share: 0.0,
            risk_weight: 0.0,
            mean_load_weight: 0.0,
            move_weight: 0.0,
            practical_gain: 0.1,
            population: 60,
        }
    }
}

/// What a good assignment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Mean over resources, by weight, of the variance of their load, and the variance of the nodes' mean load.
    Balanced,
    /// Mean over resources, by weight, of the variance of their load alone.
    Resources,
    /// The standard deviation of the nodes' mean load: σ of equation (11) of the dictionary GA.
    Sigma,
}

/// How `plan` searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Search {
    /// The most constrained pod first, each to its best row; no search beyond.
    Greedy,
    /// Greedy, then moves and swaps.
    LocalSearch,
    /// Simulated annealing that may pass through over-full rows.
    Annealing,
    /// Descent, annealing and crossover of elites, then as few moves as that allows. What measured best.
    Memetic,
    /// The genetic algorithm with validation dictionary and repair.
    DictionaryGa,
    /// The same without dictionary and repair: illegal genes are punished.
    StandardGa,
    /// The genetic algorithm with a fitness for each objective and parallel selection.
    Tcga,
    /// Max-min ants that breed and learn.
    CmmaGa,
    /// The multi-objective bee colony with master and slaves.
    BeeColony,
    /// The genetic algorithm of quotas.
    QuotaGa,
}

impl Settings {
    /// Reads and checks a document; the empty string stands for all defaults.
    ///
    /// # Errors
    /// Names the key and its value, and says what is allowed.
    pub fn parse(document: &str) -> Result<Self, ConfigError> {
        if document.trim().is_empty() {
            return Ok(Self::default());
        }
        let mut reader = serde_json::Deserializer::from_str(document);
        let settings: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            // What cannot be read as an object has no path to its fault.
            let path = error.path().to_string().trim_matches(['.', '?']).to_owned();
            refuse(&path, &quoted(document, &path), &error.inner().to_string())
        })?;
        reader.end().map_err(|error| refuse("", "", &error.to_string()))?;
        settings.check()
    }

    fn check(self) -> Result<Self, ConfigError> {
        within("hotShare", self.hot_share, f64::MIN_POSITIVE, 10.0)?;
        within("preferenceShare", self.preference_share, 0.0, 1.0)?;
        for (key, weight) in [
            ("riskWeight", self.risk_weight),
            ("meanLoadWeight", self.mean_load_weight),
            ("moveWeight", self.move_weight),
            ("practicalGain", self.practical_gain),
        ] {
            within(key, weight, 0.0, 1_000.0)?;
        }
        within("population", self.population as f64, 4.0, 10_000.0)?;
        Ok(self)
    }
}

fn within(key: &str, value: f64, low: f64, high: f64) -> Result<(), ConfigError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    let low = if low == f64::MIN_POSITIVE { "more than 0".to_owned() } else { format!("at least {low}") };
    Err(refuse(key, &value.to_string(), &format!("must be {low} and at most {high}")))
}

/// The value that stands at `path`, or nothing where the document cannot be read that far.
fn quoted(document: &str, path: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(document).ok();
    let text = value.and_then(|value| value.get(path).map(ToString::to_string)).unwrap_or_default();
    text.chars().take(QUOTED).collect()
}

fn refuse(key: &str, value: &str, message: &str) -> ConfigError {
    ConfigError { key: key.to_owned(), value: value.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_document_means_all_defaults() {
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
        assert_eq!(Settings::parse("{}").unwrap(), Settings::default());
    }

    #[test]
    fn every_wrong_value_is_refused_by_its_key() {
        for (document, key, value) in [
            (r#"{"objectiv":1}"#, "objectiv", "1"),
            (r#"{"objective":"best"}"#, "objective", "\"best\""),
            (r#"{"search":3}"#, "search", "3"),
            (r#"{"hotShare":0}"#, "hotShare", "0"),
            (r#"{"hotShare":"hot"}"#, "hotShare", "\"hot\""),
            (r#"{"preferenceShare":1.5}"#, "preferenceShare", "1.5"),
            (r#"{"riskWeight":-1}"#, "riskWeight", "-1"),
            (r#"{"meanLoadWeight":1001}"#, "meanLoadWeight", "1001"),
            (r#"{"moveWeight":"a"}"#, "moveWeight", "\"a\""),
            (r#"{"practicalGain":-0.5}"#, "practicalGain", "-0.5"),
            (r#"{"population":2}"#, "population", "2"),
            (r#"{"population":-1}"#, "population", "-1"),
            ("[1", "[0]", ""),
            ("{} x", "", ""),
        ] {
            let error = Settings::parse(document).unwrap_err();
            assert_eq!((error.key.as_str(), error.value.as_str()), (key, value), "{document}: {}", error.message);
            assert!(!error.message.is_empty());
        }
    }

    proptest! {
        #[test]
        fn whatever_number_a_key_has_it_is_in_range_or_refused_by_that_key(
            key in proptest::sample::select(vec![
                "hotShare", "preferenceShare", "riskWeight", "meanLoadWeight", "moveWeight", "practicalGain", "population",
            ]),
            number in prop_oneof![any::<f64>(), -2.0..12.0, (0..20_000_u32).prop_map(f64::from)],
        ) {
            // JSON knows no other numbers.
            prop_assume!(number.is_finite());
            let written = if number.fract() == 0.0 { format!("{number:.0}") } else { number.to_string() };
            let read = Settings::parse(&format!("{{\"{key}\": {written}}}"));
            let most = match key {
                "hotShare" => 10.0,
                "preferenceShare" => 1.0,
                "population" => 10_000.0,
                _ => 1_000.0,
            };
            let in_range = match key {
                "hotShare" => (f64::MIN_POSITIVE..=most).contains(&number),
                "population" => number.fract() == 0.0 && (4.0..=most).contains(&number),
                _ => (0.0..=most).contains(&number),
            };
            match read {
                Ok(_) => prop_assert!(in_range, "{key}: {written}"),
                Err(error) => prop_assert!(!in_range && error.key == key, "{key}: {written}: {error:?}"),
            }
        }
    }

    #[test]
    fn the_schema_names_every_key_and_no_other() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let mut keys: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        keys.sort();
        assert_eq!(
            keys,
            [
                "hotShare",
                "meanLoadWeight",
                "moveWeight",
                "objective",
                "population",
                "practicalGain",
                "preferenceShare",
                "riskWeight",
                "search"
            ]
        );
        assert_eq!(schema["additionalProperties"], false);
    }
}
