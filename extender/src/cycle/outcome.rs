//! What a cycle ends with: an answer, its origin, and what follows from it.

use std::sync::Arc;

use gantry_cluster::PodRow;
use gantry_host::Reason;

use crate::decision::Trace;
use crate::wire::brief;

/// An answer, ready to be sent.
#[derive(Debug)]
pub struct Answer {
    /// The bytes for kube-scheduler.
    pub body: Vec<u8>,
    /// How they came about.
    pub outcome: Outcome,
    /// Who failed and was left out, and why. Of a neutral answer: why it is neutral, where somebody failed.
    pub fallbacks: Vec<Fallback>,
    /// What counts as placed once the answer is sent.
    pub assumption: Option<Assumption>,
    /// What led to it.
    pub trace: Trace,
}

impl Answer {
    /// The plugins' answer.
    #[must_use]
    pub fn ok(body: Vec<u8>, assumption: Option<Assumption>) -> Self {
        Self { body, outcome: Outcome::Ok, fallbacks: Vec::new(), assumption, trace: Trace::default() }
    }

    /// An answer without any plugin's word. Without a fallback nobody failed: there was nothing to say.
    #[must_use]
    pub fn neutral(body: Vec<u8>, fallbacks: impl IntoIterator<Item = Fallback>) -> Self {
        let fallbacks = fallbacks.into_iter().collect();
        Self { body, outcome: Outcome::Neutral, fallbacks, assumption: None, trace: Trace::default() }
    }

    /// An answer that changes nothing, as nobody is there to be asked.
    #[must_use]
    pub fn no_profile(body: Vec<u8>) -> Self {
        Self { outcome: Outcome::NoProfile, ..Self::neutral(body, None) }
    }

    /// The same answer with what led to it.
    #[must_use]
    pub fn with(self, trace: Trace) -> Self {
        Self { trace, ..self }
    }

    /// The same, given without the plugins that failed.
    #[must_use]
    pub fn without(self, left_out: Vec<Fallback>) -> Self {
        Self { fallbacks: left_out, ..self }
    }

    /// The same as far as it is measured, with a body that changes nothing in place of what the plugins said.
    #[must_use]
    pub fn shadowed(self, body: Vec<u8>) -> Self {
        let outcome = if self.outcome == Outcome::Ok { Outcome::Shadow } else { self.outcome };
        Self { body, outcome, assumption: None, ..self }
    }
}

/// How an answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A plugin answered.
    Ok,
    /// All candidates pass, equal scores, victims as they came; only what the dictionary forbids is refused, if there is a
    /// view.
    Neutral,
    /// All candidates pass, equal scores, victims as they came: no profile is for the pod's scheduler.
    NoProfile,
    /// The same, though plugins answered: the profile's mode is shadow.
    Shadow,
    /// The request could not be read, or the binding failed.
    Refused,
}

impl Outcome {
    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Neutral => "neutral",
            Self::NoProfile => "no-profile",
            Self::Shadow => "shadow",
            Self::Refused => "refused",
        }
    }
}

/// Why a plugin is left out, and, where none is left, the answer neutral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The plugin failed.
    Plugin(Reason),
    /// The plugin failed too often of late to be asked.
    BreakerOpen,
    /// The request's time was over before the plugin's turn came.
    NoTime,
    /// The request holds a pod that Kubernetes itself would have refused.
    BadPod,
    /// The watch has been broken for too long to answer from what it showed last.
    StaleView,
}

impl Cause {
    /// Every cause there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let ours = [Self::BreakerOpen, Self::NoTime, Self::BadPod, Self::StaleView];
        Reason::ALL.iter().map(|reason| Self::Plugin(*reason)).chain(ours)
    }

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plugin(reason) => reason.as_str(),
            Self::BreakerOpen => "breaker-open",
            Self::NoTime => "no-time",
            Self::BadPod => "bad-pod",
            Self::StaleView => "stale-view",
        }
    }
}

/// A plugin's failure to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// The plugin's name in the configuration.
    pub plugin: String,
    /// Why.
    pub cause: Cause,
    /// What an admin should read.
    pub detail: String,
}

impl Fallback {
    /// A fallback. A detail that goes on for too long is cut: it may quote what came in.
    #[must_use]
    pub fn new(plugin: &str, cause: Cause, detail: &str) -> Self {
        Self { plugin: plugin.to_owned(), cause, detail: brief(detail).to_owned() }
    }
}

/// A pod that counts on a node by our own answer.
#[derive(Clone, Debug)]
pub struct Assumption {
    /// The pod.
    pub pod: Arc<PodRow>,
    /// The node's name.
    pub node: String,
}

impl Assumption {
    /// An assumption.
    #[must_use]
    pub fn new(pod: &Arc<PodRow>, node: &str) -> Self {
        Self { pod: Arc::clone(pod), node: node.to_owned() }
    }
}

/// A candidate of kube-scheduler that our view would refuse; it passes, as kube-scheduler's view is fresher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// Kubernetes' own constraints do not match.
    Mismatch,
    /// There is not enough room.
    Insufficient,
    /// There is no such node.
    UnknownNode,
}

impl Disagreement {
    /// Every disagreement there is.
    pub const ALL: [Self; 3] = [Self::Mismatch, Self::Insufficient, Self::UnknownNode];

    /// The label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::Insufficient => "insufficient",
            Self::UnknownNode => "unknown-node",
        }
    }
}
