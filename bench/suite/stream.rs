//! The load over TCP: some connections, on each a handful of queries under way (RFC 7766, section 6.2.1.1); what is
//! answered is at once followed by as many new ones.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::load::Outcome;
use super::question::{Label, QUERY, Questions, is_right};

const CONNECTIONS: usize = 20;
/// Queries of one connection that are under way at once.
const PIPELINE: u16 = 16;
/// A server that says nothing for so long has lost what it was asked.
const SILENCE_MS: u16 = 2000;

/// A query that is under way: its name and when it was sent.
type Asked = Option<(Label, Duration)>;

struct Connection {
    stream: TcpStream,
    asked: [Asked; PIPELINE as usize],
    unread: Vec<u8>,
}

/// Loads a server over TCP.
pub fn run(server: SocketAddrV4, questions: &mut Questions, length: Duration) -> io::Result<Outcome> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        connections.push(Connection { stream, asked: [None; PIPELINE as usize], unread: Vec::new() });
    }
    let begin = Instant::now();
    let mut outcome = Outcome::new();
    for connection in &mut connections {
        connection.ask(questions, begin, &mut outcome)?;
    }
    // What is asked is little enough for every socket buffer, so a write never waits.
    connections.iter().try_for_each(|connection| connection.stream.set_nonblocking(true))?;
    while outcome.sent > outcome.answered + outcome.wrong {
        let mut waiting: Vec<PollFd<'_>> =
            connections.iter().map(|c| PollFd::new(c.stream.as_fd(), PollFlags::POLLIN)).collect();
        if poll(&mut waiting, PollTimeout::from(SILENCE_MS))? == 0 {
            break;
        }
        let ready: Vec<bool> = waiting.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        for (connection, _) in connections.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            connection.read(begin, &mut outcome)?;
            if begin.elapsed() < length {
                connection.ask(questions, begin, &mut outcome)?;
            }
        }
    }
    outcome.lost = outcome.sent - outcome.answered - outcome.wrong;
    outcome.elapsed = begin.elapsed();
    Ok(outcome)
}

impl Connection {
    /// Asks as much as the pipeline has room for.
    fn ask(&mut self, questions: &mut Questions, begin: Instant, outcome: &mut Outcome) -> io::Result<()> {
        let mut queries = Vec::with_capacity(usize::from(PIPELINE) * (QUERY + 2));
        let now = begin.elapsed();
        for (asked, id) in self.asked.iter_mut().zip(0..).filter(|(asked, _)| asked.is_none()) {
            let label = questions.next();
            *asked = Some((label, now));
            queries.extend_from_slice(&(QUERY as u16).to_be_bytes());
            questions.write(id, label, &mut queries);
            outcome.sent += 1;
        }
        self.stream.write_all(&queries)
    }

    /// Reads what has come.
    fn read(&mut self, begin: Instant, outcome: &mut Outcome) -> io::Result<()> {
        let mut buffer = [0; 8192];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let now = begin.elapsed();
        let mut at = 0;
        while let Some(response) = message(&self.unread[at..]) {
            let id = usize::from(u16::from_be_bytes([response[0], response[1]]));
            let asked = self.asked.get_mut(id).and_then(Option::take);
            match asked.filter(|(label, _)| is_right(response, *label)) {
                Some((_, since)) => {
                    outcome.answered += 1;
                    outcome.latency.add(now.saturating_sub(since).as_nanos() as u64);
                }
                None => outcome.wrong += 1,
            }
            at += 2 + response.len();
        }
        self.unread.drain(..at);
        Ok(())
    }
}

/// The first message of a stream, if it is whole; never shorter than a header.
fn message(stream: &[u8]) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes([*stream.first()?, *stream.get(1)?]));
    stream.get(2..2 + length.max(12))
}
