//! Pheromone: what the colony remembers.
//!
//! Promises: `τ[k][prev][v]` for an item with a context, as long as its pairs are not too many, and `τ[i][v]` for every
//! other, so memory is linear in the sum of the domains' lengths where there is no context; items of one class share
//! trails where that would be too much. Must not know: who deposits.

use std::collections::BTreeMap;
use std::ops::Range;

use super::fitness::root;
use crate::domain::Domain;
use crate::problem::Problem;

/// The most levels of an interval's grid that trails lead to: a real number needs a grid, and a finer one would spread
/// pheromone so thin that ants would not find it again.
const MOST_LEVELS: u32 = 64;

/// The most pairs of values for which an item's trails start from its context; 8 MiB. Larger items forget where an ant
/// comes from.
const MOST_PAIRS: u64 = 1 << 20;

/// The most trails that items have for themselves; 16 MiB. Past it no item knows where an ant comes from, and items whose
/// choices are of one class share trails: the ants then learn which values suit a class, and memory is that of the
/// classes.
const MOST_TRAILS: u64 = 1 << 21;

/// Pheromone on every way that an ant can take, and the order in which it visits the items.
#[derive(Clone, Debug, PartialEq)]
pub struct Trails {
    /// Every item once, after its context.
    order: Vec<u32>,
    context_by_item: Vec<Option<u32>>,
    /// How many choices an item has.
    width_by_item: Vec<u32>,
    /// Where the rows of an item begin.
    start_by_item: Vec<usize>,
    tau: Vec<f64>,
}

impl Trails {
    /// The trails of a problem, with the same pheromone everywhere.
    #[must_use]
    pub fn new<P: Problem>(problem: &P, tau: f64) -> Self {
        let items = problem.items();
        let width_by_item: Vec<u32> = (0..items).map(|item| choices(&problem.domain(item))).collect();
        let (order, mut context_by_item) = visiting_order(problem);
        for (item, context) in context_by_item.iter_mut().enumerate() {
            let pairs = |context: u32| u64::from(width_by_item[context as usize]) * u64::from(width_by_item[item]);
            *context = context.filter(|&context| pairs(context) <= MOST_PAIRS);
        }
        let trails = |item: usize, context: Option<u32>| {
            let rows = context.map_or(1, |context| width_by_item[context as usize]);
            u64::from(rows) * u64::from(width_by_item[item])
        };
        let own: u64 = context_by_item.iter().enumerate().map(|(item, &context)| trails(item, context)).sum();
        if own > MOST_TRAILS {
            context_by_item.fill(None);
            let (start_by_item, total) = shared_starts(problem, &width_by_item);
            return Self { order, context_by_item, width_by_item, start_by_item, tau: vec![tau; total] };
        }
        let mut start_by_item = Vec::with_capacity(items);
        let mut total = 0;
        for (item, &context) in context_by_item.iter().enumerate() {
            start_by_item.push(total);
            total += trails(item, context) as usize;
        }
        Self { order, context_by_item, width_by_item, start_by_item, tau: vec![tau; total] }
    }

    /// The items in the order in which an ant visits them.
    pub(super) fn order(&self) -> impl Iterator<Item = usize> + use<'_> {
        self.order.iter().map(|&item| item as usize)
    }

    /// Where the trails to an item are, if its context has the choice that `chosen` says.
    pub(super) fn row(&self, item: usize, chosen: &[u32]) -> Range<usize> {
        let from = self.context_by_item[item].map_or(0, |context| chosen[context as usize] as usize);
        let width = self.width_by_item[item] as usize;
        let start = self.start_by_item[item] + from * width;
        start..start + width
    }

    pub(super) fn pheromone(&self, row: Range<usize>) -> &[f64] {
        &self.tau[row]
    }

    pub(super) fn wipe(&mut self, step: usize, phi: f64, tau_0: f64) {
        self.tau[step] = (1.0 - phi) * self.tau[step] + phi * tau_0;
    }

    /// The first term of eq. (4) \[R\]: `(1 - ρ) τ` everywhere.
    pub fn evaporate(&mut self, rho: f64) {
        self.tau.iter_mut().for_each(|tau| *tau *= 1.0 - rho);
    }

    /// The second term of eq. (4) \[R\]: more on every way that a vector takes.
    pub fn deposit<P: Problem>(&mut self, problem: &P, genome: &[u32], amount: f64) {
        let place = |(item, &gene): (usize, &u32)| place(&problem.domain(item), gene);
        let chosen: Vec<u32> = genome.iter().enumerate().map(place).collect();
        for item in 0..chosen.len() {
            let step = self.row(item, &chosen).start + chosen[item] as usize;
            self.tau[step] += amount;
        }
    }

    /// Eq. (5) and (6) \[R\]: `τ_min` and `τ_max` (Stützle, Hoos 2000, doi:10.1016/S0167-739X(00)00043-1),
    /// `τ_min = τ_max (1 - r) / ((n/2 - 1) r)` with `r = p_b^(1/m)`, `m` items and `n` choices in the mean.
    ///
    /// \[I\] For few items or few choices the formula has no answer or one above `τ_max`; `τ_min` is at most half of
    /// `τ_max`, so that trails can differ.
    #[must_use]
    pub fn limits(&self, tau_max: f64, best_path_chance: f64) -> (f64, f64) {
        let items = self.width_by_item.len();
        let choices = self.width_by_item.iter().map(|&width| f64::from(width)).sum::<f64>() / items as f64;
        let root = root(best_path_chance, items);
        let others = 0.5 * choices - 1.0;
        let tau_min = if others > 0.0 { tau_max * (1.0 - root) / (others * root) } else { tau_max };
        (tau_min.min(0.5 * tau_max), tau_max)
    }

    /// Brings all pheromone between two limits.
    pub fn clamp(&mut self, least: f64, most: f64) {
        self.tau.iter_mut().for_each(|tau| *tau = tau.max(least).min(most));
    }

    /// How many numbers are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tau.len()
    }

    /// Whether there is no way at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tau.is_empty()
    }
}

/// Where the trails of each item begin if items of one class share them, and how many there are then.
fn shared_starts<P: Problem>(problem: &P, width_by_item: &[u32]) -> (Vec<usize>, usize) {
    let mut start_by_class = BTreeMap::new();
    let mut total = 0;
    let mut next = |width: u32| {
        total += width as usize;
        total - width as usize
    };
    let start = |(item, &width): (usize, &u32)| match problem.domain(item) {
        Domain::Choices(class) => *start_by_class.entry(std::ptr::from_ref(class)).or_insert_with(|| next(width)),
        Domain::Interval(_) => next(width),
    };
    let start_by_item = width_by_item.iter().enumerate().map(start).collect();
    (start_by_item, total)
}

/// Items after their context, and otherwise in their order; an item whose context leads back to itself has none.
fn visiting_order<P: Problem>(problem: &P) -> (Vec<u32>, Vec<Option<u32>>) {
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        Ahead,
        UnderWay,
        Done,
    }
    let items = problem.items();
    let valid = |item: usize| problem.context(item).filter(|&context| context < items);
    let mut context_by_item: Vec<Option<u32>> = (0..items).map(|item| valid(item).map(|item| item as u32)).collect();
    let mut visits = vec![Visit::Ahead; items];
    let (mut order, mut open) = (Vec::with_capacity(items), Vec::new());
    for item in 0..items as u32 {
        let mut next = Some(item);
        while let Some(item) = next.filter(|&item| visits[item as usize] == Visit::Ahead) {
            visits[item as usize] = Visit::UnderWay;
            open.push(item);
            next = context_by_item[item as usize];
        }
        if let (Some(&last), Some(met)) = (open.last(), next)
            && visits[met as usize] == Visit::UnderWay
        {
            context_by_item[last as usize] = None;
        }
        while let Some(item) = open.pop() {
            visits[item as usize] = Visit::Done;
            order.push(item);
        }
    }
    (order, context_by_item)
}

/// How many choices a domain has for an ant.
pub(super) fn choices(domain: &Domain<'_>) -> u32 {
    match domain {
        Domain::Choices(_) => domain.len(),
        Domain::Interval(_) => domain.len().min(MOST_LEVELS),
    }
}

/// The value of a choice; those of an interval are spread evenly from end to end.
#[inline]
pub(super) fn choice(domain: &Domain<'_>, index: u32) -> u32 {
    match domain {
        Domain::Choices(_) => domain.value(index),
        Domain::Interval(_) => spread(index, choices(domain), domain.len()),
    }
}

/// The choice that a value belongs to: its own, or the next one of an interval. A value that is none has the last.
fn place(domain: &Domain<'_>, value: u32) -> u32 {
    let last = choices(domain) - 1;
    match domain {
        Domain::Choices(class) => last.min(class.values().partition_point(|&other| other < value) as u32),
        Domain::Interval(_) => spread(value.min(domain.len() - 1), domain.len(), last + 1),
    }
}

/// Level `index` of `from` levels, on a grid of `to` levels with the same ends; rounded.
fn spread(index: u32, from: u32, to: u32) -> u32 {
    let (last, steps) = (u64::from(from - 1).max(1), u64::from(to - 1));
    ((u64::from(index) * steps + last / 2) / last) as u32
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{DomainClass, Interval};
    use crate::problems::placement::{NodeColumns, Objective, Placement, PodColumns};
    use crate::problems::qos_composition::{Edge, QosComposition};

    fn services(edges: &[Edge]) -> QosComposition {
        QosComposition::new(&[vec![1.0; 3], vec![1.0; 4], vec![1.0; 5]], edges, &[]).unwrap()
    }

    fn edge(from: usize, to: usize, pairs: usize) -> Edge {
        Edge { from, to, quality: (0..pairs).map(|pair| pair as f64).collect() }
    }

    #[test]
    fn trails_are_as_many_as_ways_in_a_chain_and_as_values_without_context() {
        assert_eq!(Trails::new(&services(&[]), 1.0).len(), 3 + 4 + 5);
        let chain = services(&[edge(0, 1, 12), edge(1, 2, 20)]);
        assert_eq!(Trails::new(&chain, 1.0).len(), 3 + 3 * 4 + 4 * 5);
    }

    #[test]
    fn items_of_one_class_share_trails_where_their_own_would_be_too_many() {
        let (rows, few, many) = (64, 1_u32 << 15, (1_u32 << 15) + 1);
        let count = |pods: u32| {
            let (capacity, requests) = (vec![1e9; rows], vec![1.0; pods as usize]);
            let nodes = NodeColumns { resources: 1, allocatable: &capacity, requested: &[], weights: &capacity };
            let class_by_pod: Vec<u32> = (0..pods).map(|pod| pod % 2).collect();
            let pods = PodColumns { requests: &requests, class_by_pod: &class_by_pod };
            let classes = [0, 1].map(|_| Arc::new(DomainClass::all(rows as u32)));
            let problem = Placement::new(&nodes, &pods, &classes, Objective::Sigma).unwrap();
            let trails = Trails::new(&problem, 1.0);
            let chosen = vec![0; class_by_pod.len()];
            let shared = trails.row(0, &chosen) == trails.row(2, &chosen);
            assert_ne!(trails.row(0, &chosen), trails.row(1, &chosen), "another class");
            (trails.len(), shared)
        };
        assert_eq!(count(few), (rows << 15, false));
        assert_eq!(count(many), (2 * rows, true));
    }

    #[test]
    fn a_deposit_lies_on_the_ways_of_its_vector_and_nowhere_else() {
        let chain = services(&[edge(0, 1, 12), edge(1, 2, 20)]);
        let mut trails = Trails::new(&chain, 0.0);
        trails.deposit(&chain, &[2, 3, 1], 0.5);
        assert_eq!(trails.pheromone(trails.row(0, &[2, 3, 1])), [0.0, 0.0, 0.5]);
        assert_eq!(trails.pheromone(trails.row(1, &[2, 3, 1])), [0.0, 0.0, 0.0, 0.5]);
        assert_eq!(trails.pheromone(trails.row(2, &[2, 3, 1]))[1], 0.5);
        assert_eq!(trails.pheromone(trails.row(2, &[2, 0, 1]))[1], 0.0, "from another replica");
        assert_eq!(trails.tau.iter().sum::<f64>(), 1.5);
    }

    #[test]
    fn pheromone_evaporates_and_stays_between_its_limits() {
        let mut trails = Trails::new(&services(&[]), 1.0);
        trails.evaporate(0.25);
        trails.wipe(0, 0.5, 0.25);
        assert_eq!(trails.tau[..2], [0.5, 0.75]);
        trails.clamp(0.6, 0.7);
        assert_eq!(trails.tau[..2], [0.6, 0.7]);
    }

    #[test]
    fn the_limits_are_those_of_the_formula_or_a_half() {
        let problem = QosComposition::new(&vec![vec![1.0; 40]; 30], &[], &[]).unwrap();
        let root = 0.05_f64.powf(1.0 / 30.0);
        let (least, most) = Trails::new(&problem, 1.0).limits(10.0, 0.05);
        assert!((least - 10.0 * (1.0 - root) / (19.0 * root)).abs() < 1e-12 && most == 10.0, "{least}");
        let two = QosComposition::new(&[vec![1.0; 2], vec![1.0; 2]], &[], &[]).unwrap();
        assert_eq!(Trails::new(&two, 1.0).limits(10.0, 0.05), (5.0, 10.0));
    }

    #[test]
    fn an_interval_has_64_choices_from_end_to_end_and_every_level_belongs_to_one() {
        let interval = Domain::Interval(Interval::new(0.0, 100.0, 0.01).unwrap());
        assert_eq!((choices(&interval), choice(&interval, 0), choice(&interval, 63)), (64, 0, interval.len() - 1));
        for index in 0..64 {
            assert_eq!(place(&interval, choice(&interval, index)), index);
        }
        assert!((0..interval.len()).all(|level| place(&interval, level) < 64));
        let point = Domain::Interval(Interval::new(1.0, 1.0, 0.5).unwrap());
        assert_eq!((choices(&point), choice(&point, 0), place(&point, 0), place(&point, u32::MAX)), (1, 0, 0, 0));
    }

    #[test]
    fn a_value_of_a_class_keeps_its_place() {
        let class = DomainClass::from_values(9, &[2, 5, 7]).unwrap();
        let domain = Domain::Choices(&class);
        assert_eq!([0, 1, 2].map(|index| place(&domain, choice(&domain, index))), [0, 1, 2]);
        assert_eq!(place(&domain, u32::MAX), 2);
    }
}
