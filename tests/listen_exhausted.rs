//! Out of file descriptors: TCP clients queue, UDP does not notice. A process of its own, since the limit is the process's.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use kakehashi::listen::{Admit, ListenConfig, Service, start};
use kakehashi::query::{Now, Path};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

const PATIENCE: Duration = Duration::from_secs(10);
const QUERY: [u8; 17] = [0; 17];

struct Echo;

impl Service for Echo {
    fn admit(&self, packet: &[u8], _: &Path, _: Now, out: &mut Vec<u8>) -> Admit {
        out.extend_from_slice(packet);
        Admit::Reply
    }

    async fn resolve(self: Rc<Self>, _: Box<[u8]>, _: Path, _: Now) -> Option<Vec<u8>> {
        None
    }

    fn overloaded(&self, _: &[u8], _: &Path, _: Now, _: &mut Vec<u8>) {}

    fn batch_done(&self) {}
}

fn ask(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(&[&[0, QUERY.len() as u8][..], &QUERY].concat())?;
    stream.read_exact(&mut [0; 2 + QUERY.len()])
}

#[test]
fn two_hundred_tcp_clients_and_no_descriptor_to_spare_do_not_touch_udp() {
    let config = ListenConfig {
        dns: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        workers: 1,
        ..ListenConfig::default()
    };
    let server = start(&config, Vec::new(), |_| Rc::new(Echo)).unwrap();
    let address = server.addresses()[0];
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.connect(address).unwrap();
    udp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut clients: Vec<Socket> = (0..200)
        .map(|_| {
            let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client
        })
        .collect();
    let last = clients.iter().map(AsRawFd::as_raw_fd).max().unwrap();
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // Descriptors are numbered from 0: ten more may be opened.
    setrlimit(Resource::RLIMIT_NOFILE, last as u64 + 11, hard).unwrap();

    for client in &clients {
        client.connect(&address.into()).unwrap();
        udp.send(&QUERY).unwrap();
        assert_eq!(udp.recv(&mut [0; 64]).unwrap(), QUERY.len());
    }
    // The silent ones made room for those that came later.
    let mut newest = TcpStream::from(clients.pop().unwrap());
    ask(&mut newest).unwrap();
    let errors = server.stats()[0].accept_errors.get();
    assert!((1..2000).contains(&errors), "{errors} accepts failed: none, or it spins");
    server.stop();
    server.join().unwrap();
}
