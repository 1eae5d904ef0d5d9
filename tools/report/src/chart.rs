//! Charts as inline SVG: no script, no font, no colour of their own. Classes take the page's colours, light or dark.

use std::fmt::Write;

use crate::escape;
use crate::words::brief;

/// The drawing's own units; the page scales it.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;

/// What a chart of something over time shows.
pub struct Series<'s> {
    /// The colour's class: `a`, `b`, `c` or `d`.
    pub class: &'s str,
    pub style: Style,
    /// By position from 0 to 1, left to right.
    pub points: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Area,
    Line,
    Dots,
    /// A line for what is not measured.
    Dashes,
}

/// Series over the same time and scale. `marks` are words on the time axis; `top` is the scale's end, at least.
pub fn over_time(
    says: &str,
    series: &[Series<'_>],
    marks: &[(f64, String)],
    top: f64,
    unit: fn(f64) -> String,
) -> String {
    let values = series.iter().flat_map(|series| series.points.iter().map(|point| point.1));
    let scale = round_up(values.fold(top, f64::max));
    let x = |share: f64| LEFT + share * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value.max(0.0) / scale * (HEIGHT - TOP - BOTTOM);
    let mut out = open(says, HEIGHT);
    for part in 0..=4 {
        let value = scale * f64::from(part) / 4.0;
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\"/><text x=\"{2:.1}\" y=\"{3:.1}\" text-anchor=\"end\">{4}</text>",
            WIDTH - RIGHT,
            y(value),
            LEFT - 6.0,
            y(value) + 4.0,
            escape::html(&unit(value))
        );
    }
    for (at, word) in marks {
        let anchor = if *at < 0.05 {
            "start"
        } else if *at > 0.95 {
            "end"
        } else {
            "middle"
        };
        let word = escape::html(word);
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{word}</text>",
            x(*at),
            HEIGHT - 6.0
        );
    }
    for line in series {
        draw(&mut out, line, &x, &y);
    }
    out.push_str("</svg>");
    out
}

fn draw(out: &mut String, series: &Series<'_>, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) {
    let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else { return };
    let class = series.class;
    if series.style == Style::Dots {
        for (at, value) in &series.points {
            let _ = write!(
                out,
                "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                x(*at),
                y(*value)
            );
        }
        return;
    }
    let mut path = String::new();
    for (number, (at, value)) in series.points.iter().enumerate() {
        let _ = write!(path, "{}{:.1} {:.1}", if number == 0 { 'M' } else { 'L' }, x(*at), y(*value));
    }
    if series.style == Style::Area {
        let _ = write!(
            out,
            "<path class=\"{class} area\" d=\"{path}L{0:.1} {1:.1}L{2:.1} {1:.1}Z\"/>",
            x(last.0),
            y(0.0),
            x(first.0)
        );
    }
    let dashes = if series.style == Style::Dashes { " dashes" } else { "" };
    let _ = write!(out, "<path class=\"{class} line{dashes}\" d=\"{path}\"/>");
}

/// A row of `ranges`: a name, and three values of which the first is below the others.
pub struct Range<'r> {
    pub name: &'r str,
    pub values: [f64; 3],
}

/// Bars from the first to the third value with a tick at the second, on a logarithmic scale.
pub fn ranges(says: &str, rows: &[Range<'_>], unit: fn(f64) -> String) -> String {
    const ROW: f64 = 26.0;
    const NAMES: f64 = 230.0;
    let positive = |value: f64| value.max(1.0).log10();
    let values = rows.iter().flat_map(|row| row.values).map(positive);
    let (low, high) = values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = (low.floor(), high.ceil().max(low.floor() + 1.0));
    let x = |value: f64| NAMES + (positive(value) - low) / (high - low) * (WIDTH - NAMES - 40.0);
    let height = rows.len() as f64 * ROW + BOTTOM;
    let mut out = open(says, height);
    for power in low as i32..=high as i32 {
        let value = 10_f64.powi(power);
        let (at, bottom, word) = (x(value), height - BOTTOM, escape::html(&unit(value)));
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{bottom:.1}\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{word}</text>",
            height - 6.0
        );
    }
    for (number, row) in rows.iter().enumerate() {
        let middle = (number as f64 + 0.5) * ROW;
        let [first, second, third] = row.values.map(x);
        let name = escape::html(&escape::shortened(row.name, 32));
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"a\" x=\"{first:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"10\" rx=\"2\"/>\
             <rect class=\"b\" x=\"{:.1}\" y=\"{:.1}\" width=\"3\" height=\"16\"/>",
            NAMES - 8.0,
            middle + 4.0,
            middle - 5.0,
            (third - first).max(2.0),
            second - 1.5,
            middle - 8.0
        );
    }
    out.push_str("</svg>");
    out
}

/// A bar for a table's cell, `share` of its width.
pub fn bar(share: f64) -> String {
    let width = (share.clamp(0.0, 1.0) * 100.0).max(0.5);
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"a\" width=\"{width:.1}\" height=\"8\"/></svg>"
    )
}

fn open(says: &str, height: f64) -> String {
    let says = escape::html(says);
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{says}\"><title>{says}</title>"
    )
}

/// The next of 1, 2, 4, 5, 8 times a power of ten: quarters of it are short numbers.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 4.0, 5.0, 8.0]
        .into_iter()
        .map(|step| step * power)
        .find(|end| *end >= value)
        .unwrap_or(10.0 * power)
}

/// Numbers on an axis.
pub fn plain(value: f64) -> String {
    brief(value)
}
