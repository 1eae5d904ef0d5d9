//! An upstream on loopback, UDP and TCP, that follows its own aliases as resolvers do and remembers what it was asked.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use kakehashi::wire::build::{Opt, Plan, build};
use kakehashi::wire::request::Parsed;
use kakehashi::wire::{Ede, Name, RType, RecordRef, Records, Request, flag, rcode};

use crate::port;

/// What a line of the script says of a name.
#[derive(Clone)]
enum Line {
    Record {
        ttl: u32,
        rtype: RType,
        rdata: Vec<u8>,
    },
    /// An RCODE instead of an answer.
    Code(u16),
    /// No answer at all.
    Silent,
    /// NODATA without the SOA that RFC 2308 wants, but with an NS record.
    Lame,
    /// Extended errors, so many, each with that many octets of text.
    Errors {
        count: usize,
        length: usize,
    },
}

/// An upstream server.
pub struct StandIn {
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl StandIn {
    /// Begins to serve what the script says: `NAME TTL TYPE DATA`, `NAME CODE n`, `NAME SILENT`, `NAME LAME`,
    /// `NAME EDE count length`. Negatives carry an SOA with TTL and MINIMUM 3600, or `soa SECONDS`.
    pub fn start(script: &str) -> StandIn {
        let script = Arc::new(Mutex::new(Script::read(script)));
        let (udp, tcp) = port::both();
        udp.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let address = udp.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let by_udp = {
            let (script, asked, stop) = (script.clone(), asked.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while !stop.load(Ordering::Relaxed) {
                    let Ok((length, from)) = udp.recv_from(&mut buffer) else { continue };
                    if let Some(reply) = script.lock().unwrap().answer(&buffer[..length], 1232, &asked) {
                        let _ = udp.send_to(&reply, from);
                    }
                }
            })
        };
        let by_tcp = {
            let (script, asked, stop) = (script.clone(), asked.clone(), stop.clone());
            std::thread::spawn(move || {
                while let Ok((mut stream, _)) = tcp.accept() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let mut length = [0; 2];
                    if stream.read_exact(&mut length).is_err() {
                        continue;
                    }
                    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
                    if stream.read_exact(&mut query).is_ok()
                        && let Some(reply) = script.lock().unwrap().answer(&query, 65535, &asked)
                    {
                        let framed = [&(reply.len() as u16).to_be_bytes()[..], &reply].concat();
                        let _ = stream.write_all(&framed);
                    }
                }
            })
        };
        StandIn { address, script, asked, stop, threads: vec![by_udp, by_tcp] }
    }

    /// From now on it says what this script says.
    pub fn rewrite(&self, script: &str) {
        *self.script.lock().unwrap() = Script::read(script);
    }

    /// What it was asked since the last time, as `name TYPE`.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The accepting thread wakes up by being called.
        let _ = std::net::TcpStream::connect(self.address);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

struct Script {
    lines: Vec<(Name, Line)>,
    soa: u32,
}

impl Script {
    fn read(text: &str) -> Script {
        let mut script = Script { lines: Vec::new(), soa: 3600 };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |n: usize| words[n].parse::<usize>().unwrap();
            if words[0] == "soa" {
                script.soa = number(1) as u32;
                continue;
            }
            let line = match words[1] {
                "CODE" => Line::Code(number(2) as u16),
                "SILENT" => Line::Silent,
                "LAME" => Line::Lame,
                "EDE" => Line::Errors { count: number(2), length: number(3) },
                _ => {
                    let rtype: RType = words[2].parse().unwrap();
                    Line::Record { ttl: number(1) as u32, rtype, rdata: rdata(rtype, &words[3..]) }
                }
            };
            script.lines.push((words[0].parse().unwrap(), line));
        }
        script
    }

    fn of<'s>(&'s self, name: &'s Name) -> impl Iterator<Item = &'s Line> {
        self.lines.iter().filter(move |(owner, _)| owner == name).map(|(_, line)| line)
    }

    fn answer(&self, query: &[u8], limit: usize, asked: &Mutex<Vec<String>>) -> Option<Vec<u8>> {
        let Parsed::Query(request) = Request::parse(query) else { return None };
        // Each query comes in a random case.
        let qname = request.qname.to_name().to_string().to_ascii_lowercase();
        asked.lock().unwrap().push(format!("{qname} {}", request.qtype));
        let (mut answer, mut authority, none) = (Records::new(), Records::new(), Records::new());
        let (mut code, mut ede) = (rcode::NOERROR, Vec::new());
        let mut name = request.qname.to_name();
        let mut negative = true;
        for _ in 0..64 {
            let mut alias = None;
            let mut known = false;
            for line in self.of(&name) {
                known = true;
                match line {
                    Line::Silent => return None,
                    Line::Code(other) => (code, negative) = (*other, false),
                    Line::Lame => {
                        negative = false;
                        authority.push(record(&name, 3600, RType::NS, Name::root().wire()));
                    }
                    Line::Errors { count, length } => {
                        ede.extend((0..*count).map(|_| Ede::new(Ede::OTHER, "x".repeat(*length))));
                    }
                    Line::Record { ttl, rtype, rdata } if *rtype == request.qtype => {
                        negative = false;
                        answer.push(record(&name, *ttl, *rtype, rdata));
                    }
                    Line::Record { ttl, rtype: RType::CNAME, rdata } => {
                        answer.push(record(&name, *ttl, RType::CNAME, rdata));
                        alias = Some(Name::from_wire(rdata).unwrap());
                    }
                    Line::Record { .. } => {}
                }
            }
            if !known {
                code = rcode::NXDOMAIN;
            }
            let Some(target) = alias.filter(|_| request.qtype != RType::CNAME) else { break };
            name = target;
        }
        if negative {
            let tail = [&[0; 16][..], &self.soa.to_be_bytes()].concat();
            authority.push(record(&Name::root(), self.soa, RType::SOA, &[&[0, 0], &tail[..]].concat()));
        }
        let opt = Opt { payload: 1232, flags: 0, nsid: None, cookie: None, ede: &ede };
        let plan = Plan {
            id: request.id,
            flags: flag::QR | flag::RA | flag::RD,
            rcode: code,
            question: request.question(),
            answer: &answer,
            authority: &authority,
            additional: &none,
            opt: request.edns.map(|_| opt),
            limit,
        };
        let mut out = Vec::new();
        build(&plan, &mut out, &mut Vec::new());
        Some(out)
    }
}

fn record<'r>(owner: &'r Name, ttl: u32, rtype: RType, rdata: &'r [u8]) -> RecordRef<'r> {
    RecordRef { owner: owner.as_ref(), rtype, class: 1, ttl, rdata }
}

/// The octets of the few types that the scripts use.
pub fn rdata(rtype: RType, words: &[&str]) -> Vec<u8> {
    match rtype {
        RType::A => words[0].parse::<Ipv4Addr>().unwrap().octets().to_vec(),
        RType::AAAA => words[0].parse::<Ipv6Addr>().unwrap().octets().to_vec(),
        RType::CNAME | RType::NS | RType::PTR => words[0].parse::<Name>().unwrap().wire().to_vec(),
        RType::SRV => {
            let port: u16 = words[0].parse().unwrap();
            [&[0; 4][..], &port.to_be_bytes(), words[1].parse::<Name>().unwrap().wire()].concat()
        }
        _ => [&[words[0].len() as u8], words[0].as_bytes()].concat(),
    }
}
