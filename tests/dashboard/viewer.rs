//! A viewer without a browser: the events that the page lives by.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::PATIENCE;

/// A viewer without a browser.
pub struct Viewer(pub BufReader<TcpStream>);

impl Viewer {
    pub fn sit(address: SocketAddr) -> Viewer {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /api/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        Viewer(BufReader::new(stream))
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    /// The status of its response, and all of its head.
    pub fn head(&mut self) -> (u16, String) {
        let mut head = String::new();
        loop {
            let line = self.line();
            if line.trim().is_empty() {
                break;
            }
            head += &line.to_lowercase();
        }
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
    }

    /// The next frame.
    pub fn frame(&mut self) -> Value {
        loop {
            if self.line().starts_with("event: now") {
                let data = self.line();
                return serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            }
        }
    }
}
