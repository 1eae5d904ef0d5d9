//! May this be answered at all, and how much of it? Decided from the request, before any cache or source is asked, and
//! from the reply, before it leaves.
//!
//! [`judge`] knows the kinds of questions, [`cookie`] who has shown that his address is his own, [`limit`] how much the
//! others get, [`share`] how much of one client may be waited for. Nothing here grows with the number of clients.

pub mod bucket;
pub mod cookie;
pub mod limit;
pub mod prefix;
pub mod response;
pub mod share;

pub use cookie::{Checked, Proof, Secrets};
pub use limit::{Limit, Measure, Pass, Policy, State, Unknown};
pub use prefix::{Prefix, Prefixes};
pub use share::{Leaving, Shares, Ticket};

use crate::query::Failure;
use crate::wire::rtype::{CLASS_CH, CLASS_IN};
use crate::wire::{NameRef, RType, Request};

/// What is to be done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Answer it.
    Answer,
    /// Say who we are (RFC 4892).
    Identify,
    /// Turn it away.
    Refuse(Failure),
}

/// Judges a request.
pub fn judge(request: &Request<'_>) -> Decision {
    match request.qclass {
        CLASS_IN => {}
        CLASS_CH if asks_identity(request) => return Decision::Identify,
        _ => return Decision::Refuse(Failure::Class),
    }
    judge_type(request.qtype)
}

/// Judges the type of a question of class IN.
pub fn judge_type(qtype: RType) -> Decision {
    match qtype {
        RType::ANY => Decision::Answer,
        RType::AXFR | RType::IXFR => Decision::Refuse(Failure::Transfer),
        qtype if qtype.is_meta() || qtype.0 == 0 => Decision::Refuse(Failure::MetaType),
        _ => Decision::Answer,
    }
}

/// `id.server` (RFC 4892) and the name that BIND made a custom before it.
fn asks_identity(request: &Request<'_>) -> bool {
    let is = |wire: &[u8]| NameRef::parse(wire, 0).is_ok_and(|name| name == request.qname);
    let typed = matches!(request.qtype, RType::TXT | RType::ANY);
    typed && (is(b"\x02id\x06server\x00") || is(b"\x08hostname\x04bind\x00"))
}
