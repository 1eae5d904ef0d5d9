//! Random case (draft-vixie-dnsext-dns0x20): each letter of a QNAME is a bit more that a forger must guess.

/// Which octets of a QNAME are sent in the other case, where they are letters: a bit an octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flips([u16; 16]);

impl Flips {
    /// All as it is.
    pub(super) const NONE: Flips = Flips([0; 16]);

    /// For a name of so many octets, of random words.
    pub(super) fn draw<E>(length: usize, mut word: impl FnMut() -> Result<u16, E>) -> Result<Flips, E> {
        let mut flips = Flips::NONE;
        for bits in flips.0.iter_mut().take(length.div_ceil(16)) {
            *bits = word()?;
        }
        Ok(flips)
    }

    /// Turns the letters of a name in wire form. Its lengths are no letters: they are 63 at most.
    pub(super) fn turn(&self, name: &mut [u8]) {
        for (at, octet) in name.iter_mut().enumerate() {
            *octet = self.turned(at, *octet);
        }
    }

    /// Whether `received` is `asked` so turned; puts it back if it is.
    pub(super) fn put_back(&self, asked: &[u8], received: &mut [u8]) -> bool {
        let is_turned = self.is(asked, received);
        if is_turned {
            received.copy_from_slice(asked);
        }
        is_turned
    }

    /// Whether `received` is `asked` so turned.
    pub(super) fn is(&self, asked: &[u8], received: &[u8]) -> bool {
        asked.len() == received.len() && (0..asked.len()).all(|at| self.turned(at, asked[at]) == received[at])
    }

    fn turned(&self, at: usize, octet: u8) -> u8 {
        let is_flipped = self.0[at / 16 % 16] >> (at % 16) & 1 == 1;
        if is_flipped && octet.is_ascii_alphabetic() { octet ^ 0x20 } else { octet }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::Name;

    fn all() -> Flips {
        Flips::draw(255, || Ok::<u16, ()>(u16::MAX)).unwrap()
    }

    #[test]
    fn letters_turn_and_nothing_else_does() {
        let asked: Name = "dc-01.Technova.local".parse().unwrap();
        let mut name = asked.wire().to_vec();
        all().turn(&mut name);
        assert_eq!(Name::from_wire(&name).unwrap().to_string(), "DC-01.tECHNOVA.LOCAL.");
        assert!(all().put_back(asked.wire(), &mut name));
        assert_eq!(name, asked.wire());
    }

    #[test]
    fn one_letter_in_the_wrong_case_is_another_name() {
        let asked: Name = "dc01.technova.local".parse().unwrap();
        let mut name = asked.wire().to_vec();
        all().turn(&mut name);
        name[1] ^= 0x20;
        let received = name.clone();
        assert!(!all().put_back(asked.wire(), &mut name));
        assert_eq!(name, received);
    }

    #[test]
    fn no_more_randomness_is_drawn_than_there_are_octets() {
        let mut drawn = 0;
        let count = || {
            drawn += 1;
            Ok::<u16, ()>(0)
        };
        assert_eq!(Flips::draw(17, count).unwrap(), Flips::NONE);
        assert_eq!(drawn, 2);
    }
}
