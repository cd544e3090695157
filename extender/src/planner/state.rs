//! How planning stands in a profile, in two closed sets: for the record, and for metrics.
//!
//! Words only; what they follow from lies with the planner.

use serde::{Deserialize, Serialize};

/// Whether the profile's plan counts, and if not, why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanState {
    /// The first list of nodes and pods is not complete yet.
    #[default]
    NotSynced,
    /// No pod waits that a plan could place.
    NothingWaits,
    /// Pods wait, and the first plan for them is being made.
    Searching,
    /// The last search gave no plan: pods are scored one by one until the next one.
    SearchFailed,
    /// It counts.
    Stands,
}

impl PlanState {
    /// Every state there is.
    pub const ALL: [Self; 5] = [Self::NotSynced, Self::NothingWaits, Self::Searching, Self::SearchFailed, Self::Stands];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSynced => "not-synced",
            Self::NothingWaits => "nothing-waits",
            Self::Searching => "searching",
            Self::SearchFailed => "search-failed",
            Self::Stands => "stands",
        }
    }
}

/// Whether this process plans, nominates and releases a profile's gated pods, and if not, why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duty {
    /// The profile does not nominate.
    #[default]
    Off,
    /// The profile's mode is shadow: whoever leads releases them as they are.
    Shadow,
    /// The Lease is not ours: another replica does, or nobody.
    NotLeading,
    /// It does.
    Leads,
}

impl Duty {
    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Shadow => "shadow",
            Self::NotLeading => "not-leading",
            Self::Leads => "leads",
        }
    }
}
