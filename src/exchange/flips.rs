//! Random case (draft-vixie-dnsext-dns0x20): each letter of a QNAME is a bit more that a forger must guess.

/// Which octets of a QNAME are sent in the other case, where they are letters: a bit an octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flips([u8; 32]);

impl Flips {
    /// All as it is.
    pub(super) const NONE: Flips = Flips([0; 32]);

    /// For a name of so many octets, of what fills as many octets as are given to it.
    pub(super) fn draw<E>(length: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Flips, E> {
        let mut flips = Flips::NONE;
        fill(&mut flips.0[..length.div_ceil(8).min(32)])?;
        Ok(flips)
    }

    /// Turns the letters of a name in wire form. Its lengths are no letters: they are 63 at most.
    pub(super) fn turn(&self, name: &mut [u8]) {
        let (eights, rest) = name.as_chunks_mut::<8>();
        let whole = eights.len();
        for (nth, eight) in eights.iter_mut().enumerate() {
            *eight = self.turned(nth, *eight);
        }
        let turned = self.turned(whole, padded(rest));
        rest.copy_from_slice(&turned[..rest.len()]);
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
        let ((asked, end), (received, received_end)) = (asked.as_chunks::<8>(), received.as_chunks::<8>());
        let is_turned =
            |(nth, (asked, received)): (usize, (&[u8; 8], &[u8; 8]))| self.turned(nth, *asked) == *received;
        end.len() == received_end.len()
            && asked.len() == received.len()
            && asked.iter().zip(received).enumerate().all(is_turned)
            && self.turned(asked.len(), padded(end)) == padded(received_end)
    }

    /// The `nth` eight octets of a name. All at once, as this is done twice a query.
    fn turned(&self, nth: usize, octets: [u8; 8]) -> [u8; 8] {
        let octets = u64::from_le_bytes(octets);
        let bits = u64::from(self.0[nth % 32]);
        // Bit n becomes octet n; whatever is not zero there gets its upper bit.
        let chosen = ((bits * EACH) & 0x8040_2010_0804_0201) + OTHERS;
        let low = (octets | (0x20 * EACH)) & OTHERS;
        let from_a = low + u64::from(0x80 - b'a') * EACH;
        let beyond_z = low + u64::from(0x7F - b'z') * EACH;
        let letters = from_a & !beyond_z & !octets;
        (octets ^ ((letters & chosen & !OTHERS) >> 2)).to_le_bytes()
    }
}

/// A one in each octet.
const EACH: u64 = 0x0101_0101_0101_0101;
/// All but the upper bit of each octet.
const OTHERS: u64 = 0x7F * EACH;

/// The end of a name, with octets behind it that are no letters.
fn padded(rest: &[u8]) -> [u8; 8] {
    let mut eight = [0; 8];
    eight.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    eight
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::Name;

    /// Drawn of just these octets.
    fn draw(length: usize, octets: &[u8]) -> Flips {
        let fill = |place: &mut [u8]| {
            place.copy_from_slice(octets);
            Ok::<(), ()>(())
        };
        Flips::draw(length, fill).unwrap()
    }

    fn all() -> Flips {
        draw(255, &[0xFF; 32])
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
    fn each_octet_turns_by_its_own_bit_and_only_if_it_is_a_letter() {
        for bit in 0..24 {
            let mut bits = [0; 3];
            bits[bit / 8] = 1 << (bit % 8);
            let flips = draw(24, &bits);
            for octet in 0..=u8::MAX {
                for length in [bit + 1, 24] {
                    let mut octets = vec![octet; length];
                    flips.turn(&mut octets);
                    let mut expected = vec![octet; length];
                    if octet.is_ascii_alphabetic() {
                        expected[bit] ^= 0x20;
                    }
                    assert_eq!(octets, expected, "bit {bit} of {octet}");
                    assert!(flips.is(&vec![octet; length], &expected));
                }
            }
        }
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
        for (length, octets) in [(0, 0), (1, 1), (16, 2), (17, 3), (255, 32)] {
            assert_eq!(draw(length, &vec![0; octets]), Flips::NONE);
        }
    }
}
