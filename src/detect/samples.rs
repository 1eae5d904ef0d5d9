//! The last names that spoke for something, so that an alert can show some of them.

use crate::wire::NameRef;

/// How many are kept, all clients together.
const KEPT: usize = 256;
/// How many an alert shows.
const SHOWN: usize = 8;
/// How many octets of a name are kept.
const LENGTH: usize = 120;

/// A ring of names.
pub(super) struct Samples {
    ring: Vec<Sample>,
    at: usize,
}

#[derive(Clone)]
struct Sample {
    client: u64,
    length: u8,
    wire: [u8; LENGTH],
}

impl Default for Samples {
    fn default() -> Samples {
        Samples { ring: vec![Sample { client: 0, length: 0, wire: [0; LENGTH] }; KEPT], at: 0 }
    }
}

impl Samples {
    /// Keeps a client's name in place of the oldest; one that is very long is left out.
    pub(super) fn keep(&mut self, client: u64, name: NameRef<'_>) {
        let wire = name.wire();
        let newest = &self.ring[(self.at + KEPT - 1) % KEPT];
        let again = newest.client == client && newest.wire[..newest.length.into()] == *wire;
        if wire.len() > LENGTH || again {
            return;
        }
        let sample = &mut self.ring[self.at];
        (sample.client, sample.length) = (client, wire.len() as u8);
        sample.wire[..wire.len()].copy_from_slice(wire);
        self.at = (self.at + 1) % KEPT;
    }

    /// A client's latest names in presentation form.
    pub(super) fn of(&self, client: u64) -> Vec<String> {
        let newest_first = (1..=KEPT).map(|back| &self.ring[(self.at + KEPT - back) % KEPT]);
        let own = newest_first.filter(|sample| sample.length > 0 && sample.client == client);
        let names = own.filter_map(|sample| NameRef::parse(&sample.wire[..sample.length.into()], 0).ok());
        names.take(SHOWN).map(|name| name.to_lower().to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::Name;

    #[test]
    fn a_client_is_shown_its_latest_names_and_no_others() {
        let mut samples = Samples::default();
        for n in 0..1_000u64 {
            let name: Name = format!("n{n}.Example").parse().unwrap();
            samples.keep(n % 2 + 1, name.as_ref());
            samples.keep(n % 2 + 1, name.as_ref());
        }
        let own = samples.of(2);
        assert_eq!(own.len(), SHOWN);
        assert_eq!(own[..2], ["n999.example.", "n997.example."]);
        assert!(samples.of(3).is_empty());
    }
}
