//! Bytes only: names, questions, records, messages. No I/O, no clock, no configuration.
//!
//! Every parser here is total and bounded: whatever comes from the network gives a value or a [`Fault`], never a panic,
//! and never more work than the message is long.

pub mod build;
mod compress;
pub mod edns;
pub mod form;
pub mod message;
pub mod mnemonic;
pub mod name;
mod opt;
pub mod patch;
pub mod present;
pub mod record;
pub mod request;
pub mod rtype;

pub use edns::{Cookie, Ede, Edns, KeptCookie};
pub use name::{Name, NameRef};
pub use opt::{add_option, cut_short};
pub use record::{RecordRef, Records};
pub use request::Request;
pub use rtype::RType;

/// Why bytes are not the message they claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The message ends inside a field.
    #[error("the message ends too early")]
    Short,
    /// A label longer than 63 octets, or of a reserved kind (RFC 1035 §3.1).
    #[error("a label is not one")]
    Label,
    /// A name longer than 255 octets (RFC 1035 §3.1).
    #[error("a name is longer than 255 octets")]
    NameLength,
    /// A compression pointer that does not point backwards (RFC 1035 §4.1.4), or more of them than a name has use for.
    #[error("a compression pointer does not point backwards, or is one too many")]
    Pointer,
    /// RDATA that does not fill its RDLENGTH, or passes it.
    #[error("RDATA and RDLENGTH disagree")]
    RData,
    /// The records, written out, are larger than any honest message.
    #[error("the message expands past its bound")]
    Expansion,
    /// An OPT record out of place (RFC 6891 §6.1.1).
    #[error("an OPT record is out of place")]
    Opt,
    /// A COOKIE option of a length that none has (RFC 7873 §5.2.2).
    #[error("the COOKIE option has a wrong length")]
    Cookie,
}

/// The length of a message header (RFC 1035 §4.1.1).
pub const HEADER: usize = 12;

/// The bits of the header's second word (RFC 1035 §4.1.1, RFC 4035 §3).
pub mod flag {
    /// Response.
    pub const QR: u16 = 0x8000;
    /// Authoritative answer.
    pub const AA: u16 = 0x0400;
    /// Truncated.
    pub const TC: u16 = 0x0200;
    /// Recursion desired.
    pub const RD: u16 = 0x0100;
    /// Recursion available.
    pub const RA: u16 = 0x0080;
    /// Authentic data.
    pub const AD: u16 = 0x0020;
    /// Checking disabled.
    pub const CD: u16 = 0x0010;
}

/// Response codes (RFC 1035 §4.1.1, RFC 2136, RFC 6891).
pub mod rcode {
    /// No error.
    pub const NOERROR: u16 = 0;
    /// The query could not be understood.
    pub const FORMERR: u16 = 1;
    /// The server failed.
    pub const SERVFAIL: u16 = 2;
    /// The name does not exist.
    pub const NXDOMAIN: u16 = 3;
    /// The kind of query is not implemented.
    pub const NOTIMP: u16 = 4;
    /// The query is refused.
    pub const REFUSED: u16 = 5;
    /// The EDNS version is not supported.
    pub const BADVERS: u16 = 16;
    /// The server cookie is missing or wrong (RFC 7873 §8).
    pub const BADCOOKIE: u16 = 23;

    /// The mnemonic of a response code.
    pub fn text(code: u16) -> &'static str {
        match code {
            0 => "NOERROR",
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            6 => "YXDOMAIN",
            7 => "YXRRSET",
            8 => "NXRRSET",
            9 => "NOTAUTH",
            10 => "NOTZONE",
            16 => "BADVERS",
            17 => "BADKEY",
            18 => "BADTIME",
            22 => "BADTRUNC",
            23 => "BADCOOKIE",
            _ => "OTHER",
        }
    }
}

/// A big-endian 16-bit field at `at`.
pub fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Fault> {
    match bytes.get(at..at + 2) {
        Some(b) => Ok(u16::from_be_bytes([b[0], b[1]])),
        None => Err(Fault::Short),
    }
}

/// A big-endian 32-bit field at `at`.
pub fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    match bytes.get(at..at + 4) {
        Some(b) => Ok(u32::from_be_bytes([b[0], b[1], b[2], b[3]])),
        None => Err(Fault::Short),
    }
}
