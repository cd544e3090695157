//! The figures of T000 beside the source's.
//!
//! Promises: a verdict is computed from the figures, never written down. Must not know: how they were measured.

use std::fmt::Write as _;

use super::loads::{Comparison, Method, TARGET, reported};
use super::replay::{Measured, NODE, NODES};
use super::tuning::{MANY_PODS, MARKS, PODS, Run, bound};
use crate::report::{Figure, Verdict};

/// What the source reports of fitness, mean and best, at [`MARKS`] \[P\].
const FITNESS: [(f64, f64); 4] = [(0.6176, 0.6457), (0.6524, 0.6819), (0.7141, 0.7528), (0.7436, 0.7809)];

/// The source's utilisation before and after, % \[P\].
const UTILISATION: (f64, f64) = (58.74, 73.12);

/// The figures of the runs with few and with many pods, and of the comparisons.
pub(super) fn all(few: &[Run], many: &[Run], comparisons: &[Comparison]) -> Vec<Figure> {
    let means = super::tuning::means(few);
    let mut figures = vec![utilisation(&means), fitness(&means), share(PODS, few), share(MANY_PODS, many)];
    figures.extend(comparisons.iter().flat_map(of_load));
    figures
}

fn utilisation(means: &Run) -> Figure {
    let gain = 100.0 * (means.tuned - means.drawn);
    Figure {
        experiment: "T000-1",
        measure: "mean utilisation before → after, %".into(),
        paper: format!("{} → {}", UTILISATION.0, UTILISATION.1),
        ours: format!("{:.2} → {:.2}", 100.0 * means.drawn, 100.0 * means.tuned),
        limit: format!("{:.2} at the best fitness", 100.0 * bound().utilisation[0]),
        verdict: Verdict::holds(gain >= UTILISATION.1 - UTILISATION.0),
    }
}

fn fitness(means: &Run) -> Figure {
    let list = |values: &[(f64, f64)]| -> String {
        let pairs: Vec<String> = values.iter().map(|(mean, best)| format!("{mean:.3}/{best:.3}")).collect();
        pairs.join(" ")
    };
    let ours = MARKS.map(|generation| means.curve[generation]);
    Figure {
        experiment: "T000-1",
        measure: "mean/best fitness at generations 10, 20, 50, 100".into(),
        paper: list(&FITNESS),
        ours: list(&ours),
        limit: format!("{:.3}", bound().fitness),
        verdict: Verdict::holds(ours.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1)),
    }
}

fn share(pods: usize, runs: &[Run]) -> Figure {
    let best = bound().fitness;
    let mean = super::tuning::means(runs).fitness;
    let worst = runs.iter().map(|run| run.fitness).fold(f64::INFINITY, f64::min);
    Figure {
        experiment: "T000-1",
        measure: format!("{pods} pods, best fitness over the limit: mean, worst of {} seeds", runs.len()),
        paper: "–".into(),
        ours: format!("{:.4}, {:.4}", mean / best, worst / best),
        limit: "1".into(),
        verdict: Verdict::met(worst >= 0.98 * best),
    }
}

/// Response, utilisation and throughput under one load.
fn of_load(comparison: &Comparison) -> Vec<Figure> {
    let paper = reported(comparison.load);
    let limit = format!("{:.1}", comparison.load.most_answers(NODES as f64 * NODE[0]));
    let answers = |run: &Measured| run.throughput;
    vec![
        compared(comparison, "response, ms", paper.response, &|run| run.response, &relative),
        compared(comparison, "cpu utilisation, %", paper.cpu, &|run| run.utilisation[0], &absolute),
        compared(comparison, "memory utilisation, %", paper.memory, &|run| run.utilisation[1], &absolute),
        Figure { limit, ..compared(comparison, "answers a second", paper.throughput, &answers, &relative) },
    ]
}

/// One figure by default and by the source's method. The claim holds if every seed changes it in the source's direction,
/// and partly if the mean does.
fn compared(
    comparison: &Comparison,
    measure: &str,
    paper: (f64, f64),
    of: &dyn Fn(&Measured) -> f64,
    text: &dyn Fn((f64, f64)) -> String,
) -> Figure {
    let Comparison { load, reactive, genetic, .. } = comparison;
    let agrees = |source: f64, default: f64| (source < default) == (paper.0 < paper.1);
    let ours = (of(&Measured::mean(genetic)), of(&Measured::mean(reactive)));
    let seeds = genetic.iter().zip(reactive).filter(|(source, default)| agrees(of(source), of(default))).count();
    Figure {
        experiment: "T000-2",
        measure: format!("{}: {measure}, default → predictive", load.name()),
        paper: text(paper),
        ours: format!("{}; {seeds} of {} seeds", text(ours), genetic.len()),
        limit: "–".into(),
        verdict: match agrees(ours.0, ours.1) {
            true if seeds == genetic.len() => Verdict::Holds,
            true => Verdict::HoldsPartly,
            false => Verdict::Fails,
        },
    }
}

fn relative((source, default): (f64, f64)) -> String {
    format!("{default:.1} → {source:.1} ({})", change(default, source))
}

fn absolute((source, default): (f64, f64)) -> String {
    format!("{default:.1} → {source:.1} ({:+.1} points)", source - default)
}

/// The relative change, such as `-12.3 %`.
pub(super) fn change(from: f64, to: f64) -> String {
    format!("{:+.1} %", 100.0 * (to / from - 1.0))
}

/// Every method under every load.
pub(super) fn table(comparisons: &[Comparison]) -> String {
    let mut table =
        "| load | scaler | response, ms | 95 % below | cpu, % | memory, % | answers/s | cores given | pods | \
                     killed |\n|---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for comparison in comparisons {
        let Comparison { load, reactive, genetic, division, roomy, last_seen } = comparison;
        let rows = [
            (Method::Reactive(TARGET), &Measured::mean(reactive)),
            (Method::Genetic, &Measured::mean(genetic)),
            (Method::Division(0.9), division),
            (Method::Division(0.7), roomy),
            (Method::LastSeen, last_seen),
        ];
        for (method, run) in rows {
            let Measured { response, slow, utilisation: [cpu, memory], throughput, cores, pods, kills, .. } = run;
            // Writing to a string cannot fail.
            let _ = writeln!(
                table,
                "| {} | {} | {response:.0} | {slow:.0} | {cpu:.1} | {memory:.1} | {throughput:.1} | {cores:.2} | \
                 {pods:.1} | {kills:.1} |",
                load.name(),
                method.name(),
            );
        }
    }
    table
}
