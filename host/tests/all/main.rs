//! The host against real components: those that misbehave, one test each, and one that does not.
//!
//! Nothing here waits for a while and hopes: what must happen before something else is said by a barrier or a deadline.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod guests;
mod loading;
mod overload;
mod sync;
mod workshop;
mod world;
