//! Ports for those that must know theirs beforehand.
//!
//! A port that the kernel chose and that was given back is anybody's: another test's connection has it a moment later,
//! and whoever was to be served there is not. These are below the range that the kernel chooses from by itself
//! (`ip_local_port_range`, from 32,768 on unless somebody changed it), and each is given once in a process.
#![allow(dead_code)] // few tests want all of it

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 10_000;
const LAST: u16 = 32_000;

/// Those that were given.
static GIVEN: AtomicU16 = AtomicU16::new(0);

/// The first of so many in a row that are free on 127.0.0.1, for UDP and for TCP.
pub fn row(length: u16) -> u16 {
    let free = |port| {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
    };
    // Programs that run side by side begin at places of their own.
    let begin = std::process::id().wrapping_mul(1_009) % u32::from(LAST - FIRST);
    loop {
        let given = GIVEN.fetch_add(length, Ordering::Relaxed);
        assert!(given < LAST - FIRST, "all ports of this process were given");
        let first = FIRST + ((begin + u32::from(given)) % u32::from(LAST - FIRST)) as u16;
        if (first..first + length).all(free) {
            return first;
        }
    }
}

/// An address of 127.0.0.1 where nobody listens, until the caller does.
pub fn free() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, row(1)))
}

/// A socket of each kind on one port.
pub fn both() -> (UdpSocket, TcpListener) {
    loop {
        let address = free();
        // A server may have drawn it for its own queries in between: it draws from all ports.
        if let (Ok(udp), Ok(tcp)) = (UdpSocket::bind(address), TcpListener::bind(address)) {
            return (udp, tcp);
        }
    }
}
