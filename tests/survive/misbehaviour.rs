//! What an upstream answers: a label of the name asked for tells how it misbehaves. Everything is written octet by octet, so
//! that nothing of the server's own code judges itself.
//!
//! `x7.wrong-id.bad.test` is first answered with a wrong ID; whatever has no such label is answered 10.0.0.1.

use std::time::Duration;

use crate::peer::{Asked, Mood, Via};

/// An answer, when it goes, and by whom.
pub struct Later {
    /// How long after the question.
    pub after: Duration,
    /// From which socket.
    pub by: By,
    /// The message.
    pub bytes: Vec<u8>,
}

/// Who sends a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The one that was asked.
    Server,
    /// Another port of its address.
    OtherPort,
    /// Its port at another address.
    OtherAddress,
}

/// How long after what is wrong the right answer comes.
pub const TARDY: Duration = Duration::from_millis(150);
/// What is slow takes this long.
const LATE: Duration = Duration::from_millis(200);
/// Of what is right.
pub const RIGHT: [u8; 4] = [10, 0, 0, 1];
/// Of what is forged.
pub const WRONG: [u8; 4] = [10, 0, 0, 66];

const TTL: u32 = 300;
const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const MX: u16 = 15;
const OPT: u16 = 41;

/// What is sent to a query.
pub fn replies(asked: &Asked, mood: Mood) -> Vec<Later> {
    let now = |bytes| vec![later(Duration::ZERO, bytes)];
    match mood {
        Mood::Silent => Vec::new(),
        Mood::Honest => now(right(asked)),
        Mood::Failing => now(Draft::of(asked).code(2)),
        Mood::Refusing => now(Draft::of(asked).code(5)),
        Mood::NoEdns if has_opt(&asked.bytes) => now(without_edns(&Draft::of(asked).code(1))),
        Mood::BadVersion if has_opt(&asked.bytes) => now(Draft::of(asked).bad_version()),
        Mood::Folding => {
            let mut folded = right(asked);
            let end = question_end(&folded);
            folded[12..end].make_ascii_lowercase();
            now(folded)
        }
        _ => asked
            .name
            .split('.')
            .find_map(|label| scripted(asked, label))
            .unwrap_or_else(|| now(right(asked))),
    }
}

/// The names of what precedes the right answer and must not be taken for it.
pub const IGNORED: [&str; 13] = [
    "wrong-id",
    "wrong-question",
    "wrong-type",
    "wrong-port",
    "wrong-address",
    "qr-0",
    "wrong-opcode",
    "no-question",
    "eleven-octets",
    "pointer-to-itself",
    "pointer-bomb",
    "counts-that-lie",
    "rdlength-past-the-end",
];

fn scripted(asked: &Asked, label: &str) -> Option<Vec<Later>> {
    let draft = Draft::of(asked);
    let now = |bytes| Some(vec![later(Duration::ZERO, bytes)]);
    if IGNORED.contains(&label) {
        return Some(if asked.via == Via::Tcp {
            vec![later(Duration::ZERO, right(asked))]
        } else {
            vec![wrong(asked, label), later(TARDY, right(asked))]
        });
    }
    match label {
        "black-hole" => Some(Vec::new()),
        "slow" => Some(vec![later(LATE, right(asked))]),
        "servfail" => now(draft.code(2)),
        "truncated" if asked.via == Via::Udp => now(draft.truncated()),
        "large" if asked.via == Via::Udp => now(draft.truncated()),
        "large" => now(quadratic(asked)),
        "nxdomain" => now(draft.code(3)),
        "big" => {
            now((0..25).fold(draft, |draft, nth| draft.record(Owner::Question, A, &[10, 0, 1, nth])).bytes())
        }
        "outside-answer" => now(draft
            .record(Owner::Question, A, &RIGHT)
            .record(Owner::Name("www.bank.test"), A, &WRONG)
            .bytes()),
        "outside-authority" => now(draft
            .record(Owner::Question, A, &RIGHT)
            .authority(Owner::Name("bank.test"), NS, &wire("ns.evil.test"))
            .bytes()),
        "outside-additional" => now(draft
            .record(Owner::Question, A, &RIGHT)
            .additional(Owner::Name("www.bank.test"), A, &WRONG)
            .bytes()),
        "alias-out" => now(draft
            .record(Owner::Question, CNAME, &wire("www.bank.test"))
            .record(Owner::Name("www.bank.test"), A, &WRONG)
            .bytes()),
        "loop-a" => now(draft.record(Owner::Question, CNAME, &wire("loop-b.bad.test")).bytes()),
        "loop-b" => now(draft.record(Owner::Question, CNAME, &wire("loop-a.bad.test")).bytes()),
        _ if label.contains("ttl-") => {
            let (late, ttl) = label.split_once("ttl-")?;
            let draft = Draft { ttl: ttl.parse().ok()?, ..draft };
            let after = if late.is_empty() { Duration::ZERO } else { LATE };
            Some(vec![later(after, draft.record(Owner::Question, A, &RIGHT).bytes())])
        }
        _ => {
            let link: u32 = label.strip_prefix("chain-")?.parse().ok()?;
            let next = format!("chain-{}.bad.test", link + 1);
            (link < 60).then(|| draft.record(Owner::Question, CNAME, &wire(&next)).bytes()).and_then(now)
        }
    }
}

fn later(after: Duration, bytes: Vec<u8>) -> Later {
    Later { after, by: By::Server, bytes }
}

/// The right answer, with an address that says so; what is no question for an address has no data.
pub fn right(asked: &Asked) -> Vec<u8> {
    let draft = Draft::of(asked);
    match asked.qtype {
        A => draft.record(Owner::Question, A, &RIGHT).bytes(),
        _ => draft.code(0),
    }
}

/// What is no answer to this question, though it looks like one.
fn wrong(asked: &Asked, how: &str) -> Later {
    let mut bytes = Draft::of(asked).record(Owner::Question, A, &WRONG).bytes();
    let end = question_end(&bytes);
    let mut by = By::Server;
    match how {
        "wrong-id" => bytes[1] ^= 1,
        "wrong-question" => bytes[13] ^= 1,
        "wrong-type" => bytes[end - 3] = 28,
        "wrong-port" => by = By::OtherPort,
        "wrong-address" => by = By::OtherAddress,
        "qr-0" => bytes[2] &= 0x7F,
        "wrong-opcode" => bytes[2] |= 0x20,
        "no-question" => {
            bytes.drain(12..end);
            bytes[5] = 0;
        }
        "eleven-octets" => bytes.truncate(11),
        "pointer-to-itself" => bytes[end..end + 2].copy_from_slice(&[0xC0 | (end >> 8) as u8, end as u8]),
        "pointer-bomb" => bytes = bomb(&bytes[..end]),
        "counts-that-lie" => bytes[6..8].copy_from_slice(&u16::MAX.to_be_bytes()),
        "rdlength-past-the-end" => bytes[end + 10..end + 12].copy_from_slice(&u16::MAX.to_be_bytes()),
        other => unreachable!("{other} is in IGNORED"),
    }
    Later { after: Duration::ZERO, by, bytes }
}

/// Owners that each point into the one before with a label more, far past 255 octets.
fn bomb(question: &[u8]) -> Vec<u8> {
    let mut bytes = question.to_vec();
    let mut before = 12_u16;
    for _ in 0..20 {
        let here = bytes.len() as u16;
        bytes.push(63);
        bytes.extend([b'x'; 63]);
        bytes.extend((0xC000 | before).to_be_bytes());
        bytes.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        bytes.extend(WRONG);
        before = here;
    }
    bytes[6..12].copy_from_slice(&[0, 20, 0, 0, 0, 0]);
    bytes
}

/// 60 KB of mail exchangers whose names have 120 labels each and differ in the first and the last of them, so that a
/// compressor that compares every suffix with every other is busy for long.
fn quadratic(asked: &Asked) -> Vec<u8> {
    let mut draft = Draft::of(asked);
    for nth in 0..240_usize {
        let mut labels = vec!["a".to_owned(); 110];
        labels[0] = format!("x{nth}");
        labels[109] = format!("y{nth}");
        let name = labels.join(".") + ".bad.test";
        draft = draft.record(Owner::Question, MX, &[&[0, 10], &wire(&name)[..]].concat());
    }
    draft.bytes()
}

/// Of whom a record is.
#[derive(Clone, Copy)]
enum Owner<'a> {
    Question,
    Name(&'a str),
}

/// A response in the making.
struct Draft<'a> {
    asked: &'a Asked,
    ttl: u32,
    counts: [u16; 3],
    records: Vec<u8>,
}

impl<'a> Draft<'a> {
    fn of(asked: &'a Asked) -> Self {
        Self { asked, ttl: TTL, counts: [0; 3], records: Vec::new() }
    }

    fn record(self, owner: Owner<'_>, rtype: u16, rdata: &[u8]) -> Self {
        self.put(0, owner, rtype, rdata)
    }

    fn authority(self, owner: Owner<'_>, rtype: u16, rdata: &[u8]) -> Self {
        self.put(1, owner, rtype, rdata)
    }

    fn additional(self, owner: Owner<'_>, rtype: u16, rdata: &[u8]) -> Self {
        self.put(2, owner, rtype, rdata)
    }

    /// Records come in the order of their sections.
    fn put(mut self, section: usize, owner: Owner<'_>, rtype: u16, rdata: &[u8]) -> Self {
        self.counts[section] += 1;
        match owner {
            Owner::Question => self.records.extend([0xC0, 12]),
            Owner::Name(name) => self.records.extend(wire(name)),
        }
        self.records.extend([rtype, 1].map(u16::to_be_bytes).concat());
        self.records.extend(self.ttl.to_be_bytes());
        self.records.extend((rdata.len() as u16).to_be_bytes());
        self.records.extend(rdata);
        self
    }

    /// No records but, where it is a negative, the SOA record of the zone `bad.test` or whatever is asked for.
    fn code(self, rcode: u8) -> Vec<u8> {
        let zone = self.asked.name.rsplitn(3, '.').take(2).collect::<Vec<_>>();
        let zone: String = zone.into_iter().rev().collect::<Vec<_>>().join(".");
        let numbers = [1_u32, 7200, 900, 1_209_600, 300].map(u32::to_be_bytes).concat();
        let soa = [wire("ns.bad.test"), wire("hostmaster.bad.test"), numbers].concat();
        let draft =
            if [0, 3].contains(&rcode) { self.authority(Owner::Name(&zone), SOA, &soa) } else { self };
        let mut bytes = draft.bytes();
        bytes[3] |= rcode;
        bytes
    }

    fn truncated(self) -> Vec<u8> {
        let mut bytes = self.bytes();
        bytes[2] |= 2;
        bytes
    }

    /// RFC 6891 §6.1.3: the upper bits of BADVERS are in the OPT.
    fn bad_version(self) -> Vec<u8> {
        let mut bytes = self.bytes();
        let opt = bytes.len() - 11;
        bytes[opt + 5] = 1;
        bytes
    }

    /// The message: the question as it came, case and all; an OPT where one came.
    fn bytes(self) -> Vec<u8> {
        let query = &self.asked.bytes;
        let mut bytes = query[..question_end(query)].to_vec();
        let opt = has_opt(query);
        bytes[2] = 0x80 | query[2] & 1;
        bytes[3] = 0x80;
        let counts = [self.counts[0], self.counts[1], self.counts[2] + u16::from(opt)];
        bytes[6..12].copy_from_slice(&counts.map(u16::to_be_bytes).concat());
        bytes.extend(self.records);
        if opt {
            bytes.extend([0, 0, OPT as u8, 0x04, 0xD0, 0, 0, 0, 0, 0, 0]);
        }
        bytes
    }
}

/// A message of ours without its additional section: the OPT is all that it holds.
pub fn without_edns(message: &[u8]) -> Vec<u8> {
    let mut bytes = message[..question_end(message)].to_vec();
    bytes[6..12].fill(0);
    bytes
}

/// Queries of ours have at most an OPT in the additional section.
fn has_opt(query: &[u8]) -> bool {
    query[11] != 0
}

fn question_end(message: &[u8]) -> usize {
    let mut at = 12;
    while message[at] != 0 {
        at += 1 + usize::from(message[at]);
    }
    at + 5
}

/// QNAME in lower case without the last dot, and QTYPE; of what is no query, nothing.
pub fn question(query: &[u8]) -> Option<(String, u16)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at + 1..=at + length)?).to_ascii_lowercase());
        at += 1 + length;
    }
    let qtype = query.get(at + 1..at + 3)?;
    Some((labels.join("."), u16::from_be_bytes([qtype[0], qtype[1]])))
}

/// A name as it is sent.
pub fn wire(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut bytes: Vec<u8> =
        labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    bytes.push(0);
    bytes
}
