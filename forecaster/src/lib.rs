//! Forecasts of usage: series in, quantiles of the next minutes out.
//!
//! ```text
//! samples ──► series (causal grid, explicit gaps) ──► models ──► quantiles of the next five steps
//!                                                        │
//!                             truth of the last day ──► select ──► the model that is served, and its error figures
//! ```
//!
//! Promises: every forecast says how good its model was lately and how old its data is; a missing, zero and impossible
//! value are three different things. The same series, configuration and seed give the same forecasts. Must not know:
//! Kubernetes objects, the solver; the modules here neither open sockets nor read a clock.

pub mod backtest;
pub mod csv;
pub mod models;
pub mod plot;
mod rng;
pub mod score;
pub mod select;
pub mod series;

pub use models::{Forecast, HORIZONS, Model, ModelError, ModelKind, QUANTILES};
pub use series::{History, Sample, SeriesName, TimeSeries};
