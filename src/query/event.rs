//! What happened to one query: the single record that log, metrics and dashboards are made from.

use super::Path;

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The worker's finished answers.
    AnswerCache,
    /// What a source said before.
    ResponseCache,
    /// What a source said before, past its time, as the source does not answer (RFC 8767).
    Stale,
    /// A zone of ours.
    Zone,
    /// An upstream server.
    Forward,
    /// Iteration from the root.
    Recurse,
    /// The server itself: policy, refusals, FORMERR, id.server.
    Local,
}

impl Source {
    /// Every source, in the order of their numbers.
    pub const ALL: [Source; 7] = [
        Source::AnswerCache,
        Source::ResponseCache,
        Source::Stale,
        Source::Zone,
        Source::Forward,
        Source::Recurse,
        Source::Local,
    ];

    /// As logs and labels write it.
    pub fn text(self) -> &'static str {
        match self {
            Source::AnswerCache => "answer-cache",
            Source::ResponseCache => "response-cache",
            Source::Stale => "stale",
            Source::Zone => "zone",
            Source::Forward => "forward",
            Source::Recurse => "recurse",
            Source::Local => "local",
        }
    }
}

/// What happened to one query.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// When it arrived, in microseconds since 1970-01-01T00:00:00Z.
    pub unix_micros: u64,
    /// From arrival to answer, in microseconds.
    pub duration_micros: u32,
    /// Whence and how.
    pub path: Path,
    /// The client's network, a position in the directory.
    pub network: Option<u32>,
    /// The client's view.
    pub view: Option<u32>,
    /// The route that answered.
    pub route: Option<u32>,
    /// The upstream server that answered, now or when the answer was cached.
    pub server: Option<u32>,
    /// Where the answer came from.
    pub source: Source,
    /// QTYPE, for counting without reading the response again.
    pub qtype: u16,
    /// RCODE, EDNS's bits included.
    pub rcode: u16,
    /// The query's DO bit.
    pub dnssec_ok: bool,
    /// The query's CD bit.
    pub checking_disabled: bool,
    /// The first extended error's code.
    pub ede: Option<u16>,
    /// The query as it came.
    pub query: &'a [u8],
    /// The response as it was sent, its question included.
    pub response: &'a [u8],
}
