//! The baseline: nothing changes.
//!
//! Promises: needs one value. Must not know: the other models.

use super::{HORIZONS, ModelKind, PointForecast};

/// The last value, at every horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastValue;

impl PointForecast for LastValue {
    const KIND: ModelKind = ModelKind::Naive;
    const LAGS: usize = 1;
    const LEARNS: bool = false;

    fn fit(_: &[f32]) -> Option<Self> {
        Some(Self)
    }

    fn point(&self, window: &[f32]) -> [f32; HORIZONS] {
        window.last().map_or([0.0; HORIZONS], |last| [*last; HORIZONS])
    }
}
