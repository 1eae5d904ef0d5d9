//! An upstream in virtual time: a task beside the pipeline under test, on a socket of loopback, which carries a datagram
//! before any clock moves.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use kakehashi::wire::build::{Plan, build};
use kakehashi::wire::request::Parsed;
use kakehashi::wire::{RType, RecordRef, Records, Request, rcode};
use tokio::net::UdpSocket;
use tokio::task::spawn_local;

use crate::time::pass;

/// How long its answers hold, in seconds: shorter than a schedule, so that they end in it.
const TTL: u32 = 2;

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
}

/// One server of a group.
pub struct Server {
    pub address: SocketAddr,
    pub manner: Rc<Cell<Manner>>,
    /// The questions it was asked.
    pub asked: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Server {
    /// Begins to serve. Its answers are 10.`group`.0.1.
    pub async fn start(group: u8) -> Server {
        let socket = Rc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let server = Server {
            address: socket.local_addr().unwrap(),
            manner: Rc::new(Cell::new(Manner::Answer(5))),
            asked: Rc::default(),
        };
        let (manner, asked) = (server.manner.clone(), server.asked.clone());
        spawn_local(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let Parsed::Query(request) = Request::parse(&buffer[..length]) else { panic!("no query") };
                asked.borrow_mut().push(request.question().to_ascii_lowercase());
                let odd = asked.borrow().len() % 2 == 1;
                let (wait, replies) = match manner.get() {
                    Manner::Answer(wait) => (wait, vec![answer(&request, group)]),
                    Manner::Flap if odd => (1, vec![answer(&request, group)]),
                    Manner::Lose | Manner::Flap => continue,
                    Manner::Fail => (1, vec![reply(&request, rcode::SERVFAIL, &Records::new())]),
                    Manner::Forge(wait) => (wait, vec![forged(&request), answer(&request, group)]),
                };
                let socket = socket.clone();
                spawn_local(async move {
                    pass(Duration::from_millis(wait)).await;
                    for reply in replies {
                        let _ = socket.send_to(&reply, from).await;
                    }
                });
            }
        });
        server
    }
}

fn answer(request: &Request<'_>, group: u8) -> Vec<u8> {
    let mut answer = Records::new();
    let rdata = [10, group, 0, 1];
    answer.push(RecordRef { owner: request.qname, rtype: RType::A, class: 1, ttl: TTL, rdata: &rdata });
    reply(request, rcode::NOERROR, &answer)
}

/// As the right one, of no group, with another ID.
fn forged(request: &Request<'_>) -> Vec<u8> {
    let mut forged = answer(request, 66);
    forged[0] ^= 0xFF;
    forged
}

fn reply(request: &Request<'_>, rcode: u16, answer: &Records) -> Vec<u8> {
    let none = Records::new();
    let plan = Plan {
        id: request.id,
        flags: 0x8180,
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
