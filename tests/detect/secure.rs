//! A webhook behind HTTPS: whoever takes alerts must be vouched for by an authority that the host trusts, by its name.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::PATIENCE;
use crate::process::{Server, Site};
use crate::told::{storm, take};

/// An authority of somebody's own.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// Serves HTTPS with a certificate for `name`: the port, and each document taken or why there was none.
    fn serve(&self, name: &str) -> (u16, Receiver<Result<Value, String>>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            );
        let (config, listener) = (Arc::new(config.unwrap()), TcpListener::bind("127.0.0.1:0").unwrap());
        let port = listener.local_addr().unwrap().port();
        let (sender, taken) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let document = take(StreamOwned::new(connection, stream), "204 No Content");
                if sender.send(document.map_err(|fault| fault.to_string())).is_err() {
                    return;
                }
            }
        });
        (port, taken)
    }
}

/// A server that posts to that port, on a host that trusts that authority and no other.
fn server(trusted: &Authority, port: u16) -> (Site, Server) {
    let detect = format!("[detect]\nenabled = true\nwebhook = \"https://127.0.0.1:{port}/dns\"\n");
    let site = Site::new("127.0.0.1:0", "", &detect);
    site.write("authority.pem", &trusted.pem);
    let mut command = site.command();
    command.env("SSL_CERT_FILE", site.path("authority.pem")).env_remove("SSL_CERT_DIR");
    let server = Server::start(&mut command);
    (site, server)
}

#[test]
fn an_alert_goes_over_https_to_whom_an_authority_of_the_host_vouches_for() {
    let authority = Authority::new();
    let (port, taken) = authority.serve("127.0.0.1");
    let (_site, mut server) = server(&authority, port);
    storm(server.dns);
    let line = server.until_says("{\"event\":\"alert\"");
    let line: Value = serde_json::from_str(&format!("{{\"event\":\"alert\"{line}")).unwrap();
    assert_eq!(taken.recv_timeout(PATIENCE).unwrap(), Ok(line));
    server.terminate();
}

#[test]
fn an_alert_is_given_to_no_one_else() {
    let (own, other) = (Authority::new(), Authority::new());
    for (issuer, name, why) in
        [(&other, "127.0.0.1", "invalid peer certificate"), (&own, "elsewhere.example", "not valid for name")]
    {
        let (port, taken) = issuer.serve(name);
        let (_site, mut server) = server(&own, port);
        storm(server.dns);
        let said = server.until_says("the webhook does not take an alert, which is tried again later: ");
        assert!(said.contains(why), "{said}");
        let refused = taken.recv_timeout(PATIENCE).unwrap();
        assert!(refused.is_err(), "{refused:?}");
        server.terminate();
    }
}
