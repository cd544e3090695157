//! What planners are told by: plans, adherence, nominations.
//!
//! Labels: the profile's scheduler name, which the configuration lists, and outcomes
//! that the code lists.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::planner::{Deviation, Landing, Nomination, PlanState, Why};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    profile: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProfileLabels {
    profile: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    profile: String,
    source: &'static str,
}

/// Whose plans count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// This process'.
    Own,
    /// Those of the replica that leads.
    Leader,
}

impl Source {
    const ALL: [Self; 2] = [Self::Own, Self::Leader];

    fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Leader => "leader",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    profile: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    profile: String,
    reason: &'static str,
}

/// All metrics of the planners.
#[derive(Debug)]
pub struct PlanMetrics {
    searches: Family<Labels, Histogram, fn() -> Histogram>,
    pods: Family<Labels, Gauge>,
    causes: Family<Labels, Counter>,
    landings: Family<Labels, Counter>,
    elsewhere: Family<ReasonLabels, Counter>,
    nominations: Family<Labels, Counter>,
    not_offered: Family<ProfileLabels, Counter>,
    sources: Family<SourceLabels, Gauge>,
    states: Family<StateLabels, Gauge>,
    leads: Family<ProfileLabels, Gauge>,
}

impl Default for PlanMetrics {
    fn default() -> Self {
        Self {
            searches: Family::new_with_constructor(super::histogram),
            pods: Family::default(),
            causes: Family::default(),
            landings: Family::default(),
            elsewhere: Family::default(),
            nominations: Family::default(),
            not_offered: Family::default(),
            sources: Family::default(),
            states: Family::default(),
            leads: Family::default(),
        }
    }
}

impl PlanMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Time of a search for a plan; labels: profile, outcome (ok or why there is none)";
        registry.register("gantry_plan_search_duration_seconds", help, self.searches.clone());
        let help = "Pods of the last plan, and planned pods that have not landed yet; labels: profile, outcome (placed, unplaced, open)";
        registry.register("gantry_plan_pods", help, self.pods.clone());
        let help = "Plans made; labels: profile, outcome (why: new-pods, gone, load, nodes, domains, forecasts, configuration, expired, batch)";
        registry.register("gantry_plans", help, self.causes.clone());
        let help = "Planned pods that wait no longer; labels: profile, outcome (planned, elsewhere, gone)";
        registry.register("gantry_plan_landings", help, self.landings.clone());
        let help = "Planned pods that landed elsewhere, as far as this replica's records tell why; labels: profile, reason (not-offered, refused, outvoted, other-plan, scored, unknown)";
        registry.register("gantry_plan_elsewhere", help, self.elsewhere.clone());
        let help = "Nominations; labels: profile, outcome (kept, fell-through, cleared, overridden, lost-race, unplanned, refused)";
        registry.register("gantry_nominations", help, self.nominations.clone());
        let help = "Planned nodes that kube-scheduler did not offer: too few nodes are sampled, or it sees no room there; labels: profile";
        registry.register("gantry_plan_not_offered", help, self.not_offered.clone());
        let help = "Whose plans count, 1 for one of them: this process' own, or those of the leader among its replicas; labels: profile, source (own, leader)";
        registry.register("gantry_plan_source", help, self.sources.clone());
        let help = "1 for the state that planning is in; labels: profile, state (stands, or why no plan counts: not-synced, nothing-waits, searching, search-failed)";
        registry.register("gantry_plan_state", help, self.states.clone());
        let help = "1 where this replica nominates and releases gated pods; labels: profile";
        registry.register("gantry_planner_leads", help, self.leads.clone());
    }

    /// A profile goes by these plans from now on.
    pub fn source(&self, profile: &str, source: Source) {
        for each in Source::ALL {
            let labels = SourceLabels { profile: profile.to_owned(), source: each.as_str() };
            self.sources.get_or_create(&labels).set((each == source).into());
        }
    }

    /// kube-scheduler did not offer the node that a pod is planned for.
    pub fn not_offered(&self, profile: &str) {
        self.not_offered.get_or_create(&ProfileLabels { profile: profile.to_owned() }).inc();
    }

    /// Planning is in this state now.
    pub fn state(&self, profile: &str, state: PlanState) {
        for other in PlanState::ALL {
            let labels = StateLabels { profile: profile.to_owned(), state: other.as_str() };
            self.states.get_or_create(&labels).set(i64::from(other == state));
        }
    }

    /// Whether this replica nominates.
    pub fn leads(&self, profile: &str, leads: bool) {
        let labels = ProfileLabels { profile: profile.to_owned() };
        self.leads.get_or_create(&labels).set(i64::from(leads));
    }

    /// Puts every counter of a profile at 0.
    pub fn start(&self, profile: &str) {
        self.state(profile, PlanState::default());
        drop(self.not_offered.get_or_create(&ProfileLabels { profile: profile.to_owned() }));
        for outcome in Deviation::ALL.map(Deviation::as_str) {
            drop(self.causes.get_or_create(&labels(profile, outcome)));
        }
        for landing in Landing::ALL {
            drop(self.landings.get_or_create(&labels(profile, landing.as_str())));
        }
        for why in Why::ALL {
            drop(self.elsewhere.get_or_create(&reason_labels(profile, why)));
        }
        for nomination in Nomination::ALL {
            drop(self.nominations.get_or_create(&labels(profile, nomination.as_str())));
        }
    }

    /// A search ended; `outcome` is ok or why there is no plan.
    pub fn search(&self, profile: &str, outcome: &'static str, took: Duration) {
        self.searches.get_or_create(&labels(profile, outcome)).observe(took.as_secs_f64());
    }

    /// A plan was made because of `cause`; it places so many pods and has no room for so many others.
    pub fn made(&self, profile: &str, cause: Deviation, placed: usize, unplaced: usize) {
        self.causes.get_or_create(&labels(profile, cause.as_str())).inc();
        self.pods.get_or_create(&labels(profile, "placed")).set(placed as i64);
        self.pods.get_or_create(&labels(profile, "unplaced")).set(unplaced as i64);
    }

    /// So many planned pods have not landed yet.
    pub fn open(&self, profile: &str, pods: usize) {
        self.pods.get_or_create(&labels(profile, "open")).set(pods as i64);
    }

    /// A planned pod waits no longer.
    pub fn landed(&self, profile: &str, landing: Landing) {
        self.landings.get_or_create(&labels(profile, landing.as_str())).inc();
    }

    /// It landed elsewhere, for this reason.
    pub fn elsewhere(&self, profile: &str, why: Why) {
        self.elsewhere.get_or_create(&reason_labels(profile, why)).inc();
    }

    /// Something became of a nomination.
    pub fn nominated(&self, profile: &str, nomination: Nomination) {
        self.nominations.get_or_create(&labels(profile, nomination.as_str())).inc();
    }
}

fn reason_labels(profile: &str, why: Why) -> ReasonLabels {
    ReasonLabels { profile: profile.to_owned(), reason: why.as_str() }
}

fn labels(profile: &str, outcome: &'static str) -> Labels {
    Labels { profile: profile.to_owned(), outcome }
}
