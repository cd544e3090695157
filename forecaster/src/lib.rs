//! Forecasts of usage: series in, quantiles of the next minutes out.
//!
//! ```text
//! samples ──► series (causal grid, explicit gaps) ──► models ──► quantiles of the next five steps
//!    ▲                                                   │
//!    │                        truth of the last day ──► select ──► the model that is served, and its error figures
//!    │                                                                        │
//! source (Prometheus) or csv            pipeline: tick by tick                ▼
//!                                       store (file, Redis) ◄── snapshot ──► server (HTTP, ETag)
//! ```
//!
//! Promises: every forecast says how good its model was lately and how old its data is; a missing, zero and impossible
//! value are three different things. The same series, configuration and seed give the same forecasts. Must not know:
//! Kubernetes objects, the solver. Only `source`, `store`, `server` and `app` open sockets or files, only `app::ticks`
//! and the admin's endpoints read a clock.

pub mod app;
pub mod args;
pub mod backtest;
pub mod config;
pub mod csv;
pub mod error;
pub mod metrics;
pub mod models;
pub mod pipeline;
pub mod plot;
pub mod publication;
mod rng;
pub mod score;
pub mod select;
pub mod series;
pub mod server;
pub mod snapshot;
pub mod source;
pub mod store;
pub mod telemetry;

pub use models::{Forecast, HORIZONS, Model, ModelError, ModelKind, QUANTILES};
pub use series::{History, Sample, SeriesName, TimeSeries};
