//! EDNS(0) (RFC 6891): the OPT record, its options, and extended DNS errors (RFC 8914).

use super::{Fault, u16_at};

/// Option codes we know.
pub mod option {
    /// Name server identifier (RFC 5001).
    pub const NSID: u16 = 3;
    /// Client subnet (RFC 7871).
    pub const ECS: u16 = 8;
    /// Cookie (RFC 7873).
    pub const COOKIE: u16 = 10;
    /// Extended DNS error (RFC 8914).
    pub const EDE: u16 = 15;
}

/// The bit of the OPT's flags that asks for DNSSEC records (RFC 3225).
pub const DO: u16 = 0x8000;

/// An OPT record as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns<'a> {
    /// The UDP payload size that its sender can take.
    pub payload: u16,
    /// The upper eight bits of the RCODE.
    pub rcode_high: u8,
    /// The version; we speak 0.
    pub version: u8,
    /// DO and reserved bits.
    pub flags: u16,
    /// The options, checked to be whole.
    pub options: &'a [u8],
}

impl<'a> Edns<'a> {
    /// Reads the fixed part that an OPT keeps in CLASS and TTL, and its options.
    pub fn read(class: u16, ttl: u32, rdata: &'a [u8]) -> Result<Edns<'a>, Fault> {
        let mut at = 0;
        while at < rdata.len() {
            at += 4 + usize::from(u16_at(rdata, at + 2)?);
        }
        if at != rdata.len() {
            return Err(Fault::Opt);
        }
        let [rcode_high, version, high, low] = ttl.to_be_bytes();
        Ok(Edns {
            payload: class,
            rcode_high,
            version,
            flags: u16::from_be_bytes([high, low]),
            options: rdata,
        })
    }

    /// Whether DNSSEC records are wanted.
    pub fn dnssec_ok(&self) -> bool {
        self.flags & DO != 0
    }

    /// The options, code and value.
    pub fn options(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut rest = self.options;
        std::iter::from_fn(move || {
            let code = u16_at(rest, 0).ok()?;
            let length = usize::from(u16_at(rest, 2).ok()?);
            let value = rest.get(4..4 + length)?;
            rest = &rest[4 + length..];
            Some((code, value))
        })
    }

    /// The first option of that code.
    pub fn option(&self, wanted: u16) -> Option<&'a [u8]> {
        self.options().find(|(code, _)| *code == wanted).map(|(_, value)| value)
    }

    /// The cookie that it carries (RFC 7873 §4); of several options the first counts (§5.2).
    pub fn cookie(&self) -> Result<Option<Cookie<'a>>, Fault> {
        let Some(value) = self.option(option::COOKIE) else { return Ok(None) };
        match value.split_first_chunk() {
            Some((client, server)) if matches!(server.len(), 0 | 8..=32) => {
                Ok(Some(Cookie { client: *client, server }))
            }
            _ => Err(Fault::Cookie),
        }
    }

    /// The extended errors it carries; their text only where it is UTF-8 without control characters, cut at 128 octets.
    pub fn extended_errors(&self) -> Vec<Ede> {
        let readable = |text: &[u8]| {
            std::str::from_utf8(text)
                .map(|t| t.chars().filter(|c| !c.is_control()).take(128).collect())
                .unwrap_or_default()
        };
        self.options()
            .filter(|(code, value)| *code == option::EDE && value.len() >= 2)
            .take(4)
            .map(|(_, value)| Ede {
                code: u16::from_be_bytes([value[0], value[1]]),
                text: readable(&value[2..]),
            })
            .collect()
    }
}

/// The value of a COOKIE option (RFC 7873 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie<'a> {
    /// What the client chose.
    pub client: [u8; 8],
    /// What the server gave it before; empty if it has none yet.
    pub server: &'a [u8],
}

/// The value of a COOKIE option, kept beyond its message: eight octets of the client's, and up to 32 of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptCookie {
    octets: [u8; 40],
    length: u8,
}

impl KeptCookie {
    /// What a client shows who has no cookie of the server's.
    pub fn of_client(client: [u8; 8]) -> KeptCookie {
        Cookie { client, server: &[] }.keep()
    }

    /// The client's part.
    pub fn client(&self) -> [u8; 8] {
        self.octets.first_chunk().copied().unwrap_or_default()
    }

    /// The server's part; empty if there is none.
    pub fn server(&self) -> &[u8] {
        &self.value()[8..]
    }

    /// The whole value.
    pub fn value(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }
}

impl Cookie<'_> {
    /// A copy. No server's part is longer than 32 octets.
    pub fn keep(&self) -> KeptCookie {
        let server = &self.server[..self.server.len().min(32)];
        let mut octets = [0; 40];
        octets[..8].copy_from_slice(&self.client);
        octets[8..8 + server.len()].copy_from_slice(server);
        KeptCookie { octets, length: 8 + server.len() as u8 }
    }
}

/// An extended DNS error (RFC 8914).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ede {
    /// Its INFO-CODE.
    pub code: u16,
    /// Its EXTRA-TEXT, for people.
    pub text: String,
}

impl Ede {
    /// Other error.
    pub const OTHER: u16 = 0;
    /// Stale answer (RFC 8767).
    pub const STALE: u16 = 3;
    /// The answer was cached as an error (RFC 9520).
    pub const CACHED_ERROR: u16 = 13;
    /// The server is not ready to serve.
    pub const NOT_READY: u16 = 14;
    /// The client may not ask this.
    pub const PROHIBITED: u16 = 18;
    /// Stale NXDOMAIN answer.
    pub const STALE_NXDOMAIN: u16 = 19;
    /// The server is not authoritative and may not recurse here.
    pub const NOT_AUTHORITATIVE: u16 = 20;
    /// The operation or query is not supported.
    pub const NOT_SUPPORTED: u16 = 21;
    /// No authority could be reached.
    pub const NO_REACHABLE_AUTHORITY: u16 = 22;
    /// A network error on the way to an authority.
    pub const NETWORK_ERROR: u16 = 23;
    /// What an authority said is not a DNS answer.
    pub const INVALID_DATA: u16 = 24;

    /// An error with words.
    pub fn new(code: u16, text: impl Into<String>) -> Ede {
        Ede { code, text: text.into() }
    }
}
