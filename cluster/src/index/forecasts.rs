//! What nodes are expected to use soon, beside what their pods ask for.
//!
//! A forecast knows the pods that ran while its data was collected. Pods that came later count on top of it with what
//! they are expected to use, so that a burst is not sent to the node that was idle a minute ago. So do all pods of a node
//! that nothing is forecast of, one that has just started for instance; and a pod that is told to go counts until it is
//! gone.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use foldhash::HashMap;

use super::Index;
use crate::pod::Tenant;
use crate::quantity::LARGEST_AMOUNT;

/// How long before the end of a forecast's data a pod must have been bound to be part of it, in seconds: rates are means
/// over some minutes, and a container takes a while to start.
const SETTLING: i64 = 60;

/// What one node is expected to use.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeForecast {
    /// The node.
    pub node: Arc<str>,
    /// By resource name.
    pub uses: Vec<(Arc<str>, Use)>,
    /// The newest data that it rests on, in seconds since 1970.
    pub data_until: i64,
}

/// What all pods of one workload are expected to use together.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadForecast {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name: that of what controls its pods, a Deployment's in place of a `ReplicaSet`'s; a lone pod's own.
    pub name: Arc<str>,
    /// By resource name. Shares are shares of no known node and left out.
    pub uses: Vec<(Arc<str>, Use)>,
    /// The newest data that it rests on, in seconds since 1970.
    pub data_until: i64,
}

/// The forecast use of one resource.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Use {
    /// The unit of the two quantiles.
    pub unit: UseUnit,
    /// The median over the horizon, finite and at least 0.
    pub p50: f64,
    /// The largest 0.9 quantile over the horizon, finite and at least 0.
    pub p90: f64,
}

/// The unit of a forecast use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseUnit {
    /// Share of what the node offers; 1 is all of it.
    Share,
    /// The resource's own unit in Kubernetes: cores, bytes.
    Base,
}

impl UseUnit {
    /// A number of this unit in the unit of the columns, which is millicores for cpu.
    fn amount(self, number: f64, resource: &str, allocatable: f64) -> f64 {
        let amount = match self {
            Self::Share => number * allocatable,
            Self::Base if resource == "cpu" => number * 1_000.0,
            Self::Base => number,
        };
        amount.clamp(0.0, LARGEST_AMOUNT)
    }
}

impl Index {
    /// Takes the forecasts of all nodes in the place of those it had; a node or resource that is not named has none.
    /// True if that changed anything.
    ///
    /// Without any forecast or estimate the columns of use are empty. With some, a pair of node and resource that has none
    /// is expected to use what its pods are, and has 0 as its 0.9 quantile, which stands for "not known".
    pub fn set_forecasts(&mut self, forecasts: impl IntoIterator<Item = NodeForecast>) -> bool {
        let by_node: HashMap<Arc<str>, NodeForecast> =
            forecasts.into_iter().map(|forecast| (Arc::clone(&forecast.node), forecast)).collect();
        if by_node == self.forecast_by_node {
            return false;
        }
        self.state.foreseen = self.change();
        self.forecast_by_node = by_node;
        self.take_uses();
        true
    }

    /// Takes the forecasts of workloads in the place of those it had: what one of their pods is expected to use is the
    /// forecast over the pods that ran while its data was collected. True if that changed anything.
    pub fn set_workloads(&mut self, forecasts: impl IntoIterator<Item = WorkloadForecast>) -> bool {
        let forecasts: Vec<WorkloadForecast> = forecasts.into_iter().collect();
        let known: HashMap<Box<str>, &WorkloadForecast> =
            forecasts.iter().map(|forecast| (key(forecast), forecast)).collect();
        let pods_by_workload = self.count_pods(&known);
        let uses = known.into_iter().filter_map(|(workload, forecast)| {
            let pods = *pods_by_workload.get(&workload)?;
            let one = |(resource, expected): &(Arc<str>, Use)| match expected.unit {
                UseUnit::Share => None,
                UseUnit::Base => Some((Arc::clone(resource), expected.unit.amount(expected.p50 / pods, resource, 0.0))),
            };
            Some((workload, forecast.uses.iter().filter_map(one).collect()))
        });
        let estimator = self.state.estimator.with_uses(uses.collect());
        if estimator == *self.state.estimator {
            return false;
        }
        self.state.foreseen = self.change();
        self.state.estimator = Arc::new(estimator);
        self.take_uses();
        true
    }

    /// How many pods each workload had while its data was collected.
    fn count_pods(&self, known: &HashMap<Box<str>, &WorkloadForecast>) -> HashMap<Box<str>, f64> {
        let mut pods_by_workload = HashMap::default();
        for tenant in self.tenants_by_node.values().flat_map(BTreeMap::values) {
            let Some((workload, forecast)) = known.get_key_value(&tenant.origin.workload) else { continue };
            if tenant.since <= forecast.data_until - SETTLING {
                *pods_by_workload.entry(workload.clone()).or_insert(0.0) += 1.0;
            }
        }
        pods_by_workload
    }

    /// Writes the columns of use anew. The caller has begun the change.
    fn take_uses(&mut self) {
        let generation = self.state.generation;
        let had_any = !self.state.used_p50.is_empty();
        self.shape_use();
        if had_any == self.state.used_p50.is_empty() {
            self.state.shaped = generation;
        }
        for row in 0..self.slots.len() as u32 {
            if self.write_use(row) {
                Arc::make_mut(&mut self.state.changed)[row as usize] = generation;
            }
        }
    }

    /// Gives the columns of use the length of the others, or none without forecasts and estimates.
    pub(super) fn shape_use(&mut self) {
        let is_known = !self.forecast_by_node.is_empty() || self.state.estimator.is_active();
        let cells = if is_known { self.state.allocatable.len() } else { 0 };
        for column in [&mut self.state.used_p50, &mut self.state.used_p90] {
            if column.len() != cells {
                Arc::make_mut(column).resize(cells, 0.0);
            }
        }
    }

    /// Brings a row's use in step with its forecast, offer and pods. True if it changed.
    pub(super) fn write_use(&mut self, row: u32) -> bool {
        if self.state.used_p50.is_empty() {
            return false;
        }
        let columns = self.columns(row);
        let (p50, p90) = self.uses(row, columns.clone());
        let median = super::rows::write(&mut self.state.used_p50, columns.clone(), &p50);
        super::rows::write(&mut self.state.used_p90, columns, &p90) || median
    }

    /// What some of a node's pods are expected to use together; `asked` is what they ask for.
    fn sum_uses(&self, node: &str, asked: &[f64], counts: impl Fn(&Tenant) -> bool) -> Vec<f64> {
        let Self { state, .. } = self;
        if !state.estimator.is_active() {
            return asked.to_vec();
        }
        let estimate = |tenant: &Tenant| {
            state.estimator.estimate(&tenant.request, &tenant.origin, &state.resources, state.objective)
        };
        let tenants = self.tenants_by_node.get(node).into_iter().flat_map(BTreeMap::values);
        let uses: Vec<Vec<f64>> = tenants.filter(|tenant| counts(tenant)).map(estimate).collect();
        self.sum(uses.iter().map(Vec::as_slice))
    }

    fn uses(&self, row: u32, columns: Range<usize>) -> (Vec<f64>, Vec<f64>) {
        let mut p90 = vec![0.0; columns.len()];
        let Some(node) = self.state.names[row as usize].as_ref() else { return (p90.clone(), p90) };
        let mut p50 = self.sum_uses(node, &self.state.requested[columns.clone()], |_| true);
        let Some(forecast) = self.forecast_by_node.get(node) else { return (p50, p90) };
        let settled = forecast.data_until - SETTLING;
        let newer = self.sum_requests_since(&forecast.node, settled);
        let newer = self.sum_uses(node, &newer, |tenant| tenant.since > settled);
        for (resource, expected) in &forecast.uses {
            let Some(column) = self.state.resources.iter().position(|name| name == resource) else { continue };
            let offered = self.state.allocatable[columns.start + column];
            let amount = |number| (expected.unit.amount(number, resource, offered) + newer[column]).min(LARGEST_AMOUNT);
            (p50[column], p90[column]) = (amount(expected.p50), amount(expected.p90));
        }
        (p50, p90)
    }
}

/// As [`Origin`](crate::estimates::Origin) names it.
fn key(forecast: &WorkloadForecast) -> Box<str> {
    format!("{}/{}", forecast.namespace, forecast.name).into()
}

#[cfg(test)]
mod tests;
