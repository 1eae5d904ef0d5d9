//! A packed event → its line: Route 53 Resolver's query log schema, then one object `kakehashi` with what that leaves out.

use std::io::Write;

use crate::observe::filter::Weight;
use crate::query::{Sighting, Transport};
use crate::wire::message::{NameBuffer, read_name};
use crate::wire::rtype::class_text;
use crate::wire::{HEADER, RType, rcode, u16_at};

use super::phrases::Phrases;
use super::rdata::{self, Place};
use super::text;

/// How long a line may grow by its answers. A full stream response with every octet escaped would make megabytes of
/// it; collectors take a quarter of one. What is left out is counted in `answers_omitted`.
const ANSWERS: usize = 64 << 10;

/// Writes lines. Kept from line to line for what they share.
pub(super) struct LineWriter {
    stamp: Stamp,
    name: NameBuffer,
}

impl LineWriter {
    pub(super) fn new() -> LineWriter {
        LineWriter { stamp: Stamp::default(), name: NameBuffer::new() }
    }

    /// Appends the event's line, its newline included.
    pub(super) fn write(
        &mut self,
        out: &mut Vec<u8>,
        event: &Sighting<'_>,
        phrases: &Phrases,
        weight: Weight,
    ) {
        let network = phrases.network(event.network);
        self.stamp.turn_to(event.unix_micros / 1_000_000);
        out.extend_from_slice(b"{\"version\":\"1.100000\",");
        out.extend_from_slice(&network.owner);
        out.extend_from_slice(b"\"query_timestamp\":\"");
        out.extend_from_slice(&self.stamp.text);
        out.extend_from_slice(b"Z\",\"query_name\":\"");
        let answers_at = self.question(out, event.response);
        out.extend_from_slice(b",\"rcode\":\"");
        response_code(out, event.rcode);
        out.extend_from_slice(b"\",\"answers\":[");
        let omitted = answers_at.map_or(0, |at| self.answers(out, event.response, at));
        out.extend_from_slice(b"],\"srcaddr\":\"");
        // Writing to a Vec does not fail.
        let _ = write!(out, "{}", event.client);
        out.extend_from_slice(b"\",\"srcport\":\"");
        text::number(out, event.port);
        out.extend_from_slice(match event.transport {
            Transport::Udp => b"\",\"transport\":\"UDP\",\"srcids\":{},\"kakehashi\":",
            Transport::Tcp => b"\",\"transport\":\"TCP\",\"srcids\":{},\"kakehashi\":",
        });
        out.extend_from_slice(&phrases.node);
        out.extend_from_slice(&network.network);
        self.decision(out, event, phrases, omitted);
        if let Weight::Of(events) = weight {
            out.extend_from_slice(b",\"sample\":");
            text::number(out, events);
        }
        out.extend_from_slice(b"}}\n");
    }

    /// From the name to the class; gives where the answers begin. A response without a question (to a message that
    /// could not be read) has empty fields.
    fn question(&mut self, out: &mut Vec<u8>, response: &[u8]) -> Option<usize> {
        let start = out.len();
        let end = self.try_question(out, response);
        if end.is_none() {
            out.truncate(start);
            out.extend_from_slice(b"\",\"query_type\":\"\",\"query_class\":\"\"");
        }
        end
    }

    fn try_question(&mut self, out: &mut Vec<u8>, response: &[u8]) -> Option<usize> {
        if u16_at(response, 4).ok()? != 1 {
            return None;
        }
        let end = read_name(response, HEADER, &mut self.name).ok()?;
        let (qtype, qclass) = (u16_at(response, end).ok()?, u16_at(response, end + 2).ok()?);
        text::name(out, self.name.name());
        out.extend_from_slice(b"\",\"query_type\":\"");
        mnemonic(out, RType(qtype));
        out.extend_from_slice(b"\",\"query_class\":\"");
        class(out, qclass);
        out.push(b'"');
        Some(end + 4)
    }

    /// The answer section; gives how many of its records were left out.
    fn answers(&mut self, out: &mut Vec<u8>, response: &[u8], mut at: usize) -> u16 {
        let count = u16_at(response, 6).unwrap_or(0);
        let start = out.len();
        for nth in 0..count {
            let before = out.len();
            let next = self.answer(out, response, at);
            match next {
                Some(next) if out.len() - start <= ANSWERS => at = next,
                _ => {
                    out.truncate(before);
                    if nth > 0 {
                        out.pop();
                    }
                    return count - nth;
                }
            }
            if nth + 1 < count {
                out.push(b',');
            }
        }
        0
    }

    fn answer(&mut self, out: &mut Vec<u8>, message: &[u8], at: usize) -> Option<usize> {
        let fixed = read_name(message, at, &mut self.name).ok()?;
        let (rtype, qclass) = (RType(u16_at(message, fixed).ok()?), u16_at(message, fixed + 2).ok()?);
        let start = fixed + 10;
        let end = start + usize::from(u16_at(message, fixed + 8).ok()?);
        message.get(start..end)?;
        out.extend_from_slice(b"{\"Rdata\":\"");
        rdata::write(out, rtype, qclass, Place { message, start, end }, &mut self.name);
        out.extend_from_slice(b"\",\"Type\":\"");
        mnemonic(out, rtype);
        out.extend_from_slice(b"\",\"Class\":\"");
        class(out, qclass);
        out.extend_from_slice(b"\"}");
        Some(end)
    }

    /// What was decided, and what it cost.
    fn decision(&self, out: &mut Vec<u8>, event: &Sighting<'_>, phrases: &Phrases, omitted: u16) {
        let flag = |on: bool| if on { &b"true"[..] } else { b"false" };
        out.extend_from_slice(b"\"view\":");
        out.extend_from_slice(phrases.view(event.view));
        out.extend_from_slice(b",\"route\":");
        out.extend_from_slice(phrases.route(event.route));
        out.extend_from_slice(b",\"source\":\"");
        out.extend_from_slice(event.source.text().as_bytes());
        out.extend_from_slice(b"\",\"upstream\":");
        out.extend_from_slice(phrases.server(event.server));
        out.extend_from_slice(b",\"dnssec_ok\":");
        out.extend_from_slice(flag(event.dnssec_ok));
        out.extend_from_slice(b",\"checking_disabled\":");
        out.extend_from_slice(flag(event.checking_disabled));
        out.extend_from_slice(b",\"answer_size\":");
        text::number(out, event.response.len() as u64);
        out.extend_from_slice(b",\"duration_us\":");
        text::number(out, event.duration_micros);
        out.extend_from_slice(b",\"ede\":");
        match event.ede {
            Some(code) => text::number(out, code),
            None => out.extend_from_slice(b"null"),
        }
        if omitted > 0 {
            out.extend_from_slice(b",\"answers_omitted\":");
            text::number(out, omitted);
        }
        out.extend_from_slice(b",\"timestamp\":\"");
        out.extend_from_slice(&self.stamp.text);
        out.push(b'.');
        text::padded(out, (event.unix_micros % 1_000_000) as u32, 6);
        out.extend_from_slice(b"Z\"");
    }
}

fn response_code(out: &mut Vec<u8>, code: u16) {
    match rcode::text(code) {
        "OTHER" => {
            out.extend_from_slice(b"RCODE");
            text::number(out, code);
        }
        known => out.extend_from_slice(known.as_bytes()),
    }
}

fn mnemonic(out: &mut Vec<u8>, rtype: RType) {
    // The two that nearly every line has.
    match rtype {
        RType::A => out.push(b'A'),
        RType::AAAA => out.extend_from_slice(b"AAAA"),
        // Writing to a Vec does not fail.
        other => drop(write!(out, "{other}")),
    }
}

fn class(out: &mut Vec<u8>, class: u16) {
    match class {
        1 => out.extend_from_slice(b"IN"),
        other => out.extend_from_slice(class_text(other).as_bytes()),
    }
}

/// A second as text, remembered: neighbours in the log share it.
struct Stamp {
    second: u64,
    /// `YYYY-MM-DDTHH:MM:SS`, UTC.
    text: Vec<u8>,
}

impl Default for Stamp {
    fn default() -> Self {
        Stamp { second: 0, text: b"1970-01-01T00:00:00".to_vec() }
    }
}

impl Stamp {
    fn turn_to(&mut self, second: u64) {
        if second == self.second {
            return;
        }
        let time = i64::try_from(second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
        self.text = time.unwrap_or_default().to_string().trim_end_matches('Z').into();
        self.second = second;
    }
}
