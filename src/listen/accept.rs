//! One TCP listener of one worker, and the worker's connections.
//!
//! Who finds all places taken gets that of the longest idle connection, of whichever worker ([`super::seats`]); when none
//! is idle, he is turned away, so that no query that was taken is lost.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{Instant, sleep};

use super::Service;
use super::address::canonical;
use super::seats::NoSeat;
use super::stats::Closed;
use super::stream::{self, Link};
use super::worker::{Worker, watched};
use crate::query::{Path, Transport};

/// After an accept that failed for want of file descriptors or memory.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(50);
/// After an idle connection was told to make room.
const ROOM_WAIT: Duration = Duration::from_millis(1);

/// The open connections of one worker.
#[derive(Default)]
pub(super) struct Connections {
    links: RefCell<HashMap<u64, Rc<Link>>>,
    next: Cell<u64>,
}

impl Connections {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.links.borrow().len()
    }

    /// Tells each to end when its queries are answered.
    pub fn finish(&self) {
        self.links.borrow().values().for_each(|link| link.finish());
    }

    fn add(&self, link: Rc<Link>) -> u64 {
        let number = self.next.get();
        self.next.set(number + 1);
        self.links.borrow_mut().insert(number, link);
        number
    }
}

/// Takes a connection off the list, whatever ended it, and counts it as closed.
struct Listed<S: Service> {
    worker: Rc<Worker<S>>,
    number: u64,
    /// Why it ended.
    reason: Cell<Closed>,
}

impl<S: Service> Drop for Listed<S> {
    fn drop(&mut self) {
        self.worker.stats.closed(self.reason.get()).add(1);
        self.worker.connections.links.borrow_mut().remove(&self.number);
        self.worker.one_less();
    }
}

pub(super) struct Door<S: Service> {
    worker: Rc<Worker<S>>,
    listener: TcpListener,
    task: Cell<Option<AbortHandle>>,
}

impl<S: Service> Door<S> {
    /// Begins to accept.
    pub fn open(worker: &Rc<Worker<S>>, listener: std::net::TcpListener) -> io::Result<Rc<Door<S>>> {
        let listener = TcpListener::from_std(listener)?;
        let door = Rc::new(Door { worker: worker.clone(), listener, task: Cell::new(None) });
        let accepting = door.clone();
        door.task.set(Some(worker.keep_running(move || accepting.clone().accept())));
        Ok(door)
    }

    async fn accept(self: Rc<Self>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, client)) => self.let_in(stream, client),
                Err(error) => {
                    self.worker.stats.accept_errors.add(1);
                    // Else the client has gone already (ECONNABORTED), or the network has (accept(2)).
                    if !is_exhaustion(&error) {
                        continue;
                    }
                    // Who is idle makes room, as soon as his worker turns; else there is none until something ends.
                    let made = self.worker.seats.make_room();
                    sleep(if made { ROOM_WAIT } else { EXHAUSTED_WAIT }).await;
                }
            }
        }
    }

    fn let_in(&self, stream: TcpStream, client: SocketAddr) {
        let worker = &self.worker;
        worker.stats.tcp_accepted.add(1);
        let Ok(local) = stream.local_addr() else {
            worker.stats.closed(Closed::Broken).add(1);
            return;
        };
        let path = Path { client: canonical(client), local: canonical(local), transport: Transport::Tcp };
        let (now, bell) = (Instant::now(), Arc::<Notify>::default());
        let seat = match worker.seats.take(path.client.ip(), now, bell.clone()) {
            Ok(seat) => seat,
            Err(full) => {
                worker
                    .stats
                    .closed(if full == NoSeat::Client { Closed::ClientFull } else { Closed::Full })
                    .add(1);
                // With a reset, the kernel keeps nothing of it.
                let _ = stream.set_zero_linger();
                return;
            }
        };
        let link = Rc::new(Link::new(seat, bell, now));
        let number = worker.connections.add(link.clone());
        worker.stats.tcp_open.set(worker.connections.len() as u64);
        // Unless it says otherwise, a panic of ours has broken it.
        let listed = Listed { worker: worker.clone(), number, reason: Cell::new(Closed::Broken) };
        spawn_local(watched(worker.clone(), async move {
            listed.reason.set(stream::serve(&listed.worker, stream, path, &link).await);
        }));
    }

    /// Lets in who is at the door, and then nobody.
    pub async fn close(&self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        while let Poll::Ready(Ok((stream, client))) =
            poll_fn(|cx| Poll::Ready(self.listener.poll_accept(cx))).await
        {
            self.let_in(stream, client);
        }
    }
}

fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
