//! Addresses that are bound, shared, passed and closed.
#![allow(clippy::unwrap_used)]
use std::collections::HashSet;

use super::*;

const ANY: &str = "127.0.0.1:0";

fn fds<T: Into<OwnedFd>>(sockets: Vec<T>) -> Vec<OwnedFd> {
    sockets.into_iter().map(Into::into).collect()
}

#[test]
fn each_worker_has_its_own_socket_of_every_address_on_one_port() {
    let (addresses, ends) = bind(&[ANY.parse().unwrap(), "[::1]:0".parse().unwrap()], 3, Vec::new()).unwrap();
    assert_eq!(ends.len(), 3);
    for end in &ends {
        let udp: Vec<_> = end.udp.iter().map(|(socket, _)| socket.local_addr().unwrap()).collect();
        let tcp: Vec<_> = end.tcp.iter().map(|(socket, _)| socket.local_addr().unwrap()).collect();
        assert_eq!(udp, addresses);
        assert_eq!(tcp, addresses);
    }
}

#[test]
fn a_second_server_is_told_that_the_address_is_taken() {
    let (addresses, _ends) = bind(&[ANY.parse().unwrap()], 2, Vec::new()).unwrap();
    let error = bind(&addresses, 2, Vec::new()).unwrap_err();
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    let text = error.to_string();
    assert!(text.starts_with(&format!("cannot listen on {} (udp): ", addresses[0])), "{text}");
    assert!(text.contains("systemd-resolved"), "{text}");
}

#[test]
fn no_two_servers_are_given_one_port() {
    // The kernel gave twenty of 900 sockets another's port, three of 400.
    let udp: Vec<_> = (0..400).flat_map(|_| any_port(ANY.parse().unwrap(), 1).unwrap().0).collect();
    let ports: HashSet<u16> = udp.iter().map(|(socket, _)| socket.local_addr().unwrap().port()).collect();
    assert_eq!(ports.len(), udp.len());
}

#[test]
fn an_address_of_another_machine_is_named() {
    let error = bind(&["192.0.2.1:5300".parse().unwrap()], 1, Vec::new()).unwrap_err();
    assert!(error.to_string().contains("192.0.2.1:5300"), "{error}");
    assert!(error.to_string().contains("ip address"), "{error}");
}

#[test]
fn fewer_passed_sockets_than_workers_are_shared_and_more_are_dealt_out() {
    for (sockets, workers, each) in [(1, 3, [1, 1, 1]), (2, 3, [1, 1, 1]), (5, 3, [2, 2, 1])] {
        // The listeners are kept until the end, lest another's connection takes their port.
        let (passed, _held) = any_port(ANY.parse().unwrap(), sockets).unwrap();
        let passed: Vec<_> = passed.into_iter().map(|(socket, _)| socket).collect();
        let address = passed[0].local_addr().unwrap();
        let (bound, ends) = bind(&[address], workers, fds(passed)).unwrap();
        assert_eq!(bound, [address]);
        assert_eq!(ends.iter().map(|end| end.udp.len()).collect::<Vec<_>>(), each);
        assert!(ends.iter().flat_map(|end| &end.udp).all(|(_, origin)| *origin == Origin::Passed));
        // TCP was not passed, so it is made.
        assert!(ends.iter().flat_map(|end| &end.tcp).all(|(_, origin)| *origin == Origin::Ours));
    }
}

#[test]
fn a_closed_door_keeps_what_was_in_and_lets_no_more_in() {
    let server = make_udp(ANY.parse().unwrap()).unwrap();
    let client = UdpSocket::bind(ANY).unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    client.send(b"before").unwrap();
    close_door(&server).unwrap();
    client.send(b"after").unwrap();
    let mut buffer = [0; 16];
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"before");
    server.send_to(b"reply", from).unwrap();
    assert_eq!(server.recv_from(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    // The second datagram was refused, as a closed port refuses it; the reply is there all the same.
    assert_eq!(client.recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(client.recv(&mut buffer).unwrap(), 5);
}
