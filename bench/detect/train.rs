//! Learns the model: pairs of symbols from names that people chose, then one weight a figure.

use kakehashi::detect::model::{FIGURES, Pairs, SYMBOLS, UNIT, figures, symbol};

use super::families::FAMILIES;
use super::rng::Rng;
use super::words::{ROMAJI, WORDS};

/// Names that people chose. Every fifth is kept out of training.
pub fn domains() -> Vec<(String, String)> {
    let text = include_str!("../../tests/detect/domains.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once('.'))
        .map(|(label, tld)| (label.to_owned(), tld.to_owned()))
        .collect()
}

pub fn is_held_out(at: usize) -> bool {
    at.is_multiple_of(5)
}

/// How many names of each trained family.
const DRAWN: usize = 1_500;
const ROUNDS: usize = 60;
const RATE: f32 = 0.02;
const DECAY: f32 = 1e-4;

struct Lesson {
    figures: [f32; FIGURES],
    drawn: f32,
    weight: f32,
}

pub fn print() {
    let chosen: Vec<_> =
        domains().into_iter().enumerate().filter(|(at, _)| !is_held_out(*at)).map(|(_, name)| name).collect();
    let mut rng = Rng::new(1);
    // People put words together, too.
    let compound =
        (0..3_000).map(|_| (format!("{}{}", rng.pick(&WORDS), rng.pick(&WORDS)), "com".to_owned()));
    let mut other = Rng::new(2);
    let romaji = (0..3_000).map(|n| {
        let more = ["", "", other.pick(&ROMAJI), other.pick(&WORDS), "-"][n % 5];
        let more = if more == "-" { format!("-{}", other.pick(&ROMAJI)) } else { more.to_owned() };
        (format!("{}{more}", other.pick(&ROMAJI)), if n % 2 == 0 { "co.jp" } else { "com" }.to_owned())
    });
    let chosen: Vec<_> =
        chosen.into_iter().chain(compound).chain(romaji).filter(|(label, _)| label.len() >= 5).collect();
    let pairs = pairs(chosen.iter().map(|(label, _)| label.as_bytes()));
    let (table, mut lessons) = (Pairs::new(&pairs), Vec::new());
    for (label, tld) in &chosen {
        let tld = tld.rsplit('.').next().unwrap_or(tld);
        lessons.push(Lesson {
            figures: figures(label.as_bytes(), tld.as_bytes(), &table),
            drawn: 0.0,
            weight: 1.0,
        });
    }
    let families: Vec<_> = FAMILIES.iter().filter(|family| family.trained).collect();
    let weight = chosen.len() as f32 / (families.len() * DRAWN) as f32;
    for family in families {
        for n in 0..DRAWN {
            let name = family.name_of(n as u64 / 50 + 1, n);
            let (label, suffix) = name.split_once('.').unwrap();
            let tld = suffix.rsplit('.').next().unwrap_or(suffix);
            let figures = figures(label.as_bytes(), tld.as_bytes(), &table);
            lessons.push(Lesson { figures, drawn: 1.0, weight });
        }
    }
    let (weights, bias) = fit(&mut lessons, &mut rng);
    println!(
        "//! The numbers of the model, as `cargo run --release --example detect -- train` wrote them; not to be edited by hand.\n"
    );
    println!("/// The weight of each figure.\npub const WEIGHTS: [f32; {FIGURES}] = {weights:?};");
    println!("/// The weight of nothing.\npub const BIAS: f32 = {bias:?};");
    println!(
        "/// How likely a symbol follows another in names that people chose: natural logarithms, in sixteenths."
    );
    println!("pub const BIGRAMS: [i8; {}] = {pairs:?};", SYMBOLS * SYMBOLS);
}

fn pairs<'a>(labels: impl Iterator<Item = &'a [u8]>) -> [i8; SYMBOLS * SYMBOLS] {
    let mut counts = vec![0.5f32; SYMBOLS * SYMBOLS];
    for label in labels {
        let mut before = SYMBOLS - 1;
        for now in label.iter().map(|byte| symbol(*byte)).chain([SYMBOLS - 1]) {
            counts[before * SYMBOLS + now] += 1.0;
            before = now;
        }
    }
    std::array::from_fn(|at| {
        let row = &counts[at / SYMBOLS * SYMBOLS..][..SYMBOLS];
        let share = (counts[at] / row.iter().sum::<f32>()).ln() * UNIT;
        share.round().clamp(-127.0, 0.0) as i8
    })
}

/// Stochastic gradient descent on the logistic loss, with decay.
fn fit(lessons: &mut [Lesson], rng: &mut Rng) -> ([f32; FIGURES], f32) {
    let (mut weights, mut bias) = ([0.0f32; FIGURES], 0.0f32);
    for round in 0..ROUNDS {
        for at in (1..lessons.len()).rev() {
            lessons.swap(at, rng.below(at + 1));
        }
        let rate = RATE / (1.0 + round as f32 / 10.0);
        for lesson in lessons.iter() {
            let sum: f32 = lesson.figures.iter().zip(&weights).map(|(figure, weight)| figure * weight).sum();
            let error = lesson.drawn - 1.0 / (1.0 + (-(sum + bias)).exp());
            for (weight, figure) in weights.iter_mut().zip(&lesson.figures) {
                *weight += rate * (error * figure * lesson.weight - DECAY * *weight);
            }
            bias += rate * error * lesson.weight;
        }
    }
    (weights.map(|weight| (weight * 1e4).round() / 1e4), (bias * 1e4).round() / 1e4)
}
