//! What a server answered, as a client would notice it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::exchange::{Exchange, ExchangeError, Reply, Try, Way};
use crate::wire::message::Message;
use crate::wire::present::RData;
use crate::wire::{RType, rcode};

/// Records that an example shows of an answer.
const SHOWN: usize = 8;

/// An answer without what may differ from one time to the next: TTLs, the order of records, the case of names, and how
/// much fitted into a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    rcode: String,
    records: BTreeSet<String>,
}

impl Answer {
    fn of(message: &Message) -> Answer {
        let records = message.answer.iter().map(|record| {
            let rdata = RData { rtype: record.rtype, octets: record.rdata };
            line(&record.owner.to_string(), record.rtype, &rdata.to_string())
        });
        Answer { rcode: rcode::text(message.rcode).to_string(), records: records.collect() }
    }

    /// Of what a control socket says of a traced question. That a server means to give no reply it knows itself.
    pub(super) fn of_trace(traced: &Value) -> Answer {
        let records = traced["answers"].as_array().into_iter().flatten().filter_map(|record| {
            let mut parts = record.as_str()?.splitn(4, ' ');
            let (owner, _ttl, rtype, rdata) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            Some(line(owner, rtype.parse().ok()?, rdata))
        });
        let rcode = traced["rcode"].as_str().unwrap_or("no reply").to_owned();
        Answer { rcode, records: records.collect() }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rcode)?;
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
fn line(owner: &str, rtype: RType, rdata: &str) -> String {
    let rdata = match rtype {
        // Names and numbers alone: names are compared without case (RFC 4343).
        RType::NS | RType::CNAME | RType::PTR | RType::DNAME | RType::MX | RType::SRV | RType::SOA => {
            rdata.to_ascii_lowercase()
        }
        _ => rdata.to_owned(),
    };
    format!("{} {rtype} {rdata}", owner.to_ascii_lowercase())
}

/// Asks once more until there is an answer; over TCP where it did not fit.
pub(super) async fn ask(
    exchange: &Exchange,
    attempt: Try<'_>,
    patience: Patience,
) -> Result<Answer, ExchangeError> {
    let mut last = ExchangeError::Timeout;
    for _ in 0..patience.tries {
        let deadline = tokio::time::Instant::now() + patience.timeout;
        let attempt = Try { way: Way { deadline, ..attempt.way }, ..attempt };
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
