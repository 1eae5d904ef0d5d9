//! Lines as the server writes them, and the program run over them.
#![allow(dead_code)] // each test file uses some of it

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

/// 2026-11-24T00:00:00Z.
const START: i64 = 1_795_478_400;

/// A query, for a line of the log.
#[derive(Clone)]
pub struct Ask {
    /// Seconds after the log's start.
    pub second: u64,
    pub name: String,
    pub client: String,
    pub account: &'static str,
    pub rcode: &'static str,
    pub source: &'static str,
    pub micros: u64,
    pub sample: u64,
}

impl Ask {
    /// A forwarded one at that second.
    pub fn new(second: u64) -> Ask {
        Ask {
            second,
            name: "api.technova.local.".to_owned(),
            client: "10.0.30.100".to_owned(),
            account: "123456789012",
            rcode: "NOERROR",
            source: "forward",
            micros: 250,
            sample: 1,
        }
    }

    /// Its line, without the newline.
    pub fn line(&self) -> String {
        let time = jiff::Timestamp::from_second(START + i64::try_from(self.second).unwrap()).unwrap();
        let mut line = json!({
            "version": "1.100000", "account_id": self.account, "region": "ap-northeast-1", "vpc_id": "vpc-0abc",
            "query_timestamp": format!("{time:.0}"), "query_name": self.name, "query_type": "A", "query_class": "IN",
            "rcode": self.rcode, "answers": [{"Rdata": "192.0.2.1", "Type": "A", "Class": "IN"}],
            "srcaddr": self.client, "srcport": "48253", "transport": "UDP", "srcids": {},
            "kakehashi": {
                "node": "kakehashi-1a", "network": "technova-mfg-prod-app", "groups": ["vpc", "prod"], "view": "vpc",
                "route": "technova.local", "source": self.source, "upstream": "onprem-dc@192.168.1.10:53",
                "dnssec_ok": true, "checking_disabled": false, "answer_size": 68, "duration_us": self.micros,
                "ede": 3, "timestamp": format!("{time:.6}"),
            },
        });
        if self.sample > 1 {
            line["kakehashi"]["sample"] = self.sample.into();
        }
        line.to_string()
    }
}

/// The log of these queries.
pub fn log(asks: &[Ask]) -> String {
    asks.iter().fold(String::new(), |mut log, ask| {
        writeln!(log, "{}", ask.line()).unwrap();
        log
    })
}

/// What the program did.
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs it.
pub fn run(arguments: &[&str]) -> Done {
    let done = Command::new(env!("CARGO_BIN_EXE_kakehashi-report")).args(arguments).output().unwrap();
    Done {
        code: done.status.code().unwrap(),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

/// The figures over a log of this text.
pub fn report(folder: &TempDir, log: &str, arguments: &[&str]) -> Value {
    let path = save(folder, "query.log", log.as_bytes());
    figures(&[arguments, &[&path]].concat())
}

/// The figures over these files.
pub fn figures(arguments: &[&str]) -> Value {
    let done = run(&[&["--json", "-"], arguments].concat());
    assert_eq!(done.code, 0, "{}", done.err);
    serde_json::from_str(&done.out).unwrap()
}

/// Writes a file, its folders too; gives its path.
pub fn save(folder: &TempDir, name: &str, octets: &[u8]) -> String {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, octets).unwrap();
    text(&path)
}

/// A path as an argument.
pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
