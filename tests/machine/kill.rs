//! Killed in the middle of its work, and started again where it was: the ports are free, and the first question is answered.

use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::client::{ask, query, socket};
use crate::port;
use crate::process::{PLANNING, Site};

pub fn killed() {
    let address = port::free();
    let site = Site::new(&address.to_string(), "", "");
    let mut server = site.start();
    let mut took = Vec::new();
    for _ in 0..5 {
        // A connection that is open when it dies keeps the port from being bound without SO_REUSEADDR.
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(&[0]).unwrap();
        // And questions that it may not come to answer.
        let asking = socket(address);
        for id in 0..500 {
            asking.send(&query(id, PLANNING)).unwrap();
        }
        server.signal(Signal::SIGKILL);
        server.wait();
        let began = Instant::now();
        server = site.start();
        assert_eq!(server.dns, address);
        assert_eq!(ask(address, PLANNING), "10.0.30.100");
        took.push(began.elapsed());
    }
    println!("    from the start of the new process to its first answer: {took:?}");
    let said = server.terminate();
    assert!(said.iter().all(|line| !line.contains("WARN")), "{said:?}");
}
