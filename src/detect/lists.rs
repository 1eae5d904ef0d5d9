//! Domains that the detectors know something about, from the configuration and from this file.
//!
//! The lists here are short and say why a domain is in them; what is missing belongs into `allow-domains`.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::wire::Name;

/// What is known about the names at or below a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Anybody may have a name here.
    Suffix,
    /// Its owner runs every server of every name here, so no stranger can receive what is asked for.
    Provider,
    /// Names here say nothing: our own, those that the operator allows, those that are made from data by design.
    Exempt,
}

/// Second-level labels below two-letter top-level domains where registrations begin at the third level.
const SECOND_LEVEL: [&[u8]; 19] = [
    b"co", b"com", b"ac", b"ne", b"or", b"go", b"gov", b"gob", b"edu", b"net", b"org", b"ad", b"ed", b"gr",
    b"lg", b"ltd", b"plc", b"sch", b"mil",
];

/// Dynamic DNS and hosting: everybody may have a name below, so the name begins there.
const SUFFIXES: [&str; 26] = [
    "dyndns.org",
    "dyndns.info",
    "dynserv.com",
    "ddns.net",
    "duckdns.org",
    "no-ip.org",
    "no-ip.com",
    "no-ip.biz",
    "hopto.org",
    "zapto.org",
    "sytes.net",
    "myftp.org",
    "serveftp.com",
    "mooo.com",
    "yi.org",
    "afraid.org",
    "chickenkiller.com",
    "dynu.net",
    "dynv6.net",
    "changeip.com",
    "ath.cx",
    "homeip.net",
    "eu.org",
    "us.to",
    "blogspot.com",
    "github.io",
];

/// Large providers whose names below are all in zones of their own: identifiers there are drawn by programs, and
/// nobody else can be delegated one to receive data through.
#[rustfmt::skip]
const PROVIDERS: [&str; 60] = [
    "amazonaws.com", "amazonaws.com.cn", "cloudfront.net", "aws.dev", "awsapps.com", "elasticbeanstalk.com", "awsglobalaccelerator.com",
    "api.aws", "on.aws", "amazon.com", "a2z.com", "amazontrust.com", "awsdns.com", "amplifyapp.com",
    "azure.com", "azure.net", "azurewebsites.net", "azureedge.net", "windows.net", "windows.com", "trafficmanager.net",
    "microsoft.com", "microsoftonline.com", "office.com", "office365.com", "office.net", "msedge.net", "live.com", "skype.com",
    "sharepoint.com", "outlook.com", "windowsupdate.com", "azurefd.net",
    "google.com", "googleapis.com", "googleusercontent.com", "googlevideo.com", "gstatic.com", "doubleclick.net", "gvt1.com", "gvt2.com",
    "1e100.net", "youtube.com", "googlesyndication.com",
    "akamai.net", "akamaiedge.net", "akamaihd.net", "edgekey.net", "edgesuite.net", "akadns.net", "akamaized.net",
    "fastly.net", "fastlylb.net", "cloudflare.com", "cloudflare.net", "cdn77.org", "apple.com", "icloud.com", "fbcdn.net", "facebook.com",
];

/// Services that are asked through DNS itself: what is looked up is put into the name.
#[rustfmt::skip]
const LOOKUPS: [&str; 30] = [
    "spamhaus.org", "spamhaus.net", "spamcop.net", "dnsbl.sorbs.net", "barracudacentral.org", "surbl.org", "uribl.com", "dnswl.org",
    "senderscore.com", "mailspike.net", "abuseat.org", "psbl.surriel.com", "invaluement.com", "abuse.ch", "cymru.com", "habeas.com",
    "mcafee.com", "trellix.com", "sophosxl.net", "sophosxl.com", "e5.sk", "eset.com", "trendmicro.com", "bitdefender.net",
    "kaspersky.com", "fsapi.com", "webroot.com", "brightcloud.com", "opendns.com", "clamav.net",
];

/// Names that never leave the house, and reverse names, which are addresses.
const PRIVATE: [&str; 14] = [
    "arpa",
    "local",
    "internal",
    "lan",
    "home",
    "corp",
    "localdomain",
    "localhost",
    "private",
    "intranet",
    "test",
    "invalid",
    "onion",
    "consul",
];

/// Domains by their hash.
pub(super) struct Lists {
    table: HashTable<(Name, Standing)>,
    /// A bit for each [shape] of a domain in the table: most names are told by it to be in no list.
    shapes: [u64; SHAPES / 64],
    seed: RandomState,
}

/// How many shapes a domain may have.
const SHAPES: usize = 1 << 13;

/// How long a domain is, and the first letter of it.
fn shape(wire: &[u8]) -> usize {
    usize::from(wire.get(1).copied().unwrap_or(0) & 31) << 8 | (wire.len() & 0xff)
}

impl Lists {
    /// The built-in lists, with the domains that are served or forwarded by name here, and those that are allowed.
    pub(super) fn new(own: &[Name], seed: RandomState) -> Lists {
        let mut lists = Lists { table: HashTable::new(), shapes: [0; SHAPES / 64], seed };
        let built_in: [(&[&str], Standing); 4] = [
            (&SUFFIXES, Standing::Suffix),
            (&PROVIDERS, Standing::Provider),
            (&LOOKUPS, Standing::Exempt),
            (&PRIVATE, Standing::Exempt),
        ];
        for (domains, standing) in built_in {
            for name in domains.iter().filter_map(|text| text.parse::<Name>().ok()) {
                lists.set(name, standing);
            }
        }
        for name in own {
            lists.set(name.as_ref().to_lower(), Standing::Exempt);
        }
        lists
    }

    fn set(&mut self, name: Name, standing: Standing) {
        let (hash, shape) = (self.seed.hash_one(name.wire()), shape(name.wire()));
        self.shapes[shape / 64] |= 1 << (shape % 64);
        let (table, seed) = (&mut self.table, &self.seed);
        match table.find_mut(hash, |(known, _)| *known == name) {
            Some((_, known)) => *known = standing,
            None => {
                table.insert_unique(hash, (name, standing), |(name, _)| seed.hash_one(name.wire()));
            }
        }
    }

    fn find(&self, wire: &[u8]) -> Option<Standing> {
        let shape = shape(wire);
        if self.shapes[shape / 64] & 1 << (shape % 64) == 0 {
            return None;
        }
        let hash = self.seed.hash_one(wire);
        self.table.find(hash, |(name, _)| name.wire() == wire).map(|(_, standing)| *standing)
    }

    /// Where the registered domain begins in a lower-case name's wire form, and how the name stands; `None`: it has none.
    pub(super) fn place(&self, wire: &[u8]) -> Option<Place> {
        // Where the last eight labels begin, in turn; more than seven no list has.
        let (mut starts, mut count, mut at) = ([0u8; 8], 0, 0);
        while wire[at] != 0 {
            starts[count % 8] = at as u8;
            count += 1;
            at += 1 + usize::from(wire[at]);
        }
        let start = |nth: usize| usize::from(starts[(count - nth) % 8]);
        let mut suffix = 1;
        if count >= 3 && wire[start(1)] == 2 {
            let second = &wire[start(2) + 1..start(1)];
            suffix += usize::from(SECOND_LEVEL.contains(&second));
        }
        let mut best = None;
        for labels in 1..=count.min(6) {
            match self.find(&wire[start(labels)..]) {
                Some(Standing::Suffix) => suffix = labels,
                Some(standing) => best = Some(standing),
                None => {}
            }
        }
        if best == Some(Standing::Exempt) || count <= suffix {
            return None;
        }
        let (domain, below) = (start(suffix + 1), start(suffix));
        Some(Place {
            domain,
            label: domain + 1..below,
            tld: start(1) + 1..wire.len() - 1,
            provider: best.is_some(),
        })
    }
}

/// Where things are in a name's wire form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The registered domain begins here.
    pub domain: usize,
    /// Its own label.
    pub label: std::ops::Range<usize>,
    /// The top-level domain.
    pub tld: std::ops::Range<usize>,
    /// Whether nobody but a provider can have a server here.
    pub provider: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::NameRef;

    fn domain(text: &str) -> Option<String> {
        let own = ["technova.com".parse().unwrap(), "mcafee.example".parse().unwrap()];
        let name: Name = text.parse().unwrap();
        let place = Lists::new(&own, RandomState::default()).place(name.wire())?;
        let rest = NameRef::parse(name.wire(), place.domain).unwrap().to_string();
        Some(if place.provider { format!("provider {rest}") } else { rest })
    }

    #[test]
    fn a_registered_domain_is_one_label_below_where_registrations_begin() {
        assert_eq!(domain("www.example.com").unwrap(), "example.com.");
        assert_eq!(domain("example.com").unwrap(), "example.com.");
        assert_eq!(domain("a.b.example.co.jp").unwrap(), "example.co.jp.");
        assert_eq!(domain("co.jp").unwrap(), "co.jp.", "a name of two labels is a domain");
        assert_eq!(domain("x.qwkjh.dyndns.org").unwrap(), "qwkjh.dyndns.org.");
        assert_eq!(domain("d123.cloudfront.net").unwrap(), "provider cloudfront.net.");
    }

    #[test]
    fn our_own_names_and_reverse_names_have_none() {
        for text in [
            ".",
            "wpad",
            "dc01.technova.local",
            "4.3.2.1.in-addr.arpa",
            "api.technova.com",
            "a.mcafee.example",
        ] {
            assert_eq!(domain(text), None, "{text}");
        }
    }
}
