//! The plans of one replica as others read them.
//!
//! Promises that what is read is what was on the board: names and numbers, nothing of a snapshot, whose rows and
//! generations are each replica's own. Must not know how it travels.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::board::{Board, FailedSearch, PlannedPod, Post, PublishedPlan, Told};
use super::state::{Duty, PlanState};
use crate::decision::unix_seconds;

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
    /// Whether gated pods are planned there.
    #[serde(default)]
    leads: bool,
    /// The last plan, if anything was planned yet.
    plan: Option<Sheet>,
    /// The last search that failed, if one did.
    #[serde(default)]
    failure: Option<Failure>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Failure {
    reason: String,
    detail: String,
    /// Seconds since 1970.
    at: f64,
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
    #[serde(default)]
    left: Vec<Place>,
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
            leads: post.duty == Duty::Leads,
            plan: post.plan.as_deref().map(Sheet::of),
            failure: post.failure.as_ref().map(Failure::of),
        };
        Self { profiles: board.all().iter().map(line).collect() }
    }

    /// Whether a profile's plans are made there, by somebody who sees the cluster.
    pub(super) fn plans_for(&self, scheduler: &str) -> bool {
        self.line(scheduler).is_some_and(|line| line.state != PlanState::NotSynced)
    }

    /// How planning stands in a profile, and what else is told of it; `None`: it does not plan there.
    pub(super) fn stand(&self, scheduler: &str) -> Option<(Told, PlanState)> {
        let line = self.line(scheduler)?;
        let (plan, failure) = (line.plan.as_ref().map(Sheet::plan), line.failure.as_ref().map(Failure::search));
        Some((Told { plan, failure, leads: line.leads }, line.state))
    }

    fn line(&self, scheduler: &str) -> Option<&Line> {
        self.profiles.iter().find(|line| line.scheduler_name == scheduler)
    }
}

impl Sheet {
    fn of(plan: &PublishedPlan) -> Self {
        Self {
            serial: plan.serial,
            generation: plan.generation,
            made: unix_seconds(plan.made),
            search_seconds: plan.seconds,
            evaluations: plan.evaluations,
            reason: plan.reason.to_string(),
            objective: plan.objective.clone(),
            pods: plan.pods.iter().map(Place::of).collect(),
            left: plan.left.iter().map(Place::of).collect(),
            nominated: plan.nominated.iter().map(Place::of).collect(),
        }
    }

    fn plan(&self) -> PublishedPlan {
        PublishedPlan {
            serial: self.serial,
            generation: self.generation,
            made: time(self.made),
            seconds: self.search_seconds,
            pods: self.pods.iter().map(Place::planned).collect(),
            left: self.left.iter().map(Place::planned).collect(),
            objective: self.objective.clone(),
            evaluations: self.evaluations,
            reason: self.reason.clone().into(),
            nominated: self.nominated.iter().map(Place::planned).collect(),
        }
    }
}

impl Failure {
    fn of(search: &FailedSearch) -> Self {
        Self { reason: search.reason.to_string(), detail: search.detail.clone(), at: unix_seconds(search.at) }
    }

    fn search(&self) -> FailedSearch {
        FailedSearch { reason: self.reason.clone().into(), detail: self.detail.clone(), at: time(self.at) }
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

/// A time that is none is the beginning.
fn time(seconds: f64) -> SystemTime {
    let since = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
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
            left: vec![planned("d", None)],
            objective: vec![1.5, 2.5, 40.0],
            evaluations: 1_000,
            reason: "budget".into(),
            nominated: vec![planned("c", Some("n2"))],
        }
    }

    fn failure() -> FailedSearch {
        let at = UNIX_EPOCH + Duration::from_millis(1_800_000_000_500);
        FailedSearch { reason: "trap".into(), detail: "a bug".to_owned(), at }
    }

    /// What is read of this board elsewhere.
    fn read(board: &Board) -> Feed {
        serde_json::from_slice(&serde_json::to_vec(&Feed::of(board)).unwrap()).unwrap()
    }

    #[test]
    fn what_is_read_is_what_was_on_the_board() {
        let board = board();
        board.enrol(&"idle".into());
        let told = Told { plan: Some(plan()), ..Told::default() };
        board.take_over(&"busy".into(), told.clone(), PlanState::Stands);
        let read = read(&board);
        assert_eq!(read.stand("busy"), Some((told, PlanState::Stands)));
        assert_eq!(read.stand("idle"), Some((Told::default(), PlanState::NotSynced)));
        assert!(!read.plans_for("unknown"));
    }

    #[test]
    fn a_follower_knows_that_the_leader_leads_and_what_failed_there_until_it_plans_for_itself() {
        let (leader, follower, busy) = (board(), board(), Arc::from("busy"));
        leader.assign(&busy, Duty::Leads);
        leader.note_failure(&busy, failure());
        follower.assign(&busy, Duty::NotLeading);
        let (told, state) = read(&leader).stand("busy").unwrap();
        follower.take_over(&busy, told, state);
        let [leads, follows] = [&leader, &follower].map(|board| board.post("busy").unwrap());
        assert!(leads.leads() && !leads.is_led);
        assert!(!follows.leads() && follows.is_led);
        assert_eq!((follows.failure, follows.duty), (Some(failure()), Duty::NotLeading));
        follower.withdraw(&busy, PlanState::Searching);
        assert!(!follower.post("busy").unwrap().is_led, "nobody is followed any more");
    }

    #[test]
    fn who_has_no_gated_pods_to_plan_leads_unless_it_follows() {
        let (board, open) = (board(), Arc::from("open"));
        board.enrol(&open);
        assert!(board.post("open").unwrap().leads());
        board.take_over(&open, Told::default(), PlanState::NothingWaits);
        assert!(!board.post("open").unwrap().leads());
        board.withdraw(&open, PlanState::NothingWaits);
        assert!(board.post("open").unwrap().leads());
    }

    #[test]
    fn a_leader_of_an_earlier_release_says_less_and_is_read_all_the_same() {
        let feed = r#"{"profiles": [{"schedulerName": "busy", "state": "searching", "plan": null}]}"#;
        let feed: Feed = serde_json::from_str(feed).unwrap();
        assert_eq!(feed.stand("busy"), Some((Told::default(), PlanState::Searching)));
    }

    #[test]
    fn every_change_of_the_board_has_a_tag_of_its_own() {
        let (board, busy) = (board(), Arc::from("busy"));
        let mut tags = vec![board.tag()];
        board.enrol(&busy);
        tags.push(board.tag());
        board.take_over(&busy, Told { plan: Some(plan()), ..Told::default() }, PlanState::Stands);
        tags.push(board.tag());
        board.withdraw(&busy, PlanState::SearchFailed);
        tags.push(board.tag());
        board.withdraw(&busy, PlanState::NothingWaits);
        tags.push(board.tag());
        board.withdraw(&busy, PlanState::NothingWaits);
        assert_eq!(board.tag(), tags[4], "a plan that is over is not withdrawn again");
        board.note_failure(&busy, failure());
        tags.push(board.tag());
        board.assign(&busy, Duty::Leads);
        tags.push(board.tag());
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
