//! Queries leave: at once, or the lane's in a batch, one right after the other.
//!
//! What sends and what decides whom to ask are each larger than a core's cache for instructions. In turns, for each query,
//! they put each other out; each of them for the whole batch, they do not (MISS 0.97 of its time).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::time::Instant;

use super::flips::Flips;
use super::port::{self, Leave};
use super::udp::{Desk, Party, State, Wait};
use super::{Case, Exchange, ExchangeError, Query, Way};

/// As long as it lives, queries of the lane are kept back; then they leave.
pub struct Gathering(Option<Arc<Desk>>);

impl Exchange {
    /// Has the queries of a batch leave together.
    pub fn gather(&self) -> Gathering {
        let desk = self.with_open_desk(Arc::clone);
        if let Some(desk) = &desk {
            desk.lock().gathering = true;
        }
        Gathering(desk)
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        if let Some(desk) = &self.0 {
            desk.depart();
        }
    }
}

impl Desk {
    /// Enters a query, and sends it if it is not to leave with others.
    pub(super) fn send(
        &self,
        way: Way,
        query: Query,
        now: Instant,
        party: Party,
    ) -> Result<u32, ExchangeError> {
        let Way { server, source, deadline } = way;
        let any = match server {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let mut state = self.lock();
        let id = state.ports.draw_id().map_err(local)?;
        let port = state.ports.pick(source.unwrap_or(any), server, &self.epoll, now).map_err(local)?;
        let flips = match query.case {
            Case::Any => Flips::NONE,
            Case::Exact => state.ports.draw_flips(query.name().len()).map_err(local)?,
        };
        if state.free.len() == state.waits.len() {
            self.begun.notify_one();
        }
        let may_wait = state.gathering && matches!(party, Party::Lane { .. });
        let slot = state.enter(Wait {
            server,
            query,
            flips,
            id,
            port,
            sent: now,
            deadline,
            ignored: 0,
            party,
            outcome: None,
        });
        if may_wait {
            state.leaving.push(slot);
        } else if let Err(error) = state.depart(slot) {
            state.withdraw(slot);
            return Err(error);
        } else {
            self.tell_of_landed(&state);
        }
        Ok(slot)
    }

    /// Sends what was kept back. What cannot be sent lands with that.
    fn depart(&self) {
        let mut state = self.lock();
        state.gathering = false;
        let mut leaving = std::mem::take(&mut state.leaving);
        if !leaving.is_empty() {
            // What was decided meanwhile for others is no part of how long a server takes.
            let now = Instant::now();
            for slot in leaving.drain(..) {
                if let Some(wait) = &mut state.waits[slot as usize] {
                    wait.sent = now;
                }
                if let Err(error) = state.depart(slot) {
                    state.settle(slot, Err(error), now);
                }
            }
        }
        state.leaving = leaving;
        self.tell_of_landed(&state);
    }
}

impl State {
    fn depart(&mut self, slot: u32) -> Result<(), ExchangeError> {
        let Some(wait) = self.waits[slot as usize].as_ref().filter(|wait| !wait.is_settled()) else {
            return Ok(());
        };
        let (key, server, sent) = (wait.port, wait.server, wait.sent);
        wait.query.write(wait.id, &wait.flips, &mut self.query);
        if self.write_to(key, server).is_err() {
            // What the last query from this port met with stands before this one. A second error is its own.
            self.read_errors(key, sent);
            if self.waits[slot as usize].as_ref().is_none_or(Wait::is_settled) {
                // It was its own already: a firewall of this host has told so, too.
                return Ok(());
            }
            if let Some(port) = self.ports.get_mut(key) {
                port.renew();
            }
            self.write_to(key, server).map_err(network)?;
        }
        self.hear_query(key, server, sent);
        Ok(())
    }

    /// Sends what was written last.
    fn write_to(&mut self, key: port::Key, server: SocketAddr) -> io::Result<usize> {
        match self.ports.get_mut(key) {
            Some(port) => port.send(&self.query, server),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Takes out a query that could not be sent.
    fn withdraw(&mut self, slot: u32) {
        if let Some(wait) = self.waits[slot as usize].take() {
            self.ports.leave(wait.port, slot, Leave::Heard);
            self.free.push(slot);
        }
    }
}

#[allow(clippy::needless_pass_by_value)] // reads better in map_err
fn local(error: io::Error) -> ExchangeError {
    ExchangeError::Local(error.kind())
}

#[allow(clippy::needless_pass_by_value)] // as above
fn network(error: io::Error) -> ExchangeError {
    match error.kind() {
        // Our own buffer or queue is full.
        io::ErrorKind::WouldBlock => local(error),
        _ if error.raw_os_error() == Some(libc::ENOBUFS) => local(error),
        kind => ExchangeError::Unreachable(kind),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::VecDeque;
    use std::net::UdpSocket;
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use nix::sys::epoll::{EpollEvent, EpollFlags};
    use tokio::time::timeout;

    use super::*;
    use crate::exchange::udp::EVENTS;
    use crate::exchange::{Ask, Dialect, Landed, Landing, Query};
    use crate::wire::RType;

    /// Sends queries of the lane to a server.
    fn launch(exchange: &Exchange, server: SocketAddr, tokens: &[u64]) {
        let query = Query::new(&Ask::new("dc01.technova.local".parse().unwrap(), RType::A), Dialect::Edns);
        let now = Instant::now();
        let deadline = now + Duration::from_secs(10);
        for token in tokens {
            let way = Way { server, source: None, deadline };
            exchange.launch(way, query.clone(), now, deadline, *token).unwrap();
        }
    }

    /// A server and its address.
    fn server() -> (UdpSocket, SocketAddr) {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_nonblocking(true).unwrap();
        let address = server.local_addr().unwrap();
        (server, address)
    }

    fn taken(exchange: &Exchange) -> Vec<Landed> {
        let mut landed = VecDeque::new();
        exchange.take_landed(&mut landed);
        landed.into()
    }

    fn arrived(server: &UdpSocket) -> usize {
        std::iter::from_fn(|| server.recv(&mut [0; 512]).ok()).count()
    }

    #[tokio::test]
    async fn a_batch_leaves_together_and_whatever_comes_after_it_at_once() {
        let (exchange, (server, address)) = (Exchange::new(), server());
        launch(&exchange, address, &[0]);
        assert_eq!(arrived(&server), 1);
        let gathering = exchange.gather();
        launch(&exchange, address, &[1, 2]);
        assert_eq!(arrived(&server), 0);
        drop(gathering);
        assert_eq!(arrived(&server), 2);
        launch(&exchange, address, &[3]);
        assert_eq!(arrived(&server), 1);
    }

    #[tokio::test]
    async fn what_cannot_leave_lands_with_the_reason() {
        let (exchange, (server, address)) = (Exchange::new(), server());
        launch(&exchange, address, &[0]);
        let gathering = exchange.gather();
        // Nobody may send there (EACCES).
        launch(&exchange, SocketAddr::from(([255; 4], 53)), &[1]);
        launch(&exchange, address, &[2]);
        drop(gathering);
        assert_eq!(arrived(&server), 2);
        exchange.landed().await;
        let landed = taken(&exchange).remove(0);
        assert_eq!(landed.token, 1);
        let Landing::Ended(ended) = landed.landing else { panic!("it has ended") };
        assert!(matches!((ended.outcome, ended.ignored), (Err(ExchangeError::Unreachable(_)), 0)));
        assert!(taken(&exchange).is_empty());
    }

    #[tokio::test]
    async fn silence_is_told_of_however_much_others_have_to_say() {
        let (exchange, (_server, address)) = (Exchange::new(), server());
        let query = Query::new(&Ask::new("dc01.technova.local".parse().unwrap(), RType::A), Dialect::Edns);
        let now = Instant::now();
        let deadline = now + Duration::from_secs(60);
        let way = Way { server: address, source: None, deadline };
        exchange.launch(way, query, now, now, 7).unwrap();
        // At each look there is as much as one takes: nobody reads it.
        let desk = exchange.with_open_desk(Arc::clone).unwrap();
        let others: Vec<_> = (0..EVENTS).map(|_| UnixDatagram::pair().unwrap()).collect();
        for (end, other) in &others {
            other.send(b"x").unwrap();
            desk.epoll.add(end, EpollEvent::new(EpollFlags::EPOLLIN, port::NONE.into())).unwrap();
        }
        timeout(Duration::from_secs(20), exchange.landed()).await.unwrap();
        let landed = taken(&exchange);
        assert!(matches!(landed[..], [Landed { token: 7, landing: Landing::Silent(_), .. }]));
    }

    #[test]
    fn a_line_that_ends_leaves_nobody_waiting() {
        let (exchange, (_server, address)) = (Exchange::new(), server());
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let query = Query::new(&Ask::new("dc01.technova.local".parse().unwrap(), RType::A), Dialect::Edns);
        let deadline = Instant::now() + Duration::from_secs(60);
        let way = Way { server: address, source: None, deadline };
        let first = runtime();
        first.block_on(async {
            launch(&exchange, address, &[1, 2]);
            // Of this one there is news already, which nobody has asked about.
            exchange.launch(way, query, Instant::now(), Instant::now(), 3).unwrap();
            exchange.landed().await;
        });
        drop(first);
        runtime().block_on(async {
            launch(&exchange, address, &[4]);
            exchange.landed().await;
            let mut landed = taken(&exchange);
            landed.sort_by_key(|landed| landed.token);
            assert_eq!(landed.iter().map(|landed| landed.token).collect::<Vec<_>>(), [1, 2, 3]);
            for landed in landed {
                match landed.landing {
                    Landing::Ended(ended) => {
                        assert!(matches!(ended.outcome, Err(ExchangeError::Local(_))), "{}", landed.token);
                    }
                    // The next line has a place of the same number, which is another's.
                    Landing::Silent(silent) => assert!(exchange.listen(silent).is_none()),
                }
            }
        });
    }

    #[tokio::test]
    async fn what_has_landed_lands_once() {
        let (exchange, (_server, address)) = (Exchange::new(), server());
        let gathering = exchange.gather();
        drop(gathering);
        launch(&exchange, address, &[0, 1]);
        let desk = exchange.with_open_desk(Arc::clone).unwrap();
        for _ in 0..2 {
            let error = ExchangeError::Unreachable(io::ErrorKind::HostUnreachable);
            desk.lock().settle(0, Err(error), Instant::now());
        }
        // It has left its port, so that it cannot leave again.
        assert_eq!(desk.lock().depart(0), Ok(()));
        assert_eq!(taken(&exchange).iter().map(|landed| landed.token).collect::<Vec<_>>(), [0]);
        assert!(taken(&exchange).is_empty());
        assert!(desk.lock().waits[1].is_some());
    }
}
