//! One client and one domain: how many names below it, how much is in them, and how regularly it is asked for.

use super::beacon::Rhythm;

/// How long names are counted together.
const WINDOW: u32 = 1_200;
/// Names of at least so many octets altogether, and so even, carry data.
const OCTETS: u32 = 1_600;
const BITS: f32 = 3.0;
/// Answers that carry data: so many octets each.
const ANSWER: u32 = 130;
/// Bits of the sketch.
const SKETCH: u32 = 256;

/// What is kept of a client and a domain.
#[derive(Debug, Clone, Default)]
pub(super) struct Pair {
    /// When counting began, in seconds.
    since: u32,
    /// When the domain was asked for last, in seconds.
    last: u32,
    /// Which of 256 each name below the domain falls into (linear counting).
    sketch: [u64; 4],
    /// How many bits are set.
    set: u16,
    /// Queries for types that carry data.
    carriers: u16,
    queries: u16,
    /// Octets below the domain in names that set a bit.
    octets: u32,
    /// Octets of the answers.
    answers: u32,
    /// The sum of those names' entropies.
    bits: f32,
    /// When it is asked for.
    pub rhythm: Rhythm,
}

/// One query's share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draught {
    /// The name's hash.
    pub hash: u64,
    /// Octets below the domain.
    pub payload: u8,
    /// Their entropy.
    pub bits: f32,
    /// QTYPE.
    pub qtype: u16,
    /// The length of the answer.
    pub answer: u32,
    /// Now.
    pub seconds: u32,
}

/// What a tunnel rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Flow {
    /// Different names, estimated.
    pub names: f64,
    /// Octets in them.
    pub octets: u32,
    /// Their mean entropy, bits an octet.
    pub bits: f32,
    /// The share of queries for types that carry data.
    pub carriers: f64,
    /// Octets of the answers.
    pub answers: u32,
    /// Since when, in seconds.
    pub seconds: u32,
}

impl Pair {
    /// Takes note of a visit; gives how long ago the last one was, if there was one that is known.
    pub(super) fn visit(&mut self, seconds: u32) -> u32 {
        match std::mem::replace(&mut self.last, seconds) {
            0 => 0,
            last => seconds.saturating_sub(last),
        }
    }

    /// Takes a query; gives what there is once it is enough, and begins anew.
    pub(super) fn add(&mut self, draught: &Draught, least: u16) -> Option<Flow> {
        if draught.seconds.saturating_sub(self.since) > WINDOW {
            *self = Pair { since: draught.seconds, last: self.last, rhythm: self.rhythm, ..Pair::default() };
        }
        self.queries = self.queries.saturating_add(1);
        self.carriers = self.carriers.saturating_add(u16::from(carries(draught.qtype)));
        self.answers = self.answers.saturating_add(draught.answer);
        let bit = draught.hash >> 24;
        let (word, mask) = (&mut self.sketch[(bit >> 6) as usize & 3], 1u64 << (bit & 63));
        if *word & mask != 0 {
            return None;
        }
        *word |= mask;
        self.set += 1;
        self.octets += u32::from(draught.payload);
        self.bits += draught.bits;
        if self.set < least {
            return None;
        }
        let names = u32::from(self.set);
        let up = self.octets >= OCTETS && self.octets >= names * 16 && self.bits >= BITS * names as f32;
        // What goes down needs no long names, but types that carry data and answers that are full of it.
        let queries = u32::from(self.queries);
        let down = u32::from(self.carriers) * 10 >= queries * 6
            && self.answers >= queries * ANSWER
            && names * 2 >= queries
            && self.octets >= names * 3;
        if !(up || down) {
            return None;
        }
        let flow = Flow {
            names: estimate(self.set),
            octets: self.octets,
            bits: self.bits / names as f32,
            carriers: f64::from(self.carriers) / f64::from(self.queries),
            answers: self.answers,
            seconds: draught.seconds - self.since,
        };
        *self = Pair { since: draught.seconds, last: self.last, rhythm: self.rhythm, ..Pair::default() };
        Some(flow)
    }
}

/// NULL, TXT, CNAME, MX, KEY, CERT, NAPTR, and the types for private use, which tunnels take.
fn carries(qtype: u16) -> bool {
    matches!(qtype, 5 | 10 | 15 | 16 | 25 | 35 | 37 | 65_280..=65_534)
}

/// How many different names set so many bits (Whang and others, 1990).
fn estimate(set: u16) -> f64 {
    let empty = f64::from(SKETCH.saturating_sub(set.into()).max(1));
    f64::from(SKETCH) * (f64::from(SKETCH) / empty).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draught(n: u64, payload: u8, qtype: u16, answer: u32) -> Draught {
        let hash = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Draught { hash, payload, bits: 3.6, qtype, answer, seconds: 100_000 + n as u32 }
    }

    #[test]
    fn long_names_that_never_repeat_are_a_flow_up() {
        let mut pair = Pair::default();
        let found = (0..100).find_map(|n| pair.add(&draught(n, 50, 1, 80), 40).map(|flow| (n, flow)));
        let (at, flow) = found.unwrap_or_else(|| panic!("not found"));
        assert!(at < 60 && flow.octets >= 1_600 && (35.0..60.0).contains(&flow.names), "{at} {flow:?}");
    }

    #[test]
    fn short_names_with_full_answers_are_a_flow_down() {
        let mut pair = Pair::default();
        assert!((0..100).any(|n| pair.add(&draught(n, 8, 10, 400), 40).is_some()));
        let mut plain = Pair::default();
        assert!(!(0..1_000).any(|n| plain.add(&draught(n, 8, 1, 400), 40).is_some()));
    }

    #[test]
    fn the_same_names_again_are_none_nor_are_few_in_a_long_time() {
        let mut pair = Pair::default();
        assert!(!(0..10_000).any(|n| pair.add(&draught(n % 20, 60, 16, 400), 40).is_some()));
        let mut slow = Pair::default();
        let hourly = |n| Draught { seconds: n as u32 * 3_600, ..draught(n, 60, 1, 80) };
        assert!(!(0..1_000).any(|n| slow.add(&hourly(n), 40).is_some()));
    }
}
