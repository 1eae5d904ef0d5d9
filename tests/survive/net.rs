//! The network of these tests: loopback. Every address of 127.0.0.0/8 is there, so clients and upstreams have their own.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// Loopback; the lab has namespaces in its place.
pub struct Network;

#[allow(clippy::unused_self)] // as the lab's client calls it
impl Network {
    /// A UDP socket bound to a client's address, connected to the server it asks.
    pub fn udp(&self, source: IpAddr, server: SocketAddr) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(SocketAddr::new(source, 0))?;
        socket.connect(server)?;
        Ok(socket)
    }

    /// A TCP connection from a client's address.
    pub fn tcp(&self, source: IpAddr, server: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
        socket.connect_timeout(&server.into(), timeout)?;
        Ok(socket.into())
    }
}
