//! Components that misbehave, one way each, and one that does not.
//!
//! The programs lie in `programs/examples`, one file each; the build script compiles them to components. The host's
//! tests and the whole system's tests run them: what a hostile or broken plugin can do is a list here, and the tests
//! assert that none of it is left out. What cannot be written in Rust is put together byte by byte.
//!
//! It must not know the host.

mod bombs;

pub use bombs::{compile_bomb, table_bomb};

/// Every guest: its name and its component.
const GUESTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/guests.rs"));

/// The names of all guests, in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    GUESTS.iter().map(|(name, _)| *name)
}

/// The component of the guest `name`.
///
/// # Panics
/// When there is no such guest.
#[must_use]
pub fn bytes(name: &str) -> &'static [u8] {
    let guest = GUESTS.iter().find(|(known, _)| *known == name);
    guest.unwrap_or_else(|| panic!("no guest `{name}`; there are: {}", names().collect::<Vec<_>>().join(", "))).1
}

/// Bytes that are no component: a component cut in the middle, as a broken download leaves it.
#[must_use]
pub fn garbage() -> &'static [u8] {
    let whole = bytes("well_behaved");
    &whole[..whole.len() / 2]
}
