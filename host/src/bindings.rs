//! The host's side of the contract in `wit/`, generated.
//!
//! Parameters are borrowed, so that pushing a snapshot copies the columns once, into the guest's memory, and never on
//! the host. The log may trap: that is how a flood of lines is stopped.

#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    unused_doc_comments,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated: the documentation stands in wit/, the engine's macro has checked the types it asserts"
)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
    additional_derives: [PartialEq],
});
