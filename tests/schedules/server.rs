//! An upstream in virtual time: a task beside the pipeline under test, on sockets of loopback, which carry what is sent
//! before any clock moves.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use kakehashi::health::{Health, State};
use kakehashi::wire::build::{Plan, build};
use kakehashi::wire::request::Parsed;
use kakehashi::wire::{RType, RecordRef, Records, Request, flag, rcode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::spawn_local;
use tokio::time::Instant;

use crate::time::pass;

/// How long its answers hold, in seconds: shorter than a schedule, so that they end in it.
pub const TTL: u32 = 2;
/// How a probe of the pipeline's begins; clients ask for other names.
pub const PROBED: &str = "probe.test";

/// What a server does with a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Answers after so many milliseconds.
    Answer(u64),
    /// Says nothing: the query or its response is lost.
    Lose,
    /// Says SERVFAIL.
    Fail,
    /// Sends a response with another ID first, then the right one after so many milliseconds.
    Forge(u64),
    /// Answers every other query.
    Flap,
    /// Says that the answer does not fit a datagram.
    Truncate,
}

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    Udp,
    Tcp,
}

/// A query of a client's that came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub question: Vec<u8>,
    pub via: Via,
    pub at: Instant,
    /// What the server did.
    pub manner: Manner,
    /// For how long the pipeline had taken the server for dead, and not the other of its group.
    pub spared: Option<Duration>,
}

/// One server of a group.
pub struct Server {
    pub address: SocketAddr,
    pub desk: Desk,
}

/// What its tasks and the test share.
#[derive(Clone)]
pub struct Desk {
    group: u8,
    pub manner: Rc<Cell<Manner>>,
    /// What the pipeline knows of it and of the other of its group, and since when it takes only this one for dead.
    known: Rc<RefCell<Option<[Arc<Health>; 2]>>>,
    spared: Rc<Cell<Option<Instant>>>,
    /// What it was asked for clients.
    pub asked: Rc<RefCell<Vec<Asked>>>,
    probes: Rc<Cell<usize>>,
}

impl Server {
    /// Begins to serve. Its answers are 10.`group`.0.1.
    pub async fn start(group: u8) -> Server {
        let (udp, tcp) = both_on_one_port().await;
        let address = udp.local_addr().unwrap();
        let desk = Desk {
            group,
            manner: Rc::new(Cell::new(Manner::Answer(5))),
            known: Rc::default(),
            spared: Rc::default(),
            asked: Rc::default(),
            probes: Rc::default(),
        };
        spawn_local(serve_udp(Rc::new(udp), desk.clone()));
        let own = desk.clone();
        spawn_local(async move {
            while let Ok((stream, _)) = tcp.accept().await {
                spawn_local(serve_tcp(stream, own.clone()));
            }
        });
        Server { address, desk }
    }
}

async fn both_on_one_port() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn serve_udp(socket: Rc<UdpSocket>, desk: Desk) {
    let mut buffer = [0; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let Parsed::Query(request) = Request::parse(&buffer[..length]) else { panic!("no query") };
        let odd = desk.take_in(&request, Via::Udp) % 2 == 1;
        let (group, none) = (desk.group, Records::new());
        let (wait, replies) = match desk.manner.get() {
            Manner::Answer(wait) => (wait, vec![answer(&request, group)]),
            Manner::Flap if odd => (1, vec![answer(&request, group)]),
            Manner::Lose | Manner::Flap => continue,
            Manner::Fail => (1, vec![reply(&request, 0, rcode::SERVFAIL, &none)]),
            Manner::Forge(wait) => (wait, vec![forged(&request), answer(&request, group)]),
            Manner::Truncate => (1, vec![reply(&request, flag::TC, rcode::NOERROR, &none)]),
        };
        let socket = socket.clone();
        spawn_local(async move {
            pass(Duration::from_millis(wait)).await;
            for reply in replies {
                let _ = socket.send_to(&reply, from).await;
            }
        });
    }
}

async fn serve_tcp(mut stream: TcpStream, desk: Desk) -> Option<()> {
    let mut query = vec![0; usize::from(stream.read_u16().await.ok()?)];
    stream.read_exact(&mut query).await.ok()?;
    let Parsed::Query(request) = Request::parse(&query) else { panic!("no query") };
    desk.take_in(&request, Via::Tcp);
    let answer = answer(&request, desk.group);
    stream.write_all(&[&(answer.len() as u16).to_be_bytes(), &answer[..]].concat()).await.ok()
}

impl Desk {
    /// Where the pipeline keeps what it knows.
    pub fn is_known(&self, own: Arc<Health>, other: Arc<Health>) {
        *self.known.borrow_mut() = Some([own, other]);
    }

    /// Looks at what it knows now.
    pub fn look(&self) {
        let is_spared = self
            .known
            .borrow()
            .as_ref()
            .is_some_and(|[own, other]| own.state() == State::Down && other.state() != State::Down);
        self.spared.set(is_spared.then(|| self.spared.get().unwrap_or_else(Instant::now)));
    }

    /// How many it was asked so far.
    fn take_in(&self, request: &Request<'_>, via: Via) -> usize {
        if request.qname.to_string().eq_ignore_ascii_case(&format!("{PROBED}.")) {
            self.probes.set(self.probes.get() + 1);
            return self.probes.get();
        }
        self.look();
        let mut asked = self.asked.borrow_mut();
        let (at, manner) = (Instant::now(), self.manner.get());
        let spared = self.spared.get().map(|since| at - since);
        asked.push(Asked { question: request.question().to_ascii_lowercase(), via, at, manner, spared });
        asked.len()
    }
}

fn answer(request: &Request<'_>, group: u8) -> Vec<u8> {
    let mut answer = Records::new();
    let rdata = [10, group, 0, 1];
    answer.push(RecordRef { owner: request.qname, rtype: RType::A, class: 1, ttl: TTL, rdata: &rdata });
    reply(request, 0, rcode::NOERROR, &answer)
}

/// As the right one, of no group, with another ID.
fn forged(request: &Request<'_>) -> Vec<u8> {
    let mut forged = answer(request, 66);
    forged[0] ^= 0xFF;
    forged
}

fn reply(request: &Request<'_>, flags: u16, rcode: u16, answer: &Records) -> Vec<u8> {
    let none = Records::new();
    let plan = Plan {
        id: request.id,
        flags: 0x8180 | flags,
        rcode,
        question: request.question(),
        answer,
        authority: &none,
        additional: &none,
        opt: None,
        limit: 512,
    };
    let mut out = Vec::new();
    build(&plan, &mut out, &mut Vec::new());
    out
}
