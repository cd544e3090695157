//! `ExtenderPreemptionArgs` and `ExtenderPreemptionResult`.
//!
//! A `null` in the answer's maps makes kube-scheduler crash, so the types of the
//! answer hold no `Option`: there is no value here that could be written as `null`.
//! Victims come as whole pods or as uids; the answer is in uids either way.

use serde_json::value::RawValue;

use super::args::{PodHead, PodPart};
use super::go::{Entries, Text, go_struct};
use super::{WireError, parse, parse_part};

go_struct! {
    /// The document as sent; one of the two maps is null.
    pub struct PreemptionArgs<'a> {
        /// The pod that wants room.
        "Pod" => pod: Option<&'a RawValue>,
        /// Victims by node, as whole pods.
        "NodeNameToVictims" => victims_by_node: Option<Entries<'a, Victims<'a>>>,
        /// Victims by node, as uids.
        "NodeNameToMetaVictims" => meta_victims_by_node: Option<Entries<'a, MetaVictims<'a>>>,
    }
}

go_struct! {
    /// The pods that would have to go from one node.
    pub struct Victims<'a> {
        /// Whole pods.
        "Pods" => pods: Vec<&'a RawValue>,
        /// How many disruption budgets that breaks.
        "NumPDBViolations" => pdb_violations: i64,
    }
}

go_struct! {
    /// The pods that would have to go from one node, by uid.
    pub struct MetaVictims<'a> {
        /// Uids.
        "Pods" => pods: Vec<Option<MetaPod<'a>>>,
        /// How many disruption budgets that breaks.
        "NumPDBViolations" => pdb_violations: i64,
    }
}

go_struct! {
    /// A victim's uid.
    pub struct MetaPod<'a> {
        /// The uid.
        "UID" => uid: Text<'a>,
    }
}

/// A node on which the pod would fit once its victims are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The node's name.
    pub node: Text<'a>,
    /// The victims' uids, at least one, none empty.
    pub victims: Vec<Text<'a>>,
    /// How many disruption budgets the evictions break.
    pub pdb_violations: i64,
}

/// A preempt request, ready to be answered.
#[derive(Debug)]
pub struct Request<'a> {
    /// The pod that wants room.
    pub pod: PodPart<'a>,
    /// Where it could get it. A candidate without victims, or with one that has no uid, is left out: an answer that
    /// names it would fail the preemption as a whole.
    pub candidates: Vec<Candidate<'a>>,
}

impl<'a> Request<'a> {
    /// Reads a request's body.
    ///
    /// # Errors
    /// With the path of what is malformed or missing.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let args: PreemptionArgs<'a> = parse(body)?;
        let pod = PodPart::parse(args.pod)?;
        let candidates = match (args.meta_victims_by_node, args.victims_by_node) {
            (Some(by_node), _) => by_node.0.into_iter().filter_map(from_uids).collect(),
            (None, Some(by_node)) => by_node
                .0
                .into_iter()
                .filter_map(|(node, victims)| from_pods(node, victims).transpose())
                .collect::<Result<_, _>>()?,
            (None, None) => Vec::new(),
        };
        Ok(Self { pod, candidates })
    }
}

fn from_uids<'a>((node, victims): (Text<'a>, MetaVictims<'a>)) -> Option<Candidate<'a>> {
    let uids = victims.pods.into_iter().map(|pod| pod.map(|pod| pod.uid)).collect::<Option<Vec<_>>>()?;
    candidate(node, uids, victims.pdb_violations)
}

fn from_pods<'a>(node: Text<'a>, victims: Victims<'a>) -> Result<Option<Candidate<'a>>, WireError> {
    let mut uids = Vec::with_capacity(victims.pods.len());
    for (position, raw) in victims.pods.into_iter().enumerate() {
        let at = || format!("NodeNameToVictims.{}.Pods[{position}]", &*node);
        let head: Option<PodHead<'a>> = parse_part(raw.get(), at)?;
        uids.push(head.unwrap_or_default().metadata.uid);
    }
    Ok(candidate(node, uids, victims.pdb_violations))
}

fn candidate<'a>(node: Text<'a>, victims: Vec<Text<'a>>, pdb_violations: i64) -> Option<Candidate<'a>> {
    let is_whole = !victims.is_empty() && victims.iter().all(|uid| !uid.is_empty());
    is_whole.then_some(Candidate { node, victims, pdb_violations })
}

/// Writes the answer: the candidates that stay. Where none does, kube-scheduler evicts nobody.
#[must_use]
pub fn answer<'a>(candidates: impl IntoIterator<Item = &'a Candidate<'a>>) -> Vec<u8> {
    let mut out = b"{\"NodeNameToMetaVictims\":{".to_vec();
    for (position, candidate) in candidates.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_string(&mut out, &candidate.node);
        out.extend_from_slice(b":{\"Pods\":[");
        for (position, uid) in candidate.victims.iter().enumerate() {
            out.extend_from_slice(if position > 0 { b",{\"UID\":" } else { b"{\"UID\":" });
            write_string(&mut out, uid);
            out.push(b'}');
        }
        out.extend_from_slice(b"],\"NumPDBViolations\":");
        out.extend_from_slice(candidate.pdb_violations.to_string().as_bytes());
        out.push(b'}');
    }
    out.extend_from_slice(b"}}");
    out
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("invariant: writing a string to memory cannot fail");
}

#[cfg(test)]
mod tests;
