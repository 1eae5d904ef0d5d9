//! What an operator wants of a worker that nobody else asks anything.

use std::rc::Rc;
use std::sync::mpsc::{Receiver, TryRecvError};

use kakehashi::pipeline::Traced;
use tokio::task::yield_now;

use crate::world::{Query, VPC, World};

#[test]
fn the_first_question_waits_until_the_worker_looks_and_wakes_it_for_the_next() {
    let world = World::new(
        "file: t.zone\nwww A 10.0.0.1\nend\n[[zone]]\ndomain = \"test.internal\"\nfile = \"t.zone\"\nvisible-to = [\"vpc\"]\n",
        &[],
    );
    let street = &world.street;
    let ask = || {
        let query = Query::a(VPC, "www.test.internal").bytes();
        street.shared.trace(query.into(), VPC.parse().unwrap())
    };
    let idle = |asked: &Receiver<Traced>| {
        street.block_on(async {
            for _ in 0..100 {
                yield_now().await;
            }
        });
        asked.try_recv().map(|traced| traced.event.unwrap().network)
    };
    let first = ask();
    assert_eq!(idle(&first), Err(TryRecvError::Empty));
    let worker = Rc::clone(&street.worker);
    street.block_on(async move { worker.batch_done() });
    assert_eq!(idle(&first), Ok(Some("app".to_owned())));
    for _ in 0..3 {
        assert_eq!(idle(&ask()), Ok(Some("app".to_owned())));
    }
}
