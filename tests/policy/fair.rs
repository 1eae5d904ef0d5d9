//! Work in flight: nobody takes all of it.

use std::rc::Rc;

use kakehashi::pipeline::Admit;

use crate::stand_in::StandIn;
use crate::world::{Query, Reply, World};

const CONFIG: &str = r#"
[listen]
max-in-flight = 8
[[network]]
name = "others"
cidr = ["198.51.100.0/22"]
groups = ["vpc"]
[[rule]]
domain = "."
forward = "up0"
visible-to = ["vpc"]
"#;

/// Asks for as many names as it may until one is refused; those that may wait do.
fn fill<'w>(
    world: &'w World,
    client: &str,
    waiting: &mut Vec<Box<dyn Future<Output = Option<Vec<u8>>> + 'w>>,
) -> (usize, Reply) {
    for nth in 0..100 {
        let name = format!("n{nth}.black-hole.test1");
        let (query, mut out) = (Query::a(client, &name), Vec::new());
        let (packet, path) = (query.bytes(), query.path());
        match world.street.worker.admit(&packet, &path, world.now(), &mut out) {
            Admit::Resolve => {
                let worker = Rc::clone(&world.street.worker);
                waiting.push(Box::new(worker.resolve(packet.into(), path, world.now())));
            }
            Admit::Reply => return (nth, Reply::read(out)),
            Admit::Drop => panic!("silence"),
        }
    }
    panic!("nothing is refused");
}

#[test]
fn a_greedy_prefix_gets_half_and_others_find_room() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
    let world = World::new(CONFIG, &[&upstream]);
    let mut waiting = Vec::new();
    let (got, reply) = fill(&world, "198.51.100.1", &mut waiting);
    assert_eq!((got, reply.text().as_str(), &reply.ede()[..]), (4, "REFUSED", &[14][..]));
    assert_eq!(fill(&world, "198.51.100.99", &mut waiting).0, 0, "its neighbour is of the same prefix");
    assert_eq!(fill(&world, "198.51.101.1", &mut waiting).0, 2);
    assert_eq!(fill(&world, "198.51.102.1", &mut waiting).0, 1);
    waiting.clear();
    assert_eq!(fill(&world, "198.51.102.1", &mut waiting).0, 4, "who goes makes room");
    waiting.clear();
    assert_eq!(world.a("198.51.100.1", "www.test1").text(), "NOERROR: A 192.0.2.1");
}
