//! The whole extender: the real router, and the real binary over loopback.
#![allow(clippy::unwrap_used, reason = "what a test takes for granted ends it where it is wrong")]

mod admin;
mod api_server;
mod attacks;
mod bad_input;
mod binary;
mod captured;
mod compiling;
mod explain;
mod fallback;
mod fetching;
mod forecasts;
mod harness;
mod loading;
mod nominating;
mod pipeline;
mod planning;
mod preempt;
mod reload;
mod schema;
mod stale;
mod tls;
