//! The guest's side of the contract in `wit/`, generated.

#![allow(missing_docs, unsafe_code, clippy::pedantic, reason = "generated code")]

wit_bindgen::generate!({
    path: "../../../wit",
    world: "plugin",
    pub_export_macro: true,
});
