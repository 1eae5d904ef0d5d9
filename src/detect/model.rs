//! How much the name of a domain looks as if a program had drawn it: a logistic regression over a few figures of its
//! label. The weights are in [`weights`](super::weights), made by `cargo run --release --example detect -- train`.
//!
//! One odd name says little: content networks and advertisers have them too. What counts is what a client asks for
//! altogether, see `client`.

use super::weights::{BIAS, BIGRAMS, WEIGHTS};

/// Letters, any digit, a hyphen or anything else, and the label's end.
pub const SYMBOLS: usize = 29;
/// How many figures a label has.
pub const FIGURES: usize = 11;
/// What one logarithmic unit is in the table of pairs.
pub const UNIT: f32 = 16.0;
/// The chance of any symbol if all were as likely, in the same units.
const EVEN: f32 = -3.6;

/// The log-odds that a label was drawn by a program, between -6 and 6.
pub fn oddness(label: &[u8], tld: &[u8]) -> f32 {
    if label.starts_with(b"xn--") || label.len() < 5 {
        // Punycode looks drawn to whoever reads letters; and what is short is taken by people long ago.
        return -2.0;
    }
    let figures = figures(label, tld, &BIGRAMS);
    let sum: f32 = figures.iter().zip(&WEIGHTS).map(|(figure, weight)| figure * weight).sum();
    (sum + BIAS).clamp(-6.0, 6.0)
}

/// A label's figures, with the logarithms of how often one symbol follows another in names that people chose.
pub fn figures(label: &[u8], tld: &[u8], pairs: &[i8; SYMBOLS * SYMBOLS]) -> [f32; FIGURES] {
    let (mut counts, mut spread) = ([0u8; 64], 0.0);
    let (mut sum, mut worst, mut recent) = (0i32, 0i32, [0i32; 4]);
    let (mut digits, mut vowels, mut letters, mut hyphens, mut switches, mut hex) = (0, 0, 0, 0, 0, 0);
    let (mut run, mut longest) = (0u32, 0u32);
    let mut before = SYMBOLS - 1;
    for (at, &byte) in label.iter().enumerate() {
        let now = symbol(byte);
        let pair = i32::from(pairs[before * SYMBOLS + now]);
        sum += pair;
        recent[at % 4] = pair;
        if at >= 3 {
            worst = worst.min(recent.iter().sum());
        }
        spread += step(&mut counts, byte);
        let vowel = matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
        match now {
            0..26 => {
                letters += 1;
                vowels += u32::from(vowel);
                hex += u32::from(now < 6);
            }
            26 => {
                digits += 1;
                hex += 1;
            }
            _ => hyphens += 1,
        }
        run = if now < 26 && !vowel { run + 1 } else { 0 };
        longest = longest.max(run);
        switches += u32::from((before == 26) != (now == 26) && before < 27 && now < 27);
        before = now;
    }
    sum += i32::from(pairs[before * SYMBOLS + SYMBOLS - 1]);
    let length = label.len().max(1) as f32;
    let mean = sum as f32 / UNIT / (length + 1.0);
    let vowels = vowels as f32 / (letters.max(1)) as f32;
    [
        length / 10.0,
        mean - EVEN,
        (mean - EVEN) * length / 10.0,
        worst as f32 / UNIT / 4.0 - EVEN,
        digits as f32 / length,
        switches as f32 / 4.0,
        (vowels - 0.4).abs() * 2.0,
        // The entropy beside the most that so many bytes can have.
        bits(spread, label.len()) / LOGS[label.len().clamp(2, 63)],
        longest as f32 / 4.0,
        if hex as usize == label.len() && digits > 0 { 1.0 } else { 0.0 },
        hyphens as f32 + if is_usual(tld) { 0.0 } else { 0.5 },
    ]
}

/// Which symbol a byte is.
pub fn symbol(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => usize::from(byte - b'a'),
        b'0'..=b'9' => 26,
        _ => 27,
    }
}

/// The entropy of a text's bytes, in bits a byte.
pub(super) fn entropy(text: &[u8]) -> f32 {
    let (mut counts, mut sum) = ([0u8; 64], 0.0);
    for &byte in text {
        sum += step(&mut counts, byte);
    }
    bits(sum, text.len())
}

/// Counts a byte; gives how much `count * log2(count)` grows.
fn step(counts: &mut [u8; 64], byte: u8) -> f32 {
    let count = &mut counts[usize::from(byte & 63)];
    let grows = STEPS[usize::from((*count).min(63))];
    *count = count.saturating_add(1);
    grows
}

/// The entropy of so many bytes of which the sum of `count * log2(count)` is known.
fn bits(sum: f32, length: usize) -> f32 {
    let whole = if length < 64 { LOGS[length] } else { (length as f32).log2() };
    (whole - sum / length.max(1) as f32).max(0.0)
}

/// How much `count * log2(count)` grows from one count to the next.
const STEPS: [f32; 64] = {
    let (mut steps, mut count) = ([0.0; 64], 0);
    while count < 63 {
        steps[count] = (count + 1) as f32 * LOGS[count + 1] - count as f32 * LOGS[count];
        count += 1;
    }
    // Names hold no label of which this is not enough; what is longer than one is all alike by then.
    steps[63] = steps[62];
    steps
};

/// Binary logarithms of 0 (taken as 0) to 63, rounded.
#[rustfmt::skip]
#[allow(clippy::approx_constant)] // one row of a table
const LOGS: [f32; 64] = [
    0.0, 0.0, 1.0, 1.585, 2.0, 2.3219, 2.585, 2.8074, 3.0, 3.1699, 3.3219, 3.4594, 3.585, 3.7004, 3.8074, 3.9069,
    4.0, 4.0875, 4.1699, 4.2479, 4.3219, 4.3923, 4.4594, 4.5236, 4.585, 4.6439, 4.7004, 4.7549, 4.8074, 4.858, 4.9069, 4.9542,
    5.0, 5.0444, 5.0875, 5.1293, 5.1699, 5.2095, 5.2479, 5.2854, 5.3219, 5.3576, 5.3923, 5.4263, 5.4594, 5.4919, 5.5236, 5.5546,
    5.585, 5.6147, 5.6439, 5.6724, 5.7004, 5.7279, 5.7549, 5.7814, 5.8074, 5.8329, 5.858, 5.8826, 5.9069, 5.9307, 5.9542, 5.9773,
];

/// Top-level domains that most names that people use are in. Which country is no sign of anything.
fn is_usual(tld: &[u8]) -> bool {
    matches!(
        tld,
        b"com" | b"net" | b"org" | b"edu" | b"gov" | b"io" | b"jp" | b"de" | b"uk" | b"fr" | b"app" | b"dev"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_that_of_the_definition() {
        assert!(entropy(b"aaaa").abs() < 1e-3);
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-3);
        assert!((entropy(b"aabbccdd") - 2.0).abs() < 1e-3);
        assert!((entropy(&[*b"abcdefgh"; 10].concat()) - 3.0).abs() < 1e-2);
    }

    #[test]
    fn drawn_names_are_odder_than_chosen_ones() {
        for drawn in ["xkzqjvwpht", "qtrvhnbyxkwps", "a8f3c91e07bd62", "k4jx92mzq7wv"] {
            assert!(
                oddness(drawn.as_bytes(), b"com") > 1.0,
                "{drawn}: {}",
                oddness(drawn.as_bytes(), b"com")
            );
        }
        for chosen in
            ["technova", "manufacturing", "wikipedia", "mitsubishi", "stackoverflow", "yamanashi-denki"]
        {
            assert!(
                oddness(chosen.as_bytes(), b"com") < -0.5,
                "{chosen}: {}",
                oddness(chosen.as_bytes(), b"com")
            );
        }
    }
}
