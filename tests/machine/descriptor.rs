//! Too few file descriptors: TCP clients take them all, UDP does not notice, whether it is answered here or forwarded.

use std::net::{SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::load::ask_in_turn;
use crate::process::{PLANNING, Server, Site};
use crate::upstream::{ANSWER, Upstream, forward};

pub fn scarce() {
    let upstream = Upstream::start(60);
    let site = Site::new("127.0.0.1:0", "", &forward(&[&upstream], "health-check = \"off\""));
    let server = Server::start(&mut site.command_through(&["prlimit", "--nofile=64:64"]));
    let before = descriptors(&server);
    let clients: Vec<TcpStream> = (0..200).map(|number| silent_client(server.dns, number)).collect();
    let (here, how_fast) = ask_in_turn(server.dns, 1000, |_| PLANNING.to_owned());
    println!("    answered here: {here:?}, {how_fast}");
    let (there, how_fast) = ask_in_turn(server.dns, 1000, |number| format!("q{number}.up.test"));
    println!("    forwarded: {there:?}, {how_fast}");
    println!("    descriptors: {before} before, {} with 200 TCP clients, of 64", descriptors(&server));
    assert_eq!(here, [("10.0.30.100".to_owned(), 1000)].into());
    assert_eq!(there, [(ANSWER.to_owned(), 1000)].into());
    drop(clients);
    server.terminate();
}

/// From one of three addresses, since one alone may have only a hundred.
fn silent_client(server: SocketAddr, number: u8) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 2 + number % 3], 0)).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    socket.into()
}

fn descriptors(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}
