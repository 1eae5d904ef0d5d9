//! Record types and classes by number and mnemonic.

use std::fmt;
use std::str::FromStr;

/// A record type or QTYPE (RFC 1035 §3.2.2 and the IANA registry).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RType(pub u16);

/// The class IN.
pub const CLASS_IN: u16 = 1;
/// The class CH, in which servers are asked about themselves (RFC 4892).
pub const CLASS_CH: u16 = 3;
/// The QCLASS ANY.
pub const CLASS_ANY: u16 = 255;

macro_rules! types {
    ($($name:ident = $number:literal $(as $text:literal)?,)*) => {
        #[allow(missing_docs)]
        impl RType {
            $(pub const $name: RType = RType($number);)*
        }

        const MNEMONICS: &[(u16, &str)] = &[$(($number, mnemonic!($name $($text)?)),)*];
    };
}

macro_rules! mnemonic {
    ($name:ident) => {
        stringify!($name)
    };
    ($name:ident $text:literal) => {
        $text
    };
}

types! {
    A = 1, NS = 2, MD = 3, MF = 4, CNAME = 5, SOA = 6, MB = 7, MG = 8, MR = 9, NULL = 10, WKS = 11, PTR = 12,
    HINFO = 13, MINFO = 14, MX = 15, TXT = 16, RP = 17, AFSDB = 18, X25 = 19, ISDN = 20, RT = 21, NSAP = 22,
    NSAP_PTR = 23 as "NSAP-PTR", SIG = 24, KEY = 25, PX = 26, GPOS = 27, AAAA = 28, LOC = 29, NXT = 30, EID = 31,
    NIMLOC = 32, SRV = 33, ATMA = 34, NAPTR = 35, KX = 36, CERT = 37, A6 = 38, DNAME = 39, SINK = 40, OPT = 41,
    APL = 42, DS = 43, SSHFP = 44, IPSECKEY = 45, RRSIG = 46, NSEC = 47, DNSKEY = 48, DHCID = 49, NSEC3 = 50,
    NSEC3PARAM = 51, TLSA = 52, SMIMEA = 53, HIP = 55, NINFO = 56, RKEY = 57, TALINK = 58, CDS = 59, CDNSKEY = 60,
    OPENPGPKEY = 61, CSYNC = 62, ZONEMD = 63, SVCB = 64, HTTPS = 65, DSYNC = 66, HHIT = 67, BRID = 68, SPF = 99,
    UINFO = 100, UID = 101, GID = 102, UNSPEC = 103, NID = 104, L32 = 105, L64 = 106, LP = 107, EUI48 = 108,
    EUI64 = 109, NXNAME = 128, TKEY = 249, TSIG = 250, IXFR = 251, AXFR = 252, MAILB = 253, MAILA = 254, ANY = 255,
    URI = 256, CAA = 257, AVC = 258, DOA = 259, AMTRELAY = 260, RESINFO = 261, WALLET = 262, CLA = 263, IPN = 264,
    TA = 32768, DLV = 32769,
}

impl RType {
    /// Whether a query for this type asks for a transfer or other meta data, not for an RRset (RFC 6895 §3.1).
    pub fn is_meta(self) -> bool {
        (128..=255).contains(&self.0) || self == RType::OPT
    }
}

impl fmt::Display for RType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match MNEMONICS.binary_search_by_key(&self.0, |(number, _)| *number) {
            Ok(at) => f.write_str(MNEMONICS[at].1),
            // RFC 3597 §5
            Err(_) => write!(f, "TYPE{}", self.0),
        }
    }
}

impl fmt::Debug for RType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let upper = text.to_ascii_uppercase();
        if let Some((number, _)) = MNEMONICS.iter().find(|(_, mnemonic)| *mnemonic == upper) {
            return Ok(RType(*number));
        }
        upper.strip_prefix("TYPE").and_then(|number| number.parse().ok()).map(RType).ok_or(())
    }
}

/// A class as text (RFC 1035 §3.2.4, RFC 3597 §5).
pub fn class_text(class: u16) -> String {
    match class {
        1 => "IN".into(),
        3 => "CH".into(),
        4 => "HS".into(),
        254 => "NONE".into(),
        255 => "ANY".into(),
        other => format!("CLASS{other}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn mnemonics_are_sorted_and_read_back() {
        assert!(MNEMONICS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (number, mnemonic) in MNEMONICS {
            assert_eq!(mnemonic.parse::<RType>().unwrap(), RType(*number));
            assert_eq!(RType(*number).to_string(), *mnemonic);
        }
        assert_eq!("type4711".parse::<RType>().unwrap().to_string(), "TYPE4711");
        assert!("NOSUCH".parse::<RType>().is_err());
    }
}
