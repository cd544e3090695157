//! Tests of the LSTM: gradients, learning, determinism, warm starts, weights.

use std::ops::ControlFlow;

use ndarray::{Array2, Array3};

use super::*;
use crate::models::unobserved;
use crate::rng::Rng;
use crate::{Sample, SeriesName, TimeSeries};

const SMALL: Shape = Shape { inputs: 2, hidden: 5, outputs: 15 };

fn small() -> LstmConfig {
    LstmConfig { hidden: 8, epochs: 6, windows: 2_000, rate: 1e-2, ..LstmConfig::default() }
}

fn series(subject: &str, resource: &str, count: usize, value: impl Fn(usize) -> f64) -> TimeSeries {
    let samples: Vec<Sample> = (0..count).map(|k| Sample { at: k as i64 * 60, value: value(k) }).collect();
    let until = samples[count - 1].at;
    TimeSeries::resample(SeriesName::new(subject, resource), &samples, 60, 100.0, until).0
}

fn wave(subject: &str, count: usize) -> TimeSeries {
    series(subject, "cpu", count, |k| 50.0 + 30.0 * (k as f64 * 0.3).sin())
}

/// The derivative of the loss along a direction, by differences and by the gradient.
fn slopes(activation: Activation, loss: Loss, tensor: parameters::Tensor, seed: u64) -> (f32, f32) {
    let shape = Shape { outputs: 5 * loss.outputs(), ..SMALL };
    let mut rng = Rng::new(seed);
    let input = Array3::from_shape_simple_fn((10, 7, 2), || rng.symmetric());
    // Far from every output, where the pinball loss has no kink.
    let truth = Array2::from_shape_simple_fn((7, 5), || (2.0 + rng.symmetric()) * rng.symmetric().signum());
    let start = Parameters::random(shape, seed);
    let mut direction = Parameters::zeros(shape);
    direction.flat[tensor.range(shape)].iter_mut().for_each(|value| *value = rng.symmetric());
    let at = |distance: f32| {
        let mut moved = start.clone();
        moved.flat.iter_mut().zip(&direction.flat).for_each(|(weight, value)| *weight += distance * value);
        gradient(&moved, activation, loss, input.view(), truth.view())
    };
    let distance = 4e-3;
    let by_difference = (at(distance).0 - at(-distance).0) / (2.0 * distance);
    let by_gradient = at(0.0).1.flat.iter().zip(&direction.flat).map(|(slope, value)| slope * value).sum();
    (by_difference, by_gradient)
}

#[test]
fn the_gradient_of_every_tensor_equals_finite_differences() {
    for activation in [Activation::Tanh, Activation::Relu] {
        for loss in [Loss::Pinball, Loss::MeanSquared] {
            for (tensor, seed) in parameters::Tensor::ALL.into_iter().zip(1..) {
                let (by_difference, by_gradient) = slopes(activation, loss, tensor, seed);
                let error = (by_difference - by_gradient).abs();
                // A difference over a kink of ReLU is no derivative.
                let share = if activation == Activation::Relu { 0.05 } else { 0.01 };
                let tolerance = 2e-4 + share * by_gradient.abs();
                assert!(error < tolerance, "{activation:?} {loss:?} {tensor:?}: {by_difference} {by_gradient}");
            }
        }
    }
}

#[test]
fn a_network_learns_a_wave_and_its_quantiles_hold() {
    let (one, two) = (wave("a", 900), wave("b", 900));
    let mut lstm = Lstm::new(LstmConfig { epochs: 25, ..small() });
    let mut losses = Vec::new();
    let observer = &mut |epoch: crate::models::Epoch| {
        losses.push(epoch.loss);
        ControlFlow::Continue(())
    };
    lstm.fit(&[one.until(600), two.until(600)], observer).unwrap();
    assert_eq!(losses.len(), 25);
    assert!(losses[24] < 0.3 * losses[0], "{losses:?}");
    let (mut error, mut naive) = (0.0, 0.0);
    for step in 600..890 {
        let (forecast, truth) = (lstm.forecast(one.until(step)).unwrap(), one.history().cells()[step + 2]);
        error += (forecast.p50(2) - truth).abs();
        naive += (one.until(step).last().unwrap() - truth).abs();
        assert!(forecast.p50(2) <= forecast.p90(2) && forecast.p90(2) <= forecast.p95(2));
    }
    assert!(error < 0.3 * naive, "{error} {naive}");
}

#[test]
fn a_seed_decides_the_weights_and_the_batch_does_not_matter_for_a_forecast() {
    let (one, two) = (wave("a", 400), wave("b", 333));
    let trained = |seed| {
        let mut lstm = Lstm::new(LstmConfig { seed, ..small() });
        lstm.fit(&[one.history(), two.history()], &mut unobserved).unwrap();
        lstm
    };
    let lstm = trained(3);
    assert_eq!(lstm.networks().collect::<Vec<_>>(), trained(3).networks().collect::<Vec<_>>());
    assert_ne!(lstm.networks().collect::<Vec<_>>(), trained(4).networks().collect::<Vec<_>>());
    let many: Vec<_> = (50..400).map(|step| one.until(step)).collect();
    let together = lstm.forecast_all(&many);
    for (k, history) in many.iter().enumerate() {
        let (alone, together) = (lstm.forecast(*history).unwrap(), together[k].unwrap());
        assert!((alone.p90(4) - together.p90(4)).abs() < 1e-3, "{k}");
    }
}

#[test]
fn retraining_starts_from_the_weights_that_are_known() {
    let wave = wave("a", 900);
    let mut lstm = Lstm::new(small());
    let (mut first, mut again) = (Vec::new(), Vec::new());
    let follow = |losses: &mut Vec<f32>, lstm: &mut Lstm| {
        let observer = &mut |epoch: crate::models::Epoch| {
            losses.push(epoch.loss);
            ControlFlow::Continue(())
        };
        lstm.fit(&[wave.history()], observer).unwrap();
    };
    follow(&mut first, &mut lstm);
    follow(&mut again, &mut lstm);
    assert_eq!((first.len(), again.len()), (6, 3));
    assert!(again[0] < 0.7 * first[0], "{first:?} {again:?}");
}

#[test]
fn an_observer_can_end_a_training() {
    let mut epochs = 0;
    let observer = &mut |_| {
        epochs += 1;
        if epochs == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    Lstm::new(small()).fit(&[wave("a", 300).history()], observer).unwrap();
    assert_eq!(epochs, 2);
}

#[test]
fn each_resource_has_a_network_and_an_unknown_one_no_forecast() {
    let (cpu, memory) = (wave("a", 300), series("a", "memory", 300, |k| 40.0 + (k % 7) as f64));
    let mut lstm = Lstm::new(small());
    lstm.fit(&[cpu.history(), memory.history()], &mut unobserved).unwrap();
    assert_eq!(lstm.networks().map(|(resource, _)| resource).collect::<Vec<_>>(), ["cpu", "memory"]);
    let unknown = series("a", "disk_io", 300, |k| k as f64 / 10.0);
    let known = lstm.forecast_all(&[unknown.history(), cpu.history(), cpu.until(9), cpu.until(0)]);
    assert_eq!(known.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, false]);
}

#[test]
fn a_series_that_never_changed_is_forecast_where_it_is() {
    let (wave, still) = (wave("a", 300), series("b", "cpu", 300, |_| 30.0));
    let zero = series("c", "cpu", 300, |_| 0.0);
    let mut lstm = Lstm::new(small());
    lstm.fit(&[wave.history(), still.history(), zero.history()], &mut unobserved).unwrap();
    assert!((lstm.forecast(still.history()).unwrap().p95(4) - 30.0).abs() < 0.3);
    assert!(lstm.forecast(zero.history()).unwrap().p95(4) < 1e-6);
}

#[test]
fn nothing_to_learn_from_is_an_error_and_changes_nothing() {
    let mut lstm = Lstm::new(small());
    lstm.fit(&[wave("a", 300).history()], &mut unobserved).unwrap();
    let before = lstm.clone();
    assert_eq!(lstm.fit(&[wave("a", 12).history()], &mut unobserved).unwrap_err().reason(), "no_window");
    assert_eq!(lstm.networks().collect::<Vec<_>>(), before.networks().collect::<Vec<_>>());
}

#[test]
fn a_training_that_diverges_is_an_error_and_keeps_the_weights() {
    let windows = Windows { inputs: Array2::zeros((4, 20)), truth: Array2::from_elem((4, 5), f32::NAN), features: 2 };
    let training = Training {
        epochs: 2,
        batch: 2,
        rate: 1e-3,
        decay: true,
        clip: 1.0,
        loss: Loss::Pinball,
        activation: Activation::Tanh,
        seed: 1,
    };
    let mut parameters = Parameters::random(SMALL, 1);
    let error = training.run(&mut parameters, &windows, &mut unobserved).unwrap_err();
    assert_eq!((error.reason(), &parameters), ("diverged", &Parameters::random(SMALL, 1)));
}

#[test]
fn weights_are_read_back_with_their_activation() {
    let network = Network { parameters: Parameters::random(SMALL, 1), activation: Activation::Relu };
    let bytes = network.to_safetensors().unwrap();
    assert_eq!(Network::from_safetensors(&bytes).unwrap(), network);
    let mut lstm = Lstm::new(small());
    lstm.insert("cpu", network.clone()).unwrap();
    assert_eq!(lstm.networks().collect::<Vec<_>>(), [("cpu", &network)]);
}

#[test]
fn broken_foreign_and_non_finite_weights_are_refused() {
    let network = |shape| Network { parameters: Parameters::random(shape, 1), activation: Activation::Tanh };
    let bytes = network(SMALL).to_safetensors().unwrap();
    assert!(matches!(Network::from_safetensors(&bytes[..bytes.len() / 2]), Err(WeightsError::Format(_))));
    assert!(matches!(Network::from_safetensors(b""), Err(WeightsError::Format(_))));
    let mut broken = network(SMALL);
    broken.parameters.flat_mut()[3] = f32::NAN;
    let error = Network::from_safetensors(&broken.to_safetensors().unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("tensor lstm.weight_ih_l0 has the value NaN at 3"), "{error}");
    let other = network(Shape { inputs: 3, ..SMALL });
    let error = Lstm::new(small()).insert("cpu", other).unwrap_err();
    assert!(matches!(error, WeightsError::Tensor { .. }), "{error}");
}
