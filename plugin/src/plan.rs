//! Plan: a joint assignment of many pods, by the search that the settings name.
//!
//! Filter's guard against hot rows counts here too, and for all pods of the plan together: no more are planned on a row
//! than it would let there one after the other. As it waves pods through where all rows with room run hot, so does the
//! plan: pods that find no row which stays cool are exempt. They are planned as if nothing were forecast, and do not count
//! for the others.

use std::{collections::BTreeMap, sync::Arc};

use gantry_solver::{
    budget,
    domain::DomainClass as Domain,
    greedy,
    problem::{Genome, Problem as _, UNASSIGNED},
    problems::placement::{
        Assignment, Force, Groups, Limit, Moves, NodeColumns, Placement, PlacementError, PodColumns, Risk, Rule, Terms,
    },
    scalarise::Scalarisation,
    solver::Evolution,
};

use crate::{
    heat::{Columns, Heat},
    search::search,
    settings::Settings,
    state::Cluster,
    types::{self, Budget, DomainClass, Error, GroupRule, Plan, Pods, TerminationReason},
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
    let earlier = earlier_rows(pods);
    let mut question = Question::new(cluster, pods, settings);
    let mut placement = question.placement(&earlier)?;
    if question.heat.is_some() {
        // Who finds no cool row when one is placed after the other, those first who have the least choice, beside those
        // that stay where they were planned before.
        let start = placement.seed(&earlier).unwrap_or_else(|_| vec![UNASSIGNED; placement.items()]);
        let (tried, _) = greedy::complete(&placement, &start, &Scalarisation::default());
        if question.excuse(&placement.assignment(&tried.genome).unplaced) {
            placement = question.placement(&earlier)?;
        }
    }
    let seeds: Vec<Genome> = placement.seed(&earlier).into_iter().collect();
    let seeds = if pods.warm_start.is_empty() { &[][..] } else { &seeds };
    let evolution = search(&placement, seeds, budget.evaluations, seed, settings);
    let mut assignment = placement.assignment(&evolution.best.genome);
    if question.heat.is_some() && question.excuse(&assignment.unplaced) {
        placement = question.placement(&earlier)?;
        assignment = placement.assignment(&genome(&placement, &assignment));
    }
    Ok(answer(&placement, &assignment, &evolution))
}

/// What is to be planned, and who of it minds the heat.
struct Question<'a> {
    cluster: &'a Cluster,
    pods: &'a Pods,
    settings: &'a Settings,
    /// None where nothing is forecast.
    heat: Option<Heat>,
    /// The pods that find no row which stays cool.
    exempt: Vec<bool>,
}

impl<'a> Question<'a> {
    /// All pods mind the heat.
    fn new(cluster: &'a Cluster, pods: &'a Pods, settings: &'a Settings) -> Self {
        let heat = Heat::new(&cluster.snapshot, settings.hot_share);
        Self { cluster, pods, settings, heat, exempt: vec![false; pods.classes.len()] }
    }

    /// Lets these pods go where it is hot; whether one of them could not before.
    fn excuse(&mut self, pods: &[u32]) -> bool {
        let excused = pods.iter().map(|&pod| !std::mem::replace(&mut self.exempt[pod as usize], true));
        excused.fold(false, |any, excused| any | excused)
    }

    fn placement(&self, earlier: &[Option<u32>]) -> Result<Placement, Error> {
        let snapshot = &self.cluster.snapshot;
        let columns = match &self.heat {
            None => Columns::plain(snapshot, self.pods),
            Some(heat) => heat.columns(snapshot, self.pods, &self.exempt),
        };
        let (domains, class_by_pod) = self.domains();
        let nodes = NodeColumns {
            resources: columns.resources,
            allocatable: &columns.allocatable,
            requested: &columns.requested,
            weights: &columns.weights,
        };
        let asked = PodColumns { requests: &columns.requests, class_by_pod: &class_by_pod };
        let placement = Placement::new(&nodes, &asked, &domains, self.settings.objective.into());
        let placement = placement.and_then(|placement| placement.with_loads(&columns.loads()));
        let terms = terms(&columns.used_p90, earlier, self.settings);
        let placement = placement.and_then(|placement| placement.with_terms(&terms));
        let placement = placement.expect("invariant: all columns were checked");
        bound(placement, self.pods).map_err(|error| fault(&error))
    }

    /// The classes that the pods have, one for those that mind the heat and one for those that are exempt, and which of
    /// them each pod has.
    fn domains(&self) -> (Vec<Arc<Domain>>, Vec<u32>) {
        let mut index_by_class = BTreeMap::new();
        let mut domains = Vec::new();
        let class_by_pod = self.pods.classes.iter().zip(&self.exempt).map(|(id, exempt)| {
            *index_by_class.entry((*id, *exempt)).or_insert_with(|| {
                domains.push(Arc::new(self.domain(&self.cluster.class_by_id[id], *exempt)));
                domains.len() as u32 - 1
            })
        });
        let class_by_pod = class_by_pod.collect();
        (domains, class_by_pod)
    }

    /// A plan must satisfy Kubernetes and the admins alike, and not plan what Filter would refuse.
    fn domain(&self, class: &DomainClass, exempt: bool) -> Domain {
        let mut words: Vec<u64> = class.possible.iter().zip(&class.permitted).map(|(one, other)| one & other).collect();
        if let Some(heat) = self.heat.as_ref().filter(|_| !exempt) {
            let hot = (0..self.cluster.rows()).filter(|&row| heat.is_hot(row));
            hot.for_each(|row| words[row / 64] &= !(1 << (row % 64)));
        }
        let domain = Domain::from_words(self.cluster.snapshot.rows, &words);
        let domain = domain.expect("invariant: the bitmap's length was checked");
        if class.preference.is_empty() {
            return domain;
        }
        domain.with_preferences(&class.preference).expect("invariant: the preferences were checked")
    }
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

/// The row of each pod in the warm start; empty without one.
fn earlier_rows(pods: &Pods) -> Vec<Option<u32>> {
    pods.warm_start.iter().map(|&row| u32::try_from(row).ok()).collect()
}

/// The terms that have a weight and something to weigh: moves need a warm start, risk a forecast.
fn terms<'a>(used_p90: &'a [f64], earlier: &'a [Option<u32>], settings: &Settings) -> Terms<'a> {
    let moves = if earlier.is_empty() { 0.0 } else { settings.move_weight };
    let risk = if used_p90.is_empty() { 0.0 } else { settings.risk_weight };
    Terms {
        mean_load: settings.mean_load_weight,
        moves: Moves { weight: moves, row_by_pod: earlier },
        risk: Risk { weight: risk, forecast: used_p90, threshold: 100.0 * settings.hot_share },
    }
}

/// The genome that an assignment stands for.
fn genome(placement: &Placement, assignment: &Assignment) -> Genome {
    placement.seed(&assignment.row_by_pod).expect("invariant: an assignment has a row entry a pod")
}

fn answer(placement: &Placement, assignment: &Assignment, evolution: &Evolution) -> Plan {
    let spread = placement.spread(&placement.build(&genome(placement, assignment)));
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
    use crate::{state::Plugin, types::Snapshot};

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
        assert_eq!(planned, [1, 1, 1, 1, 1, 1, 1, 3], "row 2 would run hot with any of them, row 3 with a second one");
    }

    #[test]
    fn pods_that_the_cool_rows_have_no_room_for_together_are_planned_where_it_is_hot() {
        let mut planned = rows(&[95.0, 20.0, 85.0, 80.0], &[0.0; 4], 10);
        planned.sort_unstable();
        assert_eq!(planned, [0, 1, 1, 1, 1, 1, 1, 1, 2, 3]);
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
