//! Plan: a joint assignment of many pods, by the search that the settings name.

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
    let (domains, class_by_pod) = domains(cluster, pods);
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
fn domains(cluster: &Cluster, pods: &Pods) -> (Vec<Arc<Domain>>, Vec<u32>) {
    let mut index_by_id = BTreeMap::new();
    let mut domains = Vec::new();
    let class_by_pod = pods.classes.iter().map(|id| {
        *index_by_id.entry(*id).or_insert_with(|| {
            domains.push(Arc::new(domain(&cluster.class_by_id[id], cluster.snapshot.rows)));
            domains.len() as u32 - 1
        })
    });
    let class_by_pod = class_by_pod.collect();
    (domains, class_by_pod)
}

/// A plan must satisfy Kubernetes and the admins alike.
fn domain(class: &DomainClass, rows: u32) -> Domain {
    let words: Vec<u64> = class.possible.iter().zip(&class.permitted).map(|(one, other)| one & other).collect();
    let domain = Domain::from_words(rows, &words).expect("invariant: the bitmap's length was checked");
    if class.preference.is_empty() {
        return domain;
    }
    domain.with_preferences(&class.preference).expect("invariant: the preferences were checked")
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
