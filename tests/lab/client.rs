//! A small DNS client of the lab: one query from a client's address, over UDP or TCP, and the response parsed.
//!
//! It checks what every response must be (ID, question, QR) and leaves the rest to the test.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::str::FromStr;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption, NSIDPayload};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::net::Network;

/// How long a client waits for a response: longer than any deadline of the server.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// What a query asks for beside its name and type; written `+do`, `+tcp`, … after the type, as dig does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modifier {
    /// DNSSEC OK (RFC 3225).
    Do,
    /// Checking disabled (RFC 4035 section 3.2.2).
    Cd,
    /// Over TCP.
    Tcp,
    /// Recursion not desired.
    NoRec,
    /// Without an OPT record: 512 octets at most.
    NoEdns,
    /// Asks for the name of the server (RFC 5001).
    Nsid,
    /// Class CHAOS instead of IN.
    Chaos,
}

impl FromStr for Modifier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "do" => Self::Do,
            "cd" => Self::Cd,
            "tcp" => Self::Tcp,
            "norec" => Self::NoRec,
            "noedns" => Self::NoEdns,
            "nsid" => Self::Nsid,
            "ch" => Self::Chaos,
            _ => return Err(format!("`+{text}` is none of +do +cd +tcp +norec +noedns +nsid +ch")),
        })
    }
}

/// One question with its modifiers.
#[derive(Clone, Debug)]
pub struct Ask {
    /// QNAME.
    pub name: Name,
    /// QTYPE.
    pub rtype: RecordType,
    /// What else the query says.
    pub modifiers: Vec<Modifier>,
}

impl Ask {
    /// A question from text: the name, and the type with its modifiers (`A`, `SRV+tcp`, `TXT+ch`, `TYPE65280+do`).
    pub fn parse(name: &str, rtype: &str) -> Result<Self, String> {
        let mut parts = rtype.split('+');
        let rtype = parts.next().unwrap_or_default();
        let rtype = match rtype.strip_prefix("TYPE").map(u16::from_str) {
            Some(Ok(code)) => RecordType::from(code),
            _ => RecordType::from_str(rtype).map_err(|_| format!("`{rtype}` is no record type"))?,
        };
        let mut name = Name::from_ascii(name).map_err(|error| format!("`{name}` is no name: {error}"))?;
        name.set_fqdn(true);
        let modifiers = parts.map(Modifier::from_str).collect::<Result<_, _>>()?;
        Ok(Self { name, rtype, modifiers })
    }

    fn has(&self, modifier: Modifier) -> bool {
        self.modifiers.contains(&modifier)
    }

    fn message(&self) -> Message {
        let mut message = Message::query();
        message.metadata.recursion_desired = !self.has(Modifier::NoRec);
        message.metadata.checking_disabled = self.has(Modifier::Cd);
        let mut query = Query::query(self.name.clone(), self.rtype);
        if self.has(Modifier::Chaos) {
            query.set_query_class(DNSClass::CH);
        }
        message.add_query(query);
        if !self.has(Modifier::NoEdns) {
            let mut edns = Edns::new();
            edns.set_max_payload(4096).set_dnssec_ok(self.has(Modifier::Do));
            if self.has(Modifier::Nsid)
                && let Ok(nothing) = NSIDPayload::new(Vec::<u8>::new())
            {
                edns.options_mut().insert(EdnsOption::NSID(nothing));
            }
            message.set_edns(edns);
        }
        message
    }
}

/// A response.
pub struct Reply {
    /// The parsed message.
    pub message: Message,
    /// Its size in octets.
    pub size: usize,
}

impl Reply {
    /// The response code, with the EDNS part.
    pub fn rcode(&self) -> ResponseCode {
        self.message.metadata.response_code
    }

    /// The answer section as text: `TYPE rdata`, in the order received.
    pub fn answers(&self) -> Vec<String> {
        self.message.answers.iter().map(text).collect()
    }

    /// The TTLs of the answer section; of a negative answer the TTL of the SOA record that bounds it (RFC 2308).
    pub fn ttls(&self) -> Vec<u32> {
        if self.message.answers.is_empty() {
            self.soa().map(|soa| soa.ttl).into_iter().collect()
        } else {
            self.message.answers.iter().map(|record| record.ttl).collect()
        }
    }

    /// The SOA record of the authority section.
    pub fn soa(&self) -> Option<&Record> {
        self.message.authorities.iter().find(|record| record.record_type() == RecordType::SOA)
    }

    /// The info-codes of the extended DNS errors (RFC 8914).
    pub fn extended_errors(&self) -> Vec<u16> {
        const EDE: u16 = 15;
        let options = self.message.edns.as_ref().map(|edns| edns.options().as_ref());
        let unknown = options.into_iter().flatten().filter_map(|(code, option)| match option {
            EdnsOption::Unknown(EDE, data) if u16::from(*code) == EDE => data.first_chunk::<2>().copied(),
            _ => None,
        });
        unknown.map(u16::from_be_bytes).collect()
    }

    /// The name that the server gives itself (RFC 5001).
    pub fn nsid(&self) -> Option<String> {
        let option = self.message.edns.as_ref()?.option(EdnsCode::NSID)?;
        match option {
            EdnsOption::NSID(payload) => Some(String::from_utf8_lossy(payload.as_ref()).into_owned()),
            _ => None,
        }
    }
}

/// A record as the tables write it: type and RDATA, names in lower case.
fn text(record: &Record) -> String {
    let rdata = match &record.data {
        RData::TXT(txt) => txt.txt_data.iter().map(|part| String::from_utf8_lossy(part)).collect(),
        data => data.to_string().to_lowercase(),
    };
    match record.record_type() {
        // RFC 3597 §5
        RecordType::Unknown(number) => format!("TYPE{number} {rdata}"),
        known => format!("{known} {rdata}"),
    }
}

/// Why there is no response to look at.
#[derive(Debug)]
pub enum Silence {
    /// Nothing came in [`PATIENCE`].
    Timeout,
    /// The socket said no.
    Socket(io::Error),
    /// Something came that is no response to this query.
    Nonsense(String),
}

impl fmt::Display for Silence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => write!(out, "no response within {PATIENCE:?}"),
            Self::Socket(error) => write!(out, "the socket says: {error}"),
            Self::Nonsense(what) => write!(out, "not a response to this query: {what}"),
        }
    }
}

impl From<io::Error> for Silence {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Socket(error),
        }
    }
}

/// Asks `server` from the address `source`, over the transport the question names.
pub fn ask(network: &Network, source: IpAddr, server: SocketAddr, ask: &Ask) -> Result<Reply, Silence> {
    let query = ask.message();
    let bytes = query.to_vec().map_err(|error| Silence::Nonsense(error.to_string()))?;
    let received = if ask.has(Modifier::Tcp) {
        over_tcp(network, source, server, &bytes)?
    } else {
        exchange(network, source, server, &bytes)?
    };
    let message = Message::from_vec(&received).map_err(|error| Silence::Nonsense(error.to_string()))?;
    judge(&query, &message)?;
    Ok(Reply { size: received.len(), message })
}

/// Sends raw octets over UDP and returns the raw response.
pub fn exchange(
    network: &Network,
    source: IpAddr,
    server: SocketAddr,
    bytes: &[u8],
) -> Result<Vec<u8>, Silence> {
    let socket = network.udp(source, server)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(bytes)?;
    let mut buffer = vec![0; 65_535];
    let length = socket.recv(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

fn over_tcp(network: &Network, source: IpAddr, server: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>, Silence> {
    let mut stream = network.tcp(source, server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&framed(bytes))?;
    read_framed(&mut stream)
}

/// A message with its two-octet length before it (RFC 1035 section 4.2.2), in one piece as RFC 7766 section 8 wants.
pub fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

/// The next message of a stream.
pub fn read_framed(stream: &mut TcpStream) -> Result<Vec<u8>, Silence> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// What is true of every response, whatever it says.
fn judge(query: &Message, response: &Message) -> Result<(), Silence> {
    let complaint = if response.metadata.message_type != MessageType::Response {
        "QR is 0".to_owned()
    } else if response.metadata.op_code != OpCode::Query {
        format!("its opcode is {:?}", response.metadata.op_code)
    } else if response.metadata.id != query.metadata.id {
        format!("its ID is {}, asked was {}", response.metadata.id, query.metadata.id)
    } else if response.queries != query.queries {
        format!("its question is {:?}", response.queries)
    } else if response.queries[0].name().to_ascii() != query.queries[0].name().to_ascii() {
        "the case of QNAME is not echoed".to_owned()
    } else {
        return Ok(());
    };
    Err(Silence::Nonsense(complaint))
}
