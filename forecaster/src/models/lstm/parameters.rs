//! The network's weights: one vector, seen as PyTorch's tensors.
//!
//! Promises: names, shapes and gate order (i, f, g, o) are those of `torch.nn.LSTM(inputs, hidden, 2)` as `lstm` and
//! `torch.nn.Linear(hidden, outputs)` as `head`. Both biases of a layer are kept: an optimiser that treats weights one
//! by one moves their sum twice as fast as it would move one. Must not know: what is done with them.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};

use crate::rng::Rng;

/// Number of stacked LSTM layers.
pub const LAYERS: usize = 2;

/// Sizes of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Features of a step.
    pub inputs: usize,
    /// Width of each layer.
    pub hidden: usize,
    /// Values that the head gives.
    pub outputs: usize,
}

/// A tensor of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tensor {
    WeightIh(usize),
    WeightHh(usize),
    BiasIh(usize),
    BiasHh(usize),
    HeadWeight,
    HeadBias,
}

impl Tensor {
    /// All, in the order in which they lie in the vector.
    pub(super) const ALL: [Self; 4 * LAYERS + 2] = [
        Self::WeightIh(0),
        Self::WeightHh(0),
        Self::BiasIh(0),
        Self::BiasHh(0),
        Self::WeightIh(1),
        Self::WeightHh(1),
        Self::BiasIh(1),
        Self::BiasHh(1),
        Self::HeadWeight,
        Self::HeadBias,
    ];

    /// PyTorch's name.
    pub(super) fn name(self) -> String {
        match self {
            Self::WeightIh(layer) => format!("lstm.weight_ih_l{layer}"),
            Self::WeightHh(layer) => format!("lstm.weight_hh_l{layer}"),
            Self::BiasIh(layer) => format!("lstm.bias_ih_l{layer}"),
            Self::BiasHh(layer) => format!("lstm.bias_hh_l{layer}"),
            Self::HeadWeight => "head.weight".to_owned(),
            Self::HeadBias => "head.bias".to_owned(),
        }
    }

    /// PyTorch's dimensions.
    pub(super) fn dimensions(self, shape: Shape) -> Vec<usize> {
        let Shape { inputs, hidden, outputs } = shape;
        match self {
            Self::WeightIh(0) => vec![4 * hidden, inputs],
            Self::WeightIh(_) | Self::WeightHh(_) => vec![4 * hidden, hidden],
            Self::BiasIh(_) | Self::BiasHh(_) => vec![4 * hidden],
            Self::HeadWeight => vec![outputs, hidden],
            Self::HeadBias => vec![outputs],
        }
    }

    pub(super) fn size(self, shape: Shape) -> usize {
        self.dimensions(shape).iter().product()
    }

    pub(super) fn range(self, shape: Shape) -> Range<usize> {
        let before = Self::ALL.iter().take_while(|tensor| **tensor != self).map(|tensor| tensor.size(shape)).sum();
        before..before + self.size(shape)
    }
}

/// Weights, or anything that there is one of for each weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    pub(super) shape: Shape,
    pub(super) flat: Vec<f32>,
}

impl Parameters {
    /// All zero.
    #[must_use]
    pub fn zeros(shape: Shape) -> Self {
        Self { shape, flat: vec![0.0; Tensor::ALL.iter().map(|tensor| tensor.size(shape)).sum()] }
    }

    /// PyTorch's start: uniform in ±1/√hidden, everywhere.
    #[must_use]
    pub fn random(shape: Shape, seed: u64) -> Self {
        let (mut rng, mut parameters) = (Rng::new(seed), Self::zeros(shape));
        let bound = 1.0 / (shape.hidden.max(1) as f32).sqrt();
        parameters.flat.iter_mut().for_each(|weight| *weight = bound * rng.symmetric());
        parameters
    }

    /// The sizes.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Every weight, tensor by tensor in PyTorch's order and layout.
    #[must_use]
    pub fn flat(&self) -> &[f32] {
        &self.flat
    }

    /// The same for writing.
    pub fn flat_mut(&mut self) -> &mut [f32] {
        &mut self.flat
    }

    pub(super) fn matrix(&self, tensor: Tensor) -> ArrayView2<'_, f32> {
        let dimensions = tensor.dimensions(self.shape);
        ArrayView2::from_shape((dimensions[0], dimensions[1]), &self.flat[tensor.range(self.shape)])
            .expect("invariant: a matrix's range has its size")
    }

    pub(super) fn matrix_mut(&mut self, tensor: Tensor) -> ArrayViewMut2<'_, f32> {
        let dimensions = tensor.dimensions(self.shape);
        ArrayViewMut2::from_shape((dimensions[0], dimensions[1]), &mut self.flat[tensor.range(self.shape)])
            .expect("invariant: a matrix's range has its size")
    }

    pub(super) fn vector(&self, tensor: Tensor) -> ArrayView1<'_, f32> {
        ArrayView1::from(&self.flat[tensor.range(self.shape)])
    }

    pub(super) fn vector_mut(&mut self, tensor: Tensor) -> ArrayViewMut1<'_, f32> {
        ArrayViewMut1::from(&mut self.flat[tensor.range(self.shape)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { inputs: 2, hidden: 64, outputs: 15 };

    #[test]
    fn the_tensors_fill_the_vector_without_overlap() {
        let mut next = 0;
        for tensor in Tensor::ALL {
            let range = tensor.range(SHAPE);
            assert_eq!((range.start, range.len()), (next, tensor.size(SHAPE)), "{tensor:?}");
            next = range.end;
        }
        assert_eq!(next, Parameters::zeros(SHAPE).flat.len());
        assert_eq!(next, 17_408 + 33_280 + 975);
    }

    #[test]
    fn a_seed_gives_the_same_start_within_the_bound() {
        let start = Parameters::random(SHAPE, 1);
        assert_eq!(start, Parameters::random(SHAPE, 1));
        assert_ne!(start, Parameters::random(SHAPE, 2));
        assert!(start.flat.iter().all(|weight| weight.abs() <= 0.125));
    }
}
