//! The scheduler extender: kube-scheduler's words in, plugins' answers out.
//!
//! ```text
//!  kube-scheduler ──HTTP──► server ─► handlers ─► wire ─► Cycles ─► Profile ─► sandboxed plugin
//!                                        │                  │          ▲
//!                                        │          view ───┴─► Columns (numbers only)
//!                                        ▼            ▲
//!                       metrics, Events, log        gantry_cluster: index, snapshots, assumed pods
//! ```
//!
//! What it promises, whatever a plugin, a request or the network does:
//!
//! - Every request that can be read is answered with 200 within the deadline; where we fail the answer is *neutral*: all
//!   candidates pass, equal scores, victims as they came. A counter, a log line and an Event on the pod say why.
//! - Scores are whole numbers from 0 to 10, one a candidate, exactly one of them 10.
//! - No `null` in a preemption's maps, for it would make kube-scheduler crash.
//! - Our own answers count at once, before the watch shows them.
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | [`args`], [`config`] | what was typed → what is checked → what is used |
//! | [`app`] | the wiring, in five steps |
//! | [`server`], [`tls`], [`body`] | sockets and bytes |
//! | [`handlers`], [`wire`] | from HTTP to a cycle and back |
//! | [`cycle`], [`rank`] | the decision, without HTTP, clock or lock |
//! | [`view`], [`columns`], [`profile`] | the cluster as numbers, and the plugins that are asked |
//! | [`planner`] | waiting pods placed together, ahead of kube-scheduler's questions; nominations |
//! | [`lease`] | which replica writes nominations |
//! | [`fetch`], [`golden`] | plugins from elsewhere, and the request that they are tried with |
//! | [`reload`] | a changed configuration takes effect, or is refused whole |
//! | [`forecasts`] | what nodes are expected to use soon, from the sidecar |
//! | [`decision`], [`standing`], [`admin`], [`metrics`], [`events`], [`telemetry`], [`verb`] | what an admin sees |
//! | [`binding`] | binding by our own hand; off by default |
//!
//! Nothing below [`wire`] sees JSON, and nothing here sees what a plugin computes with.
#![forbid(unsafe_code)]

pub mod admin;
pub mod app;
pub mod args;
pub mod background;
pub mod binding;
pub mod body;
pub mod columns;
pub mod config;
pub mod cycle;
pub mod decision;
mod demo;
pub mod error;
pub mod events;
pub mod fetch;
pub mod forecasts;
pub mod golden;
pub mod handlers;
pub mod lease;
pub mod metrics;
pub mod planner;
pub mod profile;
pub mod rank;
pub mod reload;
pub mod server;
pub mod standing;
pub mod telemetry;
pub mod tls;
mod tokens;
pub mod verb;
pub mod view;
pub mod wire;
