//! Which search a name stands for, at every population, in bounded memory.

use std::sync::Arc;

use gantry_solver::domain::DomainClass;
use gantry_solver::problems::placement::{NodeColumns, Objective, PodColumns};
use gantry_solver::repair;

use super::*;

const ALL: [Search; 10] = [
    Search::Greedy,
    Search::LocalSearch,
    Search::Annealing,
    Search::Memetic,
    Search::DictionaryGa,
    Search::StandardGa,
    Search::Tcga,
    Search::CmmaGa,
    Search::BeeColony,
    Search::QuotaGa,
];

/// Every pod may run on every row; a resource is about half full.
fn placement(pods: usize, rows: usize) -> Placement {
    let mut rng = Rng::new(5);
    let allocatable: Vec<f64> = (0..2 * rows).map(|_| f64::from(8_000 + rng.below(8_000))).collect();
    let share = (12_000 * rows / pods).min(4_000) as u32;
    let requests: Vec<f64> = (0..2 * pods).map(|_| f64::from(1 + rng.below(share))).collect();
    let (weights, class_by_pod) = (vec![1.0; 2 * rows], vec![0; pods]);
    let nodes = NodeColumns { resources: 2, allocatable: &allocatable, requested: &[], weights: &weights };
    let pods = PodColumns { requests: &requests, class_by_pod: &class_by_pod };
    Placement::new(&nodes, &pods, &[Arc::new(DomainClass::all(rows as u32))], Objective::Balanced).unwrap()
}

fn with(search: Search, population: usize) -> Settings {
    Settings { search, population, ..Settings::default() }
}

#[test]
fn every_search_works_at_the_smallest_and_the_largest_population() {
    let problem = placement(12, 4);
    for search in ALL {
        for population in [4, 5, 7, 10_000] {
            for moves in [0, 1_000, 300_000] {
                let found = super::search(&problem, &[], moves, 1, &with(search, population));
                assert_eq!(repair::strays(&problem, &found.best.genome), 0, "{search:?} with {population}");
                let start = super::search(&problem, &[], 0, 1, &with(Search::Greedy, 4)).evaluations;
                assert!(found.evaluations <= moves.max(start), "{search:?} with {population}: {}", found.evaluations);
            }
        }
    }
}

/// What a name stands for, put together once more.
fn expected(search: Search, population: usize) -> Box<dyn Solver<Placement>> {
    let ga = DictionaryGa { population, generations: u64::MAX, capacity_repair: true, ..DictionaryGa::default() };
    match search {
        Search::Greedy => Box::new(Greedy::default()),
        Search::LocalSearch => Box::new(LocalSearch::default()),
        Search::Annealing => Box::new(Annealing::default()),
        Search::Memetic => Box::new(Memetic::default()),
        Search::DictionaryGa => Box::new(ga),
        Search::StandardGa => Box::new(DictionaryGa { variant: Variant::Standard, capacity_repair: false, ..ga }),
        Search::Tcga => Box::new(Tcga { population, generations: u64::MAX, ..Tcga::default() }),
        Search::CmmaGa => {
            let ants = population;
            Box::new(CmmaGa { ants, iterations: u64::MAX, capacity_repair: true, ..CmmaGa::default() })
        }
        Search::BeeColony => Box::new(Mabc { sources: population, iterations: u64::MAX, ..Mabc::default() }),
        Search::QuotaGa => {
            Box::new(QuotaGa { population, generations: u64::MAX, patience: u64::MAX, ..QuotaGa::default() })
        }
    }
}

#[test]
fn every_name_stands_for_its_search_and_no_two_for_the_same() {
    let (problem, moves) = (placement(60, 8), 100_000);
    let mut genomes: Vec<Genome> = Vec::new();
    for search in ALL {
        let found = super::search(&problem, &[], moves, 3, &with(search, 20));
        let budget = Budget::evaluations(moves / price(&problem, search, 20));
        let direct = expected(search, 20).solve(&problem, &[], budget, &mut Rng::new(3), &mut Unobserved).unwrap();
        assert_eq!(found.best, direct.best, "{search:?}");
        assert!(!genomes.contains(&found.best.genome), "{search:?} found what another search finds");
        genomes.push(found.best.genome);
    }
}

#[test]
fn a_population_is_as_large_as_memory_allows() {
    let (small, large) = (placement(100, 4), placement(5_000, 4));
    let of = |problem: &Placement, search, wanted| population(problem, &with(search, wanted));
    for search in [Search::DictionaryGa, Search::StandardGa, Search::QuotaGa] {
        assert_eq!((of(&small, search, 10_000), of(&large, search, 10_000)), (10_000, 419));
    }
    assert_eq!((of(&small, Search::CmmaGa, 10_000), of(&large, Search::CmmaGa, 10_000)), (10_000, 838));
    assert_eq!((of(&small, Search::BeeColony, 10_000), of(&large, Search::BeeColony, 10_000)), (5_242, 104));
    assert_eq!((of(&small, Search::Tcga, 10_000), of(&large, Search::Tcga, 10_000)), (1_000, 419));
    assert_eq!(of(&large, Search::DictionaryGa, 60), 60, "the default fits");
}

/// Ants weigh every value of every item, and bees rank all sources: that is paid for.
#[test]
fn what_grows_faster_than_a_solution_has_its_price() {
    let (narrow, wide) = (placement(100, 4), placement(100, 400));
    let of = |problem, search, population| price(problem, search, population);
    assert_eq!(of(&narrow, Search::DictionaryGa, 60), of(&wide, Search::DictionaryGa, 60));
    assert!(of(&wide, Search::CmmaGa, 60) > 10 * of(&narrow, Search::CmmaGa, 60));
    for search in [Search::BeeColony, Search::Tcga] {
        assert!(of(&narrow, search, 1_000) > 2 * of(&narrow, search, 60), "{search:?}");
    }
}
