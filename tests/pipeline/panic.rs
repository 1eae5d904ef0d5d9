//! A panic while a response is handled costs that one query its reply, and nothing else.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use kakehashi::listen::clock;
use kakehashi::pipeline::{Begin, Landing};
use kakehashi::server::testing::{Street, street_by};

use crate::stand_in::StandIn;
use crate::world::{Query, Reply, VPC};

/// Asks, by the lane, under this ticket.
fn begin(street: &Street, query: &Query<'_>, ticket: usize) -> Begin {
    let (packet, path, now) = (query.bytes(), query.path(), clock::now());
    street.worker.admit(&packet, &path, now, &mut Vec::new());
    street.block_on(async { street.worker.begin(&packet, &path, now, ticket) })
}

#[test]
fn its_seat_is_given_back_and_its_question_can_be_asked_again() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
    let broken = Rc::new(Cell::new(false));
    let is_broken = broken.clone();
    let time = move || {
        assert!(!is_broken.get(), "as asked");
        clock::now()
    };
    let configuration = format!(
        "[[network]]\nname = \"vpc\"\ncidr = [\"10.0.0.0/8\"]\n\
         [[upstream]]\nname = \"up\"\nservers = [\"{}\"]\nhealth-check = \"off\"\n\
         [[rule]]\ndomain = \".\"\nforward = \"up\"\nvisible-to = [\"vpc\"]\n",
        upstream.address
    );
    let street = street_by(Box::new(time), &configuration, std::path::Path::new(""));
    let query = Query::a(VPC, "www.test1");
    assert_eq!(begin(&street, &query, 7), Begin::Underway);
    street.block_on(street.worker.landed());

    broken.set(true);
    let take = || street.block_on(async { street.worker.take_landed(&mut Vec::new()) });
    assert!(catch_unwind(AssertUnwindSafe(take)).is_err());
    broken.set(false);

    let told = street.block_on(async { street.worker.take_landed(&mut Vec::new()) });
    assert!(matches!(told, Some((7, Landing::Silence))), "who waits is told that nothing comes");
    assert!(street.block_on(async { street.worker.take_landed(&mut Vec::new()) }).is_none());
    assert_eq!((street.worker.in_lane(), street.shared.flights.len()), (0, 0));
    let reply = street.send(&query.bytes(), &query.path(), clock::now()).unwrap();
    assert_eq!(Reply::read(reply).text(), "NOERROR: A 192.0.2.1");
    assert_eq!(upstream.asked().len(), 2);
}
