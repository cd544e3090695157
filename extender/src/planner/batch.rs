//! A batch of gated pods: planned together, nominated, checked, released at once.
//!
//! Promises that every pod of the batch is released, whatever is refused on the way:
//! with a nomination where the plan has a node for it, else without any; after a panic
//! the next one is only released, lest it be what the planner panics of, and so is every
//! one in the mode shadow, where nobody goes by a plan. Only a replica that no longer
//! leads leaves them: they are the next leader's. And where the API server does not
//! answer, what it was not asked yet is left to the next batch: to wait for every single
//! pod would hold the planner for minutes. Nominations stand for as short as possible
//! before the release, because room that is held slows every other pod's filtering down,
//! and kube-scheduler counts who is nominated for a node as if it were there: pods of one
//! spread group would refuse each other, so each of them is nominated when its turn comes, and not before the one that
//! went to the same node is bound.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use gantry_cluster::{PodRow, Whereabouts};
use tokio::sync::watch;

use super::ledger::Nomination;
use super::nominate::{Nominator, Refusal};
use super::{Deviation, Duty, Planner, audit};
use crate::lease::Role;

/// How often a batch is planned anew because the cluster changed under it.
const ROUNDS: usize = 3;
/// How long the next batch waits after the API server has refused a write: rights are missing, or it is in trouble.
const AFTER_REFUSAL: Duration = Duration::from_secs(5);
/// How long a pod waits whose release is denied: others must not, and mostly it is a policy about this pod.
const AFTER_DENIAL: Duration = Duration::from_mins(1);
/// How long pods wait that we have no right to release: somebody may be about to grant it.
const AFTER_RIGHTS: Duration = Duration::from_secs(15);
/// How long a released pod may take to be bound before the next one goes to the same node.
const BINDING: Duration = Duration::from_secs(1);
/// And all of a batch together: pods that find no room are never bound.
const BINDINGS: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Writes in flight: more only queue in the API server.
const WRITERS: usize = 16;

/// A pod that holds a nomination of ours.
struct Nominated {
    node: Arc<str>,
    version: String,
}

/// What is known of the pods that go together.
#[derive(Default)]
struct Batch {
    uids: HashSet<Arc<str>>,
    /// Where the last plan has them, those that have room.
    node_by_pod: HashMap<Arc<str>, Arc<str>>,
    /// Those that reach their nodes only in the order of urgency.
    ordered: HashSet<Arc<str>>,
    nominated_by_pod: HashMap<Arc<str>, Nominated>,
    /// The API server has not answered: who has no nomination yet is left to the next batch.
    is_cut_short: bool,
}

/// What became of a pod that was to go.
struct Release {
    pod: Arc<PodRow>,
    /// Why it could not be nominated when its turn came.
    refusal: Option<Refusal>,
    was_nominated: bool,
    released: Option<Result<(), Refusal>>,
}

impl Batch {
    /// The nomination of a pod, if it is where the last plan has it.
    fn as_planned(&self, uid: &str) -> Option<&Nominated> {
        self.nominated_by_pod.get(uid).filter(|nominated| self.node_by_pod.get(uid) == Some(&nominated.node))
    }

    /// Where a pod is to be nominated when its turn to be released comes.
    fn later(&self, uid: &str) -> Option<&Arc<str>> {
        self.node_by_pod.get(uid).filter(|_| self.ordered.contains(uid))
    }

    /// The node that a pod holds room of though the last plan does not have it there, by an earlier round or an earlier
    /// planner.
    fn held_in_vain<'a>(&'a self, pod: &'a PodRow) -> Option<&'a Arc<str>> {
        let nominated = self.nominated_by_pod.get(&pod.uid).map(|nominated| &nominated.node);
        let held = nominated.or(pod.nominated_node.as_ref())?;
        (self.node_by_pod.get(&pod.uid) != Some(held)).then_some(held)
    }
}

/// Writes that end when the API server leaves one of them without an answer. Where another replica leads by now, all
/// that are left are lost to it.
struct Pass {
    role: watch::Receiver<Role>,
    is_silent: AtomicBool,
}

impl Pass {
    fn new(role: &watch::Receiver<Role>) -> Self {
        Self { role: role.clone(), is_silent: AtomicBool::new(false) }
    }

    fn is_ours(&self) -> bool {
        *self.role.borrow() == Role::Leads
    }

    /// What becomes of a write; `None`: it is not tried any more.
    async fn write<T>(&self, write: impl Future<Output = Result<T, Refusal>>) -> Option<Result<T, Refusal>> {
        if self.fell_silent() {
            return None;
        }
        let written = if self.is_ours() { write.await } else { Err(Refusal::Lost) };
        if matches!(written, Err(Refusal::Silent)) {
            self.is_silent.store(true, Ordering::Relaxed);
        }
        Some(written)
    }

    fn fell_silent(&self) -> bool {
        self.is_silent.load(Ordering::Relaxed)
    }
}

impl Planner {
    /// Plans the gated pods together with whoever else waits, and lets them go.
    pub(super) async fn plan_batch(&mut self) {
        let Some(nominator) = self.nominator.clone() else { return };
        let mut batch = Batch::default();
        let only_releases = std::mem::take(&mut self.has_panicked) || !self.serves();
        for _ in 0..ROUNDS {
            let snapshot = self.index.snapshot(Instant::now());
            let agenda = self.agenda(&snapshot);
            batch.uids = agenda.gated.iter().map(|pod| Arc::clone(&pod.uid)).collect();
            if agenda.gated.is_empty() || only_releases {
                break;
            }
            let pods = agenda.everybody();
            let Some(plan) = self.solve(&snapshot, pods, agenda.reserved, Deviation::Batch).await else { break };
            // A search may take longer than a lease holds: what it found is then another replica's to nominate. And the
            // mode may be shadow by now.
            if self.duty() != Duty::Leads {
                break;
            }
            let node =
                |pod: &Arc<PodRow>| Some((Arc::clone(&pod.uid), Arc::clone(snapshot.name(plan.row(&pod.uid)?)?)));
            batch.node_by_pod = agenda.gated.iter().filter_map(node).collect();
            batch.ordered = plan.ordered().cloned().collect();
            self.nominate_all(&nominator, agenda.gated, &mut batch).await;
            let holds = audit::contradiction(&plan, &self.index).is_none();
            self.adopt(plan, Deviation::Batch);
            if holds || batch.is_cut_short {
                break;
            }
        }
        self.release_all(&nominator, batch).await;
        self.gathering.begin_again();
    }

    async fn nominate_all(&mut self, nominator: &Nominator, gated: Vec<Arc<PodRow>>, batch: &mut Batch) {
        let is_news = |pod: &Arc<PodRow>| batch.as_planned(&pod.uid).is_none() && batch.later(&pod.uid).is_none();
        let news = gated.into_iter().filter(is_news);
        let wanted = news.filter_map(|pod| Some((Arc::clone(batch.node_by_pod.get(&pod.uid)?), pod)));
        let pass = &Pass::new(&self.role);
        let writes = wanted.map(|(node, pod)| async move {
            let written = pass.write(nominator.nominate(&pod, &node)).await;
            (pod, node, written)
        });
        let written: Vec<_> = futures::stream::iter(writes).buffer_unordered(WRITERS).collect().await;
        batch.is_cut_short = pass.fell_silent();
        for (pod, node, written) in written {
            match written {
                Some(Ok(version)) => {
                    drop(batch.nominated_by_pod.insert(Arc::clone(&pod.uid), Nominated { node, version }));
                }
                Some(Err(refusal)) => self.note_refusal(&pod, &refusal),
                None => {}
            }
        }
    }

    /// Pods whose order matters first and one by one, while nothing else keeps kube-scheduler busy. Then those with a
    /// nomination, and last who has no room in the plan and may take what all these leave. Pods that came since are a batch
    /// of their own.
    async fn release_all(&mut self, nominator: &Nominator, batch: Batch) {
        let agenda = self.agenda(&self.index.snapshot(Instant::now()));
        let gated = agenda.gated.into_iter().filter(|pod| batch.uids.contains(&pod.uid));
        let (mut in_order, others): (Vec<_>, Vec<_>) = gated.partition(|pod| batch.later(&pod.uid).is_some());
        let is_nominated = |pod: &Arc<PodRow>| batch.as_planned(&pod.uid).is_some();
        let (at_once, mut without): (Vec<_>, Vec<_>) = others.into_iter().partition(is_nominated);
        if batch.is_cut_short {
            in_order.clear();
            without.clear();
        }
        let pass = &Pass::new(&self.role);
        self.withdraw_all(nominator, &without, &batch, pass).await;
        let (mut denied, mut last_by_node) = (HashSet::new(), HashMap::new());
        let end = Instant::now() + BINDINGS;
        for pod in in_order {
            let node = batch.later(&pod.uid).map(Arc::clone);
            if let Some(earlier) = node.and_then(|node| last_by_node.insert(node, Arc::clone(&pod.uid))) {
                self.until_placed(&earlier, end.min(Instant::now() + BINDING)).await;
            }
            denied.extend(self.note_release(let_go(nominator, pod, &batch, pass).await));
        }
        for pods in [at_once, without] {
            let releases = pods.into_iter().map(|pod| let_go(nominator, pod, &batch, pass));
            let mut released = futures::stream::iter(releases).buffered(WRITERS);
            while let Some(release) = released.next().await {
                denied.extend(self.note_release(release));
            }
        }
        self.plan_without(&denied);
    }

    /// Waits a moment for a released pod to be bound: until then it is refused its node if another one of its group is
    /// nominated there.
    async fn until_placed(&self, uid: &str, end: Instant) {
        while Instant::now() < end && matches!(self.index.lock().whereabouts(uid), Whereabouts::Waiting) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Pods that are not let go hold no room in the plan that stands.
    fn plan_without(&mut self, denied: &HashSet<Arc<str>>) {
        if let Some(plan) = self.plan.as_mut().filter(|_| !denied.is_empty()) {
            plan.give_up(denied);
            self.context.board.publish(&self.scheduler, plan, self.ledger.nominated());
        }
    }

    /// Takes back what would be held in vain once the pods are released. A nomination that somebody changed is theirs.
    async fn withdraw_all(&mut self, nominator: &Nominator, pods: &[Arc<PodRow>], batch: &Batch, pass: &Pass) {
        let held = |pod: &Arc<PodRow>| Some((Arc::clone(pod), Arc::clone(batch.held_in_vain(pod)?)));
        let held: Vec<(Arc<PodRow>, Arc<str>)> = pods.iter().filter_map(held).collect();
        let writes = held.into_iter().map(|(pod, node)| async move {
            let withdrawn = pass.write(nominator.withdraw(&pod, &node)).await;
            (pod, withdrawn)
        });
        let withdrawn: Vec<_> = futures::stream::iter(writes).buffer_unordered(WRITERS).collect().await;
        for (pod, withdrawn) in withdrawn {
            match withdrawn {
                Some(Ok(())) => self.context.metrics.plans.nominated(&self.scheduler, Nomination::Cleared),
                Some(Err(Refusal::Lost)) | None => {}
                Some(Err(refusal)) => self.note_refusal(&pod, &refusal),
            }
        }
    }

    /// What follows from a release; the pod's UID where it is denied.
    fn note_release(&mut self, release: Release) -> Option<Arc<str>> {
        let Release { pod, refusal, was_nominated, released } = release;
        if let Some(refusal) = refusal {
            self.note_refusal(&pod, &refusal);
        }
        match released? {
            Ok(()) if was_nominated => self.ledger.released(&pod.uid, Instant::now()),
            Ok(()) => self.context.metrics.plans.nominated(&self.scheduler, Nomination::Unplanned),
            Err(refusal) => {
                self.note_refusal(&pod, &refusal);
                return matches!(refusal, Refusal::Denied(_)).then(|| Arc::clone(&pod.uid));
            }
        }
        None
    }

    fn note_refusal(&mut self, pod: &PodRow, refusal: &Refusal) {
        let fate = if matches!(refusal, Refusal::Lost) { Nomination::LostRace } else { Nomination::Refused };
        match refusal {
            Refusal::Api(_) | Refusal::Silent => self.gathering.rest_until(Instant::now() + AFTER_REFUSAL),
            Refusal::Denied(_) => self.pass_over(pod, AFTER_DENIAL),
            Refusal::Rights(_) => self.pass_over(pod, AFTER_RIGHTS),
            Refusal::Lost | Refusal::Changed => {}
        }
        self.context.metrics.plans.nominated(&self.scheduler, fate);
        tracing::warn!(pod = %format_args!("{}/{}", pod.namespace, pod.name), %refusal, "not nominated or not released");
    }

    fn pass_over(&mut self, pod: &PodRow, pause: Duration) {
        self.denied_until.insert(Arc::clone(&pod.uid), Instant::now() + pause);
        self.last_look = None;
    }
}

/// Releases a pod, nominated just before where its order matters; a refused nomination holds no pod back.
async fn let_go(nominator: &Nominator, pod: Arc<PodRow>, batch: &Batch, pass: &Pass) -> Release {
    let nominated = match batch.later(&pod.uid) {
        Some(node) => pass.write(nominator.nominate(&pod, node)).await.map(|written| (node, written)),
        None => None,
    };
    let (now, refusal) = match nominated {
        Some((node, Ok(version))) => (Some(Nominated { node: Arc::clone(node), version }), None),
        // It is bound, gone or released by somebody else.
        Some((_, Err(Refusal::Lost))) => {
            return Release { pod, refusal: Some(Refusal::Lost), was_nominated: false, released: None };
        }
        Some((_, Err(refusal))) => (None, Some(refusal)),
        None => (None, None),
    };
    let held = now.as_ref().or_else(|| batch.as_planned(&pod.uid));
    let released = pass.write(release(nominator, &pod, held, pass)).await;
    let was_nominated = held.is_some();
    Release { pod, refusal, was_nominated, released }
}

/// A pod that changed since its nomination is released as it is now: its nomination stands as it was written. One that
/// cannot be released holds no room meanwhile, unless it is rights that are missing: whoever else releases it then, as the
/// dead man's switch does, finds it nominated.
async fn release(nominator: &Nominator, pod: &PodRow, held: Option<&Nominated>, pass: &Pass) -> Result<(), Refusal> {
    let released = match nominator.release(pod, held.map(|held| held.version.as_str())).await {
        Err(Refusal::Changed) => nominator.release(pod, None).await,
        released => released,
    };
    // A pod that is lost is bound, gone or released, and a nomination of it is no longer ours.
    if let (Err(why), Some(held)) = (&released, held)
        && !matches!(why, Refusal::Lost | Refusal::Rights(_))
        && pass.is_ours()
        && let Err(refusal) = nominator.withdraw(pod, &held.node).await
        && !matches!(refusal, Refusal::Lost)
    {
        tracing::warn!(pod = %pod.name, %refusal, "a nomination stays that holds room in vain");
    }
    released
}
