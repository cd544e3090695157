//! The reactive scaler: as many replicas as bring utilisation to a target.
//!
//! Promises: the rule of the horizontal pod autoscaler with its defaults (one look in 15 s, tolerance of a tenth, at
//! most double in one step or four more, five minutes of stabilisation before it shrinks). Must not know: the future.

use std::collections::VecDeque;

/// Utilisation may be this far from the target, relatively, without consequences.
const TOLERANCE: f64 = 0.1;

/// Looks in five minutes, at one in 15 s.
const STABILISATION: usize = 20;

/// Keeps replicas until nobody has wanted them for five minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stabiliser {
    wanted: VecDeque<usize>,
}

impl Stabiliser {
    /// The most that was wanted in the last five minutes, now included.
    pub fn stabilise(&mut self, wanted: usize) -> usize {
        self.wanted.push_back(wanted);
        if self.wanted.len() > STABILISATION {
            self.wanted.pop_front();
        }
        self.wanted.iter().copied().max().unwrap_or(wanted)
    }
}

/// The scaler of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    target: f64,
    least: usize,
    stabiliser: Stabiliser,
}

impl Threshold {
    /// A scaler to a target utilisation, above 0, with at least `least` replicas.
    #[must_use]
    pub fn new(target: f64, least: usize) -> Self {
        Self { target, least, stabiliser: Stabiliser::default() }
    }

    /// How many replicas there should be: `ceil(n·u / target)`, `u` being what all `n` replicas use of their quota; one
    /// that is starting uses nothing and counts.
    pub fn replicas(&mut self, replicas: usize, utilisation: f64) -> usize {
        let ratio = utilisation / self.target;
        let wanted = if (ratio - 1.0).abs() <= TOLERANCE {
            replicas
        } else {
            // Rounded first, so that a sum of sixteen times 0.8 does not ask for a seventeenth.
            ((replicas as f64 * ratio * 1e9).round() / 1e9).ceil() as usize
        };
        let most = (2 * replicas).max(replicas + 4);
        self.stabiliser.stabilise(wanted.clamp(self.least, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_follow_utilisation_up_at_once_and_down_after_five_minutes() {
        let mut scaler = Threshold::new(0.8, 2);
        assert_eq!(scaler.replicas(4, 1.0), 5);
        assert_eq!(scaler.replicas(5, 0.84), 5, "within the tolerance");
        let later: Vec<usize> = (0..25).map(|_| scaler.replicas(5, 0.1)).collect();
        assert_eq!((later[17], later[19]), (5, 2), "{later:?}");
    }

    #[test]
    fn one_step_at_most_doubles() {
        assert_eq!(Threshold::new(0.1, 2).replicas(10, 1.0), 20);
        assert_eq!(Threshold::new(0.1, 2).replicas(2, 1.0), 6);
    }
}
