//! Who asked what, and what became of it.

use std::cell::{Cell, RefCell};
use std::ops::RangeInclusive;
use std::rc::Rc;

use std::time::Duration;

use kakehashi::query::Now;
use kakehashi::wire::message::Message;
use kakehashi::wire::{RType, rcode};

use crate::server::TTL;

/// The TTL of an answer that stands in (RFC 8767 §4): 30, and for two seconds while its source is left in peace.
const STALE: RangeInclusive<u32> = 28..=30;

/// What was accepted, by ticket.
pub struct Ledger {
    /// How many reloads there have been.
    pub reloads: Cell<usize>,
    now: Rc<dyn Fn() -> Now>,
    entries: RefCell<Vec<Entry>>,
}

/// A query.
#[derive(Debug)]
pub struct Entry {
    /// Whose it is: 0 or 1.
    pub client: usize,
    pub name: usize,
    pub at: Duration,
    /// How many reloads there had been when it was accepted.
    pub reloads: usize,
    pub replies: Vec<Reply>,
}

/// What a query got.
#[derive(Debug, Clone)]
pub struct Reply {
    pub at: Duration,
    /// How many reloads there had been by then.
    pub reloads: usize,
    /// The groups that its addresses speak of.
    pub groups: Vec<u8>,
    pub ttls: Vec<u32>,
    pub rcode: u16,
    pub id: u16,
}

impl Ledger {
    pub fn new(now: Rc<dyn Fn() -> Now>) -> Ledger {
        Ledger { reloads: Cell::new(0), now, entries: RefCell::default() }
    }

    /// Takes a query in; its ticket is its message ID too.
    pub fn accept(&self, client: usize, name: usize) -> usize {
        let (reloads, at) = (self.reloads.get(), (self.now)().monotonic);
        let mut entries = self.entries.borrow_mut();
        entries.push(Entry { client, name, at, reloads, replies: Vec::new() });
        entries.len() - 1
    }

    pub fn reply(&self, ticket: usize, bytes: &[u8]) {
        let (reloads, at) = (self.reloads.get(), (self.now)().monotonic);
        let message = Message::parse(bytes).unwrap();
        let addresses = || message.answer.iter().filter(|record| record.rtype == RType::A);
        let groups = addresses().map(|record| record.rdata[1]).collect();
        let ttls = addresses().map(|record| record.ttl).collect();
        let reply = Reply { at, reloads, groups, ttls, rcode: message.rcode, id: message.id };
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
            // No longer than its source said, or standing in.
            assert!(reply.ttls.iter().all(|ttl| *ttl <= TTL || STALE.contains(ttl)), "{entry:?}");
        }
    }

    /// The last query was answered.
    pub fn check_last(&self, group_of: impl Fn(usize, usize) -> u8) {
        let entries = self.entries.borrow();
        let last = entries.last().unwrap();
        assert_eq!(last.replies[0].groups, [group_of(last.client, last.reloads)], "{last:?}");
    }

    /// What was answered once stands in as long as its source fails, and only once its time is over. Gives how many did.
    pub fn check_stale(&self, group_of: impl Fn(usize, usize) -> u8) -> usize {
        let entries = self.entries.borrow();
        let mut stale = 0;
        for entry in entries.iter() {
            let reply = &entry.replies[0];
            let group = group_of(entry.client, entry.reloads);
            let before = || {
                let is_same = |other: &&Entry| {
                    (other.client, other.name) == (entry.client, entry.name)
                        && other.replies[0].at < entry.at
                        && other.replies[0].groups == [group]
                };
                entries.iter().filter(is_same)
            };
            if reply.ttls.iter().any(|ttl| STALE.contains(ttl)) {
                stale += 1;
            } else if reply.rcode == rcode::SERVFAIL && entry.reloads == reply.reloads {
                assert!(before().next().is_none(), "{entry:?} after {:?}", before().next());
            }
        }
        stale
    }
}
