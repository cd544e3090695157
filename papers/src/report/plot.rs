//! Plots as SVG: lines and points over two axes.
//!
//! Promises: the same series give the same bytes. Must not know: what is plotted.

use anyhow::anyhow;
use plotters::prelude::*;

/// The axes, and the legend beside them, where it hides nothing.
const SIZE: (u32, u32) = (960, 420);
const LEGEND: i32 = 250;

/// Distance of two lines of the legend.
const LINE: i32 = 20;

/// Colours that stay apart for colour-blind readers (Okabe, Ito 2008).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(80, 80, 80),
];

/// A plot of some series over common axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plot {
    /// File name without folder and ending.
    pub file: &'static str,
    /// Title, which is the image's description too.
    pub title: String,
    /// Label of the x axis, with unit.
    pub x: &'static str,
    /// Label of the y axis, with unit.
    pub y: &'static str,
    /// The series, drawn in this order.
    pub series: Vec<Series>,
}

/// Points of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// The points, in drawing order; those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
    /// Whether the points are joined by a line.
    pub line: bool,
}

impl Series {
    /// Points joined by a line.
    #[must_use]
    pub fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, line: true }
    }

    /// Points that stand alone.
    #[must_use]
    pub fn points(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, line: false }
    }

    fn finite(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite())
    }
}

impl Plot {
    /// The plot as SVG.
    ///
    /// # Errors
    /// If the drawing library refuses the axes.
    pub fn svg(&self) -> anyhow::Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| anyhow!("plot {}: {error}", self.file))?;
        Ok(svg)
    }

    /// The range of one coordinate over all series, with a margin; never empty.
    fn range(&self, coordinate: impl Fn((f64, f64)) -> f64) -> std::ops::Range<f64> {
        let values = || self.series.iter().flat_map(Series::finite).map(&coordinate);
        let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        if low > high {
            return 0.0..1.0;
        }
        let margin = if high > low { 0.04 * (high - low) } else { 0.5 };
        low - margin..high + margin
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error + '_>> {
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (axes, legend) = root.split_horizontally(SIZE.0 as i32 - LEGEND);
        let mut chart = ChartBuilder::on(&axes)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(64)
            .build_cartesian_2d(self.range(|point| point.0), self.range(|point| point.1))?;
        chart.configure_mesh().x_desc(self.x).y_desc(self.y).light_line_style(WHITE).draw()?;
        for ((series, colour), line) in self.series.iter().zip(COLOURS.iter().cycle()).zip(0..) {
            if series.line {
                chart.draw_series(LineSeries::new(series.finite(), colour.stroke_width(2)))?;
            } else {
                chart.draw_series(series.finite().map(|point| Circle::new(point, 3, colour.filled())))?;
            }
            let y = 2 * LINE + line * LINE;
            legend.draw(&Rectangle::new([(0, y - 4), (14, y + 4)], colour.filled()))?;
            legend.draw(&Text::new(series.name.as_str(), (22, y - 6), ("sans-serif", 12)))?;
        }
        root.present()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_names_its_series_and_axes_and_leaves_out_what_is_no_number() {
        let series = vec![
            Series::line("ours", vec![(0.0, 3.0), (1.0, f64::NAN), (2.0, 1.0)]),
            Series::points("limit", vec![(1.0, 0.5)]),
        ];
        let plot = Plot { file: "a", title: "A title".into(), x: "generation", y: "σ", series };
        let svg = plot.svg().unwrap();
        assert!(["ours", "limit", "generation", "σ", "A title"].iter().all(|text| svg.contains(text)), "{svg}");
        assert!(!svg.contains("NaN"));
        assert_eq!(svg, plot.svg().unwrap());
    }

    #[test]
    fn a_plot_without_points_is_drawn_too() {
        assert!(Plot::default().svg().is_ok());
    }
}
