//! The baseline of the careful: it may be as bad again as it was lately.
//!
//! Promises: needs one value, looks at ten if there are as many. Must not know: the other models.

use super::{HORIZONS, ModelKind, PointForecast};

/// The maximum of the last [`LAGS`](crate::series::LAGS) values, at every horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak;

impl PointForecast for Peak {
    const KIND: ModelKind = ModelKind::MaxOf10;
    const LAGS: usize = crate::series::LAGS;
    const LEARNS: bool = false;

    fn fit(_: &[f32]) -> Option<Self> {
        Some(Self)
    }

    fn point(&self, window: &[f32]) -> [f32; HORIZONS] {
        [window.iter().copied().fold(0.0, f32::max); HORIZONS]
    }
}
