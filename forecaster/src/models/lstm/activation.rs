//! The cell's non-linear part, in whatever vectors the machine has.
//!
//! Promises: the exponential is within 2 units in the last place for arguments in [−87, 87] and has no branch; outside
//! it saturates. Must not know: weights.
#![allow(clippy::inline_always, reason = "vector instructions are used only where all is one function")]

use pulp::{Simd, WithSimd};

/// Gates of a cell: input, forget, candidate, output.
pub(super) const GATES: usize = 4;

/// The non-linearity of the candidate and of the cell's output; gates are always sigmoid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Hyperbolic tangent, as in the original cell.
    #[default]
    Tanh,
    /// max(0, x), as the source has it.
    Relu,
}

impl Activation {
    /// The name in weights' metadata and configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tanh => "tanh",
            Self::Relu => "relu",
        }
    }

    /// The activation of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Tanh, Self::Relu].into_iter().find(|activation| activation.name() == name)
    }

    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        match self {
            Self::Tanh => tanh(simd, x),
            Self::Relu => simd.max_f32s(x, simd.splat_f32s(0.0)),
        }
    }

    /// The derivative, from the activation's value.
    #[inline]
    pub(super) fn slope(self, value: f32) -> f32 {
        match self {
            Self::Tanh => 1.0 - value * value,
            Self::Relu => f32::from(u8::from(value > 0.0)),
        }
    }
}

/// e^x by 2^n · e^r, n by rounding with a magic addend, e^r by its series up to r^7 / 7! for |r| ≤ ln 2 / 2.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// Beyond it the result would not be a normal number.
    const BOUND: f32 = 87.0;
    /// 1.5 · 2^23: adding it rounds to the nearest integer, which is left in the low bits.
    const ROUND: f32 = 12_582_912.0;
    /// −ln 2 in two parts, of which the first has few bits, so that its multiples are exact.
    const MINUS_LN_2: (f32, f32) = (-0.693_359_4, 2.121_944_4e-4);
    const SERIES: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let splat = |value: f32| simd.splat_f32s(value);
    let x = simd.min_f32s(simd.max_f32s(x, splat(-BOUND)), splat(BOUND));
    let shifted = simd.mul_add_e_f32s(x, splat(std::f32::consts::LOG2_E), splat(ROUND));
    let n = simd.sub_f32s(shifted, splat(ROUND));
    let r = simd.mul_add_e_f32s(n, splat(MINUS_LN_2.0), x);
    let r = simd.mul_add_e_f32s(n, splat(MINUS_LN_2.1), r);
    let mut series = splat(1.0 / 5_040.0);
    for coefficient in SERIES {
        series = simd.mul_add_e_f32s(series, r, splat(coefficient));
    }
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(exponent, simd.transmute_u32s_f32s(series)))
}

#[inline(always)]
fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

#[inline(always)]
fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (one, two) = (simd.splat_f32s(1.0), simd.splat_f32s(2.0));
    let half = simd.div_f32s(two, simd.add_f32s(one, exp(simd, simd.mul_f32s(x, simd.splat_f32s(-2.0)))));
    simd.sub_f32s(half, one)
}

/// A step of as many cells as a vector has lanes.
pub(super) struct Step<V> {
    /// Input, forget, candidate and output gate.
    pub gates: [V; GATES],
    /// The cell state.
    pub cell: V,
    /// The activated cell state.
    pub active: V,
    /// The output.
    pub output: V,
}

/// A step from the gates' pre-activations and the cell state before.
#[inline(always)]
pub(super) fn step<S: Simd>(
    simd: S,
    activation: Activation,
    [input, forget, candidate, output]: [S::f32s; GATES],
    cell: S::f32s,
) -> Step<S::f32s> {
    let (input, forget, gate) = (sigmoid(simd, input), sigmoid(simd, forget), sigmoid(simd, output));
    let candidate = activation.apply(simd, candidate);
    let cell = simd.mul_add_e_f32s(forget, cell, simd.mul_f32s(input, candidate));
    let active = activation.apply(simd, cell);
    Step { gates: [input, forget, candidate, gate], cell, active, output: simd.mul_f32s(gate, active) }
}

/// A step of all rows of a batch, row after row.
pub(super) struct Rows<'a> {
    /// The cell's non-linearity.
    pub activation: Activation,
    /// Width of the layer.
    pub hidden: usize,
    /// Pre-activations i, f, g, o of each row; become the gates.
    pub gates: &'a mut [f32],
    /// The cell states before; become those after.
    pub cells: &'a mut [f32],
    /// Become the activated cell states.
    pub active: &'a mut [f32],
    /// Become the outputs.
    pub outputs: &'a mut [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { activation, hidden, gates, cells, active, outputs } = self;
        let rows = cells.chunks_exact_mut(hidden).zip(active.chunks_exact_mut(hidden));
        let rows = rows.zip(outputs.chunks_exact_mut(hidden)).zip(gates.chunks_exact_mut(GATES * hidden));
        for (((cells, active), outputs), gates) in rows {
            for first in (0..hidden).step_by(S::F32_LANES) {
                let part = |gate: usize| gate * hidden + first..gate * hidden + hidden.min(first + S::F32_LANES);
                let mut before = [simd.splat_f32s(0.0); GATES];
                for gate in 0..GATES {
                    before[gate] = simd.partial_load_f32s(&gates[part(gate)]);
                }
                let after = step(simd, activation, before, simd.partial_load_f32s(&cells[part(0)]));
                for gate in 0..GATES {
                    simd.partial_store_f32s(&mut gates[part(gate)], after.gates[gate]);
                }
                simd.partial_store_f32s(&mut cells[part(0)], after.cell);
                simd.partial_store_f32s(&mut active[part(0)], after.active);
                simd.partial_store_f32s(&mut outputs[part(0)], after.output);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, Scalar};

    use super::*;

    /// A function's value in the first lane of the widest vectors that this machine has.
    fn first_lane(function: Function, x: f32) -> f32 {
        struct Lane(Function, f32);
        impl WithSimd for Lane {
            type Output = f32;
            fn with_simd<S: Simd>(self, simd: S) -> f32 {
                let mut lane = [0.0];
                let x = simd.splat_f32s(self.1);
                let value = match self.0 {
                    Function::Exp => exp(simd, x),
                    Function::Sigmoid => sigmoid(simd, x),
                    Function::Tanh => tanh(simd, x),
                };
                simd.partial_store_f32s(&mut lane, value);
                lane[0]
            }
        }
        Arch::new().dispatch(Lane(function, x))
    }

    #[derive(Clone, Copy)]
    enum Function {
        Exp,
        Sigmoid,
        Tanh,
    }

    #[test]
    fn the_exponential_is_exact_to_two_units_in_the_last_place_in_vectors_and_without() {
        for k in -8_700..=8_700 {
            let x = k as f32 / 100.0;
            let exact = f64::from(x).exp();
            for ours in [first_lane(Function::Exp, x), exp(Scalar, x)] {
                assert!((f64::from(ours) / exact - 1.0).abs() < 2.4e-7, "exp({x}) = {ours}, not {exact}");
            }
        }
    }

    #[test]
    fn sigmoid_and_tanh_saturate_and_are_odd_where_they_should_be() {
        let (sigmoid, tanh) = (|x| first_lane(Function::Sigmoid, x), |x| first_lane(Function::Tanh, x));
        assert_eq!((sigmoid(0.0), tanh(0.0)), (0.5, 0.0));
        assert_eq!((sigmoid(1e9), tanh(1e9), tanh(-1e9)), (1.0, 1.0, -1.0));
        assert!(sigmoid(-1e9) < 1e-37);
        for k in 0..1_000 {
            let x = k as f32 / 100.0;
            assert!((tanh(x) - x.tanh()).abs() < 3e-7 && (tanh(x) + tanh(-x)).abs() < 3e-7, "{x}");
        }
    }

    #[test]
    fn names_are_read_back() {
        assert_eq!(Activation::named("relu"), Some(Activation::Relu));
        assert_eq!(Activation::named("gelu"), None);
    }
}
