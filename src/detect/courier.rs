//! The thread that takes alerts to where waiting is possible: a file, and a webhook.
//!
//! The log thread hands over and never waits: what does not fit into the queue is counted. A webhook that fails is
//! asked again, later each time, while a bounded number of alerts waits for it.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::alert::Alert;
use super::desk::Board;

/// What may wait between the log thread and this one.
const QUEUE: usize = 256;
/// What may wait for a webhook that fails.
const WAITING: usize = 256;
/// How long one request may take, from the name's resolution to the last octet.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The first pause after a failure, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// Tries before an alert is given up: about half an hour.
const TRIES: u32 = 12;

/// Where alerts go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Targets {
    /// A file, one line of JSON an alert.
    pub file: Option<PathBuf>,
    /// An address that takes one JSON document a request.
    pub webhook: Option<String>,
}

enum Order {
    Carry(Arc<Alert>),
    Turn(Targets),
}

/// The log thread's end.
pub(super) struct Courier {
    orders: SyncSender<Order>,
    board: Arc<Board>,
}

impl Courier {
    /// Starts the thread.
    pub(super) fn start(targets: Targets, board: Arc<Board>) -> io::Result<Courier> {
        let (orders, waiting) = sync_channel(QUEUE);
        let round =
            Round { targets, board: Arc::clone(&board), letters: VecDeque::new(), pause: None, agent: None };
        thread::Builder::new().name("alerts".into()).spawn(move || round.run(&waiting))?;
        Ok(Courier { orders, board })
    }

    /// Hands an alert over, or counts it.
    pub(super) fn carry(&self, alert: &Arc<Alert>) {
        self.give(Order::Carry(Arc::clone(alert)));
    }

    /// Has later alerts go elsewhere.
    pub(super) fn turn(&self, targets: Targets) {
        self.give(Order::Turn(targets));
    }

    fn give(&self, order: Order) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.orders.try_send(order) {
            self.board.undelivered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn agent() -> ureq::Agent {
    let tls = TlsConfig::builder().root_certs(authorities()).build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .user_agent(concat!("kakehashi/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// Those that this host trusts, a company's own among them; where it names none, those that came with the program.
fn authorities() -> RootCerts {
    let found = rustls_native_certs::load_native_certs();
    for fault in &found.errors {
        tracing::warn!("certificate authorities of this host: {fault}");
    }
    let certificates: Vec<_> =
        found.certs.iter().map(|octets| Certificate::from_der(octets).to_owned()).collect();
    if certificates.is_empty() { RootCerts::WebPki } else { RootCerts::new_with_certs(&certificates) }
}

/// The thread's own.
struct Round {
    targets: Targets,
    board: Arc<Board>,
    /// What the webhook has not taken, and how often each was tried.
    letters: VecDeque<(Arc<Alert>, u32)>,
    /// After a failure: until the next try.
    pause: Option<Duration>,
    /// Made when it is needed first, and anew after a reload.
    agent: Option<ureq::Agent>,
}

impl Round {
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let order = match self.pause {
                Some(pause) => orders.recv_timeout(pause),
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(Order::Carry(alert)) => self.take(alert),
                Ok(Order::Turn(targets)) => (self.targets, self.agent) = (targets, None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.deliver();
        }
    }

    fn take(&mut self, alert: Arc<Alert>) {
        if let Some(path) = &self.targets.file
            && let Err(fault) = append(path, &alert)
        {
            tracing::warn!("{}: an alert could not be written: {fault}", path.display());
            self.board.undelivered.fetch_add(1, Ordering::Relaxed);
        }
        if self.targets.webhook.is_some() {
            if self.letters.len() == WAITING {
                self.letters.pop_front();
                self.board.undelivered.fetch_add(1, Ordering::Relaxed);
            }
            self.letters.push_back((alert, 0));
        }
    }

    /// Posts what waits, oldest first, until one fails.
    fn deliver(&mut self) {
        let Some(url) = self.targets.webhook.clone() else {
            self.letters.clear();
            self.pause = None;
            return;
        };
        while let Some((alert, tries)) = self.letters.front_mut() {
            let agent = self.agent.get_or_insert_with(agent);
            let sent = agent.post(&url).header("Content-Type", "application/json").send(alert.line());
            let Err(fault) = sent else {
                self.letters.pop_front();
                self.pause = None;
                continue;
            };
            *tries += 1;
            // What the receiver calls wrong will be wrong again (RFC 9110 section 15.5), but for "later" and "too many".
            let refused = matches!(fault, ureq::Error::StatusCode(400..=499))
                && !matches!(fault, ureq::Error::StatusCode(408 | 425 | 429));
            if refused || *tries >= TRIES {
                tracing::warn!("the webhook does not take an alert, which is given up: {fault}");
                self.letters.pop_front();
                self.board.undelivered.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            if self.pause.is_none() {
                tracing::warn!("the webhook does not take an alert, which is tried again later: {fault}");
            }
            self.pause = Some(self.pause.map_or(PAUSE.0, |pause| (pause * 2).min(PAUSE.1)));
            return;
        }
        self.pause = None;
    }
}

/// Opened for each line: alerts are rare, and so the file may be rotated at any time.
fn append(path: &PathBuf, alert: &Alert) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).mode(0o640).open(path)?;
    file.write_all(format!("{}\n", alert.line()).as_bytes())
}
