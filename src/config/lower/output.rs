//! `[query-log]`, `[[dnstap]]`, `[log]`: what is written beside answers.

use std::net::SocketAddr;
use std::time::Duration;

use super::path_of;
use super::value::{Faults, Limits};
use crate::config::diagnostic::Diagnostic;
use crate::config::model::{Network, Route};
use crate::config::output::{
    Dnstap, LEVELS, LogFilter, LogFormat, LogTarget, OperatorLog, QueryLog, Rotate, TapMessage, TapTarget,
    wrong_level,
};
use crate::config::place::Placed;
use crate::config::spec::{DnstapSpec, LogSpec, QueryLogSpec, SampleSpec};
use crate::config::suggest::{list_of, nearest};
use crate::config::table::{Single, Texts, Written};
use crate::wire::rcode;

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(366 * 86_400);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;
/// One of a million is less than a quiet network asks in a day.
const SAMPLE_MOST: u32 = 1_000_000;
const MESSAGES: [(&str, TapMessage); 4] = [
    ("client-query", TapMessage::ClientQuery),
    ("client-response", TapMessage::ClientResponse),
    ("forwarder-query", TapMessage::ForwarderQuery),
    ("forwarder-response", TapMessage::ForwarderResponse),
];

/// What filters may name.
pub(super) struct Known<'c> {
    pub(super) networks: &'c [Network],
    pub(super) routes: &'c [Route],
}

/// `[query-log]`
pub(super) fn query_log(
    given: Option<Placed<Single<QueryLogSpec>>>,
    known: &Known<'_>,
    faults: &mut Faults<'_>,
) -> QueryLog {
    let rotate = Rotate { size: None, every: None, keep: 30 };
    let mut log = QueryLog { to: LogTarget::Off, rotate, queue: 8 * MIB, filter: LogFilter::default() };
    let Some(Placed { value: Single(spec), .. }) = given else {
        return log;
    };
    let QueryLogSpec { to, rotate_size, rotate_every, keep, queue, networks, routes, rcodes, sample, always } =
        spec;
    log.to = to.map_or(LogTarget::Off, |to| log_target(&to, faults));

    let rotation = rotate_size.as_ref().or(rotate_every.as_ref()).map(|given| given.place.clone());
    if let (Some(place), LogTarget::Off | LogTarget::Stdout) = (rotation, &log.to) {
        faults.push(
            Diagnostic::warning(&place, "nothing is rotated: the query log does not go to a file")
                .with_hint("set to = \"/var/log/kakehashi/query.log\", or take this line away"),
        );
    }
    log.rotate = rotate_of(rotate_size, rotate_every, keep, faults);
    if let Some(octets) = faults.size(queue, &Limits::of("queue", 64 * KIB, 1_024 * MIB)) {
        log.queue = octets;
    }
    log.filter = filter(FilterSpec { networks, routes, rcodes, sample, always }, known, faults);
    log
}

fn log_target(to: &Placed<String>, faults: &mut Faults<'_>) -> LogTarget {
    match to.value.as_str() {
        "off" => return LogTarget::Off,
        "stdout" => return LogTarget::Stdout,
        _ => {}
    }
    let is_path = to.value.contains(['/', '.']);
    if !is_path {
        let hint = match nearest(&to.value, ["off", "stdout"]) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => {
                "it can be \"off\", \"stdout\", or a path such as \"/var/log/kakehashi/query.log\"".to_owned()
            }
        };
        let message = format!("the query log cannot go to \"{}\"", to.value);
        faults.push(Diagnostic::error(&to.place, message).with_hint(hint));
    }
    LogTarget::File(path_of(to))
}

fn rotate_of(
    size: Option<Placed<String>>,
    every: Option<Placed<String>>,
    keep: Option<Placed<u64>>,
    faults: &mut Faults<'_>,
) -> Rotate {
    Rotate {
        size: faults.size(size, &Limits::of("rotate-size", 64 * KIB, TIB)),
        every: faults.duration(every, &Limits::of("rotate-every", SECOND, YEAR)),
        keep: faults.count(keep, &Limits::of("keep", 1, 100_000)).map_or(30, |files| files as usize),
    }
}

/// All `[[dnstap]]`.
pub(super) fn dnstap(
    specs: Vec<Written<DnstapSpec>>,
    known: &Known<'_>,
    faults: &mut Faults<'_>,
) -> Vec<Dnstap> {
    let mut outputs: Vec<Dnstap> = Vec::with_capacity(specs.len());
    for Written { spec, place, legible: _ } in specs {
        let DnstapSpec {
            to,
            messages,
            rotate_size,
            rotate_every,
            keep,
            queue,
            networks,
            routes,
            rcodes,
            sample,
            always,
        } = spec;
        let place = to.as_ref().map_or(place, |to| to.place.clone());
        let target = to.and_then(|to| tap_target(&to, faults));
        let output = Dnstap {
            messages: messages_of(messages, faults),
            filter: filter(FilterSpec { networks, routes, rcodes, sample, always }, known, faults),
            rotate: rotate_of(rotate_size, rotate_every, keep, faults),
            queue: faults.size(queue, &Limits::of("queue", 256 * KIB, 1_024 * MIB)).unwrap_or(8 * MIB),
            to: match target {
                Some(target) => target,
                None => continue,
            },
        };
        if outputs.iter().any(|other| other.to == output.to) {
            let message = "two [[dnstap]] go to the same place: a reader could not tell them apart";
            faults.push(Diagnostic::error(&place, message).with_hint("join their `messages`"));
        }
        outputs.push(output);
    }
    outputs
}

fn tap_target(to: &Placed<String>, faults: &mut Faults<'_>) -> Option<TapTarget> {
    let Placed { value: text, place } = to;
    let rest = |text: &str| Placed { value: text.to_owned(), place: place.clone() };
    match text.split_once(':') {
        Some(("unix", path)) if !path.is_empty() => Some(TapTarget::Unix(path_of(&rest(path)))),
        Some(("file", path)) if !path.is_empty() => Some(TapTarget::File(path_of(&rest(path)))),
        Some(("tcp", address)) if address.parse::<SocketAddr>().is_ok() => {
            address.parse().ok().map(TapTarget::Tcp)
        }
        _ => {
            let message = format!("dnstap cannot go to \"{text}\"");
            let hint = "it can be \"unix:/run/dnstap.sock\", \"tcp:10.0.0.5:6000\" or \"file:/var/log/kakehashi/queries.dnstap\"";
            faults.push(Diagnostic::error(place, message).with_hint(hint));
            None
        }
    }
}

fn messages_of(given: Option<Placed<Texts>>, faults: &mut Faults<'_>) -> Vec<TapMessage> {
    let Some(given) = given else { return vec![TapMessage::ClientResponse] };
    faults.not_empty(&given, "messages", "[\"client-response\"]");
    given.value.iter().filter_map(|word| faults.word(word, "messages", &MESSAGES)).collect()
}

/// The keys by which a log is filtered.
struct FilterSpec {
    networks: Option<Placed<Texts>>,
    routes: Option<Placed<Texts>>,
    rcodes: Option<Placed<Texts>>,
    sample: Option<Placed<SampleSpec>>,
    always: Option<Placed<Texts>>,
}

fn filter(spec: FilterSpec, known: &Known<'_>, faults: &mut Faults<'_>) -> LogFilter {
    let FilterSpec { networks, routes, rcodes, sample, always } = spec;
    let names = known.networks.iter().flat_map(|network| network.groups.iter().chain([&network.name]));
    let labels = known.routes.iter().map(|route| &route.label);
    let every = sample.as_ref().map_or(1, |sample| every(sample, faults));
    if let (1, Some(always)) = (every, &always) {
        faults.push(
            Diagnostic::warning(&always.place, "`always` changes nothing: all is logged")
                .with_hint("it says what `sample` leaves alone: set sample = \"1/100\""),
        );
    }
    LogFilter {
        networks: listed(networks, ("networks", "network or group"), &names, faults),
        routes: listed(routes, ("routes", "zone or rule"), &labels, faults),
        rcodes: codes(rcodes, "rcodes", faults),
        sample: every,
        always: codes(always, "always", faults),
    }
}

fn listed<'c>(
    given: Option<Placed<Texts>>,
    (key, what): (&str, &str),
    known: &(impl Iterator<Item = &'c String> + Clone),
    faults: &mut Faults<'_>,
) -> Vec<String> {
    let Some(given) = given else { return Vec::new() };
    faults.not_empty(&given, key, "[…], or take it away to log all");
    for name in &given.value {
        if known.clone().any(|known| *known == name.value) {
            continue;
        }
        let fault = Diagnostic::error(&name.place, format!("there is no {what} `{}`", name.value));
        faults.push(match nearest(&name.value, known.clone().map(String::as_str)) {
            Some(meant) => fault.with_hint(format!("did you mean \"{meant}\"?")),
            None => fault,
        });
    }
    given.value.into_iter().map(|name| name.value).collect()
}

fn codes(given: Option<Placed<Texts>>, key: &str, faults: &mut Faults<'_>) -> Vec<u16> {
    let Some(given) = given else { return Vec::new() };
    faults.not_empty(&given, key, "[\"SERVFAIL\"]");
    let known = || (0..24).filter(|code| rcode::text(*code) != "OTHER");
    let code = |word: &Placed<String>| {
        let found = known().find(|code| rcode::text(*code).eq_ignore_ascii_case(&word.value));
        if found.is_none() {
            let hint = format!("RCODEs are {}", list_of(known().map(rcode::text)));
            let message = format!("\"{}\" is not an RCODE", word.value);
            faults.push(Diagnostic::error(&word.place, message).with_hint(hint));
        }
        found
    };
    given.value.iter().filter_map(code).collect()
}

/// Of how many one is logged: of a whole number, so that what is counted can be multiplied.
fn every(sample: &Placed<SampleSpec>, faults: &mut Faults<'_>) -> u32 {
    let found = match &sample.value {
        SampleSpec::Fraction(fraction) => {
            let every = (1.0 / fraction).round();
            let is_whole = *fraction > 0.0 && (every * fraction - 1.0).abs() < 1e-6;
            (is_whole && every <= f64::from(SAMPLE_MOST)).then_some(every as u32)
        }
        SampleSpec::Ratio(text) => text.strip_prefix("1/").and_then(|every| every.parse().ok()),
    };
    match found {
        Some(every) if (1..=SAMPLE_MOST).contains(&every) => every,
        _ => {
            faults.push(
                Diagnostic::error(&sample.place, "`sample` is not one of a whole number")
                    .with_hint("write sample = \"1/100\", or sample = 0.01; 1 of 1 to 1 of 1000000"),
            );
            1
        }
    }
}

/// `[log]`
pub(super) fn log(given: Option<Placed<Single<LogSpec>>>, faults: &mut Faults<'_>) -> OperatorLog {
    const FORMATS: [(&str, LogFormat); 3] =
        [("text", LogFormat::Text), ("json", LogFormat::Json), ("journald", LogFormat::Journald)];
    let mut log = OperatorLog::default();
    let Some(Placed { value: Single(LogSpec { format, level }), .. }) = given else {
        return log;
    };
    if let Some(format) = format.and_then(|format| faults.word(&format, "format", &FORMATS)) {
        log.format = format;
    }
    if let Some(Placed { value, place }) = level {
        if let Some(word) = wrong_level(&value) {
            let hint = nearest(word, LEVELS).map_or_else(
                || format!("levels are {}", list_of(LEVELS)),
                |meant| format!("did you mean \"{meant}\"?"),
            );
            faults.push(Diagnostic::error(&place, format!("\"{word}\" is not a level")).with_hint(hint));
        }
        log.level = value;
    }
    log
}
