//! How much too much a placement holds, in numbers that cost no branch.
//!
//! Promises: a violation is 0 exactly where nothing overflows. Must not know: rows, resources, moves.

/// How what a row holds over its limit of a resource changes. Without branches: which case holds is hard to predict.
pub(super) struct Excess {
    pub(super) grows: i64,
    /// 1 if nothing was over, -1 if nothing is any more, else 0.
    pub(super) begins: i64,
}

impl Excess {
    /// When `room` shrinks by `count`.
    #[inline]
    pub(super) fn after(room: i64, count: i64) -> Self {
        // All bits of a negative number's sign are 1.
        let (before, after) = (room >> 63, (room - count) >> 63);
        Self { grows: (room & before) - ((room - count) & after), begins: before - after }
    }
}

/// Exactly 0 if nothing overflows, and above 0 if something does, whatever rounding did to the sum.
#[inline]
pub(super) fn violation(overflow: f64, overfull: u32) -> f64 {
    match overfull {
        0 => 0.0,
        _ if overflow > f64::MIN_POSITIVE => overflow,
        _ => f64::MIN_POSITIVE,
    }
}
