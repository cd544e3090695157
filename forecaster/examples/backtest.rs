//! Backtests a folder of CSV files.
//!
//! `cargo run --release -p gantry-forecaster --example backtest -- <folder> [plots]`
//!
//! Promises: prints the table; writes a plot of each series' last day into the second folder, if one is given.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use gantry_forecaster::backtest::{BacktestConfig, Table, run};
use gantry_forecaster::models::Epoch;
use gantry_forecaster::{csv, plot};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let folder = arguments.next().ok_or("which folder of CSV files?")?;
    let series = csv::series(&csv::read(Path::new(&folder))?, |_| f64::INFINITY);
    let mut observer = |epoch: Epoch| {
        eprintln!("epoch {} of {}: loss {:.4}", epoch.number, epoch.of, epoch.loss);
        ControlFlow::Continue(())
    };
    let scored = |done, of| eprintln!("scored {done} of {of} series");
    let backtest = run(&series, &BacktestConfig::default(), &mut observer, scored)?;
    println!("{}", Table(&backtest));
    let Some(plots) = arguments.next() else { return Ok(()) };
    fs::create_dir_all(&plots)?;
    for result in &backtest.series {
        let svg = plot::svg(&result.name.to_string(), &result.name.resource, result.last(Duration::from_hours(24)))?;
        fs::write(Path::new(&plots).join(format!("{}.svg", result.name.to_string().replace('/', "-"))), svg)?;
    }
    Ok(())
}
