//! Many datagrams a system call, over nix's safe wrappers: what the echo, the authority and the load read.

use std::io::{self, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, setsockopt, sockopt};

/// Datagrams in one system call.
pub const BATCH: usize = 64;
/// The longest datagram that is read whole.
const ROOM: usize = 2048;

/// One datagram: what it says, and whence it came or where it goes.
pub struct Datagram {
    /// Its room.
    pub bytes: Vec<u8>,
    /// How much of the room is used.
    pub length: usize,
    /// The other side.
    pub peer: Option<SockaddrIn>,
}

impl Datagram {
    /// What it says.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A batch of datagrams to read.
pub struct Batch {
    datagrams: Vec<Datagram>,
    headers: MultiHeaders<SockaddrIn>,
}

impl Batch {
    /// Room for [`BATCH`] datagrams.
    pub fn new() -> Batch {
        let datagram = || Datagram { bytes: vec![0; ROOM], length: 0, peer: None };
        Batch {
            datagrams: (0..BATCH).map(|_| datagram()).collect(),
            headers: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// Reads what has arrived; nothing if that is what `MSG_DONTWAIT` finds.
    pub fn receive(&mut self, socket: &UdpSocket, flags: MsgFlags) -> io::Result<&mut [Datagram]> {
        let mut arrived: [(usize, Option<SockaddrIn>); BATCH] = [(0, None); BATCH];
        let mut count = 0;
        {
            let mut slices: Vec<[IoSliceMut<'_>; 1]> =
                self.datagrams.iter_mut().map(|datagram| [IoSliceMut::new(&mut datagram.bytes)]).collect();
            match recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None) {
                Ok(messages) => {
                    for message in messages {
                        arrived[count] = (message.bytes, message.address);
                        count += 1;
                    }
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for (datagram, (length, peer)) in self.datagrams.iter_mut().zip(&arrived[..count]) {
            (datagram.length, datagram.peer) = (*length, *peer);
        }
        Ok(&mut self.datagrams[..count])
    }
}

/// Gives a socket room for a burst: as much as is asked where this may be done, what the system allows elsewhere.
pub fn enlarge(socket: &UdpSocket) -> io::Result<()> {
    const WANTED: usize = 4 << 20;
    if setsockopt(socket, sockopt::RcvBufForce, &WANTED).is_err() {
        setsockopt(socket, sockopt::RcvBuf, &WANTED)?;
    }
    if setsockopt(socket, sockopt::SndBufForce, &WANTED).is_err() {
        setsockopt(socket, sockopt::SndBuf, &WANTED)?;
    }
    Ok(())
}
