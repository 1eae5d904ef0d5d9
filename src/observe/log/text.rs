//! Bytes of a JSON line: numbers, strings, names, character strings. All output is printable ASCII or comes from `str`.
//!
//! DNS data is escaped twice: first to presentation form (RFC 1035 §5.1, `\DDD`), then as JSON. Whatever octets arrive,
//! the line stays one line, valid JSON and valid UTF-8.

use crate::wire::NameRef;

/// How an octet of a label or character string is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    /// Behind a backslash, as it means something in master files.
    Quoted,
    /// As three decimal digits.
    Digits,
}

const LABEL: [Form; 256] = forms(b".\\\"();@$");
const STRING: [Form; 256] = forms(b"\\\"");

const fn forms(quoted: &[u8]) -> [Form; 256] {
    let mut forms = [Form::Digits; 256];
    let mut octet = 0x21;
    while octet < 0x7F {
        forms[octet] = Form::Plain;
        octet += 1;
    }
    let mut at = 0;
    while at < quoted.len() {
        forms[quoted[at] as usize] = Form::Quoted;
        at += 1;
    }
    forms
}

/// A number in decimal.
pub(super) fn number(out: &mut Vec<u8>, value: impl Into<u64>) {
    let mut value = value.into();
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// A number in exactly `width` digits, its upper ones lost.
pub(super) fn padded(out: &mut Vec<u8>, mut value: u32, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// A name in presentation form with its final dot, inside a JSON string.
pub(super) fn name(out: &mut Vec<u8>, name: NameRef<'_>) {
    if name.is_root() {
        out.push(b'.');
    }
    for label in name.labels() {
        escape(out, label, &LABEL);
        out.push(b'.');
    }
}

/// A character string (RFC 1035 §3.3) in its quotes, inside a JSON string.
pub(super) fn character_string(out: &mut Vec<u8>, octets: &[u8]) {
    out.extend_from_slice(b"\\\"");
    for (nth, word) in octets.split(|octet| *octet == b' ').enumerate() {
        // A space needs no escape between quotes.
        if nth > 0 {
            out.push(b' ');
        }
        escape(out, word, &STRING);
    }
    out.extend_from_slice(b"\\\"");
}

fn escape(out: &mut Vec<u8>, octets: &[u8], forms: &[Form; 256]) {
    if octets.iter().all(|octet| forms[usize::from(*octet)] == Form::Plain) {
        out.extend_from_slice(octets);
        return;
    }
    for &octet in octets {
        match forms[usize::from(octet)] {
            Form::Plain => out.push(octet),
            Form::Quoted if octet == b'"' || octet == b'\\' => {
                out.extend_from_slice(&[b'\\', b'\\', b'\\', octet]);
            }
            Form::Quoted => out.extend_from_slice(&[b'\\', b'\\', octet]),
            Form::Digits => {
                out.extend_from_slice(b"\\\\");
                padded(out, u32::from(octet), 3);
            }
        }
    }
}

/// Octets as hexadecimal digits.
pub(super) fn hex(out: &mut Vec<u8>, octets: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for octet in octets {
        out.push(DIGITS[usize::from(octet >> 4)]);
        out.push(DIGITS[usize::from(octet & 15)]);
    }
}

/// Printable ASCII inside a JSON string.
pub(super) fn ascii(out: &mut Vec<u8>, text: &str) {
    for &octet in text.as_bytes() {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(octet);
    }
}

/// Text of the configuration as a whole JSON string, quotes included.
pub(super) fn json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for &octet in text.as_bytes() {
        match octet {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', octet]),
            0..0x20 | 0x7F => {
                out.extend_from_slice(b"\\u00");
                hex(out, &[octet]);
            }
            _ => out.push(octet),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::Name;

    fn decoded(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = vec![b'"'];
        write(&mut out);
        out.push(b'"');
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn every_octet_of_a_name_is_escaped_as_its_presentation_form_is() {
        for octet in 0..=u8::MAX {
            let odd = NameRef::ROOT.child(&[b'a', octet, b'b']).unwrap();
            let text = decoded(|out| name(out, odd.as_ref()));
            assert_eq!(text, odd.to_string());
            assert_eq!(text.parse::<Name>().unwrap(), odd);
            assert!(text.bytes().all(|byte| (0x21..0x7F).contains(&byte)));
        }
        assert_eq!(decoded(|out| name(out, NameRef::ROOT)), ".");
    }

    #[test]
    fn every_octet_of_a_character_string_stays_on_the_line() {
        let octets: Vec<u8> = (0..=u8::MAX).collect();
        let text = decoded(|out| character_string(out, &octets));
        assert!(text.starts_with("\"\\000\\001") && text.ends_with("\\255\""));
        assert!(text.contains(" !\\\"#") && text.contains("[\\\\]"));
        assert!(text.bytes().all(|byte| (0x20..0x7F).contains(&byte)));
    }

    #[test]
    fn text_of_the_configuration_may_hold_anything() {
        let text = "a\"b\\c\n\u{7f}\u{0}架け橋";
        let mut out = Vec::new();
        json_string(&mut out, text);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        assert!(!out.contains(&b'\n'));
    }

    #[test]
    fn numbers_are_decimal() {
        let mut out = Vec::new();
        for value in [0, 7, 10, u64::MAX] {
            number(&mut out, value);
            out.push(b' ');
        }
        padded(&mut out, 42, 6);
        assert_eq!(out, b"0 7 10 18446744073709551615 000042");
    }
}
