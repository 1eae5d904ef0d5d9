//! The detectors' model and figures: `cargo run --release --example detect -- train | evaluate | day [MILLIONS OF DOINGS]`.
//!
//! `train` prints src/detect/weights.rs anew. `evaluate` says how the model does on families that it has not seen, and
//! how soon a client that asks for them is found. `day` replays an ordinary day and counts what is told falsely.
#![allow(clippy::unwrap_used)]

#[path = "../../tests/detect/day.rs"]
mod day;
#[path = "../../tests/detect/families.rs"]
mod families;
#[path = "../../tests/detect/rng.rs"]
mod rng;
#[path = "../../tests/detect/scene.rs"]
mod scene;
mod train;
#[path = "../../tests/detect/tunnels.rs"]
mod tunnels;
#[path = "../../tests/detect/words.rs"]
mod words;

mod evaluate;

use evaluate::Mix;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("train") => train::print(),
        Some("evaluate") => evaluate::print(),
        Some("day") => evaluate::day(arguments.get(2).and_then(|text| text.parse().ok()).unwrap_or(1.0)),
        Some("cost") => evaluate::cost(Mix::Ordinary),
        Some("flood") => evaluate::cost(Mix::Flood { clients: 1 }),
        Some("floods") => evaluate::cost(Mix::Flood { clients: 2_000 }),
        _ => eprintln!("detect train | evaluate | day [MILLIONS OF DOINGS] | cost | flood | floods"),
    }
}
