//! Errors that the network sends back: which query they turned away (ip(7), IP_RECVERR).

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use tokio::time::Instant;

use super::udp::{ROUNDS, State, is_same};
use super::{ExchangeError, port};

impl State {
    /// Reads which hosts have turned queries away (ip(7), IP_RECVERR).
    pub(super) fn read_errors(&mut self, key: port::Key, now: Instant) {
        let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        for _ in 0..ROUNDS {
            let Some(port) = self.ports.get_mut(key) else { return };
            let (fd, waits) = (port.socket.as_raw_fd(), port.waits.clone());
            let mut vector = [IoSliceMut::new(&mut self.datagram)];
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let Ok(report) = recvmsg::<SockaddrStorage>(fd, &mut vector, Some(&mut control), flags) else {
                return;
            };
            let (Some(server), Some(error)) = (report.address.as_ref().and_then(address), errno(&report))
            else {
                continue;
            };
            let sent = report.bytes;
            for slot in waits {
                let Some(wait) = &self.waits[slot as usize] else { continue };
                // The report holds what was sent, or the beginning of it.
                let is_of = sent < 2 || self.datagram[..2] == wait.id.to_be_bytes();
                if is_of && is_same(wait.server, server) {
                    self.settle(slot, Err(ExchangeError::Unreachable(error)), now);
                }
            }
        }
    }
}

fn errno(report: &nix::sys::socket::RecvMsg<'_, '_, SockaddrStorage>) -> Option<io::ErrorKind> {
    report.cmsgs().ok()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
            Some(io::Error::from_raw_os_error(error.ee_errno.cast_signed()).kind())
        }
        _ => None,
    })
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::V4(SocketAddrV4::from(*v4)));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6))))
}
