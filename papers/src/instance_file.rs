//! Instances of pod placement as JSON, for solvers in other languages.
//!
//! Promises: what is written is read back as the same instance; lengths are checked. Must not know: the generator.
//!
//! `cap` and `req` have a row of four amounts a node or pod; `allowed` has the nodes of each pod, ascending; `taint`,
//! `cls`, `zone`, `tol`, `aff` are what `allowed` was compiled from, with -1 for none; `hidden` is an assignment that
//! fits.

use std::collections::BTreeMap;

use gantry_solver::instances::{Amounts, Instance};
use serde::{Deserialize, Serialize};

/// Why a text is no instance.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceFileError {
    /// It is no JSON, or not of this form.
    #[error("this is no instance in JSON")]
    Json(#[from] serde_json::Error),
    /// A column is too short or too long.
    #[error("{column} has {found} entries, {expected} are needed")]
    Length {
        /// The column.
        column: &'static str,
        /// One a pod or one a node.
        expected: usize,
        /// Entries of the column.
        found: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct Document {
    m: usize,
    n: usize,
    seed: u64,
    fill: f64,
    cap: Vec<Amounts>,
    req: Vec<Amounts>,
    taint: Vec<i8>,
    cls: Vec<u8>,
    zone: Vec<u8>,
    tol: Vec<u8>,
    aff: Vec<i8>,
    allowed: Vec<Vec<u32>>,
    hidden: Vec<u32>,
}

/// The instance as JSON, on one line. The fill is rounded to four digits.
///
/// # Panics
/// Never: there is nothing in it that JSON has no word for.
#[must_use]
pub fn write(instance: &Instance) -> String {
    let number = |choice: &Option<u8>| choice.map_or(-1, |value| value as i8);
    let document = Document {
        m: instance.requests.len(),
        n: instance.capacities.len(),
        seed: instance.seed,
        fill: (instance.fill * 1e4).round() / 1e4,
        cap: instance.capacities.clone(),
        req: instance.requests.clone(),
        taint: instance.taint_by_node.iter().map(number).collect(),
        cls: instance.hardware_by_node.clone(),
        zone: instance.zone_by_node.clone(),
        tol: instance.tolerations_by_pod.clone(),
        aff: instance.affinity_by_pod.iter().map(number).collect(),
        allowed: (0..instance.requests.len()).map(|pod| instance.allowed(pod).to_vec()).collect(),
        hidden: instance.hidden.clone(),
    };
    serde_json::to_string(&document).expect("invariant: numbers and lists are JSON")
}

/// The instance of a JSON text.
///
/// # Errors
/// [`InstanceFileError`] if it is none. Amounts and nodes that make no problem are found when it becomes one.
pub fn read(text: &str) -> Result<Instance, InstanceFileError> {
    let document: Document = serde_json::from_str(text)?;
    document.check()?;
    let choice = |&number: &i8| u8::try_from(number).ok();
    let (class_by_pod, allowed_by_class) = classes(document.allowed);
    Ok(Instance {
        seed: document.seed,
        fill: document.fill,
        capacities: document.cap,
        requests: document.req,
        taint_by_node: document.taint.iter().map(choice).collect(),
        hardware_by_node: document.cls,
        zone_by_node: document.zone,
        tolerations_by_pod: document.tol,
        affinity_by_pod: document.aff.iter().map(choice).collect(),
        class_by_pod,
        allowed_by_class,
        hidden: document.hidden,
    })
}

impl Document {
    fn check(&self) -> Result<(), InstanceFileError> {
        let lengths = [
            ("cap", self.n, self.cap.len()),
            ("taint", self.n, self.taint.len()),
            ("cls", self.n, self.cls.len()),
            ("zone", self.n, self.zone.len()),
            ("req", self.m, self.req.len()),
            ("tol", self.m, self.tol.len()),
            ("aff", self.m, self.aff.len()),
            ("allowed", self.m, self.allowed.len()),
            ("hidden", self.m, self.hidden.len()),
        ];
        match lengths.into_iter().find(|(_, expected, found)| expected != found) {
            Some((column, expected, found)) => Err(InstanceFileError::Length { column, expected, found }),
            None => Ok(()),
        }
    }
}

/// Pods with equal nodes share a class.
fn classes(allowed: Vec<Vec<u32>>) -> (Vec<u32>, Vec<Vec<u32>>) {
    let mut class_by_rows = BTreeMap::new();
    let mut allowed_by_class = Vec::new();
    let mut class = |rows: Vec<u32>| {
        *class_by_rows.entry(rows).or_insert_with_key(|rows| {
            allowed_by_class.push(rows.clone());
            allowed_by_class.len() as u32 - 1
        })
    };
    let class_by_pod = allowed.into_iter().map(&mut class).collect();
    (class_by_pod, allowed_by_class)
}

#[cfg(test)]
mod tests {
    use gantry_solver::instances::{GenerateOptions, generate};
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_file_of_an_instance_is_the_published_one() {
        let published = include_str!("../../solver/tests/fixtures/placement_20x5_s1_pools0.json");
        let instance = generate(20, 5, 1, &GenerateOptions::default()).unwrap();
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(value(&write(&instance)), value(published));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let options = GenerateOptions { pools: true, ..GenerateOptions::default() };
        let instance = generate(100, 10, 3, &options).unwrap();
        let back = read(&write(&instance)).unwrap();
        assert_eq!(write(&back), write(&instance));
        assert!((0..100).all(|pod| back.allowed(pod) == instance.allowed(pod)));
    }

    #[test]
    fn a_column_of_another_length_is_refused() {
        let mut instance = generate(20, 5, 1, &GenerateOptions::default()).unwrap();
        instance.zone_by_node.pop();
        let error = read(&write(&instance)).unwrap_err();
        assert_eq!(error.to_string(), "zone has 4 entries, 5 are needed");
        assert!(matches!(read("{}"), Err(InstanceFileError::Json(_))));
    }
}
