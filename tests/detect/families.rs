//! Domain generation algorithms, written anew from what is publicly known of how these families draw names: alphabet,
//! lengths, arithmetic, top-level domains. Seeds are ours, so no name here is one that malware has used but by chance.

use super::rng::Rng;
use super::words::{NOUNS, VERBS, WORDS};

/// A way to draw names.
#[derive(Clone, Copy)]
pub struct Family {
    pub name: &'static str,
    /// Whether the model was trained on it.
    pub trained: bool,
    draw: fn(u64, usize) -> String,
}

impl Family {
    /// The `n`th name of a seed.
    pub fn name_of(&self, seed: u64, n: usize) -> String {
        (self.draw)(seed, n)
    }
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";
const ALNUM: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &str = "0123456789abcdef";
const BASE32: &str = "abcdefghijklmnopqrstuvwxyz234567";
const VOWELS: &str = "aeiouy";
const CONSONANTS: &str = "bcdfghjklmnpqrstvwxz";

const fn family(name: &'static str, trained: Half, draw: fn(u64, usize) -> String) -> Family {
    Family { name, trained: matches!(trained, Half::Trained), draw }
}

#[derive(Clone, Copy)]
enum Half {
    Trained,
    HeldOut,
}

pub const FAMILIES: [Family; 20] = [
    family("conficker-like", Half::Trained, conficker),
    family("ramnit-like", Half::Trained, ramnit),
    family("necurs-like", Half::Trained, necurs),
    family("kraken-like", Half::Trained, kraken),
    family("bamital-like (hash, hex)", Half::Trained, |seed, n| hashed(seed, n, 32, "co.cc")),
    family("murofet-like", Half::Trained, murofet),
    family("corebot-like", Half::Trained, corebot),
    family("cryptolocker-like", Half::HeldOut, cryptolocker),
    family("tinba-like", Half::HeldOut, tinba),
    family("ranbyus-like", Half::HeldOut, ranbyus),
    family("qadars-like", Half::HeldOut, qadars),
    family("base32", Half::HeldOut, |seed, n| any(seed, n, BASE32, 16, 26, &["com", "xyz"])),
    family("dyre-like (letter, hash)", Half::HeldOut, dyre),
    family("short hex", Half::HeldOut, |seed, n| hashed(seed, n, 12, "top")),
    family("newgoz-like (base 36)", Half::HeldOut, |seed, n| {
        any(seed, n, ALNUM, 20, 28, &["com", "net", "org", "biz"])
    }),
    family("simda-like (pronounceable)", Half::HeldOut, simda),
    family("banjori-like (mutated head)", Half::HeldOut, banjori),
    family("suppobox-like (two words)", Half::HeldOut, suppobox),
    family("matsnu-like (verbs, nouns)", Half::HeldOut, matsnu),
    family("gozi-like (words of a text)", Half::HeldOut, gozi),
];

fn rng(seed: u64, n: usize, salt: u64) -> Rng {
    Rng::new(seed.wrapping_mul(1_000_003).wrapping_add(n as u64).wrapping_mul(salt | 1))
}

fn any(seed: u64, n: usize, alphabet: &str, least: usize, most: usize, tlds: &[&str]) -> String {
    let mut rng = rng(seed, n, 0x11);
    let length = least + rng.below(most - least + 1);
    format!("{}.{}", rng.text(alphabet, length), rng.pick(tlds))
}

/// 5 to 11 letters by a multiplicative generator in 64 bits.
fn conficker(seed: u64, n: usize) -> String {
    let mut state = seed.wrapping_mul(0x6423_6735).wrapping_add(n as u64 * 0xb119_24e1).wrapping_add(0x1ba7);
    let mut next = || {
        state = state.wrapping_mul(0x5312_5624_c2f3_a3a5).wrapping_add(0x1b2d_3f77);
        (state >> 33) as usize
    };
    let length = 5 + next() % 7;
    let label: String = (0..length).map(|_| char::from(b'a' + (next() % 26) as u8)).collect();
    format!("{label}.{}", ["com", "net", "org", "info", "biz", "cc", "cn", "ws"][next() % 8])
}

/// 8 to 19 letters by Park and Miller's generator modulo 2^31 - 1.
fn ramnit(seed: u64, n: usize) -> String {
    let mut state = (seed.wrapping_mul(16_807).wrapping_add(n as u64 * 48_271) % 0x7fff_fffe) + 1;
    let mut next = |bound: u64| {
        state = state * 16_807 % 0x7fff_ffff;
        state % bound
    };
    let length = 8 + next(12);
    let label: String = (0..length).map(|_| char::from(b'a' + next(25) as u8)).collect();
    format!("{label}.com")
}

/// 7 to 21 letters, many top-level domains.
fn necurs(seed: u64, n: usize) -> String {
    any(
        seed ^ 0x6e,
        n,
        LETTERS,
        7,
        21,
        &["com", "net", "biz", "ru", "tv", "cc", "pro", "xxx", "mx", "im", "in", "so"],
    )
}

/// Syllables and single letters, under dynamic DNS.
fn kraken(seed: u64, n: usize) -> String {
    let mut rng = rng(seed, n, 0x4b);
    let mut label = String::new();
    for _ in 0..2 + rng.below(3) {
        let parts = [rng.text(CONSONANTS, 1), rng.text(VOWELS, 1), rng.text(LETTERS, 1)];
        label.extend(parts);
    }
    label += &rng.text(CONSONANTS, 1);
    format!("{label}.{}", rng.pick(&["dyndns.org", "yi.org", "mooo.com", "dynserv.com", "com", "cc"]))
}

/// Hexadecimal digits of a hash over a counter and a date.
fn hashed(seed: u64, n: usize, length: usize, tld: &str) -> String {
    format!("{}.{tld}", rng(seed, n, 0x77).text(HEX, length))
}

/// Long, letters then digits mixed in.
fn murofet(seed: u64, n: usize) -> String {
    any(seed ^ 0x3d, n, ALNUM, 28, 44, &["com", "net", "org", "info", "biz", "ru"])
}

/// 12 to 23 letters and digits.
fn corebot(seed: u64, n: usize) -> String {
    any(seed ^ 0x2f, n, "abcdefghijklmnopqrstuvwxy012345678", 12, 23, &["ddns.net", "com"])
}

/// 12 to 15 letters by shifts and multiplications over the date.
fn cryptolocker(seed: u64, n: usize) -> String {
    let (mut year, mut month, mut day) = (2_013 + seed as u32 % 9, 1 + n as u32 % 12, 1 + seed as u32 % 28);
    let mut key = (seed as u32).wrapping_mul(0x6c07_8965).wrapping_add(n as u32);
    let mut label = String::new();
    let length = 12 + (key.rotate_left(7) & 3) as usize;
    for _ in 0..length {
        year = ((year ^ (year << 3)) >> 11) ^ ((year & 0xffff_fff0) << 17) ^ key;
        month = ((month ^ (month << 2)) >> 25) ^ ((month & 0xffff_fff8) << 4) ^ key.rotate_left(9);
        day = ((day ^ (day << 13)) >> 19) ^ ((day & 0xffff_fffe) << 12) ^ key.rotate_left(19);
        key = key.wrapping_mul(0x9e37_79b1).wrapping_add(0x7f4a_7c15);
        label.push(char::from(b'a' + ((year ^ month ^ day) % 25) as u8));
    }
    format!("{label}.{}", ["com", "net", "biz", "ru", "org", "co.uk", "info"][n % 7])
}

/// 12 letters out of sums over the letters before.
fn tinba(seed: u64, n: usize) -> String {
    let mut state: Vec<u8> = rng(seed, n, 0x71).text(LETTERS, 12).into_bytes();
    for at in 0..12 {
        let sum = state
            .iter()
            .enumerate()
            .map(|(place, letter)| usize::from(*letter) * (place + at + 1))
            .sum::<usize>();
        state[at] = b'a' + (sum % 25) as u8;
    }
    format!("{}.{}", String::from_utf8_lossy(&state), ["com", "net", "in", "ru", "pw"][n % 5])
}

/// 14 letters by exclusive-or and shifts.
fn ranbyus(seed: u64, n: usize) -> String {
    let mut state = ((seed as u32).wrapping_mul(2_654_435_761) ^ (n as u32 + 1).wrapping_mul(40_503)) | 1;
    let mut label = String::new();
    for _ in 0..14 {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        label.push(char::from(b'a' + (state % 25) as u8));
    }
    format!("{label}.{}", ["in", "me", "cc", "su", "tw", "net", "com", "pw", "org"][n % 9])
}

/// 12 letters and digits by turns of a small table.
fn qadars(seed: u64, n: usize) -> String {
    any(seed ^ 0x51, n, ALNUM, 12, 12, &["com", "org", "net"])
}

/// A letter, then 33 hexadecimal digits of a hash.
fn dyre(seed: u64, n: usize) -> String {
    let mut rng = rng(seed, n, 0x43);
    let head = rng.text(LETTERS, 1);
    let tail = rng.text(HEX, 33);
    format!("{head}{tail}.{}", rng.pick(&["cc", "ws", "to", "in", "hk", "cn", "tk", "so"]))
}

/// Consonants and vowels in turn: it can be spoken.
fn simda(seed: u64, n: usize) -> String {
    let mut rng = rng(seed, n, 0x63);
    let length = 5 + rng.below(7);
    let label: String =
        (0..length).map(|at| rng.text(if at % 2 == 0 { CONSONANTS } else { VOWELS }, 1)).collect();
    format!("{label}.{}", rng.pick(&["com", "net", "org", "info", "eu"]))
}

/// A long word whose first four letters change.
fn banjori(seed: u64, n: usize) -> String {
    let mut rng = rng(seed, n, 0x29);
    let tail = WORDS[seed as usize % WORDS.len()];
    let more = WORDS[(seed as usize / 7 + 3) % WORDS.len()];
    format!("{}{tail}{more}.com", rng.text(LETTERS, 4))
}

fn suppobox(seed: u64, n: usize) -> String {
    let mut rng = rng(seed, n, 0x35);
    format!("{}{}.{}", rng.pick(&WORDS), rng.pick(&WORDS), rng.pick(&["net", "ru"]))
}

fn matsnu(seed: u64, n: usize) -> String {
    let mut rng = rng(seed, n, 0x1d);
    let mut label = String::new();
    while label.len() < 20 {
        label += rng.pick(&VERBS);
        label += rng.pick(&NOUNS);
    }
    format!("{label}.com")
}

fn gozi(seed: u64, n: usize) -> String {
    let mut rng = rng(seed, n, 0x57);
    let mut label = String::new();
    while label.len() < 12 {
        label += rng.pick(&WORDS);
    }
    label.truncate(24);
    format!("{label}.{}", rng.pick(&["com", "ru", "at"]))
}
