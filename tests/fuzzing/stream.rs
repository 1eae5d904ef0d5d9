//! What a client writes into a TCP connection, in whatever pieces: each whole message gets one reply, until something
//! comes that is no message. On real sockets, as a connection is not to be had without them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kakehashi::listen::{Admit, ListenConfig, Listening, Service, start};
use kakehashi::query::{Now, Path};
use kakehashi::wire::HEADER;
use socket2::{Domain, Socket, Type};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Of messages with this octet behind the header some deserve no reply, and some get theirs later.
const SILENCE: u8 = b's';
const LATER: u8 = b'l';

/// Sends back what it gets.
struct Echo;

impl Service for Echo {
    fn admit(&self, packet: &[u8], _: &Path, _: Now, out: &mut Vec<u8>) -> Admit {
        match packet.get(HEADER) {
            Some(&SILENCE) => Admit::Drop,
            Some(&LATER) => Admit::Resolve,
            _ => {
                out.extend_from_slice(packet);
                Admit::Reply
            }
        }
    }

    async fn resolve(self: Rc<Self>, packet: Box<[u8]>, _: Path, _: Now) -> Option<Vec<u8>> {
        tokio::task::yield_now().await;
        Some(packet.into_vec())
    }

    fn overloaded(&self, packet: &[u8], _: &Path, _: Now, out: &mut Vec<u8>) {
        out.extend_from_slice(packet);
    }

    fn batch_done(&self) {}
}

fn server() -> SocketAddr {
    static SERVER: OnceLock<Listening> = OnceLock::new();
    let listening = SERVER.get_or_init(|| {
        let dns = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let config = ListenConfig { dns, workers: 1, tcp_pipeline: 4, ..ListenConfig::default() };
        start(&config, Vec::new(), |_| Rc::new(Echo)).unwrap()
    });
    listening.addresses()[0]
}

/// The first octet is how long the pieces are, the rest what the client writes.
pub fn run(input: &[u8]) {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let (mut expected, end) = messages(bytes);
    let mut stream = connect(server());
    let piece = (bytes.len() / 8).max(1 + usize::from(piece));
    for piece in bytes.chunks(piece) {
        // Who writes on after what is no message may find the connection closed.
        if stream.write_all(piece).is_err() {
            assert_eq!(end, End::Garbage);
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    let mut replies = Vec::new();
    if let Err(error) = stream.read_to_end(&mut replies) {
        assert_eq!(end, End::Garbage, "{error}");
    }
    let (mut received, _) = messages(&replies);
    match end {
        End::Clean => {
            expected.sort_unstable();
            received.sort_unstable();
            assert_eq!(received, expected);
        }
        // The reset of a connection may overtake replies; others than these there are none.
        End::Garbage => {
            for reply in received {
                let at = expected.iter().position(|message| *message == reply).unwrap();
                expected.swap_remove(at);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Clean,
    Garbage,
}

/// The whole messages that deserve a reply, up to the first that does not.
fn messages(mut bytes: &[u8]) -> (Vec<&[u8]>, End) {
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        if length < HEADER {
            return (found, End::Garbage);
        }
        let Some((message, rest)) = rest.split_at_checked(length) else { break };
        if message.get(HEADER) == Some(&SILENCE) {
            return (found, End::Garbage);
        }
        found.push(message);
        bytes = rest;
    }
    (found, End::Clean)
}

/// Each connection from another address: ports of one would run out.
fn connect(server: SocketAddr) -> TcpStream {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed) % 0x00FF_0000;
        let source = Ipv4Addr::from(0x7F01_0000 + next);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        match socket.connect(&server.into()) {
            // libFuzzer's own timer.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            connected => {
                connected.unwrap();
                socket.set_tcp_nodelay(true).unwrap();
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                return socket.into();
            }
        }
    }
}
