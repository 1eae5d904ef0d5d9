//! Sockets on random ports. Opening one costs five system calls, so under load each serves some queries; but no two
//! queries that follow each other, and not for long, so that who guesses has the whole range to guess from (RFC 5452).
//! A port whose time is over while somebody still waits there gets no further query, and is closed with the last wait.
//!
//! They are not connected: a server is known by the address that its datagrams come from, compared by the reader.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{setsockopt, sockopt};
use smallvec::SmallVec;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::Instant;

use super::entropy::Entropy;
use super::flips::Flips;

/// Ports of one source address that are open at once when there is load: of a thousand queries nearly all leave from
/// different ones.
const MOST: usize = 1024;
/// How many queries leave from a port: opening it then costs each of them less than a tenth of sending it.
const USES: u32 = 64;
/// How long a port is used.
const LIFE: Duration = Duration::from_secs(3);
/// The next port is one of so many that rested longest.
const CHOICE: usize = 16;
/// How many ports we draw before the kernel may choose one.
const DRAWS: usize = 5;

/// Where an open socket is kept.
pub(super) type Key = u32;

/// No socket.
pub(super) const NONE: Key = Key::MAX;

/// An open socket.
pub(super) struct Port {
    pub(super) socket: UdpSocket,
    /// Who waits for a response to it.
    pub(super) waits: SmallVec<[u32; 2]>,
    born: Instant,
    uses: u32,
    lane: usize,
    standing: Standing,
}

/// Whether queries leave from a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// They do.
    Serves,
    /// They do, but not for longer than those who wait there: one of them has waited in vain, and if the port's buffer is
    /// full of what nobody asked for, nobody will hear anything there.
    Doubtful,
    /// They do not any more.
    Retired,
}

/// How a wait at a port ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// Something was heard, if only that there is nobody.
    Heard,
    /// Nothing was.
    Unheard,
}

/// All open sockets of one worker.
pub(super) struct Ports {
    open: Vec<Option<Port>>,
    free: Vec<Key>,
    lanes: Vec<Lane>,
    entropy: Entropy,
    most: usize,
    uses: u32,
    /// How many ports of a lane may be open beside its order.
    retired: usize,
}

/// The sockets of one source address.
struct Lane {
    source: IpAddr,
    /// The longest rested first.
    order: VecDeque<Key>,
    /// Ports beside these that are open because somebody waits there.
    retired: usize,
}

impl Ports {
    pub(super) fn new() -> Ports {
        let (most, uses, retired) = match descriptors() {
            enough if enough / 12 >= MOST => (MOST, USES, MOST / 2),
            // Too few to take turns: each query has a port of its own.
            few => ((few / 8).max(1), 1, 0),
        };
        let (open, free, lanes) = Default::default();
        Ports { open, free, lanes, entropy: Entropy::new(), most, uses, retired }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Port> {
        self.open.get_mut(key as usize)?.as_mut()
    }

    pub(super) fn draw_id(&mut self) -> io::Result<u16> {
        self.entropy.id().map_err(|_| io::ErrorKind::Other.into())
    }

    /// A random case for a QNAME of so many octets.
    pub(super) fn draw_flips(&mut self, length: usize) -> io::Result<Flips> {
        Flips::draw(length, || self.draw_id())
    }

    /// A socket for the next query. With little to do, and so for whoever measures with few queries, each has a new one.
    pub(super) fn pick(&mut self, source: IpAddr, epoll: &Epoll, now: Instant) -> io::Result<Key> {
        let lane = self.lane(source);
        self.close_expired(lane, now);
        let count = self.lanes[lane].order.len();
        if count < self.most {
            match self.open(lane, epoll, now) {
                Ok(key) => {
                    self.lanes[lane].order.push_back(key);
                    return Ok(key);
                }
                // Out of descriptors: one that is open has to do.
                Err(error) if count == 0 => return Err(error),
                Err(_) => {}
            }
        }
        let nth = self.below(count.min(CHOICE))?;
        let order = &mut self.lanes[lane].order;
        order.swap(0, nth);
        let rested = order[0];
        let may_retire = self.lanes[lane].retired < self.retired;
        let chosen = if self.is_worn(rested, now)
            && (may_retire || self.is_left(rested))
            && let Ok(fresh) = self.open(lane, epoll, now)
        {
            self.retire(rested);
            fresh
        } else {
            rested
        };
        let order = &mut self.lanes[lane].order;
        order.pop_front();
        order.push_back(chosen);
        if let Some(port) = self.get_mut(chosen) {
            port.uses += 1;
        }
        Ok(chosen)
    }

    fn lane(&mut self, source: IpAddr) -> usize {
        self.lanes.iter().position(|lane| lane.source == source).unwrap_or_else(|| {
            self.lanes.push(Lane { source, order: VecDeque::new(), retired: 0 });
            self.lanes.len() - 1
        })
    }

    /// One more than is opened, at most, so that the ports of a busy minute do not stay.
    fn close_expired(&mut self, lane: usize, now: Instant) {
        for _ in 0..2 {
            let Some(&first) = self.lanes[lane].order.front() else { return };
            let expired = |port: &Port| port.waits.is_empty() && now - port.born > LIFE;
            if !self.get_mut(first).is_none_or(|port| expired(port)) {
                return;
            }
            self.lanes[lane].order.pop_front();
            self.close(first);
        }
    }

    fn is_worn(&mut self, key: Key, now: Instant) -> bool {
        let uses = self.uses;
        self.get_mut(key).is_none_or(|port| {
            port.uses >= uses || port.standing != Standing::Serves || now - port.born > LIFE
        })
    }

    fn is_left(&mut self, key: Key) -> bool {
        self.get_mut(key).is_none_or(|port| port.waits.is_empty())
    }

    /// Whoever waited there waits no longer.
    pub(super) fn leave(&mut self, key: Key, slot: u32, how: Leave) {
        let Some(port) = self.get_mut(key) else { return };
        port.waits.retain(|waiting| *waiting != slot);
        if how == Leave::Unheard && port.standing == Standing::Serves {
            port.standing = Standing::Doubtful;
        }
        if port.standing == Standing::Retired && port.waits.is_empty() {
            let lane = port.lane;
            self.lanes[lane].retired -= 1;
            self.close(key);
        }
    }

    /// Closes a port that has left the order, or has that done by the last who waits there.
    fn retire(&mut self, key: Key) {
        match self.get_mut(key) {
            Some(port) if !port.waits.is_empty() => {
                port.standing = Standing::Retired;
                let lane = port.lane;
                self.lanes[lane].retired += 1;
            }
            _ => self.close(key),
        }
    }

    fn close(&mut self, key: Key) {
        // What is closed leaves the epoll set by itself.
        if self.open[key as usize].take().is_some() {
            self.free.push(key);
        }
    }

    fn open(&mut self, lane: usize, epoll: &Epoll, now: Instant) -> io::Result<Key> {
        let source = self.lanes[lane].source;
        let socket = Socket::new(
            Domain::for_address(SocketAddr::new(source, 0)),
            Type::DGRAM.nonblocking(),
            Some(Protocol::UDP),
        )?;
        // An unconnected socket hears that nobody listens only if it asks for it.
        match source {
            IpAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
            IpAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
        }
        self.bind(&socket, source)?;
        let key = self.free.last().copied().unwrap_or(self.open.len() as Key);
        epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, key.into()))?;
        let port = Port {
            socket: socket.into(),
            waits: SmallVec::new(),
            born: now,
            uses: 1,
            lane,
            standing: Standing::Serves,
        };
        match self.free.pop() {
            Some(_) => self.open[key as usize] = Some(port),
            None => self.open.push(Some(port)),
        }
        Ok(key)
    }

    fn bind(&mut self, socket: &Socket, address: IpAddr) -> io::Result<()> {
        for _ in 0..DRAWS {
            let port = self.entropy.port().map_err(|_| io::ErrorKind::Other)?;
            match socket.bind(&SocketAddr::new(address, port).into()) {
                // Another has the port, or the system keeps it for itself.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
                }
                bound => return bound,
            }
        }
        socket.bind(&SocketAddr::new(address, 0).into())
    }

    fn below(&mut self, bound: usize) -> io::Result<usize> {
        Ok((usize::from(self.draw_id()?) * bound) >> 16)
    }
}

/// How many file descriptors the process may have.
fn descriptors() -> usize {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| usize::try_from(soft).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use nix::sys::epoll::EpollCreateFlags;

    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    /// Few, as a test needs no more descriptors than it has.
    const FEW: usize = 20;
    const SOON: Duration = Duration::from_millis(1);

    struct Bench {
        ports: Ports,
        epoll: Epoll,
        begin: Instant,
    }

    impl Bench {
        fn new() -> Bench {
            let ports = Ports { most: FEW, uses: USES, retired: FEW / 2, ..Ports::new() };
            Bench {
                ports,
                epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap(),
                begin: Instant::now(),
            }
        }

        /// A query leaves, and waits as `slot`.
        fn send(&mut self, after: Duration, slot: u32) -> Key {
            let key = self.ports.pick(SOURCE, &self.epoll, self.begin + after).unwrap();
            self.ports.get_mut(key).unwrap().waits.push(slot);
            key
        }

        fn number(&mut self, key: Key) -> u16 {
            self.ports.get_mut(key).unwrap().socket.local_addr().unwrap().port()
        }

        /// How old the port was when this time had passed.
        fn age(&mut self, key: Key, after: Duration) -> Duration {
            self.begin + after - self.ports.get_mut(key).unwrap().born
        }

        fn open(&self) -> usize {
            self.ports.open.iter().flatten().count()
        }
    }

    #[test]
    fn a_port_whose_time_is_over_gets_no_query_though_somebody_waits_there() {
        let mut bench = Bench::new();
        let waiting: Vec<Key> = (0..FEW as u32).map(|slot| bench.send(Duration::ZERO, slot)).collect();
        // So few that none of the new ones is among those that rested longest.
        let few = FEW - CHOICE;
        let later: Vec<Key> = (0..few as u32).map(|slot| bench.send(2 * LIFE, 100 + slot)).collect();
        assert!(later.into_iter().all(|key| bench.age(key, 2 * LIFE).is_zero()));
        assert_eq!(bench.open(), FEW + few);
        for (key, slot) in waiting.into_iter().zip(0..) {
            bench.ports.leave(key, slot, Leave::Heard);
        }
        assert_eq!(bench.open(), FEW);
    }

    #[test]
    fn half_as_many_are_retired_as_serve_and_no_more() {
        let mut bench = Bench::new();
        for slot in 0..10 * FEW as u32 {
            bench.send(LIFE * 2 * (slot / FEW as u32), slot);
        }
        assert_eq!(bench.open(), FEW / 2 * 3);
    }

    #[test]
    fn a_port_where_one_waited_in_vain_is_not_taken_again() {
        let mut bench = Bench::new();
        let keys: Vec<Key> = (0..FEW as u32).map(|slot| bench.send(Duration::ZERO, slot)).collect();
        for (key, slot) in keys.into_iter().zip(0..) {
            bench.ports.leave(key, slot, Leave::Unheard);
        }
        let next: Vec<Key> = (0..FEW as u32).map(|slot| bench.send(SOON, slot)).collect();
        assert!(next.into_iter().all(|key| bench.age(key, SOON).is_zero()));
        assert_eq!(bench.open(), FEW);
    }

    #[test]
    fn a_port_serves_again_while_its_time_lasts() {
        let mut bench = Bench::new();
        let mut numbers = HashSet::new();
        for slot in 0..USES * FEW as u32 / 2 {
            let key = bench.send(Duration::ZERO, slot);
            numbers.insert(bench.number(key));
            bench.ports.leave(key, slot, Leave::Heard);
        }
        assert_eq!(numbers.len(), FEW);
    }
}
