//! The Python that has moto and DuckDB, and the server of the one.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::place::Ran;
use crate::wait;

const BOUND: Duration = Duration::from_secs(60);
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/archive/peer.py");

pub struct Python(PathBuf);

impl Python {
    /// `None`: it is not installed, which is said.
    pub fn find() -> Option<Python> {
        let folder = std::env::var_os("KAKEHASHI_VENV")
            .map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/venv").into(), PathBuf::from);
        let program = folder.join("bin/python");
        if program.exists() {
            return Some(Python(program));
        }
        assert!(std::env::var_os("CI").is_none(), "{} is not there: tests/run makes it", program.display());
        println!("SKIPPED: {} is not there; tests/run makes it", program.display());
        None
    }

    /// Runs peer.py; gives what it printed.
    pub fn peer(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.0).arg(PEER).args(arguments).output().unwrap();
        let Ran { ok, said } = Ran::of(output);
        assert!(ok, "{said}");
        said
    }

    /// An S3 server that forgets all when it is dropped.
    pub fn s3(&self) -> S3 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(self.0.with_file_name("moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let s3 = S3 { child, port };
        wait::until("the S3 server listens", BOUND, || TcpStream::connect(("127.0.0.1", port)).ok());
        self.peer(&["create", &s3.endpoint(), "technova-dns-archive"]);
        s3
    }
}

pub struct S3 {
    child: Child,
    pub port: u16,
}

impl S3 {
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
