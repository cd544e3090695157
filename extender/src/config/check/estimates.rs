//! The section `estimates`: what pods use of what they ask for.

use gantry_cluster::EstimateSettings;

use super::Checker;
use crate::config::file::EstimatesFile;

/// Above it somebody has mistaken per cent for shares.
const MOST: f64 = 10.0;

impl Checker {
    pub(super) fn estimates(&mut self, file: EstimatesFile, resources: &[String]) -> EstimateSettings {
        let factor = self.factor("estimates.factor", file.factor.unwrap_or(1.0));
        let mut factor_by_resource = file.factors;
        for (resource, factor) in &mut factor_by_resource {
            let key = format!("estimates.factors.{resource}");
            if !resources.contains(resource) {
                self.refuse(&key, *factor, "name one of the section resources: no other takes part in the objective");
            }
            *factor = self.factor(&key, *factor);
        }
        EstimateSettings { factor, factor_by_resource }
    }

    fn factor(&mut self, key: &str, factor: f64) -> f64 {
        if factor > 0.0 && factor <= MOST {
            return factor;
        }
        self.refuse(key, factor, format!("use a number above 0, at most {MOST}; 0.6: six tenths of what is asked for"));
        1.0
    }
}
