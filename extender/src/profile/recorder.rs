//! The last questions that plugins answered, so that they can be asked again.
//!
//! Promises a bounded memory: a few answers with their snapshots, which share what did
//! not change between them, and one plan. The price is that the first change after an
//! answer copies the columns that it touches. Nothing is written out until somebody asks.
//! Questions without an answer are not kept: why there is none is told elsewhere.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use gantry_cluster::{PodRow, Snapshot};
use gantry_host::SnapshotSource;
use gantry_host::record::{Answer, Asked, Question, RecordedColumns, RecordedPlugin, RecordedPod};

use super::member::Member;
use crate::columns::{self, Columns};
use crate::view::View;

/// Verdicts and scores kept: sixteen pods' worth where there is one plugin. Each may hold a copy of what changed in the
/// cluster since the one before, at 5,000 nodes some 0.2 MB.
const KEPT: usize = 32;

/// What was asked last, by whom it was answered.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pods: Mutex<VecDeque<Kept>>,
    plan: Mutex<Option<Recorded>>,
}

/// A question with its answer, and when that was given.
pub type Recorded = (SystemTime, Asked);

/// One plugin's answer about a pod.
#[derive(Debug)]
struct Kept {
    at: SystemTime,
    plugin: String,
    snapshot: Arc<Snapshot>,
    pod: Arc<PodRow>,
    answer: Answer,
}

impl Recorder {
    /// Keeps an answer about a pod; the oldest goes where there are too many.
    pub(super) fn keep(&self, member: &Member, view: &View, answer: Answer) {
        let (plugin, snapshot, pod) = (member.name().to_owned(), Arc::clone(&view.snapshot), Arc::clone(&view.pod));
        let mut pods = self.pods();
        pods.truncate(KEPT - 1);
        pods.push_front(Kept { at: SystemTime::now(), plugin, snapshot, pod, answer });
    }

    /// Keeps an answer about many pods in place of the one before.
    pub(super) fn keep_plan(&self, asked: Asked) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some((SystemTime::now(), asked));
    }

    /// The newest verdicts and scores of each plugin for a pod, newest first.
    pub(super) fn of_pod(&self, namespace: &str, pod: &str, members: &[Member], weights: &[f64]) -> Vec<Recorded> {
        let pods = self.pods();
        let mut seen = HashSet::new();
        let own = pods.iter().filter(|kept| *kept.pod.namespace == *namespace && *kept.pod.name == *pod);
        let newest = own.filter(|kept| seen.insert((&kept.plugin, std::mem::discriminant(&kept.answer))));
        newest.filter_map(|kept| Some((kept.at, kept.asked(members, weights)?))).collect()
    }

    /// The last plan.
    pub(super) fn plan(&self) -> Option<Recorded> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn pods(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn asked(&self, members: &[Member], weights: &[f64]) -> Option<Asked> {
        let member = members.iter().find(|member| member.name() == self.plugin)?;
        let (estimate, planned) = (self.snapshot.estimate(&self.pod), self.snapshot.planned_row(&self.pod.uid));
        let pod = RecordedPod::of(&columns::pod(&self.pod, &estimate, planned));
        let question = match &self.answer {
            Answer::Verdicts(_) => Question::Filter(pod),
            Answer::Scores(_) => Question::Score(pod),
            Answer::Plan(_) => return None,
        };
        let columns = Columns::new(&self.snapshot, weights);
        Some(asked(member, &self.snapshot, &columns, question, self.answer.clone()))
    }
}

/// The document of one question. The rows of `source` are called as those of `snapshot`.
pub(super) fn asked(
    member: &Member,
    snapshot: &Snapshot,
    source: &dyn SnapshotSource,
    question: Question,
    answer: Answer,
) -> Asked {
    let nodes = snapshot.names().iter().map(|name| name.as_deref().map(str::to_owned)).collect();
    let resources = snapshot.resources().iter().map(ToString::to_string).collect();
    let plugin = RecordedPlugin {
        name: member.name().to_owned(),
        digest: member.digest().map(|digest| digest.to_string()).unwrap_or_default(),
        settings: member.config().settings.clone(),
    };
    Asked { plugin, snapshot: RecordedColumns::of(source, nodes, resources), question, answer }
}
