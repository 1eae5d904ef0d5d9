//! DNS cookies as a client (RFC 7873 §5, RFC 9018): what a forger who does not see our queries cannot know, 64 bits of it.
//!
//! What one server gave us is remembered with the server: one cookie, so the memory is as large as the configuration.
//!
//! - A response with another client's cookie is ignored, as one with another ID is.
//! - A response without ours, from a server that returns it, is not believed (RFC 7873 §5.3), nor is it waited past:
//!   the question goes over TCP at once, where nobody forges. If that succeeds the server is believed without cookies
//!   for a while, as cookies were switched off there or not all machines behind the address have them. Whoever forged
//!   the first had to guess ID, port and case, and has to guess them once more to gain by it.
//! - A server that returns another's over TCP too garbles them (a cache that keeps OPT records does), and so it may be
//!   with one that is believed without and says nothing that can be believed. Such a server is asked without for a while.
//! - A server that has never answered a query with a cookie and is silent, or says FORMERR, is asked without: what
//!   stands in front of it may drop what it does not know.

use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use siphasher::sip::SipHasher24;

use super::server::Memory;
use crate::exchange::Demand;
use crate::query::Now;
use crate::wire::KeptCookie;

/// How long a client cookie is used, in seconds (RFC 7873 §7.1: no more than 26 hours).
const PERIOD: u64 = 86_400;

/// Whether cookies are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookies {
    /// Wherever EDNS is.
    On,
    /// Never.
    Off,
}

/// What is known of one server's cookies.
#[derive(Debug)]
pub(super) struct Jar {
    /// Of this server alone, so that what it learns tells nothing of the cookies that others get. None without randomness.
    secret: Option<Secret>,
    shelf: Mutex<Shelf>,
    /// A query with a cookie was answered.
    tolerated: AtomicBool,
    /// It fails on them.
    fails: Memory,
    /// It does not always return them.
    omits: Memory,
}

#[derive(Debug, Default)]
struct Shelf {
    /// Its last cookie, with the one of ours that it goes with.
    last: Option<KeptCookie>,
    /// What we showed last: it is the same for a day, and made by a hash that takes its time.
    ours: Option<Ours>,
}

/// A cookie of ours, and what it was made of beside the secret.
#[derive(Debug, Clone, Copy)]
struct Ours {
    client: [u8; 8],
    source: Option<IpAddr>,
    period: u64,
}

#[derive(Clone, Copy)]
struct Secret([u8; 16]);

impl Jar {
    pub(super) fn new() -> Jar {
        let mut secret = [0; 16];
        Jar {
            secret: getrandom::fill(&mut secret).is_ok().then_some(Secret(secret)),
            shelf: Mutex::default(),
            tolerated: AtomicBool::new(false),
            fails: Memory::default(),
            omits: Memory::default(),
        }
    }

    /// Whether the server takes them, as far as we know.
    pub(super) fn is_taken(&self, now: Now) -> bool {
        self.secret.is_some() && !self.fails.is_fresh(now)
    }

    /// What to send from this address, if it is known, and what must come back.
    pub(super) fn to_send(&self, source: Option<IpAddr>, now: Now) -> Option<(KeptCookie, Demand)> {
        let secret = self.secret.as_ref()?;
        let mut shelf = self.lock();
        let period = now.monotonic.as_secs() / PERIOD;
        let is_same = |ours: &Ours| ours.period == period && ours.source == source;
        let ours = shelf.ours.filter(is_same).unwrap_or_else(|| secret.ours(source, period));
        shelf.ours = Some(ours);
        let client = ours.client;
        let Some(last) = shelf.last else {
            return Some((KeptCookie::of_client(client), Demand::Nothing));
        };
        let demand = if self.omits.is_fresh(now) { Demand::Nothing } else { Demand::Cookie };
        // A server's cookie is made for one of ours and says nothing to another (RFC 9018 §4).
        let cookie = if last.client() == client { last } else { KeptCookie::of_client(client) };
        Some((cookie, demand))
    }

    /// Takes in the cookie of a response that was accepted to a query with one.
    pub(super) fn answered(&self, cookie: Option<&KeptCookie>) {
        if !self.tolerated.load(Relaxed) {
            self.tolerated.store(true, Relaxed);
            self.fails.forget();
        }
        if let Some(cookie) = cookie.filter(|cookie| !cookie.server().is_empty()) {
            self.lock().last = Some(*cookie);
        }
    }

    /// Takes in that there was no answer in time to what may have carried one.
    pub(super) fn silent(&self, now: Now) {
        // Of one that is believed without cookies nothing is given up by sending none.
        if !self.tolerated.load(Relaxed) || self.omits.is_fresh(now) {
            self.fails.note(now);
        }
    }

    /// Takes in that a query was answered only without.
    pub(super) fn failed(&self, now: Now) {
        self.fails.note(now);
    }

    /// Takes in that a cookie of ours was missing, and what came over TCP instead.
    pub(super) fn omitted(&self, over_tcp: Option<&KeptCookie>, now: Now) {
        if !self.is_taken(now) {
            // It was found out there that they are garbled.
            return;
        }
        self.omits.note(now);
        if over_tcp.is_none() {
            self.lock().last = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secret {
    /// RFC 7873 §6 and RFC 9018 §3. Where routing chooses our address it is not known before the query is sent; the
    /// server's address is in the secret.
    fn ours(&self, source: Option<IpAddr>, period: u64) -> Ours {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write_u64(period);
        match source {
            Some(IpAddr::V4(v4)) => hasher.write(&v4.octets()),
            Some(IpAddr::V6(v6)) => hasher.write(&v6.octets()),
            None => {}
        }
        Ours { client: hasher.finish().to_le_bytes(), source, period }
    }
}

/// Secrets are not for logs.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::Cookie;
    use std::time::Duration;

    fn at(hours: u64) -> Now {
        Now { monotonic: Duration::from_secs(3600 * hours), unix_micros: 0 }
    }

    fn sent(jar: &Jar, source: Option<&str>, hours: u64) -> (KeptCookie, Demand) {
        jar.to_send(source.map(|source| source.parse().unwrap()), at(hours)).unwrap()
    }

    #[test]
    fn our_part_differs_by_server_source_and_day() {
        let (one, other) = (Jar::new(), Jar::new());
        let cookies = [
            sent(&one, None, 1).0,
            sent(&one, None, 24).0,
            sent(&one, Some("192.0.2.1"), 1).0,
            sent(&one, Some("2001:db8::1"), 1).0,
            sent(&other, None, 1).0,
        ];
        let different: std::collections::HashSet<_> = cookies.iter().map(KeptCookie::client).collect();
        assert_eq!(different.len(), cookies.len());
        assert_eq!(sent(&one, None, 23).0, cookies[0]);
    }

    #[test]
    fn what_a_server_gave_is_shown_to_it_until_our_part_changes_and_a_cookie_is_demanded_from_then_on() {
        let jar = Jar::new();
        let (first, demand) = sent(&jar, None, 1);
        assert_eq!((first.server(), demand), (&[][..], Demand::Nothing));
        let given = Cookie { client: first.client(), server: b"sixteen octets !" }.keep();
        jar.answered(Some(&given));
        jar.answered(Some(&first));
        assert_eq!(sent(&jar, None, 1), (given, Demand::Cookie));
        let (next, demand) = sent(&jar, None, 24);
        assert_eq!((next.server(), demand), (&[][..], Demand::Cookie));
    }

    #[test]
    fn silence_is_laid_on_the_cookie_only_before_the_first_answer() {
        let jar = Jar::new();
        jar.silent(at(1));
        assert!(!jar.is_taken(at(1)));
        assert!(jar.is_taken(at(2)));
        jar.silent(at(3));
        jar.answered(None);
        assert!(jar.is_taken(at(3)), "the answer was only late");
        jar.silent(at(3));
        assert!(jar.is_taken(at(3)));
    }

    #[test]
    fn silence_is_laid_on_the_cookie_where_none_is_demanded_any_more() {
        let jar = Jar::new();
        let (first, _) = sent(&jar, None, 1);
        let given = Cookie { client: first.client(), server: b"sixteen octets !" }.keep();
        jar.answered(Some(&given));
        jar.omitted(Some(&given), at(1));
        assert_eq!(sent(&jar, None, 1), (given, Demand::Nothing));
        jar.silent(at(1));
        assert!(!jar.is_taken(at(1)));
        assert_eq!(sent(&jar, None, 2), (given, Demand::Cookie), "it is tried again later");
    }
}
