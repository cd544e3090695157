//! The searches that `plan` can use, by the name that the settings give.
//!
//! Promises: each works until the budget is used up or it finds nothing more; all of them return a legal genome. Must
//! not know: pods, columns.

use gantry_solver::{
    annealing::Annealing,
    budget::Budget,
    greedy::Greedy,
    local_search::LocalSearch,
    memetic::Memetic,
    observer::Unobserved,
    problem::{Genome, Problem as _},
    problems::placement::Placement,
    rng::Rng,
    solver::{Evolution, Solver},
    sources::{
        cmma_ga::CmmaGa,
        dictionary_ga::{DictionaryGa, Variant},
        mabc::Mabc,
        quota_ga::QuotaGa,
        tcga::Tcga,
    },
};

use crate::settings::{Search, Settings};

// What searches do, in moves of the default search. Measured natively from 20 × 20 to 2,000 × 200 with 60 to 4,000
// individuals, on a busy machine: to within a factor of three.

/// Making and evaluating a whole solution takes as long as so many moves, and one more for so many items.
const SOLUTION: u64 = 15;
const ITEMS_PER_MOVE: u64 = 5;

/// So many genes of two individuals are compared in the time of one move, values of an item weighed by an ant, and food
/// sources compared with another one.
const GENES_PER_MOVE: u64 = 40;
const VALUES_PER_MOVE: u64 = 2;
const SOURCES_PER_MOVE: u64 = 20;

/// Of the vectors that a colony of ants evaluates at most one in so many comes from a walk: beside each there are five
/// rounds of breeding.
const VECTORS_PER_WALK: u64 = 7;

/// The genes that all individuals of a search may have together: 16 MiB of the 64 that an instance has by default.
const MOST_GENES: usize = 4 << 20;

/// The fewest individuals that every search can work with.
const FEWEST: usize = 4;

/// The most of the one that looks at pairs of them.
const MOST_PAIRED: usize = 1_000;

/// The sources end after a number of generations; here the budget ends them.
const ENDLESS: u64 = u64::MAX;

/// The best genome found within a budget of moves, and how many moves it took. A search that evaluates whole solutions
/// pays for each as many moves as it takes as long as.
pub(crate) fn search(problem: &Placement, seeds: &[Genome], moves: u64, seed: u64, settings: &Settings) -> Evolution {
    let population = population(problem, settings);
    let price = price(problem, settings.search, population as u64);
    let budget = Budget::evaluations(moves / price);
    let found = solver(settings, population).solve(problem, seeds, budget, &mut Rng::new(seed), &mut Unobserved);
    let found = found.expect("invariant: a placement has no empty domain, and the settings were checked");
    Evolution { evaluations: found.evaluations * price, ..found }
}

/// As many individuals as the settings say and memory allows: some searches hold two generations at a time, and the
/// bees four slaves whose sources may double.
fn population(problem: &Placement, settings: &Settings) -> usize {
    let copies = match settings.search {
        Search::BeeColony => 8,
        Search::CmmaGa => 1,
        _ => 2,
    };
    let affordable = MOST_GENES / (copies * problem.items().max(1));
    let most = if settings.search == Search::Tcga { MOST_PAIRED } else { usize::MAX };
    settings.population.min(affordable.max(FEWEST)).min(most)
}

/// How many moves an evaluation takes as long as, with its part of what a generation takes beside.
fn price(problem: &Placement, search: Search, population: u64) -> u64 {
    let items = problem.items() as u64;
    let solution = SOLUTION + items / ITEMS_PER_MOVE;
    match search {
        Search::Greedy | Search::LocalSearch | Search::Annealing | Search::Memetic => 1,
        Search::StandardGa => solution,
        // Repair takes as long again.
        Search::DictionaryGa | Search::QuotaGa => 2 * solution,
        // Each is compared with half of the others.
        Search::Tcga => solution + population / 2 * items / GENES_PER_MOVE,
        Search::CmmaGa => 2 * solution + weighed(problem) / VALUES_PER_MOVE,
        // What is found is evaluated afresh; and an iteration, which searches each source twice at least, compares twice
        // as many with each other, twice.
        Search::BeeColony => 2 * solution + 4 * population / SOURCES_PER_MOVE,
    }
}

/// Values that ants weigh for one vector: those of one item to mutate it, and now and then those of all for a walk.
fn weighed(problem: &Placement) -> u64 {
    let items = problem.items() as u64;
    let values: u64 = (0..problem.items()).map(|item| u64::from(problem.domain(item).len())).sum();
    values / items.max(1) + values / VECTORS_PER_WALK
}

fn solver(settings: &Settings, population: usize) -> Box<dyn Solver<Placement>> {
    match settings.search {
        Search::Greedy => Box::new(Greedy::default()),
        Search::LocalSearch => Box::new(LocalSearch::default()),
        Search::Annealing => Box::new(Annealing::default()),
        Search::Memetic => Box::new(Memetic { practical: settings.practical_gain, ..Memetic::default() }),
        Search::DictionaryGa => Box::new(dictionary_ga(Variant::Dictionary, population)),
        Search::StandardGa => Box::new(dictionary_ga(Variant::Standard, population)),
        Search::Tcga => Box::new(Tcga { population, generations: ENDLESS, ..Tcga::default() }),
        Search::CmmaGa => Box::new(cmma_ga(population)),
        Search::BeeColony => Box::new(Mabc { sources: population, iterations: ENDLESS, ..Mabc::default() }),
        Search::QuotaGa => Box::new(quota_ga(population)),
    }
}

/// Capacity repair goes with the dictionary: without it hardly an individual fits into a cluster that is half full.
fn dictionary_ga(variant: Variant, population: usize) -> DictionaryGa {
    let capacity_repair = variant == Variant::Dictionary;
    DictionaryGa { variant, population, generations: ENDLESS, capacity_repair, ..DictionaryGa::default() }
}

fn cmma_ga(ants: usize) -> CmmaGa {
    let CmmaGa { initial, table, .. } = CmmaGa::default();
    let (initial, table) = (initial.max(ants), table.min(ants / 2));
    CmmaGa { ants, initial, table, iterations: ENDLESS, capacity_repair: true, ..CmmaGa::default() }
}

fn quota_ga(population: usize) -> QuotaGa {
    QuotaGa { population, generations: ENDLESS, patience: ENDLESS, capacity_repair: true, ..QuotaGa::default() }
}

#[cfg(test)]
mod tests;
