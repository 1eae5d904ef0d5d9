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
    let figures = figures(label, tld, &PAIRS);
    let sum: f32 = figures.iter().zip(&WEIGHTS).map(|(figure, weight)| figure * weight).sum();
    (sum + BIAS).clamp(-6.0, 6.0)
}

/// A label's figures, with the logarithms of how often one symbol follows another in names that people chose.
pub fn figures(label: &[u8], tld: &[u8], pairs: &Pairs) -> [f32; FIGURES] {
    let (mut counts, mut spread) = ([0u8; 64], 0.0);
    // Before the label's first pair are some that make no four with it the worst.
    let (mut sum, mut worst, mut last) = (0i32, 0i32, [1_000i32; 3]);
    let (mut kinds, mut run, mut longest) = (0u32, 0u16, 0u16);
    let mut before = SYMBOLS - 1;
    for &byte in &label[..label.len().min(63)] {
        let now = &CLASSES[usize::from(byte)];
        let packed = pairs.of(before, usize::from(now.symbol));
        let pair = i32::from(packed as i16);
        sum += packed;
        worst = worst.min(pair + last[0] + last[1] + last[2]);
        last = [pair, last[0], last[1]];
        spread += step(&mut counts, byte);
        kinds += now.kinds;
        run = (run + 1) & now.consonant;
        longest = longest.max(run);
        before = usize::from(now.symbol);
    }
    sum += pairs.of(before, SYMBOLS - 1);
    let (sum, switches) = (i32::from(sum as i16), (sum - i32::from(sum as i16)) >> 16);
    let [letters, vowels, digits, hex] = kinds.to_le_bytes().map(u32::from);
    let hyphens = (label.len() as u32).saturating_sub(letters + digits);
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
        f32::from(longest) / 4.0,
        if hex as usize == label.len() && digits > 0 { 1.0 } else { 0.0 },
        hyphens as f32 + if is_usual(tld) { 0.0 } else { 0.5 },
    ]
}

/// What one symbol after another says, so that a flood of new names is read byte by byte in few steps: the logarithm in
/// the lower half, and in the upper 1 where a digit and a letter meet. Both are added up at once.
pub struct Pairs([i32; ROW * ROW]);

/// A power of two, for the symbols.
const ROW: usize = 32;

impl Pairs {
    /// From the logarithms.
    pub const fn new(logarithms: &[i8; SYMBOLS * SYMBOLS]) -> Pairs {
        let (mut pairs, mut at) = ([0; ROW * ROW], 0);
        while at < SYMBOLS * SYMBOLS {
            let (before, now) = (at / SYMBOLS, at % SYMBOLS);
            let switches = (before == DIGIT && now < DIGIT) || (before < DIGIT && now == DIGIT);
            pairs[before * ROW + now] = logarithms[at] as i32 + ((switches as i32) << 16);
            at += 1;
        }
        Pairs(pairs)
    }

    fn of(&self, before: usize, now: usize) -> i32 {
        self.0[(before * ROW + now) % (ROW * ROW)]
    }
}

static PAIRS: Pairs = Pairs::new(&BIGRAMS);

/// What a byte is.
#[derive(Clone, Copy)]
struct Class {
    /// How many it is of letters, vowels, digits and hexadecimal digits, in an octet each: a label has 63 at most.
    kinds: u32,
    symbol: u16,
    /// All bits or none.
    consonant: u16,
}

static CLASSES: [Class; 256] = {
    let (mut classes, mut byte) = ([Class { kinds: 0, symbol: 0, consonant: 0 }; 256], 0);
    while byte < 256 {
        let symbol = symbol(byte as u8);
        let (is_letter, is_digit) = (symbol < DIGIT, symbol == DIGIT);
        let is_vowel = matches!(byte as u8, b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
        let is_hex = is_digit || symbol < 6;
        classes[byte] = Class {
            kinds: u32::from_le_bytes([is_letter as u8, is_vowel as u8, is_digit as u8, is_hex as u8]),
            symbol: symbol as u16,
            consonant: if is_letter && !is_vowel { u16::MAX } else { 0 },
        };
        byte += 1;
    }
    classes
};

/// The symbol that all digits are.
const DIGIT: usize = 26;

/// Which symbol a byte is.
pub const fn symbol(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => (byte - b'a') as usize,
        b'0'..=b'9' => DIGIT,
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

/// Counts a byte; gives how much `count * log2(count)` grows. A name has fewer bytes than a count can hold.
fn step(counts: &mut [u8; 64], byte: u8) -> f32 {
    let count = &mut counts[usize::from(byte & 63)];
    let grows = STEPS[usize::from(*count)];
    *count = count.wrapping_add(1);
    grows
}

/// The entropy of so many bytes of which the sum of `count * log2(count)` is known.
fn bits(sum: f32, length: usize) -> f32 {
    let whole = if length < 64 { LOGS[length] } else { (length as f32).log2() };
    (whole - sum / length.max(1) as f32).max(0.0)
}

/// How much `count * log2(count)` grows from one count to the next. What is longer than a label is all alike by then.
static STEPS: [f32; 256] = {
    let (mut steps, mut count) = ([0.0; 256], 0);
    while count < 256 {
        let at = if count < 62 { count } else { 62 };
        steps[count] = (at + 1) as f32 * LOGS[at + 1] - at as f32 * LOGS[at];
        count += 1;
    }
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
