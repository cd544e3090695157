//! The forward pass alone: a few rows go through all steps and both layers.
//!
//! A matrix library would write each step's gates to memory and read them again. Here a block of hidden units of a few
//! rows has all its gates in registers while the weights stream by, packed in the order in which they are used. That is
//! 3 times as fast as products of whole matrices on a machine with AVX-512, and faster than PyTorch.
//!
//! Promises: the same outputs as the forward pass of training, but for rounding; which instructions are used is found
//! out when it runs. Must not know: what inputs and outputs mean.
#![allow(clippy::needless_pass_by_value, reason = "a view is passed like a slice")]
#![allow(clippy::inline_always, reason = "vector instructions are used only where all is one function")]
#![allow(clippy::needless_range_loop, reason = "loops of a constant count keep their arrays in registers")]

use ndarray::{Array2, ArrayView3, ArrayViewMut2, Axis};
use pulp::bytemuck::cast_slice;
use pulp::{Arch, Simd, WithSimd};

use super::activation::{Activation, GATES, step};
use super::layer::bias;
use super::parameters::{LAYERS, Parameters, Tensor};

/// Rows at a time with 32 vector registers: 24 sums, 4 weights and an input fit.
const MANY: usize = 6;

/// Rows at a time with fewer registers.
const FEW: usize = 2;

/// The outputs, of (batch, outputs), for inputs of (steps, batch, features).
#[must_use]
pub fn predict(parameters: &Parameters, activation: Activation, input: ArrayView3<'_, f32>) -> Array2<f32> {
    Arch::new().dispatch(Prediction { parameters, activation, input })
}

struct Prediction<'a> {
    parameters: &'a Parameters,
    activation: Activation,
    input: ArrayView3<'a, f32>,
}

impl WithSimd for Prediction<'_> {
    type Output = Array2<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Array2<f32> {
        if S::REGISTER_COUNT >= 32 { self.run::<S, MANY>(simd) } else { self.run::<S, FEW>(simd) }
    }
}

impl Prediction<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) -> Array2<f32> {
        let Self { parameters, activation, input } = self;
        let (steps, batch, features) = input.dim();
        let layers = [Layer::packed(simd, parameters, 0), Layer::packed(simd, parameters, 1)];
        let mut state = State::<S, ROWS>::new(simd, parameters);
        let mut outputs = Array2::zeros((batch, parameters.shape().outputs));
        for (group, mut outputs) in outputs.axis_chunks_iter_mut(Axis(0), ROWS).enumerate() {
            state.clear(simd);
            for now in 0..steps {
                // Rows beyond the last repeat it; their outputs go nowhere.
                let row = |k: usize| (group * ROWS + k).min(batch - 1);
                for feature in 0..features {
                    state.seen[0][feature] = std::array::from_fn(|k| input[[now, row(k), feature]]);
                }
                for (k, layer) in layers.iter().enumerate() {
                    // The first step has no outputs before it.
                    let width = if now == 0 { layer.inputs } else { state.seen[k].len() };
                    state.step(simd, layer, (k, width), activation);
                    state.pass_on(k);
                }
            }
            state.head(parameters, &mut outputs);
        }
        outputs
    }
}

/// A layer's weights in vectors.
struct Layer<S: Simd> {
    /// How many of what it sees are inputs; the others are its own outputs.
    inputs: usize,
    /// By block of hidden units: the gates' biases.
    biases: Vec<[S::f32s; GATES]>,
    /// By block, then by input and by hidden unit: the gates' weights.
    weights: Vec<[S::f32s; GATES]>,
}

impl<S: Simd> Layer<S> {
    fn packed(simd: S, parameters: &Parameters, layer: usize) -> Self {
        let hidden = parameters.shape().hidden;
        let bias = bias(parameters, layer);
        let (from_input, from_hidden) =
            (parameters.matrix(Tensor::WeightIh(layer)), parameters.matrix(Tensor::WeightHh(layer)));
        // A last block that is not full is filled with zeros, whose units stay 0.
        let vectors = |block: usize, value: &dyn Fn(usize) -> f32| -> [S::f32s; GATES] {
            std::array::from_fn(|gate| {
                let lanes: Vec<f32> = (block * S::F32_LANES..hidden.min((block + 1) * S::F32_LANES))
                    .map(|unit| value(gate * hidden + unit))
                    .collect();
                simd.partial_load_f32s(&lanes)
            })
        };
        let (mut biases, mut weights) = (Vec::new(), Vec::new());
        for block in 0..hidden.div_ceil(S::F32_LANES) {
            biases.push(vectors(block, &|row| bias[row]));
            weights.extend((0..from_input.ncols()).map(|k| vectors(block, &|row| from_input[[row, k]])));
            weights.extend((0..hidden).map(|k| vectors(block, &|row| from_hidden[[row, k]])));
        }
        Self { inputs: from_input.ncols(), biases, weights }
    }
}

/// What a few rows remember.
struct State<S: Simd, const ROWS: usize> {
    hidden: usize,
    /// By layer: its inputs and then its outputs of the step before, each for all rows.
    seen: [Vec<[f32; ROWS]>; LAYERS],
    /// By layer and block: the cell states.
    cells: [Vec<[S::f32s; ROWS]>; LAYERS],
    /// By block: the outputs of the step and layer that were computed last.
    outputs: Vec<[S::f32s; ROWS]>,
}

impl<S: Simd, const ROWS: usize> State<S, ROWS> {
    fn new(simd: S, parameters: &Parameters) -> Self {
        let hidden = parameters.shape().hidden;
        let blocks = vec![[simd.splat_f32s(0.0); ROWS]; hidden.div_ceil(S::F32_LANES)];
        Self {
            hidden,
            seen: [vec![[0.0; ROWS]; parameters.shape().inputs + hidden], vec![[0.0; ROWS]; 2 * hidden]],
            cells: [blocks.clone(), blocks.clone()],
            outputs: blocks,
        }
    }

    #[inline(always)]
    fn clear(&mut self, simd: S) {
        for cells in self.cells.iter_mut().flatten() {
            *cells = [simd.splat_f32s(0.0); ROWS];
        }
    }

    /// One step of layer `k`, which has seen `width` values.
    #[inline(always)]
    fn step(&mut self, simd: S, layer: &Layer<S>, (k, width): (usize, usize), activation: Activation) {
        let blocks = layer.biases.iter().zip(layer.weights.chunks_exact(self.seen[k].len()));
        let states = self.cells[k].iter_mut().zip(&mut self.outputs);
        for ((biases, weights), (cells, outputs)) in blocks.zip(states) {
            let sums = weighted(simd, *biases, weights, &self.seen[k][..width]);
            for row in 0..ROWS {
                let step = step(simd, activation, sums[row], cells[row]);
                (cells[row], outputs[row]) = (step.cell, step.output);
            }
        }
    }

    /// The output of a hidden unit, by row.
    #[inline(always)]
    fn output(&self, unit: usize) -> [f32; ROWS] {
        let vectors: &[f32] = cast_slice(&self.outputs[unit / S::F32_LANES]);
        std::array::from_fn(|row| vectors[row * S::F32_LANES + unit % S::F32_LANES])
    }

    /// A layer's outputs become its own inputs of the next step, and the next layer's of this one.
    #[inline(always)]
    fn pass_on(&mut self, k: usize) {
        for unit in 0..self.hidden {
            let outputs = self.output(unit);
            let own = self.seen[k].len() - self.hidden + unit;
            self.seen[k][own] = outputs;
            if let Some(next) = self.seen.get_mut(k + 1) {
                next[unit] = outputs;
            }
        }
    }

    /// The head's outputs for the rows that there are.
    fn head(&self, parameters: &Parameters, outputs: &mut ArrayViewMut2<'_, f32>) {
        let (weights, bias) = (parameters.matrix(Tensor::HeadWeight), parameters.vector(Tensor::HeadBias));
        let mut sums: Vec<[f32; ROWS]> = bias.iter().map(|bias| [*bias; ROWS]).collect();
        for (unit, weights) in weights.columns().into_iter().enumerate() {
            let values = self.output(unit);
            for (sums, weight) in sums.iter_mut().zip(weights) {
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        for (row, mut outputs) in outputs.rows_mut().into_iter().enumerate() {
            outputs.iter_mut().zip(&sums).for_each(|(output, sums)| *output = sums[row]);
        }
    }
}

/// The pre-activations of a block of hidden units, by row and gate.
#[inline(always)]
fn weighted<S: Simd, const ROWS: usize>(
    simd: S,
    biases: [S::f32s; GATES],
    weights: &[[S::f32s; GATES]],
    seen: &[[f32; ROWS]],
) -> [[S::f32s; GATES]; ROWS] {
    let mut sums = [biases; ROWS];
    for (weights, values) in weights.iter().zip(seen) {
        for (sums, value) in sums.iter_mut().zip(values) {
            let value = simd.splat_f32s(*value);
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum = simd.mul_add_e_f32s(value, *weight, *sum);
            }
        }
    }
    sums
}
