//! A convex quadratic programme, put together variable by variable.
//!
//! Promises: the value is that of the dual, so it lies below the optimum up to the tolerance; what has no solution is
//! told apart from what was not solved. Must not know: what the variables stand for.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, NonnegativeConeT, SolverStatus, ZeroConeT};

use super::BoundError;

/// Gap between primal and dual, absolute and relative, at which the method stops: 1e-8 squared points are 1e-4 points.
const TOLERANCE: f64 = 1e-9;

/// What the method found.
pub(super) struct Optimum {
    /// The least sum, from below.
    pub(super) least: f64,
    /// The variables, in the order in which they were added.
    pub(super) variables: Vec<f64>,
}

/// A column: which rows, in ascending order, and what in them.
type Column = Vec<(usize, f64)>;

/// Minimises a weighted sum of squares under equations, upper limits, and parts that are not negative.
pub(super) struct Programme {
    equations: usize,
    /// Right-hand sides: of the equations, then of the limits.
    sides: Vec<f64>,
    columns: Vec<Column>,
    /// Weight of each variable's square.
    squares: Vec<f64>,
    /// The variables that are not negative.
    parts: usize,
}

impl Programme {
    /// Equations and limits whose right-hand sides are 0.
    pub(super) fn new(equations: usize, limits: usize) -> Self {
        Self { equations, sides: vec![0.0; equations + limits], columns: vec![], squares: vec![], parts: 0 }
    }

    /// Sets the right-hand side of some equations.
    pub(super) fn equal(&mut self, equations: std::ops::Range<usize>, side: f64) {
        self.sides[equations].fill(side);
    }

    /// Sets the right-hand side of all limits.
    pub(super) fn at_most(&mut self, side: f64) {
        self.sides[self.equations..].fill(side);
    }

    /// A variable that is at least 0, by its coefficients in equations and in limits. All parts come before all others.
    pub(super) fn part(&mut self, equations: Column, limits: Column) {
        let shifted = limits.into_iter().map(|(limit, coefficient)| (self.equations + limit, coefficient));
        let row = self.sides.len() + self.parts;
        self.columns.push(equations.into_iter().chain(shifted).chain([(row, -1.0)]).collect());
        self.squares.push(0.0);
        self.parts += 1;
    }

    /// What an equation lacks, free to be anything, at the price of its weighted square.
    pub(super) fn squared(&mut self, equation: usize, weight: f64) {
        self.columns.push(vec![(equation, -1.0)]);
        self.squares.push(weight);
    }

    /// A variable that may be anything and costs nothing.
    pub(super) fn free(&mut self, equations: Column) {
        self.columns.push(equations);
        self.squares.push(0.0);
    }

    /// The optimum; none if nothing meets all equations and limits.
    pub(super) fn solve(mut self) -> Result<Option<Optimum>, BoundError> {
        let rows = self.sides.len() + self.parts;
        self.sides.resize(rows, 0.0);
        // The method minimises half of the quadratic form.
        let squares = self.squares.iter().enumerate();
        let form: Vec<Column> =
            squares.map(|(index, &weight)| if weight > 0.0 { vec![(index, 2.0 * weight)] } else { vec![] }).collect();
        let (form, matrix) = (sparse(self.columns.len(), &form), sparse(rows, &self.columns));
        let cones = [ZeroConeT(self.equations), NonnegativeConeT(rows - self.equations)];
        let settings = DefaultSettingsBuilder::default()
            .verbose(false)
            .tol_gap_abs(TOLERANCE)
            .tol_gap_rel(TOLERANCE)
            .build()
            .map_err(|error| BoundError::Setup(error.to_string()))?;
        let costs = vec![0.0; self.columns.len()];
        let mut solver = DefaultSolver::new(&form, &costs, &matrix, &self.sides, &cones, settings)
            .map_err(|error| BoundError::Setup(error.to_string()))?;
        solver.solve();
        match solver.solution.status {
            SolverStatus::Solved => {
                Ok(Some(Optimum { least: solver.solution.obj_val_dual, variables: solver.solution.x }))
            }
            SolverStatus::PrimalInfeasible => Ok(None),
            status => Err(BoundError::Unsolved(format!("{status:?}"))),
        }
    }
}

fn sparse(rows: usize, columns: &[Column]) -> CscMatrix<f64> {
    let starts = columns.iter().scan(0, |end, column| {
        *end += column.len();
        Some(*end)
    });
    let starts: Vec<usize> = std::iter::once(0).chain(starts).collect();
    let (places, values) = columns.iter().flatten().copied().unzip();
    CscMatrix::new(rows, columns.len(), starts, places, values)
}
