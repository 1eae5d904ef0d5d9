//! The detectors as a whole, event by event.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use super::{Detector, Finding, Kind, Settings};
use crate::config::Detect;
use crate::query::directory::NetworkName;
use crate::query::{Directory, Sighting, Source, Transport};
use crate::wire::Name;

const BEGIN: u64 = 1_700_000_000;

struct Scene {
    detector: Detector,
    names: Directory,
    found: Vec<Finding>,
}

impl Scene {
    fn new(detect: Detect) -> Scene {
        let own = vec!["technova.local".parse().unwrap()];
        let network =
            NetworkName { name: "app".into(), account_id: Some("123".into()), ..NetworkName::default() };
        Scene {
            detector: Detector::new(Settings { detect, exempt: own, node: "n".into() }),
            names: Directory { networks: vec![network], ..Directory::default() },
            found: Vec::new(),
        }
    }

    fn ask(&mut self, client: &str, millis: u64, name: &str, rcode: u16, ttl: u32) {
        let mut response = vec![0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        response.extend_from_slice(name.parse::<Name>().unwrap().wire());
        response.extend_from_slice(&[0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1]);
        response.extend_from_slice(&ttl.to_be_bytes());
        response.extend_from_slice(&[0, 4, 192, 0, 2, 1]);
        let seen = Sighting {
            unix_micros: BEGIN * 1_000_000 + millis * 1_000,
            duration_micros: 1,
            client: client.parse::<IpAddr>().unwrap(),
            port: 1,
            local: "10.150.20.10:53".parse().unwrap(),
            transport: Transport::Udp,
            network: Some(0),
            view: None,
            route: None,
            server: None,
            source: Source::Forward,
            rcode,
            dnssec_ok: false,
            checking_disabled: false,
            ede: None,
            query: &[],
            response: &response,
        };
        self.detector.see(&seen, &self.names);
        self.found.extend(self.detector.take());
    }

    fn kinds(&self) -> Vec<Kind> {
        self.found.iter().map(|finding| finding.kind).collect()
    }
}

fn on() -> Detect {
    Detect { enabled: true, ..Detect::default() }
}

/// An hour of something else, so that what comes is new.
fn learned(detect: Detect) -> Scene {
    let mut scene = Scene::new(detect);
    (0..130).for_each(|n| scene.ask("10.0.0.250", n * 30_000, "www.example.com", 0, 300));
    scene
}

const LATER: u64 = 4_000_000;

#[test]
fn drawn_names_are_found_with_samples_and_where_they_come_from() {
    let mut scene = Scene::new(on());
    for n in 0..20u64 {
        let label: String = (0..12u64)
            .map(|at| char::from(b'a' + ((n * 7 + at * at * 11 + n * at * 5) % 26) as u8))
            .collect();
        scene.ask("10.0.0.1", n * 1_000, &format!("{label}.net"), 3, 60);
    }
    let finding = &scene.found[0];
    assert_eq!((finding.kind, finding.client), (Kind::GeneratedNames, "10.0.0.1".parse().ok()));
    assert_eq!((finding.network.as_deref(), finding.account.as_deref()), (Some("app"), Some("123")));
    assert!(finding.evidence["unresolved"] >= 6.0 && finding.samples.len() >= 6, "{finding:?}");
    assert!(finding.samples[0].ends_with(".net."));
}

#[test]
fn names_of_ours_and_of_providers_are_never_called_drawn_or_a_tunnel() {
    let mut scene = Scene::new(on());
    for n in 0..3_000u64 {
        let drawn =
            format!("{:016x}{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n.wrapping_mul(0xc2b2_ae3d));
        for suffix in [
            "technova.local",
            "execute-api.us-east-1.amazonaws.com",
            "cloudfront.net",
            "zen.spamhaus.org",
            "ip6.arpa",
        ] {
            // Slowly enough that it is no storm.
            scene.ask(
                "10.0.0.1",
                n * 60_000,
                &format!("{drawn}.{suffix}"),
                if n % 2 == 0 { 3 } else { 0 },
                60,
            );
        }
    }
    assert_eq!(scene.kinds(), []);
}

#[test]
fn a_beacon_is_a_new_name_that_one_client_alone_asks_for_like_a_clock() {
    let mut scene = learned(on());
    (0..40).for_each(|n| scene.ask("10.0.0.1", LATER + n * 90_000 + n % 2 * 900, "c2.quietplace.com", 0, 20));
    assert_eq!(scene.kinds(), [Kind::Beacon]);
    assert_eq!(scene.found[0].domain.as_deref(), Some("quietplace.com."));
    assert!((89.0..91.5).contains(&scene.found[0].evidence["interval_seconds"]), "{:?}", scene.found);
}

#[test]
fn regular_things_that_are_no_beacon() {
    let mut scene = learned(on());
    for n in 0..200 {
        let at = LATER + n * 90_000;
        scene.ask("10.0.0.1", at, "api.by-ttl.com", 0, 85);
        scene.ask("10.0.0.2", at, "agent.known-by-two.com", 0, 20);
        scene.ask("10.0.0.3", at + 5_000, "agent.known-by-two.com", 0, 20);
        scene.ask("10.0.0.4", at, "dc01.technova.local", 0, 20);
        scene.ask("10.0.0.5", at + n * 7_919 % 60_000, "jitter.updates.com", 0, 20);
        (0..9).for_each(|check| scene.ask("10.0.0.6", at + check * 10_000, "health.partner.com", 0, 20));
    }
    assert_eq!(scene.kinds(), []);
}

#[test]
fn storms_are_of_new_missing_names_or_of_failures() {
    let mut scene = Scene::new(on());
    for n in 0..500 {
        scene.ask("10.0.0.1", n * 20, &format!("x{n}.victim.com"), 3, 60);
        scene.ask("10.0.0.2", n * 20, "again.victim.com", 3, 60);
        scene.ask("10.0.0.3", n * 20, "www.down.com", 2, 0);
    }
    assert_eq!(scene.kinds(), [Kind::NxdomainStorm, Kind::ServfailStorm]);
    assert_eq!(scene.found[0].client, "10.0.0.1".parse().ok());
    assert_eq!(scene.found[0].samples.len(), 8);
}

#[test]
fn a_client_that_asks_far_more_than_it_used_to_is_found() {
    let mut scene = Scene::new(on());
    let minute = |scene: &mut Scene, minute: u64, many: u64| {
        (0..many).for_each(|n| scene.ask("10.0.0.1", minute * 60_000 + n * 10, "www.example.com", 0, 300));
    };
    (0..70).for_each(|at| minute(&mut scene, at, 20));
    assert_eq!(scene.kinds(), []);
    (70..74).for_each(|at| minute(&mut scene, at, 5_000));
    assert_eq!(scene.kinds(), [Kind::ClientChange]);
}

#[test]
fn thresholds_and_exemptions_are_obeyed_at_once() {
    let storm = |scene: &mut Scene, client: &str, from: u64| {
        (0..500).for_each(|n| scene.ask(client, from + n * 20, &format!("x{from}-{n}.victim.com"), 3, 60));
    };
    let mut scene = Scene::new(Detect { nxdomain: 0, ..on() });
    storm(&mut scene, "10.0.0.1", 0);
    assert_eq!(scene.kinds(), [], "off");
    let settings = |detect| Settings { detect, exempt: vec![], node: "n".into() };
    scene.detector.set(settings(Detect { allow_clients: vec!["10.0.0.0/24".parse().unwrap()], ..on() }));
    storm(&mut scene, "10.0.0.2", 120_000);
    assert_eq!(scene.kinds(), [], "an allowed client");
    scene.detector.set(settings(on()));
    storm(&mut scene, "10.0.0.3", 240_000);
    assert_eq!(scene.kinds(), [Kind::NxdomainStorm]);
}

#[test]
fn no_octets_from_the_network_stop_it() {
    let mut scene = Scene::new(on());
    let mut state = 1u64;
    for length in 0..600 {
        let response: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 60) as u8 * if state & 64 == 0 { 1 } else { 17 }
            })
            .collect();
        let client = "10.0.0.1".parse().unwrap();
        let seen = Sighting {
            unix_micros: state,
            duration_micros: 0,
            client,
            port: 0,
            local: "10.150.20.10:53".parse().unwrap(),
            transport: Transport::Tcp,
            network: Some(99),
            view: None,
            route: None,
            server: None,
            source: Source::Local,
            rcode: (state % 24) as u16,
            dnssec_ok: false,
            checking_disabled: false,
            ede: None,
            query: &[],
            response: &response,
        };
        scene.detector.see(&seen, &scene.names);
    }
}
