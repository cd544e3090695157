//! Tests with the real thing: Debian's Prometheus, `node_exporter` and Redis on loopback, and our own binary.
#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]
#![allow(unreachable_pub, dead_code, reason = "the support is shared by two test programs")]

#[path = "../support/bench.rs"]
mod bench;
#[path = "../support/laws.rs"]
mod laws;
#[path = "../support/process.rs"]
mod process;

mod binary;
mod exporter;
mod history;
mod http;
mod pipeline;
mod prometheus;
mod redis;
