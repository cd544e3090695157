//! `HostPriorityList`: the answer to prioritize.
//!
//! Promises whole numbers from 0 to 10 and at most one entry a candidate: kube-scheduler
//! neither clamps nor de-duplicates, and drops an answer with a single `1.5` whole. Who
//! has no entry has 0.

use foldhash::{HashSet, HashSetExt as _};

use super::args::Candidates;

/// A score of the protocol, 0 (worst) to 10 (best).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(u8);

impl Priority {
    /// The best score, kube-scheduler's `MaxExtenderPriority`.
    pub const MAX: Self = Self(10);
    /// The worst score.
    pub const MIN: Self = Self(0);

    /// The score of a number, cut to the range.
    #[must_use]
    pub fn saturating(number: usize) -> Self {
        Self(u8::try_from(number).map_or(Self::MAX.0, |small| small.min(Self::MAX.0)))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

/// Writes the answer by hand, ten times quicker than through serde: one priority a candidate, in its order. A name
/// that was sent twice is written once, because kube-scheduler adds duplicates up.
#[must_use]
pub fn answer(candidates: &Candidates, priorities: &[Priority]) -> Vec<u8> {
    // A name is at most 253 bytes, mostly far below 40; the rest of an entry is 24.
    let mut out = Vec::with_capacity(2 + candidates.len() * 64);
    let mut written = HashSet::with_capacity(candidates.len());
    out.push(b'[');
    for (name, priority) in candidates.names().zip(priorities) {
        if written.insert(name) {
            write_entry(&mut out, name, *priority);
        }
    }
    out.push(b']');
    out
}

/// Writes that one candidate has 10 and every other 0, of which nothing is said: kube-scheduler takes longer to read an
/// entry than Gantry to write it.
#[must_use]
pub fn only(name: &str) -> Vec<u8> {
    let mut out = vec![b'['];
    write_entry(&mut out, name, Priority::MAX);
    out.push(b']');
    out
}

/// Writes equal scores, all 0: in-tree scores alone decide then.
#[must_use]
pub fn equal(candidates: &Candidates) -> Vec<u8> {
    answer(candidates, &vec![Priority::MIN; candidates.len()])
}

fn write_entry(out: &mut Vec<u8>, name: &str, priority: Priority) {
    if out.len() > 1 {
        out.push(b',');
    }
    out.extend_from_slice(b"{\"Host\":");
    serde_json::to_writer(&mut *out, name).expect("invariant: writing a string to memory cannot fail");
    out.extend_from_slice(if priority == Priority::MAX { b",\"Score\":1" } else { b",\"Score\":" });
    out.push(b'0' + priority.0 % 10);
    out.push(b'}');
}

#[cfg(test)]
mod tests;
