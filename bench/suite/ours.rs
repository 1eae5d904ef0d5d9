//! Kakehashi as it is measured: the same forwarder or authority as the others, with as many networks, routes and names as
//! a cost curve wants.

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::peer::{AUTHORITY, Launch, PORT, Role};
use super::question::{ZONE, digits};

/// MiB of each worker's answer cache: the default.
pub const ANSWERS: u32 = 16;
/// How many networks VIEWS has.
pub const VIEWS: u8 = 100;

/// What the configuration holds.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Worker threads.
    pub workers: usize,
    /// The query log's file, or `off`.
    pub log: &'static str,
    /// Whether the detectors are on.
    pub detects: bool,
    /// Networks beside the loopback.
    pub networks: u32,
    /// Networks 10.99.N.0/24 that each see a domain of their own.
    pub views: u8,
    /// Forwarding rules beside the one for everything.
    pub routes: u32,
    /// Names in the zone `local.example`.
    pub zone: u32,
    /// MiB of the response cache.
    pub cache: u32,
}

impl Shape {
    /// The least.
    pub const PLAIN: Shape = Shape {
        workers: 1,
        log: "off",
        detects: false,
        networks: 0,
        views: 0,
        routes: 0,
        zone: 0,
        cache: 1024,
    };

    /// As a role of the table wants it.
    pub fn of(role: Role) -> Shape {
        match role {
            Role::Forwarder => Shape::PLAIN,
            Role::Logger => Shape { log: "query.log", ..Shape::PLAIN },
            Role::Views => Shape { views: VIEWS, ..Shape::PLAIN },
            Role::Large => Shape { networks: 5_000, routes: 100_000, ..Shape::PLAIN },
            Role::Authority => Shape { zone: ZONE, ..Shape::PLAIN },
        }
    }

    /// Where it listens for clients of many networks.
    pub const SPREAD: Ipv4Addr = Ipv4Addr::new(10, 99, 255, 1);

    /// How to run it.
    pub fn launch(self) -> Launch {
        let command = ["@/kakehashi", "serve", "--config", "kakehashi.toml"];
        Launch {
            command: command.iter().map(ToString::to_string).collect(),
            files: vec![("kakehashi.toml", self.configuration()), ("local.zone", zone(self.zone))],
        }
    }

    fn configuration(self) -> String {
        let Shape { workers, log, detects, networks, views, routes, zone, cache } = self;
        let mut text = format!(
            r#"[listen]
dns = ["127.0.0.1:{PORT}", "{}:{PORT}"]
workers = {workers}
[cache]
size = "{cache}MiB"
answer-size = "{ANSWERS}MiB"
[query-log]
to = "{log}"
[detect]
enabled = {detects}
[[network]]
name = "loopback"
cidr = ["127.0.0.0/8"]
groups = ["bench"]
[[upstream]]
name = "authority"
servers = ["127.0.0.1:{AUTHORITY}"]
health-check = "off"
[[rule]]
domain = "."
forward = "authority"
visible-to = ["bench"]
"#,
            Shape::SPREAD
        );
        for n in 0..networks {
            let (b, c) = (n / 256, n % 256);
            let _ = writeln!(
                text,
                "[[network]]\nname = \"vpc{n}\"\ncidr = [\"10.{b}.{c}.0/24\"]\ngroups = [\"bench\"]"
            );
        }
        for n in 0..views {
            let _ = writeln!(
                text,
                "[[network]]\nname = \"n{n}\"\ncidr = [\"10.99.{n}.0/24\"]\ngroups = [\"bench\"]\n\
                 [[rule]]\ndomain = \"n{n}.example\"\nforward = \"authority\"\nvisible-to = [\"n{n}\"]"
            );
        }
        if views == 0 {
            text.push_str(
                "[[network]]\nname = \"spread\"\ncidr = [\"10.99.0.0/16\"]\ngroups = [\"bench\"]\n",
            );
        }
        for n in 0..routes {
            let _ = writeln!(
                text,
                "[[rule]]\ndomain = \"r{n}.example\"\nforward = \"authority\"\nvisible-to = [\"bench\"]"
            );
        }
        if zone > 0 {
            text.push_str(
                "[[zone]]\ndomain = \"local.example\"\nfile = \"local.zone\"\nvisible-to = [\"bench\"]\n",
            );
        }
        text
    }
}

/// The zone `local.example` with so many names.
pub fn zone(names: u32) -> String {
    let mut text = String::from(
        "$ORIGIN local.example.\n$TTL 3600\n@ IN SOA ns hostmaster 1 7200 900 1209600 3600\n@ IN NS ns\nns IN A 127.0.0.1\n",
    );
    for number in 0..names {
        let label: String = digits(number).map(char::from).iter().collect();
        let _ = writeln!(text, "h{label} IN A 192.0.2.{}", number % 250 + 1);
    }
    text
}
