//! An upstream that forwards our questions back to us.

use std::net::IpAddr;

use kakehashi::exchange::{Exchange, Fleet};
use kakehashi::query::Failure;
use kakehashi::upstream::Ask;
use kakehashi::wire::{Name, NameRef, RType};

use crate::group::{at, group, question, run};
use crate::stand_in::StandIn;

/// Asks, and looks while the question is on its way, as another worker, at the question as `seen` changes it.
fn look(client: &str, seen: impl Fn(&mut Vec<u8>)) -> (bool, Option<Failure>) {
    let hole = StandIn::silent();
    let group = group(&[hole.address]);
    let client: IpAddr = client.parse().unwrap();
    run(async {
        let fleet = Fleet::default();
        let (one, other) = (Exchange::of(&fleet), Exchange::of(&fleet));
        let question = question();
        let asking = group.ask(&question, &one, at(1));
        let looking = async {
            tokio::task::yield_now().await;
            let sent = hole.wait_for(1);
            let mut name = NameRef::parse(&sent[0].bytes, 12).unwrap().wire().to_vec();
            seen(&mut name);
            let back = Ask { qname: Name::from_wire(&name).unwrap(), ..question.clone() };
            group.comes_back(client, &back, &other, at(1))
        };
        tokio::select! {
            biased;
            _ = asking => panic!("nobody answers"),
            comes_back = looking => {
                let next = group.ask(&question, &one, at(2));
                let next = tokio::time::timeout(std::time::Duration::from_millis(50), next).await;
                (comes_back, next.ok().and_then(Result::err).map(|failed| failed.failure))
            }
        }
    })
}

#[test]
fn our_own_query_from_the_server_that_it_went_to_is_known_and_its_domain_not_asked_for() {
    assert_eq!(look("127.0.0.1", |_| ()), (true, Some(Failure::Loop)));
}

#[test]
fn a_clients_query_for_the_same_name_is_not_ours() {
    assert_eq!(look("127.0.0.1", |name| name.make_ascii_lowercase()), (false, None));
    assert_eq!(look("127.0.0.1", |name| name[1] ^= 0x20), (false, None));
    assert_eq!(look("127.0.0.1", |name| name[1] = b'x'), (false, None));
}

#[test]
fn a_client_that_is_none_of_the_servers_cannot_make_a_loop() {
    assert_eq!(look("127.0.0.99", |_| ()), (false, None));
}

#[test]
fn other_types_are_other_questions() {
    let group = group(&[StandIn::silent().address]);
    let exchange = Exchange::new();
    let ask = Ask { qtype: RType::AAAA, ..question() };
    assert!(!group.comes_back("127.0.0.1".parse().unwrap(), &ask, &exchange, at(1)));
}
