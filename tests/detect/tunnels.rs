//! Names as the known ways to move data through DNS make them: alphabet, lengths, types. Written anew from what is
//! publicly known of them; nothing is encoded, the payload is random.

use super::rng::Rng;
use super::scene::Query;

/// A way to tunnel.
#[derive(Clone, Copy)]
pub struct Tunnel {
    pub name: &'static str,
    /// Milliseconds between queries.
    pub pace: u64,
    /// The label's text, the type, and how much comes back.
    draw: fn(&mut Rng) -> (String, u16, u16),
}

impl Tunnel {
    /// The next query, without its time.
    pub fn query(&self, rng: &mut Rng, domain: &str) -> Query {
        let (payload, qtype, answer) = (self.draw)(rng);
        let labels: Vec<&str> =
            payload.as_bytes().chunks(60).filter_map(|part| std::str::from_utf8(part).ok()).collect();
        let query = Query::new(0, 0, 0, format!("{}.{domain}", labels.join(".")));
        Query { qtype, answer, ttl: 0, ..query }
    }
}

const BASE32: &str = "abcdefghijklmnopqrstuvwxyz012345";
const BASE64: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
const HEX: &str = "0123456789abcdef";

pub const TUNNELS: [Tunnel; 9] = [
    Tunnel {
        name: "iodine-like, NULL, sending",
        pace: 30,
        draw: |rng| (format!("0{}", rng.text(BASE32, 190)), 10, 60),
    },
    Tunnel {
        name: "iodine-like, NULL, receiving",
        pace: 50,
        draw: |rng| (format!("p{}", rng.text(BASE32, 6)), 10, 700),
    },
    Tunnel {
        name: "iodine-like, TXT, receiving",
        pace: 50,
        draw: |rng| (format!("p{}", rng.text(BASE32, 6)), 16, 400),
    },
    Tunnel {
        name: "dnscat2-like, TXT/CNAME/MX",
        pace: 1_000,
        draw: |rng| {
            let length = 18 + 2 * rng.below(40);
            (rng.text(HEX, length), [16, 5, 15][rng.below(3)], 60)
        },
    },
    Tunnel {
        name: "dnscat2-like, idle",
        pace: 1_000,
        draw: |rng| (rng.text(HEX, 20), [16, 5, 15][rng.below(3)], 45),
    },
    Tunnel { name: "dns2tcp-like, TXT", pace: 100, draw: |rng| (rng.text(BASE64, 60), 16, 200) },
    Tunnel { name: "exfiltration by A, fast", pace: 200, draw: |rng| (rng.text(BASE32, 120), 1, 32) },
    Tunnel { name: "exfiltration by A, one in 8 s", pace: 8_000, draw: |rng| (rng.text(HEX, 40), 1, 32) },
    Tunnel {
        name: "implant's DNS channel, A/TXT",
        pace: 500,
        draw: |rng| {
            let (head, tail) = (rng.text(HEX, 36), rng.text(HEX, 8));
            (format!("post1{head}{tail}"), [1, 1, 16][rng.below(3)], 90)
        },
    },
];
