//! The load over UDP: a window of queries that are under way, or a steady rate. Batches leave as one datagram that the
//! kernel cuts (UDP_SEGMENT), so that one core of load saturates one core of the fastest server.

use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, sendmsg};

use super::datagram::{Batch, enlarge};
use super::histogram::Histogram;
use super::question::{Label, QUERY, Questions, is_right};

/// Queries that leave together.
const BURST: usize = 32;
/// An ID is a slot and how often the slot was used, so that a late answer is not taken for another's.
const SLOTS: usize = 1024;
/// After this long without an answer a query is lost.
const LOST: Duration = Duration::from_secs(1);

/// How fast.
#[derive(Clone, Copy)]
pub enum Pace {
    /// So many queries under way at any time.
    Window(usize),
    /// So many queries a second, evenly.
    Rate(u64),
}

/// How long.
#[derive(Clone, Copy)]
pub enum Until<'a> {
    /// So long.
    Elapsed(Duration),
    /// So many queries.
    Sent(u64),
    /// Somebody says that it is enough.
    Said(&'a AtomicBool),
}

/// Whence: a network that the clients' addresses are spread over, or the ordinary one.
#[derive(Clone, Copy)]
pub enum Clients {
    /// One client.
    One,
    /// So many, one in each network 10.99.N.0/24.
    Networks(u8),
}

/// What came of it.
pub struct Outcome {
    /// Queries sent.
    pub sent: u64,
    /// Right answers.
    pub answered: u64,
    /// Answers that say something else than they should.
    pub wrong: u64,
    /// Queries without an answer.
    pub lost: u64,
    /// From the first query to the last answer.
    pub elapsed: Duration,
    /// How long the answers took.
    pub latency: Histogram,
}

impl Outcome {
    /// Of nothing yet.
    pub fn new() -> Outcome {
        let latency = Histogram::new();
        Outcome { sent: 0, answered: 0, wrong: 0, lost: 0, elapsed: Duration::ZERO, latency }
    }
}

#[derive(Clone, Copy)]
struct Slot {
    since: Option<Duration>,
    label: Label,
    uses: u16,
}

struct Load {
    socket: UdpSocket,
    server: SockaddrIn,
    clients: Clients,
    client: u8,
    slots: Vec<Slot>,
    free: Vec<u16>,
    begin: Instant,
    outcome: Outcome,
}

/// Loads a server over UDP.
pub fn run(
    server: SocketAddrV4,
    clients: Clients,
    questions: &mut Questions,
    pace: Pace,
    until: Until<'_>,
) -> io::Result<Outcome> {
    let mut load = Load::new(server, clients, pace)?;
    let mut batch = Batch::new();
    let mut payload = Vec::with_capacity(BURST * QUERY);
    let mut looked_for_lost = Duration::ZERO;
    let mut last_answer = Duration::ZERO;
    loop {
        let now = load.begin.elapsed();
        let over = match until {
            Until::Elapsed(length) => now >= length,
            Until::Sent(count) => load.outcome.sent >= count,
            Until::Said(enough) => enough.load(Ordering::Relaxed),
        };
        let under_way = load.slots.len() - load.free.len();
        if over && (under_way == 0 || now > last_answer + LOST) {
            break;
        }
        let mut due = match pace {
            _ if over => 0,
            // Half a burst is not worth a system call while answers are about to make room for a whole one.
            Pace::Window(window) if load.free.len() < BURST.min(window) => 0,
            Pace::Window(_) => BURST.min(load.free.len()),
            Pace::Rate(rate) => {
                let planned = (now.as_secs_f64() * rate as f64) as u64;
                (planned.saturating_sub(load.outcome.sent) as usize).min(BURST).min(load.free.len())
            }
        };
        if let Until::Sent(count) = until {
            due = due.min((count - load.outcome.sent.min(count)) as usize);
        }
        if due > 0 {
            load.send(questions, due, now, &mut payload)?;
        }
        let received = load.receive(&mut batch)?;
        if received > 0 {
            last_answer = load.begin.elapsed();
        } else if due == 0 && matches!(pace, Pace::Window(_)) {
            // No sleep: answers would wake it one by one, and the kernel charges that to whoever sends them (a quarter of
            // what one takes from the bare loop). The authority, on the same core, has its turn.
            thread::yield_now();
        }
        if now > looked_for_lost + LOST / 4 {
            looked_for_lost = now;
            load.give_up(now);
        }
    }
    load.outcome.lost += (load.slots.len() - load.free.len()) as u64;
    load.outcome.elapsed = last_answer;
    Ok(load.outcome)
}

impl Load {
    fn new(server: SocketAddrV4, clients: Clients, pace: Pace) -> io::Result<Load> {
        let own = match clients {
            Clients::One => Ipv4Addr::LOCALHOST,
            Clients::Networks(_) => Ipv4Addr::UNSPECIFIED,
        };
        let socket = UdpSocket::bind((own, 0))?;
        enlarge(&socket)?;
        let slots = match pace {
            Pace::Window(window) => window.min(SLOTS),
            Pace::Rate(_) => SLOTS,
        };
        Ok(Load {
            socket,
            server: SockaddrIn::from(server),
            clients,
            client: 0,
            slots: vec![Slot { since: None, label: (0, 0), uses: 0 }; slots],
            free: (0..slots as u16).collect(),
            begin: Instant::now(),
            outcome: Outcome::new(),
        })
    }

    fn send(
        &mut self,
        questions: &mut Questions,
        count: usize,
        now: Duration,
        payload: &mut Vec<u8>,
    ) -> io::Result<()> {
        payload.clear();
        for _ in 0..count {
            let Some(number) = self.free.pop() else { break };
            let slot = &mut self.slots[usize::from(number)];
            slot.uses = (slot.uses + 1) % (1 << 16 >> SLOTS.ilog2()) as u16;
            slot.since = Some(now);
            slot.label = questions.next();
            questions.write(slot.uses * SLOTS as u16 + number, slot.label, payload);
        }
        let information = self.next_client();
        let (segments, source) = (
            ControlMessage::UdpGsoSegments(&(QUERY as u16)),
            information.as_ref().map(ControlMessage::Ipv4PacketInfo),
        );
        let control: Vec<ControlMessage<'_>> = std::iter::once(segments).chain(source).collect();
        sendmsg(
            self.socket.as_raw_fd(),
            &[IoSlice::new(payload)],
            &control,
            MsgFlags::empty(),
            Some(&self.server),
        )?;
        self.outcome.sent += count as u64;
        Ok(())
    }

    /// The next client's address, as the control message wants it.
    fn next_client(&mut self) -> Option<libc::in_pktinfo> {
        let Clients::Networks(count) = self.clients else { return None };
        self.client = (self.client + 1) % count;
        let address = u32::from(Ipv4Addr::new(10, 99, self.client, 7)).to_be();
        Some(libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr { s_addr: address },
            ipi_addr: libc::in_addr { s_addr: 0 },
        })
    }

    fn receive(&mut self, batch: &mut Batch) -> io::Result<usize> {
        let arrived = batch.receive(&self.socket, MsgFlags::MSG_DONTWAIT)?;
        let now = self.begin.elapsed();
        for datagram in arrived.iter() {
            let response = datagram.payload();
            if response.len() < 12 {
                continue;
            }
            let id = u16::from_be_bytes([response[0], response[1]]);
            let number = id % SLOTS as u16;
            let Some(slot) = self.slots.get_mut(usize::from(number)) else { continue };
            let Some(since) = slot.since.filter(|_| slot.uses == id / SLOTS as u16) else { continue };
            slot.since = None;
            self.free.push(number);
            if is_right(response, slot.label) {
                self.outcome.answered += 1;
                self.outcome.latency.add(now.saturating_sub(since).as_nanos() as u64);
            } else {
                self.outcome.wrong += 1;
            }
        }
        Ok(arrived.len())
    }

    /// Counts the queries that nobody will answer any more, and uses their slots again.
    fn give_up(&mut self, now: Duration) {
        for (slot, number) in self.slots.iter_mut().zip(0..) {
            if slot.since.is_some_and(|since| now > since + LOST) {
                slot.since = None;
                self.free.push(number);
                self.outcome.lost += 1;
            }
        }
    }
}
