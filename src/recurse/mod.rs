//! Recursion from the root (RFC 1034 §5.3.3), by hickory-resolver. None of its types leave this room.
//!
//! It follows aliases on its own; we give on only what stands at QNAME, as the pipeline routes the target of an alias in
//! the client's own view. One [`Recursor`] serves all workers: what it learns of one zone's servers helps every query.

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::{Message as HickoryMessage, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name as HickoryName, RecordType};
use hickory_proto::serialize::binary::BinDecodable;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::recursor::{AuthorityData, RecursorError, RecursorOptions};

use crate::exchange::{Ask, clock};
use crate::query::{Failure, Response};
use crate::wire::message::Message;
use crate::wire::rtype::CLASS_IN;
use crate::wire::{NameRef, RType, rcode};

const ROOT_HINTS: &str = include_str!("root.hints");

/// Clients wait five seconds (`resolv.conf`, timeout); an answer after that is for nobody.
const DEADLINE: Duration = Duration::from_secs(4);

/// How many responses hickory keeps for its own walks; answers for clients are kept in our cache.
const RESPONSES_KEPT: u64 = 16_384;

/// Finds answers by asking from the root down.
pub struct Recursor {
    inner: hickory_resolver::recursor::Recursor<TokioRuntimeProvider>,
}

impl Recursor {
    /// One that begins at the public root.
    pub fn new() -> Result<Recursor, Failure> {
        Recursor::from_roots(&hints(ROOT_HINTS))
    }

    fn from_roots(roots: &[IpAddr]) -> Result<Recursor, Failure> {
        let options = RecursorOptions { response_cache_size: RESPONSES_KEPT, ..RecursorOptions::default() };
        let inner = hickory_resolver::recursor::Recursor::with_options(
            roots,
            options,
            TokioRuntimeProvider::default(),
        );
        inner.map(|inner| Recursor { inner }).map_err(|error| {
            tracing::error!(%error, "cannot set up recursion");
            Failure::Recursion
        })
    }

    /// Asks; must run on a tokio runtime.
    pub async fn ask(&self, ask: &Ask) -> Result<Response, Failure> {
        if ask.qclass != CLASS_IN {
            return Err(Failure::Class);
        }
        let qname = HickoryName::from_bytes(ask.qname.wire()).map_err(|_| Failure::Recursion)?;
        let mut query = Query::query(qname, RecordType::from(ask.qtype.0));
        query.set_query_class(DNSClass::IN);
        let walk = self.inner.resolve(query, clock::after(Duration::ZERO).into_std(), ask.dnssec_ok);
        let found = tokio::time::timeout(DEADLINE, walk).await.map_err(|_| Failure::Timeout)?;
        let message = found.or_else(negative).map_err(|error| {
            tracing::debug!(qname = %ask.qname, qtype = %ask.qtype, %error, "recursion failed");
            Failure::Recursion
        })?;
        response(ask.qname.as_ref(), ask.qtype, &message)
    }
}

/// Hickory hands a negative answer over as an error.
fn negative(error: RecursorError) -> Result<HickoryMessage, RecursorError> {
    let RecursorError::Negative(data) = error else { return Err(error) };
    let mut message = HickoryMessage::query();
    message.metadata.response_code =
        if data.is_nx_domain() { ResponseCode::NXDomain } else { ResponseCode::NoError };
    let AuthorityData { soa, authorities, .. } = data;
    message.authorities.extend(soa.map(|soa| soa.into_record_of_rdata()));
    let others = authorities.iter().flat_map(|records| records.iter());
    message.authorities.extend(others.filter(|record| record.record_type() != RecordType::SOA).cloned());
    Ok(message)
}

/// What hickory found, as far as it stands at QNAME or proves that nothing does.
fn response(qname: NameRef<'_>, qtype: RType, found: &HickoryMessage) -> Result<Response, Failure> {
    let bytes = found.to_vec().map_err(|_| Failure::Recursion)?;
    let mut message = Message::parse(&bytes).map_err(|_| Failure::Recursion)?;
    if !matches!(message.rcode, rcode::NOERROR | rcode::NXDOMAIN) {
        return Err(Failure::Recursion);
    }
    message.answer = message.answer.filtered(|record| record.owner == qname);
    // Of the target of an alias nothing is said here, neither that it is nor that it is not (RFC 6604 §3).
    if !message.answer.is_empty() {
        message.rcode = rcode::NOERROR;
        message.authority = message.authority.filtered(|_| false);
    }
    message.additional = message.additional.filtered(|record| {
        let hosts = message.answer.iter().filter(|record| record.rtype == qtype);
        hosts.filter_map(|host| host.target()).any(|host| host == record.owner)
    });
    // Nothing was validated, whatever some server on the way may claim.
    Ok(Response { authentic: false, ..Response::from_message(message) })
}

/// The addresses in a list of root servers: the last word of each line.
fn hints(text: &str) -> Vec<IpAddr> {
    let lines = text.lines().filter(|line| !line.starts_with(';'));
    lines.filter_map(|line| line.split_whitespace().last()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::Name;
    use hickory_proto::rr::rdata::{A, CNAME, SOA};
    use hickory_proto::rr::{RData, Record};

    fn record(owner: &str, rdata: RData) -> Record {
        Record::from_rdata(owner.parse().unwrap(), 300, rdata)
    }

    fn address(owner: &str) -> Record {
        record(owner, RData::A(A::new(192, 0, 2, 1)))
    }

    fn soa(zone: &str) -> Record {
        let name = || zone.parse().unwrap();
        record(zone, RData::SOA(SOA::new(name(), name(), 1, 3600, 600, 86400, 60)))
    }

    fn found(message: &HickoryMessage) -> Response {
        let qname: Name = "www.example.com".parse().unwrap();
        response(qname.as_ref(), RType::A, message).unwrap()
    }

    #[test]
    fn thirteen_roots_have_two_addresses_each() {
        let roots = hints(ROOT_HINTS);
        assert_eq!(roots.len(), ROOT_HINTS.lines().count() - 1);
        assert_eq!(roots.iter().filter(|root| root.is_ipv4()).count(), 13);
        assert_eq!(roots.iter().filter(|root| root.is_ipv6()).count(), 13);
    }

    #[test]
    fn only_what_stands_at_the_name_is_given_on() {
        let mut message = HickoryMessage::query();
        let alias = RData::CNAME(CNAME("edge.example.net.".parse().unwrap()));
        message.add_answer(record("WWW.example.com.", alias)).add_answer(address("edge.example.net."));
        message.metadata.response_code = ResponseCode::NXDomain;
        message.metadata.authentic_data = true;
        let response = found(&message);
        assert_eq!((response.rcode, response.answer.len(), response.authentic), (0, 1, false));
        assert_eq!(response.answer.iter().next().unwrap().rtype, RType::CNAME);
    }

    #[test]
    fn a_negative_keeps_its_soa() {
        let data = |is_nxdomain| {
            let query = Query::query("www.example.com.".parse().unwrap(), RecordType::A);
            let RData::SOA(soa) = soa("example.com.").data else { panic!("an SOA") };
            let soa = Record::from_rdata("example.com.".parse().unwrap(), 300, soa);
            AuthorityData::new(Box::new(query), Some(Box::new(soa)), true, is_nxdomain, None)
        };
        for (is_nxdomain, code) in [(true, rcode::NXDOMAIN), (false, rcode::NOERROR)] {
            let response = found(&negative(RecursorError::Negative(data(is_nxdomain))).unwrap());
            assert_eq!((response.rcode, response.negative_ttl()), (code, Some(60)));
        }
    }

    #[test]
    fn only_the_class_in_is_asked_for() {
        let recursor = Recursor::new().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ask = Ask { qclass: 3, ..Ask::new("version.bind".parse().unwrap(), RType::TXT) };
        assert_eq!(runtime.block_on(recursor.ask(&ask)).unwrap_err(), Failure::Class);
    }

    /// A root that has every name itself; needs the right to bind port 53.
    #[test]
    fn a_name_is_found_from_the_root() {
        let Ok(root) = std::net::UdpSocket::bind("127.53.53.53:53") else {
            eprintln!("skipped: port 53 may not be bound");
            return;
        };
        let roots = [root.local_addr().unwrap().ip()];
        std::thread::spawn(move || serve_root(&root));
        let recursor = Recursor::from_roots(&roots).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ask = |qname: &str| runtime.block_on(recursor.ask(&Ask::new(qname.parse().unwrap(), RType::A)));
        let response = ask("host.").unwrap();
        assert_eq!((response.rcode, response.answer.len()), (rcode::NOERROR, 1));
        let response = ask("missing.").unwrap();
        assert_eq!((response.rcode, response.negative_ttl()), (rcode::NXDOMAIN, Some(60)));
    }

    fn serve_root(socket: &std::net::UdpSocket) {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let query = HickoryMessage::from_bytes(&buffer[..length]).unwrap();
            let mut reply = HickoryMessage::response(query.metadata.id, query.metadata.op_code);
            reply.metadata.authoritative = true;
            reply.add_queries(query.queries.clone());
            let asked = &query.queries[0];
            if asked.query_type() == RecordType::A && asked.name().to_string() == "host." {
                reply.add_answer(address("host."));
            } else {
                reply.add_authority(soa("."));
                if asked.name().to_string() == "missing." {
                    reply.metadata.response_code = ResponseCode::NXDomain;
                }
            }
            socket.send_to(&reply.to_vec().unwrap(), from).unwrap();
        }
    }
}
