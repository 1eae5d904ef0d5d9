//! What the sockets alone cost: a loop that sends every datagram back, with nothing between. No server on these sockets can
//! go below it; `bench/run` takes it beside the others. And, as a stand-in, the authority that everyone forwards to.
//!
//! `echo ADDRESS:PORT bare`      recvmmsg that waits, sendmmsg
//! `echo ADDRESS:PORT epoll`     asleep in epoll, as servers with more than one socket are; one recv and one send a wake-up
//! `echo ADDRESS:PORT authority` an address for every name, NXDOMAIN for those that begin with `x`

#[path = "datagram.rs"]
mod datagram;

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::thread;

use datagram::{BATCH, Batch, Datagram, enlarge};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};

/// The bit QR, in the header's third octet.
const RESPONSE: u8 = 0x80;
/// An answer to the question at offset 12: A, IN, TTL 3600, 192.0.2.1.
const ADDRESS: [u8; 16] = [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 192, 0, 2, 1];
/// An OPT record without options that offers 1232 octets.
const OPT: [u8; 11] = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];

#[derive(Clone, Copy)]
enum Manner {
    Bare,
    Epoll,
    Authority,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let manner = |word: String| match word.as_str() {
        "bare" => Some(Manner::Bare),
        "epoll" => Some(Manner::Epoll),
        "authority" => Some(Manner::Authority),
        _ => None,
    };
    let (Some(address), Some(manner)) = (arguments.next(), arguments.next().and_then(manner)) else {
        eprintln!("usage: echo ADDRESS:PORT bare|epoll|authority");
        return ExitCode::FAILURE;
    };
    let Err(error) = serve(&address, manner);
    eprintln!("{error}");
    ExitCode::FAILURE
}

fn serve(address: &str, manner: Manner) -> io::Result<std::convert::Infallible> {
    let socket = UdpSocket::bind(address)?;
    enlarge(&socket)?;
    // The limit is that of the fastest way: the kernel looks for no path MTU.
    set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::PROBE)?;
    if matches!(manner, Manner::Authority) {
        let listener = TcpListener::bind(address)?;
        thread::spawn(move || serve_streams(&listener));
    }
    match manner {
        Manner::Epoll => echo_by_epoll(&socket),
        Manner::Bare => answer_in_batches(&socket, |datagram| datagram.bytes[2] |= RESPONSE),
        Manner::Authority => answer_in_batches(&socket, answer),
    }
}

fn answer_in_batches(
    socket: &UdpSocket,
    answer: impl Fn(&mut Datagram),
) -> io::Result<std::convert::Infallible> {
    let mut batch = Batch::new();
    let mut sending = MultiHeaders::preallocate(BATCH, None);
    loop {
        let arrived = batch.receive(socket, MsgFlags::MSG_WAITFORONE)?;
        arrived.iter_mut().for_each(&answer);
        send_back(socket, &mut sending, arrived)?;
    }
}

/// The least that a server driven by epoll does for a query that comes alone.
fn echo_by_epoll(socket: &UdpSocket) -> io::Result<std::convert::Infallible> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    let mut query = [0; 2048];
    loop {
        // A tracer that attaches interrupts the wait.
        match epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            waited => waited?,
        };
        let (length, peer) = socket.recv_from(&mut query)?;
        query[2] |= RESPONSE;
        socket.send_to(&query[..length], peer)?;
    }
}

/// The authority over TCP: dnsdist forwards as it was asked.
fn serve_streams(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let mut stream = stream;
            while serve_message(&mut stream).is_ok() {}
        });
    }
}

fn serve_message(stream: &mut TcpStream) -> io::Result<()> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut datagram =
        Datagram { bytes: vec![0; 2048], length: usize::from(u16::from_be_bytes(length)), peer: None };
    stream.read_exact(datagram.bytes.get_mut(..datagram.length).ok_or(io::ErrorKind::InvalidData)?)?;
    answer(&mut datagram);
    let mut message = (datagram.length as u16).to_be_bytes().to_vec();
    message.extend_from_slice(datagram.payload());
    stream.write_all(&message)
}

/// Sends datagrams to where they came from.
fn send_back(
    socket: &UdpSocket,
    headers: &mut MultiHeaders<SockaddrIn>,
    mut answers: &[Datagram],
) -> io::Result<()> {
    while !answers.is_empty() {
        let slices: Vec<[IoSlice<'_>; 1]> =
            answers.iter().map(|datagram| [IoSlice::new(datagram.payload())]).collect();
        let peers: Vec<Option<SockaddrIn>> = answers.iter().map(|datagram| datagram.peer).collect();
        let sent = sendmmsg(socket.as_raw_fd(), headers, slices.iter(), &peers, [], MsgFlags::empty())?;
        answers = &answers[sent.count().max(1)..];
    }
    Ok(())
}

/// Turns a query into its response, in place.
fn answer(datagram: &mut Datagram) {
    let Some(mut at) = question_end(datagram.payload()) else { return };
    let room = &mut datagram.bytes;
    let (edns, first, qtype) = (room[11] != 0, room[13], room[at - 3]);
    let exists = !first.eq_ignore_ascii_case(&b'x');
    let positive = exists && qtype == 1;
    // Header: QR, AA, RD as asked; RA, RCODE; one answer or one authority record, and an OPT where one was sent.
    room[2] = 0x84 | (room[2] & 1);
    room[3] = if exists { 0 } else { 3 };
    room[6..12].copy_from_slice(&[0, u8::from(positive), 0, u8::from(!positive), 0, u8::from(edns)]);
    if positive {
        room[at..at + ADDRESS.len()].copy_from_slice(&ADDRESS);
        at += ADDRESS.len();
    } else {
        at = soa(room, at);
    }
    if edns {
        room[at..at + OPT.len()].copy_from_slice(&OPT);
        at += OPT.len();
    }
    datagram.length = at;
}

/// Appends the SOA of the zone, which begins at the second label of the question; minimum 3600.
fn soa(room: &mut [u8], at: usize) -> usize {
    let first = usize::from(room[12]);
    let zone = if first == 0 { 12 } else { 12 + 1 + first };
    let names = [0xc0, zone as u8, 0xc0, zone as u8];
    let fixed = [0, 6, 0, 1, 0, 0, 0x0e, 0x10, 0, 24];
    let mut end = at;
    let numbers: [u32; 5] = [1, 7200, 900, 1_209_600, 3600];
    let parts = [&names[..2], &fixed, &names].concat();
    for byte in parts.into_iter().chain(numbers.iter().flat_map(|number| number.to_be_bytes())) {
        room[end] = byte;
        end += 1;
    }
    end
}

/// Where the question section of a query ends; `None` if this is no query with one question.
fn question_end(query: &[u8]) -> Option<usize> {
    if query.len() < 17 || query[2] & 0x80 != 0 || query[5] != 1 {
        return None;
    }
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1 + length;
        if length == 0 {
            return (query.len() >= at + 4).then_some(at + 4);
        }
    }
}
