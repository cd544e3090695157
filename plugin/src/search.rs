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

/// So many items of a whole solution are evaluated in the time of one move. Measured: docs/papers.md, "at equal cost".
const ITEMS_PER_MOVE: u64 = 5;

/// The sources end after a number of generations; here the budget ends them.
const ENDLESS: u64 = u64::MAX;

/// The best genome found within a budget of moves, and how many moves it took. A search that evaluates whole solutions
/// pays for each as many moves as it takes as long as.
pub(crate) fn search(problem: &Placement, seeds: &[Genome], moves: u64, seed: u64, settings: &Settings) -> Evolution {
    let price = if moves_only(settings.search) { 1 } else { (problem.items() as u64 / ITEMS_PER_MOVE).max(1) };
    let budget = Budget::evaluations(moves / price);
    let found = solver(settings).solve(problem, seeds, budget, &mut Rng::new(seed), &mut Unobserved);
    let found = found.expect("invariant: a placement has no empty domain, and the settings were checked");
    Evolution { evaluations: found.evaluations * price, ..found }
}

const fn moves_only(search: Search) -> bool {
    matches!(search, Search::Greedy | Search::LocalSearch | Search::Annealing | Search::Memetic)
}

fn solver(settings: &Settings) -> Box<dyn Solver<Placement>> {
    let population = settings.population;
    match settings.search {
        Search::Greedy => Box::new(Greedy::default()),
        Search::LocalSearch => Box::new(LocalSearch::default()),
        Search::Annealing => Box::new(Annealing::default()),
        Search::Memetic => Box::new(Memetic { practical: settings.practical_gain, ..Memetic::default() }),
        Search::DictionaryGa => Box::new(dictionary_ga(Variant::Dictionary, population)),
        Search::StandardGa => Box::new(dictionary_ga(Variant::Standard, population)),
        Search::Tcga => Box::new(Tcga { population: population.min(1_000), generations: ENDLESS, ..Tcga::default() }),
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
    let initial = CmmaGa::default().initial.max(ants);
    CmmaGa { ants, initial, iterations: ENDLESS, capacity_repair: true, ..CmmaGa::default() }
}

fn quota_ga(population: usize) -> QuotaGa {
    QuotaGa { population, generations: ENDLESS, patience: ENDLESS, capacity_repair: true, ..QuotaGa::default() }
}
