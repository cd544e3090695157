//! Floating-point numbers as text that reads back to the same bits.
//!
//! A column is one string of numbers with spaces between: the shortest decimals that mean exactly these numbers. A JSON
//! number would do for people, but not every reader of JSON rounds the last digit rightly.

use std::fmt::Write as _;
use std::ops::Deref;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Numbers; two are equal where their bits are.
#[derive(Clone, Debug, Default)]
pub struct Numbers(Vec<f64>);

impl PartialEq for Numbers {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.iter().zip(other.iter()).all(|(one, two)| one.to_bits() == two.to_bits())
    }
}

impl Deref for Numbers {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.0
    }
}

impl From<&[f64]> for Numbers {
    fn from(numbers: &[f64]) -> Self {
        Self(numbers.to_vec())
    }
}

impl Serialize for Numbers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(4 * self.len());
        for number in self.iter() {
            let space = if text.is_empty() { "" } else { " " };
            write!(text, "{space}{number}").expect("invariant: a String takes everything");
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = |word: &str| word.parse().map_err(|_| D::Error::custom(format!("`{word}` is no number")));
        text.split_ascii_whitespace().map(number).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    fn read(text: &str) -> Result<Numbers, Error> {
        let deserializer: StrDeserializer<'_, Error> = text.into_deserializer();
        Numbers::deserialize(deserializer)
    }

    #[test]
    fn numbers_read_back_to_the_same_bits() {
        for number in [0.0, -0.0, 0.1 + 0.2, 1.0 / 3.0, f64::MIN_POSITIVE, 5e-324, 9_007_199_254_740_992.0, 1e300] {
            assert_eq!(read(&number.to_string()).unwrap(), Numbers(vec![number]), "{number}");
        }
        assert_eq!(read("").unwrap(), Numbers::default());
        assert_ne!(read("0").unwrap(), read("-0").unwrap());
    }

    #[test]
    fn what_is_no_number_is_named() {
        assert!(read("1 two").unwrap_err().to_string().contains("`two`"));
    }
}
