//! Queries that wait in the service, without a task: who asked, by ticket, and the one task that sends what became of them.

use std::cell::RefCell;
use std::rc::Rc;

use slab::Slab;
use tokio::task::yield_now;

use super::udp::Udp;
use super::worker::{Flight, Worker};
use super::{Landing, Service};
use crate::query::Path;

/// Landings before other tasks of the worker have their turn.
const ROUND: usize = 256;

/// Who waits.
pub(super) struct Lane<S: Service> {
    seats: RefCell<Slab<Seat<S>>>,
}

/// One who waits.
pub(super) struct Seat<S: Service> {
    pub(super) udp: Rc<Udp<S>>,
    pub(super) path: Path,
    pub(super) flight: Flight<S>,
}

impl<S: Service> Lane<S> {
    pub(super) fn new() -> Lane<S> {
        Lane { seats: RefCell::new(Slab::new()) }
    }

    /// The ticket of one who will wait. If a panic comes first he waits no longer.
    pub(super) fn take_seat(&self, seat: Seat<S>) -> Taken<'_, S> {
        let ticket = self.seats.borrow_mut().insert(seat);
        Taken { lane: self, ticket }
    }

    /// One who waits no longer.
    pub(super) fn leave(&self, ticket: usize) -> Option<Seat<S>> {
        self.seats.borrow_mut().try_remove(ticket)
    }
}

/// A seat that was just taken.
pub(super) struct Taken<'a, S: Service> {
    lane: &'a Lane<S>,
    pub(super) ticket: usize,
}

impl<S: Service> Drop for Taken<'_, S> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.lane.leave(self.ticket);
        }
    }
}

/// Sends what lands, a batch at a time.
pub(super) async fn run<S: Service>(worker: Rc<Worker<S>>) {
    let mut out = Vec::new();
    loop {
        // First what a panic has left: nobody will tell of it again.
        while land_round(&worker, &mut out).await == ROUND {
            yield_now().await;
        }
        worker.service.landed().await;
    }
}

/// Says how many have landed.
async fn land_round<S: Service>(worker: &Rc<Worker<S>>, out: &mut Vec<u8>) -> usize {
    let mut batch: Option<Rc<Udp<S>>> = None;
    // In flight until the reply has left.
    let mut leaving = Vec::new();
    let mut count = 0;
    while count < ROUND {
        out.clear();
        let Some((ticket, landing)) = worker.service.clone().take_landed(out) else { break };
        count += 1;
        let Some(Seat { udp, path, flight }) = worker.lane.leave(ticket) else { continue };
        match landing {
            Landing::Silence => worker.stats.silent.add(1),
            Landing::Later(reply) => udp.send_later(path, flight, reply),
            Landing::Reply => {
                if let Some(other) = batch.replace(udp.clone()).filter(|other| !Rc::ptr_eq(other, &udp)) {
                    other.send_landed().await;
                    worker.service.batch_done();
                }
                if !udp.commit_landed(out, &path) {
                    udp.send_landed().await;
                    worker.service.batch_done();
                    leaving.clear();
                    udp.commit_landed(out, &path);
                }
                leaving.push(flight);
            }
        }
    }
    if let Some(udp) = batch {
        udp.send_landed().await;
    }
    worker.service.batch_done();
    count
}
