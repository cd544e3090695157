//! The network equals PyTorch's: outputs, gradient, training, files.
//!
//! The fixtures are what `fixtures/make_fixture.py` wrote. Rounding differs, as sums are taken in another order and the
//! exponential is our own.
#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

use gantry_forecaster::models::lstm::{
    Activation, Adam, Loss, Network, Parameters, Shape, Training, Windows, gradient, predict,
};
use ndarray::{Array, Array2, Array3, Axis, Dimension};
use safetensors::SafeTensors;

const PINBALL: &[u8] = include_bytes!("fixtures/pinball.safetensors");
const SQUARED: &[u8] = include_bytes!("fixtures/squared.safetensors");
const FULL: &[u8] = include_bytes!("fixtures/full.safetensors");
const FULL_OUTPUTS: &[u8] = include_bytes!("fixtures/full_outputs.safetensors");

/// The tensors of a network, in the order of the flat vector.
const TENSORS: [&str; 10] = [
    "lstm.weight_ih_l0",
    "lstm.weight_hh_l0",
    "lstm.bias_ih_l0",
    "lstm.bias_hh_l0",
    "lstm.weight_ih_l1",
    "lstm.weight_hh_l1",
    "lstm.bias_ih_l1",
    "lstm.bias_hh_l1",
    "head.weight",
    "head.bias",
];

fn values(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let tensor = file.tensor(name).unwrap();
    let (chunks, _) = tensor.data().as_chunks::<4>();
    chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn array<D: Dimension>(file: &SafeTensors<'_>, name: &str) -> Array<f32, D> {
    let shape = file.tensor(name).unwrap().shape().to_vec();
    Array::from_shape_vec(shape, values(file, name)).unwrap().into_dimensionality().unwrap()
}

fn flat(file: &SafeTensors<'_>, prefix: &str) -> Vec<f32> {
    TENSORS.iter().flat_map(|name| values(file, &format!("{prefix}.{name}"))).collect()
}

fn start(file: &SafeTensors<'_>) -> Parameters {
    let head = file.tensor("start.head.weight").unwrap().shape().to_vec();
    let mut parameters = Parameters::zeros(Shape { inputs: 2, hidden: head[1], outputs: head[0] });
    parameters.flat_mut().copy_from_slice(&flat(file, "start"));
    parameters
}

fn assert_close(ours: &[f32], theirs: &[f32], tolerance: f32, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (k, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!((ours - theirs).abs() <= tolerance, "{what}[{k}]: {ours}, PyTorch {theirs}");
    }
}

/// The fixture's only batch, as windows.
fn windows(input: &Array3<f32>, truth: &Array2<f32>) -> Windows {
    let (steps, batch, features) = input.dim();
    let rows = input.view().permuted_axes([1, 0, 2]).as_standard_layout().into_owned();
    let inputs = rows.into_shape_with_order((batch, steps * features)).unwrap();
    Windows { inputs, truth: truth.clone(), features }
}

fn compare(fixture: &[u8], loss: Loss) {
    let file = SafeTensors::deserialize(fixture).unwrap();
    let (input, truth): (Array3<f32>, Array2<f32>) = (array(&file, "input"), array(&file, "truth"));
    let mut parameters = start(&file);
    let outputs = predict(&parameters, Activation::Tanh, input.view());
    assert_close(outputs.as_slice().unwrap(), &values(&file, "outputs"), 1e-6, "outputs");
    let (_, by_weight) = gradient(&parameters, Activation::Tanh, loss, input.view(), truth.view());
    assert_close(by_weight.flat(), &flat(&file, "gradient"), 1e-6, "gradient");

    let clip = values(&file, "bound")[0];
    let training =
        Training { epochs: 1, batch: 12, rate: 1e-2, decay: false, clip, loss, activation: Activation::Tanh, seed: 0 };
    let (windows, rows) = (windows(&input, &truth), (0..truth.len_of(Axis(0))).collect::<Vec<_>>());
    let mut adam = Adam::new(parameters.flat().len());
    let mut losses = Vec::new();
    for step in 0..30 {
        losses.push(training.step(&mut parameters, &mut adam, &windows, &rows, training.rate));
        if step == 0 {
            assert_close(parameters.flat(), &flat(&file, "first"), 2e-6, "weights after one step");
        }
    }
    assert_close(&losses, &values(&file, "losses"), 2e-5, "losses");
    assert!(losses[29] < 0.9 * losses[0], "the fixture's training must learn something: {losses:?}");
}

#[test]
fn pinball_training_with_clipped_gradients_equals_pytorch() {
    compare(PINBALL, Loss::Pinball);
}

#[test]
fn squared_error_training_equals_pytorch() {
    compare(SQUARED, Loss::MeanSquared);
}

#[test]
fn a_full_size_file_of_pytorch_is_read_and_written_as_it_is() {
    let network = Network::from_safetensors(FULL).unwrap();
    assert_eq!(network.parameters.shape(), Shape { inputs: 2, hidden: 64, outputs: 15 });
    let file = SafeTensors::deserialize(FULL_OUTPUTS).unwrap();
    let outputs = predict(&network.parameters, network.activation, array::<ndarray::Ix3>(&file, "input").view());
    assert_close(outputs.as_slice().unwrap(), &values(&file, "outputs"), 1e-6, "outputs");

    let written = network.to_safetensors().unwrap();
    let (ours, theirs) = (SafeTensors::deserialize(&written).unwrap(), SafeTensors::deserialize(FULL).unwrap());
    for name in TENSORS {
        let (ours, theirs) = (ours.tensor(name).unwrap(), theirs.tensor(name).unwrap());
        assert_eq!((ours.shape(), ours.data()), (theirs.shape(), theirs.data()), "{name}");
    }
    assert_eq!(Network::from_safetensors(&written).unwrap(), network);
}
