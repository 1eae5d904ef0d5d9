//! What a worker counts. Each counter has one writer, its worker, so counting costs a load and a store; anyone may read.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread writes and any may read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, count: u64) {
        self.set(self.get().wrapping_add(count));
    }

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// What one worker has done, and what it is doing.
#[derive(Debug, Default)]
pub struct Stats {
    /// Datagrams read.
    pub datagrams_in: Counter,
    /// Replies sent in datagrams.
    pub datagrams_out: Counter,
    /// System calls that read at least one datagram.
    pub batches: Counter,
    /// Datagrams that were longer than any query, or came from port 0: nothing can be said to them.
    pub unusable: Counter,
    /// Datagrams and messages that the service met with silence.
    pub silent: Counter,
    /// Replies that the kernel would not send (EPERM, ENOBUFS, EINVAL …).
    pub send_errors: Counter,
    /// Replies given up because the send buffer stayed full.
    pub send_stuck: Counter,
    /// Reads of a UDP socket that failed.
    pub receive_errors: Counter,
    /// TCP connections accepted, those that were closed at once included.
    pub tcp_accepted: Counter,
    /// TCP connections open now.
    pub tcp_open: Counter,
    /// TCP connections closed, by [`Closed`].
    pub tcp_closed: [Counter; Closed::ALL.len()],
    /// Messages read from TCP connections.
    pub tcp_in: Counter,
    /// Replies written to TCP connections.
    pub tcp_out: Counter,
    /// Accepts that failed: out of file descriptors, or the client had gone.
    pub accept_errors: Counter,
    /// Resolutions in flight now.
    pub in_flight: Counter,
    /// Queries turned away because too many were in flight.
    pub overloaded: Counter,
    /// Tasks that a bug of ours ended: what reads or writes a socket, and is begun again; a connection; a query.
    pub panics: Counter,
    /// Goes up at least twice a second as long as the worker's event loop turns.
    pub heartbeat: Counter,
}

/// Why a TCP connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The client closed it.
    Client,
    /// It was silent too long, or its message took too long to arrive.
    Idle,
    /// The client did not take its replies.
    Stalled,
    /// What came was no DNS message.
    Garbage,
    /// The connection broke, or a bug of ours broke it.
    Broken,
    /// It was the longest idle when another client needed its place.
    Evicted,
    /// Its client's address had its full number of connections.
    ClientFull,
    /// There were as many connections as there may be, and none was idle.
    Full,
    /// The server stopped.
    Stop,
}

impl Closed {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Closed; 9] = [
        Closed::Client,
        Closed::Idle,
        Closed::Stalled,
        Closed::Garbage,
        Closed::Broken,
        Closed::Evicted,
        Closed::ClientFull,
        Closed::Full,
        Closed::Stop,
    ];

    /// As labels write it.
    pub fn text(self) -> &'static str {
        match self {
            Closed::Client => "client",
            Closed::Idle => "idle",
            Closed::Stalled => "stalled",
            Closed::Garbage => "garbage",
            Closed::Broken => "broken",
            Closed::Evicted => "evicted",
            Closed::ClientFull => "client-full",
            Closed::Full => "full",
            Closed::Stop => "stop",
        }
    }
}

impl Stats {
    /// How many TCP connections were closed for this reason.
    pub fn closed(&self, reason: Closed) -> &Counter {
        &self.tcp_closed[reason as usize]
    }
}
