//! The plans of one replica as others read them.
//!
//! Promises that what is read is what was on the board: names and numbers, nothing of a snapshot, whose rows and
//! generations are each replica's own. Must not know how it travels.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::board::{Board, PlannedPod, Post, PublishedPlan};
use super::state::PlanState;

/// How planning stands in every profile that plans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Feed {
    profiles: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    scheduler_name: String,
    state: PlanState,
    /// The last plan, if anything was planned yet.
    plan: Option<Sheet>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sheet {
    serial: u64,
    generation: u64,
    /// Seconds since 1970.
    made: f64,
    search_seconds: f64,
    evaluations: u64,
    reason: String,
    objective: Vec<f64>,
    pods: Vec<Place>,
    nominated: Vec<Place>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    namespace: String,
    pod: String,
    uid: String,
    node: Option<String>,
}

impl Feed {
    /// What stands on the board.
    #[must_use]
    pub fn of(board: &Board) -> Self {
        let line = |(scheduler, post): &(Arc<str>, Post)| Line {
            scheduler_name: scheduler.to_string(),
            state: post.state,
            plan: post.plan.as_deref().map(Sheet::of),
        };
        Self { profiles: board.all().iter().map(line).collect() }
    }

    /// Whether a profile's plans are made there, by somebody who sees the cluster.
    pub(super) fn plans_for(&self, scheduler: &str) -> bool {
        self.line(scheduler).is_some_and(|line| line.state != PlanState::NotSynced)
    }

    /// How planning stands in a profile, and its last plan, if one was made; `None`: it does not plan there.
    pub(super) fn stand(&self, scheduler: &str) -> Option<(Option<PublishedPlan>, PlanState)> {
        let line = self.line(scheduler)?;
        Some((line.plan.as_ref().map(Sheet::plan), line.state))
    }

    fn line(&self, scheduler: &str) -> Option<&Line> {
        self.profiles.iter().find(|line| line.scheduler_name == scheduler)
    }
}

impl Sheet {
    fn of(plan: &PublishedPlan) -> Self {
        let made = plan.made.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            serial: plan.serial,
            generation: plan.generation,
            made: made.as_secs_f64(),
            search_seconds: plan.seconds,
            evaluations: plan.evaluations,
            reason: plan.reason.to_string(),
            objective: plan.objective.clone(),
            pods: plan.pods.iter().map(Place::of).collect(),
            nominated: plan.nominated.iter().map(Place::of).collect(),
        }
    }

    fn plan(&self) -> PublishedPlan {
        let made = Duration::try_from_secs_f64(self.made).unwrap_or_default();
        PublishedPlan {
            serial: self.serial,
            generation: self.generation,
            made: UNIX_EPOCH.checked_add(made).unwrap_or(UNIX_EPOCH),
            seconds: self.search_seconds,
            pods: self.pods.iter().map(Place::planned).collect(),
            objective: self.objective.clone(),
            evaluations: self.evaluations,
            reason: self.reason.clone().into(),
            nominated: self.nominated.iter().map(Place::planned).collect(),
        }
    }
}

impl Place {
    fn of(planned: &PlannedPod) -> Self {
        let PlannedPod { namespace, name, uid, node } = planned;
        let [namespace, pod, uid] = [namespace, name, uid].map(ToString::to_string);
        Self { namespace, pod, uid, node: node.as_ref().map(ToString::to_string) }
    }

    fn planned(&self) -> PlannedPod {
        let [namespace, name, uid] = [&self.namespace, &self.pod, &self.uid].map(|text| Arc::from(text.as_str()));
        PlannedPod { namespace, name, uid, node: self.node.as_deref().map(Arc::from) }
    }
}

#[cfg(test)]
mod tests {
    use gantry_cluster::{Index, IndexSettings, SharedIndex};

    use super::*;

    fn board() -> Board {
        Board::new(Arc::new(SharedIndex::new(Index::new(IndexSettings::default()).unwrap())))
    }

    fn planned(name: &str, node: Option<&str>) -> PlannedPod {
        let [namespace, name, uid] = ["default", name, &format!("uid-{name}")].map(Arc::from);
        PlannedPod { namespace, name, uid, node: node.map(Arc::from) }
    }

    fn plan() -> PublishedPlan {
        PublishedPlan {
            serial: 3,
            generation: 17,
            made: UNIX_EPOCH + Duration::from_millis(1_800_000_000_250),
            seconds: 0.25,
            pods: vec![planned("a", Some("n1")), planned("b", None)],
            objective: vec![1.5, 2.5, 40.0],
            evaluations: 1_000,
            reason: "budget".into(),
            nominated: vec![planned("c", Some("n2"))],
        }
    }

    #[test]
    fn what_is_read_is_what_was_on_the_board() {
        let board = board();
        board.enrol(&"idle".into());
        board.take_over(&"busy".into(), Some(plan()), PlanState::Stands);
        let text = serde_json::to_vec(&Feed::of(&board)).unwrap();
        let read: Feed = serde_json::from_slice(&text).unwrap();
        assert_eq!(read.stand("busy"), Some((Some(plan()), PlanState::Stands)));
        assert_eq!(read.stand("idle"), Some((None, PlanState::NotSynced)));
        assert!(!read.plans_for("unknown"));
    }

    #[test]
    fn every_change_of_the_board_has_a_tag_of_its_own() {
        let (board, busy) = (board(), Arc::from("busy"));
        let mut tags = vec![board.tag()];
        board.enrol(&busy);
        tags.push(board.tag());
        board.take_over(&busy, Some(plan()), PlanState::Stands);
        tags.push(board.tag());
        board.withdraw(&busy, PlanState::SearchFailed);
        tags.push(board.tag());
        board.withdraw(&busy, PlanState::NothingWaits);
        tags.push(board.tag());
        board.withdraw(&busy, PlanState::NothingWaits);
        assert_eq!(board.tag(), tags[4], "a plan that is over is not withdrawn again");
        assert!(tags.windows(2).all(|pair| pair[0] != pair[1]), "{tags:?}");
    }

    #[test]
    fn a_time_that_is_none_is_the_beginning() {
        let mut sheet = Sheet::of(&plan());
        sheet.made = -1.0;
        assert_eq!(sheet.plan().made, UNIX_EPOCH);
        sheet.made = f64::MAX;
        assert_eq!(sheet.plan().made, UNIX_EPOCH);
    }
}
