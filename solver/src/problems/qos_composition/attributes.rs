//! From price, time, reliability and availability to the terms of a composition.
//!
//! Promises: each attribute of a whole composition is a sum over its replicas; terms are at least 0, and those of one
//! composition add up to at most the sum of the weights. Must not know: edges.
//!
//! \[P\] Price and time of a sequence are sums, reliability and availability products. \[I\] A product becomes the sum of
//! `-ln`, so that all four are normalised alike: `attr' = (max - attr) / (max - min)`, with the extremes of every
//! service added up.

use super::Bound;

/// What one replica offers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replica {
    /// Price of a call, at least 0.
    pub price: f64,
    /// Time of a call, at least 0.
    pub time: f64,
    /// Chance that a call succeeds, above 0 to 1.
    pub reliability: f64,
    /// Chance that the replica is there, above 0 to 1.
    pub availability: f64,
}

/// One of the four attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// [`Replica::price`].
    Price,
    /// [`Replica::time`].
    Time,
    /// [`Replica::reliability`].
    Reliability,
    /// [`Replica::availability`].
    Availability,
}

impl Attribute {
    /// All of them, in the order of the source's weights `w1` to `w4`.
    pub const ALL: [Self; 4] = [Self::Price, Self::Time, Self::Reliability, Self::Availability];

    /// The attribute as what adds up and is better the smaller: `p`, `t`, `-ln r`, `-ln a`.
    #[must_use]
    pub fn amount(self, replica: &Replica) -> f64 {
        match self {
            Self::Price => replica.price,
            Self::Time => replica.time,
            Self::Reliability => loss(replica.reliability),
            Self::Availability => loss(replica.availability),
        }
    }

    /// A hard limit on a whole composition: price and time at most `limit`, reliability and availability at least.
    #[must_use]
    pub fn bound(self, services: &[Vec<Replica>], limit: f64) -> Bound {
        let limit = match self {
            Self::Price | Self::Time => limit,
            Self::Reliability | Self::Availability => loss(limit),
        };
        Bound { amounts: self.amounts(services), limit }
    }

    fn amounts(self, services: &[Vec<Replica>]) -> Vec<Vec<f64>> {
        services.iter().map(|replicas| replicas.iter().map(|replica| self.amount(replica)).collect()).collect()
    }
}

/// `-ln p`, and 0 for certainty where its negative would be.
fn loss(chance: f64) -> f64 {
    0.0 - chance.ln()
}

/// The terms `v_k(j)` of [`QosComposition::new`](super::QosComposition::new), with weights `w1` to `w4`. An attribute in
/// which all replicas are equal counts nothing. Attributes out of range become terms that are refused there.
#[must_use]
pub fn quality(services: &[Vec<Replica>], weights: [f64; 4]) -> Vec<Vec<f64>> {
    let mut quality: Vec<Vec<f64>> = services.iter().map(|replicas| vec![0.0; replicas.len()]).collect();
    for (attribute, weight) in Attribute::ALL.into_iter().zip(weights) {
        let amounts = attribute.amounts(services);
        let largest: Vec<f64> =
            amounts.iter().map(|amounts| amounts.iter().copied().fold(f64::NEG_INFINITY, f64::max)).collect();
        let least = amounts.iter().map(|amounts| amounts.iter().copied().fold(f64::INFINITY, f64::min));
        let width: f64 = largest.iter().zip(least).map(|(largest, least)| largest - least).sum();
        if width == 0.0 {
            continue;
        }
        for ((terms, amounts), largest) in quality.iter_mut().zip(&amounts).zip(largest) {
            terms.iter_mut().zip(amounts).for_each(|(term, amount)| *term += weight * (largest - amount) / width);
        }
    }
    quality
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(price: f64, reliability: f64) -> Replica {
        Replica { price, time: 1.0, reliability, availability: 0.9 }
    }

    #[test]
    fn the_best_replicas_add_up_to_the_weights_and_the_worst_to_nothing() {
        let services = [vec![replica(1.0, 0.99), replica(3.0, 0.9)], vec![replica(2.0, 0.5), replica(1.0, 1.0)]];
        let quality = quality(&services, [0.25; 4]);
        assert!((quality[0][0] + quality[1][1] - 0.5).abs() < 1e-12, "two attributes differ: {quality:?}");
        assert_eq!(quality[0][1] + quality[1][0], 0.0);
        // Price 3 against 1 is two thirds of the whole width of 3.
        assert!(
            (quality[0][0] - 0.25 * (2.0 / 3.0) - 0.25 * (0.99_f64 / 0.9).ln() / (1.1_f64 * 2.0).ln()).abs() < 1e-12
        );
    }

    #[test]
    fn a_bound_on_a_product_bounds_the_sum_of_logarithms() {
        let services = [vec![replica(1.0, 0.9)], vec![replica(1.0, 0.8)]];
        let bound = Attribute::Reliability.bound(&services, 0.72);
        assert!((bound.amounts[0][0] + bound.amounts[1][0] - bound.limit).abs() < 1e-12);
        assert_eq!(Attribute::Price.bound(&services, 7.0).limit, 7.0);
    }
}
