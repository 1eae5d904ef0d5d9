//! The table of `queries.txt`: one row a promise of the TechNova network, asked on real sockets.
//!
//! The format is described at the top of the table itself. All rows are asked, and all failures reported together.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, RecordType};

use super::client::{self, Ask, Reply};
use super::net::Network;
use super::server::PRIMARY;

/// The table of promises, as it is in the source tree.
pub const TABLE: &str = include_str!("queries.txt");

/// One row.
pub struct Row {
    line: usize,
    client: IpAddr,
    server: IpAddr,
    ask: Ask,
    rcode: ResponseCode,
    marks: Vec<Mark>,
    ttl: Option<(u32, u32)>,
    answers: Vec<Expected>,
}

/// What the third column of expectations says of the header and the other sections.
enum Mark {
    /// A header flag that must be set (`aa`) or must not be (`!aa`).
    Flag { name: String, set: bool },
    /// `edeN`: an extended error with this info-code.
    ExtendedError(u16),
    /// `nsid=TEXT`.
    Nsid(String),
    /// `referral`: name servers in the authority section, and no SOA.
    Referral,
    /// `glue`: an address in the additional section for every target of an SRV or MX record.
    Glue,
}

/// What is expected of the answer section.
enum Expected {
    /// `TYPE rdata`: this record.
    Record(String),
    /// `TYPE *` or `TYPE *N`: any records of this type, at least one or exactly N.
    Some { rtype: String, count: Option<usize> },
}

/// Asks every row of a table and counts them; the error says of each row that was answered otherwise what is wrong.
pub fn check(table: &str, network: &Network) -> Result<usize, String> {
    let rows = rows(table)?;
    let failures: Vec<String> = rows.iter().filter_map(|row| row.failure(network)).collect();
    if failures.is_empty() {
        return Ok(rows.len());
    }
    let (failed, all) = (failures.len(), rows.len());
    Err(format!("{failed} of {all} rows of tests/lab/queries.txt fail:\n\n{}", failures.join("\n\n")))
}

/// Reads the table; every row that cannot be read is named.
pub fn rows(table: &str) -> Result<Vec<Row>, String> {
    let lines = table.lines().enumerate().map(|(index, line)| (index + 1, line));
    let wanted = lines.filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let (rows, errors): (Vec<_>, Vec<_>) = wanted
        .map(|(number, line)| Row::parse(number, line).map_err(|e| format!("queries.txt:{number}: {e}")))
        .partition(Result::is_ok);
    if !errors.is_empty() {
        return Err(errors.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("\n"));
    }
    Ok(rows.into_iter().flatten().collect())
}

impl Row {
    fn parse(line: usize, text: &str) -> Result<Self, String> {
        let text = text.split_once(" # ").map_or(text, |(row, _comment)| row);
        let mut words = text.split_whitespace();
        let mut column = |what| words.next().ok_or(format!("the column {what} is missing"));
        let asks = column("CLIENT")?;
        let (client, server) = match asks.split_once('@') {
            Some((client, server)) => (client, address(server)?),
            None => (asks, PRIMARY),
        };
        let ask = Ask::parse(column("NAME")?, column("TYPE")?)?;
        let rcode = rcode(column("RCODE")?)?;
        let marks = list(column("FLAGS")?).map(Mark::parse).collect::<Result<_, _>>()?;
        let ttl = ttl(column("TTL")?)?;
        let rest: Vec<&str> = words.collect();
        if rest.is_empty() {
            return Err("the column ANSWERS is missing; `-` says that there are none".into());
        }
        let rest = rest.join(" ");
        let items = rest.split(';').map(str::trim).filter(|item| *item != "-");
        let answers = items.map(Expected::parse).collect::<Result<_, _>>()?;
        Ok(Self { line, client: address(client)?, server, ask, rcode, marks, ttl, answers })
    }

    /// What is wrong with the response, under the row's place and question; nothing if it is right.
    fn failure(&self, network: &Network) -> Option<String> {
        let place = format!(
            "queries.txt:{}: {} asks {} for {} {}",
            self.line, self.client, self.server, self.ask.name, self.ask.rtype
        );
        match client::ask(network, self.client, SocketAddr::new(self.server, 53), &self.ask) {
            Err(silence) => Some(format!("{place}\n    {silence}")),
            Ok(reply) => {
                let wrong = self.wrong(&reply);
                let got =
                    format!("    got {} {:?} TTL {:?}", name(reply.rcode()), reply.answers(), reply.ttls());
                (!wrong.is_empty()).then(|| format!("{place}\n    {}\n{got}", wrong.join("\n    ")))
            }
        }
    }

    fn wrong(&self, reply: &Reply) -> Vec<String> {
        let mut wrong = Vec::new();
        if reply.rcode() != self.rcode {
            wrong.push(format!("the rcode should be {}", name(self.rcode)));
        }
        wrong.extend(self.marks.iter().filter_map(|mark| mark.wrong(reply)));
        wrong.extend(self.wrong_answers(reply));
        if let Some((least, most)) = self.ttl
            && reply.ttls().iter().any(|ttl| !(least..=most).contains(ttl))
        {
            wrong.push(format!("TTLs should be {least} to {most}"));
        }
        wrong.extend(off_the_chain(reply));
        if self.answers.is_empty() && !self.marks.iter().any(|mark| matches!(mark, Mark::Referral)) {
            wrong.extend(badly_negative(reply));
        }
        wrong
    }

    fn wrong_answers(&self, reply: &Reply) -> Option<String> {
        let mut left: Vec<String> = reply.answers().iter().map(|answer| normal(answer)).collect();
        let mut missing = Vec::new();
        for expected in &self.answers {
            if !expected.take(&mut left) {
                missing.push(expected.to_string());
            }
        }
        if missing.is_empty() && left.is_empty() {
            return None;
        }
        Some(format!("answers missing: {missing:?}; answers not expected: {left:?}"))
    }
}

impl Mark {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, set) = text.strip_prefix('!').map_or((text, true), |name| (name, false));
        if ["aa", "tc", "rd", "ra", "ad", "cd"].contains(&name) {
            return Ok(Self::Flag { name: name.to_owned(), set });
        }
        if let Some(code) = text.strip_prefix("ede").and_then(|code| code.parse().ok()) {
            return Ok(Self::ExtendedError(code));
        }
        if let Some(node) = text.strip_prefix("nsid=") {
            return Ok(Self::Nsid(node.to_owned()));
        }
        match text {
            "referral" => Ok(Self::Referral),
            "glue" => Ok(Self::Glue),
            _ => {
                Err(format!("`{text}` is none of aa tc rd ra ad cd (or with !), edeN, nsid=, referral, glue"))
            }
        }
    }

    fn wrong(&self, reply: &Reply) -> Option<String> {
        let header = &reply.message.metadata;
        match self {
            Self::Flag { name, set } => {
                let is = match name.as_str() {
                    "aa" => header.authoritative,
                    "tc" => header.truncation,
                    "rd" => header.recursion_desired,
                    "ra" => header.recursion_available,
                    "ad" => header.authentic_data,
                    _ => header.checking_disabled,
                };
                (is != *set).then(|| {
                    format!("{} should {}be set", name.to_uppercase(), if *set { "" } else { "not " })
                })
            }
            Self::ExtendedError(code) => {
                let codes = reply.extended_errors();
                (!codes.contains(code)).then(|| format!("extended errors are {codes:?}, not {code}"))
            }
            Self::Nsid(node) => {
                let nsid = reply.nsid();
                (nsid.as_deref() != Some(node)).then(|| format!("NSID is {nsid:?}, not {node}"))
            }
            Self::Referral => {
                let authority = &reply.message.authorities;
                let refers = authority.iter().any(|record| record.record_type() == RecordType::NS);
                (!refers || reply.soa().is_some())
                    .then(|| "the authority section should be a referral".to_owned())
            }
            Self::Glue => without_address(reply),
        }
    }
}

impl Expected {
    fn parse(text: &str) -> Result<Self, String> {
        let (rtype, rdata) = text.split_once(' ').ok_or(format!("`{text}` should be TYPE RDATA"))?;
        let Some(count) = rdata.strip_prefix('*') else { return Ok(Self::Record(normal(text))) };
        let count = match count {
            "" => None,
            number => Some(number.parse().map_err(|_| format!("`{rdata}` should be * or *N"))?),
        };
        Ok(Self::Some { rtype: rtype.to_owned(), count })
    }

    /// Takes what it expects out of the answers; false if it is not there.
    fn take(&self, answers: &mut Vec<String>) -> bool {
        match self {
            Self::Record(record) => {
                let position = answers.iter().position(|answer| answer == record);
                position.map(|index| answers.remove(index)).is_some()
            }
            Self::Some { rtype, count } => {
                let before = answers.len();
                answers.retain(|answer| answer.split(' ').next() != Some(rtype));
                let taken = before - answers.len();
                count.map_or(taken > 0, |count| taken == count)
            }
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record(record) => write!(out, "{record}"),
            Self::Some { rtype, count: None } => write!(out, "{rtype} *"),
            Self::Some { rtype, count: Some(count) } => write!(out, "{rtype} *{count}"),
        }
    }
}

/// The answer section is one chain: every record belongs to QNAME or to the target of an alias in it.
fn off_the_chain(reply: &Reply) -> Option<String> {
    let answers = &reply.message.answers;
    let question = reply.message.queries.first()?;
    if question.query_type() == RecordType::ANY || question.query_type() == RecordType::AXFR {
        return None;
    }
    let aliases: BTreeMap<_, _> = answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::CNAME(target) => Some((record.name.to_lowercase(), target.0.to_lowercase())),
            _ => None,
        })
        .collect();
    let mut chain = vec![question.name().to_lowercase()];
    while let Some(target) = chain.last().and_then(|owner| aliases.get(owner)) {
        if chain.contains(target) {
            break;
        }
        chain.push(target.clone());
    }
    let stray = answers.iter().find(|record| !chain.contains(&record.name.to_lowercase()))?;
    Some(format!("the record {stray} does not follow from the question"))
}

/// NXDOMAIN and NODATA carry the SOA record of a zone that holds QNAME (RFC 2308 section 3).
fn badly_negative(reply: &Reply) -> Option<String> {
    let negative = matches!(reply.rcode(), ResponseCode::NXDomain | ResponseCode::NoError);
    if !negative || reply.message.metadata.truncation || !reply.message.answers.is_empty() {
        return None;
    }
    let name = reply.message.queries.first()?.name();
    match reply.soa() {
        Some(soa) if soa.name.zone_of(name) => None,
        Some(soa) => Some(format!("the SOA record is that of {}, which does not hold {name}", soa.name)),
        None => Some("a negative answer without an SOA record".to_owned()),
    }
}

fn without_address(reply: &Reply) -> Option<String> {
    let targets = reply.message.answers.iter().filter_map(|record| match &record.data {
        RData::SRV(srv) => Some(&srv.target),
        RData::MX(mx) => Some(&mx.exchange),
        _ => None,
    });
    let additional = &reply.message.additionals;
    let holds = |target: &hickory_proto::rr::Name| {
        additional.iter().any(|record| record.name == *target && record.record_type().is_ip_addr())
    };
    let bare = targets.into_iter().find(|target| !holds(target))?;
    Some(format!("the additional section has no address of {bare}"))
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no IP address"))
}

/// The items of a column, separated by commas; `-` is none.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|item| *item != "-")
}

/// `300`: at most; `240-300`: between; `-`: any.
fn ttl(text: &str) -> Result<Option<(u32, u32)>, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is no TTL: 300, 240-300 or -"));
    match text.split_once('-') {
        Some(("", "")) => Ok(None),
        Some((least, most)) => Ok(Some((number(least)?, number(most)?))),
        None => Ok(Some((0, number(text)?))),
    }
}

/// One form for comparison: names without the last dot, in lower case (TXT keeps its case).
fn normal(text: &str) -> String {
    if text.starts_with("TXT ") {
        return text.to_owned();
    }
    let (rtype, rdata) = text.split_once(' ').unwrap_or((text, ""));
    let words = rdata.split(' ').map(|word| if word == "." { word } else { word.trim_end_matches('.') });
    format!("{rtype} {}", words.collect::<Vec<_>>().join(" ").to_lowercase())
}

const RCODES: [(&str, ResponseCode); 6] = [
    ("NOERROR", ResponseCode::NoError),
    ("FORMERR", ResponseCode::FormErr),
    ("SERVFAIL", ResponseCode::ServFail),
    ("NXDOMAIN", ResponseCode::NXDomain),
    ("NOTIMP", ResponseCode::NotImp),
    ("REFUSED", ResponseCode::Refused),
];

fn rcode(text: &str) -> Result<ResponseCode, String> {
    let found = RCODES.iter().find(|(name, _)| *name == text).map(|(_, code)| *code);
    found.ok_or_else(|| format!("`{text}` is none of {}", RCODES.map(|(name, _)| name).join(" ")))
}

fn name(code: ResponseCode) -> String {
    let found = RCODES.iter().find(|(_, known)| *known == code).map(|(name, _)| (*name).to_owned());
    found.unwrap_or_else(|| format!("{code:?}"))
}
