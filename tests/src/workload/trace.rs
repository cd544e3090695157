//! A recorded production cluster, scaled down: nodes and pods of the openb trace (see the solver's `data/openb/ORIGIN`).
//!
//! Promises every so many-th node and pod of the trace as they stand in it, so that their kinds keep their shares. A GPU
//! counts in thousandths as an extended resource: whether parts of one come from the same card is nobody's business here.

use gantry_solver::instances::openb::{Amounts as Recorded, Trace};
use gantry_solver::instances::{Amounts, Instance};

use super::Workload;

/// The trace's resources, in the order of its amounts.
const TRACE_RESOURCES: [&str; 3] = ["cpu", "memory", "gantry.dev/gpu-milli"];

impl Workload {
    /// `pods` pods and `nodes` nodes, evenly drawn from the trace in its order: of arrival the pods, of the list the nodes.
    ///
    /// # Panics
    /// The trace has fewer.
    #[must_use]
    pub fn recorded(pods: usize, nodes: usize) -> Self {
        let trace = Trace::shipped().expect("invariant: the shipped trace is one");
        let capacities: Vec<Amounts> = evenly(&trace.nodes, nodes).map(|node| amounts(&node.capacity)).collect();
        let requests: Vec<Amounts> = evenly(&trace.pods, pods).map(|pod| amounts(&pod.request)).collect();
        Self::over(unconstrained(capacities, requests), &TRACE_RESOURCES)
    }
}

fn evenly<T>(all: &[T], count: usize) -> impl Iterator<Item = &T> {
    assert!(count <= all.len(), "the trace has {}, not {count}", all.len());
    (0..count).map(move |place| &all[place * all.len() / count])
}

fn amounts(recorded: &Recorded) -> Amounts {
    let [cpu, memory, gpu] = recorded.map(|amount| amount as i64);
    [cpu, memory, gpu, 0]
}

/// Any pod may run on any node that has room; nodes stand in three zones by turns.
fn unconstrained(capacities: Vec<Amounts>, requests: Vec<Amounts>) -> Instance {
    let (nodes, pods) = (capacities.len(), requests.len());
    Instance {
        seed: 0,
        fill: fill(&capacities, &requests),
        taint_by_node: vec![None; nodes],
        hardware_by_node: vec![0; nodes],
        zone_by_node: (0..nodes).map(|row| (row % 3) as u8).collect(),
        tolerations_by_pod: vec![0; pods],
        affinity_by_pod: vec![None; pods],
        class_by_pod: vec![0; pods],
        allowed_by_class: vec![(0..nodes as u32).collect()],
        // That all fit at once is shown by who places them.
        hidden: Vec::new(),
        capacities,
        requests,
    }
}

/// The requested share of the scarcest resource.
fn fill(capacities: &[Amounts], requests: &[Amounts]) -> f64 {
    let sum = |amounts: &[Amounts], resource: usize| amounts.iter().map(|own| own[resource]).sum::<i64>() as f64;
    (0..TRACE_RESOURCES.len()).map(|resource| sum(requests, resource) / sum(capacities, resource)).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_keeps_the_kinds_and_what_is_asked_for_is_there() {
        let workload = Workload::recorded(400, 100);
        assert_eq!((workload.pods(), workload.nodes()), (400, 100));
        let with_gpu = workload.instance.capacities.iter().filter(|capacity| capacity[2] > 0).count();
        assert!((60..100).contains(&with_gpu), "{with_gpu} nodes with GPUs");
        assert!((0.3..0.95).contains(&workload.instance.fill), "fill {}", workload.instance.fill);
    }

    #[test]
    fn a_node_without_gpus_does_not_name_them() {
        let workload = Workload::recorded(400, 100);
        let bare = workload.instance.capacities.iter().position(|capacity| capacity[2] == 0).unwrap();
        let allocatable = workload.node(bare).status.unwrap().allocatable.unwrap();
        assert!(!allocatable.contains_key(TRACE_RESOURCES[2]) && allocatable.contains_key("cpu"));
    }
}
