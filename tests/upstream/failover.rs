//! Who is asked, and who next.

use std::sync::Arc;
use std::time::Duration;

use kakehashi::exchange::Exchange;
use kakehashi::health::State;
use kakehashi::query::Failure;
use kakehashi::upstream::{Balance, Group, Spec};
use kakehashi::wire::rcode;

use crate::group::{ask, at, group, hasty, make, question, run, spec, who};
use crate::port;
use crate::stand_in::{Asked, StandIn, Via};

fn good(last: u8) -> StandIn {
    StandIn::replying(move |asked| asked.address(last))
}

#[test]
fn a_server_that_fails_is_followed_by_the_next_at_once() {
    for code in [rcode::SERVFAIL, rcode::REFUSED, rcode::NOTIMP] {
        let (bad, good) = (StandIn::replying(move |asked| asked.code(code)), good(2));
        let group = group(&[bad.address, good.address]);
        let answered = ask(&group).unwrap();
        assert_eq!((who(&answered.response), answered.server), (2, 1));
        assert_eq!((bad.count(), good.count()), (1, 1));
        assert_eq!(group.status(at(1)).servers[0].health.state, State::Up);
    }
}

#[test]
fn nxdomain_is_an_answer_and_nobody_else_is_asked() {
    let (first, second) = (StandIn::replying(|asked| asked.code(rcode::NXDOMAIN)), good(2));
    let answered = ask(&group(&[first.address, second.address])).unwrap();
    assert_eq!(answered.response.rcode, rcode::NXDOMAIN);
    assert_eq!(second.count(), 0);
}

#[test]
fn where_nobody_listens_the_next_is_asked_at_once() {
    let second = good(2);
    let group = group(&[port::free(), second.address]);
    assert_eq!(who(&ask(&group).unwrap().response), 2);
    let first = &group.status(at(1)).servers[0];
    assert_eq!((first.counts.tally.unreachable, first.health.state), (1, State::Suspect));
}

#[test]
fn nobody_to_be_reached_is_said_so() {
    let failed = ask(&group(&[port::free(), port::free()])).unwrap_err();
    assert_eq!((failed.failure, failed.rcode), (Failure::Unreachable, None));
}

#[test]
fn a_black_hole_is_asked_three_times_and_then_given_up() {
    let hole = StandIn::silent();
    let spec = Spec {
        try_timeout: Duration::from_millis(60),
        deadline: Duration::from_millis(400),
        ..spec(&[hole.address])
    };
    let group = Group::new(spec, None);
    let failed = ask(&group).unwrap_err();
    assert_eq!((failed.failure, failed.rcode), (Failure::Timeout, None));
    assert_eq!((hole.count(), group.status(at(1)).queries.timeouts), (3, 1));
}

#[test]
fn of_a_dead_and_a_living_server_only_the_first_question_waits() {
    let (dead, alive) = (StandIn::silent(), good(2));
    let group = hasty(&[dead.address, alive.address]);
    assert_eq!(who(&ask(&group).unwrap().response), 2);
    assert_eq!(group.status(at(1)).servers[0].health.state, State::Suspect);
    for _ in 0..5 {
        assert_eq!(who(&ask(&group).unwrap().response), 2);
    }
    assert_eq!((dead.count(), alive.count()), (1, 6));
}

#[test]
fn a_lost_packet_is_sent_again() {
    let server = StandIn::new(|asked| if asked.nth == 0 { vec![] } else { vec![asked.address(1)] });
    let group = hasty(&[server.address]);
    assert_eq!(who(&ask(&group).unwrap().response), 1);
    assert_eq!((server.count(), group.status(at(1)).servers[0].health.state), (2, State::Up));
}

#[test]
fn a_slow_server_is_still_heard_after_the_next_was_asked() {
    let (slow, silent) = (StandIn::silent(), StandIn::silent());
    let group = Arc::new(hasty(&[slow.address, silent.address]));
    let asking = std::thread::spawn({
        let group = group.clone();
        move || ask(&group).unwrap()
    });
    silent.wait_for(1);
    let early = &slow.asked()[0];
    slow.speak(early.from, &early.address(1));
    let answered = asking.join().unwrap();
    assert_eq!((who(&answered.response), answered.server), (1, 0));
    assert_eq!(group.status(at(1)).servers[0].health.state, State::Up);
}

#[test]
fn all_that_fail_leave_their_own_words_to_the_client() {
    let refuse = StandIn::replying(|asked| asked.code(rcode::REFUSED));
    let fail = StandIn::replying(|asked| {
        let mut answer = asked.answer();
        answer.rcode = rcode::SERVFAIL;
        answer.ede = vec![kakehashi::wire::Ede::new(6, "DNSSEC bogus")];
        answer.bytes()
    });
    let failed = ask(&group(&[refuse.address, fail.address])).unwrap_err();
    assert_eq!((failed.failure, failed.rcode), (Failure::UpstreamFailed, Some(rcode::SERVFAIL)));
    assert_eq!((failed.ede[0].code, failed.ede[0].text.as_str()), (6, "DNSSEC bogus"));
    assert_eq!((refuse.count(), fail.count()), (1, 1));
}

#[test]
fn workers_together_give_each_server_its_exact_share() {
    let servers = [good(1), good(2)];
    let addresses = [servers[0].address, servers[1].address];
    let group = Arc::new(Group::new(Spec { balance: Balance::RoundRobin, ..spec(&addresses) }, None));
    let worker = || {
        let group = group.clone();
        std::thread::spawn(move || {
            run(async {
                let exchange = Exchange::new();
                for _ in 0..50 {
                    group.ask(&question(), &exchange, at(1)).await.unwrap();
                }
            });
        })
    };
    let workers: Vec<_> = (0..4).map(|_| worker()).collect();
    for worker in workers {
        worker.join().unwrap();
    }
    assert_eq!((servers[0].count(), servers[1].count()), (100, 100));
}

#[test]
fn the_backup_serves_only_while_every_primary_is_down() {
    let (one, two, backup) = (good(1), good(2), good(3));
    let spec = Spec { backups: vec![backup.address], ..spec(&[one.address, two.address]) };
    let group = Group::new(spec, None);
    make(&group, 0, State::Suspect);
    make(&group, 1, State::Down);
    assert_eq!(who(&ask(&group).unwrap().response), 1);
    make(&group, 0, State::Down);
    assert_eq!(who(&ask(&group).unwrap().response), 3);
    make(&group, 1, State::Up);
    // It has its whole load again after a while.
    let answered = run(group.ask(&question(), &Exchange::new(), at(60))).unwrap();
    assert_eq!(who(&answered.response), 2);
}

#[test]
fn when_all_are_down_all_are_tried() {
    let (hole, alive) = (StandIn::silent(), good(2));
    let group = hasty(&[hole.address, port::free(), alive.address]);
    (0..3).for_each(|server| make(&group, server, State::Down));
    assert_eq!(who(&ask(&group).unwrap().response), 2);
    assert_eq!(hole.count(), 1);
}

#[test]
fn a_truncated_answer_is_asked_for_over_tcp() {
    let server = StandIn::replying(|asked| match asked.via {
        Via::Udp => {
            let mut answer = asked.answer();
            answer.flags |= kakehashi::wire::flag::TC;
            answer.bytes()
        }
        Via::Tcp => asked.address(1),
    });
    let group = group(&[server.address]);
    let answered = ask(&group).unwrap();
    assert_eq!((who(&answered.response), answered.tcp), (1, true));
    assert_eq!((server.count(), group.status(at(1)).servers[0].counts.tally.tcp_fallbacks), (2, 1));
}

#[test]
fn garbage_over_tcp_leads_to_the_next_server() {
    for garbage in [&[0; 5][..], &[0xFF; 64]] {
        let bad = StandIn::replying(move |asked| match asked.via {
            Via::Udp => {
                let mut answer = asked.answer();
                answer.flags |= kakehashi::wire::flag::TC;
                answer.bytes()
            }
            Via::Tcp => garbage.to_vec(),
        });
        let good = good(2);
        let group = group(&[bad.address, good.address]);
        assert_eq!(who(&ask(&group).unwrap().response), 2);
        assert_eq!(group.status(at(1)).servers[0].counts.tally.garbage, 1);
    }
}

#[test]
fn a_server_that_fails_on_edns_is_asked_without_and_that_is_remembered() {
    for code in [rcode::FORMERR, rcode::NOTIMP] {
        let old = StandIn::replying(move |asked| {
            if asked.has_edns() {
                // A server that knows no OPT record sends back none.
                let mut header = asked.bytes[..12].to_vec();
                header[2] |= 0x80;
                header[3] |= code as u8;
                header[4..].fill(0);
                return header;
            }
            asked.address(1)
        });
        let group = group(&[old.address]);
        let ask_at = |seconds| run(group.ask(&question(), &Exchange::new(), at(seconds))).unwrap();
        assert_eq!(who(&ask_at(0).response), 1);
        assert_eq!(who(&ask_at(300).response), 1);
        assert_eq!(who(&ask_at(700).response), 1);
        let with_edns: Vec<bool> = old.asked().iter().map(Asked::has_edns).collect();
        assert_eq!(with_edns, [true, false, false, true, false]);
    }
}

#[test]
fn a_server_that_fails_with_and_without_edns_is_not_remembered_for_it() {
    let bad = StandIn::replying(|asked| asked.code(rcode::FORMERR));
    let group = group(&[bad.address]);
    let failed = ask(&group).unwrap_err();
    assert_eq!((failed.failure, failed.rcode), (Failure::UpstreamFailed, Some(rcode::FORMERR)));
    ask(&group).unwrap_err();
    let with_edns: Vec<bool> = bad.asked().iter().map(Asked::has_edns).collect();
    // It knows the OPT record, so first it is asked without the cookie.
    assert_eq!(with_edns, [true, true, false, true, true, false]);
}

#[test]
fn a_reload_keeps_what_is_known_of_the_servers_that_stay() {
    let (one, two) = (good(1), good(2));
    let before = group(&[one.address]);
    ask(&before).unwrap();
    make(&before, 0, State::Down);
    let after = Group::new(spec(&[two.address, one.address]), Some(&before));
    let status = after.status(at(1));
    assert_eq!(status.servers[0].health.state, State::Up);
    assert_eq!(status.servers[1].health.state, State::Down);
    assert_eq!((status.servers[1].counts.tally.queries, status.queries.answered), (1, 1));
}
