//! Heat in a joint plan: how much of every row its pods may use together until it runs hot.
//!
//! Promises: no pod that minds the heat is planned on a row where Filter would refuse it beside all the others that mind.
//! Every resource of which something is forecast has one more column in the problem, with weight 0: there a row offers
//! what can be used until it runs hot, and a pod asks for what it is expected to use. So heat is a capacity like any
//! other, and costs nothing where nothing is forecast. Must not know: how plans are searched, or why a pod is exempt.

use std::borrow::Cow;

use gantry_solver::problems::placement::Loads;

use crate::{
    filter::cool,
    state::LARGEST_AMOUNT,
    types::{Pods, Snapshot},
};

/// How much of each row can be used until it runs hot.
pub(crate) struct Heat {
    /// The resources of which something is forecast.
    resources: Vec<usize>,
    /// Row-major, one a row and such a resource: what is left until the row runs hot, below 0 where it does.
    margins: Vec<f64>,
}

impl Heat {
    /// None where nothing is forecast.
    pub(crate) fn new(snapshot: &Snapshot, hot_share: f64) -> Option<Self> {
        if snapshot.used_p90.is_empty() {
            return None;
        }
        let (rows, width) = (snapshot.rows as usize, snapshot.resources as usize);
        let margin = cool(snapshot, hot_share);
        let is_forecast = |resource: &usize| (0..rows).any(|row| margin(row * width + resource) < f64::INFINITY);
        let resources: Vec<usize> = (0..width).filter(is_forecast).collect();
        let cells = (0..rows).flat_map(|row| resources.iter().map(move |resource| row * width + resource));
        let margins = cells.map(&margin).collect();
        (!resources.is_empty()).then_some(Self { resources, margins })
    }

    /// Whether a row runs hot as it is, so that Filter refuses even pods that use nothing.
    pub(crate) fn is_hot(&self, row: usize) -> bool {
        let width = self.resources.len();
        self.margins[row * width..][..width].iter().any(|&margin| margin < 0.0)
    }

    /// A snapshot's columns and the pods', with those of heat behind them. Pods that are exempt ask for nothing there.
    pub(crate) fn columns<'a>(&self, snapshot: &'a Snapshot, pods: &'a Pods, exempt: &[bool]) -> Columns<'a> {
        let (resources, more) = (snapshot.resources as usize, self.resources.len());
        let asked = self.asked(pods, resources, exempt);
        let offered = self.offered(&snapshot.allocatable, resources, &asked);
        let beside = |matrix: &[f64], behind: &[f64]| -> Cow<'a, [f64]> {
            let rows = matrix.chunks_exact(resources).zip(behind.chunks_exact(more));
            rows.flat_map(|(row, behind)| row.iter().chain(behind)).copied().collect()
        };
        let wider = |matrix: &[f64]| beside(matrix, &vec![0.0; matrix.len() / resources * more]);
        Columns {
            resources: resources + more,
            allocatable: beside(&snapshot.allocatable, &offered),
            requested: wider(&snapshot.requested),
            used_p50: wider(&snapshot.used_p50),
            used_p90: wider(&snapshot.used_p90),
            weights: wider(&snapshot.weights),
            requests: beside(&pods.requests, &asked),
            estimates: wider(&pods.estimates),
        }
    }

    /// What each pod is expected to use.
    fn asked(&self, pods: &Pods, resources: usize, exempt: &[bool]) -> Vec<f64> {
        let uses = if pods.estimates.is_empty() { &pods.requests } else { &pods.estimates };
        // An absurd forecast is more than any row bears as well, and all together are to be counted.
        let most = (LARGEST_AMOUNT / exempt.len().max(1) as f64).floor();
        let mut asked = Vec::with_capacity(exempt.len() * self.resources.len());
        for (uses, exempt) in uses.chunks_exact(resources).zip(exempt) {
            let amount = |&resource: &usize| if *exempt { 0.0 } else { uses[resource].ceil().min(most) };
            asked.extend(self.resources.iter().map(amount));
        }
        asked
    }

    /// What each row offers: no more than all pods together ask for, so that a row which never runs hot has a size.
    fn offered(&self, allocatable: &[f64], resources: usize, asked: &[f64]) -> Vec<f64> {
        let width = self.resources.len();
        let mut all = vec![0.0; width];
        for asked in asked.chunks_exact(width) {
            all.iter_mut().zip(asked).for_each(|(all, amount)| *all += amount);
        }
        let mut offered = Vec::with_capacity(self.margins.len());
        for (row, margins) in allocatable.chunks_exact(resources).zip(self.margins.chunks_exact(width)) {
            let is_node = row.iter().any(|&amount| amount >= 1.0);
            let amount = |(margin, all): (&f64, &f64)| margin.min(*all).clamp(0.0, LARGEST_AMOUNT);
            offered.extend(margins.iter().zip(&all).map(|pair| if is_node { amount(pair) } else { 0.0 }));
        }
        offered
    }
}

/// What a problem is made of.
pub(crate) struct Columns<'a> {
    pub(crate) resources: usize,
    pub(crate) allocatable: Cow<'a, [f64]>,
    pub(crate) requested: Cow<'a, [f64]>,
    pub(crate) used_p50: Cow<'a, [f64]>,
    pub(crate) used_p90: Cow<'a, [f64]>,
    pub(crate) weights: Cow<'a, [f64]>,
    pub(crate) requests: Cow<'a, [f64]>,
    pub(crate) estimates: Cow<'a, [f64]>,
}

impl<'a> Columns<'a> {
    /// A snapshot's columns and the pods', as they are.
    pub(crate) fn plain(snapshot: &'a Snapshot, pods: &'a Pods) -> Self {
        Self {
            resources: snapshot.resources as usize,
            allocatable: Cow::Borrowed(&snapshot.allocatable),
            requested: Cow::Borrowed(&snapshot.requested),
            used_p50: Cow::Borrowed(&snapshot.used_p50),
            used_p90: Cow::Borrowed(&snapshot.used_p90),
            weights: Cow::Borrowed(&snapshot.weights),
            requests: Cow::Borrowed(&pods.requests),
            estimates: Cow::Borrowed(&pods.estimates),
        }
    }

    /// What the objective goes by: as in Score, what is used where that is known of nodes.
    pub(crate) fn loads(&self) -> Loads<'_> {
        if self.used_p50.is_empty() {
            return Loads::default();
        }
        Loads { used: &self.used_p50, estimates: &self.estimates }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three rows with two resources: the first is forecast to use 80 of its 100 of the second, the last one is gone.
    fn snapshot() -> Snapshot {
        Snapshot {
            generation: 1,
            rows: 3,
            resources: 2,
            allocatable: vec![100.0, 100.0, 100.0, 100.0, 0.0, 0.0],
            requested: vec![5.0; 6],
            used_p50: vec![7.0; 6],
            used_p90: vec![0.0, 80.0, 0.0, 0.0, 0.0, 0.0],
            planned: Vec::new(),
            weights: vec![1.0; 6],
            classes: Vec::new(),
        }
    }

    fn pods(estimates: Vec<f64>) -> Pods {
        Pods {
            classes: vec![0; 2],
            requests: vec![1.0, 2.0, 3.0, 4.0],
            estimates,
            warm_start: Vec::new(),
            priorities: Vec::new(),
            topologies: Vec::new(),
            rules: Vec::new(),
        }
    }

    #[test]
    fn without_a_forecast_there_is_no_heat() {
        assert!(Heat::new(&Snapshot { used_p90: Vec::new(), ..snapshot() }, 0.9).is_none());
        assert!(Heat::new(&Snapshot { used_p90: vec![0.0; 6], ..snapshot() }, 0.9).is_none());
    }

    #[test]
    fn a_forecast_resource_has_a_column_of_what_is_left_until_rows_run_hot() {
        let (snapshot, pods) = (snapshot(), pods(vec![0.0, 20.0, 0.0, 30.0]));
        let heat = Heat::new(&snapshot, 0.9).unwrap();
        let columns = heat.columns(&snapshot, &pods, &[false, false]);
        assert_eq!(columns.resources, 3);
        // 90 less 80; no more than both pods use where nothing is forecast; nothing of what is no node.
        assert_eq!(*columns.allocatable, [100.0, 100.0, 10.0, 100.0, 100.0, 50.0, 0.0, 0.0, 0.0]);
        assert_eq!(*columns.requests, [1.0, 2.0, 20.0, 3.0, 4.0, 30.0]);
        assert_eq!(*columns.weights, [1.0, 1.0, 0.0].repeat(3));
        assert_eq!(*columns.estimates, [0.0, 20.0, 0.0, 0.0, 30.0, 0.0]);
    }

    #[test]
    fn pods_without_an_estimate_use_what_they_ask_for_and_exempt_ones_nothing() {
        let (snapshot, pods) = (snapshot(), pods(Vec::new()));
        let columns = Heat::new(&snapshot, 0.9).unwrap().columns(&snapshot, &pods, &[true, false]);
        assert_eq!(*columns.requests, [1.0, 2.0, 0.0, 3.0, 4.0, 4.0]);
        assert!(columns.estimates.is_empty());
    }

    #[test]
    fn a_row_that_runs_hot_as_it_is_is_told_from_one_that_is_about_to() {
        let heat = |share: f64| Heat::new(&snapshot(), share).unwrap();
        assert!(heat(0.7).is_hot(0) && !heat(0.8).is_hot(0) && !heat(0.7).is_hot(1));
    }
}
