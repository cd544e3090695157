//! Questions and their answers as a document: enough to ask the same component the same again.
//!
//! Promises that what is read back is what was written, bit for bit, and that asking again is asking as the host always
//! asks: in the sandbox, within limits. Must not know who asked, why, or what a row is called elsewhere than here.

mod answer;
mod columns;
mod numbers;

use serde::{Deserialize, Serialize};

pub use answer::{Answer, Difference};
pub use columns::RecordedColumns;
use numbers::Numbers;

use crate::error::CallError;
use crate::plugin::Plugin;
use crate::source::SnapshotSource;
use crate::types;

/// A document: what was asked of plugins, and what they answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// When the newest answer was given (RFC 3339): of several replicas' records the newest is the one to read.
    pub time: Option<String>,
    /// Who was asked what, newest first.
    pub questions: Vec<Asked>,
}

/// One question, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    /// Who was asked.
    pub plugin: RecordedPlugin,
    /// The cluster that the question is about.
    pub snapshot: RecordedColumns,
    /// What was asked.
    pub question: Question,
    /// What was answered.
    pub answer: Answer,
}

/// Which plugin, as configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedPlugin {
    /// Its name in the configuration.
    pub name: String,
    /// The SHA-256 digest of its component, as [`Digest`](crate::Digest) prints it.
    pub digest: String,
    /// Its settings, a JSON document; empty for all defaults.
    pub settings: String,
}

/// What a plugin is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Question {
    /// Verdicts for a pod.
    Filter(RecordedPod),
    /// Scores for a pod.
    Score(RecordedPod),
    /// A joint assignment.
    Plan(RecordedPods),
}

/// The contract's `pod`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedPod {
    class: u32,
    request: Numbers,
    estimate: Numbers,
    planned_row: i32,
}

/// The contract's `pods`, with the budget and the seed of the search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedPods {
    classes: Vec<u32>,
    requests: Numbers,
    estimates: Numbers,
    warm_start: Vec<i32>,
    priorities: Vec<i32>,
    topologies: Vec<Vec<u32>>,
    rules: Vec<RecordedRule>,
    evaluations: u64,
    seed: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RecordedRule {
    topology: u32,
    pods: Vec<u32>,
    existing: Vec<(u32, u32)>,
    limit: RecordedLimit,
    /// What breaking it costs; none: no plan breaks it.
    cost: Option<Numbers>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum RecordedLimit {
    AtMost(u32),
    Skew(u32),
    Together,
}

impl Asked {
    /// Asks the plugin the same on the same columns.
    ///
    /// # Errors
    /// As the plugin's own methods.
    pub fn again(&self, plugin: &Plugin) -> Result<Answer, CallError> {
        match &self.question {
            Question::Filter(pod) => plugin.filter(&self.snapshot, &pod.lend()).map(Answer::Verdicts),
            Question::Score(pod) => plugin.score(&self.snapshot, &pod.lend()).map(|scores| Answer::scores(&scores)),
            Question::Plan(pods) => pods.plan(&self.snapshot, plugin).map(|plan| Answer::plan(&plan)),
        }
    }
}

impl Question {
    /// The extension point's word.
    #[must_use]
    pub fn point(&self) -> &'static str {
        match self {
            Self::Filter(_) => "filter",
            Self::Score(_) => "score",
            Self::Plan(_) => "plan",
        }
    }
}

impl RecordedPod {
    /// A pod as it was lent.
    #[must_use]
    pub fn of(pod: &types::Pod<'_>) -> Self {
        Self {
            class: pod.class,
            request: pod.request.into(),
            estimate: pod.estimate.into(),
            planned_row: pod.planned_row,
        }
    }

    fn lend(&self) -> types::Pod<'_> {
        types::Pod {
            class: self.class,
            request: &self.request,
            estimate: &self.estimate,
            planned_row: self.planned_row,
        }
    }
}

impl RecordedPods {
    /// Pods as they were lent.
    #[must_use]
    pub fn of(pods: &types::Pods<'_>, budget: types::Budget, seed: u64) -> Self {
        Self {
            classes: pods.classes.to_vec(),
            requests: pods.requests.into(),
            estimates: pods.estimates.into(),
            warm_start: pods.warm_start.to_vec(),
            priorities: pods.priorities.to_vec(),
            topologies: pods.topologies.iter().map(|topology| topology.to_vec()).collect(),
            rules: pods.rules.iter().map(RecordedRule::of).collect(),
            evaluations: budget.evaluations,
            seed,
        }
    }

    fn plan(&self, source: &dyn SnapshotSource, plugin: &Plugin) -> Result<types::Plan, CallError> {
        let topologies: Vec<&[u32]> = self.topologies.iter().map(Vec::as_slice).collect();
        let rules: Vec<types::GroupRule> = self.rules.iter().map(RecordedRule::lend).collect();
        let pods = types::Pods {
            classes: &self.classes,
            requests: &self.requests,
            estimates: &self.estimates,
            warm_start: &self.warm_start,
            priorities: &self.priorities,
            topologies: &topologies,
            rules: &rules,
        };
        plugin.plan(source, &pods, types::Budget { evaluations: self.evaluations }, self.seed)
    }
}

impl RecordedRule {
    fn of(rule: &types::GroupRule<'_>) -> Self {
        let limit = match rule.limit {
            types::Limit::AtMost(most) => RecordedLimit::AtMost(most),
            types::Limit::Skew(skew) => RecordedLimit::Skew(skew),
            types::Limit::Together => RecordedLimit::Together,
        };
        let cost = match rule.force {
            types::Force::Hard => None,
            types::Force::Soft(cost) => Some([cost][..].into()),
        };
        Self { topology: rule.topology, pods: rule.pods.to_vec(), existing: rule.existing.to_vec(), limit, cost }
    }

    fn lend(&self) -> types::GroupRule<'_> {
        let limit = match self.limit {
            RecordedLimit::AtMost(most) => types::Limit::AtMost(most),
            RecordedLimit::Skew(skew) => types::Limit::Skew(skew),
            RecordedLimit::Together => types::Limit::Together,
        };
        let cost = self.cost.as_ref().and_then(|cost| cost.first());
        let force = cost.map_or(types::Force::Hard, |cost| types::Force::Soft(*cost));
        types::GroupRule { topology: self.topology, pods: &self.pods, existing: &self.existing, limit, force }
    }
}
