//! The saved table as a picture: for each load one panel, for each server one bar, CPU µs an answer; shorter is better.
//!
//! `chart RESULTS.json PICTURE.svg`

#[path = "results.rs"]
mod results;

use std::error::Error;
use std::fs;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use results::{Results, median};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

const WIDTH: i32 = 960;
const COLUMNS: usize = 2;
const COLUMN: i32 = WIDTH / 2;
const HEAD: i32 = 44;
const BAR: i32 = 20;
/// Room for the names at the left of the bars, and for the figures at their right.
const NAMES: i32 = 150;
const FIGURES: i32 = 60;

const OURS: RGBColor = RGBColor(0xb0, 0x2a, 0x30);
const THEIRS: RGBColor = RGBColor(0x8a, 0x97, 0xa6);
const LIMIT: RGBColor = RGBColor(0xd5, 0xda, 0xe0);
const INK: RGBColor = RGBColor(0x24, 0x2a, 0x33);

/// One load: what it is called, and who spent how much.
struct Panel {
    title: String,
    bars: Vec<(String, f64)>,
}

fn main() -> Drawn {
    let mut arguments = std::env::args().skip(1);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("usage: chart RESULTS.json PICTURE.svg".into());
    };
    let results: Results = serde_json::from_slice(&fs::read(from)?)?;
    let panels = panels(&results);
    let rows = panels.chunks(COLUMNS);
    let heights: Vec<i32> = rows.map(|row| row.iter().map(Panel::height).max().unwrap_or(0)).collect();
    let height = HEAD + heights.iter().sum::<i32>();
    let root = SVGBackend::new(&to, (WIDTH.cast_unsigned(), height.cast_unsigned())).into_drawing_area();
    root.fill(&WHITE)?;
    let about = results.about.iter().take(2).cloned().collect::<Vec<_>>().join(" · ");
    text(
        &root,
        "CPU µs for each answer, one worker on one core; shorter is better",
        (12, 16),
        17,
        HPos::Left,
    )?;
    text(&root, &about, (12, 34), 11, HPos::Left)?;
    let mut top = HEAD;
    for (row, height) in panels.chunks(COLUMNS).zip(&heights) {
        for (panel, column) in row.iter().zip(0..) {
            let area =
                root.clone().shrink((column * COLUMN, top), (COLUMN.cast_unsigned(), height.cast_unsigned()));
            panel.draw(&area)?;
        }
        top += height;
    }
    root.present()?;
    Ok(())
}

fn panels(results: &Results) -> Vec<Panel> {
    let mut titles: Vec<String> = Vec::new();
    for figure in &results.figures {
        if !titles.contains(&figure.scenario) {
            titles.push(figure.scenario.clone());
        }
    }
    let panel = |title: String| {
        let mut bars: Vec<(String, f64)> = Vec::new();
        for figure in results.figures.iter().filter(|figure| figure.scenario == title) {
            if bars.iter().all(|(server, _)| *server != figure.server) {
                let cost = median(&results.all(&title, &figure.server, |figure| figure.cost));
                bars.push((figure.server.clone(), cost));
            }
        }
        bars.sort_by(|one, other| one.1.total_cmp(&other.1));
        Panel { title, bars }
    };
    titles.into_iter().map(panel).filter(|panel| panel.bars.len() > 1).collect()
}

impl Panel {
    fn height(&self) -> i32 {
        34 + self.bars.iter().map(|_| BAR).sum::<i32>()
    }

    fn draw(&self, area: &Area<'_>) -> Drawn {
        text(area, &self.title, (12, 14), 14, HPos::Left)?;
        let most = self.bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
        let room = f64::from(COLUMN - NAMES - FIGURES);
        for ((server, cost), n) in self.bars.iter().zip(0..) {
            let top = 24 + BAR * n;
            let end = NAMES + (cost / most * room) as i32;
            let color = match server.as_str() {
                name if name.starts_with("Kakehashi") => OURS,
                name if name.starts_with("echo") => LIMIT,
                _ => THEIRS,
            };
            area.draw(&Rectangle::new([(NAMES, top + 2), (end, top + BAR - 2)], color.filled()))?;
            text(area, server, (NAMES - 8, top + BAR / 2), 12, HPos::Right)?;
            text(area, &format!("{cost:.1}"), (end + 6, top + BAR / 2), 12, HPos::Left)?;
        }
        Ok(())
    }
}

fn text(area: &Area<'_>, text: &str, at: (i32, i32), size: i32, side: HPos) -> Drawn {
    let style = ("sans-serif", size).into_font().color(&INK).pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text.to_owned(), at, style))?;
    Ok(())
}
