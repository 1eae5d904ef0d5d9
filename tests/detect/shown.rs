//! What is found is seen where an operator looks: on the dashboard, in words, with what it rests on.

use std::net::{SocketAddr, UdpSocket};

use serde_json::Value;

use crate::client::{query, receive};
use crate::families::FAMILIES;
use crate::process::Site;
use crate::viewer::Viewer;
use crate::{PATIENCE, WITHIN};

/// An upstream in which no name exists.
fn nothing_exists() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            let end = 12 + packet[12..length].iter().position(|octet| *octet == 0).unwrap() + 5;
            packet[2] |= 0x80;
            packet[3] = 0x83;
            packet[6..12].fill(0);
            if socket.send_to(&packet[..end], from).is_err() {
                return;
            }
        }
    });
    address
}

/// A frame of the dashboard with an alert in it.
fn frame_with_alert(viewer: &mut Viewer) -> Value {
    let mut frames = (0..PATIENCE.as_secs()).map(|_| viewer.frame());
    frames.find(|frame| frame["alerts"] != Value::Array(Vec::new())).expect("a frame with an alert")
}

#[test]
fn who_looks_at_the_dashboard_sees_an_infected_client_and_what_speaks_against_it() {
    let more = format!(
        r#"[detect]
enabled = true
[[network]]
name = "technova-mfg-prod-app"
cidr = ["127.0.1.0/24"]
account-id = "123456789012"
groups = ["vpc"]
[[upstream]]
name = "internet"
servers = ["{}"]
health-check = "off"
[[rule]]
domain = "."
forward = "internet"
visible-to = ["vpc"]
"#,
        nothing_exists()
    );
    let site = Site::new("127.0.0.1:0", "", &more);
    let server = site.start();
    let mut viewer = Viewer::sit(server.http);
    assert_eq!(viewer.head().0, 200);
    let quiet = viewer.frame();
    assert_eq!((&quiet["alerts"], &quiet["state"]), (&Value::Array(Vec::new()), &"good".into()), "{quiet}");

    let family = FAMILIES.iter().find(|family| family.name == "tinba-like").unwrap();
    let names: Vec<String> = (0..WITHIN).map(|n| family.name_of(7, n)).collect();
    let infected = UdpSocket::bind(("127.0.1.7", 0)).unwrap();
    infected.connect(server.dns).unwrap();
    infected.set_read_timeout(Some(PATIENCE)).unwrap();
    for (name, id) in names.iter().zip(1..) {
        infected.send(&query(id, name)).unwrap();
        assert_eq!(receive(&infected).unwrap(), (id, "NXDOMAIN".to_owned()));
    }

    let frame = frame_with_alert(&mut viewer);
    let shown = &frame["alerts"][0];
    assert_eq!(shown["kind"], "generated-names");
    assert_eq!(shown["subject"], "127.0.1.7 · technova-mfg-prod-app");
    let concern = &frame["concerns"][0];
    assert_eq!((&concern["code"], &concern["number"]), (&"alerts".into(), &1.0.into()), "{frame}");
    assert_eq!(frame["state"], "warning");
    // The numbers are those of the alert as programs read it, and the names are some that were asked for.
    let status: Value = serde_json::from_str(&server.page("/api/status").1).unwrap();
    let alert = &status["alerts"][0];
    assert_eq!(shown["time"], alert["last_seen"]);
    let evidence = shown["evidence"].as_str().unwrap();
    let parts: Vec<&str> = evidence.split(", ").collect();
    for (what, number) in alert["evidence"].as_object().unwrap() {
        let number = (number.as_f64().unwrap() * 100.0).round() / 100.0;
        assert!(parts.contains(&format!("{what} {number}").as_str()), "{what} {number}: {evidence}");
    }
    assert!(alert["evidence"]["unresolved"].as_f64().unwrap() >= 6.0, "{alert}");
    let asked = parts.iter().filter(|part| names.iter().any(|name| **part == format!("{name}."))).count();
    assert_eq!(asked, 3, "{evidence}");
    server.terminate();
}
