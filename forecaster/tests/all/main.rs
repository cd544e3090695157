//! Tests of the sidecar that need no other program: faults of Prometheus, stores, the document's schema.
#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]
#![allow(unreachable_pub, dead_code, reason = "the support is shared by two test programs")]

#[path = "../support/bench.rs"]
mod bench;
#[path = "../support/faults.rs"]
mod faults;

mod access;
mod answers;
mod outages;
mod schema;
mod stores;
mod tls;
