//! Adam, with a bound on the gradient's norm.
//!
//! Kingma, Ba 2015, arXiv:1412.6980; the bound is of Pascanu et al. 2013, arXiv:1211.5063.
//!
//! Promises: steps as PyTorch's `clip_grad_norm_` and `Adam` take them. Must not know: what the weights mean.

/// Decay of the mean of gradients.
const FIRST: f32 = 0.9;
/// Decay of the mean of squared gradients.
const SECOND: f32 = 0.999;
/// Keeps steps finite where gradients vanish.
const EPSILON: f32 = 1e-8;

/// The optimiser's memory.
#[derive(Clone, Debug)]
pub struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

impl Adam {
    /// For so many weights.
    #[must_use]
    pub fn new(weights: usize) -> Self {
        Self { first: vec![0.0; weights], second: vec![0.0; weights], steps: 0 }
    }

    /// One step against a gradient of as many weights.
    pub fn step(&mut self, weights: &mut [f32], gradient: &[f32], rate: f32) {
        self.steps += 1;
        let rate = rate / (1.0 - FIRST.powi(self.steps));
        let correction = 1.0 / (1.0 - SECOND.powi(self.steps)).sqrt();
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((weight, gradient), (first, second)) in weights.iter_mut().zip(gradient).zip(moments) {
            *first += (1.0 - FIRST) * (gradient - *first);
            *second = SECOND * *second + (1.0 - SECOND) * gradient * gradient;
            *weight -= rate * *first / (second.sqrt() * correction + EPSILON);
        }
    }
}

/// Scales a gradient down to a norm, if it is longer; gives the norm it had.
pub fn clip(gradient: &mut [f32], bound: f32) -> f32 {
    let norm = gradient.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt() as f32;
    let scale = bound / (norm + 1e-6);
    if scale < 1.0 {
        for value in gradient {
            *value *= scale;
        }
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_the_rate_whatever_the_gradient() {
        let mut weights = [1.0, 1.0];
        Adam::new(2).step(&mut weights, &[1e-3, -40.0], 0.1);
        assert!((weights[0] - 0.9).abs() < 1e-4 && (weights[1] - 1.1).abs() < 1e-4, "{weights:?}");
    }

    #[test]
    fn a_long_gradient_is_clipped_and_a_short_one_is_not() {
        let (mut long, mut short) = ([3.0, 4.0], [0.3, 0.4]);
        assert_eq!(clip(&mut long, 1.0), 5.0);
        assert!((long[0] - 0.6).abs() < 1e-5 && (long[1] - 0.8).abs() < 1e-5);
        clip(&mut short, 1.0);
        assert_eq!(short, [0.3, 0.4]);
    }
}
