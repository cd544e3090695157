//! What the series of a query have in common, by model.
//!
//! Promises: as many figures as queries and models, however many nodes there are. Must not know: metrics.

use super::held::Held;
use crate::ModelKind;
use crate::config::valid::Query;
use crate::snapshot::{ErrorFigures, Kind};

/// The figures of one model over all series of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Whose usage.
    pub kind: Kind,
    /// The Kubernetes name of the resource.
    pub resource: String,
    /// The model.
    pub model: ModelKind,
    /// Series that it is served for.
    pub selected: usize,
    /// Means over the series that have figures.
    pub error: ErrorFigures,
}

pub(super) fn figures<'a>(query: &Query, held: impl Iterator<Item = &'a Held>) -> Vec<Figure> {
    let held: Vec<&Held> = held.collect();
    let figure = |model: ModelKind| {
        let is_served = |held: &&&Held| held.served.as_ref().is_some_and(|served| served.model == model.name());
        let errors: Vec<ErrorFigures> = held.iter().map(|held| held.error(model)).collect();
        Figure {
            kind: query.kind,
            resource: query.resource.clone(),
            model,
            selected: held.iter().filter(is_served).count(),
            error: ErrorFigures {
                mae: mean(&errors, |error| error.mae),
                mase: mean(&errors, |error| error.mase),
                pinball90: mean(&errors, |error| error.pinball90),
                coverage90: mean(&errors, |error| error.coverage90),
            },
        }
    };
    ModelKind::ALL.into_iter().map(figure).collect()
}

fn mean(errors: &[ErrorFigures], figure: impl Fn(&ErrorFigures) -> Option<f32>) -> Option<f32> {
    let (sum, count) =
        errors.iter().filter_map(figure).fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f32)
}
