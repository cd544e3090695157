//! Marks: pods of one workload that are told apart, in runs that kube-scheduler takes one after another.

use anyhow::Result;
use kube::Client;

use super::{Workload, create_priority_class};

/// The priority of the first run of marked pods; it falls with the pods' numbers.
const MOST_URGENT: usize = 1_000_000;

/// Units of a mark that a node has.
const PLENTY: &str = "1000000";

/// `run` pods bear the first mark, as many the next, and again from the start. Each run is more urgent than the next one, so
/// that kube-scheduler takes them in their order: of pods that wait when it starts it would take any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// The marks, which may repeat.
    pub marks: &'static [Mark],
    /// Pods of one mark.
    pub run: usize,
}

/// By what pods are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// A resource that a pod asks a unit of, and of which every node has plenty.
    pub resource: &'static str,
    /// The pod's `schedulerName`.
    pub scheduler: &'static str,
}

impl Marks {
    /// The mark of a pod.
    #[must_use]
    pub fn of(self, index: usize) -> Mark {
        self.marks[index / self.run % self.marks.len()]
    }

    /// The name of a pod's priority class.
    pub(super) fn priority_class(self, index: usize) -> String {
        format!("run-{:04}", index / self.run)
    }

    /// Creates the classes of so many pods.
    pub(super) async fn create_priority_classes(self, client: &Client, pods: usize) -> Result<()> {
        for first in (0..pods).step_by(self.run) {
            create_priority_class(client, &self.priority_class(first), MOST_URGENT - first).await?;
        }
        Ok(())
    }

    /// What every node has of the marks' resources.
    pub(super) fn capacity(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.marks.iter().map(|mark| (mark.resource, PLENTY.to_owned()))
    }
}

impl Workload {
    /// Its pods are told apart by `marks`.
    #[must_use]
    pub fn marked(self, marks: Marks) -> Self {
        Self { marks: Some(marks), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_in_runs_and_every_node_has_them() {
        const A: Mark = Mark { resource: "x/a", scheduler: "one" };
        const B: Mark = Mark { resource: "x/b", scheduler: "two" };
        let marks = Marks { marks: &[A, B, A], run: 2 };
        let workload = Workload::light(8, 2, 1).marked(marks);
        assert_eq!((0..8).map(|index| marks.of(index)).collect::<Vec<_>>(), [A, A, B, B, A, A, A, A]);
        assert_eq!(workload.pod(2).spec.unwrap().scheduler_name.as_deref(), Some("two"));
        let asked = workload.pod(2).spec.unwrap().containers.remove(0).resources.unwrap().requests.unwrap();
        assert_eq!((asked.contains_key("x/b"), asked.contains_key("x/a")), (true, false));
        let had = workload.node(1).status.unwrap().allocatable.unwrap();
        assert!(["x/a", "x/b"].iter().all(|name| had.contains_key(*name)));
    }
}
