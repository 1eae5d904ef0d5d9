//! What an upstream may be asked, whatever clients ask for.

use std::sync::Arc;

use futures_util::future::join_all;
use kakehashi::exchange::Exchange;
use kakehashi::query::Failure;
use kakehashi::upstream::{Ask, Group, Rate, Spec};
use kakehashi::wire::{Name, RType};

use crate::group::{at, group, run, spec};
use crate::stand_in::StandIn;

fn ask(qname: &str) -> Ask {
    Ask::new(qname.parse().unwrap(), RType::A).within(Name::root())
}

/// Answers for all but one domain.
fn dead_for_one_domain() -> StandIn {
    StandIn::new(|asked| {
        let is_dead = asked.bytes.to_ascii_lowercase().windows(5).any(|octets| octets == b"\x04dead");
        if is_dead { vec![] } else { vec![asked.address(1)] }
    })
}

#[test]
fn three_thousand_questions_of_a_dead_domain_leave_room_for_all_others() {
    let server = dead_for_one_domain();
    let spec = Spec { deadline: std::time::Duration::from_secs(3), ..spec(&[server.address]) };
    let group = Group::new(spec, None);
    run(async {
        let exchange = Exchange::new();
        let dead: Vec<Ask> = (0..3_000).map(|nth| ask(&format!("{nth}.dead.example"))).collect();
        let good: Vec<Ask> = (0..50).map(|nth| ask(&format!("{nth}.good.example"))).collect();
        let dying = join_all(dead.iter().map(|ask| group.ask(ask, &exchange, at(1))));
        let living = async {
            // Each after the one before, while the dead ones are waited for.
            for ask in &good {
                group.ask(ask, &exchange, at(1)).await.unwrap();
            }
            group.status(at(1)).in_flight
        };
        let (died, in_flight) = futures_util::future::join(dying, living).await;
        assert!(in_flight >= 2_000, "they are still waited for");
        let busy = died.iter().filter(|outcome| outcome.as_ref().unwrap_err().failure == Failure::Busy);
        assert_eq!(busy.count(), 3_000 - 2_250);
    });
    let status = group.status(at(1));
    assert_eq!((status.queries.answered, status.queries.over_share, status.in_flight), (50, 750, 0));
}

#[test]
fn an_upstream_is_sent_no_more_than_its_limit_and_others_that_share_it_neither() {
    let server = StandIn::replying(|asked| asked.address(1));
    let rate = Arc::new(Rate::per_second(100));
    let spec = Spec { rate: Some(Arc::clone(&rate)), ..spec(&[server.address]) };
    let groups = [Group::new(spec.clone(), None), Group::new(spec, None)];
    let failures: Vec<Failure> = run(async {
        let exchange = Exchange::new();
        let mut failures = Vec::new();
        for nth in 0..40 {
            // one moment: what time brings back is in the tests of the rate
            let question = ask(&format!("host.{nth}.example"));
            let outcome = groups[nth % 2].ask(&question, &exchange, at(1)).await;
            failures.extend(outcome.err().map(|failed| failed.failure));
        }
        failures
    });
    assert!(failures.len() >= 10 && failures.iter().all(|failure| *failure == Failure::Busy));
    assert_eq!(server.count() + failures.len(), 40);
    let over: u64 = groups.iter().map(|group| group.status(at(1)).queries.over_rate).sum();
    assert_eq!(over as usize, failures.len());
}

#[test]
fn a_question_that_was_not_asked_says_nothing_about_the_server() {
    let server = StandIn::replying(|asked| asked.address(1));
    let limited = Spec { max_in_flight: 0, ..spec(&[server.address]) };
    let group = Group::new(limited, None);
    let failed = run(group.ask(&ask("www.example.com"), &Exchange::new(), at(1))).unwrap_err();
    assert_eq!(failed.failure, Failure::Busy);
    assert_eq!(group.status(at(1)).servers[0].counts.tally.queries, 0);
    assert_eq!(server.count(), 0);
}

#[test]
fn all_room_is_given_back_when_nobody_waits_any_more() {
    let hole = StandIn::silent();
    let group = group(&[hole.address]);
    run(async {
        let (question, exchange) = (ask("www.example.com"), Exchange::new());
        let asking = group.ask(&question, &exchange, at(1));
        let dropped = tokio::time::timeout(std::time::Duration::from_millis(1), asking).await;
        assert!(dropped.is_err());
    });
    assert_eq!(group.status(at(1)).in_flight, 0);
}
