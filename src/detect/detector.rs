//! The detectors together: one look at one event, in memory of fixed size, with no clock but the event's own.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::RandomState;

use crate::query::{Directory, Sighting, Source};

use super::alert::Kind;
use super::beacon::Beat;
use super::client::{Client, Outcome, Verdict};
use super::domain::Domain;
use super::finding::{Finding, Look, flow_evidence, rounded, surge_evidence};
use super::lists::Lists;
use super::model;
use super::pace::Pace;
use super::pair::{Draught, Pair};
use super::question::Question;
use super::samples::Samples;
use super::settings::Settings;
use super::table::{Found, Seat, Table};
use crate::wire::NameRef;

/// Entries of each table: about 12 MB in all.
const CLIENTS: usize = 16_384;
const PAIRS: usize = 65_536;
const DOMAINS: usize = 16_384;
const ACCOUNTS: usize = 1_024;
/// Names that need no second look; a power of two.
const NAMES: usize = 16_384;
/// Octets of a name that are made lower-case at once.
const PIECE: usize = 16;
/// How long domains are only learned before a new one is called new, in seconds.
const LEARNING: u32 = 3_600;
/// After so many seconds a visit to a domain is another.
const AGAIN: u32 = 600;
/// What a failing name that was asked for of late weighs beside one that was not: search lists repeat, floods do not.
const NEW_NAME: u32 = 10;

/// All detectors and what they remember.
pub struct Detector {
    settings: Settings,
    /// Raised with the settings, so that what was derived from them is derived anew.
    epoch: u32,
    seed: RandomState,
    lists: Lists,
    names: Vec<Known>,
    clients: Table<Client>,
    pairs: Table<Pair>,
    domains: Table<Domain>,
    accounts: Table<Pace>,
    samples: Samples,
    /// When the first event came, in seconds.
    began: u32,
    found: Vec<Finding>,
}

/// What is known of a name, in one line of the processor's cache.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(32))]
struct Known {
    name: u64,
    /// The hash of its registered domain.
    domain: u64,
    /// `None`: not looked at, as it could change nothing.
    oddness: Option<f32>,
    /// Entropy below the domain.
    bits: f32,
    /// Octets below the domain, which are also where it begins.
    payload: u8,
    class: Class,
}

/// How much of a new name is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glance {
    /// All but how odd it is.
    Short,
    /// All.
    Whole,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Class {
    /// Only counted.
    #[default]
    Exempt,
    /// In a provider's own zones.
    Provider,
    /// Looked at.
    Open,
}

impl Detector {
    /// Detectors that remember nothing yet.
    pub fn new(settings: Settings) -> Detector {
        let seed = RandomState::default();
        Detector {
            lists: Lists::new(&settings.exempt, seed.clone()),
            settings,
            epoch: 1,
            seed,
            names: vec![Known::default(); NAMES],
            clients: Table::new(CLIENTS),
            pairs: Table::new(PAIRS),
            domains: Table::new(DOMAINS),
            accounts: Table::new(ACCOUNTS),
            samples: Samples::default(),
            began: 0,
            found: Vec::new(),
        }
    }

    /// Goes by other settings from now on; what was learned stays.
    pub fn set(&mut self, settings: Settings) {
        self.lists = Lists::new(&settings.exempt, self.seed.clone());
        self.names.fill(Known::default());
        self.pairs.clear();
        self.settings = settings;
        self.epoch += 1;
    }

    /// What was found since the last call.
    pub fn take(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.found)
    }

    /// Looks at one event.
    pub fn see(&mut self, seen: &Sighting<'_>, names: &Directory) {
        let Some(question) = Question::of(seen.response) else { return };
        let seconds = (seen.unix_micros / 1_000_000) as u32;
        if self.began == 0 {
            self.began = seconds;
        }
        let client = match seen.client {
            IpAddr::V4(address) => self.seed.hash_one(address.to_bits()),
            IpAddr::V6(address) => self.seed.hash_one(address.to_bits()),
        };
        let look = Look { seen, names, question, seconds, client };
        let outcome = outcome(seen.rcode);
        let (seat, _) = self.clients.seat(client, seconds);
        let glance = if self.clients.in_seat(seat).drawn.is_full(outcome, seconds) {
            Glance::Short
        } else {
            Glance::Whole
        };
        let (known, fresh) = self.known(question.name, glance);
        self.account(&look);
        if self.client(&look, seat, outcome, fresh) == Verdict::Enough && known.class != Class::Exempt {
            self.domain(&look, seat, &known, outcome);
        }
    }

    /// What is known of a name, or what can be said at first sight.
    fn known(&mut self, name: NameRef<'_>, glance: Glance) -> (Known, Found) {
        // In whole pieces, which the compiler makes one step each.
        let (mut buffer, length) = ([[0; PIECE]; 256 / PIECE], name.wire().len());
        buffer.as_flattened_mut()[..length].copy_from_slice(name.wire());
        for piece in &mut buffer[..length.div_ceil(PIECE)] {
            piece.make_ascii_lowercase();
        }
        let lower = &buffer.as_flattened()[..length];
        let hash = self.seed.hash_one(lower);
        let slot = &mut self.names[hash as usize & (NAMES - 1)];
        let found = if slot.name == hash { Found::Known } else { Found::Fresh };
        if found == Found::Known && (slot.oddness.is_some() || glance == Glance::Short) {
            return (*slot, found);
        }
        let mut known = Known { name: hash, oddness: Some(0.0), ..Known::default() };
        if let Some(place) = self.lists.place(lower) {
            known.domain = self.seed.hash_one(&lower[place.domain..]);
            known.payload = place.domain as u8;
            if place.provider {
                known.class = Class::Provider;
            } else {
                known.class = Class::Open;
                known.oddness =
                    (glance == Glance::Whole).then(|| model::oddness(&lower[place.label], &lower[place.tld]));
                known.bits = model::entropy(&lower[..place.domain]);
            }
        }
        *slot = known;
        (known, found)
    }

    /// Counts for the account, or for the network where it has none.
    fn account(&mut self, look: &Look<'_>) {
        let Some(network) = look.seen.network.and_then(|n| look.names.networks.get(n as usize)) else {
            return;
        };
        let hash = self.seed.hash_one(network.account_id.as_deref().unwrap_or(&network.name));
        let (pace, _) = self.accounts.at(hash, look.seconds);
        let detect = &self.settings.detect;
        let surge = pace.count(look.seconds / 60, minutely(detect.change_queries) * 10, detect.change);
        if let Some(surge) = surge.filter(|_| detect.change_queries > 0) {
            let mut finding = look.finding(Kind::AccountChange, surge_evidence(surge));
            finding.client = None;
            self.tell(finding);
        }
    }

    /// Counts for the client; [`Verdict::Enough`] if there is more to look at.
    fn client(&mut self, look: &Look<'_>, seat: Seat, outcome: Outcome, fresh: Found) -> Verdict {
        let detect = &self.settings.detect;
        let client = self.clients.in_seat(seat);
        if client.epoch != self.epoch {
            client.allowed = detect.allow_clients.iter().any(|block| block.contains(&look.seen.client));
            client.epoch = self.epoch;
        }
        if client.allowed {
            return Verdict::Nothing;
        }
        let minute = look.seconds / 60;
        let surge = client.pace.count(minute, minutely(detect.change_queries), detect.change);
        let (kind, failures, floor, weight) = match look.seen.rcode {
            3 => {
                let weight = if fresh == Found::Fresh { NEW_NAME } else { 1 };
                (Kind::NxdomainStorm, &mut client.nxdomain, minutely(detect.nxdomain) * NEW_NAME, weight)
            }
            2 => (Kind::ServfailStorm, &mut client.servfail, minutely(detect.servfail), 1),
            _ => {
                if let Some(surge) = surge.filter(|_| detect.change_queries > 0) {
                    self.tell(look.finding(Kind::ClientChange, surge_evidence(surge)));
                }
                return Verdict::Enough;
            }
        };
        let storm = failures.count(minute, weight, floor) == Verdict::Enough
            && failures.count * 2 >= client.pace.queries();
        let failures = *failures;
        let queries = client.pace.queries();
        if let Some(surge) = surge.filter(|_| detect.change_queries > 0) {
            self.tell(look.finding(Kind::ClientChange, surge_evidence(surge)));
        }
        if outcome == Outcome::Missing && fresh == Found::Fresh {
            self.samples.keep(!look.client, look.question.name);
        }
        if storm {
            let evidence = BTreeMap::from([
                ("queries", f64::from(queries)),
                ("failures", f64::from(failures.count)),
                ("usual", f64::from(failures.usual().round())),
            ]);
            let mut finding = look.finding(kind, evidence);
            finding.samples = self.samples.of(!look.client);
            self.tell(finding);
        }
        Verdict::Enough
    }

    /// Looks at the client's doings with the name's registered domain.
    fn domain(&mut self, look: &Look<'_>, seat: Seat, known: &Known, outcome: Outcome) {
        let both = known.domain ^ look.client.rotate_left(17).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let detect = &self.settings.detect;
        if known.oddness.is_none() && self.pairs.note(both, look.seconds) == Found::Fresh {
            // One of a flood of new ones: nothing is kept but that it came, until it comes again.
            self.domains.at(known.domain, look.seconds).0.meet(look.client, look.seconds);
            if detect.dga > 0 {
                self.drawn(look, seat, known, outcome);
            }
            return;
        }
        let (pair, found) = self.pairs.at(both, look.seconds);
        if found == Found::Fresh {
            self.domains.at(known.domain, look.seconds).0.meet(look.client, look.seconds);
        }
        if known.class == Class::Provider {
            return;
        }
        let away = pair.visit(look.seconds);
        let mut flow = None;
        if detect.tunnel > 0 && known.payload > 0 {
            let draught = Draught {
                hash: known.name,
                payload: known.payload,
                bits: known.bits,
                qtype: look.question.qtype,
                answer: look.seen.response.len() as u32,
                seconds: look.seconds,
            };
            flow = pair.add(&draught, detect.tunnel as u16);
        }
        let regular = detect.beacon > 0
            && look.seen.source != Source::Zone
            // SOA, PTR, SRV and NS are what programs ask for that look after a network.
            && !matches!(look.question.qtype, 2 | 6 | 12 | 33)
            && pair.rhythm.tick((look.seen.unix_micros / 1_000) as u32, detect.beacon as u16) == Beat::Regular;
        // A domain that is there counts for the client again when it comes back to it later. One that is missing
        // does not: programs that were forgotten ask for the same dead domain for years.
        let again = away > AGAIN && outcome == Outcome::Exists;
        if (found == Found::Fresh || again) && detect.dga > 0 {
            self.drawn(look, seat, known, outcome);
        }
        if let Some(flow) = flow {
            let mut finding = look.finding(Kind::Tunnel, flow_evidence(&flow));
            finding.domain = look.domain(known.payload);
            finding.samples = vec![look.question.name.to_string()];
            self.tell(finding);
        }
        if regular {
            self.beacon(look, known, both);
        }
    }

    /// A domain that the client did not ask for of late: does it look drawn?
    fn drawn(&mut self, look: &Look<'_>, seat: Seat, known: &Known, outcome: Outcome) {
        let client = self.clients.in_seat(seat);
        if known.oddness > Some(1.0) || outcome == Outcome::Missing {
            self.samples.keep(look.client, look.question.name);
        }
        let least = self.settings.detect.dga as u16;
        let verdict = match known.oddness {
            Some(oddness) => client.drawn.add(oddness, outcome, least, look.seconds),
            None => client.drawn.overflow(least, look.seconds),
        };
        if verdict == Verdict::Nothing {
            return;
        }
        let drawn = client.drawn;
        client.drawn.told();
        let evidence = BTreeMap::from([
            ("domains", f64::from(drawn.domains)),
            ("unresolved", f64::from(drawn.failed)),
            ("oddness", rounded(drawn.mean_oddness())),
            ("evidence", rounded(drawn.sum())),
        ]);
        let mut finding = look.finding(Kind::GeneratedNames, evidence);
        finding.samples = self.samples.of(look.client);
        self.tell(finding);
    }

    /// A name as regular as a clock: does nobody else know it, is it new, and does no TTL explain it?
    fn beacon(&mut self, look: &Look<'_>, known: &Known, both: u64) {
        let rhythm = self.pairs.at(both, look.seconds).0.rhythm;
        let domain = *self.domains.at(known.domain, look.seconds).0;
        // In a flood it may not have been looked at.
        let (whole, _) = self.known(look.question.name, Glance::Whole);
        let is_new = domain.first() > self.began.saturating_add(LEARNING) || whole.oddness > Some(2.0);
        let by_ttl = look.question.ttl().is_some_and(|ttl| rhythm.is_of_ttl(ttl));
        if domain.clients() > 1 || !is_new || by_ttl {
            return;
        }
        let evidence = BTreeMap::from([
            ("interval_seconds", rounded(rhythm.mean / 1_000.0)),
            ("jitter", rounded(rhythm.jitter())),
            ("intervals", f64::from(self.settings.detect.beacon)),
            ("clients", f64::from(domain.clients())),
        ]);
        let mut finding = look.finding(Kind::Beacon, evidence);
        finding.domain = look.domain(known.payload);
        finding.samples = vec![look.question.name.to_string()];
        self.tell(finding);
    }

    fn tell(&mut self, finding: Finding) {
        // Whoever carries it takes what is here after each event; the bound is for one who does not.
        if self.found.len() < 1_000 {
            self.found.push(finding);
        }
    }
}

/// A rate a second as a count a minute.
fn minutely(rate: u32) -> u32 {
    rate.min(1_000_000) * 60
}

fn outcome(rcode: u16) -> Outcome {
    match rcode {
        3 => Outcome::Missing,
        2 | 5 => Outcome::Failed,
        _ => Outcome::Exists,
    }
}
