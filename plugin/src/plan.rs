//! Plan: a joint assignment of many pods, by the search that the settings name.
//!
//! Filter's guard against hot rows counts here too: where it would refuse every pod of a class, none is planned. As it
//! waves pods through where all rows with room run hot, so does the plan.

use std::{collections::BTreeMap, sync::Arc};

use gantry_solver::{
    budget,
    domain::DomainClass as Domain,
    problem::{Genome, Problem as _},
    problems::placement::{
        Assignment, Force, Groups, Limit, Loads, Moves, NodeColumns, Placement, PlacementError, PodColumns, Risk, Rule,
        Terms,
    },
    solver::Evolution,
};

use crate::{
    filter::cool,
    search::search,
    settings::Settings,
    state::Cluster,
    types::{self, Budget, DomainClass, Error, GroupRule, Plan, Pods, Snapshot, TerminationReason},
};

const UNPLACED: i32 = -1;

/// The best assignment of `pods` found within `budget`; columns and rows were checked. The objective vector is: what
/// the settings minimise, σ of the nodes' mean load, and the mean of the latter, in percentage points.
///
/// # Errors
/// [`Error::BadShape`] or [`Error::BadNumber`] for faulty rules or priorities.
pub(crate) fn plan(
    cluster: &Cluster,
    pods: &Pods,
    budget: Budget,
    seed: u64,
    settings: &Settings,
) -> Result<Plan, Error> {
    let placement = bound(problem(cluster, pods, settings), pods).map_err(|error| fault(&error))?;
    let seeds: Vec<Genome> = placement.seed(&earlier_rows(pods)).into_iter().collect();
    let seeds = if pods.warm_start.is_empty() { &[][..] } else { &seeds };
    let evolution = search(&placement, seeds, budget.evaluations, seed, settings);
    Ok(answer(&placement, &placement.assignment(&evolution.best.genome), &evolution))
}

/// The problem under the pods' own rules and priorities.
fn bound(placement: Placement, pods: &Pods) -> Result<Placement, PlacementError> {
    let topologies: Vec<&[u32]> = pods.topologies.iter().map(Vec::as_slice).collect();
    let rules: Vec<Rule<'_>> = pods.rules.iter().map(rule).collect();
    let placement = placement.with_groups(&Groups { topologies: &topologies, rules: &rules })?;
    if pods.priorities.is_empty() { Ok(placement) } else { placement.with_priorities(&pods.priorities) }
}

fn rule(rule: &GroupRule) -> Rule<'_> {
    let limit = match rule.limit {
        types::Limit::AtMost(most) => Limit::AtMost(most),
        types::Limit::Skew(most) => Limit::Skew(most),
        types::Limit::Together => Limit::Together,
    };
    let force = match rule.force {
        types::Force::Hard => Force::Hard,
        types::Force::Soft(weight) => Force::Soft(weight),
    };
    Rule { topology: rule.topology as usize, pods: &rule.pods, existing: &rule.existing, limit, force }
}

fn fault(error: &PlacementError) -> Error {
    if matches!(error, PlacementError::Number { .. }) { Error::BadNumber } else { Error::BadShape }
}

fn problem(cluster: &Cluster, pods: &Pods, settings: &Settings) -> Placement {
    let snapshot = &cluster.snapshot;
    let (domains, class_by_pod) = domains(cluster, pods, settings.hot_share);
    let nodes = NodeColumns {
        resources: cluster.resources(),
        allocatable: &snapshot.allocatable,
        requested: &snapshot.requested,
        weights: &snapshot.weights,
    };
    let columns = PodColumns { requests: &pods.requests, class_by_pod: &class_by_pod };
    let earlier = earlier_rows(pods);
    let placement = Placement::new(&nodes, &columns, &domains, settings.objective.into());
    let placement = placement.and_then(|placement| placement.with_loads(&loads(snapshot, pods)));
    let terms = terms(snapshot, &earlier, settings);
    placement.and_then(|placement| placement.with_terms(&terms)).expect("invariant: all columns were checked")
}

/// What the objective goes by: as in Score, what is used where that is known of nodes.
fn loads<'a>(snapshot: &'a Snapshot, pods: &'a Pods) -> Loads<'a> {
    if snapshot.used_p50.is_empty() {
        return Loads::default();
    }
    Loads { used: &snapshot.used_p50, estimates: &pods.estimates }
}

/// The row of each pod in the warm start; empty without one.
fn earlier_rows(pods: &Pods) -> Vec<Option<u32>> {
    pods.warm_start.iter().map(|&row| u32::try_from(row).ok()).collect()
}

/// The terms that have a weight and something to weigh: moves need a warm start, risk a forecast.
fn terms<'a>(snapshot: &'a Snapshot, earlier: &'a [Option<u32>], settings: &Settings) -> Terms<'a> {
    let moves = if earlier.is_empty() { 0.0 } else { settings.move_weight };
    let risk = if snapshot.used_p90.is_empty() { 0.0 } else { settings.risk_weight };
    Terms {
        mean_load: settings.mean_load_weight,
        moves: Moves { weight: moves, row_by_pod: earlier },
        risk: Risk { weight: risk, forecast: &snapshot.used_p90, threshold: 100.0 * settings.hot_share },
    }
}

/// The classes that the pods have, and which of them each pod has.
fn domains(cluster: &Cluster, pods: &Pods, hot_share: f64) -> (Vec<Arc<Domain>>, Vec<u32>) {
    let least_by_class = least_by_class(pods, cluster.resources());
    let mut index_by_id = BTreeMap::new();
    let mut domains = Vec::new();
    let class_by_pod = pods.classes.iter().map(|id| {
        *index_by_id.entry(*id).or_insert_with(|| {
            let (class, least) = (&cluster.class_by_id[id], &least_by_class[id]);
            domains.push(Arc::new(domain(class, least, &cluster.snapshot, hot_share)));
            domains.len() as u32 - 1
        })
    });
    let class_by_pod = class_by_pod.collect();
    (domains, class_by_pod)
}

/// What every pod of a class needs at the least, one number a resource.
struct Least {
    request: Vec<f64>,
    estimate: Vec<f64>,
}

fn least_by_class(pods: &Pods, resources: usize) -> BTreeMap<u32, Least> {
    let mut least_by_class = BTreeMap::new();
    for (pod, id) in pods.classes.iter().enumerate() {
        let cells = pod * resources..(pod + 1) * resources;
        let request = &pods.requests[cells.clone()];
        let estimate = if pods.estimates.is_empty() { request } else { &pods.estimates[cells] };
        let unlimited = || Least { request: vec![f64::INFINITY; resources], estimate: vec![f64::INFINITY; resources] };
        let least: &mut Least = least_by_class.entry(*id).or_insert_with(unlimited);
        for (least, amounts) in [(&mut least.request, request), (&mut least.estimate, estimate)] {
            least.iter_mut().zip(amounts).for_each(|(least, amount)| *least = least.min(*amount));
        }
    }
    least_by_class
}

/// A plan must satisfy Kubernetes and the admins alike, and not plan what Filter would refuse.
fn domain(class: &DomainClass, least: &Least, snapshot: &Snapshot, hot_share: f64) -> Domain {
    let open: Vec<u64> = class.possible.iter().zip(&class.permitted).map(|(one, other)| one & other).collect();
    let words = cool_rows(&open, least, snapshot, hot_share).unwrap_or(open);
    let domain = Domain::from_words(snapshot.rows, &words).expect("invariant: the bitmap's length was checked");
    if class.preference.is_empty() {
        return domain;
    }
    domain.with_preferences(&class.preference).expect("invariant: the preferences were checked")
}

/// The rows of `open` that would not run hot with any pod of a class. `None` where none of them has room for one:
/// Filter refuses nobody for heat where no other row is left.
fn cool_rows(open: &[u64], least: &Least, snapshot: &Snapshot, hot_share: f64) -> Option<Vec<u64>> {
    if snapshot.used_p90.is_empty() {
        return None;
    }
    let resources = snapshot.resources as usize;
    let margin = cool(snapshot, hot_share);
    let is_cool = |row: usize| (0..resources).all(|r| least.estimate[r] <= margin(row * resources + r));
    let has_room = |row: usize| {
        (row * resources..)
            .zip(&least.request)
            .all(|(cell, asked)| *asked == 0.0 || snapshot.requested[cell] + asked <= snapshot.allocatable[cell])
    };
    let (mut words, mut is_any_able) = (open.to_vec(), false);
    for row in (0..snapshot.rows as usize).filter(|row| open[row / 64] >> (row % 64) & 1 == 1) {
        if is_cool(row) {
            is_any_able |= has_room(row);
        } else {
            words[row / 64] &= !(1 << (row % 64));
        }
    }
    is_any_able.then_some(words)
}

fn answer(placement: &Placement, assignment: &Assignment, evolution: &Evolution) -> Plan {
    let genome = placement.seed(&assignment.row_by_pod).expect("invariant: an assignment has a row entry a pod");
    let spread = placement.spread(&placement.build(&genome));
    let objective = assignment.score.objectives.as_slice().iter().copied().chain([spread.sigma, spread.mean]).collect();
    Plan {
        rows: assignment.row_by_pod.iter().map(|row| row.map_or(UNPLACED, |row| row as i32)).collect(),
        objective,
        violation: assignment.score.violation,
        evaluations: evolution.evaluations,
        generations: u32::try_from(evolution.generations).unwrap_or(u32::MAX),
        reason: reason(evolution.reason),
    }
}

fn reason(reason: budget::TerminationReason) -> TerminationReason {
    match reason {
        // Converged for practical purposes is converged.
        budget::TerminationReason::Converged | budget::TerminationReason::Stalled => TerminationReason::Converged,
        budget::TerminationReason::Generations => TerminationReason::Generations,
        budget::TerminationReason::Trivial => TerminationReason::Trivial,
        // No stop is ever given to a search here: what else ends one is its budget.
        _ => TerminationReason::Budget,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Plugin;

    const OFFERED: f64 = 100.0;

    /// The rows of pods that ask for 10 each, on rows of [`OFFERED`] that use so much at their 0.9 quantile, and are
    /// asked for so much; nothing else tells the rows apart.
    fn rows(p90: &[f64], requested: &[f64], pods: usize) -> Vec<i32> {
        let rows = p90.len();
        let class = DomainClass { id: 0, possible: vec![!0], permitted: vec![!0], preference: Vec::new() };
        let snapshot = Snapshot {
            generation: 1,
            rows: rows as u32,
            resources: 1,
            allocatable: vec![OFFERED; rows],
            requested: requested.to_vec(),
            used_p50: vec![10.0; rows],
            used_p90: p90.to_vec(),
            planned: Vec::new(),
            weights: vec![1.0; rows],
            classes: vec![class],
        };
        let asked = Pods {
            classes: vec![0; pods],
            requests: vec![10.0; pods],
            estimates: Vec::new(),
            warm_start: Vec::new(),
            priorities: Vec::new(),
            topologies: Vec::new(),
            rules: Vec::new(),
        };
        let mut plugin = Plugin::default();
        plugin.push_snapshot(snapshot).unwrap();
        plugin.plan(&asked, Budget { evaluations: 10_000 }, 1).unwrap().rows
    }

    #[test]
    fn rows_that_filter_would_refuse_for_running_hot_are_planned_for_nobody() {
        let mut planned = rows(&[95.0, 20.0, 85.0, 80.0], &[0.0; 4], 8);
        planned.sort_unstable();
        assert_eq!(planned, [1, 1, 1, 1, 3, 3, 3, 3], "row 2 would run hot with any of them");
    }

    #[test]
    fn where_every_row_with_room_runs_hot_pods_are_planned_all_the_same() {
        assert_eq!(rows(&[95.0, 20.0], &[0.0, 95.0], 2), [0, 0]);
        assert_eq!(rows(&[95.0], &[0.0], 1), [0]);
    }

    #[test]
    fn rows_of_which_nothing_is_forecast_run_hot_for_nobody() {
        assert_eq!(rows(&[0.0, 95.0], &[0.0; 2], 2), [0, 0]);
    }
}
