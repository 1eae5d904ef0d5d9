//! An upstream that does as it is told: UDP and TCP on one loopback port, each query handed to a closure.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::port;
use crate::wait::until;
use kakehashi::wire::build::{Opt, Plan, build};
use kakehashi::wire::request::Parsed;
use kakehashi::wire::{Ede, HEADER, Name, RType, RecordRef, Records, Request, flag};

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    Udp,
    Tcp,
}

/// A query that came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub bytes: Vec<u8>,
    pub via: Via,
    pub from: SocketAddr,
    /// How many came before it.
    pub nth: usize,
}

impl Asked {
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.bytes[0], self.bytes[1]])
    }

    pub fn has_edns(&self) -> bool {
        match Request::parse(&self.bytes) {
            Parsed::Query(request) => request.edns.is_some(),
            other => panic!("not a query: {other:?}"),
        }
    }

    /// The parts of its cookie that are ours and the server's.
    pub fn cookie(&self) -> Option<([u8; 8], Vec<u8>)> {
        let Parsed::Query(request) = Request::parse(&self.bytes) else { panic!("not a query") };
        let cookie = request.edns?.cookie().unwrap()?;
        Some((cookie.client, cookie.server.to_vec()))
    }

    /// A response to build on.
    pub fn answer(&self) -> Answer<'_> {
        Answer {
            asked: self,
            flags: flag::QR | flag::RA,
            rcode: 0,
            records: Records::new(),
            ede: vec![],
            cookie: None,
        }
    }

    /// The response with one address, which says who answered.
    pub fn address(&self, last: u8) -> Vec<u8> {
        self.answer().address(last)
    }

    pub fn code(&self, rcode: u16) -> Vec<u8> {
        Answer { rcode, ..self.answer() }.bytes()
    }
}

pub struct Answer<'a> {
    pub asked: &'a Asked,
    pub flags: u16,
    pub rcode: u16,
    pub records: Records,
    pub ede: Vec<Ede>,
    pub cookie: Option<Vec<u8>>,
}

impl Answer<'_> {
    pub fn record(mut self, owner: &str, rtype: RType, rdata: &[u8]) -> Self {
        let owner: Name = owner.parse().unwrap();
        self.records.push(RecordRef { owner: owner.as_ref(), rtype, class: 1, ttl: 300, rdata });
        self
    }

    /// With the one address that says who answered.
    pub fn address(self, last: u8) -> Vec<u8> {
        let Parsed::Query(request) = Request::parse(&self.asked.bytes) else { panic!("not a query") };
        let qname = request.qname.to_string();
        self.record(&qname, RType::A, &[10, 0, 0, last]).bytes()
    }

    pub fn bytes(self) -> Vec<u8> {
        let Parsed::Query(request) = Request::parse(&self.asked.bytes) else { panic!("not a query") };
        let opt = Opt { payload: 1232, flags: 0, nsid: None, cookie: self.cookie.as_deref(), ede: &self.ede };
        let plan = Plan {
            id: request.id,
            flags: self.flags,
            rcode: self.rcode,
            question: request.question(),
            answer: &self.records,
            authority: &Records::new(),
            additional: &Records::new(),
            opt: request.edns.is_some().then_some(opt),
            limit: 65535,
        };
        let mut out = Vec::new();
        build(&plan, &mut out, &mut Vec::new());
        out
    }
}

/// An upstream on a loopback port, with a memory of what it was asked.
pub struct StandIn {
    pub address: SocketAddr,
    udp: UdpSocket,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl StandIn {
    /// Sends what `replies` gives for each query, in that order, to whoever asked.
    pub fn new(replies: impl FnMut(&Asked) -> Vec<Vec<u8>> + Send + 'static) -> StandIn {
        let (udp, tcp) = port::both();
        let address = udp.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let replies = Arc::new(Mutex::new(replies));
        let (socket, memory, own) = (udp.try_clone().unwrap(), asked.clone(), replies.clone());
        std::thread::spawn(move || serve_udp(&socket, &memory, &own));
        let memory = asked.clone();
        std::thread::spawn(move || serve_tcp(&tcp, &memory, &replies));
        StandIn { address, udp, asked }
    }

    /// One reply a query.
    pub fn replying(reply: impl Fn(&Asked) -> Vec<u8> + Send + 'static) -> StandIn {
        StandIn::new(move |asked| vec![reply(asked)])
    }

    /// Takes queries and says nothing.
    pub fn silent() -> StandIn {
        StandIn::new(|_| vec![])
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.asked().len()
    }

    /// Waits until so many queries have come.
    pub fn wait_for(&self, count: usize) -> Vec<Asked> {
        let come = || Some(self.asked()).filter(|asked| asked.len() >= count);
        until(&format!("{count} queries"), Duration::from_secs(20), come)
    }

    /// Sends a datagram of its own accord.
    pub fn speak(&self, to: SocketAddr, bytes: &[u8]) {
        self.udp.send_to(bytes, to).unwrap();
    }
}

type Memory = Arc<Mutex<Vec<Asked>>>;

fn remember(memory: &Memory, bytes: &[u8], via: Via, from: SocketAddr) -> Asked {
    assert!(bytes.len() > HEADER);
    let mut memory = memory.lock().unwrap();
    let asked = Asked { bytes: bytes.to_vec(), via, from, nth: memory.len() };
    memory.push(asked.clone());
    asked
}

fn serve_udp<F: FnMut(&Asked) -> Vec<Vec<u8>>>(udp: &UdpSocket, memory: &Memory, replies: &Mutex<F>) {
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = udp.recv_from(&mut buffer) {
        let asked = remember(memory, &buffer[..length], Via::Udp, from);
        for reply in replies.lock().unwrap()(&asked) {
            // Who asked may be gone.
            let _ = udp.send_to(&reply, from);
        }
    }
}

fn serve_tcp<F: FnMut(&Asked) -> Vec<Vec<u8>>>(tcp: &TcpListener, memory: &Memory, replies: &Mutex<F>) {
    while let Ok((mut stream, from)) = tcp.accept() {
        let Ok(query) = read_framed(&mut stream) else { continue };
        let asked = remember(memory, &query, Via::Tcp, from);
        for reply in replies.lock().unwrap()(&asked) {
            let _ = stream.write_all(&u16::try_from(reply.len()).unwrap().to_be_bytes());
            let _ = stream.write_all(&reply);
        }
    }
}

fn read_framed(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut query)?;
    Ok(query)
}
