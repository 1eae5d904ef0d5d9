//! One query over TCP: two octets of length, then the message (RFC 1035 §4.2.2).

use std::io;
use std::net::SocketAddr;

use smallvec::SmallVec;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::{Instant, timeout_at};

use super::accept::accept;
use super::ear::{Ear, Note};
use super::{Exchange, ExchangeError, Reply, Try};
use crate::query::Transport;
use crate::wire::message::Message;

pub(super) async fn exchange(exchange: &Exchange, attempt: &Try<'_>) -> Result<Reply, ExchangeError> {
    let id = exchange.draw_id()?;
    let begun = Instant::now();
    let message = timeout_at(attempt.way.deadline, converse(attempt, id, &exchange.ear))
        .await
        .unwrap_or(Err(ExchangeError::Timeout))?;
    Ok(Reply { message, rtt: begun.elapsed() })
}

async fn converse(attempt: &Try<'_>, id: u16, ear: &Ear) -> Result<Message, ExchangeError> {
    let network = |error: io::Error| ExchangeError::Unreachable(error.kind());
    let mut stream = open(attempt)?.connect(attempt.way.server).await.map_err(network)?;
    let query = attempt.query.with_id(id);
    // RFC 7766 §8: length and message in one segment.
    let mut framed = SmallVec::<[u8; 300]>::from_slice(&(query.len() as u16).to_be_bytes());
    framed.extend_from_slice(&query);
    stream.write_all(&framed).await.map_err(network)?;
    let local = if ear.is_open() { stream.local_addr().ok() } else { None };
    let heard = local.map(|local| {
        let server = attempt.way.server;
        Note { server, local, transport: Transport::Tcp, sent: Instant::now(), answered: None }
    });
    if let Some(note) = heard {
        ear.hear(note, &query);
    }
    let length = stream.read_u16().await.map_err(network)?;
    let mut response = vec![0; usize::from(length)];
    stream.read_exact(&mut response).await.map_err(network)?;
    // A stream comes from whom we connected to and in order: nothing better will follow.
    let message = accept(attempt.query, id, &response).map_err(ExchangeError::Garbage)?;
    if let Some(note) = heard {
        ear.hear(Note { answered: Some(Instant::now()), ..note }, &response);
    }
    Ok(message)
}

fn open(attempt: &Try<'_>) -> Result<TcpSocket, ExchangeError> {
    let local = |error: io::Error| ExchangeError::Local(error.kind());
    let socket = match attempt.way.server {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
    .map_err(local)?;
    if let Some(source) = attempt.way.source {
        socket.bind(SocketAddr::new(source, 0)).map_err(local)?;
    }
    Ok(socket)
}
