//! Domain names as the operator writes them: checked, lower-cased, absolute; and `reverse-of`, which turns address
//! blocks into the names of their reverse zones.

use ipnet::IpNet;

/// Longest label (RFC 1035 §2.3.4), in octets.
const LABEL_MAX: usize = 63;
/// Longest name on the wire, in octets, length octets and root label included (RFC 1035 §2.3.4).
const NAME_MAX: usize = 255;

/// A faulty name: what is wrong, and what would be right if that can be said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DomainFault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Reads a domain name in presentation form (RFC 1035 §5.1, with `\X` and `\DDD`), with or without the last dot.
/// The result is lower-cased, ends in a dot, and is the only way this name is written.
pub(super) fn parse(text: &str) -> Result<String, DomainFault> {
    if text == "." {
        return Ok(text.to_owned());
    }
    if is_plain(text) {
        return Ok(text.trim_end_matches('.').to_ascii_lowercase() + ".");
    }
    if let Some(fault) = usual_slip(text) {
        return Err(fault);
    }

    let labels = split_labels(text)?;
    for label in &labels {
        if label.len() > LABEL_MAX {
            let message = format!("a label of {} octets; a label has at most {LABEL_MAX}", label.len());
            return Err(DomainFault { message, hint: None });
        }
    }
    let length = labels.iter().map(|label| label.len() + 1).sum::<usize>() + 1;
    if length > NAME_MAX {
        let message = format!("a name of {length} octets; a name has at most {NAME_MAX}");
        return Err(DomainFault { message, hint: None });
    }
    Ok(labels.iter().map(|label| show_label(label)).collect())
}

/// Whether nothing has to be thought about: a name of letters, digits, `-` and `_`, as nearly all of 100,000 are.
fn is_plain(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    let mut labels = text.as_bytes().split(|octet| *octet == b'.');
    text.len() < NAME_MAX - 1
        && labels.all(|label| (1..=LABEL_MAX).contains(&label.len()) && label.iter().all(|o| is_plain(*o)))
}

/// What people write where a domain name is wanted.
fn usual_slip(text: &str) -> Option<DomainFault> {
    let fault = |message: &str, hint: &str| {
        Some(DomainFault { message: message.to_owned(), hint: Some(hint.to_owned()) })
    };
    if text.is_empty() {
        return fault("an empty domain name", "the root is written \".\"");
    }
    if let Some(domain) = text.strip_prefix("*.") {
        return fault(
            "a route needs no wildcard: it holds for its domain and every name below it",
            &format!("write \"{domain}\""),
        );
    }
    if text.parse::<IpNet>().is_ok() {
        return fault("this is a network, not a domain name", &format!("write reverse-of = \"{text}\""));
    }
    if let Some((_, host)) = text.split_once("://") {
        let host = host.split(['/', ':']).next().unwrap_or_default();
        return fault("this is a URL, not a domain name", &format!("write \"{host}\""));
    }
    if let Some(domain) = text.strip_prefix('.') {
        return fault("a domain name does not begin with a dot", &format!("write \"{domain}\""));
    }
    if !text.is_ascii() {
        return fault(
            "a domain name has ASCII letters only",
            "write an internationalised name in its A-label form, \"xn--…\" (RFC 5890)",
        );
    }
    None
}

fn split_labels(text: &str) -> Result<Vec<Vec<u8>>, DomainFault> {
    let fault = |message: &str| Err(DomainFault { message: message.to_owned(), hint: None });
    let mut labels = Vec::new();
    let mut label = Vec::new();
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'.' if label.is_empty() => return fault("two dots in a row"),
            b'.' => labels.push(std::mem::take(&mut label)),
            b'\\' => match unescape(&mut octets) {
                Some(octet) => label.push(octet.to_ascii_lowercase()),
                None => return fault("`\\` wants a character or three digits up to 255 after it"),
            },
            0x21..=0x7e => label.push(octet.to_ascii_lowercase()),
            _ => return fault("a space or control character in a domain name"),
        }
    }
    if !label.is_empty() {
        labels.push(label);
    }
    Ok(labels)
}

/// What stands after a backslash: `\X` is X itself, `\DDD` is the octet with that decimal number.
fn unescape(octets: &mut std::str::Bytes<'_>) -> Option<u8> {
    let first = octets.next()?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    let (second, third) = (octets.next()?, octets.next()?);
    let digits = [first, second, third];
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

fn show_label(label: &[u8]) -> String {
    let mut shown = String::with_capacity(label.len() + 1);
    for &octet in label {
        match octet {
            b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => shown.extend(['\\', char::from(octet)]),
            0x21..=0x7e => shown.push(char::from(octet)),
            _ => shown.extend(format!("\\{octet:03}").chars()),
        }
    }
    shown.push('.');
    shown
}

/// The domain above one that [`parse`] made; the root has none.
pub(super) fn parent(domain: &str) -> Option<&str> {
    if domain == "." {
        return None;
    }
    let octets = domain.as_bytes();
    let mut at = 0;
    while at < octets.len() && octets[at] != b'.' {
        // What a backslash escapes is no dot, and the digits of `\DDD` are none either.
        at += if octets[at] == b'\\' { 2 } else { 1 };
    }
    match domain.get(at + 1..) {
        Some("") | None => Some("."),
        above => above,
    }
}

/// The names under which the addresses of a block are found (RFC 1035 §3.5, RFC 3596 §2.5).
///
/// A block that does not end at a label boundary needs several: 172.16.0.0/12 is 16 to 31.172.in-addr.arpa. At
/// most 128 for IPv4, at most 8 for IPv6.
pub(super) fn reverse_of(block: IpNet) -> Vec<String> {
    let (octets, bits_per_label, root) = match block {
        IpNet::V4(block) => (block.network().octets().to_vec(), 8, "in-addr.arpa."),
        IpNet::V6(block) => (block.network().octets().to_vec(), 4, "ip6.arpa."),
    };
    let labels = usize::from(block.prefix_len()).div_ceil(bits_per_label);
    let free_bits = labels * bits_per_label - usize::from(block.prefix_len());
    let label = |index: usize| match bits_per_label {
        8 => octets[index],
        _ => octets[index / 2] >> (4 * (1 - index % 2)) & 0x0f,
    };
    let show = |value: u8| match bits_per_label {
        8 => value.to_string(),
        _ => format!("{value:x}"),
    };

    let Some(last) = labels.checked_sub(1) else {
        return vec![root.to_owned()];
    };
    let parents: String = (0..last).rev().map(|index| show(label(index)) + ".").collect();
    (0..1_u16 << free_bits)
        .map(|step| format!("{}.{parents}{root}", show(label(last) + u8::try_from(step).unwrap_or(u8::MAX))))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn message(text: &str) -> String {
        parse(text).unwrap_err().message
    }

    fn reverse(block: &str) -> Vec<String> {
        reverse_of(block.parse().unwrap())
    }

    #[test]
    fn a_name_is_lower_cased_and_made_absolute() {
        assert_eq!(parse("TechNova.Local").unwrap(), "technova.local.");
        assert_eq!(parse("technova.local.").unwrap(), "technova.local.");
        assert_eq!(parse("0/25.2.0.192.in-addr.arpa").unwrap(), "0/25.2.0.192.in-addr.arpa.");
        assert_eq!(parse("_msdcs.technova.local").unwrap(), "_msdcs.technova.local.");
        assert_eq!(parse(".").unwrap(), ".");
    }

    #[test]
    fn an_escaped_name_has_one_spelling() {
        assert_eq!(parse(r"a\.b.example").unwrap(), r"a\.b.example.");
        assert_eq!(parse(r"a\046b.example").unwrap(), r"a\.b.example.");
        assert_eq!(parse(r"\065\b.example").unwrap(), "ab.example.");
        assert_eq!(parse(r"\000.example").unwrap(), r"\000.example.");
    }

    #[test]
    fn a_faulty_name_is_told_apart() {
        assert_eq!(message("a..b"), "two dots in a row");
        assert_eq!(message(r"a\25"), "`\\` wants a character or three digits up to 255 after it");
        assert_eq!(message(r"a\256"), "`\\` wants a character or three digits up to 255 after it");
        assert_eq!(message("a b"), "a space or control character in a domain name");
        assert_eq!(message(&"a".repeat(64)), "a label of 64 octets; a label has at most 63");
        assert!(parse(&"a".repeat(63)).is_ok());
        assert_eq!(parse("*.example.com").unwrap_err().hint.unwrap(), "write \"example.com\"");
        assert_eq!(parse("10.0.0.0/8").unwrap_err().hint.unwrap(), "write reverse-of = \"10.0.0.0/8\"");
        assert_eq!(parse("https://a.example/x").unwrap_err().hint.unwrap(), "write \"a.example\"");
    }

    #[test]
    fn a_name_of_255_octets_is_the_longest() {
        let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        assert!(parse(&longest).is_ok());
        assert_eq!(message(&format!("{longest}b")), "a name of 256 octets; a name has at most 255");
    }

    #[test]
    fn the_parent_of_a_name_lacks_its_first_label() {
        assert_eq!(parent("a.b.example."), Some("b.example."));
        assert_eq!(parent(r"a\.b.example."), Some("example."));
        assert_eq!(parent("example."), Some("."));
        assert_eq!(parent("."), None);
    }

    #[test]
    fn reverse_names_follow_octets_and_nibbles() {
        assert_eq!(reverse("10.0.30.0/24"), ["30.0.10.in-addr.arpa."]);
        assert_eq!(reverse("192.168.0.0/16"), ["168.192.in-addr.arpa."]);
        assert_eq!(reverse("10.0.0.0/8"), ["10.in-addr.arpa."]);
        assert_eq!(reverse("0.0.0.0/0"), ["in-addr.arpa."]);
        assert_eq!(reverse("10.0.30.7/32"), ["7.30.0.10.in-addr.arpa."]);
        assert_eq!(reverse("2001:db8::/32"), ["8.b.d.0.1.0.0.2.ip6.arpa."]);
        assert_eq!(reverse("::/0"), ["ip6.arpa."]);
    }

    #[test]
    fn a_block_between_boundaries_takes_several_names() {
        let names = reverse("172.16.0.0/12");
        assert_eq!(names.len(), 16);
        assert_eq!((names[0].as_str(), names[15].as_str()), ("16.172.in-addr.arpa.", "31.172.in-addr.arpa."));
        assert_eq!(reverse("10.0.30.128/25").len(), 128);
        assert_eq!(reverse("10.0.30.128/25")[127], "255.30.0.10.in-addr.arpa.");
        assert_eq!(reverse("128.0.0.0/1")[127], "255.in-addr.arpa.");
        assert_eq!(reverse("2001:db8::/30").len(), 4);
        assert_eq!(reverse("2001:db8::/30")[3], "b.b.d.0.1.0.0.2.ip6.arpa.");
    }
}
