//! The names that are asked. All have the same length, so that a batch of queries can leave as one datagram that the
//! kernel cuts, and the load costs less than what it measures.

use std::sync::atomic::{AtomicU32, Ordering};

/// How long every query is: header, a label of nine octets, `bench.example.` or `local.example.`, type and class.
pub const QUERY: usize = 12 + 10 + 6 + 8 + 1 + 4;
/// How many names are popular.
pub const POPULAR: u32 = 10_000;
/// How many names the zone of AUTH holds.
pub const ZONE: u32 = 5_000;

/// Where the names end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Forwarded to the authority.
    Forwarded,
    /// In the zone that the server itself holds.
    Local,
}

/// Which names are asked.
#[derive(Clone, Copy)]
pub enum Names {
    /// Each of the first so many, again and again in a random order.
    Among(u32),
    /// Each of the first so many once, in order.
    Each(u32),
    /// Some among so many far more often than others (Zipf), and every so many percent a name never asked before.
    Popular { among: u32, new_percent: u32 },
    /// Every name is new and exists.
    New,
    /// Every name is new, and there is no such name.
    Nonexistent,
}

/// Never asked before, by any load of this run.
static NEW: AtomicU32 = AtomicU32::new(0);

/// A stream of questions.
pub struct Questions {
    names: Names,
    domain: Domain,
    random: fastrand::Rng,
    next: u32,
    popular: Vec<u32>,
}

/// First octet and number of a name's first label.
pub type Label = (u8, u32);

impl Questions {
    /// The same stream each time, but for the names that are new.
    pub fn new(names: Names, domain: Domain) -> Questions {
        let mut random = fastrand::Rng::with_seed(20_260);
        let popular = match names {
            Names::Popular { among, .. } => zipf(among, &mut random),
            _ => Vec::new(),
        };
        Questions { names, domain, random, next: 0, popular }
    }

    /// The next name.
    pub fn next(&mut self) -> Label {
        match self.names {
            Names::Among(count) => (b'h', self.random.u32(..count)),
            Names::Each(count) => {
                self.next += 1;
                (b'h', (self.next - 1) % count)
            }
            Names::Popular { new_percent, .. } if self.random.u32(..100) < new_percent => (b'n', new()),
            Names::Popular { .. } => (b'h', self.popular[self.random.usize(..self.popular.len())]),
            Names::New => (b'n', new()),
            Names::Nonexistent => (b'x', new()),
        }
    }

    /// Writes the query for a name, type A, recursion desired.
    pub fn write(&self, id: u16, label: Label, into: &mut Vec<u8>) {
        into.extend_from_slice(&id.to_be_bytes());
        into.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9, label.0]);
        into.extend_from_slice(&digits(label.1));
        into.extend_from_slice(match self.domain {
            Domain::Forwarded => b"\x05bench\x07example\x00\x00\x01\x00\x01",
            Domain::Local => b"\x05local\x07example\x00\x00\x01\x00\x01",
        });
    }
}

/// Whether a response is to this question and says what it should: an answer, NXDOMAIN, or from an echo the query itself.
pub fn is_right(response: &[u8], label: Label) -> bool {
    let rcode = if label.0 == b'x' { 3 } else { 0 };
    response.len() >= QUERY
        && response[3] & 0x0f == rcode
        && response[13].eq_ignore_ascii_case(&label.0)
        && response[14..22].eq_ignore_ascii_case(&digits(label.1))
        && (rcode != 0 || response[7] > 0 || response[2..4] == [0x81, 0])
}

/// Eight hexadecimal digits.
pub fn digits(number: u32) -> [u8; 8] {
    std::array::from_fn(|at| b"0123456789abcdef"[(number >> (28 - 4 * at)) as usize & 15])
}

fn new() -> u32 {
    NEW.fetch_add(1, Ordering::Relaxed)
}

/// Numbers below `among`, the nth as often as 1/n: a table to draw from.
fn zipf(among: u32, random: &mut fastrand::Rng) -> Vec<u32> {
    let mut sum = 0.0;
    let below: Vec<f64> = (1..=among)
        .map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        })
        .collect();
    (0..1 << 18)
        .map(|_| {
            let drawn = random.f64() * sum;
            below.partition_point(|limit| *limit < drawn).min(below.len() - 1) as u32
        })
        .collect()
}
