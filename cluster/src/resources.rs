//! Which resource stands in which column.
//!
//! First the objective's resources in the order the admin gave, then `pods` and `ephemeral-storage`, then every other
//! resource as it is first seen with a non-zero amount. A column never moves and never goes. Past [`MAX_RESOURCES`]
//! further resources are left out: kube-scheduler still counts them, our view does not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use thiserror::Error;

use crate::error::FieldError;
use crate::quantity::Quantity;

/// The most columns there can be; the contract with the plugins has the same bound.
pub const MAX_RESOURCES: usize = 64;

/// Every pod asks for one of these.
pub(crate) const PODS: &str = "pods";

/// Columns that are always there, behind the objective's.
const ALWAYS: [&str; 2] = [PODS, "ephemeral-storage"];

/// Amounts by resource name, summed exactly.
pub(crate) type Amounts<'a> = BTreeMap<&'a str, Quantity>;

/// A `ResourceList` of the API.
pub(crate) type ResourceList = BTreeMap<String, ApiQuantity>;

/// Why a list of objective resources was refused.
#[derive(Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResourcesError {
    /// An objective needs at least one resource.
    #[error("resources: at least one resource is needed, like cpu")]
    Empty,
    /// Room has to be left for resources that the cluster brings.
    #[error("resources: {0} resources given, at most 32 are allowed")]
    TooMany(usize),
    /// The same resource twice.
    #[error("resources: \"{0}\" is given twice")]
    Duplicate(String),
    /// No name.
    #[error("resources: a resource name is empty")]
    Unnamed,
}

/// The most resources an objective can have.
const MAX_OBJECTIVE: usize = 32;

/// Resource names and their columns.
#[derive(Debug)]
pub(crate) struct Resources {
    names: Arc<Vec<Arc<str>>>,
    column_by_name: HashMap<Arc<str>, usize>,
    objective: usize,
}

impl Resources {
    pub(crate) fn new(objective: &[String]) -> Result<Self, ResourcesError> {
        match objective.len() {
            0 => return Err(ResourcesError::Empty),
            n if n > MAX_OBJECTIVE => return Err(ResourcesError::TooMany(n)),
            _ => {}
        }
        let mut resources = Self { names: Arc::default(), column_by_name: HashMap::new(), objective: objective.len() };
        for name in objective {
            if name.is_empty() {
                return Err(ResourcesError::Unnamed);
            }
            if resources.column_by_name.contains_key(name.as_str()) {
                return Err(ResourcesError::Duplicate(name.clone()));
            }
            resources.column(name);
        }
        for name in ALWAYS {
            resources.column(name);
        }
        Ok(resources)
    }

    /// The number of columns.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// How many of the first columns belong to the objective.
    pub(crate) fn objective(&self) -> usize {
        self.objective
    }

    /// The names in column order.
    pub(crate) fn names(&self) -> Arc<Vec<Arc<str>>> {
        Arc::clone(&self.names)
    }

    /// Amounts as a row of columns. Resources seen for the first time get a column.
    pub(crate) fn row(&mut self, amounts: &Amounts<'_>) -> Box<[f64]> {
        let mut row = vec![0.0; self.len()];
        for (name, quantity) in amounts.iter().filter(|(_, quantity)| **quantity > Quantity::ZERO) {
            let Some(column) = self.column(name) else { continue };
            row.resize(self.len(), 0.0);
            row[column] = if *name == "cpu" { quantity.thousandths() } else { quantity.units() };
        }
        row.into()
    }

    fn column(&mut self, name: &str) -> Option<usize> {
        if let Some(column) = self.column_by_name.get(name) {
            return Some(*column);
        }
        let column = self.len();
        if column == MAX_RESOURCES {
            return None;
        }
        let name: Arc<str> = name.into();
        Arc::make_mut(&mut self.names).push(Arc::clone(&name));
        self.column_by_name.insert(name, column);
        Some(column)
    }
}

/// Reads a resource list; `field` is its path.
pub(crate) fn read_amounts<'a>(
    list: Option<&'a ResourceList>,
    field: impl Fn() -> String,
) -> Result<Amounts<'a>, FieldError> {
    let read = |(name, quantity): (&'a String, &'a ApiQuantity)| match Quantity::parse(&quantity.0) {
        Ok(quantity) => Ok((name.as_str(), quantity)),
        Err(error) => Err(FieldError { field: format!("{}[{name}]", field()), fault: error.into() }),
    };
    list.into_iter().flatten().map(read).collect()
}

/// Adds every amount of `other`.
pub(crate) fn add<'a>(sum: &mut Amounts<'a>, other: &Amounts<'a>) {
    for (name, quantity) in other {
        *sum.entry(name).or_default() += *quantity;
    }
}

/// Raises every amount to that of `other`.
pub(crate) fn raise<'a>(largest: &mut Amounts<'a>, other: &Amounts<'a>) {
    for (name, quantity) in other {
        let entry = largest.entry(name).or_default();
        *entry = (*entry).max(*quantity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_objective_comes_first_then_pods_and_storage_then_what_is_seen() {
        let mut resources = Resources::new(&names(&["cpu", "memory"])).unwrap();
        let amounts = Amounts::from([
            ("example.com/gpu", Quantity::parse("2").unwrap()),
            ("cpu", Quantity::parse("1500m").unwrap()),
        ]);
        let row = resources.row(&amounts);
        let order: Vec<&str> = resources.names.iter().map(AsRef::as_ref).collect();
        assert_eq!(order, ["cpu", "memory", "pods", "ephemeral-storage", "example.com/gpu"]);
        assert_eq!(*row, [1500.0, 0.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn a_resource_with_amount_zero_takes_no_column() {
        let mut resources = Resources::new(&names(&["cpu"])).unwrap();
        resources.row(&Amounts::from([("hugepages-1Gi", Quantity::ZERO)]));
        assert_eq!(resources.len(), 3);
    }

    #[test]
    fn resources_past_the_bound_are_left_out() {
        let mut resources = Resources::new(&names(&["cpu"])).unwrap();
        let many: Vec<String> = (0..100).map(|i| format!("example.com/r{i}")).collect();
        let one = Quantity::parse("1").unwrap();
        let row = resources.row(&many.iter().map(|name| (name.as_str(), one)).collect());
        assert_eq!((resources.len(), row.len()), (MAX_RESOURCES, MAX_RESOURCES));
    }

    #[test]
    fn bad_objectives_are_refused_by_name() {
        assert_eq!(Resources::new(&[]).unwrap_err(), ResourcesError::Empty);
        assert_eq!(Resources::new(&names(&["cpu", "cpu"])).unwrap_err(), ResourcesError::Duplicate("cpu".into()));
        assert_eq!(Resources::new(&names(&[""])).unwrap_err(), ResourcesError::Unnamed);
        assert_eq!(Resources::new(&vec!["x".into(); 33]).unwrap_err(), ResourcesError::TooMany(33));
    }
}
