//! Reading numbers out of Prometheus' text format.

use std::collections::BTreeMap;

/// The sum over all series of `name` that carry every one of `labels`; 0 where there is none.
#[must_use]
pub fn sum_of(text: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    series(text, name, labels).map(|(_, value)| value).sum()
}

/// The sums over all series of `name` by the values of one of their labels.
#[must_use]
pub fn by_label(text: &str, name: &str, key: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for (series, value) in series(text, name, &[]) {
        if let Some(label) = label(series, key) {
            *sums.entry(label.to_owned()).or_default() += value;
        }
    }
    sums
}

/// The quantile `q` (0..=1) of the histogram `name`, interpolated linearly inside its bucket as Prometheus does; `None`
/// without observations. In the unit of the buckets.
#[must_use]
pub fn quantile_of(text: &str, name: &str, labels: &[(&str, &str)], q: f64) -> Option<f64> {
    let mut buckets: Vec<(f64, f64)> = Vec::new();
    for (series, count) in series(text, &format!("{name}_bucket"), labels) {
        let upper = match label(series, "le")? {
            "+Inf" => f64::INFINITY,
            bound => bound.parse().ok()?,
        };
        match buckets.iter_mut().find(|(bound, _)| *bound == upper) {
            Some((_, sum)) => *sum += count,
            None => buckets.push((upper, count)),
        }
    }
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rank = q * buckets.last().filter(|(_, total)| *total > 0.0)?.1;
    let at = buckets.iter().position(|(_, count)| *count >= rank)?;
    let (lower, below) = if at == 0 { (0.0, 0.0) } else { buckets[at - 1] };
    let (upper, count) = buckets[at];
    if upper.is_infinite() || count == below {
        return Some(lower);
    }
    Some(lower + (upper - lower) * (rank - below) / (count - below))
}

/// Each matching series with its value: the series as written, labels and all.
fn series<'a>(text: &'a str, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (&'a str, f64)> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(move |line| {
        let (series, value) = line.rsplit_once(' ')?;
        let own_name = series.split('{').next()?;
        let all = labels.iter().all(|(key, wanted)| label(series, key) == Some(wanted));
        (own_name == name && all).then_some((series, value.parse().ok()?))
    })
}

/// The value of one label; values with an escaped quote are not read, for none of ours has one.
fn label<'a>(series: &'a str, key: &str) -> Option<&'a str> {
    let labels = series.split_once('{')?.1.trim_end_matches('}');
    let mut rest = labels;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, next) = after.split_once('"')?;
        if name.trim_start_matches(',') == key {
            return Some(value);
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE fallback counter\n\
        fallback_total{plugin=\"gantry\",reason=\"trap\"} 3\n\
        fallback_total{plugin=\"gantry\",reason=\"deadline\"} 4\n\
        fallback_total{plugin=\"other\",reason=\"trap\"} 5\n\
        wait_seconds_bucket{le=\"0.1\"} 90\nwait_seconds_bucket{le=\"0.2\"} 100\nwait_seconds_bucket{le=\"+Inf\"} 100\n\
        wait_seconds_sum 7.5\n";

    #[test]
    fn only_series_with_the_labels_are_summed() {
        assert_eq!(sum_of(TEXT, "fallback_total", &[]), 12.0);
        assert_eq!(sum_of(TEXT, "fallback_total", &[("plugin", "gantry")]), 7.0);
        assert_eq!(sum_of(TEXT, "fallback_total", &[("plugin", "gantry"), ("reason", "trap")]), 3.0);
        assert_eq!(sum_of(TEXT, "wait_seconds_sum", &[]), 7.5);
        assert_eq!(sum_of(TEXT, "wait_seconds", &[]), 0.0);
    }

    #[test]
    fn series_are_summed_by_the_values_of_a_label() {
        let sums = by_label(TEXT, "fallback_total", "reason");
        assert_eq!(sums.into_iter().collect::<Vec<_>>(), [("deadline".to_owned(), 4.0), ("trap".to_owned(), 8.0)]);
        assert!(by_label(TEXT, "wait_seconds_sum", "reason").is_empty());
    }

    #[test]
    fn a_quantile_is_interpolated_inside_its_bucket() {
        let q95 = quantile_of(TEXT, "wait_seconds", &[], 0.95).unwrap();
        assert!((q95 - 0.15).abs() < 1e-9, "{q95}");
        assert_eq!(quantile_of(TEXT, "absent", &[], 0.5), None);
    }
}
