//! What the host offers to components: one file an interface, and there is one.

pub(crate) mod log;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::Plugin;
use crate::engine::Engine;
use crate::state::State;

/// Everything that a component can be linked to.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine.inner());
    Plugin::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}
