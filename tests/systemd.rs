//! The units in systemd/, judged by systemd itself where it is installed.
#![allow(clippy::unwrap_used)]

use std::process::Command;

const SERVICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/kakehashi.service");
const SOCKET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/kakehashi.socket");

fn analyze(arguments: &[&str]) -> Option<(bool, String)> {
    let Ok(output) = Command::new("systemd-analyze").args(arguments).output() else {
        eprintln!("systemd-analyze is not installed: not checked");
        return None;
    };
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Some((output.status.success(), said.concat()))
}

#[test]
fn the_sandbox_leaves_an_exposure_of_one_and_a_half_at_most() {
    if let Some((ok, said)) =
        analyze(&["security", "--no-pager", "--offline=true", "--threshold=15", SERVICE])
    {
        assert!(ok, "{said}");
    }
}

#[test]
fn every_line_of_the_units_is_understood() {
    let Some((_, said)) = analyze(&["verify", "--man=no", SERVICE, SOCKET]) else { return };
    // The program is not installed where it is tested.
    let odd: Vec<_> = said.lines().filter(|line| !line.contains("is not executable")).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[test]
fn the_service_may_bind_low_ports_and_nothing_else() {
    let service = std::fs::read_to_string(SERVICE).unwrap();
    for line in ["AmbientCapabilities=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE"] {
        assert!(service.lines().any(|have| have == line), "{line}");
    }
}
