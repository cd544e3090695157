//! What became of planned pods: who went where the plan put them.
//!
//! A pod stays in the ledger from its first plan until it is bound or gone, whatever
//! later plans leave out: adherence is counted per pod, once. Nominations of which it
//! knows nothing are in doubt: whoever made them may be gone, so they are followed up
//! as its own, and count nowhere but when they are taken back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::HashMap;
use gantry_cluster::{Index, PodRow, SharedIndex, Whereabouts};

use super::nominate::{Nominator, Progress, Refusal};
use super::plan::Plan;

/// kube-scheduler takes a released pod within milliseconds; one that still waits after this was not heard, or has no
/// room any more.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most pods that are asked after in one look.
const MOST_ASKED: usize = 8;

/// Where a planned pod went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// To its planned node.
    Planned,
    /// To another node.
    Elsewhere,
    /// It was deleted before it was bound.
    Gone,
}

impl Landing {
    /// Every landing there is.
    pub const ALL: [Self; 3] = [Self::Planned, Self::Elsewhere, Self::Gone];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Elsewhere => "elsewhere",
            Self::Gone => "gone",
        }
    }
}

/// What became of a nomination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nomination {
    /// The pod was bound where it was nominated.
    Kept,
    /// It was bound elsewhere.
    FellThrough,
    /// It found no room, or has none in a later plan, and its nomination was taken back so that it holds none.
    Cleared,
    /// kube-scheduler nominated it for another node.
    Overridden,
    /// The pod was bound, or released by somebody else, before it could be nominated.
    LostRace,
    /// The pod has no place in the plan and was released as it was.
    Unplanned,
    /// The API server refused.
    Refused,
}

impl Nomination {
    /// Everything that can become of one.
    pub const ALL: [Self; 7] = [
        Self::Kept,
        Self::FellThrough,
        Self::Cleared,
        Self::Overridden,
        Self::LostRace,
        Self::Unplanned,
        Self::Refused,
    ];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::FellThrough => "fell-through",
            Self::Cleared => "cleared",
            Self::Overridden => "overridden",
            Self::LostRace => "lost-race",
            Self::Unplanned => "unplanned",
            Self::Refused => "refused",
        }
    }
}

/// A planned pod that waits no longer.
#[derive(Debug)]
pub(super) struct Landed {
    pub(super) pod: Arc<PodRow>,
    /// Its node in the plan.
    pub(super) node: Arc<str>,
    /// The plan that put it there.
    pub(super) serial: u64,
    pub(super) landing: Landing,
    /// What became of its nomination, if it had one.
    pub(super) nomination: Option<Nomination>,
}

/// Planned pods that are not bound yet.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entry_by_pod: HashMap<Arc<str>, Entry>,
    doubt_by_pod: HashMap<Arc<str>, Doubt>,
    /// The API server did not answer: before this nobody is asked after.
    rests_until: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    pod: Arc<PodRow>,
    node: Arc<str>,
    /// The plan that says so.
    serial: u64,
    /// When to ask after it, of a pod that was nominated and released.
    ask_at: Option<Instant>,
}

/// A nomination that somebody else has made.
#[derive(Debug)]
struct Doubt {
    pod: Arc<PodRow>,
    node: Arc<str>,
    /// When to ask after it; `None`: it is known to be none of our affair.
    ask_at: Option<Instant>,
}

impl Entry {
    fn new(pod: &Arc<PodRow>, node: &Arc<str>, serial: u64) -> Self {
        Self { pod: Arc::clone(pod), node: Arc::clone(node), serial, ask_at: None }
    }
}

impl Ledger {
    /// Takes in what a plan says; later plans overrule earlier ones. A pod that was answered while the plan was made
    /// goes by the earlier one. Who was released with a nomination and is planned again holds it no longer, and what
    /// became of it is returned; unless it is only its node that is gone.
    pub(super) fn enter(&mut self, plan: &Plan, index: &Index) -> Vec<Nomination> {
        let mut fates = Vec::new();
        for (pod, node) in plan.nodes().filter(|(pod, _)| index.whereabouts(&pod.uid) == Whereabouts::Waiting) {
            match (self.released_for(&pod.uid), &pod.nominated_node) {
                (None, _) => {}
                (Some(ours), Some(theirs)) if ours == theirs => continue,
                (Some(_), Some(_)) => fates.push(Nomination::Overridden),
                (Some(_), None) => fates.push(Nomination::Cleared),
            }
            match node.map(|node| Entry::new(pod, node, plan.serial)) {
                Some(entry) => drop(self.entry_by_pod.insert(Arc::clone(&pod.uid), entry)),
                None => drop(self.entry_by_pod.remove(&pod.uid)),
            }
        }
        fates
    }

    /// How many pods it has.
    pub(super) fn len(&self) -> usize {
        self.entry_by_pod.len()
    }

    /// Notes that a pod was nominated for its node and released.
    pub(super) fn released(&mut self, uid: &str, now: Instant) {
        self.set_ask_at(uid, Some(now + PATIENCE));
    }

    /// The node that a pod was nominated for, of a pod that was then released.
    pub(super) fn released_for(&self, uid: &str) -> Option<&Arc<str>> {
        self.entry_by_pod.get(uid).filter(|entry| entry.ask_at.is_some()).map(|entry| &entry.node)
    }

    /// Pods that were released with a nomination, and their nodes.
    pub(super) fn nominated(&self) -> impl Iterator<Item = (&Arc<PodRow>, &Arc<str>)> {
        let nominated = self.entry_by_pod.values().filter(|entry| entry.ask_at.is_some());
        nominated.map(|entry| (&entry.pod, &entry.node))
    }

    /// Closes the entries of pods that are bound or gone.
    pub(super) fn settle(&mut self, index: &SharedIndex) -> Vec<Landed> {
        let snapshot = index.lock().snapshot();
        let moved = self.entry_by_pod.extract_if(|uid, _| snapshot.unbound(uid).is_none()).collect::<Vec<_>>();
        if moved.is_empty() {
            return Vec::new();
        }
        // Held for those alone that have moved: requests wait for it.
        let index = index.lock();
        moved.into_iter().filter_map(|(uid, entry)| self.settle_one(uid, entry, &index)).collect()
    }

    fn settle_one(&mut self, uid: Arc<str>, entry: Entry, index: &Index) -> Option<Landed> {
        let landing = match index.whereabouts(&uid) {
            Whereabouts::Bound(node) if *node == entry.node => Landing::Planned,
            Whereabouts::Bound(_) => Landing::Elsewhere,
            Whereabouts::Unknown => Landing::Gone,
            Whereabouts::Waiting | Whereabouts::Assumed(_) => {
                // It has come back.
                self.entry_by_pod.insert(uid, entry);
                return None;
            }
        };
        let nomination = match landing {
            Landing::Planned => Some(Nomination::Kept),
            Landing::Elsewhere => Some(Nomination::FellThrough),
            Landing::Gone => None,
        };
        let nomination = nomination.filter(|_| entry.ask_at.is_some());
        let Entry { pod, node, serial, .. } = entry;
        Some(Landed { pod, node, serial, landing, nomination })
    }

    /// Takes in which of all released `pods` hold a nomination; those that were seen before keep their time.
    pub(super) fn doubt<'a>(&mut self, pods: impl Iterator<Item = &'a Arc<PodRow>>, now: Instant) {
        let mut before = std::mem::take(&mut self.doubt_by_pod);
        for pod in pods {
            let Some(node) = &pod.nominated_node else { continue };
            if self.entry_by_pod.get(&pod.uid).is_some_and(|entry| entry.ask_at.is_some()) {
                continue;
            }
            let seen = before.remove(&pod.uid).filter(|doubt| doubt.node == *node);
            let new = || Doubt { pod: Arc::clone(pod), node: Arc::clone(node), ask_at: Some(now + PATIENCE) };
            self.doubt_by_pod.insert(Arc::clone(&pod.uid), seen.unwrap_or_else(new));
        }
    }

    /// Asks after released pods that still wait. A nomination that holds room in vain is taken back.
    pub(super) async fn take_back(&mut self, nominator: &Nominator, now: Instant) -> Vec<Nomination> {
        let mut fates = Vec::new();
        if self.rests_until.is_some_and(|until| now < until) {
            return fates;
        }
        for (uid, pod, node) in self.due(now) {
            let progress = nominator.follow_up(&pod, &node).await;
            if matches!(progress, Err(Refusal::Silent)) {
                self.rests_until = Some(Instant::now() + PATIENCE);
                break;
            }
            // Who cannot be asked now may be asked later.
            let progress = progress.unwrap_or(Progress::Waiting);
            fates.extend(if self.doubt_by_pod.contains_key(&uid) {
                self.judge(&uid, progress, now)
            } else {
                self.note(&uid, progress, now)
            });
        }
        fates
    }

    /// Whom to ask after, those first who have waited longest for it, with the nodes that they were nominated for.
    fn due(&self, now: Instant) -> Vec<(Arc<str>, Arc<PodRow>, Arc<str>)> {
        let entries = self.entry_by_pod.values().map(|entry| (entry.ask_at, &entry.pod, &entry.node));
        let doubts = self.doubt_by_pod.values().map(|doubt| (doubt.ask_at, &doubt.pod, &doubt.node));
        let due = entries.chain(doubts).filter_map(|(ask_at, pod, node)| Some((ask_at?, pod, node)));
        let mut due: Vec<_> = due.filter(|(ask_at, ..)| *ask_at <= now).collect();
        due.sort_unstable_by_key(|(ask_at, ..)| *ask_at);
        due.truncate(MOST_ASKED);
        due.into_iter().map(|(_, pod, node)| (Arc::clone(&pod.uid), Arc::clone(pod), Arc::clone(node))).collect()
    }

    /// What follows for a pod of ours.
    fn note(&mut self, uid: &str, progress: Progress, now: Instant) -> Option<Nomination> {
        let fate = match progress {
            Progress::Cleared | Progress::NotNominated => Some(Nomination::Cleared),
            Progress::NominatedElsewhere => Some(Nomination::Overridden),
            Progress::Waiting | Progress::Over | Progress::Theirs => None,
        };
        match fate {
            // Where it lands counts still: it was planned, and kube-scheduler decided otherwise.
            Some(Nomination::Overridden) => self.set_ask_at(uid, None),
            Some(_) => drop(self.entry_by_pod.remove(uid)),
            None => self.set_ask_at(uid, Some(now + PATIENCE)),
        }
        fate
    }

    fn set_ask_at(&mut self, uid: &str, at: Option<Instant>) {
        if let Some(entry) = self.entry_by_pod.get_mut(uid) {
            entry.ask_at = at;
        }
    }

    /// What follows for a pod in doubt. It leaves when it is bound, gone, or nominated no longer.
    fn judge(&mut self, uid: &str, progress: Progress, now: Instant) -> Option<Nomination> {
        if let Some(doubt) = self.doubt_by_pod.get_mut(uid) {
            doubt.ask_at = (progress == Progress::Waiting).then_some(now + PATIENCE);
        }
        (progress == Progress::Cleared).then_some(Nomination::Cleared)
    }
}
