//! How good the model is, how soon an infected client is found, what is told falsely, and what it costs.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use kakehashi::detect::model::oddness;
use kakehashi::detect::{Detector, Kind};
use kakehashi::query::{Directory, Sighting};

use super::day::{Day, NETWORKS};
use super::families::{FAMILIES, Family};
use super::rng::Rng;
use super::scene::{Query, detector, directory};
use super::train::{domains, is_held_out};
use super::tunnels::TUNNELS;

/// Queries within which an infected client must be found, and infected clients of each kind.
const WITHIN: usize = 100;
const CLIENTS: usize = 50;
const BEGIN: u64 = 1_793_600_000_000_000;

pub fn print() {
    let benign: Vec<f32> = domains()
        .iter()
        .enumerate()
        .filter(|(at, _)| is_held_out(*at))
        .map(|(_, (label, tld))| oddness(label.as_bytes(), tld.as_bytes()))
        .collect();
    let false_share = share(&benign);
    println!("one name alone, log-odds above 0:");
    println!(
        "  domains that people chose, held out: {:.1} % of {} called drawn",
        false_share * 100.0,
        benign.len()
    );
    println!(
        "{:32} {:>8} {:>9} {:>9}  {:>13} {:>7}",
        "family", "trained", "recall", "precision", "clients found", "median"
    );
    for family in &FAMILIES {
        let scores: Vec<f32> = (0..2_000).map(|n| score(family, n)).collect();
        let recall = share(&scores);
        let precision = recall / (recall + false_share).max(1e-9);
        let found = infected(|rng, n, seed| dga(family, rng, n, seed), Kind::GeneratedNames);
        let trained = if family.trained { "yes" } else { "held out" };
        report(
            family.name,
            &format!("{trained:>8} {:>8.1}% {:>8.1}%", recall * 100.0, precision * 100.0),
            &found,
        );
    }
    for tunnel in &TUNNELS {
        let ask = |rng: &mut Rng, n: usize, seed: u64| Query {
            micros: BEGIN + n as u64 * tunnel.pace * 1_000,
            ..tunnel.query(rng, &format!("t.carrier{seed}.com"))
        };
        report(tunnel.name, &format!("{:>8} {:>9} {:>9}", "", "", ""), &infected(ask, Kind::Tunnel));
    }
}

fn score(family: &Family, n: usize) -> f32 {
    let name = family.name_of(9_000 + n as u64 / 100, n);
    let (label, suffix) = name.split_once('.').unwrap();
    oddness(label.as_bytes(), suffix.rsplit('.').next().unwrap().as_bytes())
}

fn share(scores: &[f32]) -> f32 {
    scores.iter().filter(|score| **score > 0.0).count() as f32 / scores.len() as f32
}

/// Six in ten of an infected client's queries are the generator's, and one in twenty of those exists.
fn dga(family: &Family, rng: &mut Rng, n: usize, seed: u64) -> Query {
    let micros = BEGIN + n as u64 * 2_000_000;
    if rng.chance(0.4) {
        let (label, tld) = &domains()[rng.below(4_000)];
        return Query::new(micros, 0, 0, format!("www.{label}.{tld}"));
    }
    let query = Query::new(micros, 0, 0, family.name_of(seed, n));
    if rng.chance(0.95) { query.missing() } else { query }
}

/// For each infected client after how many of its queries it was found.
fn infected(mut ask: impl FnMut(&mut Rng, usize, u64) -> Query, kind: Kind) -> Vec<Option<usize>> {
    let (mut detector, names, mut wire) = (detector(), directory(NETWORKS), Vec::new());
    let mut rng = Rng::new(77);
    let client = |client: usize| {
        let found = (0..WITHIN).find(|n| {
            let mut query = ask(&mut rng, *n, 500 + client as u64);
            (query.network, query.host) = (client as u32, 66);
            query.show(&mut wire, &mut |seen| detector.see(seen, &names));
            detector.take().iter().any(|finding| finding.kind == kind)
        });
        found.map(|n| n + 1)
    };
    (0..CLIENTS).map(client).collect()
}

fn report(name: &str, before: &str, found: &[Option<usize>]) {
    let mut after: Vec<usize> = found.iter().flatten().copied().collect();
    after.sort_unstable();
    let share = after.len() as f64 * 100.0 / found.len() as f64;
    let median = after.get(after.len() / 2).map_or("-".to_owned(), ToString::to_string);
    println!("{name:32} {before}  {share:>12.1}% {median:>7}");
}

pub fn day(doings: f64) {
    let (mut detector, names, mut wire) = (detector(), directory(NETWORKS), Vec::new());
    let (mut told, mut shown) = (BTreeMap::<Kind, u64>::new(), 0);
    let played = Day::new(3).play(doings, |query| {
        query.show(&mut wire, &mut |seen| detector.see(seen, &names));
        for finding in detector.take() {
            *told.entry(finding.kind).or_default() += 1;
            shown += 1;
            if shown <= 30 {
                println!("{finding:?}");
            }
        }
    });
    let all: u64 = told.values().sum();
    println!("{played} queries, {all} findings: {told:?}; {:.2} a million", all as f64 * 1e6 / played as f64);
}

/// Whose cost is asked for.
#[derive(Clone, Copy)]
pub enum Mix {
    /// An ordinary day's.
    Ordinary,
    /// Names and domains that are all new, from so many clients.
    Flood { clients: u64 },
}

/// What one look costs, in detectors that have seen an hour's half. Instructions: `valgrind --tool=callgrind
/// --toggle-collect='kakehashi::detect::detector::Detector::see*'`, by the number of queries.
pub fn cost(mix: Mix) {
    let (names, mut detector, mut queries) = (directory(NETWORKS), detector(), Vec::new());
    Day::new(5).play_minutes(540..600, 0.5, |query| queries.push(query.clone()));
    if let Mix::Flood { clients } = mix {
        let mut rng = Rng::new(4);
        let drawn = |n: u64| {
            let (head, domain) = (rng.text("abcdefgh0123", 20), rng.text("abcdefgh", 12));
            let (network, host) = ((n % clients / 200) as u32, (n % clients % 200) as u8);
            Query::new(BEGIN + n * 1_000, network, host, format!("{head}.{domain}.com")).missing()
        };
        queries = (0..queries.len() as u64).map(drawn).collect();
    }
    let half = queries.len() / 2;
    batches(&mut detector, &queries[..half], &names);
    let each = batches(&mut detector, &queries[half..], &names);
    let (least, middle) = (each[0], each[each.len() / 2]);
    println!(
        "{half} queries in batches of a thousand: {middle:.0} ns each in the middle one, {least:.0} in the best"
    );
}

/// Nanoseconds a query of each batch, the least first.
fn batches(detector: &mut Detector, queries: &[Query], names: &Directory) -> Vec<f64> {
    let mut wires: Vec<(Query, Vec<u8>)> = Vec::new();
    for query in queries {
        let mut wire = Vec::new();
        query.show(&mut wire, &mut |_| ());
        wires.push((query.clone(), wire));
    }
    let mut each = Vec::new();
    for part in wires.chunks(1_000) {
        let begin = Instant::now();
        for (query, wire) in part {
            let seen = Sighting { response: wire, ..query.sighting() };
            detector.see(black_box(&seen), names);
        }
        each.push(begin.elapsed().as_nanos() as f64 / part.len() as f64);
        detector.take();
    }
    each.sort_by(f64::total_cmp);
    each
}
