//! How long the network takes for many series.
//!
//! `cargo run --release -p gantry-forecaster --example inference`
//!
//! Promises: prints the best of several runs, in CPU seconds of this thread; `inference.py` beside it does the same with
//! PyTorch.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::error::Error;
use std::fs;

use gantry_forecaster::models::lstm::{Activation, Parameters, Shape, predict};
use ndarray::Array3;

const SERIES: usize = 10_000;
const RUNS: usize = 9;

/// CPU seconds of this thread since it started.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let schedule = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(schedule.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9)
}

fn main() -> Result<(), Box<dyn Error>> {
    let parameters = Parameters::random(Shape { inputs: 2, hidden: 64, outputs: 15 }, 1);
    let input = Array3::from_shape_fn((10, SERIES, 2), |(step, row, k)| ((step + 3 * row + 7 * k) % 17) as f32 / 8.0);
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let start = cpu_seconds()?;
        std::hint::black_box(predict(&parameters, Activation::Tanh, input.view()));
        best = best.min(cpu_seconds()? - start);
    }
    println!("{SERIES} series: {:.1} ms", 1e3 * best);
    Ok(())
}
