//! The golden request: a captured cluster and pod to try new plugins with.
//!
//! Promises that a plugin which cannot do the simplest of what it would be asked for does
//! not come into use by a change, nor by a start where requests would ask it, and that
//! nothing else is asked of it. The trial runs in an instance of its own, so that no cycle
//! ever meets what it pushed.

use std::sync::Arc;

use gantry_cluster::{Index, IndexSettings, PodRow, Snapshot};
use gantry_host::types::{Budget, Pods};
use gantry_host::{CallError, Plugin, Reason};
use serde_json::value::RawValue;

use crate::columns::{self, Columns};
use crate::config::valid::Config;
use crate::config::{ConfigError, Problem};
use crate::profile::{Member, Point, Profile, chain};
use crate::wire::args::{Candidates, Request};

/// A filter request with three whole nodes and a pod that fits on all, as kube-scheduler 1.36 sent it.
pub(crate) const CAPTURED: &[u8] = include_bytes!("demo/filter_full_nodes.json");
/// Pods planned together: enough for a plan to have something to decide.
const PLANNED: usize = 3;
/// Candidate changes that the plan may evaluate: milliseconds.
const BUDGET: Budget = Budget { evaluations: 1000 };
/// Any number that is always the same.
const SEED: u64 = 1;

/// What is asked.
struct Trial {
    snapshot: Arc<Snapshot>,
    pod: Arc<PodRow>,
}

/// A plugin that cannot do what it would be asked for.
#[derive(Debug)]
pub struct Failed {
    /// Which plugin, and how it failed.
    pub problem: Problem,
    /// The same in one word.
    pub reason: Reason,
}

/// Asks every plugin that is there for what it would be asked for. `config` is what the profiles were made of.
///
/// # Errors
/// One problem a plugin that fails.
pub fn try_all(profiles: &[Arc<Profile>], config: &Config) -> Result<(), ConfigError> {
    let failed = failures(profiles, config, &Point::ALL, |_| true)?;
    let problems: Vec<Problem> = failed.into_iter().map(|failed| failed.problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(ConfigError::Refused(problems)) }
}

/// The same of those plugins that `is_tried` says yes to, at these extension points: which of them fail, in the order of
/// the configuration.
///
/// # Errors
/// There is nothing to ask with: the objective's resources are refused.
pub fn failures(
    profiles: &[Arc<Profile>],
    config: &Config,
    points: &[Point],
    is_tried: impl Fn(&Member) -> bool,
) -> Result<Vec<Failed>, ConfigError> {
    let trial = Trial::new(config)?;
    let mut failures = Vec::new();
    for profile in profiles {
        for member in profile.members().iter().filter(|member| is_tried(member)) {
            if let Err((reason, why)) = trial.run(profile, member, points) {
                let remedy = format!("it fails on a recorded request: {why}");
                let plugin = member.config();
                let problem = Problem::new(format!("{}.component", plugin.key), &plugin.component, remedy);
                failures.push(Failed { problem, reason });
            }
        }
    }
    Ok(failures)
}

impl Trial {
    /// The captured request, with the columns of a configuration.
    fn new(config: &Config) -> Result<Self, Problem> {
        let request = Request::parse(CAPTURED).expect("invariant: the captured request is one of kube-scheduler");
        let settings = IndexSettings { resources: config.resources.clone(), ..IndexSettings::default() };
        let refused =
            |error: &dyn std::fmt::Display| Problem::new("resources", config.resources.join(", "), error.to_string());
        let mut index = Index::new(settings).map_err(|error| refused(&error))?;
        let Candidates::Nodes(nodes) = &request.candidates else { unreachable!("invariant: the nodes came whole") };
        for node in nodes {
            index.apply_node(&read(node.raw)).map_err(|error| refused(&error))?;
        }
        let pod = index.row_of(&read(request.pod.raw)).map_err(|error| refused(&error))?;
        Ok(Self { snapshot: index.snapshot(), pod })
    }

    fn run(&self, profile: &Profile, member: &Member, points: &[Point]) -> Result<(), (Reason, String)> {
        let Some(plugin) = member.trial() else { return Ok(()) };
        let plugin = plugin.map_err(|error| (error.reason(), format!("{}: {}", error.reason(), chain(&error))))?;
        let is_asked = |point| points.contains(&point) && member.is_asked(point);
        self.ask(&plugin, profile, is_asked).map_err(|error| (error.reason(), chain(&error)))
    }

    fn ask(&self, plugin: &Plugin, profile: &Profile, is_asked: impl Fn(Point) -> bool) -> Result<(), CallError> {
        let source = Columns::new(&self.snapshot, profile.weights());
        let pod = columns::pod(&self.pod, &[], None);
        if is_asked(Point::Filter) {
            plugin.filter(&source, &pod)?;
        }
        if is_asked(Point::Score) {
            plugin.score(&source, &pod)?;
        }
        if is_asked(Point::Plan) && profile.planning().is_some() {
            let requests = self.pod.request.repeat(PLANNED);
            plugin.plan(&source, &pods(&[self.pod.class; PLANNED], &requests), BUDGET, SEED)?;
        }
        Ok(())
    }
}

/// Pods without rules between them.
fn pods<'a>(classes: &'a [u32], requests: &'a [f64]) -> Pods<'a> {
    Pods { classes, requests, estimates: &[], warm_start: &[], priorities: &[], topologies: &[], rules: &[] }
}

fn read<T: serde::de::DeserializeOwned>(object: &RawValue) -> T {
    serde_json::from_str(object.get()).expect("invariant: the captured objects are ones of Kubernetes")
}
