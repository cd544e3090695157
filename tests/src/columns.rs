//! A random cluster as columns, for the plugin natively and in the sandbox alike.
//!
//! Everything is drawn from a seed. It knows numbers only, as a plugin does.

use gantry_host::{
    source::{Changes, Full, SnapshotSource},
    types,
};
use gantry_plugin::types as native;
use gantry_solver::rng::Rng;

/// The resources of a random cluster: the objective's four, and two that only capacity asks for.
pub const RESOURCES: usize = 6;
/// The domain classes of a random cluster.
const CLASSES: u32 = 5;

/// A random cluster that can change.
#[derive(Debug, Clone)]
pub struct Columns {
    generation: u64,
    rows: usize,
    allocatable: Vec<f64>,
    requested: Vec<f64>,
    used_p50: Vec<f64>,
    used_p90: Vec<f64>,
    planned: Vec<f64>,
    weights: Vec<f64>,
    classes: Vec<Class>,
    /// The rows that the last change touched, ascending.
    changed: Vec<u32>,
}

#[derive(Debug, Clone)]
struct Class {
    id: u32,
    possible: Vec<u64>,
    permitted: Vec<u64>,
    preference: Vec<f64>,
}

/// A random pod: its class and what it asks for.
#[derive(Debug, Clone)]
pub struct RandomPod {
    /// The domain class.
    pub class: u32,
    /// One number a resource.
    pub request: Vec<f64>,
    /// The row that the cluster's plan counts it on, or -1.
    pub planned_row: i32,
}

impl Columns {
    /// A cluster of `rows` rows, loaded up to 80 %, one row in twenty of them gone. Clusters that one plugin instance is
    /// shown need different seeds.
    #[must_use]
    pub fn random(rows: usize, with_forecast: bool, seed: u64) -> Self {
        let rng = &mut Rng::new(seed);
        let mut columns = Self {
            // A generation names its content: another seed is another cluster.
            generation: seed * 1_000 + 1,
            rows,
            allocatable: Vec::new(),
            requested: Vec::new(),
            used_p50: Vec::new(),
            used_p90: Vec::new(),
            planned: Vec::new(),
            weights: Vec::new(),
            classes: (0..CLASSES).map(|id| Class::random(id, rows, rng)).collect(),
            changed: Vec::new(),
        };
        for _ in 0..rows {
            columns.push_row(with_forecast, rng);
        }
        columns
    }

    fn push_row(&mut self, with_forecast: bool, rng: &mut Rng) {
        let gone = rng.chance(0.05);
        for resource in 0..RESOURCES {
            let offered = if gone { 0.0 } else { (8_000.0 * f64::from(1 << rng.below(3))).floor() };
            let counts = resource < 4 && !gone && !rng.chance(0.1);
            self.allocatable.push(offered);
            self.requested.push((offered * 0.8 * rng.unit()).floor());
            self.weights.push(if counts { 1.0 + f64::from(rng.below(2)) } else { 0.0 });
            if with_forecast {
                let used = (offered * 0.7 * rng.unit()).floor();
                self.used_p50.push(used);
                self.used_p90.push((used * 1.3).floor());
            }
        }
    }

    /// Binds something to some rows: the next generation.
    pub fn change(&mut self, seed: u64) {
        let rng = &mut Rng::new(seed);
        self.generation += 1;
        self.changed = (0..self.rows as u32).filter(|_| rng.chance(0.02)).collect();
        for &row in &self.changed {
            let first = row as usize * RESOURCES;
            for cell in first..first + RESOURCES {
                self.requested[cell] = (self.allocatable[cell] * rng.unit()).floor();
            }
        }
    }

    /// Plans a pod on a row: the next generation. The pod says afterwards where it is planned.
    pub fn plan(&mut self, pod: &mut RandomPod, row: usize) {
        self.planned.resize(self.requested.len(), 0.0);
        let planned = self.planned[row * RESOURCES..].iter_mut();
        planned.zip(&pod.request).for_each(|(planned, amount)| *planned += amount);
        pod.planned_row = row as i32;
        self.generation += 1;
        self.changed = vec![row as u32];
    }

    /// A pod of a few per cent of a row.
    #[must_use]
    pub fn pod(&self, seed: u64) -> RandomPod {
        let rng = &mut Rng::new(seed);
        let class = rng.below(CLASSES);
        RandomPod { class, request: (0..RESOURCES).map(|_| f64::from(rng.below(1_500))).collect(), planned_row: -1 }
    }

    /// The cluster as the native plugin takes it.
    #[must_use]
    pub fn native(&self) -> native::Snapshot {
        native::Snapshot {
            generation: self.generation,
            rows: self.rows as u32,
            resources: RESOURCES as u32,
            allocatable: self.allocatable.clone(),
            requested: self.requested.clone(),
            used_p50: self.used_p50.clone(),
            used_p90: self.used_p90.clone(),
            planned: self.planned.clone(),
            weights: self.weights.clone(),
            classes: self.classes.iter().map(Class::native).collect(),
        }
    }
}

impl RandomPod {
    /// The pod as the native plugin takes it.
    #[must_use]
    pub fn native(&self) -> native::Pod {
        native::Pod {
            class: self.class,
            request: self.request.clone(),
            estimate: Vec::new(),
            planned_row: self.planned_row,
        }
    }

    /// The pod as the host lends it.
    #[must_use]
    pub fn lent(&self) -> types::Pod<'_> {
        types::Pod { class: self.class, request: &self.request, estimate: &[], planned_row: self.planned_row }
    }
}

impl Class {
    fn random(id: u32, rows: usize, rng: &mut Rng) -> Self {
        let mut bitmap = |share: f64| {
            let mut words = vec![0_u64; rows.div_ceil(64)];
            (0..rows).filter(|_| rng.chance(share)).for_each(|row| words[row / 64] |= 1 << (row % 64));
            words
        };
        let (possible, permitted) = (bitmap(0.8), bitmap(0.9));
        let preference = if id == 0 { (0..rows).map(|_| rng.unit()).collect() } else { Vec::new() };
        Self { id, possible, permitted, preference }
    }

    fn native(&self) -> native::DomainClass {
        native::DomainClass {
            id: self.id,
            possible: self.possible.clone(),
            permitted: self.permitted.clone(),
            preference: self.preference.clone(),
        }
    }

    fn lent(&self) -> types::DomainClass<'_> {
        types::DomainClass {
            id: self.id,
            possible: &self.possible,
            permitted: &self.permitted,
            preference: &self.preference,
        }
    }
}

impl SnapshotSource for Columns {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn full(&self) -> Full<'_> {
        Full {
            rows: self.rows as u32,
            resources: RESOURCES as u32,
            allocatable: &self.allocatable,
            requested: &self.requested,
            used_p50: &self.used_p50,
            used_p90: &self.used_p90,
            planned: &self.planned,
            weights: &self.weights,
            classes: self.classes.iter().map(Class::lent).collect(),
        }
    }

    fn changes(&self, base: u64) -> Option<Changes<'_>> {
        let take = |column: &[f64]| -> Vec<f64> {
            let rows = self.changed.iter().map(|&row| row as usize * RESOURCES);
            rows.filter_map(|first| column.get(first..first + RESOURCES)).flatten().copied().collect()
        };
        (base + 1 == self.generation).then(|| Changes {
            changed: self.changed.clone(),
            allocatable: take(&self.allocatable),
            requested: take(&self.requested),
            used_p50: take(&self.used_p50),
            used_p90: take(&self.used_p90),
            planned: take(&self.planned),
            weights: take(&self.weights),
            classes: Vec::new(),
        })
    }
}
