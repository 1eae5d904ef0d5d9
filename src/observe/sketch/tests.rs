//! The sketch on the log thread: what it counts, and that it counts nothing for nobody.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::query::{Source, Transport};
use crate::wire::Name;

fn response(name: &str) -> Vec<u8> {
    let name: Name = name.parse().unwrap();
    [&[0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], name.wire(), &[0, 1, 0, 1]].concat()
}

fn see(sketch: &mut Sketch, second: u64, client: &str, code: u16, response: &[u8]) {
    let seen = Sighting {
        unix_micros: second * 1_000_000,
        duration_micros: 10,
        client: client.parse().unwrap(),
        port: 9,
        local: "10.150.20.10:53".parse().unwrap(),
        transport: Transport::Udp,
        network: None,
        view: None,
        route: None,
        server: None,
        source: Source::Zone,
        rcode: code,
        dnssec_ok: false,
        checking_disabled: false,
        ede: None,
        query: &[],
        response,
    };
    sketch.see(&seen, &Directory::default());
}

fn at(second: u64) -> Duration {
    Duration::from_secs(second)
}

#[test]
fn names_clients_and_failures_are_listed_by_how_often_they_came() {
    let sketches = Sketches::default();
    let (mut sketch, _look) = (sketches.sketch(), sketches.look());
    let (planning, nothere) =
        (response("Planning.technova.internal"), response("not here.technova.internal"));
    for _ in 0..3 {
        see(&mut sketch, 100, "10.0.30.7", 0, &planning);
    }
    see(&mut sketch, 100, "2001:db8::1", 3, &nothere);
    see(&mut sketch, 100, "10.0.30.7", 1, &[0; 12]);
    sketch.rest(at(102));
    let tops = sketches.tops();
    let lines = |list: &[Top]| list.iter().map(|top| (top.what.clone(), top.count)).collect::<Vec<_>>();
    assert_eq!((tops.seconds, tops.queries), (2, 5));
    assert_eq!(
        lines(&tops.names),
        [("planning.technova.internal.".into(), 3), ("not\\032here.technova.internal.".into(), 1)]
    );
    assert_eq!(lines(&tops.failing), [("not\\032here.technova.internal.".into(), 1)]);
    assert_eq!(lines(&tops.clients), [("10.0.30.7".into(), 4), ("2001:db8::1".into(), 1)]);
}

#[test]
fn what_is_long_past_is_forgotten() {
    let sketches = Sketches::default();
    let (mut sketch, _look) = (sketches.sketch(), sketches.look());
    see(&mut sketch, 100, "10.0.30.7", 0, &response("old.test"));
    for second in [100, 160, 161] {
        sketch.rest(at(second));
        assert_eq!(sketches.tops().names.len(), 1, "{second}");
    }
    see(&mut sketch, 161, "10.0.30.7", 0, &response("new.test"));
    sketch.rest(at(220));
    let tops = sketches.tops();
    assert_eq!((tops.names.len(), &tops.names[0].what[..], tops.seconds), (1, "new.test.", 60));
}

#[test]
fn for_nobody_it_wants_no_events_and_holds_nothing() {
    let sketches = Sketches::default();
    let mut sketch = sketches.sketch();
    let test = response("a.test");
    assert!(!sketch.is_wanted());
    see(&mut sketch, 100, "10.0.30.7", 0, &test);
    sketch.rest(at(101));
    assert!(sketch.held.is_none() && sketches.tops() == Tops::default());

    let (one, other) = (sketches.look(), sketches.look());
    assert!(sketch.is_wanted());
    drop(one);
    see(&mut sketch, 102, "10.0.30.7", 0, &test);
    sketch.rest(at(103));
    assert_eq!((sketches.looks(), sketches.tops().names.len()), (1, 1));
    drop(other);
    assert!(!sketch.is_wanted());
    sketch.rest(at(104));
    assert!(sketch.held.is_none() && sketches.tops() == Tops::default());
}
