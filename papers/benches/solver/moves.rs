//! Evaluations a second: whole solutions, single moves, and moves within a search.
//!
//! Moves are legal ones drawn in advance, half of them exchanges, all from the greedy solution; none is carried out. The
//! search is the local one without its greedy start, with the drawing of moves and the steps that it takes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;
use gantry_solver::budget::Budget;
use gantry_solver::greedy::Greedy;
use gantry_solver::local_search::LocalSearch;
use gantry_solver::observer::Unobserved;
use gantry_solver::problem::{Genome, Move, Problem as _};
use gantry_solver::problems::placement::{Objective, Placement};
use gantry_solver::rng::Rng;
use gantry_solver::solver::{Evolution, Solver};

use crate::report::{self, Headline, short};
use crate::scope::Scope;

const HEADLINE: Headline = Headline {
    what: "Evaluations of σ",
    part: "moves",
    baseline: "evaluating the whole solution, in the same run",
    limit: "the target is at least 15 million moves a second from 100 × 10 to 2000 × 200",
};

/// Moves drawn in advance.
const MOVES: usize = 1 << 16;

/// Each figure is the least of this many batches: what disturbs a measurement only ever adds to it.
const BATCHES: usize = 9;

/// How long a batch, or all local searches together, should take at least.
const BATCH: Duration = Duration::from_millis(50);
const SEARCHES: Duration = Duration::from_millis(500);

/// The most moves of one local search.
const SEARCH_MOVES: u64 = 2_000_000;

pub(crate) fn measure(scope: &Scope) -> Result<()> {
    report::headline(&HEADLINE);
    let mut rows = Vec::new();
    for &size in &scope.sizes {
        let problem = size.instance(scope.seeds[0], false)?.placement(Objective::Sigma)?;
        let genome = solve(&problem, &Greedy::default(), 0, 1)?.best.genome;
        let (whole, change) = (whole(&problem, &genome), change(&problem, &genome));
        rows.push(vec![
            size.to_string(),
            short(whole),
            short(change),
            format!("{:.0}", whole.as_secs_f64() / change.as_secs_f64()),
            format!("{:.1}", 1e-6 / change.as_secs_f64()),
            format!("{:.1}", moves_in_search(&problem)? / 1e6),
        ]);
    }
    let columns =
        ["pods × nodes", "whole solution", "a move", "ratio", "million moves/s", "million moves/s in local search"];
    report::table(&columns, &rows);
    Ok(())
}

fn solve(problem: &Placement, solver: &dyn Solver<Placement>, evaluations: u64, seed: u64) -> Result<Evolution> {
    Ok(solver.solve(problem, &[], Budget::evaluations(evaluations), &mut Rng::new(seed), &mut Unobserved)?)
}

fn whole(problem: &Placement, genome: &[u32]) -> Duration {
    let mut state = problem.build(genome);
    least(1, || {
        problem.rebuild(&mut state, black_box(genome));
        black_box(problem.eval(&state));
    })
}

fn change(problem: &Placement, genome: &Genome) -> Duration {
    let state = problem.build(genome);
    let moves = legal_moves(problem, genome);
    least(moves.len(), || {
        for &change in &moves {
            black_box(problem.delta(&state, black_box(change)));
        }
    })
}

fn legal_moves(problem: &Placement, genome: &Genome) -> Vec<Move> {
    let mut rng = Rng::new(1);
    let items = problem.items() as u32;
    let mut moves = Vec::with_capacity(MOVES);
    while moves.len() < MOVES {
        let (item, other) = (rng.below(items) as usize, rng.below(items) as usize);
        moves.push(Move::Set { item, value: problem.domain(item).draw(&mut rng) });
        if problem.domain(item).contains(genome[other]) && problem.domain(other).contains(genome[item]) {
            moves.push(Move::Swap { first: item, second: other });
        }
    }
    moves
}

/// The time of one of `parts` equal steps of `run`.
fn least(parts: usize, mut run: impl FnMut()) -> Duration {
    let mut batch = || {
        let start = Instant::now();
        let mut runs = 0;
        while start.elapsed() < BATCH {
            run();
            runs += 1;
        }
        start.elapsed().div_f64(f64::from(runs) * parts as f64)
    };
    (0..BATCHES).map(|_| batch()).min().expect("invariant: there is a batch")
}

/// Moves a second of local searches, one seed after the other, less what their start takes.
fn moves_in_search(problem: &Placement) -> Result<f64> {
    let timed = |evaluations, seed| {
        let start = Instant::now();
        let found = solve(problem, &LocalSearch::default(), evaluations, seed)?;
        anyhow::Ok((found.evaluations, start.elapsed()))
    };
    let (start_moves, start_time) = (0..5)
        .map(|_| timed(0, 1))
        .min_by_key(|run| run.as_ref().map_or(Duration::MAX, |run| run.1))
        .expect("invariant: there is a run")?;
    let (mut moves, mut time) = (0, Duration::ZERO);
    for seed in 1.. {
        let (spent, took) = timed(SEARCH_MOVES, seed)?;
        moves += spent - start_moves;
        time += took.saturating_sub(start_time);
        if time >= SEARCHES {
            break;
        }
    }
    Ok(moves as f64 / time.as_secs_f64())
}
