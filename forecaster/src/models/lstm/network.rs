//! Two LSTM layers and a linear head.
//!
//! Promises: the head sees the last step's output. Must not know: what inputs and outputs mean.
#![allow(clippy::needless_pass_by_value, reason = "a view is passed like a slice")]

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};

use super::activation::Activation;
use super::layer::{Trace, backward, forward};
use super::loss::Loss;
use super::parameters::{Parameters, Tensor};

/// The loss of a batch of inputs (steps, batch, features), and its gradient by every weight.
#[must_use]
pub fn gradient(
    parameters: &Parameters,
    activation: Activation,
    loss: Loss,
    input: ArrayView3<'_, f32>,
    truth: ArrayView2<'_, f32>,
) -> (f32, Parameters) {
    let mut gradient = Parameters::zeros(parameters.shape());
    let lower = forward(parameters, 0, activation, input);
    let upper = forward(parameters, 1, activation, lower.outputs());
    let (value, by_head) = loss.gradient(head(parameters, &upper).view(), truth);
    let by_upper = backward_head(parameters, &upper, by_head.view(), &mut gradient);
    let by_lower = backward(parameters, 1, activation, (lower.outputs(), &upper), by_upper.view(), &mut gradient);
    backward(parameters, 0, activation, (input, &lower), by_lower.view(), &mut gradient);
    (value, gradient)
}

fn last(trace: &Trace) -> ArrayView2<'_, f32> {
    let outputs = trace.outputs();
    let steps = outputs.len_of(Axis(0));
    outputs.index_axis_move(Axis(0), steps - 1)
}

fn head(parameters: &Parameters, trace: &Trace) -> Array2<f32> {
    last(trace).dot(&parameters.matrix(Tensor::HeadWeight).t()) + parameters.vector(Tensor::HeadBias)
}

fn backward_head(
    parameters: &Parameters,
    trace: &Trace,
    by_head: ArrayView2<'_, f32>,
    gradient: &mut Parameters,
) -> Array3<f32> {
    general_mat_mul(1.0, &by_head.t(), &last(trace), 1.0, &mut gradient.matrix_mut(Tensor::HeadWeight));
    gradient.vector_mut(Tensor::HeadBias).zip_mut_with(&by_head.sum_axis(Axis(0)), |sum, value| *sum += value);
    let mut by_outputs = Array3::zeros(trace.outputs().dim());
    let steps = by_outputs.len_of(Axis(0));
    by_outputs.index_axis_mut(Axis(0), steps - 1).assign(&by_head.dot(&parameters.matrix(Tensor::HeadWeight)));
    by_outputs
}
