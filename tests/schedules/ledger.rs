//! Who asked what, and what became of it.

use std::cell::RefCell;

use kakehashi::wire::message::Message;
use kakehashi::wire::{RType, rcode};

/// What was accepted, by ticket.
#[derive(Default)]
pub struct Ledger {
    entries: RefCell<Vec<Entry>>,
}

/// A query.
#[derive(Debug)]
pub struct Entry {
    /// Whose it is: 0 or 1.
    pub client: usize,
    /// How many reloads there had been when it was accepted.
    pub reloads: usize,
    pub replies: Vec<Reply>,
}

/// What a query got.
#[derive(Debug)]
pub struct Reply {
    /// How many reloads there had been by then.
    pub reloads: usize,
    /// The groups that its addresses speak of.
    pub groups: Vec<u8>,
    pub rcode: u16,
    pub id: u16,
}

impl Ledger {
    /// Takes a query in; its ticket is its message ID too.
    pub fn accept(&self, client: usize, reloads: usize) -> usize {
        let mut entries = self.entries.borrow_mut();
        entries.push(Entry { client, reloads, replies: Vec::new() });
        entries.len() - 1
    }

    pub fn reply(&self, ticket: usize, reloads: usize, bytes: &[u8]) {
        let message = Message::parse(bytes).unwrap();
        let addresses = message.answer.iter().filter(|record| record.rtype == RType::A);
        let groups = addresses.map(|record| record.rdata[1]).collect();
        let reply = Reply { reloads, groups, rcode: message.rcode, id: message.id };
        self.entries.borrow_mut()[ticket].replies.push(reply);
    }

    /// How many queries were accepted.
    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Every query got one reply: an answer of a group that its client sees at that time, or a failure.
    pub fn check(&self, group_of: impl Fn(usize, usize) -> u8) {
        for (ticket, entry) in self.entries.borrow().iter().enumerate() {
            let [reply] = &entry.replies[..] else { panic!("{entry:?}") };
            assert_eq!(usize::from(reply.id), ticket);
            let seen = || (entry.reloads..=reply.reloads).map(|reloads| group_of(entry.client, reloads));
            match reply.rcode {
                rcode::NOERROR => assert_eq!(reply.groups.len(), 1, "{entry:?}"),
                rcode::SERVFAIL => assert!(reply.groups.is_empty(), "{entry:?}"),
                _ => panic!("{entry:?}"),
            }
            assert!(reply.groups.iter().all(|group| seen().any(|seen| seen == *group)), "{entry:?}");
        }
    }
}
