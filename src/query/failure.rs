//! The one table from what went wrong to RCODE and extended error (RFC 8914).

use crate::wire::{Ede, rcode};

/// Why a query gets no answer from a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// The client's address is in no network.
    #[error("the client is in no known network")]
    NoNetwork,
    /// No route of the client's view covers the name.
    #[error("no route of this view covers the name")]
    NoRoute,
    /// The route says so.
    #[error("refused by rule")]
    RefusedByRule,
    /// RD was clear and no zone of ours has the name.
    #[error("not authoritative, and recursion was not desired")]
    NotAuthoritative,
    /// A zone transfer.
    #[error("zone transfers are not served here")]
    Transfer,
    /// A class that we do not serve.
    #[error("the class is not served")]
    Class,
    /// A meta type that we do not serve.
    #[error("the type is not served")]
    MetaType,
    /// Too much is in flight.
    #[error("too many queries in flight")]
    Overloaded,
    /// Too much of one client prefix is in flight.
    #[error("too many queries of this client's network in flight")]
    ShareTaken,
    /// No server of the group answered in time.
    #[error("no upstream server answered in time")]
    Timeout,
    /// No server of the group could be reached.
    #[error("no upstream server could be reached")]
    Unreachable,
    /// Every server answered, none with an answer: SERVFAIL, REFUSED, NOTIMP …
    #[error("every upstream server failed")]
    UpstreamFailed,
    /// The upstream may not be asked more at the moment.
    #[error("the upstream's budget is used up")]
    Busy,
    /// The upstream sends the question back to us.
    #[error("the upstream forwards the question back: a forwarding loop")]
    Loop,
    /// Iteration from the root failed.
    #[error("recursion failed")]
    Recursion,
    /// A CNAME chain that does not end.
    #[error("the CNAME chain is too long or a loop")]
    ChainTooLong,
    /// The zone has no usable content.
    #[error("the zone is not loaded")]
    NoZone,
    /// A bug of ours: a task ended without a result.
    #[error("internal error")]
    Internal,
}

impl Failure {
    /// The RCODE that says it.
    pub fn rcode(self) -> u16 {
        match self {
            Failure::NoNetwork
            | Failure::NoRoute
            | Failure::RefusedByRule
            | Failure::NotAuthoritative
            | Failure::Transfer
            | Failure::Class
            | Failure::Overloaded
            | Failure::ShareTaken => rcode::REFUSED,
            Failure::MetaType => rcode::NOTIMP,
            Failure::Timeout
            | Failure::Unreachable
            | Failure::UpstreamFailed
            | Failure::Busy
            | Failure::Loop
            | Failure::Recursion
            | Failure::ChainTooLong
            | Failure::NoZone
            | Failure::Internal => rcode::SERVFAIL,
        }
    }

    /// Whether it says nothing of the question: it is not to be remembered for it.
    pub fn is_of_the_moment(self) -> bool {
        matches!(self, Failure::Busy)
    }

    /// The extended error that explains it.
    pub fn ede(self) -> Ede {
        let code = match self {
            Failure::NoNetwork | Failure::RefusedByRule | Failure::Transfer => Ede::PROHIBITED,
            Failure::NoRoute | Failure::NotAuthoritative => Ede::NOT_AUTHORITATIVE,
            Failure::Class | Failure::MetaType => Ede::NOT_SUPPORTED,
            Failure::Overloaded | Failure::ShareTaken | Failure::NoZone => Ede::NOT_READY,
            Failure::Timeout | Failure::UpstreamFailed | Failure::Recursion => Ede::NO_REACHABLE_AUTHORITY,
            Failure::Unreachable => Ede::NETWORK_ERROR,
            Failure::Busy | Failure::Loop | Failure::ChainTooLong | Failure::Internal => Ede::OTHER,
        };
        Ede::new(code, self.to_string())
    }
}
