//! A profile at work: whose pods, under which weights, asked of which plugins.
//!
//! Promises that a plugin that fails, is too slow, or could not be loaded, is left out
//! and named, never the whole profile: only where none answers is there no answer. Knows
//! no requests, and not what is done about a failure.

mod expected;
pub mod loader;
mod member;
mod opinion;
mod pipeline;
mod recorder;
mod supply;

use std::sync::Arc;
use std::time::Instant;

use gantry_cluster::Snapshot;
use gantry_host::record::{Answer, Question, RecordedPods};
use gantry_host::types::{Budget, Plan, Pod, Pods};
use gantry_host::{Plugin, Reason, SnapshotSource};

pub use member::{Allowance, Member, Point, chain};
pub use opinion::Opinion;
pub use pipeline::{Combined, Verdict};
pub use recorder::Recorded;

use crate::columns::{self, Columns};
use crate::config::valid;
use crate::config::valid::{ComponentSource, Mode};
use crate::cycle::{Cause, Fallback};
use crate::metrics::Metrics;
use crate::view::View;
use member::{Share, Spent};
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
            recorder: Recorder::new(Instant::now()),
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

    /// Whose verdict it is, where it is not our own plugin's.
    #[must_use]
    pub fn stranger(&self, verdict: Verdict) -> Option<&str> {
        let member = self.members.get(usize::from(verdict.by))?;
        (member.config().component != ComponentSource::Builtin).then_some(member.name())
    }

    /// The plugins, in the order of the configuration.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The plugins' names, each behind the profile's own.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|member| (self.scheduler_name(), member.name()))
    }

    /// Whether any plugin is asked for scores.
    #[must_use]
    pub fn has_scorers(&self) -> bool {
        self.asked(Point::Score).next().is_some()
    }

    /// Whether every plugin that is asked there is expected to be quick.
    #[must_use]
    pub fn is_quick(&self, point: Point) -> bool {
        self.asked(point).all(|member| member.is_quick(point))
    }

    /// One verdict a row: of the refusals the one that binds most, among equals the first. Who has not answered at the
    /// end of the time is left out.
    ///
    /// # Errors
    /// Where every plugin that is asked has failed: why, in the order of the configuration.
    pub fn filter(
        &self,
        view: &View,
        time: Allowance,
        metrics: &Metrics,
    ) -> Result<Combined<Vec<Verdict>>, Vec<Fallback>> {
        let (columns, estimate) = (self.columns(view), view.snapshot.estimate(&view.pod));
        let (pod, time) = (pod(view, &estimate), self.share(Point::Filter, time));
        let answers = self.ask(Point::Filter, time.end, |member, position| {
            let call = |plugin: &Plugin| plugin.filter_until(&columns, &pod, time.end);
            let verdicts = member.call(Point::Filter, Some(time), self.scheduler_name(), metrics, call)?;
            self.recorder.keep(member, view, || Answer::Verdicts(verdicts.clone()));
            Ok((position as u8, verdicts))
        });
        let pass = || vec![Verdict::default(); columns.rows()];
        answers.combined(|verdicts| pipeline::verdicts(verdicts).unwrap_or_else(pass))
    }

    /// One score a row: the weighted mean over the plugins that answer. `candidates` are the rows that the scores of a
    /// plugin are stretched over where its configuration says so; who has not answered at the end of the time is left out.
    ///
    /// # Errors
    /// As [`Profile::filter`].
    pub fn score(
        &self,
        view: &View,
        candidates: &[u32],
        time: Allowance,
        metrics: &Metrics,
    ) -> Result<Combined<Vec<f64>>, Vec<Fallback>> {
        let (columns, estimate) = (self.columns(view), view.snapshot.estimate(&view.pod));
        let (pod, time) = (pod(view, &estimate), self.share(Point::Score, time));
        let answers = self.ask(Point::Score, time.end, |member, _| {
            let call = |plugin: &Plugin| plugin.score_until(&columns, &pod, time.end);
            let mut scores = member.call(Point::Score, Some(time), self.scheduler_name(), metrics, call)?;
            self.recorder.keep(member, view, || Answer::scores(&scores));
            if member.config().normalize {
                pipeline::stretch(&mut scores, candidates);
            }
            Ok((member.weight(), scores))
        });
        let equal = || vec![0.0; columns.rows()];
        answers.combined(|scores| pipeline::mean(scores).unwrap_or_else(equal))
    }

    /// A joint assignment, by the first plugin that plans and does not fail. The rows of `source` are those of `snapshot`.
    ///
    /// # Errors
    /// Where all fail that plan, why, in the order of asking; or where none plans.
    pub fn plan(
        &self,
        snapshot: &Snapshot,
        source: &dyn SnapshotSource,
        pods: &Pods<'_>,
        budget: Budget,
        seed: u64,
        metrics: &Metrics,
    ) -> Result<Combined<Plan>, Vec<Fallback>> {
        // Those that could not be loaded may not plan at all: they come last.
        let mut planners: Vec<&Member> = self.asked(Point::Plan).collect();
        planners.sort_by_key(|member| member.failure().is_some());
        let mut left_out = Vec::new();
        for member in planners {
            let call = |plugin: &Plugin| plugin.plan(source, pods, budget, seed);
            match member.call(Point::Plan, None, self.scheduler_name(), metrics, call) {
                Ok(answer) => {
                    let question = Question::Plan(RecordedPods::of(pods, budget, seed));
                    let answered = Answer::plan(&answer);
                    self.recorder.keep_plan(recorder::asked(member, snapshot, source, question, answered));
                    return Ok(Combined { answer, left_out, asked: Vec::new() });
                }
                Err(fallback) => left_out.push(fallback),
            }
        }
        if left_out.is_empty() {
            let cause = Cause::Plugin(Reason::Unavailable);
            left_out.push(Fallback::new(self.plugin_name(), cause, "no plugin of this profile plans"));
        }
        Err(left_out)
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

    /// What each plugin that filters or scores says of every row until `end`, asked for somebody who wants to know rather
    /// than for a request: nothing of it is measured, kept, or held against a plugin.
    #[must_use]
    pub fn opinions(&self, source: &dyn SnapshotSource, pod: &Pod<'_>, end: Instant) -> Vec<Opinion> {
        let members = self.members.iter().enumerate();
        members.filter_map(|(position, member)| member.opinion(position as u8, source, pod, end)).collect()
    }

    fn columns<'a>(&'a self, view: &'a View) -> Columns<'a> {
        Columns::new(&view.snapshot, &self.weights)
    }

    fn asked(&self, point: Point) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.is_asked(point))
    }

    /// What each of the plugins may take that are there and asked.
    fn share(&self, point: Point, time: Allowance) -> Share {
        time.shared_by(self.asked(point).filter(|member| member.loaded().is_some()).count())
    }

    /// Asks those first who are expected to take the least, so that one that is slow costs nobody's answer but its own.
    /// The answers stand in the order of the configuration.
    fn ask<T>(
        &self,
        point: Point,
        end: Instant,
        call: impl Fn(&Member, usize) -> Result<T, Fallback>,
    ) -> pipeline::Answers<T> {
        let mut order: Vec<_> = self.members.iter().enumerate().filter(|(_, member)| member.is_asked(point)).collect();
        order.sort_by_key(|(_, member)| member.expected(point));
        let mut spent = Spent::default();
        let mut told: Vec<_> = order
            .into_iter()
            .map(|(position, member)| {
                let start = Instant::now();
                let answer = spent.on(member, end, || call(member, position));
                (position, member, start.elapsed(), answer)
            })
            .collect();
        told.sort_by_key(|(position, ..)| *position);
        let mut answers = pipeline::Answers::default();
        for (_, member, took, answer) in told {
            answers.add(member.shared_name(), took, answer);
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
