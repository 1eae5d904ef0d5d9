//! The question of `/api/explain`: a query string → who asks, for what name, of what type.

use std::net::IpAddr;

use serde::Serialize;

use crate::wire::{Name, RType};

/// What is to be explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who asks.
    pub client: IpAddr,
    /// The name.
    pub name: Name,
    /// Its type.
    pub qtype: RType,
}

/// What is wrong with a query string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// The field: `client`, `name`, `type`.
    pub field: &'static str,
    /// Why.
    pub reason: String,
}

impl Question {
    /// Reads `client=…&name=…&type=…`; without a type it is A. Other fields change nothing.
    pub fn of(query: &str) -> Result<Question, Wrong> {
        let field = |wanted: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find(|(key, _)| *key == wanted).map_or_else(String::new, |(_, v)| decoded(v))
        };
        let wrong = |field, reason: String| Wrong { field, reason };
        let client = field("client");
        let client = client.trim().parse().map_err(|_| wrong("client", "no IP address".into()))?;
        let name = field("name").trim().parse().map_err(|fault| wrong("name", format!("{fault}")))?;
        let qtype = match field("type").trim() {
            "" => RType::A,
            text => text.parse().map_err(|()| wrong("type", "no such record type".into()))?,
        };
        Ok(Question { client, name, qtype })
    }
}

/// `%41` and `+`, as forms write them; what is no UTF-8 afterwards stands as a replacement character.
fn decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let escape = (*first == b'%').then(|| more.get(..2).and_then(hex)).flatten();
        rest = if escape.is_some() { &more[2..] } else { more };
        octets.push(escape.unwrap_or(if *first == b'+' { b' ' } else { *first }));
    }
    String::from_utf8_lossy(&octets).into_owned()
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_form_is_read_as_browsers_send_it() {
        let question =
            Question::of("client=2001%3Adb8%3A%3A1&name=+a%5C032b.%74est&type=aaaa&other=x").unwrap();
        assert_eq!(question.client, "2001:db8::1".parse::<IpAddr>().unwrap());
        assert_eq!((question.name.to_string(), question.qtype), ("a\\032b.test.".into(), RType::AAAA));
        assert_eq!(Question::of("name=.&client=10.0.0.1&type=").unwrap().qtype, RType::A);
    }

    #[test]
    fn what_is_wrong_is_said_of_its_field() {
        let wrong = |query: &str| Question::of(query).unwrap_err().field;
        assert_eq!(wrong(""), "client");
        assert_eq!(wrong("client=10.0.0.256&name=a"), "client");
        assert_eq!(wrong("client=10.0.0.1"), "name");
        assert_eq!(wrong("client=10.0.0.1&name=a..b"), "name");
        assert_eq!(wrong("client=10.0.0.1&name=%ff%zz%4&type=NOPE"), "type");
    }
}
