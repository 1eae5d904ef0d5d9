//! The log's questions, put to two running servers.
//!
//! A server sees who asks by the address that the query comes from, and ours come from this host: a network's questions
//! are asked in its view only from an address of this host that lies in it, which `--source` names. By its control socket
//! it is asked as the log's clients.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::{Instant, sleep_until};

use super::answer::{Answer, Patience, ask};
use super::findings::{Allowance, Differences, Findings, Live, Place};
use super::log::{Asked, Question, read};
use super::whom::{self, Traced, Whom};
use super::{Told, example, tell};
use crate::exchange::{Ask, Dialect, Exchange, ExchangeError, Query, Try, Way};

/// How often a question is asked before the answers count as different: caches fill, and pools turn.
const ROUNDS: u32 = 3;
/// Questions in a row that a server leaves without an answer before it counts as gone.
const SILENCES: u32 = 200;
/// The same of one that is asked by its control socket: it says so itself when it has no answer, if it says anything.
const SILENCES_OF_CONTROL: u32 = 5;
/// Questions between two words on how far it is.
const STRIDE: u64 = 5_000;

/// Whom to ask, and how.
#[derive(clap::Args)]
pub(super) struct Asking {
    /// Ask two running servers instead: first the one in service, then the one to be judged. Both as unix:FILE, their
    /// control sockets: each question is asked as its client, one at a time. Or both as ADDRESS:PORT: a server answers in
    /// the view of the address that asks, see --source. Networks and routes are those that the log names.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with_all = ["old", "new"])]
    live: Option<Vec<Whom>>,
    /// Ask the questions of this network (without one: of all others) from this address, which this host must have.
    #[arg(long, value_name = "[NETWORK=]ADDRESS", requires = "live")]
    source: Vec<Source>,
    /// Questions a second, at most, to each server.
    #[arg(long, value_name = "QPS", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Questions that may wait for their answers at once.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    in_flight: u32,
    /// How long to wait for an answer each time; at a control socket, beyond the fifteen seconds that a server may take.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// How many times to ask a server that does not answer.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10))]
    tries: u32,
}

/// An address to ask from.
#[derive(Debug, Clone)]
struct Source {
    network: Option<String>,
    address: IpAddr,
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Source, String> {
        let (network, address) = match text.rsplit_once('=') {
            Some((network, address)) => (Some(network.to_owned()), address),
            None => (None, text),
        };
        let address = address.parse().map_err(|_| format!("{address} is no address"))?;
        Ok(Source { network, address })
    }
}

/// Words of the log, by number: a network or route is written in millions of lines.
#[derive(Default)]
struct Words {
    numbers: HashMap<String, u32>,
    words: Vec<String>,
}

impl Words {
    fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let number = self.words.len() as u32;
        self.numbers.insert(word.to_owned(), number);
        self.words.push(word.to_owned());
        number
    }
}

/// Reads the logs and asks.
pub(super) fn replay(order: &Asking, logs: &[PathBuf], allow: &[Allowance]) -> Result<Findings, Told> {
    let Some([old, new]) = order.live.as_deref() else { return Err(tell("--live needs two servers")) };
    let servers = [old.clone(), new.clone()];
    order.source.iter().try_for_each(|source| source.check(&servers))?;
    whom::check(&servers, order.patience())?;
    let mut words = Words::default();
    let asked = read(logs, |seen| {
        let mut number = |word: Option<&str>| words.number(word.unwrap_or("none"));
        (number(seen.network), number(seen.route))
    })
    .map_err(tell)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(tell)?;
    runtime.block_on(compare(order, servers, &asked, &words.words, allow)).map_err(tell)
}

impl Source {
    fn check(&self, servers: &[Whom; 2]) -> Result<(), Told> {
        let Source { address, .. } = self;
        for server in servers {
            match server {
                Whom::Address(server) if server.is_ipv4() == address.is_ipv4() => {}
                Whom::Address(_) => {
                    return Err(tell(format!(
                        "--source {address}: the servers' addresses are of another family"
                    )));
                }
                Whom::Control(_) => {
                    return Err(tell(format!("--source {address}: {server} is asked as the log's clients")));
                }
            }
        }
        let bound = UdpSocket::bind((*address, 0));
        bound.map(drop).map_err(|fault| tell(format!("--source {address}: {fault}")))
    }
}

impl Asking {
    fn source(&self, network: &str) -> Option<IpAddr> {
        let of = |wanted: Option<&str>| self.source.iter().find(|source| source.network.as_deref() == wanted);
        of(Some(network)).or_else(|| of(None)).map(|source| source.address)
    }

    fn patience(&self) -> Patience {
        Patience { tries: self.tries, timeout: self.timeout }
    }
}

/// What became of a question.
enum Fate {
    Alike,
    /// Alike when asked again.
    Varies,
    Differs {
        old: String,
        new: String,
    },
    Unanswered,
}

async fn compare(
    order: &Asking,
    servers: [Whom; 2],
    asked: &Asked<u32, u32>,
    words: &[String],
    allow: &[Allowance],
) -> Result<Findings, String> {
    let read = asked.read();
    let word = |number: u32| words[number as usize].as_str();
    let (mut sources, mut at_once) = (BTreeMap::new(), order.in_flight);
    if matches!(servers[0], Whom::Control(_)) {
        at_once = at_once.min(whom::AT_ONCE);
    } else {
        asked.networks().for_each(|network| {
            sources.insert(word(network).to_owned(), order.source(word(network)));
        });
    }
    let asker = Asker::new(order, servers.clone());
    let [old_server, new_server] = servers;
    let mut live =
        Live { old_server, new_server, sources, varying: 0, unanswered_questions: 0, unanswered: 0 };
    let fates = stream::iter(asked.questions())
        .map(|question| async {
            let fate = asker.put(&question, order.source(word(question.network))).await;
            (question, fate)
        })
        .buffer_unordered(at_once as usize);
    futures_util::pin_mut!(fates);
    let mut differences = Differences::default();
    let mut done = 0;
    while let Some((question, fate)) = fates.next().await {
        match fate? {
            Fate::Alike => {}
            Fate::Varies => live.varying += 1,
            Fate::Unanswered => {
                live.unanswered_questions += 1;
                live.unanswered += question.count;
            }
            Fate::Differs { old, new } => {
                // What route answers now is the servers' to know: it is told by the one that answered then.
                let route = word(question.route).to_owned();
                let place = Place {
                    network: word(question.network).to_owned(),
                    old_route: route.clone(),
                    new_route: route,
                };
                differences.add(place, question.count, example(&question, old, new));
            }
        }
        done += 1;
        if done % STRIDE == 0 && std::io::stderr().is_terminal() {
            eprintln!("{done} of {} questions", read.questions);
        }
    }
    Ok(differences.judge(read, allow, Some(live)))
}

/// What one server made of one question, or why it is of no use to ask it more.
type Outcome = Result<Result<Answer, String>, String>;

/// A question as it is put, in either way.
struct Put {
    query: Query,
    source: Option<IpAddr>,
    traced: Traced,
}

/// Puts questions to both servers.
struct Asker {
    exchange: Exchange,
    servers: [Server; 2],
    patience: Patience,
    pace: Pace,
    /// Datagrams that were not the answer; nobody reads it.
    ignored: AtomicU64,
}

struct Server {
    whom: Whom,
    /// Questions without an answer since the last that had one.
    silences: Cell<u32>,
}

impl Asker {
    fn new(order: &Asking, servers: [Whom; 2]) -> Asker {
        Asker {
            exchange: Exchange::new(),
            servers: servers.map(|whom| Server { whom, silences: Cell::new(0) }),
            patience: order.patience(),
            pace: Pace { step: Duration::from_secs(1) / order.rate, due: Cell::new(Instant::now()) },
            ignored: AtomicU64::new(0),
        }
    }

    /// Asks until both have given the same answer once, or `ROUNDS` times.
    async fn put(&self, question: &Question<u32, u32>, source: Option<IpAddr>) -> Result<Fate, String> {
        let query = Query::new(&Ask::new(question.name.clone(), question.qtype), Dialect::Edns);
        let put = Put { query, source, traced: Traced::of(question) };
        let mut given: [Vec<Answer>; 2] = [Vec::new(), Vec::new()];
        for round in 0..ROUNDS {
            self.pace.turn().await;
            let (old, new) = self.both(round, &put).await;
            let (old, new) = match (old?, new?) {
                (Ok(old), Ok(new)) => (old, new),
                (Err(_), Err(_)) => return Ok(Fate::Unanswered),
                (old, new) => return Ok(Fate::Differs { old: told(old), new: told(new) }),
            };
            given[0].push(old);
            given[1].push(new);
            let [of_old, of_new] = &given;
            if of_old.iter().any(|answer| of_new.contains(answer)) {
                return Ok(if round == 0 { Fate::Alike } else { Fate::Varies });
            }
        }
        let last = |answers: &[Answer]| answers.last().map(ToString::to_string).unwrap_or_default();
        Ok(Fate::Differs { old: last(&given[0]), new: last(&given[1]) })
    }

    /// In turn the one or the other first: behind both may be one pool that gives the next of its answers each time.
    async fn both(&self, round: u32, put: &Put) -> (Outcome, Outcome) {
        let [old, new] = &self.servers;
        let (old, new) = (self.ask(old, put), self.ask(new, put));
        if round.is_multiple_of(2) {
            futures_util::join!(old, new)
        } else {
            let (new, old) = futures_util::join!(new, old);
            (old, new)
        }
    }

    /// An error is an end to all of it: the server is gone, or we cannot send.
    async fn ask(&self, server: &Server, put: &Put) -> Outcome {
        let answer = match &server.whom {
            Whom::Address(address) => match self.ask_from_here(*address, put).await {
                Err(fault @ ExchangeError::Local(_)) => return Err(format!("{address}: {fault}")),
                answer => answer.map_err(|fault| fault.to_string()),
            },
            Whom::Control(socket) => whom::trace(socket, &put.traced, self.patience).await,
        };
        let silences = if answer.is_ok() { 0 } else { server.silences.get() + 1 };
        server.silences.set(silences);
        let most = if let Whom::Control(_) = server.whom { SILENCES_OF_CONTROL } else { SILENCES };
        match answer {
            Err(fault) if silences >= most => {
                Err(format!("{}: {most} questions in a row without an answer: {fault}", server.whom))
            }
            answer => Ok(answer),
        }
    }

    async fn ask_from_here(&self, server: SocketAddr, put: &Put) -> Result<Answer, ExchangeError> {
        let deadline = Instant::now() + self.patience.timeout;
        let Put { query, source, .. } = put;
        let way = Way { server, source: *source, deadline };
        let attempt = Try { way, query, ignored: &self.ignored };
        ask(&self.exchange, attempt, self.patience).await
    }
}

fn told(answer: Result<Answer, String>) -> String {
    answer.map_or_else(|fault| format!("no answer: {fault}"), |answer| answer.to_string())
}

/// So many turns a second and no more, also after a pause.
struct Pace {
    step: Duration,
    due: Cell<Instant>,
}

impl Pace {
    async fn turn(&self) {
        let due = self.due.get().max(Instant::now());
        self.due.set(due + self.step);
        sleep_until(due).await;
    }
}
