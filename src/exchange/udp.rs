//! One query over UDP: a socket, a port and an ID of its own.
//!
//! The socket is connected, so the kernel drops what comes from any other address or port, and tells us at once when the
//! server's host says that nobody listens.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;

use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::Interest;
use tokio::time::{Instant, timeout_at};

use super::accept::accept;
use super::{Exchange, ExchangeError, Reply, Scratch, Try};
use crate::wire::message::Message;

/// How many ports we draw before the kernel may choose one.
const DRAWS: usize = 5;

/// How many datagrams that are not the response we put up with. A forger needs tens of thousands; a confused server or
/// a late duplicate, a few.
const MOST_IGNORED: usize = 200;

/// What wakes us: a datagram, or the news that nobody listens, which comes alone.
const AWAITED: Interest = Interest::READABLE.add(Interest::ERROR);

pub(super) async fn exchange(exchange: &Exchange, attempt: &Try<'_>) -> Result<Reply, ExchangeError> {
    let id = exchange.draw_id()?;
    let socket = exchange.with(|scratch| open(scratch, attempt))?;
    let sent = Instant::now();
    // Sent before tokio knows the socket: a fresh one has room, and asking whether it has costs a turn of the loop.
    socket.send(&attempt.query.with_id(id)).map_err(network)?;
    let socket = tokio::net::UdpSocket::from_std(socket).map_err(local)?;
    let message = timeout_at(attempt.deadline, receive(exchange, attempt, id, &socket))
        .await
        .unwrap_or(Err(ExchangeError::Timeout))?;
    Ok(Reply { message, rtt: sent.elapsed() })
}

async fn receive(
    exchange: &Exchange,
    attempt: &Try<'_>,
    id: u16,
    socket: &tokio::net::UdpSocket,
) -> Result<Message, ExchangeError> {
    for _ in 0..MOST_IGNORED {
        // Not tokio's own call, which asks nothing of the kernel while only an error is there.
        let read = || {
            exchange.with(|scratch| {
                let length = recv(socket.as_raw_fd(), &mut scratch.datagram, MsgFlags::empty())?;
                Ok(accept(attempt.query, id, &scratch.datagram[..length]))
            })
        };
        if let Ok(message) = socket.async_io(AWAITED, read).await.map_err(network)? {
            return Ok(message);
        }
        attempt.ignored.fetch_add(1, Ordering::Relaxed);
    }
    Err(ExchangeError::Flooded)
}

/// A socket on a random port, connected to the server.
fn open(scratch: &mut Scratch, attempt: &Try<'_>) -> Result<UdpSocket, ExchangeError> {
    let (domain, any) = match attempt.server {
        SocketAddr::V4(_) => (Domain::IPV4, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        SocketAddr::V6(_) => (Domain::IPV6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
    };
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP)).map_err(local)?;
    bind(scratch, &socket, attempt.source.unwrap_or(any))?;
    socket.connect(&SockAddr::from(attempt.server)).map_err(network)?;
    Ok(socket.into())
}

fn bind(scratch: &mut Scratch, socket: &Socket, address: IpAddr) -> Result<(), ExchangeError> {
    for _ in 0..DRAWS {
        let port = scratch.entropy.port().map_err(|_| ExchangeError::Local(io::ErrorKind::Other))?;
        match socket.bind(&SocketAddr::new(address, port).into()) {
            // Another has the port, or the system keeps it for itself.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {}
            bound => return bound.map_err(local),
        }
    }
    socket.bind(&SocketAddr::new(address, 0).into()).map_err(local)
}

#[allow(clippy::needless_pass_by_value)] // reads better in map_err
fn local(error: io::Error) -> ExchangeError {
    ExchangeError::Local(error.kind())
}

#[allow(clippy::needless_pass_by_value)] // as above
fn network(error: io::Error) -> ExchangeError {
    ExchangeError::Unreachable(error.kind())
}
