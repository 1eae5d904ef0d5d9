//! An upstream that comes and goes under a steady load: nothing is lost where another can answer, memory does not grow.

use std::time::{Duration, Instant};

use crate::client::ask;
use crate::load::Steady;
use crate::process::{Server, Site};
use crate::upstream::{ANSWER, Upstream, forward};
use crate::{PATIENCE, wait};

const PER_SECOND: u32 = 1000;
/// Of the names of the load, so that what the server keeps is bounded.
const NAMES: usize = 3000;
/// Caches, like the log's queue, that are full long before half time: what grows after that grows for ever.
const SMALL: &str = "\n[cache]\nsize = \"1MiB\"\nanswer-size = \"64KiB\"\n";
const QUICK: &str =
    "try-timeout = \"150ms\"\nhealth-check = { query = \". NS\", interval = \"1s\", fall = 2, rise = 1 }";

pub fn flapping() {
    let seconds =
        std::env::var("KAKEHASHI_FLAP_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    // Twelve times down and up in a minute; every half minute in ten.
    let turn = Duration::from_secs_f64(if seconds < 300 { seconds as f64 / 24.0 } else { 30.0 });
    let upstreams = [Upstream::start(1), Upstream::start(1)];
    let site = Site::new("127.0.0.1:0", "", &(forward(&[&upstreams[0], &upstreams[1]], QUICK) + SMALL));
    site.replace("main.toml", "[query-log]", "[query-log]\nqueue = \"64KiB\"");
    let server = site.start();
    let load = Steady::start(server.dns, PER_SECOND, |number| format!("q{}.up.test", number % NAMES));
    let (began, mut samples, mut turns) = (Instant::now(), Vec::new(), 0u32);
    wait::until("the time is over", Duration::from_secs(seconds) + PATIENCE, || {
        let now = began.elapsed();
        if now >= turn * (turns + 1) {
            turns += 1;
            if turns % 2 == 1 { upstreams[0].goes() } else { upstreams[0].comes() }
        }
        samples.push((now.as_secs_f64(), resident(&server)));
        (now >= Duration::from_secs(seconds)).then_some(())
    });
    let (asked, late, said) = load.finish();
    let answered = said.get(ANSWER).copied().unwrap_or(0);
    println!("    {asked} asked in {seconds} s, the upstream turned {turns} times: {said:?}");
    println!("    the machine was late with a question by {late:?} at worst");
    println!("    upstream queries: {} and {}", upstreams[0].asked(), upstreams[1].asked());
    let late = &samples[samples.len() / 2..];
    let growth = late[late.len() - 1].1 - late[0].1;
    println!(
        "    resident: {:.1} MB at first, {:.1} at half time, {:.1} at the end; slope of the second half {:.2} MB/h",
        samples[0].1,
        late[0].1,
        late[late.len() - 1].1,
        slope(late) * 3600.0
    );
    assert!(answered as f64 >= asked as f64 * 0.9999, "{answered} of {asked}");
    // In a minute an allocator's page or two weighs more than any slope; in ten the slope is what counts.
    assert!(growth < 1.0, "{growth} MB in the second half");
    if seconds >= 600 {
        assert!(slope(late) * 3600.0 <= 0.5, "{} MB/h", slope(late) * 3600.0);
    }
    server.terminate();
}

/// With no other, questions fail while it is gone, and are answered when it is back, without a stop of ours.
pub fn alone() {
    let upstream = Upstream::start(1);
    let site = Site::new("127.0.0.1:0", "", &forward(&[&upstream], QUICK));
    let server = site.start();
    assert_eq!(ask(server.dns, "a.up.test"), ANSWER);
    let mut number = 0;
    let mut took = Vec::new();
    for _ in 0..3 {
        upstream.goes();
        number += 1;
        assert_eq!(ask(server.dns, &format!("gone{number}.up.test")), "SERVFAIL");
        upstream.comes();
        let back = Instant::now();
        wait::until("it is used again", PATIENCE, || {
            number += 1;
            (ask(server.dns, &format!("back{number}.up.test")) == ANSWER).then_some(())
        });
        took.push(back.elapsed());
    }
    println!("    from its return to the first good answer: {took:?}");
    server.terminate();
}

/// Resident memory, in MB of 1024 × 1024 octets.
fn resident(server: &Server) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Of the straight line through the samples, by least squares: MB a second.
fn slope(samples: &[(f64, f64)]) -> f64 {
    let count = samples.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (time, size) = (mean(|sample| sample.0), mean(|sample| sample.1));
    let along = samples.iter().map(|(at, mb)| (at - time) * (mb - size)).sum::<f64>();
    along / samples.iter().map(|(at, _)| (at - time).powi(2)).sum::<f64>()
}
