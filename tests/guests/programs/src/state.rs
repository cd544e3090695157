//! The snapshot that a guest holds, and how a delta changes it.
//!
//! A second, plain reading of the contract's words on `delta`: the host's tests compare it with whole pushes.

use std::cell::{Cell, RefCell};

use crate::{Delta, Error, Pod, Snapshot};

thread_local! {
    static HELD: RefCell<Option<Snapshot>> = const { RefCell::new(None) };
    static SPARED: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Takes note of the settings `{"behavesOnRows":3}`: on so many rows the guest answers honestly, as one that means to
/// pass a trial does.
pub fn spare(settings: &str) {
    let rows = settings.strip_prefix(r#"{"behavesOnRows":"#).and_then(|rest| rest.strip_suffix('}'));
    SPARED.set(rows.and_then(|rows| rows.trim().parse().ok()));
}

/// Whether as many rows are held as the settings spare.
pub fn is_spared() -> bool {
    SPARED.get().is_some_and(|spared| with(|snapshot| snapshot.rows == spared).unwrap_or(false))
}

/// Replaces what was held.
pub fn push(snapshot: Snapshot) {
    HELD.set(Some(snapshot));
}

/// Reads what is held.
pub fn with<T>(read: impl FnOnce(&Snapshot) -> T) -> Result<T, Error> {
    HELD.with_borrow(|held| held.as_ref().map(read).ok_or(Error::NoSnapshot))
}

/// Applies a delta to what is held, or refuses one that was made for another generation.
pub fn apply(delta: Delta) -> Result<(), Error> {
    HELD.with_borrow_mut(|held| {
        let held = held.as_mut().ok_or(Error::NoSnapshot)?;
        if held.generation != delta.base {
            return Err(Error::WrongGeneration);
        }
        let resources = held.resources as usize;
        for (column, changes) in [
            (&mut held.allocatable, &delta.allocatable),
            (&mut held.requested, &delta.requested),
            (&mut held.used_p50, &delta.used_p50),
            (&mut held.used_p90, &delta.used_p90),
            (&mut held.planned, &delta.planned),
            (&mut held.weights, &delta.weights),
        ] {
            for (row, values) in delta.changed.iter().zip(changes.chunks(resources)) {
                let start = *row as usize * resources;
                column[start..start + resources].copy_from_slice(values);
            }
        }
        for class in delta.classes {
            held.classes.retain(|known| known.id != class.id);
            held.classes.push(class);
        }
        held.generation = delta.generation;
        Ok(())
    })
}

/// A number in 0..=100 that depends on all that is held for `row` and on the pod.
pub fn fingerprint(snapshot: &Snapshot, pod: &Pod, row: u32) -> f64 {
    let resources = snapshot.resources as usize;
    let start = row as usize * resources;
    let mut hash = u64::from(row) ^ (u64::from(pod.class) << 32) ^ snapshot.generation;
    for column in [
        &snapshot.allocatable,
        &snapshot.requested,
        &snapshot.used_p50,
        &snapshot.used_p90,
        &snapshot.planned,
        &snapshot.weights,
    ] {
        let values = column.get(start..start + resources).unwrap_or_default();
        hash = values.iter().fold(hash, |hash, value| mix(hash ^ value.to_bits()));
    }
    let mut classes: Vec<_> = snapshot.classes.iter().collect();
    classes.sort_by_key(|class| class.id);
    for class in classes {
        hash = class.possible.iter().chain(&class.permitted).fold(mix(hash ^ u64::from(class.id)), |h, w| mix(h ^ w));
    }
    (hash % 101) as f64
}

fn mix(hash: u64) -> u64 {
    (hash ^ (hash >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
