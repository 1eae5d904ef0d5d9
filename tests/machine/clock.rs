//! The wall clock jumps: TTLs go on counting by monotonic time, and nothing is asked again for it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use kakehashi::pipeline::Admit;
use kakehashi::query::{Now, Path, Transport};
use kakehashi::server::testing::{Street, street_by};
use kakehashi::wire::message::Message;

use crate::client::query;
use crate::upstream::{Upstream, forward};

const DAY: u64 = 86_400 * 1_000_000;

pub fn jumps() {
    let upstream = Upstream::start(300);
    let text = "[[network]]\nname = \"loopback\"\ncidr = [\"127.0.0.0/8\"]\ngroups = [\"vpc\"]\n".to_owned()
        + &forward(&[&upstream], "health-check = \"off\"");
    let folder = tempfile::tempdir().unwrap();
    let noon = Now { monotonic: Duration::from_secs(1000), unix_micros: 1_795_435_200_000_000 };
    let clock = Rc::new(Cell::new(noon));
    let reads = clock.clone();
    let street = street_by(Box::new(move || reads.get()), &text, folder.path());

    let mut ttls = vec![ttl(&street, clock.get())];
    for (seconds, unix_micros) in
        [(10, noon.unix_micros + DAY), (20, noon.unix_micros - DAY), (30, 0), (40, noon.unix_micros)]
    {
        clock.set(Now { monotonic: noon.monotonic + Duration::from_secs(seconds), unix_micros });
        ttls.push(ttl(&street, clock.get()));
    }
    println!(
        "    TTLs ten seconds apart, the clock a day ahead, a day behind, at 1970, right again: {ttls:?}"
    );
    assert_eq!(ttls, [300, 290, 280, 270, 260]);
    assert_eq!(upstream.asked(), 1);
}

/// The TTL of the one answer, from wherever it comes.
fn ttl(street: &Street, now: Now) -> u32 {
    let path = Path {
        client: SocketAddr::from(([127, 0, 0, 1], 4000)),
        local: SocketAddr::from(([127, 0, 0, 1], 53)),
        transport: Transport::Udp,
    };
    let packet = query(1, "www.up.test");
    let mut out = Vec::new();
    match street.worker.admit(&packet, &path, now, &mut out) {
        Admit::Reply => {}
        Admit::Resolve => {
            out = street.block_on(Rc::clone(&street.worker).resolve(packet.into(), path, now)).unwrap();
        }
        Admit::Drop => panic!("no reply"),
    }
    Message::parse(&out).unwrap().answer.iter().next().unwrap().ttl
}
