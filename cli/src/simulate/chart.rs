//! The load of every node as bars, in an SVG file of its own making.
//!
//! Promises well-formed text that depends on its input only. A group of bars a node, one bar a series.

use std::fmt::Write as _;

use super::load::Loads;

const HEIGHT: f64 = 300.0;
const LEFT: f64 = 50.0;
const TOP: f64 = 50.0;
/// Room for the names of the nodes, which stand upright.
const BOTTOM: f64 = 140.0;
/// Colours that differ in brightness too.
const COLOURS: [&str; 3] = ["#b8bec6", "#e0812f", "#2b6cb0"];
/// Above this many nodes names would be written over each other.
const NAMED: usize = 80;

/// The chart of several series over the same nodes.
pub(super) fn svg(series: &[(&str, &Loads); 3]) -> String {
    let nodes = series[0].1.nodes.len().max(1);
    let bar = (900.0 / nodes as f64 / 4.0).clamp(1.0, 14.0);
    let group = bar * 4.0;
    let width = (LEFT + group * nodes as f64 + 20.0).max(660.0);
    let highest = series.iter().flat_map(|(_, loads)| &loads.nodes).map(|node| node.mean).fold(100.0, f64::max);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{:.0}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"18\" font-size=\"14\">Load of each node, percentage points of what it offers</text>\n",
        TOP + HEIGHT + BOTTOM
    );
    axis(&mut text, width, highest);
    for (position, (name, loads)) in series.iter().enumerate() {
        legend(&mut text, position, &format!("{name} (σ {:.2})", loads.sigma()));
        for (index, node) in loads.nodes.iter().enumerate() {
            let (x, height) = (LEFT + index as f64 * group + position as f64 * bar, HEIGHT * node.mean / highest);
            let y = TOP + HEIGHT - height;
            line(
                &mut text,
                &format!(
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{bar:.1}\" height=\"{height:.1}\" fill=\"{}\"/>",
                    COLOURS[position]
                ),
            );
        }
    }
    if nodes <= NAMED {
        names(&mut text, series[0].1, group, bar);
    }
    text.push_str("</svg>\n");
    text
}

fn axis(text: &mut String, width: f64, highest: f64) {
    for percent in (0..=(highest as u32)).step_by(20) {
        let y = TOP + HEIGHT - HEIGHT * f64::from(percent) / highest;
        line(
            text,
            &format!(
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.0}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{percent}</text>",
                width - 10.0,
                LEFT - 6.0,
                y + 4.0
            ),
        );
    }
}

fn legend(text: &mut String, position: usize, name: &str) {
    let x = LEFT + 190.0 * position as f64;
    line(
        text,
        &format!(
            "<rect x=\"{x}\" y=\"28\" width=\"10\" height=\"10\" fill=\"{}\"/><text x=\"{}\" y=\"37\">{}</text>",
            COLOURS[position],
            x + 15.0,
            escaped(name)
        ),
    );
}

fn names(text: &mut String, loads: &Loads, group: f64, bar: f64) {
    for (index, node) in loads.nodes.iter().enumerate() {
        let (x, y) = (LEFT + index as f64 * group + 1.5 * bar + 4.0, TOP + HEIGHT + 8.0);
        line(
            text,
            &format!(
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\" transform=\"rotate(-90 {x:.1} {y:.1})\">{}</text>",
                escaped(&node.node)
            ),
        );
    }
}

fn line(text: &mut String, element: &str) {
    writeln!(text, "{element}").expect("invariant: a String takes all that is written to it");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
