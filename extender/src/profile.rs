//! A profile at work: whose pods, under which weights, asked of which plugins.
//!
//! Promises that a plugin that fails, or could not be loaded, is left out and named,
//! never the whole profile: only where none answers is there no answer. Knows no
//! requests, and not what is done about a failure.

pub mod loader;
mod member;
mod pipeline;
mod recorder;

use std::sync::Arc;

use gantry_cluster::Snapshot;
use gantry_host::record::{Answer, Question, RecordedPods};
use gantry_host::types::{Budget, Plan, Pod, Pods};
use gantry_host::{Reason, SnapshotSource};

pub use member::{Member, Point, chain};
pub use pipeline::Combined;
pub use recorder::Recorded;

use crate::columns::{self, Columns};
use crate::config::valid;
use crate::config::valid::Mode;
use crate::cycle::{Cause, Fallback};
use crate::metrics::Metrics;
use crate::view::View;
use recorder::Recorder;

/// A profile at work.
#[derive(Debug)]
pub struct Profile {
    scheduler_name: String,
    mode: Mode,
    weights: Vec<f64>,
    /// In the order of the configuration, at least one.
    members: Vec<Member>,
    plan: Option<valid::Plan>,
    recorder: Recorder,
}

impl Profile {
    /// A profile of these plugins, in the order of its configuration.
    fn new(config: &valid::Profile, members: Vec<Member>) -> Self {
        Self {
            scheduler_name: config.scheduler_name.clone(),
            mode: config.mode,
            weights: config.weights.clone(),
            members,
            plan: config.plan.clone(),
            recorder: Recorder::default(),
        }
    }

    /// Whose pods: their `spec.schedulerName`.
    #[must_use]
    pub fn scheduler_name(&self) -> &str {
        &self.scheduler_name
    }

    /// Whether what the plugins say is answered.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The objective's weights, one a resource.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// How waiting pods are planned together, if they are.
    #[must_use]
    pub fn planning(&self) -> Option<&valid::Plan> {
        self.plan.as_ref()
    }

    /// The first plugin's name in the configuration: what stands for the profile where no plugin is at fault.
    #[must_use]
    pub fn plugin_name(&self) -> &str {
        self.members.first().map_or("", Member::name)
    }

    /// The plugins, in the order of the configuration.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether any plugin is asked for scores.
    #[must_use]
    pub fn has_scorers(&self) -> bool {
        self.asked(Point::Score).next().is_some()
    }

    /// One verdict a row: of the refusals the one that binds most, among equals the first.
    ///
    /// # Errors
    /// Where every plugin that is asked has failed: why, in the order of asking.
    pub fn filter(&self, view: &View, metrics: &Metrics) -> Result<Combined<Vec<u8>>, Vec<Fallback>> {
        let (columns, estimate) = (self.columns(view), view.snapshot.estimate(&view.pod));
        let pod = pod(view, &estimate);
        let answers = self.ask(Point::Filter, |member| {
            let verdicts = member.call(Point::Filter, metrics, |plugin| plugin.filter(&columns, &pod))?;
            self.recorder.keep(member, view, Answer::Verdicts(verdicts.clone()));
            Ok(verdicts)
        });
        let pass = || vec![0; columns.rows()];
        answers.combined(|verdicts| pipeline::verdicts(verdicts).unwrap_or_else(pass))
    }

    /// One score a row: the weighted mean over the plugins that answer.
    ///
    /// # Errors
    /// As [`Profile::filter`].
    pub fn score(&self, view: &View, metrics: &Metrics) -> Result<Combined<Vec<f64>>, Vec<Fallback>> {
        let (columns, estimate) = (self.columns(view), view.snapshot.estimate(&view.pod));
        let pod = pod(view, &estimate);
        let answers = self.ask(Point::Score, |member| {
            let scores = member.call(Point::Score, metrics, |plugin| plugin.score(&columns, &pod))?;
            self.recorder.keep(member, view, Answer::scores(&scores));
            Ok((member.weight(), scores))
        });
        let equal = || vec![0.0; columns.rows()];
        answers.combined(|scores| pipeline::mean(scores).unwrap_or_else(equal))
    }

    /// A joint assignment, by the first plugin that plans. The rows of `source` are those of `snapshot`.
    ///
    /// # Errors
    /// Where it fails, or none plans.
    pub fn plan(
        &self,
        snapshot: &Snapshot,
        source: &dyn SnapshotSource,
        pods: &Pods<'_>,
        budget: Budget,
        seed: u64,
        metrics: &Metrics,
    ) -> Result<Plan, Fallback> {
        // One that could not be loaded may not plan at all: it comes last.
        let planner = self.asked(Point::Plan).min_by_key(|member| member.failure().is_some());
        let Some(member) = planner else {
            let cause = Cause::Plugin(Reason::Unavailable);
            return Err(Fallback::new(self.plugin_name(), cause, "no plugin of this profile plans"));
        };
        let plan = member.call(Point::Plan, metrics, |plugin| plugin.plan(source, pods, budget, seed))?;
        let question = Question::Plan(RecordedPods::of(pods, budget, seed));
        self.recorder.keep_plan(recorder::asked(member, snapshot, source, question, Answer::plan(&plan)));
        Ok(plan)
    }

    /// What the plugins were asked last about a pod, and answered: one verdict and one score a plugin, newest first.
    #[must_use]
    pub fn recorded(&self, namespace: &str, pod: &str) -> Vec<Recorded> {
        self.recorder.of_pod(namespace, pod, &self.members, &self.weights)
    }

    /// What was asked for the last plan, and answered.
    #[must_use]
    pub fn recorded_plan(&self) -> Option<Recorded> {
        self.recorder.plan()
    }

    fn columns<'a>(&'a self, view: &'a View) -> Columns<'a> {
        Columns::new(&view.snapshot, &self.weights)
    }

    fn asked(&self, point: Point) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.is_asked(point))
    }

    fn ask<T>(&self, point: Point, call: impl Fn(&Member) -> Result<T, Fallback>) -> pipeline::Answers<T> {
        let mut answers = pipeline::Answers::default();
        for member in self.asked(point) {
            answers.add(call(member));
        }
        answers
    }
}

/// The pod that a view is of, as plugins are asked about it.
fn pod<'a>(view: &'a View, estimate: &'a [f64]) -> Pod<'a> {
    columns::pod(&view.pod, estimate, view.snapshot.planned_row(&view.pod.uid))
}

/// Profiles as cycles hold them: a cycle keeps the one that it began with.
pub type Profiles = Vec<Arc<Profile>>;
