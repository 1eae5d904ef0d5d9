//! The sockets: made and bound before any thread starts, so that a fault has an address and a hint; or taken over from
//! the service manager, which keeps them open across a restart.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

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
            probe(*address).map_err(fault(*address, Transport::Udp))?;
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
fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
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

/// One port that both UDP and TCP can have.
fn any_port(address: SocketAddr, workers: usize) -> Result<(Udp, Tcp), BindError> {
    let mut tries = 0;
    loop {
        let first = make_udp(address).map_err(fault(address, Transport::Udp))?;
        let chosen = first.local_addr().map_err(fault(address, Transport::Udp))?;
        match fill_tcp(Vec::new(), chosen, workers) {
            Ok(tcp) => {
                let mut udp = vec![(first, Origin::Ours)];
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
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // IPv4 clients come to the IPv4 socket, never as mapped addresses.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(true)?;
    // Only CAP_NET_ADMIN may pass net.core.rmem_max; without it, as much as is allowed.
    if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
        socket.set_recv_buffer_size(BUFFER)?;
    }
    if setsockopt(&socket, sockopt::SndBufForce, &BUFFER).is_err() {
        socket.set_send_buffer_size(BUFFER)?;
    }
    let socket = ready_udp(socket.into(), address)?;
    SockRef::from(&socket).bind(&address.into())?;
    Ok(socket)
}

/// What every UDP socket needs, whoever made it.
fn ready_udp(socket: UdpSocket, address: SocketAddr) -> io::Result<UdpSocket> {
    socket.set_nonblocking(true)?;
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ANY: &str = "127.0.0.1:0";

    fn fds<T: Into<OwnedFd>>(sockets: Vec<T>) -> Vec<OwnedFd> {
        sockets.into_iter().map(Into::into).collect()
    }

    #[test]
    fn each_worker_has_its_own_socket_of_every_address_on_one_port() {
        let (addresses, ends) =
            bind(&[ANY.parse().unwrap(), "[::1]:0".parse().unwrap()], 3, Vec::new()).unwrap();
        assert_eq!(ends.len(), 3);
        for end in &ends {
            let udp: Vec<_> = end.udp.iter().map(|(socket, _)| socket.local_addr().unwrap()).collect();
            let tcp: Vec<_> = end.tcp.iter().map(|(socket, _)| socket.local_addr().unwrap()).collect();
            assert_eq!(udp, addresses);
            assert_eq!(tcp, addresses);
        }
    }

    #[test]
    fn a_second_server_is_told_that_the_address_is_taken() {
        let (addresses, _ends) = bind(&[ANY.parse().unwrap()], 2, Vec::new()).unwrap();
        let error = bind(&addresses, 2, Vec::new()).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot listen on {} (udp): ", addresses[0])), "{text}");
        assert!(text.contains("systemd-resolved"), "{text}");
    }

    #[test]
    fn an_address_of_another_machine_is_named() {
        let error = bind(&["192.0.2.1:5300".parse().unwrap()], 1, Vec::new()).unwrap_err();
        assert!(error.to_string().contains("192.0.2.1:5300"), "{error}");
        assert!(error.to_string().contains("ip address"), "{error}");
    }

    #[test]
    fn fewer_passed_sockets_than_workers_are_shared_and_more_are_dealt_out() {
        let make = |count| -> (SocketAddr, Vec<UdpSocket>) {
            let first = make_udp(ANY.parse().unwrap()).unwrap();
            let address = first.local_addr().unwrap();
            let rest = (1..count).map(|_| make_udp(address).unwrap());
            (address, std::iter::once(first).chain(rest).collect())
        };
        for (sockets, workers, each) in [(1, 3, [1, 1, 1]), (2, 3, [1, 1, 1]), (5, 3, [2, 2, 1])] {
            let (address, passed) = make(sockets);
            let (bound, ends) = bind(&[address], workers, fds(passed)).unwrap();
            assert_eq!(bound, [address]);
            assert_eq!(ends.iter().map(|end| end.udp.len()).collect::<Vec<_>>(), each);
            assert!(ends.iter().flat_map(|end| &end.udp).all(|(_, origin)| *origin == Origin::Passed));
            // TCP was not passed, so it is made.
            assert!(ends.iter().flat_map(|end| &end.tcp).all(|(_, origin)| *origin == Origin::Ours));
        }
    }

    #[test]
    fn a_closed_door_keeps_what_was_in_and_lets_no_more_in() {
        let server = make_udp(ANY.parse().unwrap()).unwrap();
        let client = UdpSocket::bind(ANY).unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        client.send(b"before").unwrap();
        close_door(&server).unwrap();
        client.send(b"after").unwrap();
        let mut buffer = [0; 16];
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"before");
        server.send_to(b"reply", from).unwrap();
        assert_eq!(server.recv_from(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        // The second datagram was refused, as a closed port refuses it; the reply is there all the same.
        assert_eq!(client.recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(client.recv(&mut buffer).unwrap(), 5);
    }
}
