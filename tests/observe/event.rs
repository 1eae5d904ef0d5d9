//! Events as a worker records them.

use std::sync::Arc;

use kakehashi::query::directory::NetworkName;
use kakehashi::query::{Directory, Event, Path, Source, Transport};
use kakehashi::wire::Name;

/// A snapshot's names, with one route of this label.
pub fn directory(route: &str) -> Arc<Directory> {
    Arc::new(Directory {
        networks: vec![NetworkName {
            name: "technova-mfg-prod-app".into(),
            account_id: Some("123456789012".into()),
            ..NetworkName::default()
        }],
        views: vec!["vpc".into()],
        routes: vec![route.into()],
        region: "ap-northeast-1".into(),
        node: "kakehashi-1a".into(),
        ..Directory::default()
    })
}

/// A response that says nothing but its question.
pub fn response(qname: &str) -> Vec<u8> {
    let qname: Name = qname.parse().unwrap();
    [&[0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0], qname.wire(), &[0, 1, 0, 1]].concat()
}

/// A client of the first network got this response from the first route.
pub fn event(response: &[u8]) -> Event<'_> {
    Event {
        unix_micros: 1_612_461_115_000_042,
        duration_micros: 17,
        path: Path {
            client: "10.0.30.100:56067".parse().unwrap(),
            local: "10.150.20.10:53".parse().unwrap(),
            transport: Transport::Udp,
        },
        network: Some(0),
        view: Some(0),
        route: Some(0),
        server: None,
        source: Source::Zone,
        qtype: 1,
        rcode: 0,
        dnssec_ok: false,
        checking_disabled: false,
        ede: None,
        query: &[],
        response,
    }
}
