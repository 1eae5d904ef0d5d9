//! Configurations on trial: what is confirmed stays, and everything else goes.

use std::net::{Ipv4Addr, SocketAddr};

use nix::sys::signal::Signal;

use crate::client::ask;
use crate::process::{PLANNING, Server};
use crate::{
    PATIENCE, SOCKET, Site, ask_from, document, done, plain_site, site, start, tell, upstream, wait,
};

/// Writes beside the configuration one in which planning has another address.
fn write_successor(site: &Site) {
    let moved = site.read("technova.internal.zone").replace("10.0.30.100", "10.0.30.200");
    site.write("moved.zone", &moved);
    site.write("next.toml", &site.read("main.toml").replace("technova.internal.zone", "moved.zone"));
}

#[test]
fn what_nobody_confirms_is_taken_back_and_what_is_confirmed_outlives_a_restart() {
    let site = plain_site();
    write_successor(&site);
    let mut server = start(&site);
    done(&site, &["apply", "--confirm", "1s", "next.toml"]);
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.200");
    let (was_done, said) = tell(&site, &["apply", "--confirm", "1s", "next.toml"]);
    assert!(!was_done && said.contains("on trial already"), "{said}");
    server.until_says("is taken back: nobody confirmed it in time");
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.100");
    let (was_done, said) = tell(&site, &["confirm"]);
    assert!(!was_done && said.contains("no configuration is on trial"), "{said}");

    done(&site, &["apply", "--confirm", "5m", "next.toml"]);
    let status = document(&site, &["status", "--json"]);
    assert!(status["configuration"]["on_trial"]["seconds"].as_u64().unwrap() > 200, "{status}");
    let said = done(&site, &["confirm"]);
    assert!(said.contains("what was there is"), "{said}");
    assert!(
        site.read("main.toml").contains("moved.zone") && !site.read("main.toml.before").contains("moved")
    );
    done(&site, &["apply", "--confirm", "5m", "next.toml"]);
    done(&site, &["apply", "--cancel"]);
    server.terminate();
    let server = start(&site);
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.200");
}

#[test]
fn a_kill_before_the_confirmation_leaves_the_old_configuration_to_the_next_start() {
    let site = plain_site();
    write_successor(&site);
    let server = start(&site);
    done(&site, &["apply", "--confirm", "5m", "next.toml"]);
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.200");
    server.signal(Signal::SIGKILL);
    server.wait();
    assert!(site.path(SOCKET).exists(), "a killed server leaves its socket behind");
    let server = start(&site);
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.100");
}

#[test]
fn a_configuration_of_another_folder_is_what_the_next_start_reads_once_it_is_confirmed() {
    let site = plain_site();
    std::fs::create_dir(site.path("copy")).unwrap();
    let moved = site.read("technova.internal.zone").replace("10.0.30.100", "10.0.30.200");
    site.write("copy/technova.internal.zone", &moved);
    let main = site.read("main.toml").replace("[control]\nsocket = \"", "[control]\nsocket = \"../");
    site.write("copy/main.toml", &main);
    for led_by_a_link in [false, true] {
        if led_by_a_link {
            std::fs::rename(site.path("main.toml.before"), site.path("real.toml")).unwrap();
            std::fs::remove_file(site.path("main.toml")).unwrap();
            std::os::unix::fs::symlink("real.toml", site.path("main.toml")).unwrap();
        }
        let server = start(&site);
        assert_eq!(ask(server.dns, PLANNING), "10.0.30.100");
        done(&site, &["apply", "--confirm", "5m", "copy/main.toml"]);
        let said = done(&site, &["confirm"]);
        assert!(said.contains("includes it now"), "{said}");
        assert_eq!(ask(server.dns, PLANNING), "10.0.30.200");
        done(&site, &["apply", "--confirm", "5m", "copy/main.toml"]);
        done(&site, &["apply", "--cancel"]);
        server.terminate();
        let server = start(&site);
        assert_eq!(ask(server.dns, PLANNING), "10.0.30.200");
        server.terminate();
    }
}

#[test]
fn nothing_is_put_on_trial_while_a_restart_would_put_something_unconfirmed_in_force() {
    let site = plain_site();
    write_successor(&site);
    let server = start(&site);
    for (file, old, new) in [
        ("technova.internal.zone", "10.0.30.100", "10.0.30.177"),
        ("main.toml", "technova.internal.zone", "moved.zone"),
    ] {
        site.replace(file, old, new);
        for applied in ["next.toml", "main.toml"] {
            let (was_done, said) = tell(&site, &["apply", "--confirm", "5m", applied]);
            assert!(!was_done && said.contains("has changed since it was loaded"), "{said}");
        }
        site.replace(file, new, old);
    }
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.100");
    done(&site, &["apply", "--confirm", "5m", "next.toml"]);
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.200");
}

#[test]
fn a_view_that_fails_more_often_than_before_brings_the_old_configuration_back_at_once() {
    let (up, _) = upstream();
    let site = site([up, up]);
    site.write("next.toml", &site.read("main.toml").replace(&up.to_string(), "127.0.0.1:1"));
    let mut server = start(&site);
    for n in 0..40 {
        assert_eq!(ask(server.dns, &format!("a{n}.test.")), "192.0.2.1");
    }
    done(&site, &["apply", "--confirm", "5m", "next.toml"]);
    for n in 0..40 {
        ask(server.dns, &format!("b{n}.test."));
    }
    server.until_says("is taken back: view vpc: SERVFAIL rose from 0.0 % of its answers to ");
    assert_eq!(ask(server.dns, "c.test."), "192.0.2.1");
    let said = done(&site, &["status"]);
    assert!(said.contains("last trial: ") && said.contains("SERVFAIL rose"), "{said}");
}

#[test]
fn a_configuration_with_errors_is_never_on_trial_and_one_is_taken_back_by_hand() {
    let site = plain_site();
    write_successor(&site);
    let server = start(&site);
    site.write("broken.toml", "[listen]\nports = 3\n");
    let (was_done, said) = tell(&site, &["apply", "broken.toml"]);
    assert!(!was_done && said.contains("broken.toml:2:1"), "{said}");
    done(&site, &["apply", "next.toml"]);
    server.signal(Signal::SIGHUP);
    done(&site, &["apply", "--cancel"]);
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.100");
    let said = server.terminate().join("\n");
    assert!(said.contains("is on trial; confirm or cancel it first"), "{said}");
}

/// More names that do not exist than an ordinary client asks for in a minute, however the minutes fall.
fn storm(client: Ipv4Addr, server: SocketAddr) {
    for n in 0..800 {
        assert_eq!(ask_from(client, server, &format!("x{n}.technova.internal")), "NXDOMAIN");
    }
}

#[test]
fn the_detectors_go_by_the_old_thresholds_again_when_a_configuration_is_taken_back() {
    let site = plain_site();
    // Else the storm itself would be a reason to take it back.
    site.replace("main.toml", "min-queries = 20", "nxdomain-rise = \"off\"");
    let main = format!("{}[detect]\nenabled = true\nnxdomain = \"5/s\"\n", site.read("main.toml"));
    site.write("main.toml", &main);
    site.write("next.toml", &main.replace("nxdomain = \"5/s\"", "nxdomain = \"off\""));
    let mut server = start(&site);
    let told = |server: &Server| server.metric("kakehashi_alerts_total{kind=\"nxdomain-storm\"}") as u32;
    let storm_is_told = |server: &Server, client: Ipv4Addr, times: u32| {
        storm(client, server.dns);
        wait::until("the storm is told", PATIENCE, || (told(server) == times).then_some(()));
    };
    done(&site, &["apply", "--confirm", "5m", "next.toml"]);
    storm(Ipv4Addr::new(127, 0, 0, 5), server.dns);
    // The detectors look on as the log is written.
    wait::until("the storm is in the log", PATIENCE, || {
        (site.read("query.log").lines().count() >= 800).then_some(())
    });
    assert_eq!(told(&server), 0, "on trial nobody looks for storms");
    done(&site, &["apply", "--cancel"]);
    storm_is_told(&server, Ipv4Addr::new(127, 0, 0, 6), 1);
    done(&site, &["apply", "--confirm", "1s", "next.toml"]);
    server.until_says("is taken back: nobody confirmed it in time");
    storm_is_told(&server, Ipv4Addr::new(127, 0, 0, 7), 2);
}
