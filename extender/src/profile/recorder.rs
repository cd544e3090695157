//! The last questions that plugins answered, so that they can be asked again.
//!
//! Promises a bounded memory: a few answers with their snapshots, which share what did
//! not change between them, and one plan. The price is that the first change after an
//! answer copies the columns that it touches; so of more pods than a few at once only some
//! are kept, and the others are placed without. Nothing is written out until somebody asks.
//! Questions without an answer are not kept: why there is none is told elsewhere.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use gantry_cluster::{PodRow, Snapshot};
use gantry_host::SnapshotSource;
use gantry_host::record::{Answer, Asked, Question, RecordedColumns, RecordedPlugin, RecordedPod};

use super::member::Member;
use crate::columns::{self, Columns};
use crate::tokens::Tokens;
use crate::view::View;

/// Verdicts and scores kept: sixteen pods' worth where there is one plugin. Each may hold a copy of what changed in the
/// cluster since the one before, at 5,000 nodes some 0.2 MB.
const KEPT: usize = 32;
/// Pods at once of which all answers are kept, and how often one is after those.
const PODS: u32 = 16;
const EVERY: Duration = Duration::from_millis(100);

/// What was asked last, by whom it was answered.
#[derive(Debug)]
pub(super) struct Recorder {
    pods: Mutex<Pods>,
    plan: Mutex<Option<Recorded>>,
}

/// The last answers about pods that were kept, newest first.
#[derive(Debug)]
struct Pods {
    kept: VecDeque<Kept>,
    tokens: Tokens,
    /// The UID of the last pod, and whether its answers are kept: all of them, or none.
    last: Option<(Arc<str>, bool)>,
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
    /// Keeps nothing yet.
    pub(super) fn new(now: Instant) -> Self {
        let pods = Pods { kept: VecDeque::new(), tokens: Tokens::new(PODS, EVERY, now), last: None };
        Self { pods: Mutex::new(pods), plan: Mutex::default() }
    }

    /// Keeps an answer about a pod, if the pod is one of those that are kept; the oldest goes where there are too many.
    pub(super) fn keep(&self, member: &Member, view: &View, answer: impl FnOnce() -> Answer) {
        let mut pods = self.pods();
        if !pods.admit(&view.pod.uid, Instant::now()) {
            return;
        }
        let (plugin, snapshot, pod) = (member.name().to_owned(), Arc::clone(&view.snapshot), Arc::clone(&view.pod));
        pods.kept.truncate(KEPT - 1);
        pods.kept.push_front(Kept { at: SystemTime::now(), plugin, snapshot, pod, answer: answer() });
    }

    /// Keeps an answer about many pods in place of the one before.
    pub(super) fn keep_plan(&self, asked: Asked) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some((SystemTime::now(), asked));
    }

    /// The newest verdicts and scores of each plugin for a pod, newest first.
    pub(super) fn of_pod(&self, namespace: &str, pod: &str, members: &[Member], weights: &[f64]) -> Vec<Recorded> {
        let pods = self.pods();
        let mut seen = HashSet::new();
        let own = pods.kept.iter().filter(|kept| *kept.pod.namespace == *namespace && *kept.pod.name == *pod);
        let newest = own.filter(|kept| seen.insert((&kept.plugin, std::mem::discriminant(&kept.answer))));
        newest.filter_map(|kept| Some((kept.at, kept.asked(members, weights)?))).collect()
    }

    /// The last plan.
    pub(super) fn plan(&self) -> Option<Recorded> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn pods(&self) -> MutexGuard<'_, Pods> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pods {
    fn admit(&mut self, uid: &Arc<str>, now: Instant) -> bool {
        if let Some((last, is_kept)) = &self.last
            && last == uid
        {
            return *is_kept;
        }
        self.tokens.refill(now);
        let is_kept = self.tokens.take(0);
        self.last = Some((Arc::clone(uid), is_kept));
        is_kept
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_burst_the_first_pods_are_kept_and_then_one_now_and_then_each_with_all_its_answers() {
        let start = Instant::now();
        let recorder = Recorder::new(start);
        let mut pods = recorder.pods();
        let mut kept = |pod: u32, milliseconds| {
            let (uid, now) = (pod.to_string().into(), start + Duration::from_millis(milliseconds));
            let [filtered, scored] = [pods.admit(&uid, now), pods.admit(&uid, now)];
            assert_eq!(filtered, scored, "pod {pod}");
            filtered
        };
        let burst: Vec<u32> = (0..40).filter(|pod| kept(*pod, 0)).collect();
        assert!(burst.into_iter().eq(0..PODS));
        assert_eq!(
            [kept(40, 99), kept(41, 100), kept(42, 101), kept(43, 350), kept(44, 350)],
            [false, true, false, true, true]
        );
    }
}
