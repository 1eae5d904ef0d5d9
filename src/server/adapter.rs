//! The pipeline's worker, as the listeners know a service.

use std::future::Future;
use std::net::IpAddr;
use std::rc::Rc;

use crate::listen::{self, Service};
use crate::pipeline::{self, Worker};
use crate::query::{Now, Path};

/// One worker's pipeline behind its sockets.
pub(super) struct Street(pub Rc<Worker>);

impl Service for Street {
    fn admit(&self, packet: &[u8], path: &Path, now: Now, out: &mut Vec<u8>) -> listen::Admit {
        match self.0.admit(packet, path, now, out) {
            pipeline::Admit::Reply => listen::Admit::Reply,
            pipeline::Admit::Drop => listen::Admit::Drop,
            pipeline::Admit::Resolve => listen::Admit::Resolve,
        }
    }

    fn foresee<'q>(&self, queries: impl Iterator<Item = (&'q [u8], IpAddr)>) {
        self.0.foresee(queries);
    }

    fn approach(&self) {
        self.0.approach();
    }

    fn together(&self, admit: impl FnOnce()) {
        let _gathering = self.0.gather();
        admit();
    }

    fn begin(&self, packet: &[u8], path: &Path, now: Now, ticket: usize) -> listen::Begin {
        match self.0.begin(packet, path, now, ticket) {
            pipeline::Begin::Underway => listen::Begin::Underway,
            pipeline::Begin::Task => listen::Begin::Task,
        }
    }

    async fn landed(&self) {
        self.0.landed().await;
    }

    fn take_landed(self: Rc<Self>, out: &mut Vec<u8>) -> Option<(usize, listen::Landing)> {
        let (ticket, landing) = self.0.take_landed(out)?;
        let landing = match landing {
            pipeline::Landing::Reply => listen::Landing::Reply,
            pipeline::Landing::Later(reply) => listen::Landing::Later(reply),
            pipeline::Landing::Silence => listen::Landing::Silence,
        };
        Some((ticket, landing))
    }

    fn resolve(
        self: Rc<Self>,
        packet: Box<[u8]>,
        path: Path,
        now: Now,
    ) -> impl Future<Output = Option<Vec<u8>>> + 'static {
        Rc::clone(&self.0).resolve(packet, path, now)
    }

    fn overloaded(&self, packet: &[u8], path: &Path, now: Now, out: &mut Vec<u8>) {
        self.0.overloaded(packet, path, now, out);
    }

    fn batch_done(&self) {
        self.0.batch_done();
    }
}
