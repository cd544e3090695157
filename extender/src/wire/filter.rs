//! `ExtenderFilterResult`: the answer to filter.
//!
//! Promises to mirror the form of the request (names for names, the same bytes of
//! nodes for nodes): kube-scheduler reads only that form. An answer that leaves a
//! candidate out always says why.

use std::fmt::{self, Display, Formatter};

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use serde_json::value::RawValue;

use super::args::Candidates;

/// On what ground a candidate is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The admins' dictionary forbids it, or a plugin that is not ours; evicting pods there would not help.
    Forbidden,
    /// The node is forecast to run hot.
    OverloadedSoon,
}

/// Why a candidate is left out. As text it is what an admin reads in the pod's events: one text a ground and plugin,
/// equal across nodes, as kube-scheduler counts equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// On what ground.
    pub ground: Ground,
    /// The plugin that says so; `None`: our own.
    pub by: Option<&'a str>,
}

impl Display for Refusal<'_> {
    fn fmt(&self, formatter: &mut Formatter) -> fmt::Result {
        match (self.ground, self.by) {
            (Ground::Forbidden, None) => formatter.write_str("node(s) forbidden by Gantry's dictionary"),
            (Ground::OverloadedSoon, None) => formatter.write_str("node(s) forecast to be overloaded soon"),
            (Ground::Forbidden, Some(plugin)) => write!(formatter, "node(s) refused by plugin {plugin}"),
            (Ground::OverloadedSoon, Some(plugin)) => {
                write!(formatter, "node(s) that plugin {plugin} expects to be overloaded soon")
            }
        }
    }
}

/// Writes the answer: one entry of `refusals` a candidate, `None` where it stays.
///
/// # Panics
/// Never for candidates that were parsed: their raw parts are valid JSON.
#[must_use]
pub fn answer(candidates: &Candidates, refusals: &[Option<Refusal<'_>>]) -> Vec<u8> {
    let result = FilterResult { candidates: Some(candidates), refusals, error: "" };
    serde_json::to_vec(&result).expect("invariant: strings and raw JSON can always be written")
}

/// Writes the answer that lets every candidate stay.
#[must_use]
pub fn pass_all(candidates: &Candidates) -> Vec<u8> {
    answer(candidates, &vec![None; candidates.len()])
}

/// Writes an in-band error. kube-scheduler shows exactly this text on the pod and retries with backoff, or goes on
/// without us where the extender is `ignorable`.
///
/// # Panics
/// Never: a string can always be written.
#[must_use]
pub fn error(text: &str) -> Vec<u8> {
    let result = FilterResult { candidates: None, refusals: &[], error: text };
    serde_json::to_vec(&result).expect("invariant: strings can always be written")
}

struct FilterResult<'a> {
    candidates: Option<&'a Candidates<'a>>,
    refusals: &'a [Option<Refusal<'a>>],
    error: &'a str,
}

impl Serialize for FilterResult<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut result = serializer.serialize_struct("ExtenderFilterResult", 5)?;
        match self.candidates {
            Some(Candidates::Nodes(_)) => result.serialize_field("Nodes", &KeptNodes(self))?,
            _ => result.serialize_field("Nodes", &())?,
        }
        match self.candidates {
            Some(Candidates::Names(_)) => result.serialize_field("NodeNames", &KeptNames(self))?,
            _ => result.serialize_field("NodeNames", &())?,
        }
        result.serialize_field("FailedNodes", &Refused(self, Ground::OverloadedSoon))?;
        result.serialize_field("FailedAndUnresolvableNodes", &Refused(self, Ground::Forbidden))?;
        result.serialize_field("Error", self.error)?;
        result.end()
    }
}

impl FilterResult<'_> {
    fn kept(&self) -> impl Iterator<Item = usize> {
        self.refusals.iter().enumerate().filter_map(|(position, refusal)| refusal.is_none().then_some(position))
    }
}

struct KeptNames<'a>(&'a FilterResult<'a>);

impl Serialize for KeptNames<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.candidates {
            Some(candidates) => serializer.collect_seq(self.0.kept().map(|position| candidates.name(position))),
            None => serializer.serialize_unit(),
        }
    }
}

struct KeptNodes<'a>(&'a FilterResult<'a>);

impl Serialize for KeptNodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let items: Vec<&RawValue> = match self.0.candidates {
            Some(Candidates::Nodes(nodes)) => self.0.kept().map(|position| nodes[position].raw).collect(),
            _ => Vec::new(),
        };
        let mut list = serializer.serialize_struct("NodeList", 2)?;
        list.serialize_field("metadata", &Empty)?;
        list.serialize_field("items", &items)?;
        list.end()
    }
}

struct Empty;

impl Serialize for Empty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_map(Some(0))?.end()
    }
}

struct Refused<'a>(&'a FilterResult<'a>, Ground);

impl Serialize for Refused<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(result, ground) = self;
        let name = |position| result.candidates.map_or("", |candidates| candidates.name(position));
        let refused = result.refusals.iter().enumerate().filter_map(|(position, refusal)| {
            let refusal = refusal.filter(|refusal| refusal.ground == *ground)?;
            Some((name(position), Text(refusal)))
        });
        serializer.collect_map(refused)
    }
}

struct Text<'a>(Refusal<'a>);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
