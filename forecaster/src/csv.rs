//! Series from CSV files, for work without a Prometheus.
//!
//! Two layouts, told apart by the header: `timestamp,value`, where the file's name is the series (as the Numenta Anomaly
//! Benchmark has it), and `timestamp,series,resource,value`. A timestamp is Unix seconds or `YYYY-MM-DD HH:MM:SS` in UTC
//! (a `T` for the blank and a final `Z` are allowed). An empty value, `NaN` and `±Inf` are read as what they say and
//! dropped by the grid.
//!
//! Promises: an error names the file, the line and the value. Must not know: grids, models.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::{Sample, SeriesName, TimeSeries};

/// The resource of a file that names none and whose own name tells none.
const UNKNOWN_RESOURCE: &str = "value";

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsvError {
    /// The file or folder cannot be opened.
    #[error("cannot read {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The first line is none of the two headers.
    #[error("{path}:1: header {found:?} is neither timestamp,value nor timestamp,series,resource,value")]
    Header {
        /// The file.
        path: PathBuf,
        /// The line.
        found: String,
    },
    /// A line has too many or too few fields.
    #[error("{path}:{line}: {found} fields, not {expected}")]
    Fields {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Fields found.
        found: usize,
        /// Fields of the header.
        expected: usize,
    },
    /// A field is not what its column holds.
    #[error("{path}:{line}: {column} {value:?} is no {expected}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The column.
        column: &'static str,
        /// The field.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The folder holds no CSV file.
    #[error("no .csv file in {path}")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

/// Samples of each series, in the order of names.
pub type SamplesByName = BTreeMap<SeriesName, Vec<Sample>>;

/// Every series of a CSV file, or of all `.csv` files of a folder.
///
/// # Errors
/// If something cannot be read, or a file is not in one of the two layouts.
pub fn read(path: &Path) -> Result<SamplesByName, CsvError> {
    let mut series = SamplesByName::new();
    for file in files(path)? {
        let text = fs::read_to_string(&file).map_err(|source| CsvError::Read { path: file.clone(), source })?;
        parse(&file, &text, &mut series)?;
    }
    Ok(series)
}

/// The grids of all series, each with the step that its samples have: the median distance in whole minutes, rounded up,
/// at least one. `capacity` gives the greatest possible value of a series, infinite if it is not known.
#[must_use]
pub fn series(samples: &SamplesByName, capacity: impl Fn(&SeriesName) -> f64) -> Vec<TimeSeries> {
    let grid = |(name, samples): (&SeriesName, &Vec<Sample>)| {
        let until = samples.iter().map(|sample| sample.at).max().unwrap_or(0);
        TimeSeries::resample(name.clone(), samples, step(samples), capacity(name), until).0
    };
    samples.iter().map(grid).collect()
}

/// The median distance of samples in whole minutes, in seconds.
fn step(samples: &[Sample]) -> u32 {
    let mut times: Vec<i64> = samples.iter().map(|sample| sample.at).collect();
    times.sort_unstable();
    let mut distances: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    distances.sort_unstable();
    let median = distances.get(distances.len() / 2).copied().unwrap_or(0);
    (60 * median.unsigned_abs().div_ceil(60)).clamp(60, 86_400) as u32
}

fn files(path: &Path) -> Result<Vec<PathBuf>, CsvError> {
    let failed = |source| CsvError::Read { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let is_csv = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "csv");
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(is_csv).collect();
    files.sort();
    if files.is_empty() {
        return Err(CsvError::Empty { path: path.to_owned() });
    }
    Ok(files)
}

/// Adds the series of one file's text.
fn parse(path: &Path, text: &str, series: &mut SamplesByName) -> Result<(), CsvError> {
    let header = text.lines().next().unwrap_or_default().trim_start_matches('\u{feff}').trim();
    let general = match header {
        "timestamp,value" => false,
        "timestamp,series,resource,value" => true,
        _ => return Err(CsvError::Header { path: path.to_owned(), found: header.to_owned() }),
    };
    let (expected, own) = (if general { 4 } else { 2 }, name_of(path));
    for (line, text) in (1..).zip(text.lines()).skip(1).filter(|(_, text)| !text.trim().is_empty()) {
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        if fields.len() != expected {
            return Err(CsvError::Fields { path: path.to_owned(), line, found: fields.len(), expected });
        }
        let wrong = |column, value: &str, expected| CsvError::Value {
            path: path.to_owned(),
            line,
            column,
            value: value.to_owned(),
            expected,
        };
        let (first, last) = (fields[0], fields[expected - 1]);
        let at = timestamp(first)
            .ok_or_else(|| wrong("timestamp", first, "Unix time in seconds or date like 2026-01-31 23:59:00"))?;
        let value = if last.is_empty() { Ok(f64::NAN) } else { last.parse() };
        let value = value.map_err(|_| wrong("value", last, "number"))?;
        let name = if general { SeriesName::new(fields[1], fields[2]) } else { own.clone() };
        series.entry(name).or_default().push(Sample { at, value });
    }
    Ok(())
}

/// The series that a file's name stands for.
fn name_of(path: &Path) -> SeriesName {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let known =
        [("cpu", "cpu"), ("mem", "memory"), ("disk", "disk_io"), ("network", "network"), ("request", "requests")];
    let resource =
        known.iter().find(|(word, _)| stem.contains(word)).map_or(UNKNOWN_RESOURCE, |(_, resource)| resource);
    SeriesName::new(stem, resource)
}

/// Unix seconds from a number or a date in UTC.
fn timestamp(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds);
    }
    let text = text.trim_end_matches('Z');
    let (date, time) = text.split_once([' ', 'T'])?;
    let (date, time) = (numbers(date, '-')?, numbers(time, ':')?);
    let plausible = (1..=12).contains(&date[1])
        && (1..=31).contains(&date[2])
        && (0..24).contains(&time[0])
        && (0..60).contains(&time[1])
        && (0..=60).contains(&time[2]);
    plausible.then(|| ((days(date) * 24 + time[0]) * 60 + time[1]) * 60 + time[2])
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let parts = text.split(separator).map(|part| part.parse::<u32>().ok().map(i64::from));
    parts.collect::<Option<Vec<i64>>>()?.try_into().ok()
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, by counting years from March, so that the leap day is last.
fn days([year, month, day]: [i64; 3]) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // From 0000-03-01 to 1970-01-01 there are 719 468 days.
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<SamplesByName, CsvError> {
        let mut series = SamplesByName::new();
        parse(Path::new("some/ec2_cpu_1.csv"), text, &mut series).map(|()| series)
    }

    #[test]
    fn a_file_of_the_benchmark_is_one_series_named_after_it() {
        let series = parsed("timestamp,value\n2014-02-14 14:30:00,0.132\n2014-02-14T14:35:00Z,\n").unwrap();
        let samples = &series[&SeriesName::new("ec2_cpu_1", "cpu")];
        assert_eq!((samples[0].at, samples[0].value), (1_392_388_200, 0.132));
        assert!(samples[1].at == 1_392_388_500 && samples[1].value.is_nan());
    }

    #[test]
    fn a_general_file_holds_many_series() {
        let series = parsed("timestamp,series,resource,value\n60,a,cpu,1\n60,a,memory,2\n120,b,cpu,NaN\n").unwrap();
        let names: Vec<String> = series.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["a/cpu", "a/memory", "b/cpu"]);
    }

    #[test]
    fn an_error_names_the_file_the_line_and_the_value() {
        let message = |text| parsed(text).unwrap_err().to_string();
        assert_eq!(message("timestamp,value\n60,1\n\n90,many\n"), "some/ec2_cpu_1.csv:4: value \"many\" is no number");
        assert!(message("timestamp,value\n2014-13-01 00:00:00,1\n").contains(":2: timestamp \"2014-13-01 00:00:00\""));
        assert_eq!(message("timestamp,value\n60\n"), "some/ec2_cpu_1.csv:2: 1 fields, not 2");
        assert!(message("a;b\n").contains(":1: header \"a;b\""));
    }

    #[test]
    fn a_folder_without_files_and_a_missing_one_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(CsvError::Empty { .. })));
        assert!(matches!(read(&folder.path().join("missing")), Err(CsvError::Read { .. })));
        fs::write(folder.path().join("b.csv"), "timestamp,value\n60,1\n").unwrap();
        assert_eq!(read(folder.path()).unwrap().len(), 1);
    }

    #[test]
    fn the_step_is_the_samples_own_but_at_least_a_minute() {
        let grid = |distance: i64| {
            let samples = (0..50).map(|k| Sample { at: k * distance, value: 1.0 }).collect();
            series(&SamplesByName::from([(SeriesName::new("a", "cpu"), samples)]), |_| 100.0).remove(0)
        };
        assert_eq!([30, 60, 90, 300].map(|distance| grid(distance).history().step()), [60, 60, 120, 300]);
        assert_eq!((grid(300).len(), grid(300).capacity()), (50, 100.0));
    }

    #[test]
    fn days_are_counted_through_leap_years() {
        assert_eq!(
            [days([1970, 1, 1]), days([2000, 2, 29]), days([2000, 3, 1]), days([2026, 12, 31])],
            [0, 11_016, 11_017, 20_818]
        );
    }
}
