//! Groups of stand-ins, and one worker that asks them.

use std::net::SocketAddr;
use std::time::Duration;

use kakehashi::exchange::Exchange;
use kakehashi::health::{Reason, Signal, State};
use kakehashi::query::{Now, Response};
use kakehashi::upstream::{Answered, Ask, Balance, Check, Cookies, Failed, Group, Spec};
use kakehashi::wire::RType;

/// Longer than anything takes that is not silence.
const LONG: Duration = Duration::from_secs(20);

pub fn spec(primaries: &[SocketAddr]) -> Spec {
    Spec {
        name: "onprem-dc".into(),
        primaries: primaries.to_vec(),
        backups: vec![],
        balance: Balance::Ordered,
        source_v4: None,
        source_v6: None,
        try_timeout: LONG,
        deadline: LONG,
        max_in_flight: 4_000,
        rate: None,
        cookies: Cookies::On,
        check: Check::Query {
            qname: "technova.local".parse().unwrap(),
            qtype: RType::SOA,
            interval: Duration::from_millis(10),
            fall: 3,
            rise: 2,
        },
    }
}

pub fn group(primaries: &[SocketAddr]) -> Group {
    Group::new(spec(primaries), None)
}

/// A group that takes silence for silence soon.
pub fn hasty(primaries: &[SocketAddr]) -> Group {
    Group::new(Spec { try_timeout: Duration::from_millis(300), ..spec(primaries) }, None)
}

pub fn question() -> Ask {
    Ask::new("user.technova.local".parse().unwrap(), RType::A).within("technova.local".parse().unwrap())
}

pub fn at(seconds: u64) -> Now {
    Now { monotonic: Duration::from_secs(seconds), unix_micros: seconds * 1_000_000 }
}

/// Runs as a worker does: one thread, one runtime.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

pub fn ask(group: &Group) -> Result<Answered, Failed> {
    ask_for(group, &question())
}

pub fn ask_for(group: &Group, ask: &Ask) -> Result<Answered, Failed> {
    run(group.ask(ask, &Exchange::new(), at(1)))
}

/// The last octet of the one address in a response: who answered.
pub fn who(response: &Response) -> u8 {
    let addresses: Vec<_> = response.answer.iter().collect();
    assert_eq!(addresses.len(), 1, "{response:?}");
    addresses[0].rdata[3]
}

pub fn make(group: &Group, server: usize, state: State) {
    let health = group.servers()[server].health();
    while health.state() != state {
        let signal = match state {
            State::Up => Signal::ProbePassed,
            State::Suspect if health.state() == State::Down => Signal::ProbePassed,
            State::Suspect | State::Down => Signal::ProbeFailed(Reason::Timeout),
        };
        health.note(signal, at(0));
    }
}
