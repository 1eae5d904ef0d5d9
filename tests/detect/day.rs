//! An ordinary day of a hundred networks: Active Directory, AWS, the web, mail, containers, agents and health checks,
//! by the rhythm of people. Nothing in it should be told, and much of it looks odd.

use std::ops::Range;

use super::rng::Rng;
use super::scene::Query;
use super::words::{ROMAJI, WORDS};
use kakehashi::query::Source;

pub const NETWORKS: u32 = 100;
/// Hosts of a network.
const HOSTS: usize = 40;
const MINUTE: u64 = 60_000_000;
/// 2026-11-02T00:00:00Z, a Monday.
const BEGIN: u64 = 1_793_577_600_000_000;
const ALNUM: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &str = "0123456789abcdef";
const SRV: u16 = 33;
const TXT: u16 = 16;
const PTR: u16 = 12;

/// The domains that people have, and what programs drew for providers.
pub struct Day {
    rng: Rng,
    web: Vec<String>,
    odd: Vec<String>,
    drawn: Vec<String>,
    guid: String,
}

/// The part of an hour's traffic that each hour of the day has.
const RHYTHM: [u64; 24] =
    [10, 8, 8, 8, 9, 10, 15, 30, 70, 95, 100, 95, 75, 90, 100, 98, 95, 90, 75, 55, 40, 30, 20, 14];

impl Day {
    pub fn new(seed: u64) -> Day {
        let mut rng = Rng::new(seed);
        let text = include_str!("domains.txt");
        let web = text.lines().filter(|line| !line.starts_with('#')).map(ToOwned::to_owned).collect();
        let odd = (0..60).map(|_| format!("{}.com", rng.text(ALNUM, 7))).collect();
        let drawn = (0..3_000).map(|n| drawn(n, &mut rng)).collect();
        Day { rng, web, odd, drawn, guid: "3f2504e0-4f89-41d3-9a0c-0305e82c3301".into() }
    }

    /// Plays the whole day, with so many million doings of people, each of a few queries, beside what programs ask by
    /// themselves; gives how many queries there were.
    pub fn play(self, doings: f64, see: impl FnMut(&Query)) -> u64 {
        self.play_minutes(0..1_440, doings, see)
    }

    /// Plays a part of it.
    pub fn play_minutes(mut self, minutes: Range<u64>, doings: f64, mut see: impl FnMut(&Query)) -> u64 {
        let shares: u64 = RHYTHM.iter().sum::<u64>() * 60;
        let mut queries = Vec::new();
        let mut played = 0;
        for minute in minutes {
            let now = BEGIN + minute * MINUTE;
            self.programs(minute, now, &mut queries);
            let many = (doings * 1e6 * RHYTHM[minute as usize / 60] as f64 / shares as f64) as usize;
            for _ in 0..many {
                self.person(now, &mut queries);
            }
            queries.sort_by_key(|query| query.micros);
            played += queries.len() as u64;
            queries.drain(..).for_each(|query| see(&query));
        }
        played
    }

    /// Somebody does something: a few names, closely together.
    fn person(&mut self, now: u64, queries: &mut Vec<Query>) {
        let at = now + self.rng.next() % (MINUTE - 1_000_000);
        let network = self.rng.below(NETWORKS as usize) as u32;
        let host = 10 + self.rng.below(HOSTS) as u8;
        let ask = |name: String| Query::new(at, network, host, name);
        match self.rng.below(100) {
            0..25 => self.directory(&ask, queries),
            25..55 => {
                let name =
                    self.drawn[(network as usize * 29 + self.rng.below(60)) % self.drawn.len()].clone();
                queries.push(ask(name));
                queries.push(ask(format!(
                    "{}.ap-northeast-1.amazonaws.com",
                    self.rng.pick(&["logs", "ssm", "sts", "monitoring"])
                )));
            }
            55..90 => self.web(&ask, queries),
            90..95 => {
                let [a, b, c, d] = std::array::from_fn(|_| self.rng.below(256));
                let query = ask(format!("{a}.{b}.{c}.{d}.in-addr.arpa")).of_type(PTR);
                queries.push(if self.rng.chance(0.3) { query.missing() } else { query });
            }
            95..97 => {
                // A browser looks whether its network answers for names that are not there.
                for _ in 0..3 {
                    let length = 7 + self.rng.below(8);
                    let name = self.rng.text("abcdefghijklmnopqrstuvwxyz", length);
                    queries.push(ask(name.clone()).missing());
                    queries.push(ask(format!("{name}.technova.local")).missing());
                }
            }
            97..99 => {
                let session = self.rng.text(HEX, 32);
                let vendor =
                    self.rng.pick(&["telemetry.vendor-one.com", "in.applytics.io", "t.metricshouse.net"]);
                queries.push(ask(format!("{session}.{vendor}")));
            }
            _ => {
                let octets: Vec<String> = (0..32).map(|_| self.rng.text(HEX, 1)).collect();
                queries.push(ask(format!("{}.ip6.arpa", octets.join("."))).of_type(PTR).missing());
            }
        }
    }

    fn directory(&mut self, ask: &impl Fn(String) -> Query, queries: &mut Vec<Query>) {
        let guid = self.guid.clone();
        let host = self.rng.below(4_000);
        for name in [
            "_ldap._tcp.dc._msdcs.technova.local".to_owned(),
            format!("_ldap._tcp.{guid}.domains._msdcs.technova.local"),
            "_kerberos._tcp.tokyo._sites.dc._msdcs.technova.local".to_owned(),
        ] {
            queries.push(ask(name).of_type(SRV));
        }
        queries.push(ask(format!("dc0{}.technova.local", 1 + host % 3)));
        queries.push(ask(format!("pc{host:05}.technova.local")));
        if host.is_multiple_of(3) {
            queries.push(ask("wpad.technova.local".into()).missing());
        }
    }

    fn web(&mut self, ask: &impl Fn(String) -> Query, queries: &mut Vec<Query>) {
        // Few domains are asked for much and many seldom.
        let rank =
            (self.web.len() as f64).powf((self.rng.below(10_000) as f64 + 1.0) / 10_000.0) as usize - 1;
        let domain = self.web[rank.min(self.web.len() - 1)].clone();
        queries.push(ask(format!("www.{domain}")));
        queries.push(ask(format!("www.{domain}")).of_type(28));
        match self.rng.below(20) {
            0..3 => {
                let head = self.rng.text(HEX, 8);
                queries.push(ask(format!("{head}.{}", self.odd[rank % self.odd.len()])));
            }
            3..6 => {
                let head = self.rng.text(ALNUM, 8);
                queries.push(ask(format!("r{}---sn-{head}.googlevideo.com", rank % 9)));
            }
            6..8 => queries.push(ask(format!("e{rank}.dscb.akamaiedge.net"))),
            8 => queries.push(ask(format!("img-{}.cdn.{domain}", self.rng.below(40)))),
            9 => {
                // A slip of the finger: one letter is another.
                let at = self.rng.below(domain.find('.').unwrap_or(1).max(1));
                let mut slip = domain.into_bytes();
                slip[at] = self.rng.text("abcdefghijklmnopqrstuvwxyz", 1).as_bytes()[0];
                if self.rng.chance(0.3) {
                    queries.push(ask(String::from_utf8_lossy(&slip).into_owned()).missing());
                }
            }
            _ => {}
        }
    }

    /// What programs do by themselves.
    fn programs(&mut self, minute: u64, now: u64, queries: &mut Vec<Query>) {
        for network in 0..NETWORKS {
            // Health checks, every ten seconds, of our own services and of a partner's.
            for second in (0..60u64).step_by(10) {
                let at = now + second * 1_000_000 + u64::from(network) * 997;
                let own = Query::new(at, network, 2, "planning.manufacturing.technova.internal").with_ttl(60);
                queries.push(Query { source: Source::Zone, ..own });
                if network % 10 == 0 && second % 30 == 0 {
                    queries.push(
                        Query::new(at + 5, network, 2, format!("api.partner-{network}.com")).with_ttl(60),
                    );
                }
            }
            // An agent on each server asks once a minute for its vendor, a resolver again when the TTL is over.
            for host in 3..6u8 {
                let at = now + u64::from(network) * 300_000 + u64::from(host) * 7_000_000;
                queries.push(Query::new(at, network, host, "intake.logs.observing.io"));
                if minute % 5 == u64::from(host) % 5 && network % 5 == 0 {
                    let name = format!("mirror-{host}.appliance{network}.net");
                    queries.push(Query::new(at, network, host, name).with_ttl(300));
                }
                // Servers look for their domain controllers every quarter of an hour, on the second.
                if minute.is_multiple_of(15) {
                    let name = format!("_ldap._tcp.{}.domains._msdcs.corp.technova-mfg.jp", self.guid);
                    queries.push(Query::new(at, network, host, name).of_type(SRV));
                }
            }
        }
        // One appliance is switched on at noon: it alone asks for its maker, when the TTL is over, or with jitter.
        if minute >= 720 {
            let jitter = self.rng.next() % 40_000_000;
            queries.push(Query::new(now + jitter, 7, 9, "update.scanner-maker.de").with_ttl(3_600));
            if minute.is_multiple_of(5) {
                queries.push(Query::new(now + jitter / 1_000, 8, 9, "check.printer-maker.fi").with_ttl(300));
            }
        }
        self.mail(now, queries);
        self.crawler(now, queries);
        self.containers(now, queries);
        if minute % 60 == 10 {
            // The job of every hour reads from many buckets.
            for n in 0..1_500u64 {
                let name = self.drawn[(n as usize * 7) % self.drawn.len()].clone();
                queries.push(Query::new(now + n * 39_000, 11, 7, name));
            }
        }
        if (600..610).contains(&minute) {
            // A program that was misconfigured asks for the same missing name twenty times a second.
            for n in 0..1_200u64 {
                queries
                    .push(Query::new(now + n * 49_000, 12, 8, "old-db.decommissioned-vendor.com").missing());
            }
        }
    }

    /// A mail server: block lists, policies, and senders whose domain does not exist.
    fn mail(&mut self, now: u64, queries: &mut Vec<Query>) {
        for n in 0..20 {
            let at = now + n * 2_900_000;
            let [a, b, c, d] = std::array::from_fn(|_| self.rng.below(256));
            queries.push(Query::new(at, 0, 200, format!("{a}.{b}.{c}.{d}.zen.spamhaus.org")).missing());
            queries.push(Query::new(at, 0, 200, format!("{a}.{b}.{c}.{d}.in-addr.arpa")).of_type(PTR));
            let sender = self.web[self.rng.below(self.web.len())].clone();
            let key = self.rng.pick(&["s1", "google", "selector1", "k1"]);
            queries.push(Query::new(at, 0, 200, sender.clone()).of_type(TXT));
            queries.push(Query::new(at, 0, 200, format!("{key}._domainkey.{sender}")).of_type(TXT));
            if n % 8 == 0 {
                let made = format!("{}-{}.com", self.rng.pick(&WORDS), self.rng.pick(&WORDS));
                queries.push(Query::new(at, 0, 200, made).missing());
            }
        }
    }

    /// Something that follows links: many domains, some long gone.
    fn crawler(&mut self, now: u64, queries: &mut Vec<Query>) {
        for n in 0..60 {
            let tail = if n % 2 == 0 { self.rng.pick(&WORDS) } else { self.rng.pick(&ROMAJI) };
            let site = format!("{}{tail}.{}", self.rng.pick(&ROMAJI), ["com", "co.jp"][n as usize % 2]);
            let query = Query::new(now + n * 970_000, 1, 201, site);
            queries.push(if self.rng.chance(0.06) { query.missing() } else { query });
        }
    }

    /// Containers whose search list is tried first (ndots:5).
    fn containers(&mut self, now: u64, queries: &mut Vec<Query>) {
        for n in 0..90 {
            let (at, host) = (now + n * 660_000, 210 + (n % 4) as u8);
            let name = self.drawn[self.rng.below(40)].clone();
            for suffix in [
                "shop.svc.cluster.local",
                "svc.cluster.local",
                "cluster.local",
                "ap-northeast-1.compute.internal",
            ] {
                queries.push(Query::new(at, 2, host, format!("{name}.{suffix}")).missing());
            }
            queries.push(Query::new(at, 2, host, name));
        }
    }
}

/// A name that a provider's program drew.
pub fn drawn(n: usize, rng: &mut Rng) -> String {
    let region = ["ap-northeast-1", "ap-northeast-3", "us-east-1", "eu-west-1"][n % 4];
    match n % 12 {
        0 => format!("internal-api-{}.{region}.elb.amazonaws.com", rng.below(2_000_000_000)),
        1 => format!("{}.execute-api.{region}.amazonaws.com", rng.text(ALNUM, 10)),
        2 => format!("aurora-orders.cluster-{}.{region}.rds.amazonaws.com", rng.text(ALNUM, 12)),
        3 => format!("{:012}.dkr.ecr.{region}.amazonaws.com", rng.next() % 1_000_000_000_000),
        4 => format!("technova-{}-{}.s3.{region}.amazonaws.com", rng.pick(&WORDS), rng.text(HEX, 12)),
        5 => format!("d{}.cloudfront.net", rng.text(ALNUM, 13)),
        6 => format!("vpce-{}-{}.s3.{region}.vpce.amazonaws.com", rng.text(HEX, 17), rng.text(ALNUM, 8)),
        7 => format!("prod-{region}-starport-layer-bucket.s3.{region}.amazonaws.com"),
        8 => format!("{}.lambda-url.{region}.on.aws", rng.text(ALNUM, 32)),
        9 => format!("master.redis-{}.{}.apne1.cache.amazonaws.com", rng.text(ALNUM, 6), rng.text(ALNUM, 6)),
        10 => format!("ec2-{}-{}-3-9.{region}.compute.amazonaws.com", rng.below(256), rng.below(256)),
        _ => format!("{}.gr7.{region}.eks.amazonaws.com", rng.text("0123456789ABCDEF", 32)),
    }
}
