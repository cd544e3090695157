//! Kubernetes quantities: parsed exactly, rounded up, bounded.
//!
//! A quantity is a count of billionths held in an `i128`, so sums are exact and are rounded once, at the end, as
//! apimachinery does (`Quantity.Value`, `Quantity.MilliValue`: up). Where apimachinery and this module differ on
//! purpose:
//!
//! - negative quantities are refused (no amount of a resource is negative); `-0` is 0;
//! - every quantity is capped at 2^63 - 1 units, which apimachinery does for binary suffixes only;
//! - an amount leaves this module capped at [`LARGEST_AMOUNT`], the last whole number an `f64` holds exactly;
//! - digits past the twentieth significant one are rounded up.
//!
//! Whatever is smaller than a billionth counts as a billionth: who asks for something gets something.

use std::ops::{Add, AddAssign};

use thiserror::Error;

/// The largest amount in a column: 2^53. Every whole number up to it is exact in an `f64`.
pub const LARGEST_AMOUNT: f64 = 9_007_199_254_740_992.0;

/// Billionths in a unit.
const NANO: i128 = 1_000_000_000;

/// The cap of apimachinery (`maxAllowed`), in billionths: 2^63 - 1 units.
const LARGEST: i128 = (i64::MAX as i128) * NANO;

/// Significant digits kept. 10^20 * 2^60 (the largest suffix, `Ei`) still fits an `i128`.
const DIGITS: usize = 20;

/// A non-negative amount of a resource, exact to a billionth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i128);

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// Nothing but an empty text.
    #[error("quantity is empty")]
    Empty,
    /// The text does not begin with a decimal number.
    #[error("quantity \"{0}\" is not a number")]
    NotANumber(String),
    /// The number is followed by something that is neither a suffix nor an exponent.
    #[error(
        "quantity \"{0}\" has an unknown suffix; allowed: n u m k M G T P E, Ki Mi Gi Ti Pi Ei, an exponent like e3"
    )]
    Suffix(String),
    /// Less than nothing.
    #[error("quantity \"{0}\" is negative")]
    Negative(String),
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// One unit.
    pub const ONE: Self = Self(NANO);

    /// Reads a quantity as the API writes it: a decimal number with a suffix or an exponent.
    ///
    /// # Errors
    /// See [`QuantityError`]. The text is cut at 64 characters there.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Empty);
        }
        let (negative, unsigned) = match text.as_bytes()[0] {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (number, suffix) = split_number(unsigned);
        let decimal = Decimal::read(number).ok_or_else(|| QuantityError::NotANumber(cut(text)))?;
        let scale = Scale::read(suffix).ok_or_else(|| QuantityError::Suffix(cut(text)))?;
        let nanos = decimal.scaled(scale);
        if negative && nanos > 0 {
            return Err(QuantityError::Negative(cut(text)));
        }
        Ok(Self(nanos))
    }

    /// Whole units, rounded up, at most [`LARGEST_AMOUNT`].
    #[must_use]
    pub fn units(self) -> f64 {
        amount(self.0, NANO)
    }

    /// Thousandths, rounded up, at most [`LARGEST_AMOUNT`]: millicores for cpu.
    #[must_use]
    pub fn thousandths(self) -> f64 {
        amount(self.0, NANO / 1000)
    }
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self((self.0 + other.0).min(LARGEST))
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// `nanos / unit`, rounded up and capped.
fn amount(nanos: i128, unit: i128) -> f64 {
    (ceil_div(nanos, unit) as f64).min(LARGEST_AMOUNT)
}

fn ceil_div(value: i128, divisor: i128) -> i128 {
    value / divisor + i128::from(value % divisor != 0)
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Splits behind the last character of a leading decimal number.
fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

/// `mantissa * 10^exponent`, rounded up to [`DIGITS`] significant digits.
struct Decimal {
    mantissa: i128,
    exponent: i64,
}

impl Decimal {
    /// Reads `digits`, `digits.digits`, `digits.` or `.digits`; `None` for anything else.
    fn read(number: &str) -> Option<Self> {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let mut read = Self { mantissa: 0, exponent: -(fraction.len() as i64) };
        let mut kept = 0;
        let mut lost = false;
        for digit in whole.bytes().chain(fraction.bytes()).map(|b| i128::from(b - b'0')) {
            if kept == DIGITS {
                read.exponent += 1;
                lost |= digit != 0;
            } else {
                read.mantissa = read.mantissa * 10 + digit;
                kept += usize::from(read.mantissa != 0);
            }
        }
        read.mantissa += i128::from(lost);
        Some(read)
    }

    /// The number in billionths, rounded up and capped.
    fn scaled(&self, scale: Scale) -> i128 {
        if self.mantissa == 0 {
            return 0;
        }
        let binary = self.mantissa << scale.binary;
        let exponent = self.exponent.saturating_add(scale.decimal).saturating_add(9);
        let power = u32::try_from(exponent.unsigned_abs()).ok().and_then(|e| 10_i128.checked_pow(e));
        let nanos = match power {
            Some(power) if exponent < 0 => ceil_div(binary, power),
            Some(power) => binary.saturating_mul(power),
            None if exponent < 0 => 1,
            None => LARGEST,
        };
        nanos.min(LARGEST)
    }
}

/// What a suffix multiplies by: `10^decimal * 2^binary`.
#[derive(Clone, Copy)]
struct Scale {
    decimal: i64,
    binary: u32,
}

impl Scale {
    fn read(suffix: &str) -> Option<Self> {
        let decimal = |decimal| Some(Self { decimal, binary: 0 });
        let binary = |binary| Some(Self { decimal: 0, binary });
        match suffix {
            "n" => decimal(-9),
            "u" => decimal(-6),
            "m" => decimal(-3),
            "" => decimal(0),
            "k" => decimal(3),
            "M" => decimal(6),
            "G" => decimal(9),
            "T" => decimal(12),
            "P" => decimal(15),
            "E" => decimal(18),
            "Ki" => binary(10),
            "Mi" => binary(20),
            "Gi" => binary(30),
            "Ti" => binary(40),
            "Pi" => binary(50),
            "Ei" => binary(60),
            exponent => decimal(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
        }
    }
}

#[cfg(test)]
mod tests;
