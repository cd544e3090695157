//! Bytes that did not become a component, so that they are not compiled again in vain.
//!
//! Promises that what lies in the bytes is decided once, and that what may lie in a
//! busy machine is tried a few times more, ever less often. Pure: time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use gantry_host::{Digest, LoadError};

use crate::profile::member::Unloaded;

/// How long compiling rests after it was stopped the first time; then twice as long, and so on.
const PAUSE: Duration = Duration::from_mins(1);
/// After this many times it is not the machine.
const TRIES: u32 = 6;

/// What was refused, by the digest of its bytes.
#[derive(Debug, Default)]
pub(super) struct Refusals(HashMap<Digest, Refusal>);

#[derive(Debug)]
struct Refusal {
    why: Unloaded,
    tries: u32,
    /// `None`: for good.
    until: Option<Instant>,
}

impl Refusals {
    /// Why these bytes are not tried now.
    pub(super) fn of(&self, digest: Digest, now: Instant) -> Option<Unloaded> {
        let refusal = self.0.get(&digest)?;
        refusal.until.is_none_or(|until| now < until).then(|| refusal.why.clone())
    }

    /// Remembers that these bytes did not become a component, if that says anything about them.
    pub(super) fn add(&mut self, digest: Digest, error: &LoadError, why: &Unloaded, now: Instant) {
        let is_passing = match error {
            LoadError::NotCompiled(_) => true,
            LoadError::Invalid(_)
            | LoadError::ForeignImport { .. }
            | LoadError::WorldVersion { .. }
            | LoadError::NotAPlugin { .. } => false,
            LoadError::Engine(_)
            | LoadError::Ticker(_)
            | LoadError::TooLarge { .. }
            | LoadError::DigestMismatch { .. } => return,
        };
        let tries = self.0.get(&digest).map_or(0, |refusal| refusal.tries) + 1;
        let until = (is_passing && tries < TRIES).then(|| now + PAUSE * 2_u32.pow(tries - 1));
        self.0.insert(digest, Refusal { why: why.clone(), tries, until });
    }
}

#[cfg(test)]
mod tests {
    use gantry_host::{CompileError, Reason};

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn timeout() -> LoadError {
        CompileError::Timeout { limit: MINUTE }.into()
    }

    fn why() -> Unloaded {
        Unloaded::new(Reason::Deadline, "too long".into())
    }

    #[test]
    fn compiling_that_was_stopped_is_tried_again_ever_less_often_and_then_no_more() {
        let (mut refusals, digest) = (Refusals::default(), Digest::of(b"slow"));
        let mut now = Instant::now();
        for minutes in [1_u32, 2, 4, 8, 16] {
            refusals.add(digest, &timeout(), &why(), now);
            assert!(refusals.of(digest, now + MINUTE * (minutes - 1) + MINUTE / 2).is_some(), "{minutes}");
            now += MINUTE * minutes;
            assert!(refusals.of(digest, now).is_none(), "{minutes}");
        }
        refusals.add(digest, &timeout(), &why(), now);
        assert!(refusals.of(digest, now + MINUTE * 10_000).is_some());
    }

    #[test]
    fn what_lies_in_the_bytes_is_decided_at_once_and_what_does_not_is_not_remembered() {
        let (mut refusals, now) = (Refusals::default(), Instant::now());
        let [invalid, large] = [Digest::of(b"invalid"), Digest::of(b"large")];
        refusals.add(invalid, &LoadError::Invalid("no component".into()), &why(), now);
        refusals.add(large, &LoadError::TooLarge { size: 2, limit: 1 }, &why(), now);
        assert!(refusals.of(invalid, now + MINUTE * 10_000).is_some());
        assert!(refusals.of(large, now).is_none());
    }
}
