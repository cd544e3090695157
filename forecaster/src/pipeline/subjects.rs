//! From labels to the node or workload that a series is about.
//!
//! Promises: a series that cannot be told is left out and counted, never guessed. Must not know: how series are read.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::config::valid::{Join, Nodes};
use crate::snapshot::Kind;
use crate::source::{Labelled, Labels};
use crate::{Sample, SeriesName};

/// Labels that a workload's query must have.
const NAMESPACE: &str = "namespace";
const WORKLOAD: &str = "workload";

/// A node or a workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// Empty for nodes.
    pub namespace: String,
    /// As Kubernetes calls it.
    pub name: String,
}

impl Subject {
    /// The name of its series for a query.
    #[must_use]
    pub fn series(&self, query: &str) -> SeriesName {
        SeriesName::new(format!("{}/{}", self.namespace, self.name), query)
    }
}

/// How subjects are told from labels.
#[derive(Clone, Debug)]
pub struct Subjects {
    nodes: Nodes,
    /// Node names by what is kept of the label, if they are joined.
    name_by_key: BTreeMap<String, String>,
}

impl Subjects {
    /// As configured; a join knows no node yet.
    #[must_use]
    pub const fn new(nodes: Nodes) -> Self {
        Self { nodes, name_by_key: BTreeMap::new() }
    }

    /// The join whose newest answer [`Self::learn`] wants; none if names need none.
    #[must_use]
    pub const fn join(&self) -> Option<&Join> {
        self.nodes.join.as_ref()
    }

    /// Takes the answer of the join's query.
    pub fn learn(&mut self, answer: &[Labelled]) {
        let Some(join) = &self.nodes.join else { return };
        let pair =
            |series: &Labelled| Some((series.labels.get(&join.key)?.clone(), series.labels.get(&join.name)?.clone()));
        self.name_by_key = answer.iter().filter_map(pair).collect();
    }

    fn subject(&self, kind: Kind, labels: &Labels) -> Option<Subject> {
        let label = |name: &str| labels.get(name).filter(|value| !value.is_empty());
        let (namespace, name) = match kind {
            Kind::Node => (String::new(), self.node(label(&self.nodes.label)?)?),
            Kind::Workload => (label(NAMESPACE)?.clone(), label(WORKLOAD)?.clone()),
        };
        Some(Subject { namespace, name })
    }

    fn node(&self, label: &str) -> Option<String> {
        let kept = self.nodes.pattern.captures(label)?.get(1)?.as_str();
        match self.nodes.join {
            None => Some(kept.to_owned()),
            Some(_) => self.name_by_key.get(kept).cloned(),
        }
    }

    /// Samples by subject, and how many series have none. Samples of a subject's several series are put together: the
    /// grid takes their mean.
    #[must_use]
    pub fn sort(&self, kind: Kind, answer: Vec<Labelled>) -> (BTreeMap<Subject, Vec<Sample>>, usize) {
        let (mut by_subject, mut unknown) = (BTreeMap::<_, Vec<Sample>>::new(), 0);
        for series in answer {
            match self.subject(kind, &series.labels) {
                Some(subject) => match by_subject.entry(subject) {
                    Entry::Vacant(first) => {
                        first.insert(series.samples);
                    }
                    Entry::Occupied(mut more) => more.get_mut().extend(series.samples),
                },
                None => unknown += 1,
            }
        }
        (by_subject, unknown)
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    fn subjects(join: Option<Join>) -> Subjects {
        let pattern = Regex::new(r"^(.+?)(?::\d+)?$").unwrap();
        Subjects::new(Nodes { label: "instance".to_owned(), pattern, join })
    }

    fn labelled(labels: &[(&str, &str)]) -> Labelled {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Labelled { labels, samples: vec![Sample { at: 60, value: 1.0 }] }
    }

    fn names(subjects: &Subjects, kind: Kind, answer: Vec<Labelled>) -> (Vec<String>, usize) {
        let (by_subject, unknown) = subjects.sort(kind, answer);
        (by_subject.into_keys().map(|subject| format!("{}/{}", subject.namespace, subject.name)).collect(), unknown)
    }

    #[test]
    fn the_port_of_an_instance_is_no_part_of_the_node() {
        let answer = vec![labelled(&[("instance", "node-1:9100")]), labelled(&[("instance", "[fe80::1]:9100")])];
        assert_eq!(names(&subjects(None), Kind::Node, answer), (vec!["/[fe80::1]".into(), "/node-1".into()], 0));
    }

    #[test]
    fn a_join_names_the_node_of_an_address_and_leaves_out_others() {
        let (key, name) = ("internal_ip".to_owned(), "node".to_owned());
        let mut subjects = subjects(Some(Join { query: "kube_node_info".to_owned(), key, name }));
        subjects.learn(&[labelled(&[("internal_ip", "10.0.0.3"), ("node", "worker-3")])]);
        let answer = vec![labelled(&[("instance", "10.0.0.3:9100")]), labelled(&[("instance", "10.0.0.4:9100")])];
        assert_eq!(names(&subjects, Kind::Node, answer), (vec!["/worker-3".into()], 1));
    }

    #[test]
    fn a_workload_needs_a_namespace_and_a_name() {
        let good = labelled(&[("namespace", "shop"), ("workload", "web")]);
        let answer = vec![good.clone(), good, labelled(&[("namespace", "shop")]), labelled(&[("workload", "")])];
        let (by_subject, unknown) = subjects(None).sort(Kind::Workload, answer);
        assert_eq!((by_subject.len(), unknown), (1, 2));
        assert_eq!(by_subject.into_values().next().unwrap().len(), 2);
    }
}
