//! Limits of assigning tasks to servers: half-planes by linear programmes.
//!
//! Promises: energy and time of every feasible assignment lie in all half-planes, whatever the accuracy of the solver
//! behind them. Must not know: any search.
//!
//! For a weight `a` in [0, 1] the costs `w_ij = a e_ij / E⁰ + (1 - a) c_ij / C⁰` make the two objectives one. With
//! fractions of tasks allowed this is a linear programme, and any multipliers `λ_j >= 0` of its caps give the Lagrangian
//! limit
//!
//! `Σ_i min_j (w_ij + λ_j e_ij) - Σ_j λ_j E_j <= a E / E⁰ + (1 - a) C / C⁰`,
//!
//! which is the programme's value at its best multipliers. The interior-point solver finds nearly those; evaluating the
//! formula at them means that its tolerance costs tightness and never validity.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SolverError, ZeroConeT};
use gantry_solver::problem::Problem;
use gantry_solver::problems::energy_assignment::{Demand, EnergyAssignment, TimeObjective};

/// Rounding errors of a limit, as part of its terms' sizes: assignments within this of a half-plane are in it.
const ROUNDING: f64 = 1e-9;

/// Why there is no limit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BoundError {
    /// The limit is one of sums.
    #[error("the limit holds for sums of times, the problem counts the makespan")]
    Makespan,
    /// The solver refused the programme.
    #[error("the programme of weight {weight} cannot be set up")]
    Programme {
        /// The weight of energy.
        weight: f64,
        /// What the solver says.
        #[source]
        source: SolverError,
    },
}

/// All points with `energy * E + time * C >= least`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HalfPlane {
    /// Factor of the energy, 0 or more.
    pub energy: f64,
    /// Factor of the time, 0 or more.
    pub time: f64,
    /// The least value.
    pub least: f64,
}

impl HalfPlane {
    fn above(&self, [energy, time]: [f64; 2]) -> f64 {
        self.energy * energy + self.time * time - self.least
    }
}

/// What no assignment can leave: an intersection of half-planes.
#[derive(Clone, Debug, PartialEq)]
pub struct OuterBound {
    /// The half-planes, by rising weight of energy.
    pub half_planes: Vec<HalfPlane>,
}

/// The half-planes of `weights` weights, spread evenly over [0, 1]; at least two.
///
/// # Errors
/// [`BoundError`] for a makespan, or if the solver refuses a programme.
pub fn outer_bound(problem: &EnergyAssignment, weights: usize) -> Result<OuterBound, BoundError> {
    if problem.objective() == TimeObjective::Makespan {
        return Err(BoundError::Makespan);
    }
    let last = weights.max(2) - 1;
    let weight = |k: usize| k as f64 / last as f64;
    let half_planes = (0..=last).map(|k| half_plane(problem, weight(k))).collect::<Result<_, _>>()?;
    Ok(OuterBound { half_planes })
}

/// The half-plane of one weight of energy.
fn half_plane(problem: &EnergyAssignment, weight: f64) -> Result<HalfPlane, BoundError> {
    let unit = mean_demand(problem);
    let factor = |weight: f64, unit: f64| if unit > 0.0 { weight / unit } else { weight };
    let (energy, time) = (factor(weight, unit.energy), factor(1.0 - weight, unit.time));
    let cost = |demand: Demand| energy * demand.energy + time * demand.time;
    let multipliers = multipliers(problem, &cost).map_err(|source| BoundError::Programme { weight, source })?;
    Ok(HalfPlane { energy, time, least: lagrangian(problem, &cost, &multipliers) })
}

/// What all tasks take, spread evenly over the servers.
fn mean_demand(problem: &EnergyAssignment) -> Demand {
    let servers = problem.servers().max(1) as f64;
    let mut sum = Demand::default();
    for demand in pairs(problem) {
        sum.energy += demand.energy / servers;
        sum.time += demand.time / servers;
    }
    sum
}

/// Every task on every server, task-major.
fn pairs(problem: &EnergyAssignment) -> impl Iterator<Item = Demand> + '_ {
    (0..problem.items())
        .flat_map(move |task| (0..problem.servers() as u32).map(move |server| problem.demand(task, server)))
}

/// The limit that these multipliers give.
fn lagrangian(problem: &EnergyAssignment, cost: &impl Fn(Demand) -> f64, multipliers: &[f64]) -> f64 {
    let task = |task: usize| {
        let priced = multipliers.iter().zip(0..).map(|(multiplier, server)| {
            let demand = problem.demand(task, server);
            cost(demand) + multiplier * demand.energy
        });
        priced.fold(f64::INFINITY, f64::min)
    };
    let tasks: f64 = (0..problem.items()).map(task).sum();
    tasks - multipliers.iter().zip(problem.caps()).map(|(multiplier, cap)| multiplier * cap).sum::<f64>()
}

/// Nearly the best multipliers: the duals of the caps in `min Σ w_ij x_ij`, `Σ_j x_ij = 1`, `Σ_i e_ij x_ij <= E_j`,
/// `x >= 0`. Any that are no numbers count as 0, which is allowed.
fn multipliers(problem: &EnergyAssignment, cost: &impl Fn(Demand) -> f64) -> Result<Vec<f64>, SolverError> {
    let (tasks, servers) = (problem.items(), problem.servers());
    let variables = tasks * servers;
    if variables == 0 {
        return Ok(vec![0.0; servers]);
    }
    let costs: Vec<f64> = pairs(problem).map(cost).collect();
    // Energies in units of their mean, so that all rows are of like size.
    let unit = mean_demand(problem).energy / tasks as f64;
    let scale = if unit > 0.0 { 1.0 / unit } else { 1.0 };
    let limits = std::iter::repeat_n(1.0, tasks)
        .chain(problem.caps().iter().map(|cap| cap * scale))
        .chain(std::iter::repeat_n(0.0, variables));
    let limits: Vec<f64> = limits.collect();
    let cones = [ZeroConeT(tasks), NonnegativeConeT(servers + variables)];
    let settings = DefaultSettings { verbose: false, ..DefaultSettings::default() };
    let quadratic = CscMatrix::zeros((variables, variables));
    let rows = constraints(problem, scale);
    let mut solver = DefaultSolver::new(&quadratic, &costs, &rows, &limits, &cones, settings)?;
    solver.solve();
    let sound = |multiplier: f64| if multiplier.is_finite() { multiplier.max(0.0) * scale } else { 0.0 };
    Ok(solver.solution.z[tasks..tasks + servers].iter().copied().map(sound).collect())
}

/// One column a pair: the task's row, the server's row, and the row that keeps it from falling below 0.
fn constraints(problem: &EnergyAssignment, scale: f64) -> CscMatrix<f64> {
    let (tasks, servers) = (problem.items(), problem.servers());
    let variables = tasks * servers;
    let mut row_by_value = Vec::with_capacity(3 * variables);
    let mut values = Vec::with_capacity(3 * variables);
    for (pair, demand) in pairs(problem).enumerate() {
        row_by_value.extend([pair / servers, tasks + pair % servers, tasks + servers + pair]);
        values.extend([1.0, demand.energy * scale, -1.0]);
    }
    let starts = (0..=variables).map(|pair| 3 * pair).collect();
    CscMatrix::new(tasks + servers + variables, variables, starts, row_by_value, values)
}

impl OuterBound {
    /// Whether a point, energy and time, lies in all half-planes.
    #[must_use]
    pub fn contains(&self, point: [f64; 2]) -> bool {
        self.half_planes.iter().all(|half_plane| half_plane.above(point) >= -ROUNDING * half_plane.least.abs().max(1.0))
    }

    /// The corners of what lies in all half-planes, from 0 to a reference point, in order; empty if nothing does.
    #[must_use]
    pub fn corners(&self, reference: [f64; 2]) -> Vec<[f64; 2]> {
        let [energy, time] = reference;
        let all = vec![[0.0, 0.0], [energy, 0.0], [energy, time], [0.0, time]];
        self.half_planes.iter().fold(all, |corners, half_plane| clip(&corners, half_plane))
    }

    /// The corners that are no worse than the reference in both objectives without touching it, by rising energy: the
    /// front that nobody can pass.
    #[must_use]
    pub fn front(&self, reference: [f64; 2]) -> Vec<[f64; 2]> {
        let mut front = self.corners(reference);
        front.retain(|corner| *corner != reference);
        front.sort_by(|a, b| a[0].total_cmp(&b[0]).then(b[1].total_cmp(&a[1])));
        front.dedup();
        front
    }

    /// The area below a reference point that lies in all half-planes: no front has a larger hypervolume.
    #[must_use]
    pub fn hypervolume(&self, reference: [f64; 2]) -> f64 {
        let corners = self.corners(reference);
        let next = corners.iter().cycle().skip(1);
        let twice: f64 = corners.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
        twice / 2.0
    }
}

/// The part of a convex polygon that lies in a half-plane (Sutherland, Hodgman 1974, doi:10.1145/360767.360802).
fn clip(corners: &[[f64; 2]], half_plane: &HalfPlane) -> Vec<[f64; 2]> {
    let mut kept = Vec::with_capacity(corners.len() + 1);
    for (&from, &to) in corners.iter().zip(corners.iter().cycle().skip(1)) {
        let (before, after) = (half_plane.above(from), half_plane.above(to));
        if before >= 0.0 {
            kept.push(from);
        }
        if (before < 0.0) != (after < 0.0) {
            let share = before / (before - after);
            kept.push([from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])]);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
