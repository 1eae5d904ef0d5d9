//! `[detect]`: what counts as odd, and who is told.

use std::time::Duration;

use super::clients::rate;
use super::value::{Faults, Limits};
use crate::config::detect::Detect;
use crate::config::diagnostic::Diagnostic;
use crate::config::domain::{self, DomainFault};
use crate::config::place::Placed;
use crate::config::spec::DetectSpec;
use crate::config::table::Single;

/// `[detect]`
pub(super) fn detect(given: Option<Placed<Single<DetectSpec>>>, faults: &mut Faults<'_>) -> Detect {
    let mut detect = Detect::default();
    let Some(Placed { value: Single(spec), .. }) = given else { return detect };
    let DetectSpec {
        enabled,
        generated_names,
        tunnel_names,
        nxdomain,
        servfail,
        change,
        change_queries,
        beacon,
        cooldown,
        allow_domains,
        allow_clients,
        file,
        webhook,
    } = spec;
    detect.enabled = enabled.is_some_and(|given| given.value);
    let mut count = |given, key, least, most, field: &mut u32| {
        let off = matches!(given, Some(Placed { value: 0, .. }));
        let limits =
            Limits::of(key, least, most).because(": fewer are chance, more are never seen; 0 is off");
        if off {
            *field = 0;
        } else if let Some(value) = faults.count(given, &limits) {
            *field = value as u32;
        }
    };
    count(generated_names, "generated-names", 2, 1_000, &mut detect.dga);
    // The sketch tells up to about a thousand names apart, the threshold must lie well below its 256 bits.
    count(tunnel_names, "tunnel-names", 10, 200, &mut detect.tunnel);
    count(change, "change", 2, 1_000, &mut detect.change);
    count(beacon, "beacon", 10, 1_000, &mut detect.beacon);
    let mut limit = |given, field: &mut u32| *field = rate(given, Some(*field), faults).unwrap_or(0);
    limit(nxdomain, &mut detect.nxdomain);
    limit(servfail, &mut detect.servfail);
    limit(change_queries, &mut detect.change_queries);
    let cooldowns = Limits::of("cooldown", Duration::from_secs(60), Duration::from_secs(30 * 86_400));
    detect.cooldown = faults.duration(cooldown, &cooldowns).unwrap_or(detect.cooldown);
    for given in allow_domains.map(|given| given.value).unwrap_or_default() {
        match domain::parse(&given.value) {
            Ok(name) => detect.allow_domains.push(name),
            Err(DomainFault { message, hint }) => {
                faults.push(Diagnostic { hint, ..Diagnostic::error(&given.place, message) });
            }
        }
    }
    let clients = allow_clients.map(|given| given.value).unwrap_or_default();
    detect.allow_clients = clients.iter().filter_map(|given| faults.block(given)).collect();
    detect.file = file.map(|given| super::path_of(&given));
    detect.webhook = webhook.and_then(|given| address(&given, faults));
    detect
}

/// An address that alerts can be posted to.
fn address(given: &Placed<String>, faults: &mut Faults<'_>) -> Option<String> {
    let text = &given.value;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let whole = rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic())
    });
    if !whole {
        let message = format!("\"{text}\" is not an address that alerts can be posted to");
        let hint = "write webhook = \"https://alerts.example.com/dns\"";
        faults.push(Diagnostic::error(&given.place, message).with_hint(hint));
        return None;
    }
    let host = rest.and_then(|rest| rest.split(['/', ':']).next()).unwrap_or_default();
    if text.starts_with("http://") && !matches!(host, "127.0.0.1" | "localhost" | "[") {
        let message =
            "alerts are posted without encryption: names that clients ask for can be read on the way";
        faults.push(Diagnostic::warning(&given.place, message).with_hint("use https"));
    }
    Some(text.clone())
}
