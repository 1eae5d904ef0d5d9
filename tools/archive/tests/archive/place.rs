//! A server's log folder, an archive, and the program between them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::read::MultiGzDecoder;
use serde_json::Value;

pub struct Place {
    pub root: tempfile::TempDir,
}

/// What the program said, and how it ended.
pub struct Ran {
    pub ok: bool,
    pub said: String,
}

impl Place {
    /// `archive` is what stands in `[archive]` beside the state folder; paths are relative to the place.
    pub fn new(archive: &str) -> Place {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("log")).unwrap();
        let text = format!(
            "[node]\nid = \"kakehashi-1a\"\n[query-log]\nto = \"./log/query.log\"\nrotate-every = \"1h\"\n\
             [archive]\nstate = \"./state\"\nevery = \"1s\"\n{archive}\n"
        );
        fs::write(root.path().join("kakehashi.toml"), text).unwrap();
        Place { root }
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.path().join(relative)
    }

    /// A file that the server rolled.
    pub fn roll(&self, stamp: &str, lines: impl IntoIterator<Item = String>) -> PathBuf {
        let path = self.path(&format!("log/query.log.{stamp}"));
        fs::write(&path, lines.into_iter().collect::<String>()).unwrap();
        path
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kakehashi-archive"));
        command.current_dir(self.root.path()).args(["--config", "kakehashi.toml"]).args(arguments);
        for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("AWS_") || key == "RUST_LOG") {
            command.env_remove(key);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// The counters and gauges that a node exporter would read.
    pub fn metric(&self, name: &str) -> Option<u64> {
        let text = fs::read_to_string(self.path("state/kakehashi-archive.prom")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("kakehashi_archive_{name} ")))?;
        line.parse().ok()
    }
}

impl Ran {
    pub fn of(output: Output) -> Ran {
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ran { ok: output.status.success(), said: said.concat() }
    }
}

/// How many queries a line stands for: some are of a network whose log is sampled.
pub fn weight(nth: usize) -> usize {
    if nth.is_multiple_of(11) { 20 } else { 1 }
}

/// One of three clients, a second later each; every tenth asks for the same name, every seventh for one that is not there.
pub fn line(nth: usize) -> String {
    let (account, vpc, client) = [
        ("123456789012", "vpc-0abc123def456789a", "10.0.30.100"),
        ("210987654321", "vpc-0def123abc456789b", "10.1.30.100"),
        ("", "", "192.168.7.7"),
    ][nth % 3];
    let name = if nth.is_multiple_of(10) {
        "planning.manufacturing.technova.internal.".to_owned()
    } else {
        format!("q{nth}.example.")
    };
    let rcode = if nth.is_multiple_of(7) { "NXDOMAIN" } else { "NOERROR" };
    let (source, upstream) = match nth % 4 {
        0 => ("zone", "null"),
        1 => ("forward", "\"onprem-dc@192.168.1.10:53\""),
        _ => ("answer-cache", "null"),
    };
    let answers = if rcode == "NOERROR" { r#"{"Rdata":"10.0.30.100","Type":"A","Class":"IN"}"# } else { "" };
    let time = format!("2026-11-24T{:02}:{:02}:{:02}", nth / 3600 % 24, nth / 60 % 60, nth % 60);
    format!(
        "{{\"version\":\"1.100000\",\"account_id\":\"{account}\",\"region\":\"ap-northeast-1\",\"vpc_id\":\"{vpc}\",\
         \"query_timestamp\":\"{time}Z\",\"query_name\":\"{name}\",\"query_type\":\"A\",\"query_class\":\"IN\",\
         \"rcode\":\"{rcode}\",\"answers\":[{answers}],\"srcaddr\":\"{client}\",\"srcport\":\"{port}\",\
         \"transport\":\"UDP\",\"srcids\":{{}},\"kakehashi\":{{\"node\":\"kakehashi-1a\",\"network\":\"n{network}\",\
         \"groups\":[\"vpc\",\"prod\"],\"view\":\"vpc\",\"route\":\"technova.internal\",\"source\":\"{source}\",\
         \"upstream\":{upstream},\"dnssec_ok\":false,\"checking_disabled\":false,\"answer_size\":61,\
         \"duration_us\":{nth},\"ede\":null,\"timestamp\":\"{time}.{nth:06}Z\"{sample}}}}}\n",
        port = 1_024 + nth % 60_000,
        network = nth % 3,
        sample = if weight(nth) > 1 { format!(",\"sample\":{}", weight(nth)) } else { String::new() },
    )
}

pub fn lines(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    range.map(line)
}

/// Every file below a folder, by its path from there.
pub fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), path);
            }
        }
    }
    found
}

/// What a compressed piece says.
pub fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    let octets = fs::read(path).unwrap();
    if path.extension().unwrap() == "zst" {
        text = String::from_utf8(zstd::decode_all(&octets[..]).unwrap()).unwrap();
    } else {
        MultiGzDecoder::new(&octets[..]).read_to_string(&mut text).unwrap();
    }
    text
}

/// All lines of an archive, sorted.
pub fn archived(folder: &Path) -> Vec<String> {
    let mut lines: Vec<String> = files(folder)
        .values()
        .flat_map(|path| unpacked(path).split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    lines.sort();
    lines
}

pub fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

pub fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}
