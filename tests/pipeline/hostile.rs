//! Whatever comes: no panic, no reply larger than the client can take, none with another ID, none to a response.

use kakehashi::pipeline::Admit;
use kakehashi::wire::message::Message;
use kakehashi::wire::{RType, flag};
use proptest::prelude::*;

use crate::world::{Query, VPC, World};

const ZONE: &str = r#"
file: t.zone
www A 10.0.0.1
www A 10.0.0.2
alias CNAME www
*.wild TXT wild
old DNAME new.test.internal.
cut NS ns.cut
ns.cut A 10.0.0.3
end
[[zone]]
domain = "test.internal"
file = "t.zone"
visible-to = ["any"]
"#;

const NAMES: [&str; 6] = [
    "www.test.internal",
    "alias.test.internal",
    "a.b.wild.test.internal",
    "x.old.test.internal",
    "a.cut.test.internal",
    "test.internal",
];

/// Octets that mean much in a message.
fn octet() -> impl Strategy<Value = u8> {
    prop_oneof![prop::sample::select(vec![0u8, 1, 2, 11, 12, 41, 63, 64, 0x80, 0xC0, 0xFF]), any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn mutants_of_queries_get_a_sound_reply_or_none(
        mutants in prop::collection::vec(
            (
                0..NAMES.len(),
                prop::sample::select(vec![1u16, 5, 6, 16, 28, 33, 39, 43, 46, 255]),
                prop::collection::vec((any::<prop::sample::Index>(), octet()), 0..6),
                any::<prop::sample::Index>(),
                prop::collection::vec(octet(), 0..12),
            ),
            200,
        ),
    ) {
        let world = World::new(ZONE, &[]);
        let mut out = Vec::new();
        for (name, qtype, changes, end, tail) in mutants {
            let query = Query { qtype: RType(qtype), ..Query::a(VPC, NAMES[name]) };
            let mut packet = query.bytes();
            for (at, octet) in &changes {
                let at = at.index(packet.len());
                packet[at] = *octet;
            }
            if end.index(4) == 0 {
                packet.truncate(end.index(packet.len()));
            }
            packet.extend(tail);
            out.clear();
            let admitted = world.street.worker.admit(&packet, &query.path(), world.now(), &mut out);
            let is_response = packet.len() >= 3 && packet[2] & 0x80 != 0;
            if packet.len() < 12 || is_response {
                prop_assert_eq!(admitted, Admit::Drop);
            } else if admitted == Admit::Reply {
                let reply = Message::parse(&out).unwrap();
                prop_assert!(out.len() <= 1232 && reply.flags & flag::QR != 0);
                prop_assert_eq!(&out[..2], &packet[..2]);
            }
        }
    }
}
