//! Plans ahead: all pods that wait are placed together, and the plan is kept true.
//!
//! ```text
//!  snapshot ─► agenda: who is to be planned ─► solve (the component, on a thread of its own) ─► plan ─► board ─► index
//!     ▲                                                                                           │
//!     └───────────────── audit: what contradicts the plan, and where its pods went ◄──────────────┘
//!                        batch (opt-in): nominate gated pods where the plan puts them, then release them
//! ```
//!
//! One planner a profile, so no two ever plan the same pods, and one at a time, so no two
//! give the same room away; and of several replicas one plans, the others follow what
//! it says as long as it says anything. A plan is made of one
//! snapshot and stands until something contradicts it: a pod it does not know, a pod
//! bound elsewhere, load that is not its own, a node that changed. Requests never wait
//! for it: they read from their snapshot where each pod is planned, if it is.
//!
//! Where the component fails, nothing is planned: a plan that stood is taken down, as it
//! was contradicted; gated pods are released as they are, every pod is scored for
//! itself, and the board says why. In the mode shadow plans are made to be read: gated
//! pods are released as they are. Must not know: what a plan is good for.

mod agenda;
mod audit;
mod batch;
mod board;
mod feed;
mod follow;
mod ledger;
mod nominate;
mod order;
mod pace;
mod plan;
mod reserved;
mod settle;
mod solve;
mod state;
#[cfg(test)]
mod tests;
mod why;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use foldhash::HashMap;
use gantry_cluster::{PodRow, SharedIndex, Snapshot};
use tokio::sync::watch;

use crate::background;
use crate::config::valid;
use crate::handlers::Context;
use crate::lease::Role;
use crate::metrics::Source;
use crate::profile::Profile;
use crate::standing::Standing;
use agenda::{Agenda, Gathering};
pub use audit::Deviation;
pub use board::{Board, FailedSearch, PlannedPod, Post, PublishedPlan, Remembered};
pub use feed::Feed;
pub use follow::{Follower, Leader, PATH as FEED, WAIT as FEED_WAIT};
use ledger::Ledger;
pub use ledger::{Landing, Nomination};
pub use nominate::{GATE, Nominator};
use pace::Pace;
use plan::Plan;
pub use state::{Duty, PlanState};
pub use why::Why;

/// How often the cluster is looked at: well below what a pod's creation takes, well above what most looks cost.
const TICK: Duration = Duration::from_millis(20);
/// After a look the planner rests for so many times as long as it took: looks cost a fiftieth of a core at most.
const LEISURE: u32 = 50;
/// And no longer than this: a look that took so long may have waited for the core itself.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// The planner of one profile.
pub struct Planner {
    scheduler: Arc<str>,
    settings: valid::Plan,
    context: Arc<Context>,
    index: Arc<SharedIndex>,
    nominator: Option<Nominator>,
    role: watch::Receiver<Role>,
    leader: Leader,
    /// What of the leader's was taken over last; `None`: we plan.
    followed: Option<Arc<str>>,
    plan: Option<Plan>,
    ledger: Ledger,
    gathering: Gathering,
    serial: u64,
    pace: Pace,
    not_before: Instant,
    /// What the agenda was made of: the snapshot's generation, and whether gated pods are ours.
    last_look: Option<((u64, bool), Arc<Agenda>)>,
    /// Whether the plan is known to hold in the last snapshot looked at.
    is_checked: bool,
    /// How long the last look took, without what followed from it.
    look_took: Duration,
    /// When all pods were searched for with the whole budget.
    searched_whole: Option<Instant>,
    /// What was last told of gated pods.
    noted: Option<Duty>,
    /// The profile that is in use, and the one that the plan was made under.
    profile: Weak<Profile>,
    planned_under: Weak<Profile>,
    /// A step panicked while pods were gated, and they may make the next one panic too.
    has_panicked: bool,
    /// Gated pods that a policy does not let go, by UID, and when to try again.
    denied_until: HashMap<Arc<str>, Instant>,
}

/// What a planner works with beside its profile.
pub struct Desk {
    /// The profiles, where they are measured, and where plans are published.
    pub context: Arc<Context>,
    /// The cluster.
    pub index: Arc<SharedIndex>,
    /// Writes nominations; `None` where the profile asks for none.
    pub nominator: Option<Nominator>,
    /// What this process is among its replicas: the one that leads writes.
    pub role: watch::Receiver<Role>,
    /// What another one plans.
    pub leader: Leader,
}

impl Planner {
    /// A planner for the pods of `scheduler`.
    #[must_use]
    pub fn new(scheduler: &str, settings: valid::Plan, desk: Desk) -> Self {
        let gathering = Gathering::new(settings.window);
        let Desk { context, index, nominator, role, leader } = desk;
        let (plan, ledger, serial, not_before) = (None, Ledger::default(), 0, Instant::now());
        let scheduler = scheduler.into();
        let (last_look, is_checked, noted) = (None, false, None);
        Self {
            scheduler,
            settings,
            context,
            index,
            nominator,
            role,
            leader,
            followed: None,
            plan,
            ledger,
            gathering,
            serial,
            pace: Pace::default(),
            not_before,
            last_look,
            is_checked,
            look_took: Duration::ZERO,
            searched_whole: None,
            noted,
            profile: Weak::new(),
            planned_under: Weak::new(),
            has_panicked: false,
            denied_until: HashMap::default(),
        }
    }

    /// Whether it writes to the cluster.
    #[must_use]
    pub fn nominates(&self) -> bool {
        self.nominator.is_some()
    }

    /// Plans until it is dropped.
    pub async fn run(mut self) {
        self.context.board.enrol(&self.scheduler);
        self.context.metrics.plans.source(&self.scheduler, Source::Own);
        loop {
            if !background::ends_well(Box::pin(self.step(Instant::now()))).await {
                self.start_over();
            }
            tokio::time::sleep(rest(self.look_took)).await;
        }
    }

    /// After a panic, of which the log has the place: what it left half done is forgotten, pods are scored one by one,
    /// and the next look is like the first one.
    fn start_over(&mut self) {
        self.ledger = Ledger::default();
        self.gathering = Gathering::new(self.settings.window);
        (self.last_look, self.is_checked, self.followed) = (None, false, None);
        self.has_panicked = true;
        self.give_up("panic", "the planner panicked", Duration::ZERO);
    }

    /// One look at the cluster, and what follows from it.
    async fn step(&mut self, now: Instant) {
        let start = Instant::now();
        let looked = self.look(now);
        // What a follower takes over was worked out elsewhere.
        self.look_took = if looked.is_some() { start.elapsed() } else { Duration::ZERO };
        let Some((snapshot, agenda)) = looked else { return };
        if self.batches() {
            self.take_back(now).await;
        }
        if self.gathering.is_complete(&agenda.gated, now) {
            self.plan_batch().await;
        } else if now >= self.not_before && (!self.is_checked || self.is_expired(now)) {
            self.keep_true(&snapshot, &agenda, now).await;
        }
    }

    /// What there is to do, and the state of the cluster that says so; `None`: nothing for this process.
    fn look(&mut self, now: Instant) -> Option<(Arc<Snapshot>, Arc<Agenda>)> {
        let snapshot = self.index.snapshot(now);
        self.note_duty();
        if !snapshot.has_synced() {
            return None;
        }
        self.take_settings();
        if self.is_led(now) {
            return None;
        }
        self.forgive(now);
        let (agenda, is_new) = self.looked_at(&snapshot);
        // Without a batch there is none to be afraid of.
        self.has_panicked &= !agenda.gated.is_empty();
        if is_new {
            self.settle();
            self.doubt(&snapshot, now);
            self.is_checked = false;
        }
        Some((snapshot, agenda))
    }

    /// The configuration may have changed since the last step.
    fn take_settings(&mut self) {
        let profile = self.context.cycles.profile_of(&self.scheduler);
        let in_use = profile.as_ref().map_or_else(Weak::new, Arc::downgrade);
        if !Weak::ptr_eq(&in_use, &self.profile) {
            (self.profile, self.is_checked) = (in_use, false);
        }
        if let Some(settings) = profile.as_ref().and_then(|profile| profile.planning())
            && *settings != self.settings
        {
            self.settings = settings.clone();
            self.gathering.set_window(settings.window);
        }
    }

    /// Pods that could not be released have a turn again when their time is up.
    fn forgive(&mut self, now: Instant) {
        let before = self.denied_until.len();
        self.denied_until.retain(|_, until| now < *until);
        if self.denied_until.len() < before {
            self.last_look = None;
        }
    }

    /// Takes over what the leader plans, if there is one that speaks. Whoever led before plans from what it said last.
    fn is_led(&mut self, now: Instant) -> bool {
        let Some((tag, feed)) = self.leader.orders(&self.scheduler, now) else {
            if self.followed.take().is_some() {
                self.context.metrics.plans.source(&self.scheduler, Source::Own);
                (self.last_look, self.is_checked) = (None, false);
            }
            return false;
        };
        if self.followed.as_ref() != Some(&tag) {
            self.plan = None;
            if let Some((plan, state)) = feed.stand(&self.scheduler) {
                self.context.board.take_over(&self.scheduler, plan, state);
                self.context.metrics.plans.state(&self.scheduler, state);
            }
            self.context.metrics.plans.source(&self.scheduler, Source::Leader);
            self.followed = Some(tag);
        }
        if self.ledger.len() > 0 {
            self.settle();
        }
        true
    }

    /// Makes another plan where something contradicts the one that stands.
    async fn keep_true(&mut self, snapshot: &Arc<Snapshot>, agenda: &Agenda, now: Instant) {
        let start = Instant::now();
        let deviation = self.deviation(agenda, now);
        self.look_took += start.elapsed();
        match deviation {
            None => self.is_checked = true,
            Some(deviation) => {
                let made = self.solve(snapshot, agenda.open.clone(), agenda.reserved.clone(), deviation).await;
                if let Some(plan) = made {
                    self.adopt(plan, deviation);
                }
            }
        }
    }

    fn is_expired(&self, now: Instant) -> bool {
        self.plan.as_ref().is_some_and(|plan| now.saturating_duration_since(plan.made) > self.settings.ttl)
    }

    /// The agenda of a snapshot, and whether it is another one than at the last look.
    fn looked_at(&mut self, snapshot: &Snapshot) -> (Arc<Agenda>, bool) {
        let seen = (snapshot.generation(), self.batches());
        if let Some((before, agenda)) = &self.last_look
            && *before == seen
        {
            return (Arc::clone(agenda), false);
        }
        let agenda = Arc::new(self.agenda(snapshot));
        self.last_look = Some((seen, Arc::clone(&agenda)));
        (agenda, true)
    }

    fn agenda(&self, snapshot: &Snapshot) -> Agenda {
        let mut agenda = Agenda::of(snapshot, &self.scheduler, self.batches());
        agenda.claim_released(snapshot, |uid| self.ledger.released_for(uid));
        agenda.gated.retain(|pod| !self.denied_until.contains_key(&pod.uid));
        agenda
    }

    /// Whether gated pods are this process' affair: to be planned, or in the mode shadow to be released.
    fn batches(&self) -> bool {
        self.nominates() && *self.role.borrow() == Role::Leads
    }

    fn duty(&self) -> Duty {
        match &self.nominator {
            None => Duty::Off,
            Some(_) if !self.serves() => Duty::Shadow,
            Some(_) if *self.role.borrow() != Role::Leads => Duty::NotLeading,
            Some(_) => Duty::Leads,
        }
    }

    /// Tells whose affair gated pods are, and whether plans count.
    fn note_duty(&mut self) {
        self.context.board.shadow(&self.scheduler, !self.serves());
        let duty = self.duty();
        if self.noted != Some(duty) {
            self.noted = Some(duty);
            self.context.board.assign(&self.scheduler, duty);
            if duty != Duty::Off {
                self.context.metrics.plans.leads(&self.scheduler, duty == Duty::Leads);
            }
            tracing::info!(scheduler = %self.scheduler, duty = duty.as_str(), "gated pods");
        }
    }

    /// Why the plan does not hold any more; `None` also where there is nothing to plan.
    fn deviation(&mut self, agenda: &Agenda, now: Instant) -> Option<Deviation> {
        if agenda.open.is_empty() {
            // Pods that were released with a nomination are on their way: the plan holds their room until they are bound.
            let are_on_their_way = self.plan.is_some() && self.ledger.nominated().next().is_some();
            if !are_on_their_way {
                self.take_down(PlanState::NothingWaits);
            }
            return None;
        }
        match &self.plan {
            Some(_) if self.is_expired(now) => Some(Deviation::Expired),
            Some(_) if !Weak::ptr_eq(&self.planned_under, &self.profile) => Some(Deviation::Configuration),
            Some(plan) if audit::knows_all(plan, agenda) => audit::contradiction(plan, &self.index),
            _ => Some(Deviation::NewPods),
        }
    }

    /// From now on no plan counts; `state` says why.
    fn take_down(&mut self, state: PlanState) {
        self.plan = None;
        self.context.board.withdraw(&self.scheduler, state);
        self.context.metrics.plans.state(&self.scheduler, state);
    }

    /// Makes a plan the one that counts.
    fn adopt(&mut self, mut plan: Plan, cause: Deviation) {
        let fates = self.ledger.enter(&plan, &self.index.lock());
        self.note_nominations(fates);
        self.tell_who_has_no_room(&plan);
        let placed = plan.placed();
        self.context.metrics.plans.made(&self.scheduler, cause, placed, plan.pods.len() - placed);
        // Whoever waits until nothing is open must not see what was so before the plan.
        self.context.metrics.plans.open(&self.scheduler, self.ledger.len());
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
        plan.turn = None;
        self.context.metrics.plans.state(&self.scheduler, PlanState::Stands);
        self.plan = Some(plan);
    }

    fn tell_who_has_no_room(&self, plan: &Plan) {
        if !self.serves() {
            return;
        }
        for (pod, _) in plan.nodes().filter(|(_, node)| node.is_none()) {
            let why = || no_room(plan, pod);
            self.context.events.no_feasible_node(pod, why, plan.made);
        }
    }

    /// Whether anybody goes by what it plans.
    fn serves(&self) -> bool {
        let profile = self.context.cycles.profile_of(&self.scheduler);
        profile.is_some_and(|profile| profile.mode() == valid::Mode::Serve)
    }
}

/// How long the planner rests after a look that took so long.
fn rest(look: Duration) -> Duration {
    look.saturating_mul(LEISURE).clamp(TICK, LONGEST_REST)
}

/// Why a plan has no node for a pod, as an Event says it.
fn no_room(plan: &Plan, pod: &PodRow) -> String {
    let standing = Standing::of(&plan.base, pod);
    let taken = "; the plan gives that room to more urgent pods, or rules between pods or a forecast of heat close it";
    let taken = if standing.with_room > 0 { taken } else { "" };
    format!("a plan places {} of {} waiting pods, and not this one: {standing}{taken}", plan.placed(), plan.pods.len())
}
