//! openb, a production cluster with GPUs: are all pods placed?
//!
//! 1523 nodes and the pods in order of arrival until 60 % of all GPUs are requested, as one batch.

use std::time::Duration;

use anyhow::Result;
use gantry_papers::searches;
use gantry_solver::instances::openb::Trace;
use gantry_solver::problems::placement::Objective;

use crate::report::{self, Headline, short, significant};
use crate::scope::Scope;

const HEADLINE: Headline = Headline {
    what: "The openb trace to 60 % of its GPUs",
    part: "openb",
    baseline: "the constrained-first greedy, in the same run",
    limit: "no pod without a node; the convex bound of σ is 0, pods that need a whole node stand in the way",
};

/// How much of all GPUs the pods of the batch request.
const SHARE: f64 = 0.6;

const TIME: Duration = Duration::from_secs(1);
const FULL_TIME: Duration = Duration::from_secs(10);

pub(crate) fn measure(scope: &Scope) -> Result<()> {
    report::headline(&HEADLINE);
    let trace = Trace::shipped()?;
    let pods = trace.batch(SHARE);
    let problem = trace.placement(pods, Objective::Sigma)?;
    report::section(&format!("{} pods, {} nodes", pods.len(), trace.nodes.len()));
    let time = if scope.full { FULL_TIME } else { TIME };
    let mut rows = Vec::new();
    for search in searches::all() {
        let reached = search.run(&problem, time, scope.seeds[0])?;
        rows.push(vec![
            search.name.to_owned(),
            significant(reached.sigma),
            reached.unplaced.to_string(),
            short(reached.took),
        ]);
    }
    report::table(&["search", "σ", "unplaced", "took"], &rows);
    Ok(())
}
