//! How much each resource counts for Gantry: from what was typed to one number a resource.
//!
//! Promises the ranges of a profile's `weights`, so that what was tried here can be written there.

use crate::CliError;

const FLAG: &str = "--weights";
/// As in the configuration.
const MOST: f64 = 1000.0;

/// One weight for each of the resources, 1 where nothing is said: `typed` are pairs such as `cpu=2`.
pub(super) fn parse(typed: &[String], resources: &[String]) -> Result<Vec<f64>, CliError> {
    let mut weights = vec![1.0; resources.len()];
    for pair in typed {
        let refused = |remedy: String| CliError::refused(FLAG, pair, remedy);
        let (name, number) = pair.split_once('=').ok_or_else(|| refused("write RESOURCE=NUMBER, as cpu=2".into()))?;
        let listed = || format!("weigh resources that are listed: {}", resources.join(", "));
        let column = resources.iter().position(|resource| resource == name).ok_or_else(|| refused(listed()))?;
        let number = number.parse().ok().filter(|number| (0.0..=MOST).contains(number));
        weights[column] = number.ok_or_else(|| refused("use a finite number from 0 to 1000".into()))?;
    }
    if weights.iter().all(|weight| *weight == 0.0) {
        return Err(CliError::refused(FLAG, typed.join(","), "give at least one resource a weight above 0"));
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(typed: &[&str]) -> Result<Vec<f64>, String> {
        let strings = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        parse(&strings(typed), &strings(&["cpu", "memory"])).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_named_counts_once() {
        assert_eq!(parsed(&[]).unwrap(), [1.0, 1.0]);
        assert_eq!(parsed(&["memory=0.5"]).unwrap(), [1.0, 0.5]);
        assert_eq!(parsed(&["cpu=0", "memory=1000"]).unwrap(), [0.0, 1000.0]);
    }

    #[test]
    fn whatever_a_profile_refuses_is_refused_with_the_remedy() {
        for (typed, remedy) in [
            ("cpu", "write RESOURCE=NUMBER, as cpu=2"),
            ("gpu=1", "weigh resources that are listed: cpu, memory"),
            ("cpu=-1", "use a finite number from 0 to 1000"),
            ("cpu=NaN", "use a finite number from 0 to 1000"),
            ("cpu=1e9", "use a finite number from 0 to 1000"),
            ("cpu=much", "use a finite number from 0 to 1000"),
        ] {
            assert_eq!(parsed(&[typed]).unwrap_err(), format!("--weights: `{typed}` is refused: {remedy}"));
        }
        let none = parsed(&["cpu=0", "memory=0"]).unwrap_err();
        assert_eq!(none, "--weights: `cpu=0,memory=0` is refused: give at least one resource a weight above 0");
    }
}
