//! Controllers die and come back while clients go on asking.

use std::time::Duration;

use crate::load::{Load, Outcome, failed};
use crate::peers::Peer;
use crate::wait;
use crate::world::Lab;

const CLIENT: &str = "10.0.30.100";
/// Every query has a name of its own below this one, so that each must be forwarded.
const DOMAIN: &str = "load.technova.local";
/// `fall` or `rise` probes of the shipped configuration at their interval, with much to spare.
const DETECTION: Duration = Duration::from_secs(40);
/// What counts the queries that waited in vain for the first controller.
const DEAD_TRIES: [(&str, &str); 3] =
    [("upstream", "onprem-dc"), ("server", "192.168.1.10:53"), ("reason", "timeout")];
/// Enough queries to see who is asked.
const A_WHILE: usize = 300;

pub fn a_dead_controller_costs_no_client_an_answer() {
    let lab = Lab::build();
    let load = Load::start(&lab.site.network, CLIENT, DOMAIN);
    load.await_answers(A_WHILE);

    let died = load.now();
    lab.site.network.unplug("dc1");
    await_up(&lab, "192.168.1.10", Up::No);
    let noticed = load.now();
    load.await_answers(A_WHILE);

    let lost = lab.metrics().sum("kakehashi_upstream_failures_total", &DEAD_TRIES) as usize;

    let returned = load.now();
    lab.site.network.plug("dc1");
    await_up(&lab, "192.168.1.10", Up::Yes);
    // Its load comes back a bit at a time.
    wait::until("the controller has its share again", DETECTION, || {
        (0.4..=0.6).contains(&share_of_the_first(&lab, &load)).then_some(())
    });
    let outcomes = load.finish();

    assert_eq!(failed(&outcomes), Vec::<String>::new(), "no query fails: the next controller is asked");
    // The shipped health checks, 5 s apart and 3 to fall, are too slow to spare the clients; the first queries that wait
    // in vain must. If they did not, every second query of the outage would be sent to the dead controller first.
    let sent = window(&outcomes, died, returned).len();
    assert!(lost > 0, "the first of them had to find out");
    assert!(
        lost * 5 < sent,
        "a dead controller is not asked first for long: {lost} of {sent} queries were sent to it in vain"
    );

    let [dc1, dc2, dc3] = &lab.site.dcs;
    let before = window(&outcomes, Duration::ZERO, died);
    let during = window(&outcomes, noticed, returned);
    assert!(count(dc1, &before) > 0 && count(dc2, &before) > 0, "both primaries share the queries at first");
    assert_eq!(count(dc1, &during), 0, "a controller that is down is not asked");
    assert!(count(dc2, &during) >= during.len(), "the other one serves all of it");
    assert_eq!(dc3.asked_below(DOMAIN), 0, "the backup is not needed while one primary lives");
}

pub fn the_backup_serves_when_both_primaries_are_dead() {
    let mut lab = Lab::build();
    let load = Load::start(&lab.site.network, CLIENT, DOMAIN);
    load.await_answers(A_WHILE);

    lab.site.dcs[0].kill();
    lab.site.dcs[1].kill();
    await_up(&lab, "192.168.1.10", Up::No);
    await_up(&lab, "192.168.1.11", Up::No);
    let noticed = load.now();
    load.await_answers(A_WHILE);

    let returned = load.now();
    let network = &lab.site.network;
    lab.site.dcs[..2].iter_mut().for_each(|dc| dc.start(network));
    await_up(&lab, "192.168.1.10", Up::Yes);
    await_up(&lab, "192.168.1.11", Up::Yes);
    let healed = load.now();
    let end = load.await_answers(A_WHILE);
    let outcomes = load.finish();

    assert_eq!(failed(&outcomes), Vec::<String>::new(), "no query fails: the backup is asked");
    let [dc1, dc2, dc3] = &lab.site.dcs;
    let during = window(&outcomes, noticed, returned);
    assert!(count(dc3, &during) >= during.len(), "the backup serves all of it");
    let after = window(&outcomes, healed, end);
    assert_eq!(count(dc3, &after), 0, "the backup rests once the primaries are back");
    assert!(count(dc1, &after) > 0 && count(dc2, &after) > 0, "and they share the queries again");
}

/// Of the next queries to the primaries.
fn share_of_the_first(lab: &Lab, load: &Load) -> f64 {
    let asked = || [0, 1].map(|nth: usize| lab.site.dcs[nth].asked_below(DOMAIN) as f64);
    let before = asked();
    load.await_answers(A_WHILE);
    let after = asked();
    let [first, second] = [after[0] - before[0], after[1] - before[1]];
    first / (first + second).max(1.0)
}

/// What the health of a controller should be.
#[derive(Clone, Copy)]
enum Up {
    No,
    Yes,
}

fn await_up(lab: &Lab, server: &str, up: Up) {
    let (what, wanted) = match up {
        Up::No => ("down", 0.0),
        Up::Yes => ("up", 1.0),
    };
    // The metric's label may carry the port.
    let name = "kakehashi_upstream_up";
    let with_port = format!("{server}:53");
    lab.await_metrics(&format!("{server} is seen as {what}"), DETECTION, |metrics| {
        [server, &with_port].iter().any(|label| {
            let labels = [("upstream", "onprem-dc"), ("server", *label)];
            metrics.has(name, &labels) && (metrics.sum(name, &labels) - wanted).abs() < 0.5
        })
    });
}

/// The queries that were sent between two moments of the load.
fn window(outcomes: &[Outcome], from: Duration, to: Duration) -> Vec<usize> {
    outcomes.iter().filter(|o| o.sent > from && o.sent < to).map(|o| o.number).collect()
}

/// How many of these queries a controller was asked.
fn count(dc: &Peer, numbers: &[usize]) -> usize {
    let suffix = format!(".{DOMAIN}");
    let asked = dc.asked();
    let number = |name: &str| name.strip_suffix(&suffix)?.strip_prefix('q')?.parse::<usize>().ok();
    asked
        .iter()
        .filter_map(|asked| number(&asked.name))
        .filter(|number| numbers.binary_search(number).is_ok())
        .count()
}
