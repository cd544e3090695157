//! The profile `paper`: the source's recipe on CSV files, and what the source reports of it.
//!
//! Promises: a network for each subject over all of its resources that share a grid. Must not know: the recipe's numbers.

use std::fmt::{self, Display, Formatter};

use crate::models::paper::{Errors, PaperModel, Recipe, Report};
use crate::models::{ModelError, Observer};
use crate::{History, TimeSeries};

/// Series of one subject on one grid: one network's.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) subject: &'a str,
    pub(super) resources: Vec<History<'a>>,
}

/// Groups series by subject and step. Within one, all begin where the youngest does: their cells close together.
pub(super) fn groups(series: &[TimeSeries]) -> Vec<Group<'_>> {
    let mut groups = std::collections::BTreeMap::<_, Vec<History>>::new();
    for history in series.iter().map(TimeSeries::history) {
        groups.entry((history.name().subject.as_str(), history.step())).or_default().push(history);
    }
    let group = |((subject, _), resources)| Group { subject, resources: aligned(resources) };
    groups.into_iter().map(group).collect()
}

fn aligned(resources: Vec<History<'_>>) -> Vec<History<'_>> {
    let start = |history: &History| history.before(history.cells().len()).data_until();
    let youngest = resources.iter().map(start).max().unwrap_or(0);
    let older = |history: &History| ((youngest - start(history)) / i64::from(history.step())) as usize;
    resources.into_iter().map(|history| history.from(older(&history))).collect()
}

/// What became of one group.
#[derive(Debug)]
pub(super) struct Row {
    subject: String,
    resources: String,
    report: Report,
}

impl Group<'_> {
    /// Trains its network.
    pub(super) fn train(&self, recipe: &Recipe, observer: &mut Observer<'_>) -> Result<(PaperModel, Row), ModelError> {
        let (model, report) = recipe.train(&self.resources, observer)?;
        let resources: Vec<&str> = self.resources.iter().map(|history| history.name().resource.as_str()).collect();
        Ok((model, Row { subject: self.subject.to_owned(), resources: resources.join("+"), report }))
    }
}

/// The errors as a table.
#[derive(Debug)]
pub(super) struct Table<'a>(pub(super) &'a [Row]);

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&Row) -> &str| self.0.iter().map(|row| of(row).len()).max().unwrap_or(0).max(9);
        let (subjects, resources) = (width(|row| &row.subject), width(|row| &row.resources));
        writeln!(f, "the source's recipe; errors of values scaled by the range of the training part")?;
        write!(f, "{:subjects$} {:resources$}", "subject", "resources")?;
        write!(f, " {:>21} {:>21} {:>21}", "training MSE and MAE", "test MSE and MAE", "last value, on test")?;
        for Row { subject, resources: names, report } in self.0 {
            write!(f, "\n{subject:subjects$} {names:resources$}")?;
            for Errors { mse, mae } in [report.training, report.test, report.last_value] {
                write!(f, " {mse:>12.6} {mae:>8.5}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::unobserved;
    use crate::{Sample, SeriesName};

    fn series(subject: &str, resource: &str, step: u32, from: i64, to: i64) -> TimeSeries {
        let value = |at: i64| 50.0 + 30.0 * (at as f64 / 300.0).sin();
        let samples: Vec<Sample> =
            (from..=to).map(|k| k * i64::from(step)).map(|at| Sample { at, value: value(at) }).collect();
        let until = to * i64::from(step);
        TimeSeries::resample(SeriesName::new(subject, resource), &samples, step, 100.0, until).0
    }

    #[test]
    fn resources_of_one_subject_begin_together_and_another_step_stands_alone() {
        let all = [
            series("a", "cpu", 60, 0, 99),
            series("a", "memory", 60, 30, 99),
            series("a", "slow", 300, 0, 50),
            series("b", "cpu", 60, 0, 9),
        ];
        let found: Vec<(&str, Vec<usize>)> = groups(&all)
            .iter()
            .map(|group| (group.subject, group.resources.iter().map(|history| history.cells().len()).collect()))
            .collect();
        assert_eq!(found, [("a", vec![70, 70]), ("a", vec![51]), ("b", vec![10])]);
    }

    #[test]
    fn a_row_tells_the_errors_of_training_test_and_last_value() {
        let all = [series("a", "cpu", 60, 0, 299), series("a", "memory", 60, 0, 299)];
        let recipe = Recipe { hidden: 4, epochs: 1, ..Recipe::default() };
        let (_, row) = groups(&all)[0].train(&recipe, &mut unobserved).unwrap();
        let text = Table(&[row]).to_string();
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("a         cpu+memory") && last.split_whitespace().count() == 8, "{text}");
    }
}
