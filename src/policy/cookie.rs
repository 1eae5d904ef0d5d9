//! DNS cookies as a server (RFC 7873): a client that shows the cookie we gave its address has not forged the address.
//!
//! Server cookies are those of RFC 9018 §4, so that the nodes behind one address, of whatever make, can check each
//! other's if they share a secret. Nothing is stored for a client. Time is the clock of the world, as the cookie's is;
//! a clock that jumps makes cookies worthless for a while, and clients get new ones with the next reply.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;
use siphasher::sip128::{Hasher128, SipHasher24 as SipHasher24Wide};

use crate::query::Now;
use crate::wire::Cookie;

/// The key of SipHash.
pub type Secret = [u8; 16];

/// RFC 9018 §4.3: a cookie of the last hour is good, one from the future by five minutes at most; after half an hour a
/// new one is given.
const GOOD: i64 = 3600;
const AHEAD: i64 = 300;
const FRESH: i64 = 1800;
/// How long a secret of our own makes cookies, in seconds.
const PERIOD: u32 = 86_400;

/// Where the keys come from.
#[derive(Clone, PartialEq, Eq)]
pub enum Secrets {
    /// Drawn at start. A key is derived from it for each day, and the time in a cookie says which day's it was made with.
    Own(Secret),
    /// Given by the operator: the first makes cookies, all check them (RFC 9018 §5).
    Shared(Vec<Secret>),
}

/// What a query's cookie is worth, and the one to answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Whether the client showed a cookie of ours.
    pub proof: Proof,
    /// The value of the COOKIE option of the reply.
    pub reply: [u8; 24],
}

/// A cookie of ours: its age in seconds, and which of the keys made it.
#[derive(Clone, Copy)]
struct Shown {
    age: i64,
    key: usize,
}

/// What a cookie says of its sender's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It is his own.
    Given,
    /// Nothing: he showed none of ours yet.
    Missing,
    /// Nothing: what he showed is old or not ours.
    Wrong,
}

impl Secrets {
    /// Looks at a query's cookie.
    pub fn check(&self, cookie: &Cookie<'_>, client: IpAddr, now: Now) -> Checked {
        let seconds = (now.unix_micros / 1_000_000) as u32;
        let shown = self.read(cookie, client, seconds);
        let mut reply = [0; 24];
        reply[..8].copy_from_slice(&cookie.client);
        match (shown, <[u8; 16]>::try_from(cookie.server)) {
            (Some(Shown { age: ..FRESH, key: 0 }), Ok(server)) => reply[8..].copy_from_slice(&server),
            _ => reply[8..].copy_from_slice(&self.make(cookie.client, client, seconds)),
        }
        let proof = match shown {
            Some(_) => Proof::Given,
            None if cookie.server.is_empty() => Proof::Missing,
            None => Proof::Wrong,
        };
        Checked { proof, reply }
    }

    /// Reads a cookie of ours that is still good.
    fn read(&self, cookie: &Cookie<'_>, client: IpAddr, seconds: u32) -> Option<Shown> {
        let server: &[u8; 16] = cookie.server.try_into().ok()?;
        let (head, hash) = server.split_first_chunk::<8>()?;
        // Version 1; the three octets behind it are covered by the hash, whatever they are.
        if head[0] != 1 {
            return None;
        }
        let made = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        // Serial number arithmetic, as RFC 9018 §4.3 asks: it works beyond 2106.
        let age = i64::from(seconds.wrapping_sub(made).cast_signed());
        if !(-AHEAD..=GOOD).contains(&age) {
            return None;
        }
        let is_ours = |secret: &Secret| same(mac(secret, cookie.client, *head, client), hash);
        let key = match self {
            Secrets::Own(root) => is_ours(&of_day(root, made / PERIOD)).then_some(0),
            Secrets::Shared(secrets) => secrets.iter().position(is_ours),
        };
        key.map(|key| Shown { age, key })
    }

    fn make(&self, client_cookie: [u8; 8], client: IpAddr, seconds: u32) -> [u8; 16] {
        let secret = match self {
            Secrets::Own(root) => of_day(root, seconds / PERIOD),
            Secrets::Shared(secrets) => secrets.first().copied().unwrap_or_default(),
        };
        let mut cookie = [0; 16];
        cookie[0] = 1;
        cookie[4..8].copy_from_slice(&seconds.to_be_bytes());
        let head: [u8; 8] = [1, 0, 0, 0, cookie[4], cookie[5], cookie[6], cookie[7]];
        cookie[8..].copy_from_slice(&mac(&secret, client_cookie, head, client));
        cookie
    }
}

/// Secrets are not for logs.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Secrets::Own(_) => "Own",
            Secrets::Shared(_) => "Shared",
        })
    }
}

/// RFC 9018 §4.4: SipHash-2-4 of client cookie, version, reserved, timestamp, and the client's address.
fn mac(secret: &Secret, client_cookie: [u8; 8], head: [u8; 8], client: IpAddr) -> [u8; 8] {
    let mut hasher = SipHasher24::new_with_key(secret);
    hasher.write(&client_cookie);
    hasher.write(&head);
    match client {
        IpAddr::V4(v4) => hasher.write(&v4.octets()),
        IpAddr::V6(v6) => hasher.write(&v6.octets()),
    }
    hasher.finish().to_le_bytes()
}

/// The key of a day. Who learns one learns neither the root nor another day's.
fn of_day(root: &Secret, day: u32) -> Secret {
    let mut hasher = SipHasher24Wide::new_with_key(root);
    hasher.write_u32(day);
    hasher.finish128().as_bytes()
}

/// Compares in the same time wherever the difference lies.
fn same(one: [u8; 8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn octets<const N: usize>(hex: &str) -> [u8; N] {
        std::array::from_fn(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap())
    }

    fn at(seconds: u64) -> Now {
        Now { monotonic: std::time::Duration::ZERO, unix_micros: seconds * 1_000_000 }
    }

    fn cookie(whole: &[u8]) -> Cookie<'_> {
        let (client, server) = whole.split_first_chunk().unwrap();
        Cookie { client: *client, server }
    }

    /// RFC 9018 Appendix A: clients, secrets, cookies and times as they stand there.
    #[test]
    fn the_cookies_of_rfc_9018_are_made_and_checked_octet_by_octet() {
        let ours = octets("e5e973e5a6b2a43f48e7dc849e37bfcf");
        let (new, old) =
            (octets("445536bcd2513298075a5d379663c962"), octets("dd3bdf9344b678b185a6f5cb60fca715"));
        let secrets = Secrets::Shared(vec![ours]);
        let v4: IpAddr = "198.51.100.100".parse().unwrap();

        // A.1: a new client.
        let first = secrets.check(&cookie(&octets::<8>("2464c4abcf10c957")), v4, at(1_559_731_985));
        assert_eq!(first.proof, Proof::Missing);
        assert_eq!(first.reply, octets("2464c4abcf10c957010000005cf79f111f8130c3eee29480"));

        // A.2: the same, 40 minutes later: good, and renewed.
        let renewed = secrets.check(&cookie(&first.reply), v4, at(1_559_734_385));
        assert_eq!(renewed.proof, Proof::Given);
        assert_eq!(renewed.reply, octets("2464c4abcf10c957010000005cf7a871d4a564a1442aca77"));

        // A.3: another server's, with reserved bits that are not 0.
        let shown = octets::<24>("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
        let v4: IpAddr = "203.0.113.203".parse().unwrap();
        let checked = secrets.check(&cookie(&shown), v4, at(1_559_727_985));
        assert_eq!((checked.proof, checked.reply), (Proof::Given, shown));
        let renewed = secrets.check(&cookie(&shown), v4, at(1_559_734_700));
        assert_eq!(renewed.proof, Proof::Wrong, "older than an hour");
        assert_eq!(renewed.reply, octets("fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"));

        // A.4: IPv6, and a secret that was rolled over: a cookie of the old one is good, and replaced.
        let v6: IpAddr = "2001:db8:220:1:59de:d0f4:8769:82b8".parse().unwrap();
        let shown = octets::<24>("22681ab97d52c298010000005cf7c57926556bd0934c72f8");
        let rolled = Secrets::Shared(vec![new, old]);
        let checked = rolled.check(&cookie(&shown), v6, at(1_559_741_961));
        assert_eq!(checked.proof, Proof::Given);
        assert_eq!(checked.reply, octets("22681ab97d52c298010000005cf7c609a6bb79d16625507a"));
        let after = Secrets::Shared(vec![new]);
        assert_eq!(after.check(&cookie(&shown), v6, at(1_559_741_961)).proof, Proof::Wrong);
    }

    #[test]
    fn a_cookie_is_worth_nothing_from_another_address_client_time_or_server() {
        let (secrets, client) = (Secrets::Own([1; 16]), "192.0.2.1".parse().unwrap());
        let now = 1_800_000_000;
        let given = secrets.check(&cookie(&[9; 8]), client, at(now)).reply;
        let proof = |secrets: &Secrets, given: &[u8], client: IpAddr, now| {
            secrets.check(&cookie(given), client, at(now)).proof
        };
        assert_eq!(proof(&secrets, &given, client, now + 3600), Proof::Given);
        assert_eq!(proof(&secrets, &given, client, now + 3601), Proof::Wrong);
        assert_eq!(proof(&secrets, &given, client, now - 300), Proof::Given);
        assert_eq!(proof(&secrets, &given, client, now - 301), Proof::Wrong);
        assert_eq!(proof(&secrets, &given, "192.0.2.2".parse().unwrap(), now), Proof::Wrong);
        assert_eq!(proof(&Secrets::Own([2; 16]), &given, client, now), Proof::Wrong);
        for at in 0..24 {
            let mut forged = given;
            forged[at] ^= 1;
            assert_eq!(proof(&secrets, &forged, client, now), Proof::Wrong, "octet {at}");
        }
        let long = [&given[..], &[0]].concat();
        assert_eq!(proof(&secrets, &long, client, now), Proof::Wrong);
    }

    #[test]
    fn the_key_of_our_own_changes_by_the_day_and_yesterdays_cookies_live_out_their_hour() {
        let (secrets, client) = (Secrets::Own([1; 16]), "192.0.2.1".parse().unwrap());
        let midnight = 86_400 * 20_000;
        let given = secrets.check(&cookie(&[9; 8]), client, at(midnight - 10)).reply;
        assert_eq!(secrets.check(&cookie(&given), client, at(midnight + 10)).proof, Proof::Given);
        assert_ne!(of_day(&[1; 16], 19_999), of_day(&[1; 16], 20_000));
    }
}
