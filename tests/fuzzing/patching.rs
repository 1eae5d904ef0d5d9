//! A finished answer, patched for another client, is what decoding, editing and encoding it would give, octet by octet.

use kakehashi::wire::build::{Fit, Opt, Plan, build};
use kakehashi::wire::message::Message;
use kakehashi::wire::patch::{self, Turn};
use kakehashi::wire::{HEADER, NameRef, RType, RecordRef, Records, flag};

/// The client's part of an input: ID, flags, seconds gone by, size limit, turn, which letters to turn, whether EDNS.
const CLIENT: usize = 14;

/// The first octets are the next client, the rest is the message.
pub fn run(input: &[u8]) {
    let Some((client, rest)) = input.split_first_chunk::<CLIENT>() else { return };
    let Ok(message) = Message::parse(rest) else { return };
    let Some(question) = question(rest) else { return };
    let id = u16::from_be_bytes([client[0], client[1]]);
    let flags = u16::from_be_bytes([client[2], client[3]]);
    let seconds = u32::from_be_bytes([client[4], client[5], client[6], client[7]]);
    let by = u16::from_be_bytes([client[10], client[11]]);
    let opt = Opt { payload: 1232, flags: 0, nsid: None, cookie: None, ede: &message.ede };
    let first = Plan {
        id: message.id,
        flags: message.flags,
        rcode: message.rcode & 0xF,
        question: &question,
        answer: &message.answer,
        authority: &message.authority,
        additional: &message.additional,
        opt: (client[13] & 1 != 0).then_some(opt),
        limit: usize::from(u16::from_be_bytes([client[8], client[9]])).max(512),
    };
    let (mut patched, mut ttls) = (Vec::new(), Vec::new());
    let fit = build(&first, &mut patched, &mut ttls);
    let turn = turn(&message.answer, by).filter(|_| fit != Fit::Truncated);
    let asked = in_other_case(&question, client[12]);
    patch::address(&mut patched, id, flags, &asked);
    patch::age(&mut patched, ttls.iter().copied(), seconds);
    if let Some(turn) = &turn {
        patch::rotate(&mut patched, &ttls, turn);
    }

    let echoed = flag::RD | flag::CD;
    let aged = |records: &Records| {
        let mut aged = records.clone();
        aged.map_ttl(|ttl| ttl.saturating_sub(seconds));
        aged
    };
    let answer = turned(&aged(&message.answer), turn.as_ref());
    let second = Plan {
        id,
        flags: first.flags & !echoed | flags & echoed,
        question: &asked,
        answer: &answer,
        authority: &aged(&message.authority),
        additional: &aged(&message.additional),
        ..first
    };
    let mut encoded = Vec::new();
    assert_eq!(build(&second, &mut encoded, &mut ttls), fit);
    assert_eq!(patched, encoded);
    assert!(encoded.len() <= first.limit || fit == Fit::Truncated);
    Message::parse(&encoded).unwrap();
}

fn question(message: &[u8]) -> Option<Vec<u8>> {
    let name = NameRef::parse(message, HEADER).ok().filter(|_| message[4..6] == [0, 1])?;
    message.get(HEADER..HEADER + name.wire().len() + 4).map(<[u8]>::to_vec)
}

/// Every letter whose place has its bit set is turned. A length octet is no letter.
fn in_other_case(question: &[u8], places: u8) -> Vec<u8> {
    let name = question.len() - 4;
    let turn = |(at, octet): (usize, &u8)| {
        let letter = at < name && octet.is_ascii_alphabetic() && places >> (at % 8) & 1 != 0;
        if letter { octet ^ 0x20 } else { *octet }
    };
    question.iter().enumerate().map(turn).collect()
}

/// The addresses that an answer ends with.
fn turn(answer: &Records, by: u16) -> Option<Turn> {
    let records: Vec<RecordRef<'_>> = answer.iter().collect();
    let last = records.last()?;
    let width = match last.rtype {
        RType::A => 4,
        RType::AAAA => 16,
        _ => return None,
    };
    let alike = |r: &&RecordRef<'_>| r.rtype == last.rtype && r.owner == last.owner && r.rdata.len() == width;
    let count = records.iter().rev().take_while(alike).count();
    (count > 1).then_some(Turn {
        first: (records.len() - count) as u16,
        count: count as u16,
        width: width as u8,
        by,
    })
}

fn turned(answer: &Records, turn: Option<&Turn>) -> Records {
    let Some(turn) = turn else { return answer.clone() };
    let records: Vec<RecordRef<'_>> = answer.iter().collect();
    let (fixed, moving) = records.split_at(usize::from(turn.first));
    let mut rdata: Vec<&[u8]> = moving.iter().map(|record| record.rdata).collect();
    rdata.rotate_left(usize::from(turn.by % turn.count));
    let mut turned = Records::new();
    fixed.iter().for_each(|record| turned.push(*record));
    moving.iter().zip(rdata).for_each(|(record, rdata)| turned.push(RecordRef { rdata, ..*record }));
    turned
}
