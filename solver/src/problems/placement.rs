//! Placing pods on nodes so that the load of the whole cluster is even.
//!
//! Promises: a pod counts where it is put and nowhere else; hard limits are the capacities and the hard rules between
//! pods, the domain classes are the validation dictionary; a move is evaluated in time proportional to the resources
//! (and to the rules that bind its pods), whatever the size of the cluster. Must not know: where the numbers come from,
//! or what a resource is called.
//!
//! The model, in the notation of the source (a genetic algorithm for container placement with a validation
//! dictionary), with marks \[P\] printed, \[R\] reconstructed, \[I\] interpreted:
//!
//! - pod `i` requests `q_ir`, node `j` has capacity `C_jr`, weight `W_jr` and a base load of the pods already there;
//! - eq. (7) \[I\]: `L_r(j) = 100 · Σ q_ir / C_jr` over the base load and the pods on `j`. The printed denominator is a
//!   number of pods; the sentence above it says "divided by the node's value of that resource", which is done here;
//! - eq. (8), (9) \[I\]: `L(N_j) = Σ_r W_jr L_r(j) / |{r : W_jr > 0}|`. "Count(Weight)" is read as the number of weights
//!   that are not 0, because an indicator with weight 0 "is not considered". It is not the sum of the weights; so that
//!   all of them together may be of any size, they are taken in units of their mean;
//! - eq. (10) \[I\]: the mean of `L(N_j)` over the nodes; the text's "number of feasible solutions" is taken as a slip;
//! - eq. (11): σ, the *population* standard deviation of `L(N_j)`, in percentage points.
//!
//! Where the spread of each resource counts, it counts by `w_r`, the mean of the `W_jr` above 0, in the same unit.
//!
//! A row that offers nothing is no node: it takes no pods and no part in the objective. A pair of row and resource with
//! weight 0 takes no part in the row's `L` nor in that resource's spread, but is a capacity all the same. See [`Objective`]
//! for what is minimised.
//!
//! Not in the source, and free of cost when not used: [`Terms`] added to the objective (mean load, moves against an
//! earlier assignment, forecast risk), and rules between pods ([`Groups`]: at most so many of a group on a topology
//! value, an even spread over values, or all on one value), each hard, as part of the violation, or soft, as part of the
//! objective; and priorities, which decide who is left out when not all pods can be placed.

mod assignment;
mod choice;
mod columns;
mod error;
mod extras;
mod groups;
mod nodes;
mod objective;
mod precedence;
mod repair;
mod requests;
mod row_scorer;
mod state;
mod terms;
mod weights;

use std::sync::Arc;

pub use assignment::Assignment;
pub use columns::{Loads, NodeColumns, PodColumns};
pub use error::PlacementError;
pub use extras::Measures;
pub use groups::{Force, Groups, Limit, NO_VALUE, Rule};
pub use objective::{Objective, Spread};
pub use row_scorer::RowScorer;
pub use state::State;
pub use terms::{Moves, Risk, Terms};

use crate::domain::{Domain, DomainClass, Domains};
use crate::problem::{Choice, Genome, Move, Problem, UNASSIGNED, least_cost};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::{Cost, Score};
use extras::Extras;
use groups::{Exchange, Rules};
use nodes::Nodes;
use precedence::Precedence;
use requests::{Requests, Shift};
use terms::Factors;

/// The placement problem. Its items are the pods that can be placed at all, its values the rows of the nodes.
#[derive(Clone, Debug)]
pub struct Placement {
    nodes: Nodes,
    objective: Objective,
    domains: Domains,
    requests: Requests,
    /// What one unit of each resource weighs in [`Problem::size`].
    size_units: Vec<f64>,
    pod_by_item: Vec<u32>,
    unplaceable: Vec<u32>,
    pods: usize,
    /// None if there are neither terms nor rules, so that nothing is spent on them.
    extras: Option<Box<Extras>>,
    /// None if all pods are equal.
    precedence: Option<Precedence>,
}

impl Placement {
    /// Puts the problem together. `pods.class_by_pod` are indices into `classes`.
    ///
    /// A pod without a row where its class allows it and where it would fit alone beside the base load becomes no item
    /// but is listed in [`unplaceable`](Self::unplaceable).
    ///
    /// # Errors
    /// [`PlacementError`] if a column's length does not fit, a number is not finite, negative or above 2^53, a class
    /// is unknown or made for another number of rows, or the sum of all requests is beyond counting.
    pub fn new(
        nodes: &NodeColumns<'_>,
        pods: &PodColumns<'_>,
        classes: &[Arc<DomainClass>],
        objective: Objective,
    ) -> Result<Self, PlacementError> {
        let nodes = Nodes::new(nodes)?;
        pods.check(nodes.resources(), classes.len())?;
        let requests = Requests::new(pods.requests, nodes.resources());
        nodes.check_sum(requests.counts())?;
        let classes = live_classes(&nodes, classes)?;
        let (placeable, unplaceable): (Vec<u32>, Vec<u32>) = (0..pods.class_by_pod.len() as u32).partition(|&pod| {
            let class = &classes[pods.class_by_pod[pod as usize] as usize];
            let counts = requests.of(pod as usize).counts;
            class.values().iter().any(|&row| nodes.has_room(row, counts))
        });
        let class_by_item = placeable.iter().map(|&pod| pods.class_by_pod[pod as usize]).collect();
        Ok(Self {
            objective,
            domains: Domains::new(classes, class_by_item)?,
            requests: requests.select(&placeable),
            size_units: nodes.size_units(),
            nodes,
            pod_by_item: placeable,
            unplaceable,
            pods: pods.class_by_pod.len(),
            extras: None,
            precedence: None,
        })
    }

    /// The same problem whose objective goes by these loads, in place of what is asked for. Capacities, and with them
    /// [`Risk`], which is about the worst case, stay with what is asked for.
    ///
    /// # Errors
    /// [`PlacementError`] if a column's length does not fit, or a number is not finite, negative or above 2^53.
    pub fn with_loads(mut self, loads: &Loads<'_>) -> Result<Self, PlacementError> {
        let resources = self.resources();
        loads.check(self.rows() * resources, self.pods * resources)?;
        if !loads.used.is_empty() {
            self.nodes.set_used(loads.used);
            self.requests = self.requests.apart();
        }
        if !loads.estimates.is_empty() {
            self.requests = self.requests.with_uses(loads.estimates, resources, &self.pod_by_item);
        }
        Ok(self)
    }

    /// The same problem with these terms added to its objective, in place of earlier ones.
    ///
    /// # Errors
    /// [`PlacementError`] if a column's length does not fit, or a weight, forecast or threshold is not finite, negative
    /// or above 2^53.
    pub fn with_terms(mut self, terms: &Terms<'_>) -> Result<Self, PlacementError> {
        let factors = Factors::new(terms, &self.nodes, self.pods, &self.pod_by_item)?;
        let rules = self.extras.take().map(|extras| extras.rules).unwrap_or_default();
        Ok(self.with_extras(Extras { factors, rules }))
    }

    /// The same problem with these rules between pods, in place of earlier ones.
    ///
    /// Rules can contradict each other or the number of rows; then [`assignment`](Self::assignment) leaves the surplus
    /// without a row.
    ///
    /// # Errors
    /// [`PlacementError`] if a topology has not one value a row, or a rule names a topology or pod that is not there,
    /// or a pod twice, or allows a skew of 0, or its weight is not finite, negative or above 2^53.
    pub fn with_groups(mut self, groups: &Groups<'_>) -> Result<Self, PlacementError> {
        let rules = Rules::new(groups, &self.nodes, self.pods, &self.pod_by_item)?;
        let factors = self.extras.take().map(|extras| extras.factors).unwrap_or_default();
        Ok(self.with_extras(Extras { factors, rules }))
    }

    /// The same problem with these priorities of its pods, higher first, in place of earlier ones. They have no say in
    /// the objective: [`assignment`](Self::assignment) leaves no pod out that would find a row if pods of lower
    /// priorities were left out.
    ///
    /// # Errors
    /// [`PlacementError::Length`] unless there is one priority a pod.
    pub fn with_priorities(self, priority_by_pod: &[i32]) -> Result<Self, PlacementError> {
        let (expected, found) = (self.pods, priority_by_pod.len());
        if expected != found {
            return Err(PlacementError::Length { column: "priorities", expected, found });
        }
        Ok(Self { precedence: Precedence::new(priority_by_pod, &self.pod_by_item), ..self })
    }

    fn with_extras(self, extras: Extras) -> Self {
        let extras = (!extras.factors.is_empty() || !extras.rules.is_empty()).then(|| Box::new(extras));
        Self { extras, ..self }
    }

    /// The number of pods, those that cannot be placed included.
    #[must_use]
    pub fn pods(&self) -> usize {
        self.pods
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.nodes.rows()
    }

    /// The number of resources.
    #[must_use]
    pub fn resources(&self) -> usize {
        self.nodes.resources()
    }

    /// The pod that an item stands for.
    #[must_use]
    pub fn pod(&self, item: usize) -> u32 {
        self.pod_by_item[item]
    }

    /// Pods that no row can take: their domain is empty, or they fit nowhere even alone. Ascending.
    #[must_use]
    pub fn unplaceable(&self) -> &[u32] {
        &self.unplaceable
    }

    /// What is minimised.
    #[must_use]
    pub const fn objective(&self) -> Objective {
        self.objective
    }

    /// A seed from the rows that pods had in an earlier plan; rows that do not exist (any more) become unassigned.
    ///
    /// # Errors
    /// [`PlacementError::Length`] unless there is one entry a pod.
    pub fn seed(&self, row_by_pod: &[Option<u32>]) -> Result<Genome, PlacementError> {
        if row_by_pod.len() != self.pods {
            return Err(PlacementError::Length { column: "seed", expected: self.pods, found: row_by_pod.len() });
        }
        let gene = |&pod: &u32| row_by_pod[pod as usize].filter(|&row| (row as usize) < self.rows());
        Ok(self.pod_by_item.iter().map(|pod| gene(pod).unwrap_or(UNASSIGNED)).collect())
    }

    /// All measures of evenness of a state: σ, mean and each resource's own.
    #[must_use]
    pub fn spread(&self, state: &State) -> Spread {
        state.spread(&self.nodes)
    }

    /// What terms and rules say of a state.
    #[must_use]
    pub fn measures(&self, state: &State) -> Measures {
        Extras::measures(state)
    }

    /// Whether no hard limit is broken, neither a capacity nor a rule.
    fn is_feasible(&self, state: &State) -> bool {
        state.is_feasible() && self.measures(state).surplus == 0
    }

    /// Who goes where: an item that goes alone is exchanged with nobody.
    #[inline]
    fn exchange(&self, state: &State, change: Move) -> Exchange {
        let genome = state.genome();
        let (item, other, value) = match change {
            Move::Set { item, value } => (item, self.requests.nobody(), value),
            Move::Swap { first, second } => (first, second, genome[second]),
        };
        Exchange { item, other, from: self.nodes.place(genome[item]), to: self.nodes.place(value) }
    }

    /// What goes with them.
    #[inline]
    fn shift(&self, exchange: Exchange) -> Shift<'_> {
        let Exchange { item, other, from, to } = exchange;
        Shift { from, to, out: self.requests.of(item), back: self.requests.of(other) }
    }
}

/// The classes without the rows that are no nodes; a class that has none of those is shared, not copied.
fn live_classes(nodes: &Nodes, classes: &[Arc<DomainClass>]) -> Result<Vec<Arc<DomainClass>>, PlacementError> {
    let live = |class: &Arc<DomainClass>| {
        if class.universe() as usize != nodes.rows() {
            return Err(PlacementError::ClassRows { expected: nodes.rows(), found: class.universe() as usize });
        }
        if class.values().iter().all(|&row| nodes.is_live(row)) {
            return Ok(Arc::clone(class));
        }
        Ok(Arc::new(class.retain(|row| nodes.is_live(row))))
    };
    classes.iter().map(live).collect()
}

impl Problem for Placement {
    type State = State;

    fn items(&self) -> usize {
        self.pod_by_item.len()
    }

    #[inline]
    fn domain(&self, item: usize) -> Domain<'_> {
        Domain::Choices(self.domains.class(item))
    }

    fn objectives(&self) -> usize {
        1
    }

    fn build(&self, genome: &[u32]) -> State {
        let mut state = State::new(&self.nodes);
        self.rebuild(&mut state, genome);
        state
    }

    fn rebuild(&self, state: &mut State, genome: &[u32]) {
        state.load(&self.nodes, &self.requests, genome);
        if let Some(extras) = &self.extras {
            extras.take_standing(&self.nodes, state);
        }
    }

    fn genome<'a>(&self, state: &'a State) -> &'a [u32] {
        state.genome()
    }

    fn eval(&self, state: &State) -> Score {
        let plain = state.score(&self.nodes, self.objective);
        self.extras.as_ref().map_or(plain, |extras| extras.score(&self.nodes, state, plain))
    }

    fn delta(&self, state: &State, change: Move) -> Option<Score> {
        let exchange = self.exchange(state, change);
        let shift = self.shift(exchange);
        let plain = state.score_after(&self.nodes, self.objective, &shift);
        Some(match &self.extras {
            None => plain,
            Some(extras) => extras.score_after(&self.nodes, state, plain, exchange, &shift),
        })
    }

    #[inline]
    fn delta_cost(&self, state: &State, change: Move, by: &Scalarisation, most: f64) -> Option<Cost> {
        if self.extras.is_some() {
            return self.delta(state, change).map(|score| by.cost(&score));
        }
        let shift = self.shift(self.exchange(state, change));
        state.cost_after(&self.nodes, self.objective, &shift, by, most)
    }

    fn promising_delta(&self, state: &State, change: Move) -> Option<Score> {
        let exchange = self.exchange(state, change);
        let shift = self.shift(exchange);
        let Some(extras) = &self.extras else {
            return state.promising_score_after(&self.nodes, self.objective, &shift);
        };
        let plain = if self.is_feasible(state) {
            state.promising_score_after(&self.nodes, self.objective, &shift)?
        } else {
            state.score_after(&self.nodes, self.objective, &shift)
        };
        let score = extras.score_after(&self.nodes, state, plain, exchange, &shift);
        let violation = state.violation() + f64::from(self.measures(state).surplus);
        (score.violation <= violation).then_some(score)
    }

    fn apply(&self, state: &mut State, change: Move) {
        let exchange = self.exchange(state, change);
        let shift = self.shift(exchange);
        if let Some(extras) = &self.extras {
            extras.keep_up(&self.nodes, state, exchange, &shift);
        }
        state.shift(&self.nodes, &shift);
        match change {
            Move::Set { item, value } => state.set_gene(item, value),
            Move::Swap { first, second } => state.swap_genes(first, second),
        }
        if state.recentre_when_due(&self.nodes, &self.requests)
            && let Some(extras) = &self.extras
        {
            extras.take_standing(&self.nodes, state);
        }
    }

    /// The emptier the row would be, the better.
    fn heuristic(&self, state: &State, item: usize, value: u32) -> f64 {
        1.0 / (1.0 + state.mean_load_with(&self.nodes, self.nodes.place(value), self.requests.of(item).amounts))
    }

    /// The request in units of the mean row, summed over the resources.
    fn size(&self, item: usize) -> f64 {
        self.requests.of(item).counts.iter().zip(&self.size_units).map(|(&count, unit)| count as f64 * unit).sum()
    }

    /// There is one objective only, so `by` has no say.
    fn best_value(&self, state: &State, item: usize, by: &Scalarisation) -> Option<Choice> {
        self.best_room(state, item).or_else(|| least_cost(self, state, item, by))
    }

    /// Capacity repair, an extension of the source \[I\]: visits the pods in cyclic order from a random start; one whose
    /// row is over-full moves to the first row of its domain, from a random start, that has room. With rules, so does
    /// one that is surplus, or it is exchanged with another pod; and the pods are visited again as long as that helps.
    fn repair(&self, state: &mut State, rng: &mut Rng) {
        self.move_to_room(state, rng);
    }
}

#[cfg(test)]
mod tests;
