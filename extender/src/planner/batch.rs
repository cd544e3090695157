//! A batch of gated pods: planned together, nominated, checked, released at once.
//!
//! Promises that every pod of the batch is released, whatever fails on the way: with a
//! nomination where the plan has a node for it, else as it is. Only a replica that no
//! longer leads leaves them: they are the next leader's. Nominations stand for
//! as short as possible before the release, because room that is held slows every
//! other pod's filtering down.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use gantry_cluster::PodRow;

use super::ledger::Nomination;
use super::nominate::{Nominator, Refusal};
use super::{Deviation, Planner, audit};
use crate::lease::Role;

/// How often a batch is planned anew because the cluster changed under it.
const ROUNDS: usize = 3;
/// How long the next batch waits after the API server has refused a write: rights are missing, or it is in trouble.
const AFTER_REFUSAL: Duration = Duration::from_secs(5);
/// Writes in flight: more only queue in the API server.
const WRITERS: usize = 16;

/// A pod that holds a nomination of ours.
struct Nominated {
    node: Arc<str>,
    version: String,
}

type NominatedByPod = HashMap<Arc<str>, Nominated>;

impl Planner {
    /// Plans the gated pods together with whoever else waits, and lets them go.
    pub(super) async fn plan_batch(&mut self) {
        let Some(nominator) = self.nominator.clone() else { return };
        let mut nominated = NominatedByPod::new();
        let mut ordered = HashSet::new();
        let mut batch = HashSet::new();
        for _ in 0..ROUNDS {
            let snapshot = self.index.snapshot(Instant::now());
            let agenda = self.agenda(&snapshot);
            if agenda.gated.is_empty() {
                break;
            }
            batch = agenda.gated.iter().map(|pod| Arc::clone(&pod.uid)).collect();
            let pods = agenda.everybody();
            let Some(plan) = self.solve(&snapshot, pods, agenda.reserved).await else { break };
            // A search may take longer than a lease holds: what it found is then another replica's to nominate.
            if !self.batches() {
                break;
            }
            let gated = agenda.gated.iter().filter_map(|pod| Some((pod, snapshot.name(plan.row(&pod.uid)?)?)));
            let wanted: Vec<(Arc<PodRow>, Arc<str>)> =
                gated.map(|(pod, node)| (Arc::clone(pod), Arc::clone(node))).collect();
            self.nominate_all(&nominator, wanted, &mut nominated).await;
            let holds = audit::contradiction(&plan, &self.index).is_none();
            ordered = plan.ordered().cloned().collect();
            self.adopt(plan, Deviation::Batch);
            if holds {
                break;
            }
        }
        self.release_all(&nominator, &batch, &nominated, &ordered).await;
        self.gathering.begin_again();
    }

    async fn nominate_all(
        &mut self,
        nominator: &Nominator,
        wanted: Vec<(Arc<PodRow>, Arc<str>)>,
        nominated: &mut NominatedByPod,
    ) {
        let news =
            wanted.into_iter().filter(|(pod, node)| nominated.get(&pod.uid).is_none_or(|held| held.node != *node));
        let role = &self.role;
        let writes = news.map(|(pod, node)| async move {
            let is_ours = *role.borrow() == Role::Leads;
            let written = if is_ours { nominator.nominate(&pod, &node).await } else { Err(Refusal::Lost) };
            (pod, node, written)
        });
        let written: Vec<_> = futures::stream::iter(writes).buffer_unordered(WRITERS).collect().await;
        for (pod, node, written) in written {
            match written {
                Ok(version) => drop(nominated.insert(Arc::clone(&pod.uid), Nominated { node, version })),
                Err(refusal) => self.note_refusal(&pod, &refusal),
            }
        }
    }

    /// Those with a nomination first: who has none may take what they leave. Pods whose order matters go one by one.
    /// Pods that came since are a batch of their own.
    async fn release_all(
        &mut self,
        nominator: &Nominator,
        batch: &HashSet<Arc<str>>,
        nominated: &NominatedByPod,
        ordered: &HashSet<Arc<str>>,
    ) {
        let agenda = self.agenda(&self.index.snapshot(Instant::now()));
        let gated = agenda.gated.into_iter().filter(|pod| batch.contains(&pod.uid));
        let (with, without): (Vec<_>, Vec<_>) = gated.partition(|pod| nominated.contains_key(&pod.uid));
        let (in_order, at_once) = with.into_iter().partition(|pod| ordered.contains(&pod.uid));
        for (pods, writers) in [(at_once, WRITERS), (in_order, 1), (without, WRITERS)] {
            let pods: Vec<Arc<PodRow>> = pods;
            let releases = pods.into_iter().map(|pod| async move {
                let held = nominated.get(&pod.uid);
                let released = release(nominator, &pod, held).await;
                (pod, held.is_some(), released)
            });
            let released: Vec<_> = futures::stream::iter(releases).buffered(writers).collect().await;
            for (pod, was_nominated, released) in released {
                self.note_release(&pod, was_nominated, &released);
            }
        }
    }

    fn note_release(&mut self, pod: &PodRow, was_nominated: bool, released: &Result<(), Refusal>) {
        match released {
            Ok(()) if was_nominated => self.ledger.released(&pod.uid, Instant::now()),
            Ok(()) => self.context.metrics.plans.nominated(&self.scheduler, Nomination::Unplanned),
            Err(refusal) => self.note_refusal(pod, refusal),
        }
    }

    fn note_refusal(&mut self, pod: &PodRow, refusal: &Refusal) {
        let fate = if matches!(refusal, Refusal::Lost) { Nomination::LostRace } else { Nomination::Refused };
        if matches!(refusal, Refusal::Api(_) | Refusal::Silent) {
            self.gathering.rest_until(Instant::now() + AFTER_REFUSAL);
        }
        self.context.metrics.plans.nominated(&self.scheduler, fate);
        tracing::warn!(pod = %format_args!("{}/{}", pod.namespace, pod.name), %refusal, "not nominated or not released");
    }
}

/// A pod that changed since its nomination is released as it is now: its nomination stands as it was written.
async fn release(nominator: &Nominator, pod: &PodRow, held: Option<&Nominated>) -> Result<(), Refusal> {
    match nominator.release(pod, held.map(|held| held.version.as_str())).await {
        Err(Refusal::Changed) => nominator.release(pod, None).await,
        released => released,
    }
}
