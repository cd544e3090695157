//! Plans ahead: all pods that wait are placed together, and the plan is kept true.
//!
//! ```text
//!  snapshot ─► agenda: who is to be planned ─► solve (the component, on a thread of its own) ─► plan ─► board ─► index
//!     ▲                                                                                           │
//!     └───────────────── audit: what contradicts the plan, and where its pods went ◄──────────────┘
//!                        batch (opt-in): nominate gated pods where the plan puts them, then release them
//! ```
//!
//! One planner a profile, so no two ever plan the same pods. A plan is made of one
//! snapshot and stands until something contradicts it: a pod it does not know, a pod
//! bound elsewhere, load that is not its own, a node that changed. Requests never wait
//! for it: they read from their snapshot where each pod is planned, if it is.
//!
//! Where the component fails, nothing is planned, gated pods are released as they are,
//! and every pod is scored for itself. Must not know: what a plan is good for.

mod agenda;
mod audit;
mod batch;
mod board;
mod ledger;
mod nominate;
mod order;
mod plan;
mod reserved;
mod solve;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gantry_cluster::{SharedIndex, Snapshot};
use tokio::sync::watch;

use crate::config::valid;
use crate::handlers::Context;
use crate::standing::Standing;
use agenda::{Agenda, Gathering};
pub use audit::Deviation;
pub use board::{Board, PlannedPod, PublishedPlan};
use ledger::{Landed, Ledger};
pub use ledger::{Landing, Nomination};
pub use nominate::{GATE, Nominator};
use plan::Plan;

/// How often the cluster is looked at: well below what a pod's creation takes, well above what a look costs.
const TICK: Duration = Duration::from_millis(20);

/// The planner of one profile.
pub struct Planner {
    scheduler: Arc<str>,
    settings: valid::Plan,
    context: Arc<Context>,
    index: Arc<SharedIndex>,
    nominator: Option<Nominator>,
    leads: watch::Receiver<bool>,
    plan: Option<Plan>,
    ledger: Ledger,
    gathering: Gathering,
    serial: u64,
    not_before: Instant,
}

/// What a planner works with beside its profile.
pub struct Desk {
    /// The profiles, where they are measured, and where plans are published.
    pub context: Arc<Context>,
    /// The cluster.
    pub index: Arc<SharedIndex>,
    /// Writes nominations; `None` where the profile asks for none.
    pub nominator: Option<Nominator>,
    /// Whether this process is the one that writes.
    pub leads: watch::Receiver<bool>,
}

impl Planner {
    /// A planner for the pods of `scheduler`.
    #[must_use]
    pub fn new(scheduler: &str, settings: valid::Plan, desk: Desk) -> Self {
        let gathering = Gathering::new(settings.window);
        let Desk { context, index, nominator, leads } = desk;
        let (plan, ledger, serial, not_before) = (None, Ledger::default(), 0, Instant::now());
        let scheduler = scheduler.into();
        Self { scheduler, settings, context, index, nominator, leads, plan, ledger, gathering, serial, not_before }
    }

    /// Whether it writes to the cluster.
    #[must_use]
    pub fn nominates(&self) -> bool {
        self.nominator.is_some()
    }

    /// Plans until it is dropped.
    pub async fn run(mut self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.step(Instant::now()).await;
        }
    }

    /// One look at the cluster, and what follows from it.
    async fn step(&mut self, now: Instant) {
        let snapshot = self.index.snapshot(now);
        if !snapshot.has_synced() {
            return;
        }
        self.settle(now).await;
        let agenda = self.agenda(&snapshot);
        if self.gathering.is_complete(&agenda.gated, now) {
            self.plan_batch().await;
        } else if now >= self.not_before
            && let Some(deviation) = self.deviation(&snapshot, &agenda, now)
            && let Some(plan) = self.solve(&snapshot, agenda.open, agenda.reserved).await
        {
            self.adopt(plan, deviation);
        }
    }

    fn agenda(&self, snapshot: &Snapshot) -> Agenda {
        Agenda::of(snapshot, &self.scheduler, self.batches())
    }

    /// Whether gated pods are this process' affair.
    fn batches(&self) -> bool {
        let serves = || {
            let profile = self.context.cycles.profile_of(&self.scheduler);
            profile.is_some_and(|profile| profile.mode() == valid::Mode::Serve)
        };
        self.nominator.is_some() && *self.leads.borrow() && serves()
    }

    /// Why the plan does not hold any more; `None` also where there is nothing to plan.
    fn deviation(&mut self, snapshot: &Snapshot, agenda: &Agenda, now: Instant) -> Option<Deviation> {
        if agenda.open.is_empty() {
            if self.plan.take().is_some() {
                self.context.board.withdraw(&self.scheduler);
            }
            return None;
        }
        match &self.plan {
            Some(plan) if now.saturating_duration_since(plan.made) > self.settings.ttl => Some(Deviation::Expired),
            Some(plan) if audit::knows_all(plan, agenda) => audit::contradiction(plan, snapshot, &self.index),
            _ => Some(Deviation::NewPods),
        }
    }

    /// Makes a plan the one that counts.
    fn adopt(&mut self, plan: Plan, cause: Deviation) {
        self.ledger.enter(&plan, &self.index.lock());
        self.tell_who_has_no_room(&plan);
        let placed = plan.placed();
        self.context.metrics.plans.made(&self.scheduler, cause, placed, plan.pods.len() - placed);
        tracing::debug!(
            scheduler = %self.scheduler,
            serial = plan.serial,
            cause = cause.as_str(),
            pods = plan.pods.len(),
            placed,
            objective = plan.search.objective.first(),
            took = ?plan.took,
            "planned"
        );
        self.context.board.publish(&self.scheduler, &plan, self.ledger.nominated());
        self.plan = Some(plan);
    }

    fn tell_who_has_no_room(&self, plan: &Plan) {
        for (pod, _) in plan.nodes().filter(|(_, node)| node.is_none()) {
            let why = || Standing::of(&plan.base, pod).to_string();
            self.context.events.no_feasible_node(pod, why, plan.made);
        }
    }

    /// Writes down where planned pods went, and takes back nominations that were not heard.
    async fn settle(&mut self, now: Instant) {
        let landed = self.ledger.settle(&self.index.lock());
        for Landed { pod, node, landing, nomination } in landed {
            self.context.metrics.plans.landed(&self.scheduler, landing);
            if let Some(nomination) = nomination {
                self.context.metrics.plans.nominated(&self.scheduler, nomination);
            }
            match landing {
                Landing::Planned => self.context.events.placed(&pod, &node, now),
                Landing::Elsewhere | Landing::Gone => {
                    tracing::debug!(namespace = %pod.namespace, pod = %pod.name, planned = %node, landing = landing.as_str(), "landed");
                }
            }
        }
        self.context.metrics.plans.open(&self.scheduler, self.ledger.len());
        if let Some(nominator) = &self.nominator {
            for nomination in self.ledger.take_back(nominator, now).await {
                self.context.metrics.plans.nominated(&self.scheduler, nomination);
            }
        }
    }
}
