//! What is about to be asked for, fetched from memory meanwhile.

use std::net::IpAddr;

use super::{Worker, finish};
use crate::cache::answer::Key;
use crate::wire::Request;
use crate::wire::request::Parsed;

impl Worker {
    /// Has it fetched where the answers to these would be. What is done until [`Worker::approach`] goes on need not wait.
    pub fn foresee<'q>(&self, queries: impl Iterator<Item = (&'q [u8], IpAddr)>) {
        let snapshot = self.snapshot();
        self.answers.borrow_mut().foresee(queries.filter_map(|(packet, client)| {
            let Parsed::Query(request) = Request::parse(packet) else { return None };
            Key::new(snapshot.table.client(client)?.view, finish::cache_bits(&request)?, request.question())
        }));
    }

    /// Has the answers themselves fetched. Says how many there are.
    pub fn approach(&self) -> usize {
        self.answers.borrow_mut().approach()
    }
}
