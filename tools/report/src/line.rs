//! One line of the query log: Route 53 Resolver's schema, with our `kakehashi` object or without it.
//!
//! What may be missing or null is empty here. A line that is no JSON object, or without time, name or rcode, is bad.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::value::RawValue;

/// A line's fields, borrowed from it.
#[derive(serde::Deserialize)]
pub struct Line<'a> {
    #[serde(borrow)]
    query_timestamp: Text<'a>,
    #[serde(borrow)]
    pub query_name: Text<'a>,
    #[serde(borrow)]
    pub rcode: Text<'a>,
    #[serde(borrow, default)]
    pub account_id: Text<'a>,
    #[serde(borrow, default)]
    pub region: Text<'a>,
    #[serde(borrow, default)]
    pub vpc_id: Text<'a>,
    #[serde(borrow, default)]
    pub query_type: Text<'a>,
    #[serde(borrow, default)]
    pub query_class: Text<'a>,
    #[serde(borrow, default)]
    pub answers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub srcaddr: Text<'a>,
    #[serde(default)]
    pub srcport: Number,
    #[serde(borrow, default)]
    pub transport: Text<'a>,
    #[serde(borrow, default)]
    pub kakehashi: Decision<'a>,
}

/// The object `kakehashi` of a line.
#[derive(serde::Deserialize, Default)]
pub struct Decision<'a> {
    #[serde(borrow, default)]
    pub node: Text<'a>,
    #[serde(borrow, default)]
    pub network: Text<'a>,
    #[serde(borrow, default)]
    pub groups: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub view: Text<'a>,
    #[serde(borrow, default)]
    pub route: Text<'a>,
    #[serde(borrow, default)]
    pub source: Text<'a>,
    #[serde(borrow, default)]
    pub upstream: Text<'a>,
    #[serde(default)]
    pub dnssec_ok: Option<bool>,
    #[serde(default)]
    pub checking_disabled: Option<bool>,
    #[serde(default)]
    pub answer_size: Number,
    #[serde(default)]
    pub duration_us: Number,
    #[serde(default)]
    pub ede: Number,
    #[serde(default)]
    sample: Number,
    #[serde(borrow, default)]
    timestamp: Text<'a>,
}

impl<'a> Line<'a> {
    /// Reads a line.
    pub fn read(line: &'a [u8]) -> Result<Line<'a>, serde_json::Error> {
        serde_json::from_slice(line)
    }

    /// When the query arrived: to the microsecond where the line says it, else to the second.
    pub fn time(&self, clock: &mut Clock) -> Option<i64> {
        let exact = &self.kakehashi.timestamp.0;
        clock.micros(if exact.is_empty() { &self.query_timestamp.0 } else { exact })
    }

    /// How many queries the line stands for: the factor of the log's sampling.
    pub fn weight(&self) -> i64 {
        believable(self.kakehashi.sample.0.and_then(|factor| i64::try_from(factor).ok()).unwrap_or(1))
    }
}

/// A sampling factor as it may be counted with.
pub fn believable(factor: i64) -> i64 {
    factor.clamp(1, MOST_SAMPLED)
}

/// No sampling is coarser, and sums of it over any log stay far from overflow.
const MOST_SAMPLED: i64 = 1_000_000_000;

/// Text; null and numbers are taken too.
#[derive(Default)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or null")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }
        }
        from.deserialize_any(Seen)
    }
}

/// A number; text of digits and null are taken too, and what is no number is none.
#[derive(Default, Clone, Copy)]
pub struct Number(pub Option<u64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Seen;
        impl Visitor<'_> for Seen {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, digits or null")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(Some(number)))
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Number, E> {
                Ok(Number(None))
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Number, E> {
                Ok(Number(None))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                Ok(Number(text.parse().ok()))
            }
            fn visit_unit<E: Error>(self) -> Result<Number, E> {
                Ok(Number(None))
            }
        }
        from.deserialize_any(Seen)
    }
}

/// Text → microseconds since 1970. Remembers the last minute: neighbours in a log share it.
#[derive(Default)]
pub struct Clock {
    /// `YYYY-MM-DDTHH:MM:`
    minute: String,
    start: i64,
}

impl Clock {
    fn micros(&mut self, text: &str) -> Option<i64> {
        self.fast(text).or_else(|| Some(text.parse::<jiff::Timestamp>().ok()?.as_microsecond()))
    }

    /// `YYYY-MM-DDTHH:MM:SS[.f…]Z`, with at most six digits of fraction.
    fn fast(&mut self, text: &str) -> Option<i64> {
        const MINUTE: usize = "YYYY-MM-DDTHH:MM:".len();
        let (minute, rest) = text.split_at_checked(MINUTE)?;
        let (second, fraction) = rest.strip_suffix('Z')?.split_at_checked(2)?;
        let second = digits(second).filter(|second| *second < 60)?;
        let micros = match fraction.strip_prefix('.') {
            Some(digits_of) if digits_of.len() <= 6 => {
                digits(digits_of)? * 10_i64.pow(6 - digits_of.len() as u32)
            }
            None if fraction.is_empty() => 0,
            _ => return None,
        };
        if minute != self.minute {
            self.start = format!("{minute}00Z").parse::<jiff::Timestamp>().ok()?.as_microsecond();
            minute.clone_into(&mut self.minute);
        }
        Some(self.start + second * 1_000_000 + micros)
    }
}

fn digits(text: &str) -> Option<i64> {
    let all = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}
