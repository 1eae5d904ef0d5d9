//! Which queries have a line, and how many each stands for.

use kakehashi::observe::filter::Selection;
use kakehashi::observe::readings::LogReading;
use kakehashi::query::Event;

use crate::event::{event, response};
use crate::{BOUND, file, lines, start, until_lines};

#[test]
fn lines_are_made_of_what_is_selected_only_and_the_rest_is_not_missed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("query.log");
    let mut bench = start(&file(&path), 1 << 20, 1);
    let control = bench.log.control();
    let all = Selection::default;
    let (stranger, known) = ((None, Some(0), 0), (Some(0), Some(0), 0));
    // Of each two clients, routes or RCODEs the second is selected.
    let cases = [
        (Selection { networks: vec!["technova-mfg-prod-app".into()], ..all() }, [stranger, known]),
        (Selection { routes: vec!["technova.internal".into()], ..all() }, [(Some(0), None, 0), known]),
        (Selection { rcodes: vec![2, 3], ..all() }, [known, (Some(0), None, 3)]),
        (Selection { rcodes: vec![0], ..all() }, [(Some(0), Some(0), 23), known]),
    ];
    let count = cases.len() as u64;
    for (nth, (selection, events)) in (1..).zip(cases) {
        control.select(&selection);
        for (who, (network, route, rcode)) in ["not", "yes"].into_iter().zip(events) {
            let bytes = response(&format!("{who}.{nth}."));
            bench.recorders[0].record(&Event { network, route, rcode, ..event(&bytes) });
        }
        bench.recorders[0].flush();
        until_lines(&control, nth);
    }
    assert_eq!(bench.log.shutdown(BOUND), LogReading { lines: count, queue_full: 0, write_failed: 0 });
    let lines = lines(&path);
    let names: Vec<_> = lines.iter().map(|line| line["query_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["yes.1.", "yes.2.", "yes.3.", "yes.4."]);
    assert!(lines[0]["kakehashi"].get("sample").is_none(), "nothing is left out of it");
}

#[test]
fn a_sampled_log_adds_up_to_what_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("query.log");
    let mut bench = start(&file(&path), 4 << 20, 1);
    bench.log.control().select(&Selection { sample: 50, always: vec![2], ..Selection::default() });
    for nth in 0..10_000 {
        let bytes = response(&format!("q{nth}."));
        bench.recorders[0].record(&Event { rcode: if nth % 1_000 == 0 { 2 } else { 0 }, ..event(&bytes) });
        if nth % 100 == 99 {
            bench.recorders[0].flush();
        }
    }
    bench.log.shutdown(BOUND);
    let lines = lines(&path);
    let weights = |rcode: &str| -> Vec<u64> {
        let of = lines.iter().filter(|line| line["rcode"] == rcode);
        of.map(|line| line["kakehashi"]["sample"].as_u64().unwrap()).collect()
    };
    assert_eq!(weights("SERVFAIL"), [1; 10], "every failure is there");
    let good = weights("NOERROR");
    assert!(good.iter().all(|weight| *weight == 50));
    // To the last sample, of which it may be the end.
    let total: u64 = good.iter().sum();
    assert!(total.abs_diff(9_990) <= 50, "{total}");
}
