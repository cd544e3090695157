//! Events on pods and nodes: what an admin sees in `kubectl describe`.
//!
//! Promises that no request ever waits for one: an Event is queued or dropped, and a
//! background task sends it. Equal Events on one pod are sent once in two minutes,
//! again only while there is room for first ones, and a storm is cut to a trickle: the
//! counter tells how many there were. What an Event is about is its action, which is
//! what an API server tells Events apart by.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gantry_cluster::PodRow;
use gantry_host::Digest;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc;

use crate::cycle::Fallback;
use crate::decision::DecisionRecord;
use crate::tokens::Tokens;
use crate::wire::brief;

/// Events that wait to be sent; more than the burst allows never wait at once.
const QUEUE: usize = 64;
/// karpenter's default: long enough to be quiet, short enough to be seen again while it lasts.
const REPEAT_AFTER: Duration = Duration::from_mins(2);
/// client-go's burst for one source.
const BURST: u32 = 25;
/// One Event every 5 s after the burst, far below what an API server notices.
const REFILL: Duration = Duration::from_secs(5);
/// What Events that were told before leave to those that never were: of more pods than may be told at a time the first,
/// in their one order, would have them all.
const RESERVED: u32 = BURST / 2;
/// How long it is known what was told before: some 700 Events' time.
const REMEMBERED: Duration = Duration::from_hours(1);
/// The digits of a configuration's digest that tell it apart from others.
const DIGITS: usize = 12;

/// What an Event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    kind: &'static str,
    namespace: String,
    name: String,
    uid: String,
}

impl From<&DecisionRecord> for Subject {
    fn from(record: &DecisionRecord) -> Self {
        let DecisionRecord { namespace, pod, uid, .. } = record;
        Self { kind: "Pod", namespace: namespace.clone(), name: pod.clone(), uid: uid.clone() }
    }
}

impl From<&PodRow> for Subject {
    fn from(pod: &PodRow) -> Self {
        let PodRow { namespace, name, uid, .. } = pod;
        Self { kind: "Pod", namespace: namespace.to_string(), name: name.to_string(), uid: uid.to_string() }
    }
}

impl Subject {
    /// The pod that this runs in, as the downward API names it to the process: `POD_NAME`, `POD_NAMESPACE`, `POD_UID`.
    #[must_use]
    pub fn own_pod() -> Option<Self> {
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let (name, namespace) = (variable("POD_NAME")?, variable("POD_NAMESPACE")?);
        Some(Self { kind: "Pod", namespace, name, uid: variable("POD_UID").unwrap_or_default() })
    }

    /// A node. Events on nodes carry its name as UID, as the kubelet's own do.
    fn node(name: &str) -> Self {
        Self { kind: "Node", namespace: String::new(), name: name.to_owned(), uid: name.to_owned() }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// An Event to be sent.
#[derive(Debug)]
pub struct Notice {
    type_: EventType,
    subject: Subject,
    topic: Topic,
    note: String,
}

/// What tells an Event from others on the same object.
#[derive(Debug)]
struct Topic {
    reason: &'static str,
    /// What was done and why. An Event that is equal in this counts as the former one seen again, and its note is lost.
    action: String,
}

/// Where Events are handed in.
#[derive(Debug)]
pub struct Events {
    sender: Option<mpsc::Sender<Notice>>,
    /// Of warnings.
    warnings: Mutex<Throttle>,
    /// Of good news, which must never be in a warning's way.
    news: Mutex<Throttle>,
    /// Of configurations: a storm on pods must not drown what an admin has just done.
    configurations: Mutex<Throttle>,
}

impl Events {
    /// No API server: Events are only logged, by whoever has them.
    #[must_use]
    pub fn disabled() -> Self {
        Self::sent_by(None)
    }

    /// Events, and the other end of their queue for [`send_all`].
    #[must_use]
    pub fn queued() -> (Self, Option<mpsc::Receiver<Notice>>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self::sent_by(Some(sender)), Some(receiver))
    }

    fn sent_by(sender: Option<mpsc::Sender<Notice>>) -> Self {
        let throttle = || Mutex::new(Throttle::new(Instant::now()));
        Self { sender, warnings: throttle(), news: throttle(), configurations: throttle() }
    }

    /// Tells of a plugin that was left out, on the pod that it did not decide on. Returns at once.
    pub fn fallback(&self, pod: &Subject, fallback: &Fallback, now: Instant) {
        let cause = fallback.cause.as_str();
        let action = format!("ScheduledWithout/{}/{cause}", fallback.plugin);
        let note = || {
            format!(
                "plugin {} gave no answer ({cause}): {}; the pod is placed without it",
                fallback.plugin, fallback.detail
            )
        };
        self.tell(&self.warnings, EventType::Warning, pod, Topic { reason: "GantryFallback", action }, note, now);
    }

    /// Tells of a pod that was bound where it was planned. Returns at once; in a burst only some are told.
    pub fn placed(&self, pod: &PodRow, node: &str, now: Instant) {
        let note =
            || format!("bound to {node}, where Gantry had planned it together with the pods that waited beside it");
        let topic = Topic { reason: "GantryPlaced", action: "BoundAsPlanned".to_owned() };
        self.tell(&self.news, EventType::Normal, &Subject::from(pod), topic, note, now);
    }

    /// Tells of a pod that a plan has no room for; `why` counts nodes. Returns at once.
    pub fn no_feasible_node(&self, pod: &PodRow, why: impl FnOnce() -> String, now: Instant) {
        let topic = Topic { reason: "NoFeasibleNode", action: "PlannedWithout".to_owned() };
        self.tell(&self.warnings, EventType::Warning, &Subject::from(pod), topic, why, now);
    }

    /// Tells of a changed configuration that is not used, on our own pod; `None`: it could not be read. Returns at once.
    pub fn configuration_refused(&self, own: &Subject, file: Option<Digest>, why: &str, now: Instant) {
        let digits = |digest: Digest| digest.to_string().trim_start_matches("sha256:").chars().take(DIGITS).collect();
        let which: String = file.map_or_else(|| "unreadable".to_owned(), digits);
        let note = || format!("the changed configuration is not used, the one before it stays: {why}");
        let topic = Topic { reason: "ConfigurationRefused", action: format!("KeptFormer/{which}") };
        self.tell(&self.configurations, EventType::Warning, own, topic, note, now);
    }

    /// Tells of a forecast that is not used, on its node. Returns at once.
    pub fn forecast_left_out(&self, node: &str, why: &'static str, now: Instant) {
        let note = || {
            let asks = "the node counts by what its pods ask for";
            format!("the forecast of this node is left out ({why}); {asks} until the sidecar has newer data")
        };
        let topic = Topic { reason: "ForecastLeftOut", action: format!("CountedByRequests/{why}") };
        self.tell(&self.warnings, EventType::Warning, &Subject::node(node), topic, note, now);
    }

    fn tell(
        &self,
        throttle: &Mutex<Throttle>,
        type_: EventType,
        subject: &Subject,
        topic: Topic,
        note: impl FnOnce() -> String,
        now: Instant,
    ) {
        let Some(sender) = &self.sender else { return };
        if !throttle.lock().unwrap_or_else(PoisonError::into_inner).admits(&subject.uid, &topic.action, now) {
            return;
        }
        let note = brief(&note()).to_owned();
        if sender.try_send(Notice { type_, subject: subject.clone(), topic, note }).is_err() {
            tracing::debug!("event dropped: the queue is full or closed");
        }
    }
}

fn reference(subject: Subject) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some(subject.kind.to_owned()),
        namespace: Some(subject.namespace).filter(|namespace| !namespace.is_empty()),
        name: Some(subject.name),
        uid: Some(subject.uid).filter(|uid| !uid.is_empty()),
        ..ObjectReference::default()
    }
}

/// Sends Events until the other end is gone. A failure is logged: there is nobody else to tell.
pub async fn send_all(client: Client, mut notices: mpsc::Receiver<Notice>) {
    let reporter = Reporter { controller: "gantry-extender".to_owned(), instance: None };
    let recorder = Recorder::new(client, reporter);
    while let Some(notice) = notices.recv().await {
        let event = Event {
            type_: notice.type_,
            reason: notice.topic.reason.to_owned(),
            note: Some(notice.note),
            action: notice.topic.action,
            secondary: None,
        };
        let subject = notice.subject.to_string();
        if let Err(error) = recorder.publish(&event, &reference(notice.subject)).await {
            tracing::warn!(%error, subject, "event not sent");
        }
    }
}

/// Equal things once in a while, and a bucket of tokens over all of them; of a bucket that is half empty what was told
/// before gets none.
#[derive(Debug)]
struct Throttle {
    last_by_key: HashMap<(String, String), Instant>,
    tokens: Tokens,
}

impl Throttle {
    fn new(now: Instant) -> Self {
        Self { last_by_key: HashMap::new(), tokens: Tokens::new(BURST, REFILL, now) }
    }

    fn admits(&mut self, uid: &str, action: &str, now: Instant) -> bool {
        if self.tokens.refill(now) {
            self.last_by_key.retain(|_, last| now.saturating_duration_since(*last) < REMEMBERED);
        }
        let key = (uid.to_owned(), action.to_owned());
        let reserved = match self.last_by_key.get(&key) {
            Some(last) if now.saturating_duration_since(*last) < REPEAT_AFTER => return false,
            Some(_) => RESERVED,
            None => 0,
        };
        if !self.tokens.take(reserved) {
            return false;
        }
        self.last_by_key.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use gantry_host::Reason;

    use super::*;
    use crate::cycle::Cause;

    #[test]
    fn an_equal_event_on_one_pod_comes_again_after_two_minutes() {
        let start = Instant::now();
        let mut throttle = Throttle::new(start);
        assert!(throttle.admits("u", "trap", start));
        assert!(!throttle.admits("u", "trap", start + Duration::from_secs(119)));
        assert!(throttle.admits("u", "deadline", start));
        assert!(throttle.admits("v", "trap", start));
        assert!(throttle.admits("u", "trap", start + Duration::from_secs(121)));
    }

    #[test]
    fn a_storm_is_cut_to_a_burst_and_a_trickle() {
        let start = Instant::now();
        let mut throttle = Throttle::new(start);
        let storm = |throttle: &mut Throttle, from: usize, now| {
            (from..from + 100).filter(|pod| throttle.admits(&pod.to_string(), "trap", now)).count()
        };
        assert_eq!(storm(&mut throttle, 0, start), 25);
        assert_eq!(storm(&mut throttle, 100, start + Duration::from_secs(10)), 2);
    }

    #[test]
    fn of_more_pods_than_may_be_told_at_a_time_each_is_told_before_the_first_are_told_again() {
        // As often as a planner may look, and more seldom than an Event may be repeated.
        for (pause, time) in [(3, 600), (130, 1800)] {
            let start = Instant::now();
            let mut throttle = Throttle::new(start);
            let mut told_by_pod = [0; 100];
            for seconds in (0..=time).step_by(pause) {
                for (pod, told) in told_by_pod.iter_mut().enumerate() {
                    let now = start + Duration::from_secs(seconds);
                    *told += u32::from(throttle.admits(&pod.to_string(), "PlannedWithout", now));
                }
            }
            assert!(told_by_pod.iter().all(|told| *told > 0), "every {pause} s: {told_by_pod:?}");
            assert!(told_by_pod[0] > 1, "every {pause} s: {told_by_pod:?}");
        }
    }

    fn told(queue: &mut mpsc::Receiver<Notice>) -> Vec<String> {
        std::iter::from_fn(|| queue.try_recv().ok()).map(|notice| notice.topic.action).collect()
    }

    #[test]
    fn another_plugin_or_cause_on_the_same_pod_is_an_event_of_its_own() {
        let (events, queue) = Events::queued();
        let (pod, now) = (Subject { uid: "u".into(), ..Subject::default() }, Instant::now());
        for (plugin, reason) in [("a", Reason::Trap), ("b", Reason::Trap), ("a", Reason::Deadline), ("a", Reason::Trap)]
        {
            events.fallback(&pod, &Fallback::new(plugin, Cause::Plugin(reason), ""), now);
        }
        let expected = ["ScheduledWithout/a/trap", "ScheduledWithout/b/trap", "ScheduledWithout/a/deadline"];
        assert_eq!(told(&mut queue.unwrap()), expected);
    }

    #[test]
    fn an_action_is_no_longer_than_the_api_allows() {
        let longest = Cause::all().map(|cause| format!("ScheduledWithout/{}/{}", "p".repeat(63), cause.as_str()).len());
        assert!(longest.max() <= Some(128));
    }

    #[test]
    fn another_refused_configuration_is_an_event_of_its_own_and_no_storm_on_pods_drowns_it() {
        let (events, queue) = Events::queued();
        let (own, now) = (Subject::default(), Instant::now());
        for pod in 0..BURST {
            let pod = Subject { uid: pod.to_string(), ..Subject::default() };
            events.fallback(&pod, &Fallback::new("a", Cause::BadPod, ""), now);
        }
        for file in [b"one", b"two", b"one"] {
            events.configuration_refused(&own, Some(Digest::of(file)), "", now);
        }
        events.configuration_refused(&own, None, "", now);
        let told = told(&mut queue.unwrap());
        let [one, two, unreadable] = &told[BURST as usize..] else { panic!("{told:?}") };
        assert!(one != two && one.len() == "KeptFormer/".len() + DIGITS, "{one} {two}");
        assert_eq!(unreadable, "KeptFormer/unreadable");
    }

    #[test]
    fn a_queue_that_is_closed_drops_and_never_waits() {
        let (events, queue) = Events::queued();
        let mut queue = queue.unwrap();
        let fallback = Fallback::new("gantry", Cause::Plugin(Reason::Trap), &"é".repeat(2000));
        let pod = Subject { kind: "Pod", namespace: "n".into(), name: "p".into(), uid: "u".into() };
        events.fallback(&pod, &fallback, Instant::now());
        let notice = queue.try_recv().unwrap();
        assert!(notice.note.len() <= 1000 && notice.note.starts_with("plugin gantry gave no answer (trap): é"));
        assert_eq!(notice.subject.to_string(), "Pod n/p");
        drop(queue);
        events.fallback(&Subject::default(), &fallback, Instant::now());
    }
}
