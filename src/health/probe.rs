//! Asks a server a real question again and again, and at once when a client's query failed.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{Health, Reason, Signal, State};
use crate::exchange::{Ask, Dialect, Exchange, ExchangeError, Query, Try, Way, clock};
use crate::query::Now;
use crate::wire::{Name, RType, rcode};

/// The least time between two probes, however many queries fail.
const LEAST_PAUSE: Duration = Duration::from_millis(200);

/// What to ask, and how often.
#[derive(Debug, Clone)]
pub struct Probe {
    /// QNAME.
    pub qname: Name,
    /// QTYPE.
    pub qtype: RType,
    /// From one probe to the next; ± 10 %, so that many probers do not beat as one.
    pub interval: Duration,
    /// How long a probe may take.
    pub timeout: Duration,
    /// The address to ask from: the same that queries leave from, as firewalls look at it.
    pub source: Option<IpAddr>,
}

/// Probes one server for as long as it is polled.
pub struct Prober {
    health: Arc<Health>,
    probe: Probe,
    query: Query,
    exchange: Exchange,
}

impl Prober {
    /// Begins to probe when it is run.
    pub fn new(health: Arc<Health>, probe: Probe) -> Prober {
        let ask = Ask::new(probe.qname.clone(), probe.qtype);
        // Without EDNS, so that an old server is judged by what it says and not by what it does not know.
        let query = Query::new(&ask, Dialect::Plain);
        Prober { health, probe, query, exchange: Exchange::new() }
    }

    /// Probes until it is dropped.
    pub async fn run(self, clock: impl Fn() -> Now) {
        loop {
            match self.ask().await {
                Ok(rtt) => {
                    self.health.measure(rtt);
                    self.health.note(Signal::ProbePassed, clock());
                }
                Err(Ill::Server(reason)) => self.health.note(Signal::ProbeFailed(reason), clock()),
                Err(Ill::Ourselves(error)) => {
                    let (upstream, server) = (&self.health.upstream, self.health.server);
                    tracing::warn!(%upstream, %server, %error, "cannot probe");
                }
            }
            sleep(LEAST_PAUSE).await;
            let more = pause(self.health.state(), self.probe.interval, fastrand::f64());
            // Either way it is time: the pause is over, or a query failed.
            _ = timeout(more.saturating_sub(LEAST_PAUSE), self.health.suspected()).await;
        }
    }

    async fn ask(&self) -> Result<Duration, Ill> {
        let deadline = clock::after(self.probe.timeout);
        let way = Way { server: self.health.server, source: self.probe.source, deadline };
        let attempt = Try { way, query: &self.query, ignored: &AtomicU64::new(0) };
        let reply = self.exchange.udp(&attempt).await.map_err(|error| match error {
            ExchangeError::Timeout => Ill::Server(Reason::Timeout),
            ExchangeError::Unreachable(_) => Ill::Server(Reason::Unreachable),
            ExchangeError::Flooded
            | ExchangeError::Case
            | ExchangeError::NoCookie
            | ExchangeError::Garbage(_) => Ill::Server(Reason::Garbage),
            ExchangeError::Local(_) => Ill::Ourselves(error),
        })?;
        judge(reply.message.rcode).map(|()| reply.rtt).map_err(Ill::Server)
    }
}

enum Ill {
    Server(Reason),
    Ourselves(ExchangeError),
}

/// A server is well if it can say of the name that it is, or is not.
fn judge(code: u16) -> Result<(), Reason> {
    match code {
        rcode::NOERROR | rcode::NXDOMAIN => Ok(()),
        code => Err(Reason::Rcode(code)),
    }
}

/// From one probe to the next. A suspect is asked again soon: to be cleared, or to be out of everyone's way.
fn pause(state: State, interval: Duration, chance: f64) -> Duration {
    match state {
        State::Suspect => LEAST_PAUSE.min(interval),
        State::Up | State::Down => interval.mul_f64(0.9 + 0.2 * chance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_varies_by_a_tenth_and_a_suspect_is_asked_at_once() {
        let five = Duration::from_secs(5);
        assert_eq!(pause(State::Up, five, 0.0), Duration::from_millis(4500));
        assert_eq!(pause(State::Down, five, 0.5), five);
        assert_eq!(pause(State::Suspect, five, 0.9), LEAST_PAUSE);
    }

    #[test]
    fn an_rcode_that_speaks_of_the_name_is_well_and_one_that_speaks_of_the_server_is_not() {
        assert_eq!(judge(rcode::NOERROR), Ok(()));
        assert_eq!(judge(rcode::NXDOMAIN), Ok(()));
        for code in [rcode::SERVFAIL, rcode::REFUSED, rcode::NOTIMP, rcode::FORMERR] {
            assert_eq!(judge(code), Err(Reason::Rcode(code)));
        }
    }
}
