//! The shipped trace, tables with faults, and what searches make of it.

use super::*;
use crate::budget::Budget;
use crate::greedy::Greedy;
use crate::local_search::LocalSearch;
use crate::memetic::Memetic;
use crate::observer::Unobserved;
use crate::problem::Problem;
use crate::rng::Rng;
use crate::solver::Solver;

const NODE_TABLE: &str = "sn,cpu_milli,memory_mib,gpu,model\na,1000,10,2,T4\nb,500,20,0,\n";
const POD_NAMES: &str = "gpu_spec,cpu_milli,memory_mib,num_gpu,gpu_milli,creation_time";

fn with_pods(lines: &str) -> Result<Trace, OpenbError> {
    Trace::parse(NODE_TABLE, &format!("{POD_NAMES}\n{lines}"))
}

#[test]
fn the_shipped_trace_has_the_counts_of_its_description() {
    let trace = Trace::shipped().unwrap();
    assert_eq!((trace.nodes.len(), trace.pods.len()), (1_523, 8_152));
    assert_eq!(trace.nodes.iter().map(|node| node.capacity[2]).sum::<u64>(), 6_212_000);
    assert_eq!(trace.nodes[0].capacity, [32_000, 262_144, 0]);
    assert_eq!(trace.pods[1].request, [6_000, 12_288, 460]);
    assert!(trace.pods.is_sorted_by_key(|pod| pod.creation));
}

#[test]
fn columns_may_come_in_any_order_and_pods_in_any_time() {
    let trace = with_pods("T4|P100,100,5,2,1000,7\n,200,6,1,250,3\n").unwrap();
    assert_eq!(trace.nodes[1], Node { capacity: [500, 20, 0], model: String::new() });
    assert_eq!(trace.pods[0], Pod { request: [200, 6, 250], models: vec![], creation: 3 });
    assert_eq!((trace.pods[1].request, &trace.pods[1].models[1][..]), ([100, 5, 2_000], "P100"));
}

#[test]
fn a_batch_ends_with_the_pod_that_reaches_the_share() {
    let trace = with_pods(",1,1,0,0,1\n,1,1,1,500,2\n,1,1,1,500,3\n,1,1,1,500,4\n").unwrap();
    // 2000 are offered: a share of half is reached with the third pod.
    for (share, pods) in [(0.0, 0), (0.1, 2), (0.5, 3), (0.6, 4), (9.0, 4)] {
        assert_eq!(trace.batch(share).len(), pods, "{share}");
    }
}

#[test]
fn a_pod_runs_where_it_fits_and_finds_its_gpu() {
    let trace = with_pods("T4,1,1,1,500,1\nA10,1,1,1,500,2\n,1,1,0,0,3\n,900,1,0,0,4\n").unwrap();
    let problem = trace.placement(&trace.pods, Objective::Sigma).unwrap();
    assert_eq!(problem.unplaceable(), [1]);
    let sizes: Vec<u32> = (0..problem.items()).map(|item| problem.domain(item).len()).collect();
    assert_eq!(sizes, [1, 2, 1]);
}

#[test]
fn faults_are_told_by_table_line_and_column() {
    let number = with_pods(",1,1,0,0,1\n,1,x,0,0,2\n").unwrap_err();
    assert_eq!(
        number.to_string(),
        "line 3 of the pod table has \"x\" as memory_mib, a whole number below 2^32 is needed"
    );
    let missing = with_pods(",1,1,0\n").unwrap_err();
    assert_eq!(missing, OpenbError::Missing { table: "pod", line: 2, column: "gpu_milli" });
    let column = Trace::parse("sn,cpu_milli,memory_mib,gpu\n", POD_NAMES).unwrap_err();
    assert_eq!(column, OpenbError::Column { table: "node", column: "model" });
    assert_eq!(Trace::parse("", POD_NAMES).unwrap_err(), OpenbError::Column { table: "node", column: "cpu_milli" });
    assert!(with_pods("").unwrap().pods.is_empty());
}

#[test]
fn constrained_first_places_every_pod_of_the_batch_and_local_search_evens_the_load_out() {
    let trace = Trace::shipped().unwrap();
    let batch = trace.batch(0.6);
    assert_eq!(batch.len(), 5_034);
    let problem = trace.placement(batch, Objective::Sigma).unwrap();
    assert_eq!(problem.items(), 5_034);
    let solve = |solver: &dyn Solver<Placement>, evaluations| {
        let budget = Budget::evaluations(evaluations);
        let found = solver.solve(&problem, &[], budget, &mut Rng::new(1), &mut Unobserved).unwrap();
        assert_eq!(found.best.score.violation, 0.0);
        assert!(problem.assignment(&found.best.genome).unplaced.is_empty());
        (found.best.score.objectives.as_slice()[0], found.evaluations)
    };
    let (greedy, start) = solve(&Greedy::default(), 0);
    assert!((greedy - 5.218).abs() < 1e-3, "{greedy}");
    let searched = [1_000_000, 10_000_000].map(|moves| solve(&LocalSearch::default(), start + moves).0);
    assert!(searched[0] < 4.25 && searched[1] < 3.9, "{searched:?}");
    let by_default = solve(&Memetic::default(), start + 1_000_000).0;
    assert!(by_default < searched[0], "{by_default} after {}", searched[0]);
}
