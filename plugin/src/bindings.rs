//! The types and the export glue that wit-bindgen makes of `wit/`.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated: the documentation stands in wit/, the unsafe code is the canonical ABI's"
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "plugin",
    pub_export_macro: true,
    additional_derives: [PartialEq],
});
