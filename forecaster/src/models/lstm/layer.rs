//! One LSTM layer, forward and back through time.
//!
//! Hochreiter, Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; forget gate of Gers et al. 2000,
//! doi:10.1162/089976600300015015.
//!
//! Promises: products of matrices over whole batches, over all steps at once where no step waits for another. Must not
//! know: losses, optimisers.
#![allow(clippy::needless_pass_by_value, reason = "a view is passed like a slice")]
#![allow(clippy::inline_always, reason = "vector instructions are used only where all is one function")]

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, Axis, s};
use pulp::Arch;

use super::activation::{Activation, GATES, Rows};
use super::parameters::{Parameters, Tensor};

/// Why slices of a step's arrays exist.
const CONTIGUOUS: &str = "invariant: a step of a whole batch is contiguous";

/// What a forward pass leaves for the backward pass; the first index is the step.
pub(super) struct Trace {
    /// (steps, batch, 4 · hidden): the gates i, f, g, o.
    gates: Array3<f32>,
    /// (steps + 1, batch, hidden): the cell states, from the one before the first step.
    cells: Array3<f32>,
    /// (steps, batch, hidden): the activated cell states.
    active: Array3<f32>,
    /// (steps + 1, batch, hidden): the outputs, from the zeros before the first step.
    outputs: Array3<f32>,
}

impl Trace {
    /// The outputs of all steps.
    pub(super) fn outputs(&self) -> ArrayView3<'_, f32> {
        self.outputs.slice(s![1.., .., ..])
    }
}

/// (steps, batch, width) as (steps · batch, width).
fn flat(array: ArrayView3<'_, f32>) -> ArrayView2<'_, f32> {
    let (steps, batch, width) = array.dim();
    array.into_shape_with_order((steps * batch, width)).expect("invariant: the array is contiguous")
}

/// Both biases of a layer, added.
pub(super) fn bias(parameters: &Parameters, layer: usize) -> Array1<f32> {
    &parameters.vector(Tensor::BiasIh(layer)) + &parameters.vector(Tensor::BiasHh(layer))
}

/// Runs a layer over an input of (steps, batch, width).
pub(super) fn forward(
    parameters: &Parameters,
    layer: usize,
    activation: Activation,
    input: ArrayView3<'_, f32>,
) -> Trace {
    let ((steps, batch, _), hidden) = (input.dim(), parameters.shape().hidden);
    let mut gates = Array3::zeros((steps, batch, GATES * hidden));
    gates += &bias(parameters, layer);
    {
        let (steps, batch, width) = gates.dim();
        let mut all = gates.view_mut().into_shape_with_order((steps * batch, width)).expect("invariant: contiguous");
        general_mat_mul(1.0, &flat(input), &parameters.matrix(Tensor::WeightIh(layer)).t(), 1.0, &mut all);
    }
    let mut trace = Trace {
        gates,
        cells: Array3::zeros((steps + 1, batch, hidden)),
        active: Array3::zeros((steps, batch, hidden)),
        outputs: Array3::zeros((steps + 1, batch, hidden)),
    };
    for k in 0..steps {
        forward_step(&mut trace, k, parameters.matrix(Tensor::WeightHh(layer)), activation);
    }
    trace
}

fn forward_step(trace: &mut Trace, k: usize, weights: ArrayView2<'_, f32>, activation: Activation) {
    let (before, mut after) = trace.outputs.view_mut().split_at(Axis(0), k + 1);
    let mut gates = trace.gates.index_axis_mut(Axis(0), k);
    general_mat_mul(1.0, &before.index_axis(Axis(0), k), &weights.t(), 1.0, &mut gates);
    let (old, mut new) = trace.cells.view_mut().split_at(Axis(0), k + 1);
    let mut new = new.index_axis_mut(Axis(0), 0);
    new.assign(&old.index_axis(Axis(0), k));
    let (mut after, mut active) = (after.index_axis_mut(Axis(0), 0), trace.active.index_axis_mut(Axis(0), k));
    Arch::new().dispatch(Rows {
        activation,
        hidden: weights.ncols(),
        gates: gates.as_slice_mut().expect(CONTIGUOUS),
        cells: new.as_slice_mut().expect(CONTIGUOUS),
        active: active.as_slice_mut().expect(CONTIGUOUS),
        outputs: after.as_slice_mut().expect(CONTIGUOUS),
    });
}

/// Carries the loss's gradient by a layer's outputs of all steps back to its weights, added to `gradient`, and to its
/// input, which is returned.
pub(super) fn backward(
    parameters: &Parameters,
    layer: usize,
    activation: Activation,
    (input, trace): (ArrayView3<'_, f32>, &Trace),
    by_outputs: ArrayView3<'_, f32>,
    gradient: &mut Parameters,
) -> Array3<f32> {
    let by_gates = through_time(parameters.matrix(Tensor::WeightHh(layer)), activation, trace, by_outputs);
    let (steps, batch, width) = input.dim();
    let all = flat(by_gates.view());
    let before = trace.outputs.slice(s![..steps, .., ..]);
    general_mat_mul(1.0, &all.t(), &flat(input), 1.0, &mut gradient.matrix_mut(Tensor::WeightIh(layer)));
    general_mat_mul(1.0, &all.t(), &flat(before), 1.0, &mut gradient.matrix_mut(Tensor::WeightHh(layer)));
    let by_bias = all.sum_axis(Axis(0));
    gradient.vector_mut(Tensor::BiasIh(layer)).zip_mut_with(&by_bias, |sum, value| *sum += value);
    gradient.vector_mut(Tensor::BiasHh(layer)).zip_mut_with(&by_bias, |sum, value| *sum += value);
    let by_input = all.dot(&parameters.matrix(Tensor::WeightIh(layer)));
    by_input.into_shape_with_order((steps, batch, width)).expect("invariant: same number of elements")
}

/// The gradient by the gates' pre-activations, of (steps, batch, 4 · hidden).
fn through_time(
    weights: ArrayView2<'_, f32>,
    activation: Activation,
    trace: &Trace,
    by_outputs: ArrayView3<'_, f32>,
) -> Array3<f32> {
    let (steps, batch, hidden) = by_outputs.dim();
    let mut by_gates = Array3::zeros((steps, batch, GATES * hidden));
    let mut by_output = Array2::zeros((batch, hidden));
    let mut by_cell = Array2::zeros((batch, hidden));
    for k in (0..steps).rev() {
        by_output += &by_outputs.index_axis(Axis(0), k);
        let mut now = by_gates.index_axis_mut(Axis(0), k);
        let step = StepBack {
            activation,
            gates: trace.gates.index_axis(Axis(0), k).to_slice().expect(CONTIGUOUS),
            cells: trace.cells.index_axis(Axis(0), k).to_slice().expect(CONTIGUOUS),
            active: trace.active.index_axis(Axis(0), k).to_slice().expect(CONTIGUOUS),
            by_outputs: by_output.as_slice().expect(CONTIGUOUS),
            by_cells: by_cell.as_slice_mut().expect(CONTIGUOUS),
            by_gates: now.as_slice_mut().expect(CONTIGUOUS),
        };
        Arch::new().dispatch(
            #[inline(always)]
            || step.run(hidden),
        );
        general_mat_mul(1.0, &now, &weights, 0.0, &mut by_output);
    }
    by_gates
}

/// A step of all rows of a batch, backwards.
struct StepBack<'a> {
    activation: Activation,
    gates: &'a [f32],
    /// The cell states before the step.
    cells: &'a [f32],
    active: &'a [f32],
    by_outputs: &'a [f32],
    /// Comes from the step after and leaves for the step before.
    by_cells: &'a mut [f32],
    by_gates: &'a mut [f32],
}

impl StepBack<'_> {
    #[inline(always)]
    fn run(self, hidden: usize) {
        let known = self.gates.chunks_exact(GATES * hidden).zip(self.cells.chunks_exact(hidden));
        let known = known.zip(self.active.chunks_exact(hidden)).zip(self.by_outputs.chunks_exact(hidden));
        let sought = self.by_cells.chunks_exact_mut(hidden).zip(self.by_gates.chunks_exact_mut(GATES * hidden));
        for ((((gates, cells), active), by_outputs), (by_cells, by_gates)) in known.zip(sought) {
            let (input, rest) = gates.split_at(hidden);
            let (forget, rest) = rest.split_at(hidden);
            let (candidate, output) = rest.split_at(hidden);
            let (by_input, rest) = by_gates.split_at_mut(hidden);
            let (by_forget, rest) = rest.split_at_mut(hidden);
            let (by_candidate, by_output) = rest.split_at_mut(hidden);
            for k in 0..hidden {
                let by_state = by_cells[k] + by_outputs[k] * output[k] * self.activation.slope(active[k]);
                by_input[k] = by_state * candidate[k] * input[k] * (1.0 - input[k]);
                by_forget[k] = by_state * cells[k] * forget[k] * (1.0 - forget[k]);
                by_candidate[k] = by_state * input[k] * self.activation.slope(candidate[k]);
                by_output[k] = by_outputs[k] * active[k] * output[k] * (1.0 - output[k]);
                by_cells[k] = by_state * forget[k];
            }
        }
    }
}
