//! What passes between us and upstream servers, kept for a moment for whoever logs it (dnstap).
//!
//! Nothing is kept, and nothing is asked of the system, while nobody wants it. What is kept is bounded: it is told once a
//! batch, and what finds no room until then is counted.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::port;
use super::udp::State;
use crate::query::{Now, Passage, Transport};
use crate::wire::message::Message;

/// How many octets are kept between two tellings.
const MOST: usize = 256 << 10;

/// Hears what one worker says to upstream servers, and they to it.
#[derive(Default)]
pub(super) struct Ear {
    wanted: Arc<AtomicBool>,
    /// Whether there is anything to tell.
    heard_any: AtomicBool,
    // One thread uses it, so the lock is never waited for.
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    notes: Vec<(Note, usize)>,
    /// The messages of all notes, one after the other.
    octets: Vec<u8>,
    missed: u64,
    /// A datagram that may turn out to be a response, as it came: reading it may change it.
    held: Vec<u8>,
}

/// A message's ends and times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note {
    pub(super) server: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) transport: Transport,
    pub(super) sent: Instant,
    /// When the response came; `None`: it is the query.
    pub(super) answered: Option<Instant>,
}

impl Ear {
    pub(super) fn new(wanted: Arc<AtomicBool>) -> Ear {
        Ear { wanted, ..Ear::default() }
    }

    /// Whether anybody wants to know.
    pub(super) fn is_open(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a message.
    pub(super) fn hear(&self, note: Note, octets: &[u8]) {
        let mut heard = self.lock();
        self.heard_any.store(true, Ordering::Relaxed);
        heard.keep(note, octets);
    }

    /// Holds a datagram until it is known what it is.
    pub(super) fn hold(&self, datagram: &[u8]) {
        if self.is_open() {
            let mut heard = self.lock();
            heard.held.clear();
            heard.held.extend_from_slice(datagram);
        }
    }

    fn hear_held(&self, note: Note) {
        let mut heard = self.lock();
        self.heard_any.store(true, Ordering::Relaxed);
        let held = std::mem::take(&mut heard.held);
        // It came in before anybody wanted to know.
        if !held.is_empty() {
            heard.keep(note, &held);
        }
        heard.held = held;
        heard.held.clear();
    }

    pub(super) fn has_heard(&self) -> bool {
        self.heard_any.load(Ordering::Relaxed)
    }

    /// Tells each message, oldest first, and forgets it; gives how many found no room.
    pub(super) fn tell(&self, now: Now, mut each: impl FnMut(&Passage<'_>)) -> u64 {
        self.heard_any.store(false, Ordering::Relaxed);
        let read = Instant::now();
        let mut heard = self.lock();
        let heard = &mut *heard;
        let mut start = 0;
        for (note, end) in heard.notes.drain(..) {
            let ago = read.saturating_duration_since(note.sent).as_micros() as u64;
            let waited = |at: Instant| at.saturating_duration_since(note.sent).as_micros();
            each(&Passage {
                server: note.server,
                local: note.local,
                transport: note.transport,
                sent_micros: now.unix_micros.saturating_sub(ago),
                answered_after: note.answered.map(|at| u32::try_from(waited(at)).unwrap_or(u32::MAX)),
                octets: &heard.octets[start..end],
            });
            start = end;
        }
        heard.octets.clear();
        std::mem::take(&mut heard.missed)
    }
}

impl Heard {
    fn keep(&mut self, note: Note, octets: &[u8]) {
        if self.octets.len() + octets.len() > MOST {
            self.missed += 1;
            return;
        }
        self.octets.extend_from_slice(octets);
        self.notes.push((note, self.octets.len()));
    }
}

impl State {
    /// The query that was sent last, from this port.
    pub(super) fn hear_query(&mut self, key: port::Key, server: SocketAddr, sent: Instant) {
        if self.ear.is_open()
            && let Some(local) = self.ports.get_mut(key).and_then(|port| port.socket.local_addr().ok())
        {
            let note = Note { server, local, transport: Transport::Udp, sent, answered: None };
            self.ear.hear(note, &self.query);
        }
    }

    /// Ends a wait with the response that was held.
    pub(super) fn settle_heard(&mut self, slot: u32, message: Message, now: Instant) {
        self.hear_response(slot, now);
        self.settle(slot, Ok(message), now);
    }

    fn hear_response(&mut self, slot: u32, now: Instant) {
        if !self.ear.is_open() {
            return;
        }
        let Some(wait) = &self.waits[slot as usize] else { return };
        let (server, sent, key) = (wait.server, wait.sent, wait.port);
        if let Some(local) = self.ports.get_mut(key).and_then(|port| port.socket.local_addr().ok()) {
            let note = Note { server, local, transport: Transport::Udp, sent, answered: Some(now) };
            self.ear.hear_held(note);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_passed_is_told_once_and_what_found_no_room_is_counted() {
        let ear = Ear::new(Arc::new(AtomicBool::new(true)));
        let sent = Instant::now();
        let answered = Some(sent + Duration::from_micros(700));
        let [server, local] =
            ["192.168.1.10:53", "0.0.0.0:40001"].map(|text| text.parse().unwrap_or_else(|_| unreachable!()));
        let note = |answered| Note { server, local, transport: Transport::Udp, sent, answered };
        ear.hear(note(None), b"query");
        ear.hold(b"another");
        ear.hold(b"response");
        ear.hear_held(note(answered));
        ear.hear_held(note(answered));
        ear.hear(note(None), &vec![0; MOST]);
        let now = Now { monotonic: Duration::ZERO, unix_micros: u64::MAX };
        let mut told = Vec::new();
        let missed = ear.tell(now, |passage| told.push((passage.answered_after, passage.octets.to_vec())));
        assert_eq!(told, [(None, b"query".to_vec()), (Some(700), b"response".to_vec())]);
        assert_eq!(missed, 1);
        assert_eq!(ear.tell(now, |_| unreachable!("it was told already")), 0);
    }
}
