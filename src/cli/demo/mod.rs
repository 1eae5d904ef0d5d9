//! `demo`: the TechNova network on loopback, for people who have nothing but this program.

mod question;
mod standin;

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use super::{Done, say, tell};
use crate::config;
use crate::server::{self, Server};

/// Whether the questions are asked too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Serve until ctrl-c.
    Serve,
    /// Ask each question, print what was answered, end.
    Once,
}

/// The demo's ports are its `--port` and so many above it: the server, three controllers, AmazonProvidedDNS, HTTP.
pub(super) const LAST_PORT: u16 = 5;

/// Runs the demo.
pub(super) fn run(conf: &Path, port: u16, mode: Mode) -> Done {
    if !conf.join("zones.toml").is_file() {
        let reason = format!(
            "There is no {}: run the demo in the repository, or name its conf/ with --conf.",
            conf.join("zones.toml").display()
        );
        return Err(tell(reason));
    }
    let text = configuration(port);
    let loaded = config::load_text("demo.toml", &text, conf).map_err(|faults| super::check::show(&faults))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(tell)?;
    let dc = |n: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port + n));
    let standins = runtime.block_on(async {
        Ok::<_, String>([
            standin::start(&[dc(1), dc(2), dc(3)], standin::CONTROLLER).await?,
            standin::start(&[dc(4)], standin::AMAZON).await?,
        ])
    });
    // They serve for as long as they are held.
    let taken = |fault: &dyn std::fmt::Display| {
        tell(format!("{fault}\nThe demo takes ports {port} to {}: --port N takes others.", port + LAST_PORT))
    };
    let _standins = standins.map_err(|fault| taken(&fault))?;
    server::log_to_stderr("warn");
    let server = Server::start(loaded.config, server::Origin::Memory).map_err(|fault| taken(&fault))?;
    say(&introduction(port));
    let questions = question::shipped();
    match mode {
        Mode::Once => {
            // The stand-ins answer on this thread while another one asks.
            let asked = runtime.spawn_blocking(move || questions.iter().map(|q| q.ask(port)).collect());
            let answers: Vec<String> = runtime.block_on(asked).map_err(tell)?;
            let mut failures = 0;
            for (question, answer) in question::shipped().iter().zip(answers) {
                failures += usize::from(!question.report(port, &answer));
            }
            server.stop().map_err(tell)?;
            if failures > 0 {
                return Err(tell(format!("{failures} questions were answered otherwise")));
            }
        }
        Mode::Serve => {
            for question in &questions {
                say(&question.line(port));
            }
            say("\nctrl-c ends it.\n");
            let ended = runtime.block_on(tokio::signal::ctrl_c());
            server.stop().map_err(tell)?;
            ended.map_err(tell)?;
        }
    }
    Ok(())
}

/// The shipped rules and zones, with loopback in the place of the networks and upstreams.
fn configuration(port: u16) -> String {
    let mut text = String::from("include = [\"rules.toml\", \"zones.toml\"]\n");
    let _ = write!(
        text,
        "[node]\nid = \"demo\"\nregion = \"ap-northeast-1\"\n[listen]\ndns = [\"127.0.0.1:{port}\"]\nhttp = \"127.0.0.1:{}\"\nworkers = 1\n",
        port + LAST_PORT
    );
    for (name, cidr, groups) in NETWORKS {
        let groups: Vec<String> = groups.iter().map(|group| format!("\"{group}\"")).collect();
        let _ = write!(
            text,
            "[[network]]\nname = \"{name}\"\ncidr = [\"{cidr}\"]\ngroups = [{}]\n",
            groups.join(", ")
        );
    }
    let server = |n: u16| format!("\"127.0.0.1:{}\"", port + n);
    let _ = write!(
        text,
        "[[upstream]]\nname = \"onprem-dc\"\nservers = [{}, {}]\nbackup = [{}]\nhealth-check = {{ query = \"technova.local SOA\" }}\n",
        server(1),
        server(2),
        server(3)
    );
    for name in ["amazon-provided-dns", "public-dns"] {
        let _ = write!(
            text,
            "[[upstream]]\nname = \"{name}\"\nservers = [{}]\nhealth-check = {{ query = \"amazonaws.com SOA\" }}\n",
            server(4)
        );
    }
    text
}

type NetworkRow = (&'static str, &'static str, &'static [&'static str]);

/// Who is who on loopback: the whole of 127.0.0.0/8 is this machine, so a source address can play each part.
const NETWORKS: &[NetworkRow] = &[
    ("technova-mfg-prod-app", "127.0.1.0/24", &["vpc", "manufacturing", "prod", "app"]),
    ("technova-iot-prod-app", "127.0.2.0/24", &["vpc", "iot", "prod", "app"]),
    ("shared-services", "127.0.3.0/24", &["vpc", "central", "common"]),
    ("onprem-datacenter", "127.0.4.0/24", &["onprem"]),
    ("internet", "127.0.5.0/24", &["external"]),
    // A dig without -b comes from here.
    ("technova-sales-prod-app", "127.0.0.0/24", &["vpc", "sales", "prod", "app"]),
];

fn introduction(port: u16) -> String {
    format!(
        "Kakehashi serves the TechNova network on 127.0.0.1:{port} (metrics and status: http://127.0.0.1:{}/).\n\
         The source address decides who asks:\n\n\
         \x20 127.0.1.1  a VPC of Manufacturing (technova-mfg-prod-app)\n\
         \x20 127.0.2.1  a VPC of IoT (technova-iot-prod-app)\n\
         \x20 127.0.4.1  on-prem\n\
         \x20 127.0.5.1  the internet\n\
         \x20 127.0.9.1  in no network\n\n\
         Try these from another terminal:\n\n",
        port + LAST_PORT
    )
}
