//! The servers that are compared, and how each is configured: one worker, room for half a million answers and more, no
//! DNSSEC, no log but in LOG, large socket buffers. Whoever knows a better configuration for one of them is asked to say so.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::ours::{Shape, zone};
use super::process::on_path;
use super::question::{ZONE, digits};

/// Port of the authority that everyone forwards to.
pub const AUTHORITY: u16 = 5353;
/// Stands for the port of the server that is measured, in commands and files: each has its own, as many run at once.
pub const PORT: &str = "@PORT@";

/// The other build of ours that is to be measured beside this one.
pub static OTHER: OnceLock<PathBuf> = OnceLock::new();

/// A server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Server {
    /// recvmmsg, sendmmsg, and nothing else.
    Echo,
    /// epoll, one recv, one send.
    EchoEpoll,
    /// Ours.
    Kakehashi,
    /// Ours with the detectors on.
    Watched,
    /// Ours, of another build or commit.
    Other,
    /// dnsdist, from PowerDNS.
    Dnsdist,
    /// Unbound, from NLnet Labs.
    Unbound,
    /// BIND 9.
    Named,
    /// Knot Resolver.
    Kresd,
    /// PowerDNS Recursor.
    Recursor,
    /// NSD, from NLnet Labs.
    Nsd,
}

/// What a server is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Forward and cache.
    Forwarder,
    /// The same, with every query logged.
    Logger,
    /// Forward and cache for a hundred networks that each see something else.
    Views,
    /// Forward and cache among 5,000 networks and 100,000 routes.
    Large,
    /// Answer for a zone of its own.
    Authority,
}

/// Something to run.
pub struct Launch {
    /// The command.
    pub command: Vec<String>,
    /// Files to write beforehand, by name.
    pub files: Vec<(&'static str, String)>,
}

impl Server {
    /// All, the limit and ours first.
    pub const ALL: [Server; 11] = [
        Server::Echo,
        Server::EchoEpoll,
        Server::Kakehashi,
        Server::Watched,
        Server::Other,
        Server::Dnsdist,
        Server::Unbound,
        Server::Named,
        Server::Kresd,
        Server::Recursor,
        Server::Nsd,
    ];

    /// Whether the others have this role too.
    fn compares(role: Role) -> bool {
        !matches!(role, Role::Views | Role::Large)
    }

    /// As tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Server::Echo => "echo",
            Server::EchoEpoll => "echo, epoll",
            Server::Kakehashi => "Kakehashi",
            Server::Watched => "Kakehashi, detectors",
            Server::Other => "Kakehashi, other",
            Server::Dnsdist => "dnsdist",
            Server::Unbound => "Unbound",
            Server::Named => "BIND",
            Server::Kresd => "Knot Resolver",
            Server::Recursor => "PowerDNS Recursor",
            Server::Nsd => "NSD",
        }
    }

    /// The program, and the word that makes it say its version; none for those built here.
    pub fn program(self) -> Option<(&'static str, &'static str)> {
        match self {
            Server::Echo | Server::EchoEpoll | Server::Kakehashi | Server::Watched | Server::Other => None,
            Server::Dnsdist => Some(("dnsdist", "--version")),
            Server::Unbound => Some(("unbound", "-V")),
            Server::Named => Some(("named", "-v")),
            Server::Kresd => Some(("kresd", "--version")),
            Server::Recursor => Some(("pdns_recursor", "--version")),
            Server::Nsd => Some(("nsd", "-v")),
        }
    }

    /// Whether it can be measured here.
    pub fn is_installed(self) -> bool {
        self.program().is_none_or(|(program, _)| on_path(program))
    }

    /// How to run it in a role; `None` if it has no such role.
    pub fn launch(self, role: Role) -> Option<Launch> {
        let address = format!("127.0.0.1:{PORT}");
        let run = |command: &[&str], files: Vec<(&'static str, String)>| {
            Some(Launch { command: command.iter().map(ToString::to_string).collect(), files })
        };
        match (self, role) {
            (Server::Echo, Role::Forwarder | Role::Authority) => {
                run(&["@/examples/echo", &address, "bare"], vec![])
            }
            (Server::EchoEpoll, Role::Forwarder) => run(&["@/examples/echo", &address, "epoll"], vec![]),
            (Server::Kakehashi, role) => Some(Shape::of(role).launch()),
            (Server::Watched, role) => Some(Shape { detects: true, ..Shape::of(role) }.launch()),
            (Server::Other, role) => {
                let mut launch = Shape::of(role).launch();
                launch.command[0] = OTHER.get()?.display().to_string();
                Some(launch)
            }
            (Server::Dnsdist, Role::Forwarder | Role::Logger) => run(
                &["dnsdist", "--supervised", "--disable-syslog", "-C", "dnsdist.conf"],
                vec![("dnsdist.conf", dnsdist(role))],
            ),
            (Server::Unbound, role) if Server::compares(role) => {
                run(&["unbound", "-d", "-c", "unbound.conf"], vec![("unbound.conf", unbound(role))])
            }
            (Server::Named, role) if Server::compares(role) => run(
                // A copy of the program: AppArmor confines /usr/sbin/named to /etc/bind where it is enabled.
                &["./named", "-f", "-4", "-n", "1", "-c", "named.conf"],
                vec![("named.conf", named(role)), ("local.zone", zone(ZONE))],
            ),
            (Server::Kresd, Role::Forwarder) => {
                run(&["kresd", "-n", "-c", "kresd.conf", "."], vec![("kresd.conf", kresd())])
            }
            (Server::Recursor, Role::Forwarder) => {
                run(&["pdns_recursor", "--config-dir=."], vec![("recursor.conf", recursor())])
            }
            (Server::Nsd, Role::Authority) => {
                run(&["nsd", "-d", "-c", "nsd.conf"], vec![("nsd.conf", nsd()), ("local.zone", zone(ZONE))])
            }
            _ => None,
        }
    }
}

fn dnsdist(role: Role) -> String {
    let log = if role == Role::Logger {
        "addAction(AllRule(), LogAction(\"query.log\", false, true, true, false, true))\n"
    } else {
        ""
    };
    format!(
        r#"setLocal("127.0.0.1:{PORT}", {{maxInFlight = 100}})
setACL("127.0.0.0/8")
setSecurityPollSuffix("")
setUDPMultipleMessagesVectorSize(64)
setUDPSocketBufferSizes(4194304, 4194304)
setMaxUDPOutstanding(65535)
setMaxTCPClientThreads(1)
newServer({{address = "127.0.0.1:{AUTHORITY}", checkName = "h.bench.example.", sockets = 16, maxInFlight = 100}})
getPool(""):setCache(newPacketCache(1500000, {{maxTTL = 300}}))
{log}"#
    )
}

fn unbound(role: Role) -> String {
    let log = if role == Role::Logger { "log-replies: yes\n    logfile: query.log" } else { "logfile: \"\"" };
    let mut text = format!(
        r#"server:
    interface: 127.0.0.1@{PORT}
    access-control: 127.0.0.0/8 allow
    do-not-query-localhost: no
    num-threads: 1
    module-config: "iterator"
    msg-cache-size: 512m
    rrset-cache-size: 512m
    outgoing-range: 8192
    num-queries-per-thread: 4096
    incoming-num-tcp: 200
    so-rcvbuf: 4m
    so-sndbuf: 4m
    do-daemonize: no
    use-syslog: no
    {log}
    chroot: ""
    username: ""
    directory: "."
    pidfile: ""
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@{AUTHORITY}
"#
    );
    if role == Role::Authority {
        text.push_str("server:\n    local-zone: \"local.example.\" static\n");
        for number in 0..ZONE {
            let label = digits(number).map(char::from).iter().collect::<String>();
            let _ = writeln!(
                text,
                "    local-data: \"h{label}.local.example. 3600 IN A 192.0.2.{}\"",
                number % 250 + 1
            );
        }
    }
    text
}

fn named(role: Role) -> String {
    let queries = if role == Role::Logger {
        "channel queries { file \"query.log\"; print-time yes; buffered yes; }; category queries { queries; };"
    } else {
        ""
    };
    let work = match role {
        Role::Authority => "recursion no;".to_owned(),
        _ => format!(
            "recursion yes; forwarders {{ 127.0.0.1 port {AUTHORITY}; }}; forward only; allow-recursion {{ any; }};"
        ),
    };
    let zone = match role {
        Role::Authority => "zone \"local.example\" { type primary; file \"local.zone\"; };",
        _ => "",
    };
    format!(
        "options {{ directory \".\"; listen-on port {PORT} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file none;\n\
         dnssec-validation no; max-cache-size 1g; allow-query {{ any; }}; recursive-clients 10000; tcp-clients 1000;\n\
         minimal-responses yes; empty-zones-enable no; querylog {}; {work} }};\n\
         controls {{ }};\nlogging {{ category default {{ null; }}; {queries} }};\n{zone}\n",
        if role == Role::Logger { "yes" } else { "no" }
    )
}

fn kresd() -> String {
    format!(
        r"net.listen('127.0.0.1', {PORT}, {{ kind = 'dns' }})
modules.unload('priming')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('ta_sentinel')
modules.unload('detect_time_skew')
modules.unload('detect_time_jump')
trust_anchors.remove('.')
cache.size = 1024*MB
policy.add(policy.all(policy.FORWARD('127.0.0.1@{AUTHORITY}')))
log_level('crit')
"
    )
}

fn recursor() -> String {
    format!(
        "local-address=127.0.0.1\nlocal-port={PORT}\nthreads=1\npdns-distributes-queries=no\ndnssec=off\n\
         max-cache-entries=1500000\nmax-packetcache-entries=1500000\nforward-zones-recurse=.=127.0.0.1:{AUTHORITY}\n\
         dont-query=\nquiet=yes\nloglevel=0\nlog-common-errors=no\nsocket-dir=.\ndaemon=no\nwrite-pid=no\n\
         disable-syslog=yes\nsecurity-poll-suffix=\nallow-from=127.0.0.0/8\nmax-mthreads=4096\nmax-tcp-clients=1000\n\
         max-concurrent-requests-per-tcp-connection=100\nserver-id=disabled\nsetuid=\nsetgid=\n"
    )
}

fn nsd() -> String {
    format!(
        r#"server:
    ip-address: 127.0.0.1@{PORT}
    server-count: 1
    zonesdir: "."
    database: ""
    username: ""
    pidfile: "nsd.pid"
    zonelistfile: "nsd.list"
    xfrdfile: "nsd.xfrd"
    rrl-ratelimit: 0
    receive-buffer-size: 4194304
    send-buffer-size: 4194304
zone:
    name: "local.example"
    zonefile: "local.zone"
remote-control:
    control-enable: no
"#
    )
}
