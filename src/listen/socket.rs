//! The sockets: made and bound before any thread starts, so that a fault has an address and a hint; or taken over from
//! the service manager, which keeps them open across a restart.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::fragment;
use crate::query::Transport;

/// Room for bursts, in bytes. The kernel counts its own overhead too: some 5,000 queries.
const BUFFER: usize = 4 << 20;
/// Connections that the kernel may hold ready for one worker.
const BACKLOG: i32 = 1024;
/// How often another port is tried where the kernel chose one for UDP that TCP cannot have.
const PORT_TRIES: usize = 16;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({}): {source}{}", transport.text(), self.hint())]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// UDP or TCP.
    pub transport: Transport,
    /// The system's reason.
    pub source: io::Error,
}

impl BindError {
    fn hint(&self) -> String {
        let port = self.address.port();
        match self.source.kind() {
            io::ErrorKind::AddrInUse => format!(
                "; another program serves port {port}, often systemd-resolved or dnsmasq: `ss -lunp 'sport = :{port}'` names it"
            ),
            io::ErrorKind::PermissionDenied => format!(
                "; port {port} needs CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or take a port from 1024 up"
            ),
            io::ErrorKind::AddrNotAvailable => {
                "; this machine does not have the address (`ip address` lists those it has), or not yet"
                    .into()
            }
            _ => String::new(),
        }
    }
}

/// Whose a socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// We made it, and when we end it is gone.
    Ours,
    /// The service manager holds it too: what we leave in it the next process reads.
    Passed,
}

/// The UDP sockets and TCP listeners of one worker.
#[derive(Debug, Default)]
pub struct Ends {
    /// UDP.
    pub udp: Vec<(UdpSocket, Origin)>,
    /// TCP.
    pub tcp: Vec<(TcpListener, Origin)>,
}

/// Sockets for every address and each of `workers`, and the addresses as they became.
pub fn bind(
    addresses: &[SocketAddr],
    workers: usize,
    passed: Vec<OwnedFd>,
) -> Result<(Vec<SocketAddr>, Vec<Ends>), BindError> {
    let mut passed = Passed::sort(passed);
    let mut ends: Vec<Ends> = (0..workers).map(|_| Ends::default()).collect();
    let (udp, tcp): (Vec<_>, Vec<_>) =
        addresses.iter().map(|address| (passed.take_udp(*address), passed.take_tcp(*address))).unzip();
    passed.warn_of_rest();
    for (address, adopted) in addresses.iter().zip(&udp) {
        if adopted.is_empty() {
            probe(*address, Transport::Udp).map_err(fault(*address, Transport::Udp))?;
        }
    }
    let mut bound = Vec::new();
    for ((address, udp), tcp) in addresses.iter().zip(udp).zip(tcp) {
        let (udp, tcp) = if address.port() == 0 && udp.is_empty() && tcp.is_empty() {
            any_port(*address, workers)?
        } else {
            (fill_udp(udp, *address, workers)?, fill_tcp(tcp, *address, workers)?)
        };
        bound.push(udp.first().and_then(|(socket, _)| socket.local_addr().ok()).unwrap_or(*address));
        deal(udp, &mut ends, |end| &mut end.udp).map_err(fault(*address, Transport::Udp))?;
        deal(tcp, &mut ends, |end| &mut end.tcp).map_err(fault(*address, Transport::Tcp))?;
    }
    Ok((bound, ends))
}

fn fault(address: SocketAddr, transport: Transport) -> impl Fn(io::Error) -> BindError {
    move |source| BindError { address, transport, source }
}

/// SO_REUSEPORT lets a second server of the same user take half of the queries without a word. So the address is tried
/// once without it.
fn probe(address: SocketAddr, transport: Transport) -> io::Result<()> {
    let socket = match transport {
        Transport::Udp => Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?,
        Transport::Tcp => Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?,
    };
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier process in TIME_WAIT are in nobody's way.
    socket.set_reuse_address(matches!(transport, Transport::Tcp))?;
    socket.bind(&address.into())
}

type Udp = Vec<(UdpSocket, Origin)>;
type Tcp = Vec<(TcpListener, Origin)>;

fn fill_udp(adopted: Udp, address: SocketAddr, workers: usize) -> Result<Udp, BindError> {
    if !adopted.is_empty() {
        return Ok(adopted);
    }
    let make = |_| make_udp(address).map(|socket| (socket, Origin::Ours));
    (0..workers).map(make).collect::<io::Result<_>>().map_err(fault(address, Transport::Udp))
}

fn fill_tcp(adopted: Tcp, address: SocketAddr, workers: usize) -> Result<Tcp, BindError> {
    if !adopted.is_empty() {
        return Ok(adopted);
    }
    let make = |_| make_tcp(address).map(|listener| (listener, Origin::Ours));
    (0..workers).map(make).collect::<io::Result<_>>().map_err(fault(address, Transport::Tcp))
}

/// One port that both UDP and TCP can have, and nobody has for either. From among sockets with SO_REUSEPORT the kernel
/// gives a port that another has, too; so it is asked without.
fn any_port(address: SocketAddr, workers: usize) -> Result<(Udp, Tcp), BindError> {
    let mut tries = 0;
    loop {
        let first = new_udp(address).map_err(fault(address, Transport::Udp))?;
        let chosen = first
            .bind(&address.into())
            .and_then(|()| first.set_reuse_port(true))
            .and_then(|()| first.local_addr())
            .map_err(fault(address, Transport::Udp))?;
        // What `bind` gave an Internet socket is an Internet address.
        let chosen = chosen.as_socket().unwrap_or(address);
        let tcp = probe(chosen, Transport::Tcp)
            .map_err(fault(chosen, Transport::Tcp))
            .and_then(|()| fill_tcp(Vec::new(), chosen, workers));
        match tcp {
            Ok(tcp) => {
                let mut udp = vec![(first.into(), Origin::Ours)];
                for _ in 1..workers {
                    udp.push((make_udp(chosen).map_err(fault(chosen, Transport::Udp))?, Origin::Ours));
                }
                return Ok((udp, tcp));
            }
            Err(error) if tries == PORT_TRIES => return Err(error),
            Err(_) => tries += 1,
        }
    }
}

fn make_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = new_udp(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn new_udp(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // IPv4 clients come to the IPv4 socket, never as mapped addresses.
        socket.set_only_v6(true)?;
    }
    // Only CAP_NET_ADMIN may pass net.core.rmem_max; without it, as much as is allowed.
    if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
        socket.set_recv_buffer_size(BUFFER)?;
    }
    if setsockopt(&socket, sockopt::SndBufForce, &BUFFER).is_err() {
        socket.set_send_buffer_size(BUFFER)?;
    }
    Ok(ready_udp(socket.into(), address)?.into())
}

/// What every UDP socket needs, whoever made it.
fn ready_udp(socket: UdpSocket, address: SocketAddr) -> io::Result<UdpSocket> {
    socket.set_nonblocking(true)?;
    fragment::forbid(&socket);
    if address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
    }
    Ok(socket)
}

fn make_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier process may still be in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Stops the kernel from putting more into a UDP socket of ours, while what it already holds can still be read: a
/// connected socket receives from its peer only, and nobody sends from port 1 of our own address.
pub fn close_door(socket: &UdpSocket) -> io::Result<()> {
    let local = socket.local_addr()?;
    let ip = match local.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let mut nobody = local;
    nobody.set_ip(ip);
    nobody.set_port(1);
    socket.connect(nobody)
}

/// Gives each worker its sockets: where there are more than workers they are dealt out, where there are fewer they are
/// shared, so that every socket is read and every worker reads.
fn deal<T: Share>(
    sockets: Vec<(T, Origin)>,
    ends: &mut [Ends],
    field: impl Fn(&mut Ends) -> &mut Vec<(T, Origin)>,
) -> io::Result<()> {
    let workers = ends.len();
    for extra in sockets.len()..workers {
        let (socket, origin) = &sockets[extra % sockets.len()];
        field(&mut ends[extra]).push((socket.share()?, *origin));
    }
    for (nth, socket) in sockets.into_iter().enumerate() {
        field(&mut ends[nth % workers]).push(socket);
    }
    Ok(())
}

/// A second descriptor of the same socket.
trait Share: Sized {
    fn share(&self) -> io::Result<Self>;
}

impl Share for UdpSocket {
    fn share(&self) -> io::Result<UdpSocket> {
        self.try_clone()
    }
}

impl Share for TcpListener {
    fn share(&self) -> io::Result<TcpListener> {
        self.try_clone()
    }
}

/// Sockets from the service manager, by what they are.
#[derive(Default)]
struct Passed {
    udp: Vec<(SocketAddr, UdpSocket)>,
    tcp: Vec<(SocketAddr, TcpListener)>,
}

impl Passed {
    fn sort(sockets: Vec<OwnedFd>) -> Passed {
        let mut passed = Passed::default();
        for fd in sockets {
            let socket = SockRef::from(&fd);
            let address = socket.local_addr().ok().and_then(|address| address.as_socket());
            let (kind, listens) = (socket.r#type().ok(), socket.is_listener().unwrap_or_default());
            match (address, kind) {
                (Some(address), Some(Type::DGRAM)) => passed.udp.push((address, fd.into())),
                (Some(address), Some(Type::STREAM)) if listens => passed.tcp.push((address, fd.into())),
                _ => tracing::warn!(
                    "a passed socket is neither a UDP socket nor a TCP listener; it is not used"
                ),
            }
        }
        passed
    }

    fn take_udp(&mut self, address: SocketAddr) -> Udp {
        let taken = self.udp.extract_if(.., |(bound, _)| *bound == address);
        taken
            .filter_map(|(_, socket)| match ready_udp(socket, address) {
                Ok(socket) => Some((socket, Origin::Passed)),
                Err(error) => {
                    tracing::warn!("the passed UDP socket of {address} cannot be used: {error}");
                    None
                }
            })
            .collect()
    }

    fn take_tcp(&mut self, address: SocketAddr) -> Tcp {
        let taken = self.tcp.extract_if(.., |(bound, _)| *bound == address);
        taken
            .filter_map(|(_, listener)| match listener.set_nonblocking(true) {
                Ok(()) => Some((listener, Origin::Passed)),
                Err(error) => {
                    tracing::warn!("the passed TCP listener of {address} cannot be used: {error}");
                    None
                }
            })
            .collect()
    }

    fn warn_of_rest(&self) {
        let rest =
            self.udp.iter().map(|(address, _)| address).chain(self.tcp.iter().map(|(address, _)| address));
        for address in rest {
            tracing::warn!("the passed socket of {address} is in no `dns` of [listen]; it is not used");
        }
    }
}

#[cfg(test)]
mod tests;
