//! What nodes are expected to use soon, beside what their pods ask for.
//!
//! A forecast knows the pods that ran while its data was collected. Pods that came later count on top of it with what
//! they ask for, so that a burst is not sent to the node that was idle a minute ago.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::Index;
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
    /// Without any forecast the columns of use are empty. With some, a pair of node and resource that has none is
    /// expected to use what its pods ask for, and has 0 as its 0.9 quantile, which stands for "not known".
    pub fn set_forecasts(&mut self, forecasts: impl IntoIterator<Item = NodeForecast>) -> bool {
        let by_node: HashMap<Arc<str>, NodeForecast> =
            forecasts.into_iter().map(|forecast| (Arc::clone(&forecast.node), forecast)).collect();
        if by_node == self.forecast_by_node {
            return false;
        }
        let appears_or_goes = by_node.is_empty() != self.forecast_by_node.is_empty();
        self.forecast_by_node = by_node;
        let generation = self.change();
        if appears_or_goes {
            self.shape_use();
            self.state.shaped = generation;
        }
        for row in 0..self.slots.len() as u32 {
            if self.write_use(row) {
                Arc::make_mut(&mut self.state.changed)[row as usize] = generation;
            }
        }
        true
    }

    /// Gives the columns of use the length of the others, or none without forecasts.
    pub(super) fn shape_use(&mut self) {
        let cells = if self.forecast_by_node.is_empty() { 0 } else { self.state.allocatable.len() };
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

    fn uses(&self, row: u32, columns: Range<usize>) -> (Vec<f64>, Vec<f64>) {
        let mut p50 = self.state.requested[columns.clone()].to_vec();
        let mut p90 = vec![0.0; p50.len()];
        let forecast = self.state.names[row as usize].as_ref().and_then(|node| self.forecast_by_node.get(node));
        let Some(forecast) = forecast else { return (p50, p90) };
        let newer = self.sum_requests_since(&forecast.node, forecast.data_until - SETTLING);
        for (resource, expected) in &forecast.uses {
            let Some(column) = self.state.resources.iter().position(|name| name == resource) else { continue };
            let offered = self.state.allocatable[columns.start + column];
            let amount = |number| (expected.unit.amount(number, resource, offered) + newer[column]).min(LARGEST_AMOUNT);
            (p50[column], p90[column]) = (amount(expected.p50), amount(expected.p90));
        }
        (p50, p90)
    }
}

#[cfg(test)]
mod tests;
