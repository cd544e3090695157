//! A run of the algorithm, from generation to generation.
//!
//! Promises: the budget counts every individual but the seeds; the best and the front are those of all that was met. Must
//! not know: that items are tasks and values machines.

use std::ops::ControlFlow;

use super::fitness::{Fitness, Merit, Scale};
use super::{Extent, Tcga, similarity};
use crate::archive::Archive;
use crate::budget::{Meter, TerminationReason};
use crate::individual::Individual;
use crate::observer::{Generation, Observer};
use crate::problem::{Genome, Problem};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::{Cost, MAX_OBJECTIVES};
use crate::selection::Roulette;
use crate::solver::Evolution;
use crate::{crossover, greedy, repair};

/// How much steeper accelerated evolution makes the slopes \[I\].
const ACCELERATION: f64 = 2.0;

/// An individual with what the problem favours in it.
#[derive(Clone, Debug)]
struct Member {
    individual: Individual,
    merit: Merit,
}

/// A run under way.
pub(super) struct Run<'a, P: Problem> {
    ga: &'a Tcga,
    problem: &'a P,
    meter: Meter<'a>,
    rng: &'a mut Rng,
    state: P::State,
    tolerances: Vec<u32>,
    population: Vec<Member>,
    scale: Scale,
    /// What the headline minimises.
    by: Scalarisation,
    best: Individual,
    best_cost: Cost,
    archive: Archive,
    generation: u64,
}

/// What a run that only ever ends by breaking off returns.
type Ended = ControlFlow<TerminationReason, std::convert::Infallible>;

impl<'a, P: Problem> Run<'a, P> {
    /// A run that knows the seeds, completed; without seeds it knows one individual drawn from the domains, so that
    /// there is an answer at any budget.
    pub(super) fn new(ga: &'a Tcga, problem: &'a P, seeds: &[Genome], meter: Meter<'a>, rng: &'a mut Rng) -> Self {
        let by = ga.scalarisation.unwrap_or_default();
        let mut starts: Vec<Genome> = seeds.iter().map(|seed| greedy::complete(problem, seed, &by).0.genome).collect();
        if starts.is_empty() {
            starts.push(random_genome(problem, rng));
        }
        let mut state = problem.build(&starts[0]);
        let population: Vec<Member> = starts.into_iter().map(|start| evaluate(problem, &mut state, start)).collect();
        let mut run = Self {
            ga,
            problem,
            meter,
            rng,
            state,
            tolerances: similarity::tolerances(problem),
            scale: Scale::of(&[]),
            by,
            best: population[0].individual.clone(),
            best_cost: Cost::WORST,
            archive: Archive::new(ga.archive),
            population,
            generation: 0,
        };
        run.settle();
        run
    }

    /// Takes the measure of generation 0, or as much of it as there is, and remembers what it holds.
    fn settle(&mut self) {
        self.scale = Scale::of(&self.merits());
        let headline = Scalarisation::Weighted(self.scale.weights(self.problem.objectives()));
        self.by = self.ga.scalarisation.unwrap_or(headline);
        self.best_cost = Cost::WORST;
        for index in 0..self.population.len() {
            self.remember(index);
        }
    }

    fn remember(&mut self, index: usize) {
        let individual = &self.population[index].individual;
        let cost = self.by.cost(&individual.score);
        if cost < self.best_cost {
            self.best_cost = cost;
            self.best = individual.clone();
        }
        self.archive.insert(individual.clone());
    }

    pub(super) fn evolve(&mut self, observer: &mut dyn Observer) -> Ended {
        if self.problem.items() == 0 {
            return ControlFlow::Break(TerminationReason::Trivial);
        }
        let filled = self.fill_up();
        self.settle();
        filled?;
        // Seeds beyond the size of the population are in the front and have no part in the first generation.
        self.population.truncate(self.ga.population);
        self.report(observer);
        while self.generation < self.ga.generations {
            self.meter.look()?;
            self.drop_similar();
            self.fill_up()?;
            self.breed()?;
            self.generation += 1;
            self.report(observer);
        }
        ControlFlow::Break(TerminationReason::Generations)
    }

    pub(super) fn into_evolution(self, reason: TerminationReason) -> Evolution {
        Evolution {
            best: self.best,
            front: self.archive.into_members(),
            reason,
            generations: self.generation,
            evaluations: self.meter.spent(),
        }
    }

    /// Adds a child to the population and to what is remembered.
    fn admit(&mut self, genome: Genome) -> ControlFlow<TerminationReason> {
        self.meter.spend_dear()?;
        let member = evaluate(self.problem, &mut self.state, genome);
        self.population.push(member);
        self.remember(self.population.len() - 1);
        ControlFlow::Continue(())
    }

    /// Step 2: random individuals up to the size of the population.
    fn fill_up(&mut self) -> ControlFlow<TerminationReason> {
        while self.population.len() < self.ga.population {
            let genome = random_genome(self.problem, self.rng);
            self.admit(genome)?;
        }
        ControlFlow::Continue(())
    }

    fn merits(&self) -> Vec<Merit> {
        self.population.iter().map(|member| member.merit).collect()
    }

    fn fitness(&self) -> Fitness {
        Fitness::of(&self.merits(), self.problem.objectives(), self.ga.fitness, &self.scale, self.ga.penalty)
    }

    /// Step 2: keeps, from the fittest down, those that are not too similar to one that is kept.
    fn drop_similar(&mut self) {
        let order = descending(&self.fitness().joint);
        let mut kept: Vec<usize> = Vec::with_capacity(order.len());
        let genome = |index: usize| &self.population[index].individual.genome[..];
        for index in order {
            let alike = |&other: &usize| {
                similarity::similarity(genome(index), genome(other), &self.tolerances) > self.ga.similarity
            };
            if !kept.iter().any(alike) {
                kept.push(index);
            }
        }
        kept.sort_unstable();
        self.population = kept.iter().map(|&index| self.population[index].clone()).collect();
    }

    /// Steps 3 to 6: the next generation.
    fn breed(&mut self) -> ControlFlow<TerminationReason> {
        let fitness = self.fitness();
        let (copied, parents) = self.select(&fitness);
        let factor = if fitness.extent.omega() < self.ga.theta { ACCELERATION } else { 1.0 };
        let (crossing, mutating) = (self.ga.crossover.steeper(factor), self.ga.mutation.steeper(factor));
        let copies: Vec<Member> = copied.iter().map(|&index| self.population[index].clone()).collect();
        let old = std::mem::replace(&mut self.population, copies);
        for pair in parents.chunks(2) {
            // An odd one out is its own partner.
            let pair = [pair[0], pair[pair.len() - 1]];
            let mut children = pair.map(|parent| old[parent].individual.genome.clone());
            let better = fitness.joint[pair[0]].max(fitness.joint[pair[1]]);
            if self.rng.chance(crossing.rate(better, &fitness.extent)) {
                let [first, second] = &mut children;
                crossover::two_point(first, second, self.rng);
            }
            for (mut child, parent) in children.into_iter().zip(pair) {
                if self.population.len() < self.ga.population {
                    self.mutate(&mut child, mutating.rate(fitness.joint[parent], &fitness.extent));
                    self.admit(child)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Step 3: who is copied, and at least as many parents as the population has places, in random order.
    fn select(&mut self, fitness: &Fitness) -> (Vec<usize>, Vec<usize>) {
        let objectives = fitness.by_objective.len();
        let (aside, elites) = self.ga.quotas(objectives);
        let (mut copied, mut parents) = (Vec::new(), Vec::new());
        for fitness in &fitness.by_objective {
            let order = descending(fitness);
            copied.extend(order.iter().skip(aside).take(elites));
            let floor = self.ga.offset * Extent::of(fitness).least;
            let mut shares: Vec<f64> = fitness.iter().map(|fitness| fitness - floor).collect();
            order.iter().take(aside).for_each(|&index| shares[index] = 0.0);
            let wheel = Roulette::new(shares.into_iter());
            parents.extend((0..self.ga.population.div_ceil(objectives)).map(|_| wheel.draw(self.rng)));
        }
        for last in (1..parents.len()).rev() {
            parents.swap(last, self.rng.below(last as u32 + 1) as usize);
        }
        (copied, parents)
    }

    /// Step 6: new values for 1 to `loci` genes.
    fn mutate(&mut self, genome: &mut [u32], rate: f64) {
        if self.rng.chance(rate) {
            for _ in 0..=self.rng.below(self.ga.loci) {
                let item = self.rng.below(genome.len() as u32) as usize;
                genome[item] = self.problem.domain(item).draw_preferred(self.rng);
            }
        }
    }

    fn report(&self, observer: &mut dyn Observer) {
        let value = |member: &Member| {
            let cost = self.by.cost(&member.individual.score);
            cost.value + self.ga.penalty * cost.violation
        };
        let values: Vec<f64> = self.population.iter().map(value).collect();
        let Extent { least, mean, largest } = Extent::of(&values);
        observer.generation(&Generation {
            number: self.generation,
            evaluations: self.meter.spent(),
            best: self.best.score,
            lowest: least,
            mean,
            highest: largest,
        });
    }
}

fn random_genome<P: Problem>(problem: &P, rng: &mut Rng) -> Genome {
    let mut genome = vec![u32::MAX; problem.items()];
    repair::into_domains(problem, &mut genome, rng);
    genome
}

fn evaluate<P: Problem>(problem: &P, state: &mut P::State, genome: Genome) -> Member {
    problem.rebuild(state, &genome);
    let score = problem.eval(state);
    let mut favour = [1.0; MAX_OBJECTIVES];
    for (k, favour) in favour.iter_mut().enumerate().take(problem.objectives()) {
        *favour = problem.favour(state, k);
    }
    Member { individual: Individual { genome, score }, merit: Merit { score, favour } }
}

/// The indices by falling fitness, the earlier one first among equals.
fn descending(fitness: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..fitness.len()).collect();
    order.sort_by(|&a, &b| fitness[b].total_cmp(&fitness[a]));
    order
}
