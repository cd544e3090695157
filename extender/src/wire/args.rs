//! `ExtenderArgs`: what kube-scheduler sends to filter and prioritize.
//!
//! Promises that every request that can be answered at all yields its candidates'
//! names, in the order sent. Must not know what a node or pod means: both stay raw.

use serde_json::value::RawValue;

use super::go::{Text, go_struct};
use super::{WireError, check_name, parse, parse_part};

/// Whose pods those are that do not say: the API server writes this name into them.
const DEFAULT_SCHEDULER: &str = "default-scheduler";

go_struct! {
    /// The document as sent; one of `nodes` and `node_names` is null.
    pub struct ExtenderArgs<'a> {
        /// The pod to be placed, a `v1.Pod`.
        "Pod" => pod: Option<&'a RawValue>,
        /// The candidates, where the extender is configured with `nodeCacheCapable: false`.
        "Nodes" => nodes: Option<NodeList<'a>>,
        /// The candidates' names, where it is configured with `nodeCacheCapable: true`.
        "NodeNames" => node_names: Option<Vec<Text<'a>>>,
    }
}

go_struct! {
    /// A `v1.NodeList`; its metadata is always empty and left unread.
    pub struct NodeList<'a> {
        /// The nodes, each a `v1.Node`.
        "items" => items: Vec<&'a RawValue>,
    }
}

/// A pod's identity, and the profile it asks for.
#[derive(Debug, Default, serde::Deserialize)]
pub struct PodHead<'a> {
    /// Names.
    #[serde(borrow, default)]
    pub metadata: Metadata<'a>,
    /// The part of the specification that says whose pod it is.
    #[serde(borrow, default)]
    pub spec: PodSpecHead<'a>,
}

/// The one field of a pod's specification that chooses the profile.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSpecHead<'a> {
    /// The scheduler's name; of a pod that [`PodPart::parse`] has read never empty.
    #[serde(borrow, default)]
    pub scheduler_name: Text<'a>,
}

/// The names in an object's metadata.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// The object's name.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// Its namespace; empty for nodes.
    #[serde(borrow, default)]
    pub namespace: Text<'a>,
    /// Its unique id.
    #[serde(borrow, default)]
    pub uid: Text<'a>,
    /// The version of its content; equal versions are equal content.
    #[serde(borrow, default)]
    pub resource_version: Text<'a>,
}

#[derive(serde::Deserialize)]
struct NodeHead<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

/// A pod, identified, and otherwise as it came.
#[derive(Debug)]
pub struct PodPart<'a> {
    /// Its identity.
    pub head: PodHead<'a>,
    /// The whole object.
    pub raw: &'a RawValue,
}

/// A candidate that came whole.
#[derive(Debug)]
pub struct NodePart<'a> {
    /// Its name and version.
    pub metadata: Metadata<'a>,
    /// The whole object, written back byte by byte.
    pub raw: &'a RawValue,
}

/// The candidates, in the form that the answer must mirror.
#[derive(Debug)]
pub enum Candidates<'a> {
    /// Names only.
    Names(Vec<Text<'a>>),
    /// Whole nodes.
    Nodes(Vec<NodePart<'a>>),
}

impl Candidates<'_> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Names(names) => names.len(),
            Self::Nodes(nodes) => nodes.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the candidate at a position.
    ///
    /// # Panics
    /// Where the position is not below [`Candidates::len`].
    #[must_use]
    pub fn name(&self, position: usize) -> &str {
        match self {
            Self::Names(names) => &names[position],
            Self::Nodes(nodes) => &nodes[position].metadata.name,
        }
    }

    /// All names, in the order sent.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|position| self.name(position))
    }
}

/// A filter or prioritize request, ready to be answered.
#[derive(Debug)]
pub struct Request<'a> {
    /// The pod to be placed.
    pub pod: PodPart<'a>,
    /// Where it may go.
    pub candidates: Candidates<'a>,
}

impl<'a> Request<'a> {
    /// Reads a request's body.
    ///
    /// Where both forms of candidates are given the names count: cached mode is the one that kube-scheduler checks.
    ///
    /// # Errors
    /// With the path of what is malformed or missing.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let args: ExtenderArgs<'a> = parse(body)?;
        let pod = PodPart::parse(args.pod)?;
        let candidates = match (args.node_names, args.nodes) {
            (Some(names), _) => Candidates::Names(checked(names)?),
            (None, Some(list)) => Candidates::Nodes(node_parts(list.items)?),
            (None, None) => return Err(missing("NodeNames", "neither NodeNames nor Nodes is given")),
        };
        Ok(Self { pod, candidates })
    }
}

impl<'a> PodPart<'a> {
    /// Identifies the pod of a request.
    ///
    /// # Errors
    /// Where there is none, it is no object, or one of its names is too long.
    pub fn parse(pod: Option<&'a RawValue>) -> Result<Self, WireError> {
        let raw = pod.ok_or_else(|| missing("Pod", "a pod is required"))?;
        let mut head: PodHead = parse_part(raw.get(), || "Pod".to_owned())?;
        head.metadata.check(|| "Pod".to_owned())?;
        check_name(&head.spec.scheduler_name, || "Pod.spec.schedulerName".to_owned())?;
        if head.spec.scheduler_name.is_empty() {
            head.spec.scheduler_name = DEFAULT_SCHEDULER.into();
        }
        Ok(Self { head, raw })
    }
}

impl Metadata<'_> {
    /// `object` is where the object stands.
    fn check(&self, object: impl Fn() -> String) -> Result<(), WireError> {
        let Self { name, namespace, uid, resource_version } = self;
        let keys = [("name", name), ("namespace", namespace), ("uid", uid), ("resourceVersion", resource_version)];
        keys.into_iter().try_for_each(|(key, value)| check_name(value, || format!("{}.metadata.{key}", object())))
    }
}

fn checked(names: Vec<Text<'_>>) -> Result<Vec<Text<'_>>, WireError> {
    let mut positions = names.iter().enumerate();
    positions.try_for_each(|(position, name)| check_name(name, || format!("NodeNames[{position}]")))?;
    Ok(names)
}

fn node_parts(items: Vec<&RawValue>) -> Result<Vec<NodePart<'_>>, WireError> {
    items.into_iter().enumerate().map(|(position, raw)| node_part(position, raw)).collect()
}

/// A node without a name must not be answered: kube-scheduler would try to bind the pod to the node "".
fn node_part(position: usize, raw: &RawValue) -> Result<NodePart<'_>, WireError> {
    let head: NodeHead = parse_part(raw.get(), || format!("Nodes.items[{position}]"))?;
    if head.metadata.name.is_empty() {
        return Err(missing(&format!("Nodes.items[{position}].metadata.name"), "a node has no name"));
    }
    head.metadata.check(|| format!("Nodes.items[{position}]"))?;
    Ok(NodePart { metadata: head.metadata, raw })
}

fn missing(path: &str, missing: &'static str) -> WireError {
    WireError::Missing { path: path.to_owned(), missing }
}

#[cfg(test)]
mod tests;
