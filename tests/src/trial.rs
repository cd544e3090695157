//! One burst of pods on an empty cluster, and what came of it; a table of several configurations side by side.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::Result;

use crate::control_plane::ControlPlane;
use crate::extender::Extender;
use crate::placement::Assignment;
use crate::report;
use crate::scheduler::{Scheduler, SchedulerSettings};
use crate::workload::Workload;

/// Seeds from 1 on: `quick` of them, or five where the environment has `FULL`, as for the tables of the README.
#[must_use]
pub fn seeds(quick: u64) -> RangeInclusive<u64> {
    1..=if is_full() { 5 } else { quick }
}

/// Whether the environment asks for whole tables (`make e2e FULL=1`) in place of what a test can wait for.
#[must_use]
pub fn is_full() -> bool {
    std::env::var_os("FULL").is_some()
}

/// Until every pod of a burst is bound or given up; a burst takes seconds, a busy machine several times that.
const SETTLE_LIMIT: Duration = Duration::from_mins(4);

/// What one burst came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// σ of node load, percentage points.
    pub sigma: f64,
    /// The resources, in the order of the next.
    pub resources: &'static [&'static str],
    /// σ of each resource's load alone, percentage points.
    pub sigma_by_resource: Vec<f64>,
    /// Pods without a node.
    pub unplaced: usize,
    /// What is wrong with it, in words; see [`Assignment::violations`].
    pub violations: Vec<String>,
}

impl Outcome {
    /// Reads it off an assignment.
    #[must_use]
    pub fn of(assignment: &Assignment, workload: &Workload) -> Self {
        Self {
            sigma: assignment.sigma(workload),
            resources: workload.resources,
            sigma_by_resource: assignment.sigma_by_resource(workload),
            unplaced: assignment.unplaced(),
            violations: assignment.violations(workload),
        }
    }
}

/// Empties the cluster, creates the workload's nodes, waits until `scheduler` knows them, then creates all pods at once
/// and waits for their fate.
///
/// # Errors
/// Some pod finds neither a node nor a refusal in time.
pub async fn place(plane: &ControlPlane, scheduler: &Scheduler, workload: &Workload) -> Result<Outcome> {
    plane.clear().await?;
    workload.create_nodes(&plane.client()).await?;
    scheduler.wait_for_nodes(workload.nodes()).await?;
    workload.create_pods(&plane.client(), 0..workload.pods()).await?;
    let assignment = Assignment::settled(&plane.client(), workload, SETTLE_LIMIT).await?;
    Ok(Outcome::of(&assignment, workload))
}

/// The same in `bursts` bursts of equal size: each begins when every pod before it has a node or a refusal. A pod that is
/// bound stays where it is.
///
/// # Errors
/// As [`place`].
pub async fn place_in_bursts(
    plane: &ControlPlane,
    scheduler: &Scheduler,
    workload: &Workload,
    bursts: usize,
) -> Result<Outcome> {
    let client = plane.client();
    plane.clear().await?;
    workload.create_nodes(&client).await?;
    scheduler.wait_for_nodes(workload.nodes()).await?;
    let end = |burst: usize| workload.pods() * burst / bursts;
    for burst in 0..bursts {
        workload.create_pods(&client, end(burst)..end(burst + 1)).await?;
        Assignment::settled_up_to(end(burst + 1), &client, workload, SETTLE_LIMIT).await?;
    }
    let assignment = Assignment::settled(&client, workload, SETTLE_LIMIT).await?;
    Ok(Outcome::of(&assignment, workload))
}

/// Empties the cluster, creates the workload's nodes and pods while no kube-scheduler runs, waits until Gantry has planned
/// them all, then starts kube-scheduler and waits for the pods' fate: a queue that has built up.
///
/// # Errors
/// As [`place`]; there is no plan in time.
pub async fn place_queue(
    plane: &ControlPlane,
    extender: &Extender,
    settings: &SchedulerSettings,
    workload: &Workload,
) -> Result<Outcome> {
    plane.clear().await?;
    workload.create_nodes(&plane.client()).await?;
    workload.create_pods(&plane.client(), 0..workload.pods()).await?;
    extender.wait_for_plan(workload.pods()).await?;
    let _scheduler = Scheduler::start(plane, settings).await?;
    let assignment = Assignment::settled(&plane.client(), workload, SETTLE_LIMIT).await?;
    Ok(Outcome::of(&assignment, workload))
}

/// σ as a mean over the outcomes, percentage points.
#[must_use]
pub fn mean_sigma(outcomes: &[Outcome]) -> f64 {
    outcomes.iter().map(|outcome| outcome.sigma).sum::<f64>() / outcomes.len() as f64
}

/// Each resource's own σ as a mean over the outcomes, percentage points; all outcomes are of the same resources.
#[must_use]
pub fn sigma_by_resource(outcomes: &[Outcome]) -> Vec<f64> {
    let resources = outcomes.first().map_or(0, |outcome| outcome.sigma_by_resource.len());
    let mean = |resource: usize| {
        outcomes.iter().map(|outcome| outcome.sigma_by_resource[resource]).sum::<f64>() / outcomes.len() as f64
    };
    (0..resources).map(mean).collect()
}

/// The mean of the resources' own σ, and over the outcomes, percentage points.
#[must_use]
pub fn mean_sigma_of_resources(outcomes: &[Outcome]) -> f64 {
    let all = sigma_by_resource(outcomes);
    all.iter().sum::<f64>() / all.len() as f64
}

/// Pods without a node, over the outcomes.
#[must_use]
pub fn unplaced(outcomes: &[Outcome]) -> usize {
    outcomes.iter().map(|outcome| outcome.unplaced).sum()
}

/// Prints one row a configuration that was tried: means over its outcomes, and each outcome's σ. All are of the same
/// resources.
pub fn compare(title: &str, rows: &[(&str, &[Outcome])]) {
    let tried = rows.iter().filter(|(_, outcomes)| !outcomes.is_empty());
    let cells: Vec<Vec<String>> = tried.map(|(name, outcomes)| row(name, outcomes)).collect();
    let resources = rows.iter().flat_map(|(_, outcomes)| *outcomes).next().map_or(&[][..], |first| first.resources);
    let own = resources.iter().map(|name| format!("σ {}", name.rsplit('/').next().unwrap_or(name)));
    let columns = ["scheduler", "σ"].map(str::to_owned).into_iter().chain(own);
    let columns: Vec<String> = columns.chain(["unplaced", "σ of each run"].map(str::to_owned)).collect();
    report::section(title);
    report::table(&columns.iter().map(String::as_str).collect::<Vec<_>>(), &cells);
}

fn row(name: &str, outcomes: &[Outcome]) -> Vec<String> {
    let mut cells = vec![name.to_owned(), format!("{:.2}", mean_sigma(outcomes))];
    cells.extend(sigma_by_resource(outcomes).iter().map(|sigma| format!("{sigma:.1}")));
    cells.push(unplaced(outcomes).to_string());
    cells.push(outcomes.iter().map(|outcome| format!("{:.1}", outcome.sigma)).collect::<Vec<_>>().join(" "));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_that_is_worse_shows_though_the_mean_is_better() {
        let outcome = |sigma_by_resource: [f64; 2]| Outcome {
            sigma: 0.0,
            resources: &["cpu", "memory"],
            sigma_by_resource: sigma_by_resource.to_vec(),
            unplaced: 0,
            violations: Vec::new(),
        };
        let (ours, theirs) = ([outcome([1.0, 6.0]), outcome([3.0, 8.0])], [outcome([10.0, 5.0])]);
        assert!(mean_sigma_of_resources(&ours) < mean_sigma_of_resources(&theirs));
        assert_eq!((sigma_by_resource(&ours), sigma_by_resource(&theirs)), (vec![2.0, 7.0], vec![10.0, 5.0]));
        assert!(sigma_by_resource(&[]).is_empty());
    }
}
