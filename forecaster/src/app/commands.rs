//! The commands that end by themselves: check, fetch, train, backtest.
//!
//! Promises: results go to standard output or to files; bars of progress to a terminal only. Must not know: how models
//! work.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};

use super::{paper, runtime};
use crate::args::{ConfigArgs, Profile, TrainingArgs};
use crate::backtest::{self, BacktestConfig, Table};
use crate::config::{self, Place, valid::Query};
use crate::csv::{self, SamplesByName};
use crate::error::RunError;
use crate::models::lstm::{Lstm, LstmConfig};
use crate::models::paper::Recipe;
use crate::models::{Epoch, Model as _};
use crate::pipeline::Subjects;
use crate::plot;
use crate::snapshot::STEP_SECONDS;
use crate::source::{Prometheus, Span};
use crate::{History, TimeSeries, telemetry};

/// A configuration is good if it would run. Where it would run is not known here, so its files are not looked for.
pub(super) fn check_config(file: &Path) -> Result<(), RunError> {
    let config = config::load(file, Place::Elsewhere)?;
    let names: Vec<&str> = config.queries.iter().map(|query| query.name.as_str()).collect();
    print(&format!("the configuration is good: queries: {}", names.join(", ")));
    Ok(())
}

pub(super) fn fetch(flags: &ConfigArgs, out: &Path) -> Result<(), RunError> {
    telemetry::start(flags.log_format);
    let config = config::load(&flags.config, Place::Here)?;
    let runtime = runtime()?;
    let failed = |query: &str| {
        let query = query.to_owned();
        move |source| RunError::Source { query, source }
    };
    let prometheus = Prometheus::new(config.prometheus.clone()).map_err(failed(""))?;
    let mut subjects = Subjects::new(config.nodes.clone());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
    if let Some(join) = subjects.join().cloned() {
        let answer = runtime.block_on(prometheus.instant(&join.query, now)).map_err(failed("nodes.join"))?;
        subjects.learn(&answer);
    }
    let (step, history) = (config.schedule.resolution, config.schedule.history.as_secs() as i64);
    let end = now.div_euclid(60) * 60;
    let bar = bar(config.queries.len() as u64, "queries");
    for query in &config.queries {
        let mut text = String::from("timestamp,series,resource,value\n");
        let mut reading = prometheus.read(&query.promql, Span { start: end - history, end, step });
        while let Some(part) = runtime.block_on(reading.next()).map_err(failed(&query.name))? {
            lines(&mut text, query, &subjects, part.series().map_err(failed(&query.name))?);
        }
        write(&out.join(format!("{}.csv", query.name)), text.as_bytes())?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn lines(text: &mut String, query: &Query, subjects: &Subjects, answer: Vec<crate::source::Labelled>) {
    let (by_subject, _) = subjects.sort(query.kind, answer);
    for (subject, samples) in by_subject {
        let name = subject.series(&query.name);
        for sample in samples {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{},{},{},{}", sample.at, name.subject, name.resource, sample.value);
        }
    }
}

pub(super) fn train(path: &Path, out: &Path, training: &TrainingArgs) -> Result<(), RunError> {
    let series = grids(&csv::read(path)?, training.step);
    if training.profile == Profile::Paper {
        return by_the_paper(&series, training, Some(out));
    }
    let histories: Vec<History> = series.iter().map(TimeSeries::history).collect();
    let config = lstm(training);
    let bar = bar(config.epochs as u64, "epochs");
    let mut lstm = Lstm::new(config);
    lstm.fit(&histories, &mut |epoch| progress(&bar, epoch))?;
    bar.finish_and_clear();
    for (resource, network) in lstm.networks() {
        let path = out.join(format!("weights-{resource}.safetensors"));
        write(&path, &network.to_safetensors().map_err(crate::ModelError::from)?)?;
        print(&format!("{resource}: {}", path.display()));
    }
    Ok(())
}

pub(super) fn backtest(
    path: &Path,
    plots: Option<&Path>,
    history: Duration,
    training: &TrainingArgs,
) -> Result<(), RunError> {
    let series = grids(&csv::read(path)?, training.step);
    if training.profile == Profile::Paper {
        return by_the_paper(&series, training, None);
    }
    let config = BacktestConfig { lstm: lstm(training), history, ..BacktestConfig::default() };
    let epochs = bar(config.lstm.epochs as u64, "epochs");
    let scored = bar(series.len() as u64, "series");
    let result = backtest::run(&series, &config, &mut |epoch| progress(&epochs, epoch), |done, _| {
        scored.set_position(done as u64);
    })?;
    epochs.finish_and_clear();
    scored.finish_and_clear();
    print(&Table(&result).to_string());
    for series in plots.iter().flat_map(|_| &result.series) {
        let folder = plots.unwrap_or(path);
        let name = series.name.to_string();
        let svg = plot::svg(&name, &series.name.resource, &series.bands)?;
        write(&folder.join(format!("{}.svg", file_name(&name))), svg.as_bytes())?;
    }
    Ok(())
}

/// Trains a network for each subject, prints the errors, and writes the weights where there is a folder for them.
fn by_the_paper(series: &[TimeSeries], training: &TrainingArgs, out: Option<&Path>) -> Result<(), RunError> {
    let default = Recipe::default();
    let recipe = Recipe { epochs: training.epochs.map_or(default.epochs, usize::from), seed: training.seed, ..default };
    let groups = paper::groups(series);
    let bar = bar((groups.len() * recipe.epochs) as u64, "epochs");
    let mut rows = Vec::new();
    for group in &groups {
        match group.train(&recipe, &mut |epoch| progress(&bar, epoch)) {
            Ok((model, row)) => {
                rows.push(row);
                let Some(out) = out else { continue };
                let path = out.join(format!("paper-{}.safetensors", file_name(group.subject)));
                write(&path, &model.network().to_safetensors().map_err(crate::ModelError::from)?)?;
                let scale = |(least, range): &(f32, f32)| format!("{least} to {}", least + range);
                let scales: Vec<String> = model.scales().iter().map(scale).collect();
                print(&format!("{}: {}, trained on {}", group.subject, path.display(), scales.join(" and ")));
            }
            // A subject with a short past keeps none of the others from theirs.
            Err(error @ crate::ModelError::NoWindow { .. }) => print(&format!("{}: {error}", group.subject)),
            Err(error) => return Err(error.into()),
        }
    }
    bar.finish_and_clear();
    print(&paper::Table(&rows).to_string());
    Ok(())
}

fn lstm(training: &TrainingArgs) -> LstmConfig {
    let default = LstmConfig::default();
    LstmConfig { epochs: training.epochs.map_or(default.epochs, usize::from), seed: training.seed, ..default }
}

/// A name as one of a file.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
}

/// Every series on its grid; a step of 0 is the most common distance between its samples.
fn grids(samples_by_name: &SamplesByName, step: u32) -> Vec<TimeSeries> {
    let grid = |(name, samples): (&crate::SeriesName, &Vec<crate::Sample>)| {
        let mut times: Vec<i64> = samples.iter().map(|sample| sample.at).collect();
        times.sort_unstable();
        let step = if step == 0 { common_distance(&times) } else { step };
        let until = times.last().copied().unwrap_or(0);
        TimeSeries::resample(name.clone(), samples, step, f64::INFINITY, until).0
    };
    samples_by_name.iter().map(grid).collect()
}

fn common_distance(times: &[i64]) -> u32 {
    let mut distances: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 0).collect();
    distances.sort_unstable();
    let median = distances.get(distances.len() / 2).copied().unwrap_or(0);
    u32::try_from(median).unwrap_or(u32::MAX).max(STEP_SECONDS)
}

fn progress(bar: &ProgressBar, epoch: Epoch) -> ControlFlow<()> {
    bar.inc(1);
    bar.set_message(format!("loss {:.5}", epoch.loss));
    ControlFlow::Continue(())
}

/// A bar on standard error; hidden where that is no terminal.
fn bar(length: u64, unit: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {prefix} {elapsed} {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style).with_prefix(unit.to_owned())
}

fn print(text: &str) {
    // Whoever closed standard output wants the exit code only.
    drop(writeln!(std::io::stdout(), "{text}"));
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    fs::write(path, bytes).map_err(|source| RunError::Write { path: path.to_owned(), source })
}
