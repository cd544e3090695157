//! What became of what was planned: pods that landed, and nominations that nobody heard.
//!
//! Tells metrics, Events and the board; knows of the API server that nominations are
//! taken back there, and not how.

use std::sync::Arc;
use std::time::Instant;

use gantry_cluster::{PodRow, Snapshot};

use super::Planner;
use super::ledger::{Landed, Landing, Nomination};
use super::why::Why;
use crate::decision::DecisionRecord;

impl Planner {
    /// Writes down where planned pods went.
    pub(super) fn settle(&mut self) {
        let landed = self.ledger.settle(&self.index);
        let (metrics, serves) = (&self.context.metrics.plans, self.serves());
        for Landed { pod, node, serial, landing, nomination } in landed {
            metrics.landed(&self.scheduler, landing);
            self.context.board.remember(&pod, &node, serial, landing);
            if let Some(nomination) = nomination {
                metrics.nominated(&self.scheduler, nomination);
            }
            if landing == Landing::Elsewhere {
                let records = self.records(&pod);
                metrics.elsewhere(&self.scheduler, Why::of(&node, || records.iter().map(AsRef::as_ref)));
            }
            match landing {
                Landing::Planned if serves && self.was_led(&pod, &node, nomination) => {
                    self.context.events.placed(&pod, &node, Instant::now());
                }
                Landing::Planned => {}
                Landing::Elsewhere | Landing::Gone => {
                    let (namespace, landing) = (&*pod.namespace, landing.as_str());
                    tracing::debug!(namespace, pod = %pod.name, planned = %node, landing, "landed");
                }
            }
        }
        metrics.open(&self.scheduler, self.ledger.len());
    }

    /// Whether it is Gantry's doing that a pod is on its planned node: where a profile nominates, maybe nobody asks
    /// about pods without a gate, and they are there by chance. One that does not nominate is there to be asked, here
    /// or at another replica.
    pub(super) fn was_led(&self, pod: &PodRow, node: &str, nomination: Option<Nomination>) -> bool {
        let was_told = |record: &Arc<DecisionRecord>| record.trace.planned.as_deref() == Some(node);
        !self.nominates() || nomination.is_some() || self.records(pod).iter().any(was_told)
    }

    /// What was answered about a pod, newest first.
    fn records(&self, pod: &PodRow) -> Vec<Arc<DecisionRecord>> {
        let mut records = self.context.decisions.of(&pod.namespace, &pod.name);
        records.retain(|record| *record.uid == *pod.uid);
        records
    }

    /// Who leads answers also for nominations that somebody before made and did not live to take back.
    pub(super) fn doubt(&mut self, snapshot: &Snapshot, now: Instant) {
        let leads = self.batches();
        let is_released = |pod: &&Arc<PodRow>| leads && pod.gates.is_empty();
        let ours = snapshot.pending().filter(is_released).filter(|pod| pod.scheduler_name == self.scheduler);
        self.ledger.doubt(ours, now);
    }

    /// Takes back nominations that were not heard. Those that ended count no longer where they were.
    pub(super) async fn take_back(&mut self, now: Instant) {
        let Some(nominator) = &self.nominator else { return };
        let fates = self.ledger.take_back(nominator, now).await;
        if fates.is_empty() {
            return;
        }
        self.note_nominations(fates);
        let ledger = &self.ledger;
        self.context.board.keep_nominated(&self.scheduler, |uid| ledger.released_for(uid).is_some());
    }

    /// Counts what became of nominations.
    pub(super) fn note_nominations(&self, fates: Vec<Nomination>) {
        for fate in fates {
            self.context.metrics.plans.nominated(&self.scheduler, fate);
        }
    }
}
