//! Figures in words, and tables of text: what the terminal and the page share.

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::stage::Read;

/// What is wrong with the input, a sentence each.
pub fn faults(read: &Read) -> Vec<String> {
    let mut faults = Vec::new();
    if read.bad > 0 {
        let first = read.first_bad.as_deref().unwrap_or_default();
        faults.push(format!(
            "{} could not be read and are not in the figures; one of them: {first}",
            counted(read.bad, "line")
        ));
    }
    faults.extend(read.broken.iter().map(|file| format!("Not read to its end: {file}")));
    if read.lines == 0 {
        faults.push(if read.outside > 0 {
            format!("No query in that time; {} outside of it.", counted(read.outside, "line"))
        } else {
            format!("No query in {}.", counted(read.files, "file"))
        });
    }
    faults
}

/// `1 line`, `2,000 lines`.
pub fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(count), if count == 1 { "" } else { "s" })
}

/// With a comma before each three digits.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// In as few characters as say it: `950`, `12.3k`, `4.56M`.
pub fn brief(number: f64) -> String {
    match number {
        n if n >= 1e10 => format!("{:.1}G", n / 1e9),
        n if n >= 1e9 => format!("{:.2}G", n / 1e9),
        n if n >= 1e7 => format!("{:.1}M", n / 1e6),
        n if n >= 1e6 => format!("{:.2}M", n / 1e6),
        n if n >= 1e4 => format!("{:.1}k", n / 1e3),
        n if n >= 100.0 || n.fract() == 0.0 => format!("{n:.0}"),
        n if n >= 1.0 => format!("{n:.1}"),
        n => format!("{n:.3}"),
    }
}

pub fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.001 { "<0.1 %".into() } else { format!("{:.1} %", share * 100.0) }
}

/// None: nothing to compare.
pub fn perhaps_percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".into(), percent)
}

/// Microseconds, in the unit that people would use.
pub fn duration(micros: u64) -> String {
    let real = micros as f64;
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.2} ms", real / 1e3),
        10_000..100_000 => format!("{:.1} ms", real / 1e3),
        100_000..1_000_000 => format!("{:.0} ms", real / 1e3),
        _ => format!("{:.2} s", real / 1e6),
    }
}

/// Seconds of a step: `15 s`, `10 min`, `3 h`, `7 d`.
pub fn step(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// To the second, UTC.
pub fn time(at: Timestamp) -> String {
    Offset::UTC.to_datetime(at).strftime("%F %T").to_string()
}

/// On which side a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A table of text, its columns as wide as their widest field.
pub fn grid(head: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).chain([head[column].0.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(head).zip(&widths).map(|((cell, (_, align)), width)| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut out = line(&mut head.iter().map(|(name, _)| *name));
    for row in rows {
        out.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    out
}
