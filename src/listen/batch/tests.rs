//! Batches on real sockets.
#![allow(clippy::unwrap_used)]
use std::os::fd::AsFd;

use super::*;

fn pair() -> (UdpSocket, UdpSocket, Local) {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let bound = server.local_addr().unwrap();
    client.connect(bound).unwrap();
    (server, client, Local { bound })
}

fn path(client: SocketAddr, local: SocketAddr) -> Path {
    Path { client, local, transport: Transport::Udp }
}

#[test]
fn a_batch_holds_what_arrived_in_order_and_says_when_there_is_no_more() {
    let (server, client, local) = pair();
    let mut inbox = Inbox::new(local);
    assert_eq!(inbox.receive(server.as_fd(), |_| ()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let total = FEW + LEAST + BATCH + 1;
    for n in 0..total {
        client.send(&vec![n as u8; n]).unwrap();
    }
    let mut sent = 0..total;
    let full = |count| (count, Rest::Perhaps);
    for (count, rest) in [full(FEW), full(LEAST), full(BATCH), (1, Rest::Nothing)] {
        assert_eq!(inbox.receive(server.as_fd(), |_| ()).unwrap(), Received { count, rest });
        for (n, length) in sent.by_ref().take(count).enumerate() {
            let datagram = inbox.datagram(n).unwrap();
            assert_eq!(datagram.payload, vec![length as u8; length]);
            assert_eq!(datagram.path, path(client.local_addr().unwrap(), local.bound));
        }
    }
    assert_eq!(sent.len(), 0);
}

#[test]
fn where_they_come_one_by_one_the_first_is_shown_before_it_is_known_whether_there_is_another() {
    let (server, client, local) = pair();
    let mut inbox = Inbox::new(local);
    for count in [1, LEAST] {
        (0..count).for_each(|n| _ = client.send(&[n as u8; 7]).unwrap());
        let mut shown = Vec::new();
        let first =
            |inbox: &Inbox| shown.extend(inbox.glimpse(0).map(|(octets, from)| (octets.to_vec(), from)));
        assert_eq!(inbox.receive(server.as_fd(), first).unwrap().count, count.min(FEW));
        assert_eq!(shown, [(vec![0; 7], client.local_addr().unwrap().ip())]);
    }
    // The rest: they are no longer few.
    assert_eq!(inbox.receive(server.as_fd(), |_| panic!("they come together")).unwrap().count, LEAST - FEW);
}

#[test]
fn a_datagram_longer_than_any_query_is_not_looked_at() {
    let (server, client, local) = pair();
    let mut inbox = Inbox::new(local);
    // Both ways of reading.
    for wanted in [FEW, LEAST] {
        inbox.wanted = wanted;
        client.send(&[1; DATAGRAM + 1]).unwrap();
        client.send(&[2; DATAGRAM]).unwrap();
        assert_eq!(inbox.receive(server.as_fd(), |_| ()).unwrap().count, 2);
        assert!(inbox.datagram(0).is_none());
        assert_eq!(inbox.datagram(1).unwrap().payload.len(), DATAGRAM);
    }
}

#[test]
fn a_reply_that_cannot_be_sent_does_not_hold_up_the_others() {
    let (server, client, local) = pair();
    let mut outbox = Outbox::new(local);
    let client_address = client.local_addr().unwrap();
    // The port 0 cannot be sent to (EINVAL), and 70,000 octets are no datagram (EMSGSIZE).
    for (to, length) in [
        (SocketAddr::new(client_address.ip(), 0), 1),
        (client_address, 2),
        (client_address, 70_000),
        (client_address, 4),
    ] {
        outbox.slot().unwrap().resize(length, 7);
        outbox.commit(&path(to, local.bound));
    }
    assert_eq!(outbox.send(server.as_fd()), Sent { sent: 2, failed: 2, waiting: 0 });
    assert!(outbox.is_empty());
    let mut buffer = [0; 8];
    assert_eq!(client.recv(&mut buffer).unwrap(), 2);
    assert_eq!(client.recv(&mut buffer).unwrap(), 4);
}

#[test]
fn replies_wait_where_the_send_buffer_is_full() {
    let (server, client, local) = pair();
    let (a, b) = std::os::unix::net::UnixDatagram::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    // A UDP socket on loopback delivers at once, so a Unix datagram socket, whose queue is short, stands in.
    while a.send(&[0; 100]).is_ok() {}
    let mut outbox = Outbox::new(local);
    outbox.slot().unwrap().push(1);
    outbox.commit(&path(client.local_addr().unwrap(), local.bound));
    outbox.slots[0].name_length = 0;
    assert_eq!(outbox.send(a.as_fd()), Sent { sent: 0, failed: 0, waiting: 1 });
    b.recv(&mut [0; 200]).unwrap();
    assert_eq!(outbox.send(a.as_fd()), Sent { sent: 1, failed: 0, waiting: 0 });
    drop(server);
}

#[test]
fn a_datagram_that_comes_alone_is_answered_as_one_among_many() {
    for server in ["127.0.0.1:0", "[::1]:0"] {
        let server = UdpSocket::bind(server).unwrap();
        let bound = server.local_addr().unwrap();
        let client = UdpSocket::bind(SocketAddr::new(bound.ip(), 0)).unwrap();
        let (mut inbox, mut outbox) = (Inbox::new(Local { bound }), Outbox::new(Local { bound }));
        client.send_to(b"query", bound).unwrap();
        assert_eq!(
            inbox.receive(server.as_fd(), |_| ()).unwrap(),
            Received { count: 1, rest: Rest::Nothing }
        );
        let Datagram { payload, path: asked } = inbox.datagram(0).unwrap();
        assert_eq!((payload, asked), (&b"query"[..], path(client.local_addr().unwrap(), bound)));
        outbox.slot().unwrap().extend_from_slice(b"reply");
        outbox.commit(&asked);
        assert_eq!(outbox.send(server.as_fd()), Sent { sent: 1, failed: 0, waiting: 0 });
        let mut heard = [0; 8];
        assert_eq!((client.recv_from(&mut heard).unwrap(), &heard[..5]), ((5, bound), &b"reply"[..]));
        // What cannot be sent is told of as among many.
        outbox.slot().unwrap().resize(70_000, 7);
        outbox.commit(&asked);
        assert_eq!(outbox.send(server.as_fd()), Sent { sent: 0, failed: 1, waiting: 0 });
    }
}
