//! What a worker needs from whoever answers.

use std::future::Future;
use std::rc::Rc;

use crate::query::{Now, Path};

/// What is to be done with a query after the synchronous part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    /// The whole reply is written.
    Reply,
    /// Nothing is to be sent. A stream whose message deserves no reply is closed.
    Drop,
    /// The answer takes time: [`Service::resolve`] is to be asked.
    Resolve,
}

/// Answers the queries of one worker, on its thread. The pipeline does, and the echo of the tests.
pub trait Service: 'static {
    /// Answers from what is at hand, into `out` (given empty). Called between recvmmsg and sendmmsg, so it must neither
    /// wait nor allocate.
    fn admit(&self, packet: &[u8], path: &Path, now: Now, out: &mut Vec<u8>) -> Admit;

    /// Finds the answer, on the worker's own runtime; `now` is when the query arrived. `None`: send nothing.
    fn resolve(
        self: Rc<Self>,
        packet: Box<[u8]>,
        path: Path,
        now: Now,
    ) -> impl Future<Output = Option<Vec<u8>>> + 'static;

    /// Turns away a query that [`Service::admit`] wants resolved while too much is in flight: writes the refusal into
    /// `out` (given empty), or nothing for silence.
    fn overloaded(&self, packet: &[u8], path: &Path, now: Now, out: &mut Vec<u8>);

    /// Called after the replies of each batch have left, and at least twice a second: the moment to hand over the log
    /// and to look for a newer snapshot.
    fn batch_done(&self);
}
