//! Plans on hand-made clusters, replayed as kube-scheduler takes the pods.

use gantry_cluster::{Index, IndexSettings};
use proptest::prelude::*;
use proptest::sample::Index as Pick;
use serde_json::{Value, json};

use super::super::reserved::Reservation;
use super::*;

/// What every pod demands, all with a skew of 1.
#[derive(Clone, Copy, Debug, Default)]
struct Demands {
    zone: bool,
    host: bool,
    apart: bool,
}

impl Demands {
    fn spec(self) -> Value {
        let selector = json!({"matchLabels": {"app": "web"}});
        let spread = |topology: &str| {
            let force = "DoNotSchedule";
            json!({"topologyKey": topology, "maxSkew": 1, "whenUnsatisfiable": force, "labelSelector": selector})
        };
        let asked = [(self.zone, "zone"), (self.host, "host")].into_iter().filter(|(asked, _)| *asked);
        let spreads: Vec<Value> = asked.map(|(_, topology)| spread(topology)).collect();
        let mut spec = json!({"topologySpreadConstraints": spreads});
        if self.apart {
            let term = json!({"topologyKey": "host", "labelSelector": selector});
            spec["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
        }
        spec
    }
}

/// Nodes, each with its zone, which may be none, and its cpus; pods by the cpus that they ask for.
#[derive(Debug)]
struct World {
    nodes: Vec<(&'static str, u32)>,
    pods: Vec<u32>,
    demands: Demands,
}

impl World {
    fn new(nodes: &[(&'static str, u32)], pods: &[u32], demands: Demands) -> Self {
        Self { nodes: nodes.to_vec(), pods: pods.to_vec(), demands }
    }

    fn basis(&self) -> Basis {
        let mut index = Index::new(IndexSettings::default()).unwrap();
        for (number, (zone, cpu)) in self.nodes.iter().enumerate() {
            let mut labels = json!({"host": format!("n{number}")});
            if !zone.is_empty() {
                labels["zone"] = json!(zone);
            }
            let node = json!({
                "metadata": {"name": format!("n{number}"), "labels": labels},
                "status": {"allocatable": {"cpu": cpu.to_string(), "memory": "1Gi", "pods": "100"}},
            });
            index.apply_node(&serde_json::from_value(node).unwrap()).unwrap();
        }
        let pod = |(number, cpu): (usize, &u32)| {
            let mut spec = self.demands.spec();
            spec["containers"] = json!([{"name": "c", "resources": {"requests": {"cpu": cpu.to_string()}}}]);
            let name = format!("p{number}");
            let metadata = json!({"name": name, "uid": name, "namespace": "shop", "labels": {"app": "web"}});
            serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
        };
        let pods: Vec<Arc<PodRow>> =
            self.pods.iter().enumerate().map(|each| index.row_of(&pod(each)).unwrap()).collect();
        let snapshot = index.snapshot();
        let groups = snapshot.groups(&pods);
        assert!(groups.unplannable.is_empty());
        Basis { snapshot, pods, left: Vec::new(), groups, reserved: Vec::new() }
    }

    /// How many pods are on each node.
    fn by_node(&self, rows: &[i32]) -> Vec<usize> {
        (0..self.nodes.len()).map(|row| rows.iter().filter(|own| **own == row as i32).count()).collect()
    }

    /// How many are in each zone.
    fn by_zone(&self, rows: &[i32]) -> Vec<(&'static str, usize)> {
        let mut zones: Vec<(&'static str, usize)> = Vec::new();
        for ((zone, _), pods) in self.nodes.iter().zip(self.by_node(rows)).filter(|((zone, _), _)| !zone.is_empty()) {
            match zones.iter_mut().find(|(name, _)| name == zone) {
                Some((_, sum)) => *sum += pods,
                None => zones.push((*zone, pods)),
            }
        }
        zones
    }

    /// The counts of the nodes that take part in a spread over nodes: those that have every label which is asked for.
    fn by_host(&self, rows: &[i32]) -> Vec<usize> {
        let both = self.nodes.iter().zip(self.by_node(rows));
        both.filter(|((zone, _), _)| !self.demands.zone || !zone.is_empty()).map(|(_, pods)| pods).collect()
    }

    fn has_room(&self, rows: &[i32], row: usize) -> bool {
        let here = self.pods.iter().zip(rows).filter(|(_, own)| **own == row as i32);
        here.map(|(cpu, _)| cpu).sum::<u32>() <= self.nodes[row].1
    }

    /// kube-scheduler's filters: whether the pod may come to the node when those at `rows` are there.
    fn takes(&self, rows: &[i32], pod: usize, row: usize) -> bool {
        let Demands { zone, host, apart } = self.demands;
        let pods = self.by_node(rows)[row];
        let fewest = |counts: &[usize]| counts.iter().copied().min().unwrap_or(0);
        let zones = self.by_zone(rows);
        let own = zones.iter().find(|(name, _)| *name == self.nodes[row].0).map(|(_, pods)| *pods);
        let counts: Vec<usize> = zones.iter().map(|(_, pods)| *pods).collect();
        let mut with = rows.to_vec();
        with[pod] = row as i32;
        self.has_room(&with, row)
            && (!zone || own.is_some_and(|own| own <= fewest(&counts)))
            && (!host || pods <= fewest(&self.by_host(rows)))
            && (!apart || pods == 0)
    }

    /// The pods that kube-scheduler would refuse where the plan has them, each taken when those before it are there.
    fn refused(&self, rows: &[i32]) -> Vec<usize> {
        let mut there = vec![-1; rows.len()];
        let mut refused = Vec::new();
        for (pod, row) in rows.iter().enumerate().filter(|(_, row)| **row >= 0) {
            if !self.takes(&there, pod, *row as usize) {
                refused.push(pod);
            }
            there[pod] = *row;
        }
        refused
    }

    /// Whether every demand is met when all are there.
    fn is_legal(&self, rows: &[i32]) -> bool {
        let Demands { zone, host, apart } = self.demands;
        let even = |counts: &[usize]| counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0) <= 1;
        let counts: Vec<usize> = self.by_zone(rows).iter().map(|(_, pods)| *pods).collect();
        let closed = |row: &i32| *row >= 0 && self.nodes[*row as usize].0.is_empty();
        (0..self.nodes.len()).all(|row| self.has_room(rows, row))
            && (!zone || even(&counts) && !rows.iter().any(closed))
            && (!host || even(&self.by_host(rows)))
            && (!apart || self.by_node(rows).iter().all(|pods| *pods <= 1))
    }

    /// A plan that can be carried out in this order, and so is legal in the end; who finds no node has none.
    fn plan(&self, order: &[usize], picks: &[Pick]) -> Vec<i32> {
        let mut rows = vec![-1; self.pods.len()];
        for (&pod, pick) in order.iter().zip(picks) {
            let able: Vec<usize> = (0..self.nodes.len()).filter(|row| self.takes(&rows, pod, *row)).collect();
            if !able.is_empty() {
                rows[pod] = able[pick.index(able.len())] as i32;
            }
        }
        rows
    }
}

/// Asserts that the plan cannot be carried out as it is, and can once it is mended: by rows exchanged, none given up.
fn assert_is_mended(world: &World, mut rows: Vec<i32>) {
    assert!(world.is_legal(&rows), "{rows:?}");
    assert!(!world.refused(&rows).is_empty(), "{rows:?}");
    let mut before = rows.clone();
    mend(&world.basis(), &mut rows);
    assert_eq!(world.refused(&rows), [0; 0], "{rows:?}");
    assert!(world.is_legal(&rows), "{rows:?}");
    before.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, before, "rows are exchanged, never given up");
}

#[test]
fn a_node_without_the_zones_label_hinders_nobody() {
    let nodes = [("a", 2), ("a", 2), ("b", 2), ("b", 2), ("", 9)];
    let world = World::new(&nodes, &[1; 6], Demands { zone: true, ..Demands::default() });
    assert_is_mended(&world, vec![0, 0, 1, 2, 3, 3]);
}

#[test]
fn pods_spread_over_zones_and_nodes_come_in_an_order_that_is_even_by_both() {
    let nodes = [("a", 2), ("a", 2), ("b", 2), ("b", 2)];
    let world = World::new(&nodes, &[1; 8], Demands { zone: true, host: true, ..Demands::default() });
    assert_is_mended(&world, vec![0, 0, 1, 1, 2, 2, 3, 3]);
}

#[test]
fn pods_spread_over_zones_that_share_no_node_change_places_all_the_same() {
    let nodes = [("a", 2), ("a", 2), ("a", 2), ("b", 2), ("b", 2), ("b", 2)];
    let world = World::new(&nodes, &[1; 6], Demands { zone: true, apart: true, ..Demands::default() });
    assert_is_mended(&world, vec![0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_pod_of_several_rules_moves_to_a_row_that_none_of_them_closes() {
    let nodes = [("a", 4), ("a", 4), ("b", 2), ("", 9)];
    let world = World::new(&nodes, &[1; 2], Demands { zone: true, apart: true, ..Demands::default() });
    let mut rows = [0, 1];
    mend(&world.basis(), &mut rows);
    assert_eq!(rows, [0, 2], "the roomiest node has no zone");
}

#[test]
fn no_pod_moves_where_the_end_would_be_less_even_for_it() {
    let nodes = [("a", 8), ("b", 2), ("b", 8)];
    let world = World::new(&nodes, &[4, 4, 1, 1], Demands { zone: true, ..Demands::default() });
    let mut rows = [0, 0, 1, 1];
    assert_eq!(world.refused(&rows), [1]);
    mend(&world.basis(), &mut rows);
    assert_eq!(rows, [0, 0, 1, 1], "the large ones fit on no node of the small ones");
}

#[test]
fn pods_of_different_rules_change_places_where_no_rule_minds() {
    let nodes = [("a", 4), ("a", 4), ("b", 4), ("b", 4)];
    let mut basis = World::new(&nodes, &[1; 5], Demands::default()).basis();
    let rule = |topology: u32, pods: &[u32], limit: GroupLimit| {
        let (pods, existing) = (pods.to_vec(), Vec::new());
        GroupRule { topology, pods, existing, limit, force: GroupForce::Hard }
    };
    let rules = vec![rule(0, &[0, 1, 2, 3], GroupLimit::Skew(1)), rule(1, &[1, 4], GroupLimit::AtMost(1))];
    let topologies = vec![vec![0, 0, 1, 1], vec![0, 1, 2, 3]];
    basis.groups = GroupColumns { topologies, rules, unplannable: Vec::new() };
    let mut rows = [0, 1, 2, 3, 2];
    mend(&basis, &mut rows);
    assert_eq!(rows, [0, 3, 2, 1, 2], "the second pod may not go where the last one is");
}

#[test]
fn when_the_looks_are_used_up_the_rest_is_left_as_it_is() {
    let nodes = [("a", 2), ("a", 2), ("b", 2), ("b", 2)];
    let basis = World::new(&nodes, &[1; 6], Demands { zone: true, ..Demands::default() }).basis();
    let mut rows = [0, 0, 1, 2, 3, 3];
    let mut table = Table::new(&basis, &mut rows, &ordered(&basis.groups));
    table.looks = 1;
    (0..6).for_each(|pod| table.take_turn(pod));
    assert_eq!(table.looks, 0);
    assert_eq!(rows, [0, 0, 1, 2, 3, 3]);
}

const ZONES: [&str; 4] = ["a", "b", "c", ""];

proptest! {
    #[test]
    fn whoever_had_a_row_has_one_that_is_legal_in_the_end(
        nodes in prop::collection::vec((0..4_usize, 2..6_u32), 2..8),
        pods in prop::collection::vec(1..4_u32, 12),
        demands in any::<[bool; 3]>(),
        order in Just((0..12).collect::<Vec<usize>>()).prop_shuffle(),
        picks in prop::collection::vec(any::<Pick>(), 12),
    ) {
        let [zone, host, apart] = demands;
        let nodes: Vec<_> = nodes.into_iter().map(|(zone, cpu)| (ZONES[zone], cpu)).collect();
        let world = World::new(&nodes, &pods, Demands { zone, host, apart });
        let planned = world.plan(&order, &picks);
        prop_assert!(world.is_legal(&planned));
        let mut rows = planned.clone();
        mend(&world.basis(), &mut rows);
        prop_assert!(world.is_legal(&rows), "{planned:?} became {rows:?}");
        let mut both = planned.iter().zip(&rows);
        prop_assert!(both.all(|(before, now)| (*before < 0) == (*now < 0)), "{planned:?} became {rows:?}");
    }

    #[test]
    fn equal_pods_spread_over_zones_all_reach_their_rows(
        zones in prop::collection::vec(0..4_usize, 2..8),
        apart in any::<bool>(),
        order in Just((0..12).collect::<Vec<usize>>()).prop_shuffle(),
        picks in prop::collection::vec(any::<Pick>(), 12),
    ) {
        let nodes: Vec<_> = zones.into_iter().map(|zone| (ZONES[zone], 12)).collect();
        let world = World::new(&nodes, &[1; 12], Demands { zone: true, host: false, apart });
        let mut rows = world.plan(&order, &picks);
        mend(&world.basis(), &mut rows);
        prop_assert!(world.refused(&rows).is_empty(), "{rows:?}");
    }
}

/// Four nodes, two a zone, and pods of one cpu with the spread group's rule.
fn cluster(pods: usize) -> Basis {
    let nodes = [("a", 2), ("a", 2), ("b", 2), ("b", 2)];
    let basis = World::new(&nodes, &vec![1; pods], Demands::default()).basis();
    Basis { groups: spread(pods as u32), ..basis }
}

fn spread(pods: u32) -> GroupColumns {
    let rule = GroupRule {
        topology: 0,
        pods: (0..pods).collect(),
        existing: Vec::new(),
        limit: GroupLimit::Skew(1),
        force: GroupForce::Hard,
    };
    GroupColumns { topologies: vec![vec![0, 0, 1, 1]], rules: vec![rule], unplannable: Vec::new() }
}

fn holds_at_every_step(rows: &[i32]) -> bool {
    let mut counts = [0_i32; 2];
    rows.iter().all(|row| {
        counts[usize::from(*row >= 2)] += 1;
        (counts[0] - counts[1]).abs() <= 1
    })
}

#[test]
fn pods_of_a_spread_group_change_places_until_every_step_is_even() {
    let basis = cluster(6);
    let mut rows = [0, 0, 1, 2, 3, 3];
    assert!(!holds_at_every_step(&rows));
    mend(&basis, &mut rows);
    assert!(holds_at_every_step(&rows), "{rows:?}");
    let mut sorted = rows;
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 0, 1, 2, 3, 3], "rows are exchanged, never given up");
}

#[test]
fn an_order_that_holds_is_left_alone() {
    let basis = cluster(4);
    let mut rows = [0, 2, 3, 1];
    mend(&basis, &mut rows);
    assert_eq!(rows, [0, 2, 3, 1]);
}

#[test]
fn a_pod_that_can_change_places_with_nobody_moves_to_the_roomiest_node() {
    let basis = cluster(2);
    let mut rows = [0, 0];
    mend(&basis, &mut rows);
    assert!(holds_at_every_step(&rows), "{rows:?}");
}

#[test]
fn room_that_others_are_promised_is_not_given_away() {
    let mut basis = cluster(4);
    let promised = basis.pods.split_off(2);
    basis.groups = spread(2);
    basis.reserved = promised.into_iter().map(|pod| Reservation { row: 2, pod }).collect();
    let mut rows = [0, 0];
    mend(&basis, &mut rows);
    assert_eq!(rows, [0, 3]);
}

#[test]
fn pods_without_a_row_take_no_turn() {
    let basis = cluster(4);
    let mut rows = [0, -1, 1, 2];
    mend(&basis, &mut rows);
    assert_eq!(rows, [0, -1, 2, 1]);
}
