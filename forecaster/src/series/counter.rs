//! From counters to rates.
//!
//! Promises: a counter that starts again gives no rate for the interval in which it did: how far it had come is not
//! known. Must not know: grids.

use super::Sample;

/// Rates per second between neighbouring samples of a counter, in order of time, each at the later sample's time; and
/// how many intervals were dropped because the counter fell. Samples that are no number, or of the same time, count as
/// missing.
#[must_use]
pub fn rates(counter: &[Sample]) -> (Vec<Sample>, usize) {
    let known: Vec<&Sample> = counter.iter().filter(|sample| sample.value.is_finite()).collect();
    let mut resets = 0;
    let rates = known.windows(2).filter(|pair| pair[1].at > pair[0].at).filter_map(|pair| {
        let increase = pair[1].value - pair[0].value;
        resets += usize::from(increase < 0.0);
        let value = increase / (pair[1].at - pair[0].at) as f64;
        (increase >= 0.0).then_some(Sample { at: pair[1].at, value })
    });
    (rates.collect(), resets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_gives_no_rate_for_its_interval() {
        let values = [(0, 10.0), (30, 40.0), (60, 5.0), (90, f64::NAN), (120, 65.0), (120, 66.0)];
        let counter: Vec<Sample> = values.iter().map(|&(at, value)| Sample { at, value }).collect();
        let expected = [Sample { at: 30, value: 1.0 }, Sample { at: 120, value: 1.0 }];
        assert_eq!(rates(&counter), (expected.to_vec(), 1));
        assert_eq!(rates(&[]), (Vec::new(), 0));
    }
}
