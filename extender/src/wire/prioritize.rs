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

/// Writes the answer: one priority a candidate, in its order. Of a candidate that has 0 nothing is said: kube-scheduler
/// takes longer to read an entry than Gantry to write it.
#[must_use]
pub fn answer(candidates: &Candidates, priorities: &[Priority]) -> Vec<u8> {
    list(candidates.names().zip(priorities.iter().copied()).filter(|(_, priority)| *priority > Priority::MIN))
}

/// Writes that one candidate has 10 and every other 0.
#[must_use]
pub fn only(name: &str) -> Vec<u8> {
    list([(name, Priority::MAX)].into_iter())
}

/// Writes equal scores, all 0, so that in-tree scores alone decide. It names every candidate: that none of them is
/// better is said, not left out.
#[must_use]
pub fn equal(candidates: &Candidates) -> Vec<u8> {
    list(candidates.names().map(|name| (name, Priority::MIN)))
}

/// Writes a list by hand, ten times quicker than through serde. A name that was sent twice is written once, because
/// kube-scheduler adds duplicates up.
fn list<'a>(entries: impl Iterator<Item = (&'a str, Priority)>) -> Vec<u8> {
    let mut out = vec![b'['];
    let mut written = HashSet::new();
    for (name, priority) in entries {
        if written.insert(name) {
            write_entry(&mut out, name, priority);
        }
    }
    out.push(b']');
    out
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
