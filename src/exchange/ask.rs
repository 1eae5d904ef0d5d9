//! What a source of answers is asked.

use crate::wire::rtype::CLASS_IN;
use crate::wire::{Name, RType};

/// A question for another server, and what of its answer may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// QNAME, sent in this case.
    pub qname: Name,
    /// QTYPE.
    pub qtype: RType,
    /// QCLASS.
    pub qclass: u16,
    /// DO: DNSSEC records are wanted (RFC 3225).
    pub dnssec_ok: bool,
    /// CD: the server shall not validate (RFC 4035 §3.2.2).
    pub checking_disabled: bool,
    /// AD: the server shall say whether it validated (RFC 6840 §5.7).
    pub authentic_wanted: bool,
    /// The domain for which this server is asked: what it says of others is not believed.
    pub forwarded_domain: Name,
}

impl Ask {
    /// A plain question of class IN, in the domain of its own name.
    pub fn new(qname: Name, qtype: RType) -> Ask {
        Ask {
            forwarded_domain: qname.clone(),
            qname,
            qtype,
            qclass: CLASS_IN,
            dnssec_ok: false,
            checking_disabled: false,
            authentic_wanted: false,
        }
    }

    /// The same question to a server that answers for `domain`.
    pub fn within(self, domain: Name) -> Ask {
        Ask { forwarded_domain: domain, ..self }
    }
}
