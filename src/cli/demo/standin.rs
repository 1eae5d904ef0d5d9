//! Stand-ins for the servers that the demo has no access to: the domain controllers and AmazonProvidedDNS.
//!
//! They are hickory-server, so what answers our queries in the demo is an implementation that is not ours.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{LowerName, Name};
use hickory_proto::serialize::txt::Parser;
use hickory_server::Server;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneHandler, ZoneType};
use tokio::net::{TcpListener, UdpSocket};

/// A zone that a stand-in serves: origin and master file.
pub(super) type ZoneText = (&'static str, &'static str);

/// What the domain controllers hold.
pub(super) const CONTROLLER: &[ZoneText] = &[
    ("technova.local.", include_str!("technova.local.zone")),
    ("corp.technova.com.", include_str!("corp.technova.com.zone")),
    ("168.192.in-addr.arpa.", include_str!("168.192.in-addr.arpa.zone")),
];

/// What AmazonProvidedDNS resolves: Amazon's own names and public ones.
pub(super) const AMAZON: &[ZoneText] = &[
    ("amazonaws.com.", include_str!("amazonaws.com.zone")),
    ("cloudfront.net.", include_str!("cloudfront.net.zone")),
    ("technova.com.", include_str!("technova.com.zone")),
    (".", include_str!("root.zone")),
];

/// Starts a server on these addresses, each with the same zones. Runs until the runtime ends.
pub(super) async fn start(addresses: &[SocketAddr], zones: &[ZoneText]) -> Result<Server<Catalog>, String> {
    let mut catalog = Catalog::new();
    for (origin, text) in zones {
        let origin = Name::from_ascii(origin).map_err(|fault| fault.to_string())?;
        let (_, records) = Parser::new(*text, None, Some(origin.clone()))
            .parse()
            .map_err(|fault| format!("stand-in zone {origin}: {fault}"))?;
        let zone: InMemoryZoneHandler =
            InMemoryZoneHandler::new(origin.clone(), records, ZoneType::Primary, AxfrPolicy::Deny)?;
        catalog.upsert(LowerName::new(&origin), vec![Arc::new(zone) as Arc<dyn ZoneHandler>]);
    }
    let mut server = Server::new(catalog);
    for address in addresses {
        let in_use = |fault: std::io::Error| format!("cannot listen on {address} for a stand-in: {fault}");
        server.register_socket(UdpSocket::bind(address).await.map_err(in_use)?);
        let listener = TcpListener::bind(address).await.map_err(in_use)?;
        server.register_listener(listener, Duration::from_secs(10), 65_535);
    }
    Ok(server)
}
