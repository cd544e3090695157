//! Random clusters for the laws: numbers drawn without mercy.
//!
//! With and without terms and rules between pods. Zero weights, zero capacities, base load, rows without topology value
//! and rules that contradict each other are part of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gantry_solver::domain::DomainClass;
use gantry_solver::problem::{Move, Problem, UNASSIGNED};
use gantry_solver::problems::placement::{
    Force, Groups, Limit, Loads, Moves, NO_VALUE, NodeColumns, Objective, Placement, PodColumns, Risk, Rule, Terms,
};
use gantry_solver::rng::Rng;

/// A cluster with nothing but pods and nodes.
pub(crate) fn plain(rng: &mut Rng, objective: Objective) -> Placement {
    plain_with_live_rows(rng, objective).0
}

/// The same, and which of its rows are nodes: those with a capacity above 0 for one resource.
pub(crate) fn plain_with_live_rows(rng: &mut Rng, objective: Objective) -> (Placement, Vec<bool>) {
    let (rows, pods) = (2 + rng.below(20) as usize, 1 + rng.below(60) as usize);
    let resources = 1 + rng.below(6) as usize;
    let allocatable = numbers(rng, rows * resources, 1_000_000, 0.05);
    let requested = numbers(rng, rows * resources, 300_000, 0.3);
    let weights: Vec<f64> = numbers(rng, rows * resources, 40, 0.2).iter().map(|weight| weight / 10.0).collect();
    let requests = numbers(rng, pods * resources, 90_000, 0.2);
    let class_by_pod: Vec<u32> = (0..pods).map(|_| rng.below(4)).collect();
    let class = |rng: &mut Rng| {
        let values: Vec<u32> = (0..rows as u32).filter(|_| rng.chance(0.7)).collect();
        Arc::new(DomainClass::from_values(rows as u32, &values).unwrap())
    };
    let classes: Vec<_> = (0..4).map(|_| class(rng)).collect();
    let nodes = NodeColumns { resources, allocatable: &allocatable, requested: &requested, weights: &weights };
    let pods = PodColumns { requests: &requests, class_by_pod: &class_by_pod };
    let live = allocatable.chunks_exact(resources).map(|row| row.iter().any(|&capacity| capacity > 0.0)).collect();
    (Placement::new(&nodes, &pods, &classes, objective).unwrap(), live)
}

fn numbers(rng: &mut Rng, count: usize, most: u32, zeros: f64) -> Vec<f64> {
    (0..count).map(|_| if rng.chance(zeros) { 0.0 } else { f64::from(1 + rng.below(most)) }).collect()
}

/// The cluster of `seed`: a third of them plain, a third with terms, a third with terms and rules; of each a half uses
/// something else than it asks for.
pub(crate) fn any(rng: &mut Rng, seed: u64) -> Placement {
    let mut problem = plain(rng, Objective::ALL[seed as usize % Objective::ALL.len()]);
    if seed / 9 % 2 == 1 {
        problem = with_loads(&mut Rng::stream(9, seed), problem);
    }
    match seed / 3 % 3 {
        0 => problem,
        1 => with_terms(rng, problem),
        _ => {
            let groups = OwnedGroups::draw(rng, &problem);
            groups.bind(with_terms(rng, problem))
        }
    }
}

/// Loads that have nothing to do with requests.
fn with_loads(rng: &mut Rng, problem: Placement) -> Placement {
    let used = numbers(rng, problem.rows() * problem.resources(), 900_000, 0.2);
    let estimates = numbers(rng, problem.pods() * problem.resources(), 200_000, 0.2);
    problem.with_loads(&Loads { used: &used, estimates: &estimates }).unwrap()
}

/// Terms with weights of which some are 0.
fn with_terms(rng: &mut Rng, problem: Placement) -> Placement {
    let (rows, resources) = (problem.rows(), problem.resources());
    let row = |rng: &mut Rng| rng.chance(0.8).then(|| rng.below(rows as u32 + 5));
    let row_by_pod: Vec<Option<u32>> = (0..problem.pods()).map(|_| row(rng)).collect();
    let forecast = numbers(rng, rows * resources, 900_000, 0.3);
    let weights = numbers(rng, 3, 50, 0.3);
    let moves = Moves { weight: weights[1] / 10.0, row_by_pod: &row_by_pod };
    let risk = Risk { weight: weights[2] / 1_000.0, forecast: &forecast, threshold: f64::from(rng.below(120)) };
    problem.with_terms(&Terms { mean_load: weights[0] / 100.0, moves, risk }).unwrap()
}

/// Any gene at all: in the domain, outside of it, or none.
pub(crate) fn any_gene(problem: &Placement, item: usize, rng: &mut Rng) -> u32 {
    let domain = problem.domain(item);
    match rng.below(10) {
        0 => UNASSIGNED,
        1..3 => rng.below(domain.universe()),
        _ => domain.draw(rng),
    }
}

/// One gene an item.
pub(crate) fn any_genome(problem: &Placement, rng: &mut Rng) -> Vec<u32> {
    (0..problem.items()).map(|item| any_gene(problem, item, rng)).collect()
}

/// A set or an exchange.
pub(crate) fn any_move(problem: &Placement, rng: &mut Rng) -> Move {
    let items = problem.items() as u32;
    let item = rng.below(items) as usize;
    if rng.chance(0.5) {
        Move::Set { item, value: any_gene(problem, item, rng) }
    } else {
        Move::Swap { first: item, second: rng.below(items) as usize }
    }
}

/// Rules that own their columns.
#[derive(Clone, Debug)]
pub(crate) struct OwnedGroups {
    topologies: Vec<Vec<u32>>,
    rules: Vec<OwnedRule>,
}

#[derive(Clone, Debug)]
struct OwnedRule {
    topology: usize,
    pods: Vec<u32>,
    existing: Vec<(u32, u32)>,
    limit: Limit,
    force: Force,
}

impl OwnedGroups {
    /// Three topologies (each row for itself, some zones, some zones and rows without) and up to six rules, more of
    /// them hard than soft.
    pub(crate) fn draw(rng: &mut Rng, problem: &Placement) -> Self {
        let rows = problem.rows() as u32;
        let zones = 1 + rng.below(5);
        let sparse = (0..rows).map(|_| if rng.chance(0.3) { NO_VALUE } else { 1_000 + rng.below(zones) }).collect();
        let topologies = vec![(0..rows).collect(), (0..rows).map(|_| rng.below(zones)).collect(), sparse];
        let rules = (0..rng.below(7)).map(|_| OwnedRule::draw(rng, problem.pods() as u32, &topologies)).collect();
        Self { topologies, rules }
    }

    pub(crate) fn bind(&self, problem: Placement) -> Placement {
        let topologies: Vec<&[u32]> = self.topologies.iter().map(Vec::as_slice).collect();
        let rules: Vec<Rule<'_>> = self.rules.iter().map(OwnedRule::columns).collect();
        problem.with_groups(&Groups { topologies: &topologies, rules: &rules }).unwrap()
    }

    /// Surplus pods of the hard rules and penalty of the soft ones, counted anew by the definition: pod by pod, with no
    /// more than the rows that pods have.
    pub(crate) fn surplus(&self, row_by_pod: &[Option<u32>], live: &[bool]) -> (u32, f64) {
        let (mut surplus, mut penalty) = (0, 0.0);
        for rule in &self.rules {
            let value = |row: u32| Some(self.topologies[rule.topology][row as usize]).filter(|_| live[row as usize]);
            let known: BTreeSet<u32> =
                (0..live.len() as u32).filter_map(value).filter(|&value| value != NO_VALUE).collect();
            let placed = rule.pods.iter().filter_map(|&pod| row_by_pod[pod as usize]).filter_map(value);
            let count = rule.surplus(&known, placed.filter(|&value| value != NO_VALUE));
            match rule.force {
                Force::Hard => surplus += count,
                Force::Soft(weight) => penalty += weight * f64::from(count),
            }
        }
        (surplus, penalty)
    }
}

impl OwnedRule {
    fn draw(rng: &mut Rng, pods: u32, topologies: &[Vec<u32>]) -> Self {
        let topology = rng.below(topologies.len() as u32) as usize;
        let share = rng.unit();
        let existing = topologies[topology].iter().filter(|_| rng.chance(0.3)).map(|&value| (value, 1)).collect();
        let limit = match rng.below(5) {
            0 => Limit::AtMost(1),
            1 => Limit::AtMost(rng.below(4)),
            2 => Limit::Together,
            _ => Limit::Skew(1 + rng.below(3)),
        };
        let force = if rng.chance(0.7) { Force::Hard } else { Force::Soft(f64::from(rng.below(50)) / 10.0) };
        Self { topology, pods: (0..pods).filter(|_| rng.chance(share)).collect(), existing, limit, force }
    }

    fn columns(&self) -> Rule<'_> {
        let Self { topology, pods, existing, limit, force } = self;
        Rule { topology: *topology, pods, existing, limit: *limit, force: *force }
    }

    fn surplus(&self, known: &BTreeSet<u32>, placed: impl Iterator<Item = u32>) -> u32 {
        let mut there: BTreeMap<u32, u32> = known.iter().map(|&value| (value, 0)).collect();
        for (value, count) in &self.existing {
            there.entry(*value).and_modify(|sum| *sum += count);
        }
        if self.limit == Limit::Together {
            for count in there.values_mut() {
                *count = 0;
            }
        }
        let mut all = there.clone();
        placed.for_each(|value| *all.get_mut(&value).unwrap() += 1);
        let lowest = all.values().min().copied().unwrap_or(0);
        let limit = match self.limit {
            Limit::AtMost(most) => most,
            Limit::Skew(most) => lowest + most,
            Limit::Together => return all.values().sum::<u32>() - all.values().max().unwrap_or(&0),
        };
        all.iter().map(|(value, &count)| (there[value]..count).filter(|&level| level >= limit).count() as u32).sum()
    }
}
