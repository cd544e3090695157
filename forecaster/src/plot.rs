//! Forecast bands over the truth, as SVG.
//!
//! Promises: the same points give the same bytes. Must not know: models.

use std::ops::Range;

use plotters::prelude::*;

use crate::backtest::BandPoint;

const SIZE: (u32, u32) = (960, 420);

/// Colours that stay apart for colour-blind readers (Okabe, Ito 2008).
const BAND: RGBColor = RGBColor(86, 180, 233);
const MEDIAN: RGBColor = RGBColor(0, 114, 178);
const TRUTH: RGBColor = RGBColor(213, 94, 0);

/// Seconds of an hour, the unit of the time axis.
const HOUR: f64 = 3_600.0;

/// The drawing library refused the axes.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw {title}: {reason}")]
pub struct PlotError {
    title: String,
    reason: String,
}

/// The band from p50 to p90, the median and the truth over hours from the first point on.
///
/// # Errors
/// If the drawing library refuses the axes.
pub fn svg(title: &str, unit: &str, points: &[BandPoint]) -> Result<String, PlotError> {
    let mut svg = String::new();
    draw(&mut svg, title, unit, points)
        .map_err(|error| PlotError { title: title.to_owned(), reason: error.to_string() })?;
    Ok(svg)
}

/// The range of some values, from 0 on, with a margin; never empty.
fn range(values: impl Iterator<Item = f32>) -> Range<f64> {
    let high = f64::from(values.filter(|value| value.is_finite()).fold(0.0, f32::max));
    0.0..if high > 0.0 { 1.05 * high } else { 1.0 }
}

fn draw<'a>(
    svg: &'a mut String,
    title: &str,
    unit: &str,
    points: &[BandPoint],
) -> Result<(), Box<dyn std::error::Error + 'a>> {
    let start = points.first().map_or(0, |point| point.at);
    let hours = |point: &BandPoint| (point.at - start) as f64 / HOUR;
    let end = points.last().map_or(1.0, hours).max(1.0 / 60.0);
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..end, range(points.iter().flat_map(|point| [point.truth, point.p90])))?;
    chart.configure_mesh().x_desc("hours").y_desc(unit).light_line_style(WHITE).draw()?;
    let line = |value: fn(&BandPoint) -> f32| {
        let known = points.iter().filter(move |point| value(point).is_finite());
        known.map(move |point| (hours(point), f64::from(value(point)))).collect::<Vec<_>>()
    };
    let mut band = line(|point| point.p90);
    band.extend(line(|point| point.p50).into_iter().rev());
    let legend = |colour: RGBColor| move |(x, y)| Rectangle::new([(x, y - 4), (x + 14, y + 4)], colour.filled());
    chart.draw_series([Polygon::new(band, BAND.mix(0.5))])?.label("p50 to p90").legend(legend(BAND));
    for (name, value, colour) in
        [("p50", (|point| point.p50) as fn(&BandPoint) -> f32, MEDIAN), ("truth", |point| point.truth, TRUTH)]
    {
        chart.draw_series(LineSeries::new(line(value), colour.stroke_width(1)))?.label(name).legend(legend(colour));
    }
    let position = SeriesLabelPosition::UpperRight;
    chart.configure_series_labels().position(position).background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_shows_the_band_the_median_and_the_truth_but_no_gap() {
        let point = |at, truth| BandPoint { at, truth, p50: 1.0, p90: 2.0, p95: 3.0 };
        let points = [point(0, 1.0), point(60, f32::NAN), point(120, 1.5)];
        let plot = svg("a/cpu", "percent", &points).unwrap();
        assert!(
            ["p50 to p90", "truth", "a/cpu", "percent", "polygon"].iter().all(|text| plot.contains(text)),
            "{plot}"
        );
        assert!(!plot.contains("NaN"));
        assert_eq!(plot, svg("a/cpu", "percent", &points).unwrap());
    }

    #[test]
    fn a_plot_without_points_is_drawn_too() {
        assert!(svg("", "", &[]).is_ok());
    }
}
