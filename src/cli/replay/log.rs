//! Query log → the different questions in it, and how often each was asked.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::wire::{Name, RType};

/// How much of a log is read at once.
const BUFFER: usize = 1 << 20;

/// The networks that hold a client: in the old and in the new configuration.
type Networks = (Option<u32>, Option<u32>);

/// How often each type of each name was asked, and by whom first.
type OfNetwork = HashMap<(u16, Name), (IpAddr, u64)>;

/// The different questions.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// By network, type and name; with the client that asked first, as it stands for its network.
    counts: HashMap<Networks, OfNetwork>,
    pub queries: u64,
    pub unreadable: u64,
}

/// One of them.
pub(super) struct Question {
    pub client: IpAddr,
    pub name: Name,
    pub qtype: RType,
    pub count: u64,
}

/// What is read of a line.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    query_name: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    query_type: std::borrow::Cow<'a, str>,
    srcaddr: IpAddr,
    kakehashi: Option<Own>,
}

#[derive(Deserialize)]
struct Own {
    sample: Option<u64>,
}

impl Asked {
    pub(super) fn len(&self) -> usize {
        self.counts.values().map(HashMap::len).sum()
    }

    pub(super) fn questions(&self) -> impl Iterator<Item = Question> {
        self.counts.values().flatten().map(|((qtype, name), (client, count))| Question {
            client: *client,
            name: name.clone(),
            qtype: RType(*qtype),
            count: *count,
        })
    }

    fn add(&mut self, line: &[u8], networks: impl Fn(IpAddr) -> Networks) -> Option<()> {
        let line: Line<'_> = serde_json::from_slice(line).ok()?;
        let name: Name = line.query_name.parse().ok()?;
        let qtype: RType = line.query_type.parse().ok()?;
        let weight = line.kakehashi.and_then(|own| own.sample).unwrap_or(1);
        let of_network = self.counts.entry(networks(line.srcaddr)).or_default();
        of_network.entry((qtype.0, name.as_ref().to_lower())).or_insert((line.srcaddr, 0)).1 += weight;
        self.queries += weight;
        Some(())
    }
}

/// Reads logs. A line that is no query is counted; a file that cannot be read is a fault.
pub(super) fn read(files: &[PathBuf], networks: impl Fn(IpAddr) -> Networks) -> Result<Asked, String> {
    let mut asked = Asked::default();
    for file in files {
        read_one(file, &networks, &mut asked).map_err(|fault| format!("{}: {fault}", file.display()))?;
    }
    Ok(asked)
}

fn read_one(file: &Path, networks: &impl Fn(IpAddr) -> Networks, asked: &mut Asked) -> io::Result<()> {
    let mut reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(BufReader::with_capacity(BUFFER, io::stdin()))
    } else {
        Box::new(BufReader::with_capacity(BUFFER, File::open(file)?))
    };
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line.iter().any(|octet| !octet.is_ascii_whitespace()) && asked.add(&line, networks).is_none() {
            asked.unreadable += 1;
        }
        line.clear();
    }
    Ok(())
}
