//! Looks at the file while a change to it waits for others' answers.
//!
//! Promises that half a file is no reason to give up: two looks must agree, as at any
//! other time. Time is an argument.

use std::fs;
use std::path::Path;
use std::time::Instant;

use gantry_host::Digest;

use super::POLL;

/// Whether the file still holds what is being tried.
#[derive(Debug)]
pub(super) struct Vigil<'a> {
    file: &'a Path,
    tried: Option<Digest>,
    /// What the last look saw, and when.
    looked: Option<Digest>,
    at: Instant,
}

impl<'a> Vigil<'a> {
    /// Over `file`, from which `tried` is being tried, and which held `looked` just now. `None`: it could not be read.
    pub(super) fn new(file: &'a Path, tried: Option<Digest>, looked: Option<Digest>, now: Instant) -> Self {
        Self { file, tried, looked, at: now }
    }

    /// Looks if it is time to. False once two looks agree on something else.
    pub(super) fn holds(&mut self, now: Instant) -> bool {
        if now < self.at + POLL {
            return true;
        }
        self.at = now;
        let digest = fs::read(self.file).ok().map(|text| Digest::of(&text));
        let is_settled = std::mem::replace(&mut self.looked, digest) == digest;
        !is_settled || digest == self.tried
    }

    /// What the last look saw.
    pub(super) fn looked(&self) -> Option<Digest> {
        self.looked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_tried_until_two_looks_agree_on_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gantry.yaml");
        let write = |text: &str| fs::write(&file, text).unwrap();
        let (tried, start) = (Some(Digest::of(b"one")), Instant::now());
        write("one");
        let mut vigil = Vigil::new(&file, tried, tried, start);
        let mut holds = |looks: u32| vigil.holds(start + POLL * looks);
        assert!(holds(1));
        write("two");
        assert!(holds(1) && holds(2), "no look is due, then somebody may still be writing");
        write("one");
        assert!(holds(3) && holds(4), "it was nothing");
        write("two");
        assert!(holds(5));
        write("three");
        assert!(holds(6) && !holds(7));
        assert_eq!(vigil.looked(), Some(Digest::of(b"three")));
    }

    #[test]
    fn a_file_that_is_gone_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let (tried, start) = (Some(Digest::of(b"one")), Instant::now());
        let file = folder.path().join("gantry.yaml");
        let mut vigil = Vigil::new(&file, tried, tried, start);
        assert_eq!([1, 2].map(|looks| vigil.holds(start + POLL * looks)), [true, false]);
    }
}
