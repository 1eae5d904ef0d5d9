//! Clients on loopback: one question, or questions without a pause until told to end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use kakehashi::wire::message::Message;
use kakehashi::wire::present::RData;
use kakehashi::wire::{Name, rcode};

use crate::{PATIENCE, wait};

/// A query for addresses, RD set.
pub fn query(id: u16, name: &str) -> Vec<u8> {
    let name: Name = name.parse().unwrap();
    let mut packet = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    packet[..2].copy_from_slice(&id.to_be_bytes());
    packet.extend_from_slice(name.wire());
    packet.extend_from_slice(&[0, 1, 0, 1]);
    packet
}

pub fn socket(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// The ID of a response, and its addresses or its RCODE.
pub fn receive(socket: &UdpSocket) -> io::Result<(u16, String)> {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer)?;
    let message = Message::parse(&buffer[..length]).unwrap();
    let said = if message.answer.is_empty() {
        rcode::text(message.rcode).to_owned()
    } else {
        let rdata = |r: kakehashi::wire::RecordRef<'_>| RData { rtype: r.rtype, octets: r.rdata }.to_string();
        message.answer.iter().map(rdata).collect::<Vec<_>>().join(" ")
    };
    Ok((u16::from_be_bytes([buffer[0], buffer[1]]), said))
}

/// Asks once.
pub fn ask(server: SocketAddr, name: &str) -> String {
    let socket = socket(server);
    socket.send(&query(1, name)).unwrap();
    receive(&socket).unwrap().1
}

/// Clients that each ask one question after the other.
pub struct Load {
    end: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    /// Starts them; each asks these names in turn.
    pub fn start(server: SocketAddr, clients: usize, names: &'static [&'static str]) -> Load {
        let (end, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let client = || {
            let (end, answered, socket) = (end.clone(), answered.clone(), socket(server));
            std::thread::spawn(move || ask_on(&socket, names, &end, &answered))
        };
        let clients = (0..clients).map(|_| client()).collect();
        Load { end, answered, clients }
    }

    /// Waits for so many more answers.
    pub fn await_answers(&self, more: usize) {
        let before = self.answered.load(Ordering::Relaxed);
        wait::until("the load is answered", PATIENCE, || {
            (self.answered.load(Ordering::Relaxed) >= before + more).then_some(())
        });
    }

    /// Ends it: how many questions were answered, and what went wrong.
    pub fn finish(self) -> (usize, Vec<String>) {
        self.end.store(true, Ordering::Relaxed);
        let faults = self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        (self.answered.load(Ordering::Relaxed), faults)
    }
}

fn ask_on(socket: &UdpSocket, names: &[&str], end: &AtomicBool, answered: &AtomicUsize) -> Vec<String> {
    let mut faults = Vec::new();
    for (nth, name) in names.iter().cycle().enumerate() {
        if end.load(Ordering::Relaxed) {
            break;
        }
        let id = nth as u16;
        match socket.send(&query(id, name)).and_then(|_| receive(socket)) {
            Ok((of, said)) if of == id && !["SERVFAIL", "REFUSED"].contains(&&said[..]) => {
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok((of, said)) => faults.push(format!("{name} ({id}): {said} ({of})")),
            Err(fault) => {
                faults.push(format!("{name} ({id}): {fault}"));
                break;
            }
        }
    }
    faults
}
