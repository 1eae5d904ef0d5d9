//! What a server answered, as a client would notice it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::exchange::{Exchange, ExchangeError, Reply, Try};
use crate::wire::message::Message;
use crate::wire::present::RData;
use crate::wire::{RType, RecordRef, rcode};

/// Records that an example shows of an answer.
const SHOWN: usize = 8;

/// An answer without what may differ from one time to the next: TTLs, the order of records, the case of names, and how
/// much fitted into a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    rcode: u16,
    records: BTreeSet<String>,
}

impl Answer {
    fn of(message: &Message) -> Answer {
        Answer { rcode: message.rcode, records: message.answer.iter().map(|record| line(&record)).collect() }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(rcode::text(self.rcode))?;
        for (nth, record) in self.records.iter().take(SHOWN).enumerate() {
            write!(f, "{} {record}", if nth == 0 { ":" } else { "," })?;
        }
        match self.records.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

/// A record without its TTL.
fn line(record: &RecordRef<'_>) -> String {
    let rdata = RData { rtype: record.rtype, octets: record.rdata }.to_string();
    let rdata = match record.rtype {
        // Names and numbers alone: names are compared without case (RFC 4343).
        RType::NS | RType::CNAME | RType::PTR | RType::DNAME | RType::MX | RType::SRV | RType::SOA => {
            rdata.to_ascii_lowercase()
        }
        _ => rdata,
    };
    format!("{} {} {rdata}", record.owner.to_lower(), record.rtype)
}

/// Asks once more until there is an answer; over TCP where it did not fit.
pub(super) async fn ask(
    exchange: &Exchange,
    attempt: Try<'_>,
    patience: Patience,
) -> Result<Answer, ExchangeError> {
    let mut last = ExchangeError::Timeout;
    for _ in 0..patience.tries {
        let attempt = Try { deadline: tokio::time::Instant::now() + patience.timeout, ..attempt };
        match whole(exchange, &attempt).await {
            Ok(reply) => return Ok(Answer::of(&reply.message)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// How long a server is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub tries: u32,
    pub timeout: Duration,
}

async fn whole(exchange: &Exchange, attempt: &Try<'_>) -> Result<Reply, ExchangeError> {
    let reply = exchange.udp(attempt).await?;
    if reply.message.is_truncated() { exchange.tcp(attempt).await } else { Ok(reply) }
}
