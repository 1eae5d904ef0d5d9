//! What must hold of the queries that came to the upstreams.

use std::time::Duration;

use crate::server::{Asked, Manner, Via};
use crate::time::TICK;

/// What is noticed late, because the clock moves in ticks: being sent, arriving, being looked at.
const LATE: Duration = Duration::from_millis(5 * TICK.as_millis() as u64);
/// How long a question may be on its way.
const DEADLINE: Duration = Duration::from_millis(900);
/// Of a second in which they were sent, that in which they surely came too.
const SECOND: Duration = Duration::from_millis(1_000 - LATE.as_millis() as u64);

/// In no second more than `most`.
pub fn budget(asked: &[Asked], most: usize) {
    for (nth, first) in asked.iter().enumerate() {
        let in_second = asked[nth..].iter().filter(|asked| asked.at - first.at < SECOND).count();
        assert!(in_second <= most, "{in_second} queries within a second of {first:?}");
    }
}

/// Where one of two servers was taken for dead, and the other not, since before the question came, it is asked only what
/// the other was asked first.
pub fn health(two: &[Vec<Asked>]) {
    for (one, other) in [(0, 1), (1, 0)] {
        for asked in two[one].iter().filter(|asked| asked.spared.is_some_and(|since| since > DEADLINE + LATE))
        {
            let is_first = |before: &&Asked| {
                before.question == asked.question
                    && before.at <= asked.at
                    && asked.at - before.at <= DEADLINE + LATE
            };
            let others = two[other].iter().filter(is_first).count();
            assert!(others > 0, "{asked:?} went to a dead server first");
        }
    }
}

/// Nothing is asked of a server over TCP but what it truncated.
pub fn truncated_before(asked: &[Asked]) {
    for (nth, tcp) in asked.iter().enumerate().filter(|(_, asked)| asked.via == Via::Tcp) {
        let before = asked[..nth].iter().any(|udp| is_truncated(udp) && udp.question == tcp.question);
        assert!(before, "{tcp:?} without a truncated answer");
    }
}

/// Where only one was asked, of all servers that could be, and truncated its answer, it is asked over TCP at once. Says
/// how often that was so.
pub fn asked_over_tcp(group: &[Vec<Asked>]) -> usize {
    let all = || group.iter().flatten();
    let is_alone = |udp: &&Asked| {
        let near = |other: &&Asked| {
            (other.via, &other.question) == (Via::Udp, &udp.question)
                && other.at + DEADLINE + LATE >= udp.at
                && udp.at + DEADLINE + LATE >= other.at
        };
        is_truncated(udp) && all().filter(near).count() == 1
    };
    let alone: Vec<&Asked> = all().filter(is_alone).collect();
    for udp in &alone {
        let follows = |tcp: &Asked| {
            (tcp.via, &tcp.question) == (Via::Tcp, &udp.question)
                && tcp.at >= udp.at
                && tcp.at - udp.at <= LATE
        };
        assert!(all().any(follows), "{udp:?} without TCP");
    }
    alone.len()
}

fn is_truncated(asked: &Asked) -> bool {
    asked.via == Via::Udp && asked.manner == Manner::Truncate
}
