//! Many datagrams, one system call: recvmmsg and sendmmsg on memory that is allocated once.
//!
//! The only `unsafe` of the project. nix's wrappers give all messages of one sendmmsg the same control data, so on a
//! wildcard address a batch could not leave from the several addresses that were asked. Addresses and control messages
//! are read and written here as the bytes that Linux defines; only the system calls themselves need trust.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::net::{RecvFlags, SendFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::address::{Control, Name, canonical};
use super::fragment::Fragments;
use crate::query::{Path, Transport};

/// Datagrams in one system call. With twice as many HOT takes 0.988 of its time, and each worker twice the memory for them,
/// which a flood of random names may not take.
pub const BATCH: usize = 64;
/// The longest datagram that is read whole. Queries are far shorter, padded ones too; what is longer is not looked at.
pub const DATAGRAM: usize = 2048;
/// What a reply has room for before its buffer grows.
const REPLY: usize = 512;
/// Datagrams that are asked for where few come. Each that is asked for touches memory, which a query that comes alone
/// would pay for.
const LEAST: usize = 4;
/// Where they come one by one, they are read and answered so: a call for many takes more of the kernel, which has gone cold
/// meanwhile (TRICKLE 0.97 of its time).
const FEW: usize = 2;

/// A socket's own address, and whether datagrams carry the address that they were sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Where the socket is bound, as the kernel names it.
    pub bound: SocketAddr,
}

impl Local {
    /// Whether the socket receives for every address of the machine.
    pub fn is_wildcard(self) -> bool {
        self.bound.ip().is_unspecified()
    }
}

/// One datagram of an [`Inbox`].
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'b> {
    /// What it says.
    pub payload: &'b [u8],
    /// Whence it came, and to which address.
    pub path: Path,
}

/// Room for one batch of arriving datagrams.
pub struct Inbox {
    local: Local,
    /// What is asked where datagrams do not carry it.
    own: SocketAddr,
    slots: Box<[Arrival]>,
    headers: Box<[libc::mmsghdr]>,
    /// How many datagrams the next call asks for: after a full batch as many as there is room for, after one that was not,
    /// twice as many as came.
    wanted: usize,
}

/// What one call has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Datagrams.
    pub count: usize,
    /// Whether more may wait.
    pub rest: Rest,
}

/// What a batch leaves in the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// The socket was empty at that moment: what comes after is reported anew.
    Nothing,
    /// The batch was full.
    Perhaps,
}

struct Arrival {
    name: Name,
    control: Control,
    vector: libc::iovec,
    payload: [u8; DATAGRAM],
}

impl Inbox {
    /// Room for a socket with this address.
    pub fn new(local: Local) -> Inbox {
        let slot = || Arrival {
            name: Name::EMPTY,
            control: Control::EMPTY,
            vector: blank_vector(),
            payload: [0; DATAGRAM],
        };
        let slots = (0..BATCH).map(|_| slot()).collect();
        Inbox { local, own: canonical(local.bound), slots, headers: blank_headers(), wanted: FEW }
    }

    /// Reads what has arrived, at most [`BATCH`] datagrams, without waiting. Where they come one by one, `first` can look at
    /// the first before the system is asked for another.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, first: impl FnOnce(&Inbox)) -> io::Result<Received> {
        if self.wanted <= FEW && !self.local.is_wildcard() {
            return self.receive_few(socket, first);
        }
        let control_room = if self.local.is_wildcard() { Control::ROOM } else { 0 };
        let wanted = self.wanted.clamp(LEAST, BATCH);
        for (header, slot) in self.headers[..wanted].iter_mut().zip(&mut self.slots) {
            slot.vector =
                libc::iovec { iov_base: slot.payload.as_mut_ptr().cast(), iov_len: slot.payload.len() };
            header.msg_hdr.msg_name = slot.name.bytes().as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = Name::ROOM as libc::socklen_t;
            header.msg_hdr.msg_iov = &raw mut slot.vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = slot.control.bytes().as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = control_room;
            header.msg_hdr.msg_flags = 0;
        }
        // SAFETY: `headers` holds BATCH initialised entries, and `wanted` is at most BATCH. Every pointer in the first
        // `wanted` was derived just above from a slot of its own (so none overlap), beside the true length of what it
        // points to (control: that length or zero); the others are not looked at. `slots` is borrowed exclusively by
        // `self` for the whole call and its heap memory does not move. The kernel writes only within these bounds, any
        // bytes are valid values of the arrays written to, and it keeps no pointer. No timeout.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                wanted as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        let rest = if count < wanted { Rest::Nothing } else { Rest::Perhaps };
        self.wanted = match rest {
            Rest::Nothing => 2 * count,
            Rest::Perhaps => BATCH,
        };
        Ok(Received { count, rest })
    }

    /// As [`Inbox::receive`], one by one. Two at most: if there are more, they are no longer few.
    fn receive_few(&mut self, socket: BorrowedFd<'_>, first: impl FnOnce(&Inbox)) -> io::Result<Received> {
        self.receive_one(0, socket)?;
        first(self);
        let (count, rest) = match self.receive_one(1, socket) {
            Ok(()) => (2, Rest::Perhaps),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => (1, Rest::Nothing),
            // Once told it is gone.
            Err(_) => (1, Rest::Perhaps),
        };
        self.wanted = 2 * count;
        Ok(Received { count, rest })
    }

    fn receive_one(&mut self, nth: usize, socket: BorrowedFd<'_>) -> io::Result<()> {
        let (header, slot) = (&mut self.headers[nth], &mut self.slots[nth]);
        // With TRUNC the length is that of what was sent.
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let (_, length, from) = rustix::net::recvfrom(socket, &mut slot.payload[..], flags)?;
        slot.name = Name::EMPTY;
        if let Some(from) = from.and_then(|from| SocketAddr::try_from(from).ok()) {
            slot.name.write(from);
        }
        header.msg_hdr.msg_controllen = 0;
        header.msg_hdr.msg_flags = if length > DATAGRAM { libc::MSG_TRUNC } else { 0 };
        header.msg_len = length.min(DATAGRAM) as libc::c_uint;
        Ok(())
    }

    /// What the `nth` datagram of the last batch says, and who sent it.
    pub fn glimpse(&self, nth: usize) -> Option<(&[u8], IpAddr)> {
        let (header, slot) = (self.headers.get(nth)?, self.slots.get(nth)?);
        Some((slot.payload.get(..header.msg_len as usize)?, canonical(slot.name.read()?).ip()))
    }

    /// The `nth` datagram of the last batch; `None` if it was cut short or cannot be answered.
    pub fn datagram(&self, nth: usize) -> Option<Datagram<'_>> {
        let (header, slot) = (self.headers.get(nth)?, self.slots.get(nth)?);
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let client = slot.name.read().filter(|client| client.port() != 0)?;
        let local = match slot.control.read(header.msg_hdr.msg_controllen) {
            Some(asked) => canonical(SocketAddr::new(asked.ip(), self.local.bound.port())),
            None => self.own,
        };
        let payload = slot.payload.get(..header.msg_len as usize)?;
        let path = Path { client: canonical(client), local, transport: Transport::Udp };
        Some(Datagram { payload, path })
    }
}

/// Room for one batch of replies.
pub struct Outbox {
    local: Local,
    slots: Box<[Departure]>,
    headers: Box<[libc::mmsghdr]>,
    /// Slots before this one have been sent or given up.
    next: usize,
    /// Slots before this one hold a reply.
    filled: usize,
    fragments: Fragments,
}

struct Departure {
    name: Name,
    name_length: usize,
    control: Control,
    control_length: usize,
    vector: libc::iovec,
    payload: Vec<u8>,
}

/// What became of a batch of replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Replies that left.
    pub sent: u64,
    /// Replies that the kernel would not take, whatever the reason; they are given up.
    pub failed: u64,
    /// Replies that wait for room in the socket's buffer.
    pub waiting: usize,
}

impl Outbox {
    /// Room for a socket with this address.
    pub fn new(local: Local) -> Outbox {
        let slot = || Departure {
            name: Name::EMPTY,
            name_length: 0,
            control: Control::EMPTY,
            control_length: 0,
            vector: blank_vector(),
            payload: Vec::with_capacity(REPLY),
        };
        Outbox {
            local,
            slots: (0..BATCH).map(|_| slot()).collect(),
            headers: blank_headers(),
            next: 0,
            filled: 0,
            fragments: Fragments::default(),
        }
    }

    /// Whether nothing waits to be sent.
    pub fn is_empty(&self) -> bool {
        self.next == self.filled
    }

    /// Where the next reply is to be written, given empty; `None` if the batch is full.
    pub fn slot(&mut self) -> Option<&mut Vec<u8>> {
        let slot = self.slots.get_mut(self.filled)?;
        slot.payload.clear();
        Some(&mut slot.payload)
    }

    /// Addresses what was written to [`Outbox::slot`] to the client of `path`, from the address that it asked.
    pub fn commit(&mut self, path: &Path) {
        let client = self.native(path.client);
        let asked = self.local.is_wildcard().then(|| self.native(path.local));
        let Some(slot) = self.slots.get_mut(self.filled) else { return };
        slot.name_length = slot.name.write(client);
        slot.control_length = asked.map_or(0, |asked| slot.control.write(asked));
        self.fragments.expect(slot.payload.len());
        self.filled += 1;
    }

    /// Gives up whatever waits; says how much that was.
    pub fn clear(&mut self) -> usize {
        let waiting = self.filled - self.next;
        (self.next, self.filled) = (0, 0);
        waiting
    }

    /// Sends what waits, without waiting itself. A reply that cannot be sent does not hold up those behind it.
    pub fn send(&mut self, socket: BorrowedFd<'_>) -> Sent {
        let mut outcome = Sent { sent: 0, failed: 0, waiting: 0 };
        self.fragments.prepare(socket);
        if self.filled - self.next == 1 && self.send_alone(socket).is_some() {
            outcome.sent = 1;
            self.clear();
            return outcome;
        }
        self.aim();
        while self.next < self.filled {
            let batch = &mut self.headers[self.next..self.filled];
            // SAFETY: `batch` holds exactly as many initialised entries as are announced. Their pointers were derived in
            // `aim`, from slots that nothing has touched since, beside true lengths; `slots` is borrowed exclusively by
            // `self` for the whole call. The kernel reads names, control data and payloads within those lengths, writes
            // only `msg_len` of the entries, and keeps no pointer.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    batch.as_mut_ptr(),
                    batch.len() as libc::c_uint,
                    libc::MSG_DONTWAIT,
                )
            };
            if let Ok(count) = usize::try_from(sent) {
                self.next += count;
                outcome.sent += count as u64;
                continue;
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => {
                    outcome.waiting = self.filled - self.next;
                    return outcome;
                }
                // The error is about the first of them.
                _ if error.raw_os_error() == Some(libc::EMSGSIZE) && self.fragments.allow(socket) => {}
                // No route, forbidden by a filter, too long in any number of fragments …
                _ => {
                    self.next += 1;
                    outcome.failed += 1;
                }
            }
        }
        self.clear();
        outcome
    }

    /// Sends the next, where the system chooses whence. If it would not leave, it waits as before.
    fn send_alone(&mut self, socket: BorrowedFd<'_>) -> Option<usize> {
        let slot = self.slots.get(self.next).filter(|slot| slot.control_length == 0)?;
        rustix::net::sendto(socket, &slot.payload, SendFlags::DONTWAIT, &slot.name.read()?).ok()
    }

    fn aim(&mut self) {
        let waiting = self.next..self.filled;
        for (header, slot) in self.headers[waiting.clone()].iter_mut().zip(&mut self.slots[waiting]) {
            slot.vector =
                libc::iovec { iov_base: slot.payload.as_mut_ptr().cast(), iov_len: slot.payload.len() };
            header.msg_hdr.msg_name = slot.name.bytes().as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = slot.name_length as libc::socklen_t;
            header.msg_hdr.msg_iov = &raw mut slot.vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = slot.control.bytes().as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = slot.control_length;
        }
    }

    /// An address as the socket's family writes it: a dual-stack socket knows IPv4 only as mapped addresses.
    fn native(&self, address: SocketAddr) -> SocketAddr {
        match (self.local.bound, address) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => address,
        }
    }
}

/// Watches a socket for datagrams to read, on the runtime of this thread. Not for room to write: the kernel would wake the
/// thread for each reply that leaves the send buffer.
pub fn watch(socket: Rc<UdpSocket>) -> io::Result<AsyncFd<Rc<UdpSocket>>> {
    // SAFETY: a `UdpSocket` owns one open descriptor, the same as long as it lives, and only lends it; the `Rc` keeps it
    // alive, in place, for as long as it is watched.
    Ok(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?)
}

/// The sockets that the service manager passed to this process (sd_listen_fds(3)), the first time; none after that.
pub fn inherit() -> io::Result<Vec<OwnedFd>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    // SAFETY: the descriptors were opened for this process before it began (LISTEN_PID names it), `listen_fds` has just
    // checked each by setting its close-on-exec flag, nothing else here takes descriptors by number, and the flag above
    // lets this happen once: so each is open and owned by no one.
    Ok(sd_notify::listen_fds()?.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect())
}

fn blank_vector() -> libc::iovec {
    libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }
}

fn blank_headers() -> Box<[libc::mmsghdr]> {
    // SAFETY: `mmsghdr` is made of integers and raw pointers, for which all zero bits are a value.
    (0..BATCH).map(|_| unsafe { MaybeUninit::<libc::mmsghdr>::zeroed().assume_init() }).collect()
}

#[cfg(test)]
mod tests;
