//! Ridge regression of each horizon's change on the last changes.
//!
//! Hoerl, Kennard 1970, doi:10.2307/1267351.
//!
//! Promises: a closed-form fit, a few milliseconds for a week of minutes. Changes and not levels are regressed, so a
//! level shift costs ten steps and not the rest of the day. Must not know: the other models.

use super::{HORIZONS, ModelKind, PointForecast};
use crate::series::{LAGS, windows};

/// Changes from lag to lag, and a constant.
const TERMS: usize = LAGS;

/// Penalty as a share of the mean square of a term: enough to keep constant series solvable, too little to bias others.
const PENALTY: f64 = 1e-3;

/// Fewest windows for a fit: ten for each coefficient.
const FEWEST_WINDOWS: usize = 10 * TERMS;

/// Coefficients of one series, by horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ridge([[f32; TERMS]; HORIZONS]);

/// The terms of a window, with the constant last.
fn terms(window: &[f32]) -> [f32; TERMS] {
    let mut terms = [1.0; TERMS];
    terms.iter_mut().zip(window.windows(2)).for_each(|(term, pair)| *term = pair[1] - pair[0]);
    terms
}

impl PointForecast for Ridge {
    const KIND: ModelKind = ModelKind::Ridge;
    const LAGS: usize = LAGS;
    const LEARNS: bool = true;

    fn fit(cells: &[f32]) -> Option<Self> {
        let mut gram = [[0.0_f64; TERMS]; TERMS];
        let mut moments = [[0.0_f64; TERMS]; HORIZONS];
        let mut count = 0;
        for k in windows(cells) {
            let terms = terms(&cells[k - LAGS..k]).map(f64::from);
            for (row, a) in gram.iter_mut().zip(terms) {
                row.iter_mut().zip(terms).for_each(|(sum, b)| *sum += a * b);
            }
            for (row, truth) in moments.iter_mut().zip(&cells[k..]) {
                let change = f64::from(truth - cells[k - 1]);
                row.iter_mut().zip(terms).for_each(|(sum, a)| *sum += a * change);
            }
            count += 1;
        }
        if count < FEWEST_WINDOWS {
            return None;
        }
        let factor = cholesky(&penalised(gram))?;
        Some(Self(moments.map(|moment| solve(&factor, moment).map(|x| x as f32))))
    }

    fn point(&self, window: &[f32]) -> [f32; HORIZONS] {
        let (terms, last) = (terms(window), window.last().copied().unwrap_or(0.0));
        self.0.map(|row| last + row.iter().zip(terms).map(|(a, b)| a * b).sum::<f32>())
    }
}

fn penalised(mut gram: [[f64; TERMS]; TERMS]) -> [[f64; TERMS]; TERMS] {
    let mean = (0..TERMS).map(|k| gram[k][k]).sum::<f64>() / TERMS as f64;
    (0..TERMS).for_each(|k| gram[k][k] += PENALTY * mean);
    gram
}

/// The lower factor of a symmetric positive definite matrix; none if it is not.
fn cholesky(a: &[[f64; TERMS]; TERMS]) -> Option<[[f64; TERMS]; TERMS]> {
    let mut factor = [[0.0; TERMS]; TERMS];
    for i in 0..TERMS {
        for j in 0..=i {
            let rest = a[i][j] - (0..j).map(|k| factor[i][k] * factor[j][k]).sum::<f64>();
            factor[i][j] = if i == j { rest.sqrt() } else { rest / factor[j][j] };
        }
        // A pivot that is no number fails the comparison too.
        (factor[i][i] > 0.0).then_some(())?;
    }
    Some(factor)
}

fn solve(factor: &[[f64; TERMS]; TERMS], mut x: [f64; TERMS]) -> [f64; TERMS] {
    for i in 0..TERMS {
        x[i] = (x[i] - (0..i).map(|k| factor[i][k] * x[k]).sum::<f64>()) / factor[i][i];
    }
    for i in (0..TERMS).rev() {
        x[i] = (x[i] - (i + 1..TERMS).map(|k| factor[k][i] * x[k]).sum::<f64>()) / factor[i][i];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oscillation_of_few_lags_is_continued() {
        let cells: Vec<f32> = (0..400).map(|k| 50.0 + 20.0 * (k as f32 * 0.7).sin()).collect();
        let ridge = Ridge::fit(&cells[..300]).unwrap();
        for k in 310..390 {
            let point = ridge.point(&cells[k - LAGS..k]);
            for (horizon, forecast) in point.iter().enumerate() {
                assert!((forecast - cells[k + horizon]).abs() < 0.3, "{k} {horizon} {forecast}");
            }
        }
    }

    #[test]
    fn a_constant_series_stays_constant() {
        let ridge = Ridge::fit(&[7.0; 300]).unwrap();
        assert_eq!(ridge.point(&[7.0; LAGS]), [7.0; HORIZONS]);
    }

    #[test]
    fn too_few_windows_give_no_fit() {
        assert_eq!(Ridge::fit(&[7.0; 50]), None);
    }
}
