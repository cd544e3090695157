//! Which resource stands in which column.
//!
//! First the objective's resources in the order the admin gave, behind them the node labels that plugins go by, then
//! `pods` and `ephemeral-storage`, then every other resource as it is first seen with a non-zero amount. A column never
//! moves and never goes. Past `MAX_RESOURCES` further resources are left out: kube-scheduler still counts them, our
//! view does not. Anybody may make a pod, so pods bring columns up to `MAX_ASKED` only; the rest is for what nodes offer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use thiserror::Error;

use crate::error::FieldError;
use crate::label::LabelColumn;
use crate::quantity::Quantity;
use crate::selector::Labels;

/// The most columns there can be; the contract with the plugins has the same bound.
pub(crate) const MAX_RESOURCES: usize = 64;

/// Past so many columns a pod brings no further one.
const MAX_ASKED: usize = 48;

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
    /// An objective needs at least one resource, and a label is none.
    #[error("resources: at least one resource is needed, like cpu")]
    Empty,
    /// Room has to be left for resources that the cluster brings.
    #[error("resources: {0} resources given, at most {MAX_NAMED} are allowed")]
    TooMany(usize),
    /// The same resource twice.
    #[error("resources: \"{0}\" is given twice")]
    Duplicate(String),
    /// No name.
    #[error("resources: a resource name is empty")]
    Unnamed,
    /// No label of a node.
    #[error("resources: \"{0}\" is no label; write label:KEY or label:KEY=VALUE")]
    NotALabel(String),
    /// Labels stand behind what the objective balances.
    #[error("resources: \"{0}\" stands behind a label; name the labels last")]
    BehindALabel(String),
}

/// The most resources and labels that an admin can name; the rest is left for what the cluster brings.
pub const MAX_NAMED: usize = 32;

/// Resource names and their columns.
#[derive(Debug)]
pub(crate) struct Resources {
    names: Arc<Vec<Arc<str>>>,
    column_by_name: HashMap<Arc<str>, usize>,
    objective: usize,
    /// They stand behind the objective's columns.
    labels: Vec<LabelColumn>,
}

impl Resources {
    pub(crate) fn new(named: &[String]) -> Result<Self, ResourcesError> {
        let objective = named.iter().take_while(|name| !LabelColumn::is_named(name)).count();
        if objective == 0 {
            return Err(ResourcesError::Empty);
        }
        if named.len() > MAX_NAMED {
            return Err(ResourcesError::TooMany(named.len()));
        }
        let mut resources =
            Self { names: Arc::default(), column_by_name: HashMap::new(), objective, labels: Vec::new() };
        for (position, name) in named.iter().enumerate() {
            resources.check(name)?;
            if position >= objective {
                resources.labels.push(label(name)?);
            }
            resources.column(name, MAX_RESOURCES);
        }
        for name in ALWAYS {
            resources.column(name, MAX_RESOURCES);
        }
        Ok(resources)
    }

    fn check(&self, name: &str) -> Result<(), ResourcesError> {
        if name.is_empty() {
            return Err(ResourcesError::Unnamed);
        }
        if self.column_by_name.contains_key(name) {
            return Err(ResourcesError::Duplicate(name.to_owned()));
        }
        Ok(())
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

    /// What a pod asks for, as a row of columns.
    pub(crate) fn ask(&mut self, amounts: &Amounts<'_>) -> Box<[f64]> {
        self.row(amounts, MAX_ASKED)
    }

    /// Amounts as a row of columns. Resources seen for the first time get a column, while there are fewer than `most`.
    fn row(&mut self, amounts: &Amounts<'_>, most: usize) -> Box<[f64]> {
        let mut row = vec![0.0; self.len()];
        for (name, quantity) in amounts.iter().filter(|(_, quantity)| **quantity > Quantity::ZERO) {
            let Some(column) = self.column(name, most) else { continue };
            row.resize(self.len(), 0.0);
            row[column] = if *name == "cpu" { quantity.thousandths() } else { quantity.units() };
        }
        row.into()
    }

    /// What a node offers, as a row of columns, its labels among them.
    pub(crate) fn offer(&mut self, amounts: &Amounts<'_>, labels: &Labels) -> Box<[f64]> {
        let mut row = self.row(amounts, MAX_RESOURCES);
        for (cell, label) in row[self.objective..].iter_mut().zip(&self.labels) {
            *cell = label.amount(labels);
        }
        row
    }

    fn column(&mut self, name: &str, most: usize) -> Option<usize> {
        if let Some(column) = self.column_by_name.get(name) {
            return Some(*column);
        }
        let column = self.len();
        if column >= most {
            return None;
        }
        let name: Arc<str> = name.into();
        Arc::make_mut(&mut self.names).push(Arc::clone(&name));
        self.column_by_name.insert(name, column);
        Some(column)
    }
}

fn label(name: &str) -> Result<LabelColumn, ResourcesError> {
    if !LabelColumn::is_named(name) {
        return Err(ResourcesError::BehindALabel(name.to_owned()));
    }
    LabelColumn::parse(name).ok_or_else(|| ResourcesError::NotALabel(name.to_owned()))
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
        let row = resources.ask(&amounts);
        let order: Vec<&str> = resources.names.iter().map(AsRef::as_ref).collect();
        assert_eq!(order, ["cpu", "memory", "pods", "ephemeral-storage", "example.com/gpu"]);
        assert_eq!(*row, [1500.0, 0.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn labels_stand_behind_the_objective_and_are_no_part_of_it() {
        let mut resources = Resources::new(&names(&["cpu", "label:speed", "label:disk=ssd"])).unwrap();
        assert_eq!((resources.objective(), resources.len()), (1, 5));
        let labels = Labels::from([("speed".to_owned(), "7".to_owned()), ("disk".to_owned(), "ssd".to_owned())]);
        let amounts = Amounts::from([("cpu", Quantity::ONE), ("pods", Quantity::ONE)]);
        assert_eq!(*resources.offer(&amounts, &labels), [1000.0, 7.0, 1.0, 1.0, 0.0]);
        assert_eq!(*resources.ask(&amounts), [1000.0, 0.0, 0.0, 1.0, 0.0], "no pod asks for a label");
    }

    #[test]
    fn a_resource_with_amount_zero_takes_no_column() {
        let mut resources = Resources::new(&names(&["cpu"])).unwrap();
        resources.ask(&Amounts::from([("hugepages-1Gi", Quantity::ZERO)]));
        assert_eq!(resources.len(), 3);
    }

    #[test]
    fn resources_past_the_bound_are_left_out_and_pods_leave_columns_for_what_nodes_offer() {
        let mut resources = Resources::new(&names(&["cpu"])).unwrap();
        let one = Quantity::parse("1").unwrap();
        let many = |whose: &str| (0..100).map(|i| format!("example.com/{whose}{i}")).collect::<Vec<String>>();
        let (asked, offered) = (many("asked"), many("offered"));
        let row = resources.ask(&asked.iter().map(|name| (name.as_str(), one)).collect());
        assert_eq!((resources.len(), row.len()), (MAX_ASKED, MAX_ASKED));
        let row = resources.offer(&offered.iter().map(|name| (name.as_str(), one)).collect(), &Labels::new());
        assert_eq!((resources.len(), row.len()), (MAX_RESOURCES, MAX_RESOURCES));
        assert_eq!(resources.ask(&Amounts::from([("example.com/offered0", one)]))[MAX_ASKED], 1.0);
    }

    #[test]
    fn bad_objectives_are_refused_by_name() {
        assert_eq!(Resources::new(&[]).unwrap_err(), ResourcesError::Empty);
        assert_eq!(Resources::new(&names(&["cpu", "cpu"])).unwrap_err(), ResourcesError::Duplicate("cpu".into()));
        assert_eq!(Resources::new(&names(&[""])).unwrap_err(), ResourcesError::Unnamed);
        assert_eq!(Resources::new(&names(&["label:a"])).unwrap_err(), ResourcesError::Empty);
        assert_eq!(
            Resources::new(&names(&["cpu", "label:/"])).unwrap_err(),
            ResourcesError::NotALabel("label:/".into())
        );
        assert_eq!(
            Resources::new(&names(&["cpu", "label:a", "memory"])).unwrap_err(),
            ResourcesError::BehindALabel("memory".into())
        );
        assert_eq!(Resources::new(&vec!["x".into(); 33]).unwrap_err(), ResourcesError::TooMany(33));
    }
}
