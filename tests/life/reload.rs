//! SIGHUP: the new configuration and zones whole, or the old ones; and in either case no query is lost.

use nix::sys::signal::Signal;

use crate::client::{Load, ask};
use crate::process::{PLANNING, Server, Site};

const NAMES: &[&str] = &[PLANNING, "resolver.technova.internal", "nothere.technova.internal"];
const FAILURE: &str = "kakehashi_reloads_total{result=\"failure\"}";
const SUCCESS: &str = "kakehashi_reloads_total{result=\"success\"}";
const STAYS: &str = "reload failed: the configuration of before stays in force";

/// Reloads under load, and says that nothing was lost.
fn reload(server: &mut Server, outcome: &str) {
    let load = Load::start(server.dns, 4, NAMES);
    load.await_answers(50);
    server.signal(Signal::SIGHUP);
    server.until_says(outcome);
    load.await_answers(50);
    let (_, faults) = load.finish();
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn a_good_change_is_in_force_at_once() {
    let site = Site::new("127.0.0.1:0", "", "");
    let mut server = site.start();
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.100");
    assert_eq!(ask(server.dns, "extra.test"), "REFUSED");
    site.replace("technova.internal.zone", "10.0.30.100", "10.0.30.199");
    site.write(
        "extra.zone",
        "$TTL 60\n@ SOA ns.extra.test. h.extra.test. 1 1 1 1 1\n  NS ns.technova.internal.\n  A 10.9.9.9\n",
    );
    let extra = "\n[[zone]]\ndomain = \"extra.test\"\nfile = \"extra.zone\"\nvisible-to = [\"vpc\"]\n";
    site.write("main.toml", &(site.read("main.toml") + extra));
    reload(&mut server, "reloaded main.toml");
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.199");
    assert_eq!(ask(server.dns, "extra.test"), "10.9.9.9");
    assert_eq!((server.metric(SUCCESS), server.metric(FAILURE)), (1.0, 0.0));
    server.terminate();
}

#[test]
fn a_broken_change_leaves_all_as_it_was_and_says_where_it_is_broken() {
    let site = Site::new("127.0.0.1:0", "", "");
    let mut server = site.start();
    for (nth, (file, old, broken, place)) in [
        ("main.toml", "[query-log]", "[query-lag]", "--> main.toml:8:"),
        ("technova.internal.zone", "10.150.20.10", "10.150.20", "--> technova.internal.zone:5:16"),
        ("main.toml", "technova.internal.zone", "nothere.zone", "nothere.zone"),
    ]
    .into_iter()
    .enumerate()
    {
        // A good change beside the broken one must not come through.
        site.replace("technova.internal.zone", "10.0.30.100", "10.0.30.199");
        site.replace(file, old, broken);
        let before = server.said.len();
        reload(&mut server, STAYS);
        let said = server.said[before..].join("\n");
        assert!(said.contains(place), "{place} is not in:\n{said}");
        assert_eq!(ask(server.dns, PLANNING), "10.0.30.100");
        assert_eq!(server.metric(FAILURE) as usize, nth + 1);
        assert_eq!(server.page("/readyz").0, 200, "it serves as before");
        let status: serde_json::Value = serde_json::from_str(&server.page("/api/status").1).unwrap();
        assert_eq!(status["configuration"]["last_reload"]["result"], "failure");
        assert!(status["configuration"]["last_reload"]["reasons"][0].is_string());
        site.replace(file, broken, old);
        site.replace("technova.internal.zone", "10.0.30.199", "10.0.30.100");
    }
    reload(&mut server, "reloaded main.toml");
    assert_eq!((server.metric(SUCCESS), server.metric(FAILURE)), (1.0, 3.0));
    server.terminate();
}

#[test]
fn what_only_a_start_can_change_is_said_until_there_is_one() {
    let site = Site::new("127.0.0.1:0", "", "");
    let mut server = site.start();
    site.replace("main.toml", "workers = 2", "workers = 3");
    for _ in 0..2 {
        server.signal(Signal::SIGHUP);
        server.until_says("[listen] changed: takes effect at the next restart");
        server.until_says("reloaded main.toml");
    }
    site.replace("main.toml", "workers = 3", "workers = 2");
    let before = server.said.len();
    server.signal(Signal::SIGHUP);
    server.until_says("reloaded main.toml");
    assert!(!server.said[before..].iter().any(|line| line.contains("restart")), "{:?}", server.said);
    server.terminate();
}

#[test]
fn reloads_and_pages_stand_back_behind_the_workers() {
    let site = Site::new("127.0.0.1:0", "", "");
    let mut server = site.start();
    server.signal(Signal::SIGHUP);
    server.until_says("reloaded main.toml");
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let stats = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap());
    let (behind, others): (Vec<_>, Vec<_>) = stats
        .map(|stat| nice_value(&stat))
        .partition(|(name, _)| ["kkh-reload", "control"].contains(&&name[..]));
    assert!(behind.len() == 2 && others.len() > 2, "{behind:?} {others:?}");
    let least = behind.iter().map(|(_, nice)| *nice).min().unwrap();
    assert!(others.iter().all(|(_, nice)| *nice < least), "{behind:?} {others:?}");
    server.terminate();
}

/// A thread's name and nice value (proc_pid_stat(5): fields 2 and 19).
fn nice_value(stat: &str) -> (String, i32) {
    let (name, rest) = stat.split_once('(').unwrap().1.rsplit_once(") ").unwrap();
    (name.to_owned(), rest.split(' ').nth(16).unwrap().parse().unwrap())
}
