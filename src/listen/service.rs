//! What a worker needs from whoever answers.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
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

/// Whether a query waits in the service, or in a task of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// In the service: [`Service::take_landed`] will tell of it.
    Underway,
    /// [`Service::resolve`] is to be asked.
    Task,
}

/// What became of a query that waited in the service.
pub enum Landing {
    /// The reply is written.
    Reply,
    /// This gives the reply, or `None`: send nothing.
    Later(Pin<Box<dyn Future<Output = Option<Vec<u8>>>>>),
    /// Nothing is to be sent.
    Silence,
}

/// Answers the queries of one worker, on its thread. The pipeline does, and the echo of the tests.
pub trait Service: 'static {
    /// Answers from what is at hand, into `out` (given empty). Called between recvmmsg and sendmmsg, so it must neither
    /// wait nor allocate.
    fn admit(&self, packet: &[u8], path: &Path, now: Now, out: &mut Vec<u8>) -> Admit;

    /// Told of a batch some time before [`Service::admit`] is asked for each of it, so that what all of them need can be
    /// fetched from memory together.
    fn foresee<'q>(&self, queries: impl Iterator<Item = (&'q [u8], IpAddr)>) {
        let _ = queries;
    }

    /// Told when [`Service::admit`] is about to be asked for what was foreseen last, if anything was.
    fn approach(&self) {}

    /// Has a batch admitted; the queries that this has sent elsewhere may leave together at its end.
    fn together(&self, admit: impl FnOnce()) {
        admit();
    }

    /// Lets the query that was admitted last, a datagram, wait in the service under this ticket, if it can.
    fn begin(&self, packet: &[u8], path: &Path, now: Now, ticket: usize) -> Begin {
        let _ = (packet, path, now, ticket);
        Begin::Task
    }

    /// Waits until something became of a query that waits in the service.
    fn landed(&self) -> impl Future<Output = ()> {
        std::future::pending()
    }

    /// What became of the next query that waited, by its ticket; its reply is written into `out` (given empty). After a
    /// panic in it the next call must tell that the query at hand then gets no reply, or its seat is never free again.
    fn take_landed(self: Rc<Self>, out: &mut Vec<u8>) -> Option<(usize, Landing)> {
        let _ = out;
        None
    }

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
