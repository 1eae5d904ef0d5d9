//! Single values: durations, sizes, counts, names, addresses, each with its limits.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use crate::config::diagnostic::Diagnostic;
use crate::config::place::{Place, Placed};
use crate::config::suggest::nearest;
use crate::config::unit;

/// The port of DNS.
const DNS_PORT: u16 = 53;
/// Longest name of a network, group, upstream or route; they become labels of metrics.
const NAME_MAX: usize = 255;

/// The faults found so far, and the ways to read a value that may add one.
pub(super) struct Faults<'f>(&'f mut Vec<Diagnostic>);

/// What a value may be, from `least` to `most`.
pub(super) struct Limits<T> {
    pub(super) key: &'static str,
    pub(super) least: T,
    pub(super) most: T,
    /// Why, where that is not plain: the end of the hint.
    pub(super) because: &'static str,
}

impl<T> Limits<T> {
    pub(super) fn of(key: &'static str, least: T, most: T) -> Self {
        Self { key, least, most, because: "" }
    }

    pub(super) fn because(self, because: &'static str) -> Self {
        Self { because, ..self }
    }
}

/// What an address without a port means.
#[derive(Clone, Copy)]
pub(super) enum Port {
    /// Port 53.
    Dns,
    /// A fault.
    Wanted,
}

impl<'f> Faults<'f> {
    pub(super) fn new(faults: &'f mut Vec<Diagnostic>) -> Self {
        Self(faults)
    }

    pub(super) fn push(&mut self, fault: Diagnostic) {
        self.0.push(fault);
    }

    pub(super) fn duration(
        &mut self,
        given: Option<Placed<String>>,
        limits: &Limits<Duration>,
    ) -> Option<Duration> {
        let Placed { value: text, place } = given?;
        match unit::duration(&text) {
            Ok(duration) => self.within(duration, &place, limits, unit::show_duration),
            Err(why) => {
                let hint = match text.trim().parse::<u64>() {
                    Ok(number) => format!("write the unit: \"{number}s\", \"{number}ms\""),
                    Err(_) => "durations are written \"400ms\", \"30s\", \"5m\", \"1h\", \"1d\"".to_owned(),
                };
                self.push(
                    Diagnostic::error(&place, format!("\"{text}\" is not a duration: {why}")).with_hint(hint),
                );
                None
            }
        }
    }

    pub(super) fn size(&mut self, given: Option<Placed<String>>, limits: &Limits<u64>) -> Option<u64> {
        let Placed { value: text, place } = given?;
        match unit::size(&text) {
            Ok(size) => self.within(size, &place, limits, unit::show_size),
            Err(why) => {
                let hint = match text.trim().parse::<u64>() {
                    Ok(number) => format!("write the unit: \"{number}MiB\", \"{number}KiB\""),
                    Err(_) => "sizes are written \"64KiB\", \"512MiB\", \"2GiB\"".to_owned(),
                };
                self.push(
                    Diagnostic::error(&place, format!("\"{text}\" is not a size: {why}")).with_hint(hint),
                );
                None
            }
        }
    }

    /// A number; what is returned lies within the limits, so that narrowing it is safe.
    pub(super) fn count(&mut self, given: Option<Placed<u64>>, limits: &Limits<u64>) -> Option<u64> {
        let Placed { value, place } = given?;
        self.within(value, &place, limits, |value| value.to_string())
    }

    fn within<T: PartialOrd + Copy>(
        &mut self,
        value: T,
        place: &Place,
        limits: &Limits<T>,
        show: impl Fn(T) -> String,
    ) -> Option<T> {
        let Limits { key, least, most, because } = limits;
        if value >= *least && value <= *most {
            return Some(value);
        }
        let fault = Diagnostic::error(place, format!("`{key}` cannot be {}", show(value)));
        self.push(fault.with_hint(format!("it can be {} to {}{because}", show(*least), show(*most))));
        None
    }

    /// A name that will stand in logs and metrics.
    pub(super) fn name(&mut self, given: Placed<String>, key: &str) -> Placed<String> {
        let text = &given.value;
        let wrong = if text.is_empty() {
            Some("is empty")
        } else if text.len() > NAME_MAX {
            Some("is longer than 255 octets")
        } else if text.trim() != text {
            Some("begins or ends with a space")
        } else if text.chars().any(char::is_control) {
            Some("has a control character in it")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            self.push(Diagnostic::error(&given.place, format!("`{key}` {wrong}")));
        }
        given
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        given: &Placed<String>,
        key: &str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == given.value) {
            return Some(*meaning);
        }
        let meant = nearest(&given.value, words.iter().map(|(word, _)| *word));
        let all = || words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
        let hint = meant
            .map_or_else(|| format!("it can be {}", all()), |meant| format!("did you mean \"{meant}\"?"));
        let message = format!("`{key}` cannot be \"{}\"", given.value);
        self.push(Diagnostic::error(&given.place, message).with_hint(hint));
        None
    }

    /// An address with a port.
    pub(super) fn socket(&mut self, given: &Placed<String>, key: &str, port: Port) -> Option<SocketAddr> {
        let Placed { value: text, place } = given;
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(address);
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let message = match (bare.parse::<IpAddr>(), port) {
            (Ok(address), Port::Dns) => return Some(SocketAddr::new(address, DNS_PORT)),
            (Ok(address), Port::Wanted) => {
                let hint = format!("write {key} = \"{}\"", SocketAddr::new(address, 9153));
                let message = format!("`{key}` wants a port");
                self.push(Diagnostic::error(place, message).with_hint(hint));
                return None;
            }
            (Err(_), _) => format!("\"{text}\" is not an IP address"),
        };
        let host = text.rsplit_once(':').map_or(text.as_str(), |(host, _)| host);
        let looks_like_a_name = host.contains(|c: char| c.is_ascii_alphabetic()) && !host.contains(':');
        let hint = if looks_like_a_name {
            "names cannot be used here: the server that looks names up is this one".to_owned()
        } else {
            "addresses are written \"192.168.1.10\", \"192.168.1.10:5353\", \"[2001:db8::1]:53\"".to_owned()
        };
        self.push(Diagnostic::error(place, message).with_hint(hint));
        None
    }

    /// A network address without host bits.
    pub(super) fn block(&mut self, given: &Placed<String>) -> Option<IpNet> {
        let Placed { value: text, place } = given;
        let fault = match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
            (Ok(block), _) if block.trunc() == block => return self.not_mapped(block, place),
            (Ok(block), _) => {
                let message = format!("{block} has host bits set; the network would be {}", block.trunc());
                Diagnostic::error(place, message).with_hint(host_bits_hint(block))
            }
            (_, Ok(address)) => Diagnostic::error(place, format!("{address} is an address, not a network"))
                .with_hint(format!("for this address alone write \"{}\"", IpNet::from(address))),
            _ => Diagnostic::error(place, format!("\"{text}\" is not a network"))
                .with_hint("networks are written \"10.0.30.0/24\" or \"2001:db8::/32\""),
        };
        self.push(fault);
        None
    }

    /// IPv4 clients are known by their IPv4 addresses, on whichever socket they arrive.
    fn not_mapped(&mut self, block: IpNet, place: &Place) -> Option<IpNet> {
        let IpNet::V6(v6) = block else { return Some(block) };
        let Some(v4) = v6.network().to_ipv4_mapped().filter(|_| v6.prefix_len() >= 96) else {
            return Some(block);
        };
        let message = "an IPv4 network in its IPv6-mapped form holds no client";
        let hint = format!("write \"{v4}/{}\"", v6.prefix_len() - 96);
        self.push(Diagnostic::error(place, message).with_hint(hint));
        None
    }

    /// A list that must say something.
    pub(super) fn not_empty<T>(&mut self, list: &Placed<Vec<T>>, key: &str, example: &str) {
        if list.value.is_empty() {
            let message = format!("`{key}` is an empty list");
            self.push(Diagnostic::error(&list.place, message).with_hint(format!("write {key} = {example}")));
        }
    }
}

/// The network that was probably meant: `10.0.30.0/16` is the whole /16, or the /24 that begins there.
fn host_bits_hint(block: IpNet) -> String {
    let (host_zeros, bits, step) = match block.addr() {
        IpAddr::V4(address) => (u32::from(address).trailing_zeros(), 32, 8),
        IpAddr::V6(address) => (u128::from(address).trailing_zeros(), 128, 16),
    };
    let fitting = (bits - host_zeros).next_multiple_of(step);
    format!(
        "write \"{}\" for all of it, or \"{}/{fitting}\" for the part that begins there",
        block.trunc(),
        block.addr()
    )
}

/// What was seen before, and where.
pub(super) struct Seen<K>(HashMap<K, Place>);

impl<K: std::hash::Hash + Eq + Display> Seen<K> {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Remembers a key; a key that is there already is a fault that shows both places. Says whether it is new.
    pub(super) fn insert(
        &mut self,
        key: K,
        place: &Place,
        faults: &mut Faults<'_>,
        twice: impl Fn(&K) -> String,
    ) -> bool {
        if let Some(first) = self.0.get(&key) {
            faults.push(Diagnostic::error(place, twice(&key)).with_note(first, "the first one is here"));
            return false;
        }
        self.0.insert(key, place.clone());
        true
    }
}
