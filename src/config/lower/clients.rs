//! `[clients]`, and what a `[[network]]` says of the same: limits for whoever can forge addresses.

use std::time::Duration;

use super::value::{Faults, Limits};
use crate::config::diagnostic::Diagnostic;
use crate::config::model::{ClientLimit, Clients, Unknown};
use crate::config::place::Placed;
use crate::config::spec::{ClientsSpec, LimitSpec, LimitTableSpec};
use crate::config::table::Single;
use crate::config::unit;

/// Above this a rate is no limit any more.
const MOST_PER_SECOND: u32 = 100_000;

/// `[clients]`
pub(super) fn clients(given: Option<Placed<Single<ClientsSpec>>>, faults: &mut Faults<'_>) -> Clients {
    let mut clients = Clients {
        unknown: Unknown::Refuse,
        prefix_v4: 24,
        prefix_v6: 56,
        limit: ClientLimit {
            queries: Some(500),
            responses: Some(20),
            burst: Duration::from_secs(1),
            slip: 2,
        },
        cookie_secrets: None,
    };
    let Some(Placed { value: Single(spec), .. }) = given else { return clients };
    let ClientsSpec { unknown, prefix_v4, prefix_v6, queries, responses, burst, slip, cookie_secrets } = spec;
    if let Some(given) = unknown {
        let words = [("refuse", Unknown::Refuse), ("drop", Unknown::Drop)];
        clients.unknown = faults.word(&given, "unknown", &words).unwrap_or(clients.unknown);
    }
    let mut prefix = |given, key, least, most, default: u8| {
        let limits = Limits::of(key, least, most)
            .because(": shorter and strangers share a limit, longer and who forges addresses has many");
        faults.count(given, &limits).map_or(default, |bits| bits as u8)
    };
    clients.prefix_v4 = prefix(prefix_v4, "prefix-v4", 8, 32, clients.prefix_v4);
    clients.prefix_v6 = prefix(prefix_v6, "prefix-v6", 16, 128, clients.prefix_v6);
    let table = LimitTableSpec { queries, responses, burst, slip };
    clients.limit = limit_of(table, clients.limit, faults);
    clients.cookie_secrets = cookie_secrets.map(|given| (super::path_of(&given), given.place));
    clients
}

/// `limit` of a network: none, that of `[clients]`, or its own where it says so.
pub(super) fn network_limit(
    given: Option<Placed<LimitSpec>>,
    general: ClientLimit,
    faults: &mut Faults<'_>,
) -> Option<ClientLimit> {
    match given?.value {
        LimitSpec::Flag(false) => None,
        LimitSpec::Flag(true) => Some(general),
        LimitSpec::Own(table) => Some(limit_of(table, general, faults)),
    }
}

fn limit_of(spec: LimitTableSpec, general: ClientLimit, faults: &mut Faults<'_>) -> ClientLimit {
    let LimitTableSpec { queries, responses, burst, slip } = spec;
    let bursts = Limits::of("burst", Duration::from_millis(100), Duration::from_secs(60));
    ClientLimit {
        queries: rate(queries, general.queries, faults),
        responses: rate(responses, general.responses, faults),
        burst: faults.duration(burst, &bursts).unwrap_or(general.burst),
        slip: faults.count(slip, &Limits::of("slip", 0, 10)).map_or(general.slip, |slip| slip as u32),
    }
}

/// `"500/s"` or `"off"`.
pub(super) fn rate(
    given: Option<Placed<String>>,
    general: Option<u32>,
    faults: &mut Faults<'_>,
) -> Option<u32> {
    let Some(Placed { value: text, place }) = given else { return general };
    if text == "off" {
        return None;
    }
    let fault = match unit::rate(&text) {
        Ok(rate) if (1..=MOST_PER_SECOND).contains(&rate) => return Some(rate),
        Ok(rate) => Diagnostic::error(&place, format!("a rate cannot be {rate}/s"))
            .with_hint(format!("it can be 1/s to {MOST_PER_SECOND}/s, or \"off\"")),
        Err(why) => Diagnostic::error(&place, format!("\"{text}\" is not a rate: {why}"))
            .with_hint("rates are written \"500/s\"; no limit is \"off\""),
    };
    faults.push(fault);
    general
}
