//! Sockets on random ports. Opening one costs five system calls, so under load each serves some queries; but no two
//! queries that follow each other, and not for long, so that who guesses has the whole range to guess from (RFC 5452).
//! A port whose time is over while somebody still waits there gets no further query, and is closed with the last wait.
//!
//! Each is connected to the server that it asks: the kernel then knows the way and drops what others send, with the same
//! ICMP error as where no port is open, so that nobody finds ours by asking. For another server it is connected anew, once
//! nobody waits for the first one. The reader compares addresses all the same.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{setsockopt, sockopt};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};
use rustix::net::{RecvFlags, SendFlags, connect_unspec};
use smallvec::SmallVec;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::Instant;

use super::entropy::Entropy;
use super::flips::Flips;

/// Ports of one source address that are open at once when there is load: of a thousand queries nearly all leave from
/// different ones.
const MOST: usize = 1024;
/// How many queries leave from a port: opening it then costs each of them a hundredth of sending it.
const USES: u32 = 256;
/// How long a port is used.
const LIFE: Duration = Duration::from_secs(3);
/// The next port is one of so many that rested longest.
const CHOICE: usize = 16;
/// Among so many, [`CHOICE`] are looked for that are connected to the server already. Fewer would be no choice: a server that
/// is seldom asked would be asked from the same few.
const LOOK: usize = 256;
/// How many ports we draw before the kernel may choose one.
const DRAWS: usize = 5;

/// Whence a datagram comes that does not say so.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Where an open socket is kept.
pub(super) type Key = u32;

/// No socket.
pub(super) const NONE: Key = Key::MAX;

/// An open socket.
pub(super) struct Port {
    pub(super) socket: UdpSocket,
    /// What it is connected to.
    server: Option<SocketAddr>,
    /// Who waits for a response to it.
    pub(super) waits: SmallVec<[u32; 2]>,
    /// When it has served long enough.
    ends: Instant,
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

impl Port {
    /// Sends a query to the server that it was picked for.
    pub(super) fn send(&self, query: &[u8], server: SocketAddr) -> io::Result<usize> {
        match self.server {
            Some(_) => Ok(rustix::net::send(&self.socket, query, SendFlags::empty())?),
            None => self.socket.send_to(query, server),
        }
    }

    /// Reads a datagram, without waiting; gives its length and whence it came.
    pub(super) fn receive(&self, datagram: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (_, length, from) = rustix::net::recvfrom(&self.socket, datagram, RecvFlags::empty())?;
        Ok((length, from.map(SocketAddr::try_from).transpose()?.unwrap_or(NOBODY)))
    }

    /// Whether it may be asked from there: nobody waits, or not for another server.
    fn is_for(&self, server: SocketAddr) -> bool {
        self.waits.is_empty() || self.server.is_none_or(|other| other == server)
    }

    /// Connects it to a server. Where that fails, sending tells why.
    fn aim(&mut self, server: SocketAddr) {
        // Also the address that it sends from was chosen for the other server.
        if self.server.take().is_some() {
            _ = connect_unspec(&self.socket);
        }
        if self.socket.connect(server).is_ok() {
            self.server = Some(server);
            return;
        }
        // Half of it may have been done.
        _ = connect_unspec(&self.socket);
        if self.standing == Standing::Serves {
            self.standing = Standing::Doubtful;
        }
    }

    /// Connects it to its server once more: the address that it sends from may be gone. Not while others wait there.
    pub(super) fn renew(&mut self) {
        if self.waits.len() <= 1
            && let Some(server) = self.server
        {
            self.aim(server);
        }
    }

    /// Ends its connection, so that it serves several servers, where there is no descriptor for another port; says whether
    /// it does. An IPv6 socket would still hear the first server alone, and a number that was not asked for would be lost.
    fn share(&mut self) -> bool {
        let is_v4 = self.server.is_some_and(|server| server.is_ipv4());
        let can = is_v4 && self.standing == Standing::Serves && connect_unspec(&self.socket).is_ok();
        if can {
            self.server = None;
        }
        can
    }
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
    order: VecDeque<Rested>,
    /// Ports beside these that are open because somebody waits there.
    retired: usize,
}

/// A port that waits for its next query.
#[derive(Clone, Copy)]
struct Rested {
    key: Key,
    /// What it is connected to: kept here, too, as those looked at are many and their ports far apart in memory.
    server: Option<SocketAddr>,
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
        Flips::draw(length, |bits| self.entropy.fill(bits)).map_err(|_| io::ErrorKind::Other.into())
    }

    /// A socket for the next query, to be sent by [`Port::send`]. With little to do, and so for whoever measures with few
    /// queries, each has a new one.
    pub(super) fn pick(
        &mut self,
        source: IpAddr,
        server: SocketAddr,
        epoll: &Epoll,
        now: Instant,
    ) -> io::Result<Key> {
        let lane = self.lane(source);
        self.close_expired(lane, now);
        let count = self.lanes[lane].order.len();
        if count < self.most {
            match self.open(lane, epoll, now) {
                Ok(key) => {
                    self.take(lane, key, server);
                    return Ok(key);
                }
                // Out of descriptors: one that is open has to do.
                Err(error) if count == 0 => return Err(error),
                Err(_) => {}
            }
        }
        let nth = self.choose(lane, server)?;
        let order = &mut self.lanes[lane].order;
        order.swap(0, nth);
        let rested = order[0].key;
        let (is_left, is_for) =
            self.get_mut(rested).map_or((true, false), |port| (port.waits.is_empty(), port.is_for(server)));
        // Whoever waits in vain for one server must not keep others from being asked.
        let retired = if is_for { self.retired } else { 2 * self.most };
        let chosen = if (!is_for || self.is_worn(rested, now))
            && (is_left || self.lanes[lane].retired < retired)
            && let Ok(fresh) = self.open(lane, epoll, now)
        {
            self.retire(rested);
            fresh
        } else if is_for || self.get_mut(rested).is_some_and(Port::share) {
            rested
        } else {
            return Err(io::ErrorKind::ResourceBusy.into());
        };
        self.lanes[lane].order.pop_front();
        self.take(lane, chosen, server);
        Ok(chosen)
    }

    /// One of those that rested longest, of those connected to the server if they are a choice.
    fn choose(&mut self, lane: usize, server: SocketAddr) -> io::Result<usize> {
        let looked_at = self.lanes[lane].order.len().min(LOOK);
        let nth = self.below(looked_at.min(CHOICE))?;
        let order = &self.lanes[lane].order;
        let is_alike = |rested: &Rested| rested.server == Some(server);
        if is_alike(&order[nth]) {
            return Ok(nth);
        }
        let alike = order.iter().take(looked_at).enumerate().filter(|(_, rested)| is_alike(rested));
        let alike: SmallVec<[usize; CHOICE]> = alike.map(|(nth, _)| nth).take(CHOICE).collect();
        if alike.len() == CHOICE {
            return Ok(alike[self.below(CHOICE)?]);
        }
        let is_left = |key: Key| self.open[key as usize].as_ref().is_none_or(|port| port.waits.is_empty());
        Ok((nth..looked_at).find(|nth| is_left(order[*nth].key)).unwrap_or(nth))
    }

    /// Has a port serve one more query, and rest after all others.
    fn take(&mut self, lane: usize, key: Key, server: SocketAddr) {
        let Some(port) = self.get_mut(key) else { return };
        port.uses += 1;
        if port.waits.is_empty() && port.server != Some(server) {
            port.aim(server);
        }
        let server = port.server;
        self.lanes[lane].order.push_back(Rested { key, server });
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
            let Some(&Rested { key: first, .. }) = self.lanes[lane].order.front() else { return };
            let expired = |port: &Port| port.waits.is_empty() && now > port.ends;
            if !self.get_mut(first).is_none_or(|port| expired(port)) {
                return;
            }
            self.lanes[lane].order.pop_front();
            self.close(first);
        }
    }

    fn is_worn(&mut self, key: Key, now: Instant) -> bool {
        let uses = self.uses;
        self.get_mut(key)
            .is_none_or(|port| port.uses >= uses || port.standing != Standing::Serves || now > port.ends)
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
        // An unconnected socket hears that nobody listens only if it asks for it. Path MTUs are no matter: queries fit any
        // path, and to look for what a router has said takes time.
        match source {
            IpAddr::V4(_) => {
                setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
                _ = set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::PROBE);
            }
            IpAddr::V6(_) => {
                setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
                _ = set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::PROBE);
            }
        }
        let standing = self.bind(&socket, source)?;
        let key = self.free.last().copied().unwrap_or(self.open.len() as Key);
        epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, key.into()))?;
        let port = Port {
            socket: socket.into(),
            server: None,
            waits: SmallVec::new(),
            ends: now + LIFE,
            uses: 0,
            lane,
            standing,
        };
        match self.free.pop() {
            Some(_) => self.open[key as usize] = Some(port),
            None => self.open.push(Some(port)),
        }
        Ok(key)
    }

    fn bind(&mut self, socket: &Socket, address: IpAddr) -> io::Result<Standing> {
        for _ in 0..DRAWS {
            let port = self.entropy.port().map_err(|_| io::ErrorKind::Other)?;
            match socket.bind(&SocketAddr::new(address, port).into()) {
                // Another has the port, or the system keeps it for itself.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
                }
                bound => return bound.map(|()| Standing::Serves),
            }
        }
        // The kernel draws from fewer, and takes the number back when the connection ends: for one query.
        socket.bind(&SocketAddr::new(address, 0).into()).map(|()| Standing::Doubtful)
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
mod tests;
