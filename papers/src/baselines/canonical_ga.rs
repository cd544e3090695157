//! The canonical genetic algorithm: roulette, crossover, mutation.
//!
//! Holland 1975, Goldberg 1989. Promises: nothing but that, with rates that are fixed or follow fitness; genes stay in
//! their domains. Must not know: what fitness measures.

use gantry_solver::individual::Individual;
use gantry_solver::problem::{Genome, Problem};
use gantry_solver::rng::Rng;
use gantry_solver::score::Score;
use gantry_solver::selection::Roulette;
use gantry_solver::sources::tcga::{Adaptation, Extent};
use gantry_solver::{crossover, repair};

/// How likely an operator is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Always as likely.
    Fixed(f64),
    /// Less likely for fit individuals.
    Adaptive(Adaptation),
}

impl Rate {
    fn of(&self, fitness: f64, extent: &Extent) -> f64 {
        match self {
            Self::Fixed(rate) => *rate,
            Self::Adaptive(adaptation) => adaptation.rate(fitness, extent),
        }
    }
}

/// The algorithm with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CanonicalGa {
    /// Individuals, at least 1. Default 30.
    pub population: usize,
    /// Generations after the initial one. Default 100.
    pub generations: usize,
    /// Chance that two parents are crossed. Default 0.8.
    pub crossover: Rate,
    /// Chance that an individual mutates in 1 to `loci` genes. Default 0.08.
    pub mutation: Rate,
    /// The most genes that a mutation changes. Default 5.
    pub loci: u32,
    /// How many of the fittest live on. Default 0: the canonical algorithm has no elite.
    pub elites: usize,
    /// Part of the generation's least fitness that is taken off before the roulette, 0 to 1. Default 0: raw fitness.
    pub offset: f64,
}

impl Default for CanonicalGa {
    fn default() -> Self {
        Self {
            population: 30,
            generations: 100,
            crossover: Rate::Fixed(0.8),
            mutation: Rate::Fixed(0.08),
            loci: 5,
            elites: 0,
            offset: 0.0,
        }
    }
}

/// What a run found.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The fittest ever met. Without an elite it need not be in the last generation.
    pub best: Individual,
    /// The fittest of the last generation.
    pub last: Individual,
    /// Score of the fittest of each generation, the initial one first.
    pub scores: Vec<Score>,
}

/// An individual with its fitness.
#[derive(Clone, Debug)]
struct Member {
    individual: Individual,
    fitness: f64,
}

impl CanonicalGa {
    /// Runs all generations; `fitness` is above 0, and larger is better.
    pub fn run<P: Problem>(&self, problem: &P, fitness: &dyn Fn(&P::State) -> f64, rng: &mut Rng) -> Course {
        let member = |genome: Genome| {
            let state = problem.build(&genome);
            Member { individual: Individual { genome, score: problem.eval(&state) }, fitness: fitness(&state) }
        };
        let mut population: Vec<Member> = (0..self.population).map(|_| member(random_genome(problem, rng))).collect();
        let mut last = fittest(&population).clone();
        let (mut best, mut scores) = (last.clone(), vec![last.individual.score]);
        for _ in 0..self.generations {
            let children = self.children(problem, &population, rng);
            population.sort_by(|a, b| b.fitness.total_cmp(&a.fitness));
            population.truncate(self.elites);
            population.extend(children.into_iter().take(self.population - population.len()).map(member));
            last = fittest(&population).clone();
            scores.push(last.individual.score);
            if last.fitness > best.fitness {
                best = last.clone();
            }
        }
        Course { best: best.individual, last: last.individual, scores }
    }

    /// As many children as the population has individuals.
    fn children<P: Problem>(&self, problem: &P, population: &[Member], rng: &mut Rng) -> Vec<Genome> {
        let fitness: Vec<f64> = population.iter().map(|member| member.fitness).collect();
        let extent = Extent::of(&fitness);
        let wheel = Roulette::new(fitness.iter().map(|fitness| fitness - self.offset * extent.least));
        let mut children = Vec::with_capacity(self.population + 1);
        while children.len() < self.population {
            let parents = [wheel.draw(rng), wheel.draw(rng)];
            let mut pair = parents.map(|parent| population[parent].individual.genome.clone());
            let better = fitness[parents[0]].max(fitness[parents[1]]);
            if rng.chance(self.crossover.of(better, &extent)) {
                let [first, second] = &mut pair;
                crossover::two_point(first, second, rng);
            }
            for (mut child, parent) in pair.into_iter().zip(parents) {
                if rng.chance(self.mutation.of(fitness[parent], &extent)) {
                    self.mutate(problem, &mut child, rng);
                }
                children.push(child);
            }
        }
        children
    }

    fn mutate<P: Problem>(&self, problem: &P, genome: &mut [u32], rng: &mut Rng) {
        for _ in 0..=rng.below(self.loci) {
            let item = rng.below(genome.len() as u32) as usize;
            genome[item] = problem.domain(item).draw(rng);
        }
    }
}

fn random_genome<P: Problem>(problem: &P, rng: &mut Rng) -> Genome {
    let mut genome = vec![u32::MAX; problem.items()];
    repair::into_domains(problem, &mut genome, rng);
    genome
}

fn fittest(population: &[Member]) -> &Member {
    let best = population.iter().max_by(|a, b| a.fitness.total_cmp(&b.fitness));
    best.expect("invariant: a population has an individual")
}
