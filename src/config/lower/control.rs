//! `[control]` and `[apply]`.

use std::time::Duration;

use super::path_of;
use super::value::{Faults, Limits};
use crate::config::control::{Apply, Control, ControlSocket};
use crate::config::diagnostic::Diagnostic;
use crate::config::place::Placed;
use crate::config::spec::{ApplySpec, ControlSpec};
use crate::config::table::Single;
use crate::config::unit;

/// A socket's path ends with a zero within these octets (unix(7)).
const LONGEST_PATH: usize = 107;

/// `[control]`
pub(super) fn control(given: Option<Placed<Single<ControlSpec>>>, faults: &mut Faults<'_>) -> Control {
    let Some(Placed { value: Single(spec), .. }) = given else { return Control::default() };
    let ControlSpec { socket, group } = spec;
    let socket = match socket {
        None => ControlSocket::RuntimeDirectory,
        Some(given) if given.value == "off" => ControlSocket::Off,
        Some(given) => {
            let path = path_of(&given);
            if given.value.is_empty() || path.as_os_str().len() > LONGEST_PATH {
                let message = format!("\"{}\" cannot be a socket's path", given.value);
                faults.push(
                    Diagnostic::error(&given.place, message)
                        .with_hint(format!("it can be \"off\", or a path of 1 to {LONGEST_PATH} octets")),
                );
            }
            ControlSocket::At(path)
        }
    };
    Control { socket, group: group.map(|group| faults.name(group, "group").value) }
}

/// `[apply]`
pub(super) fn apply(given: Option<Placed<Single<ApplySpec>>>, faults: &mut Faults<'_>) -> Apply {
    let general = Apply::default();
    let Some(Placed { value: Single(spec), .. }) = given else { return general };
    let ApplySpec { servfail_rise, nxdomain_rise, min_queries, window } = spec;
    let window_limits = Limits::of("window", Duration::from_secs(1), Duration::from_secs(3_600));
    Apply {
        servfail_rise: share(servfail_rise, general.servfail_rise, faults),
        nxdomain_rise: share(nxdomain_rise, general.nxdomain_rise, faults),
        min_queries: faults
            .count(min_queries, &Limits::of("min-queries", 1, 1_000_000_000))
            .unwrap_or(general.min_queries),
        window: faults.duration(window, &window_limits).unwrap_or(general.window),
    }
}

/// `"5%"` or `"off"`.
fn share(given: Option<Placed<String>>, general: Option<f64>, faults: &mut Faults<'_>) -> Option<f64> {
    let Some(Placed { value: text, place }) = given else { return general };
    if text == "off" {
        return None;
    }
    match unit::share(&text) {
        Ok(share) => Some(share),
        Err(why) => {
            let fault = Diagnostic::error(&place, format!("\"{text}\" is not a share: {why}"));
            faults.push(fault.with_hint("shares are written \"5%\"; no limit is \"off\""));
            general
        }
    }
}
