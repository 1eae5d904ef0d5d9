//! Query log → the different questions in it, and how often each was asked.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::hash::Hash;
use std::io::{self, BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::findings::Read;
use crate::wire::{Name, RType};

/// How much of a log is read at once.
const BUFFER: usize = 1 << 20;

/// How often each type of each name was asked, and who asked first.
type OfNetwork<R> = HashMap<(u16, Name), (First<R>, u64)>;

/// The different questions: by network, as `N` tells one from the other, type and name.
#[derive(Debug)]
pub(super) struct Asked<N, R> {
    counts: HashMap<N, OfNetwork<R>>,
    queries: u64,
    unreadable: u64,
}

/// The first who asked, as he stands for his network.
#[derive(Debug, Clone, Copy)]
struct First<R> {
    client: IpAddr,
    route: R,
}

/// One of them.
pub(super) struct Question<N, R> {
    pub client: IpAddr,
    pub name: Name,
    pub qtype: RType,
    pub count: u64,
    pub network: N,
    /// What was kept of the route that answered the first of them.
    pub route: R,
}

/// Who asked, and what the log says of him.
pub(super) struct Seen<'a> {
    pub client: IpAddr,
    /// His network.
    pub network: Option<&'a str>,
    /// The route that answered.
    pub route: Option<&'a str>,
}

/// What is read of a line.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    query_name: Cow<'a, str>,
    #[serde(borrow)]
    query_type: Cow<'a, str>,
    srcaddr: IpAddr,
    #[serde(borrow)]
    kakehashi: Option<Own<'a>>,
}

#[derive(Deserialize)]
struct Own<'a> {
    sample: Option<u64>,
    #[serde(borrow)]
    network: Option<Word<'a>>,
    #[serde(borrow)]
    route: Option<Word<'a>>,
}

/// Text that is borrowed where it can be, which a bare `Option<Cow>` is not.
#[derive(Deserialize)]
struct Word<'a>(#[serde(borrow)] Cow<'a, str>);

impl<N: Eq + Hash + Copy, R: Copy> Asked<N, R> {
    /// What was read.
    pub(super) fn read(&self) -> Read {
        let questions = self.counts.values().map(HashMap::len).sum::<usize>() as u64;
        Read { queries: self.queries, questions, unreadable: self.unreadable }
    }

    pub(super) fn networks(&self) -> impl Iterator<Item = N> {
        self.counts.keys().copied()
    }

    pub(super) fn questions(&self) -> impl Iterator<Item = Question<N, R>> {
        let of = |(network, counts): (&N, _)| (*network, counts);
        self.counts.iter().map(of).flat_map(|(network, counts): (N, &OfNetwork<R>)| {
            counts.iter().map(move |((qtype, name), (first, count))| Question {
                client: first.client,
                name: name.clone(),
                qtype: RType(*qtype),
                count: *count,
                network,
                route: first.route,
            })
        })
    }

    fn add(&mut self, line: &[u8], place: &mut impl FnMut(&Seen<'_>) -> (N, R)) -> Option<()> {
        let line: Line<'_> = serde_json::from_slice(line).ok()?;
        let name: Name = line.query_name.parse().ok()?;
        let qtype: RType = line.query_type.parse().ok()?;
        let own = line.kakehashi.as_ref();
        let weight = own.and_then(|own| own.sample).unwrap_or(1);
        let (network, route) = place(&Seen {
            client: line.srcaddr,
            network: own.and_then(|own| own.network.as_ref()).map(|Word(text)| text.as_ref()),
            route: own.and_then(|own| own.route.as_ref()).map(|Word(text)| text.as_ref()),
        });
        let first = First { client: line.srcaddr, route };
        let of_network = self.counts.entry(network).or_default();
        of_network.entry((qtype.0, name.as_ref().to_lower())).or_insert((first, 0)).1 += weight;
        self.queries += weight;
        Some(())
    }
}

/// Reads logs. A line that is no query is counted; a file that cannot be read is a fault. `place` tells the networks
/// apart, and what to keep of the route.
pub(super) fn read<N: Eq + Hash + Copy, R: Copy>(
    files: &[PathBuf],
    mut place: impl FnMut(&Seen<'_>) -> (N, R),
) -> Result<Asked<N, R>, String> {
    let mut asked = Asked { counts: HashMap::new(), queries: 0, unreadable: 0 };
    for file in files {
        read_one(file, &mut place, &mut asked).map_err(|fault| format!("{}: {fault}", file.display()))?;
    }
    Ok(asked)
}

fn read_one<N: Eq + Hash + Copy, R: Copy>(
    file: &Path,
    place: &mut impl FnMut(&Seen<'_>) -> (N, R),
    asked: &mut Asked<N, R>,
) -> io::Result<()> {
    let mut reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(BufReader::with_capacity(BUFFER, io::stdin()))
    } else {
        Box::new(BufReader::with_capacity(BUFFER, File::open(file)?))
    };
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line.iter().any(|octet| !octet.is_ascii_whitespace()) && asked.add(&line, place).is_none() {
            asked.unreadable += 1;
        }
        line.clear();
    }
    Ok(())
}
