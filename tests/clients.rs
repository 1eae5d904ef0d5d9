//! What clients get of the built program, on loopback: limits, cookies, and no pulse of answers that piled up.
#![allow(clippy::unwrap_used)]

#[path = "life/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "life/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "lab/wait.rs"]
#[allow(dead_code)]
mod wait;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use client::query;
use kakehashi::wire::NameRef;
use process::{PLANNING, Server, Site};

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const COOKIE: [u8; 12] = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// A client at an address of its own.
fn from(host: [u8; 4], server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::from(host), 0)).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A query with an OPT record of these options.
fn with_options(id: u16, options: &[u8]) -> Vec<u8> {
    let mut packet = query(id, PLANNING);
    packet[11] = 1;
    packet.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, options.len() as u8]);
    packet.extend(options);
    packet
}

fn exchange(socket: &UdpSocket, packet: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 1500];
    socket.send(packet).unwrap();
    let length = socket.recv(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

fn is_whole(reply: &[u8]) -> bool {
    reply[2] & 2 == 0 && matches!(reply[3] % 16, 0) && reply[7] == 1
}

fn limited(server: &Server, limit: &str, action: &str) -> f64 {
    server.metric(&format!("kakehashi_client_limited_total{{limit=\"{limit}\",action=\"{action}\"}}"))
}

#[test]
fn a_flood_that_seems_to_come_from_one_network_gets_little_and_its_honest_clients_all() {
    const FLOOD: usize = 5000;
    // One a second: however long this takes, the flood gets few.
    let limit = "[[network]]\nname = \"outside\"\ncidr = [\"127.9.0.0/16\"]\ngroups = [\"vpc\"]\n\
                 limit = { queries = \"200/s\", responses = \"1/s\" }\n";
    let server = Site::new("127.0.0.1:0", "", limit).start();
    let forged: Vec<UdpSocket> = (1..=50).map(|host| from([127, 9, 7, host], server.dns)).collect();
    for (nth, socket) in forged.iter().cycle().take(FLOOD).enumerate() {
        socket.send(&query(nth as u16, PLANNING)).unwrap();
    }
    let measures = [
        ("queries", "truncated"),
        ("queries", "dropped"),
        ("responses", "truncated"),
        ("responses", "dropped"),
    ];
    let all = || measures.iter().map(|(limit, action)| limited(&server, limit, action)).sum::<f64>();
    // The kernel may lose some of a burst; most come through.
    wait::until("the flood is over", PATIENCE, || (all() > FLOOD as f64 / 2.0).then_some(()));
    let mut whole = 0;
    for socket in &forged {
        socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 1500];
        while let Ok(length) = socket.recv(&mut buffer) {
            whole += usize::from(is_whole(&buffer[..length]));
            assert!(length <= query(0, PLANNING).len() || is_whole(&buffer[..length]));
        }
    }
    assert!(whole <= 60, "{whole} of {FLOOD}: more than one a second");

    // A client that knows cookies is told to come back with one, or that and the answer.
    let honest = from([127, 9, 7, 99], server.dns);
    honest.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let first = wait::until("one of its queries slips through", PATIENCE, || {
        let mut buffer = [0; 1500];
        honest.send(&with_options(7, &COOKIE)).unwrap();
        honest.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())
    });
    let at =
        first.windows(12).position(|octets| octets[2..4] == [0, 24] && octets[4..] == COOKIE[4..]).unwrap();
    let good = with_options(8, &first[at..at + 28]);
    honest.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..300 {
        assert!(is_whole(&exchange(&honest, &good)));
    }
    // And one that does not comes by TCP.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 9, 7, 98], 0)).into()).unwrap();
    socket.connect(&server.dns.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for id in 0..300 {
        let packet = query(id, PLANNING);
        stream.write_all(&[&(packet.len() as u16).to_be_bytes()[..], &packet].concat()).unwrap();
        let mut reply = vec![0; 2 + packet.len() + 16];
        stream.read_exact(&mut reply).unwrap();
        assert!(is_whole(&reply[2..]));
    }
    let other = from([127, 0, 0, 1], server.dns);
    for id in 0..1000 {
        assert!(is_whole(&exchange(&other, &query(id, PLANNING))), "a network without limit has none");
    }
    server.terminate();
}

#[test]
fn answers_that_piled_up_all_come_but_not_in_one_blow() {
    const COUNT: u16 = 100;
    let upstream = UdpSocket::bind("127.0.0.1:0").unwrap();
    upstream.set_read_timeout(Some(PATIENCE)).unwrap();
    let tables = format!(
        "[[upstream]]\nname = \"slow\"\nservers = [\"{}\"]\nhealth-check = \"off\"\ntry-timeout = \"10s\"\n\
         deadline = \"10s\"\n[[rule]]\ndomain = \"slow.test\"\nforward = \"slow\"\nvisible-to = [\"vpc\"]\n",
        upstream.local_addr().unwrap()
    );
    let server = Site::new("127.0.0.1:0", "", &tables).start();
    let client = from([127, 0, 0, 1], server.dns);
    // A little while between two queries: as long as it takes to see that there is no answer yet.
    client.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let mut held = Vec::new();
    for id in 0..COUNT {
        client.send(&query(id, &format!("n{id}.slow.test"))).unwrap();
        let mut buffer = [0; 512];
        let (length, from) = upstream.recv_from(&mut buffer).unwrap();
        held.push((buffer[..length].to_vec(), from));
        assert!(client.recv(&mut buffer).is_err(), "nobody has answered yet");
    }
    for (asked, from) in held {
        upstream.send_to(&answer(&asked), from).unwrap();
    }
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut ids: Vec<u16> = (0..COUNT)
        .map(|_| {
            let mut buffer = [0; 512];
            let length = client.recv(&mut buffer).unwrap();
            assert!(is_whole(&buffer[..length]));
            u16::from_be_bytes([buffer[0], buffer[1]])
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..COUNT).collect::<Vec<_>>());
    assert!(limited(&server, "pulse", "held-back") >= f64::from(COUNT) / 2.0);
    server.terminate();
}

/// 192.0.2.1, whatever was asked.
fn answer(asked: &[u8]) -> Vec<u8> {
    let name = NameRef::parse(asked, 12).unwrap();
    let mut reply = asked[..12 + name.wire().len() + 4].to_vec();
    reply[2] |= 0x80;
    (reply[7], reply[11]) = (1, 0);
    reply.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    reply
}
