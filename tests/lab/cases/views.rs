//! Who sees what: nothing private leaves the view it belongs to, from a cache or otherwise.

use std::path::Path;

use hickory_proto::op::ResponseCode;

use crate::server;
use crate::world::Lab;

use super::shared;

/// A client of each department, and of those that belong to none.
const CLIENTS: [(&str, &str); 7] = [
    ("manufacturing", "10.0.30.100"),
    ("sales", "10.1.30.100"),
    ("service", "10.2.30.100"),
    ("iot", "10.3.30.100"),
    ("common", "10.100.10.50"),
    ("security", "10.200.1.5"),
    ("onprem", "192.168.50.5"),
];

/// Department endpoints: the name below ap-northeast-1.amazonaws.com, its department, its private address.
const ENDPOINTS: [(&str, &str, &str); 7] = [
    ("rds", "manufacturing", "10.100.30.21"),
    ("sns", "manufacturing", "10.100.30.22"),
    ("iot", "iot", "10.100.30.31"),
    ("kinesis", "iot", "10.100.30.32"),
    ("query.timestream", "iot", "10.100.30.33"),
    ("lambda", "common", "10.100.30.41"),
    ("sts", "common", "10.100.30.42"),
];

pub fn a_department_never_sees_another_ones_endpoints() {
    let lab = shared();
    // Twice, and in both orders: whatever a cache holds from one client must not be given to the next.
    for clients in [CLIENTS.to_vec(), CLIENTS.iter().rev().copied().collect()] {
        for (endpoint, department, private) in ENDPOINTS {
            for (group, client) in &clients {
                let reply = lab.ask(client, &format!("{endpoint}.ap-northeast-1.amazonaws.com"), "A");
                let sees = reply.answers().iter().any(|answer| answer.ends_with(private));
                assert_eq!(
                    sees,
                    *group == department,
                    "{group} ({client}) asks {endpoint}: {:?}",
                    reply.answers()
                );
                let all = format!("{:?}", reply.message);
                assert!(sees || !all.contains(private), "{private} is in another section for {group}: {all}");
            }
        }
    }
}

pub fn split_view_answers_do_not_mix_in_the_caches() {
    let lab = shared();
    let last = |client: &str| lab.ask(client, "api.technova.com", "A").answers();
    for _ in 0..3 {
        let external = last("203.0.113.7");
        assert_eq!(external, ["CNAME d987654321.cloudfront.net."]);
        let vpc = last("10.3.30.100");
        assert_eq!(
            vpc.first().map(String::as_str),
            Some("CNAME internal-api-12345.ap-northeast-1.elb.amazonaws.com.")
        );
        assert_eq!(last("192.168.50.5"), ["A 10.100.10.100"]);
    }
}

/// Every domain that the shipped configuration knows, asked from the internet.
pub fn the_internet_sees_only_technova_com() {
    // One client asks more here than the shipped limit lets it.
    let lab = Lab::build_with(|home| {
        server::edit(&home.join("conf/networks.toml"), |table| {
            let networks = table.get_mut("network").and_then(toml::Value::as_array_mut).unwrap();
            let limited = networks.iter_mut().filter_map(toml::Value::as_table_mut);
            limited.for_each(|network| _ = network.remove("limit"));
        });
    });
    let domains = domains();
    assert!(domains.len() >= 15, "the shipped routes were read: {domains:?}");
    for domain in domains.iter().filter(|domain| !below(domain, "technova.com")) {
        for name in [domain.clone(), format!("www.{}", domain.trim_start_matches('.'))] {
            for rtype in ["A", "SOA", "NS", "A+tcp", "A+norec", "A+do"] {
                let reply = lab.ask("203.0.113.7", &name, rtype);
                let sections = &reply.message;
                assert_eq!(reply.rcode(), ResponseCode::Refused, "{name} {rtype}: {:?}", reply.answers());
                let records =
                    sections.answers.len() + sections.authorities.len() + sections.additionals.len();
                assert_eq!(records, 0, "a refusal tells nothing: {name} {rtype}: {sections}");
            }
        }
    }
    let seen = lab.ask("203.0.113.7", "www.technova.com", "A");
    assert_eq!(seen.answers(), ["CNAME d123456.cloudfront.net."]);
}

pub fn a_client_in_no_network_is_refused() {
    // The shipped inventory ends with the network `internet`, which holds every address; here it is one small network
    // somewhere else.
    let lab = Lab::build_with(|home| {
        server::edit(&home.join("conf/networks.toml"), |table| {
            let networks = table.get_mut("network").and_then(toml::Value::as_array_mut).unwrap();
            let internet = networks
                .iter_mut()
                .find(|network| network.get("name").and_then(toml::Value::as_str) == Some("internet"))
                .expect("the shipped networks have one called internet");
            internet.as_table_mut().unwrap().insert("cidr".into(), vec!["198.51.100.0/28"].into());
        });
    });
    for (name, rtype) in [
        ("www.technova.com", "A"),
        ("planning.manufacturing.technova.internal", "A"),
        ("www.example.com", "A+tcp"),
    ] {
        let reply = lab.ask("203.0.113.7", name, rtype);
        assert_eq!(reply.rcode(), ResponseCode::Refused, "{name}");
        assert_eq!(reply.extended_errors(), [18], "{name}: prohibited, RFC 8914 section 4.19");
        assert!(reply.message.answers.is_empty() && reply.message.authorities.is_empty());
    }
    assert_eq!(lab.site.amazon.asked_below("example.com"), 0, "nothing is forwarded for a stranger");
    let known = lab.ask("10.0.30.100", "planning.manufacturing.technova.internal", "A");
    assert_eq!(known.answers(), ["A 10.0.30.100"], "the others are served as before");
}

/// The domains of all zones and rules as shipped.
fn domains() -> Vec<String> {
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let mut domains = Vec::new();
    for (file, key) in [("zones.toml", "zone"), ("rules.toml", "rule")] {
        let table: toml::Table = std::fs::read_to_string(conf.join(file)).unwrap().parse().unwrap();
        for route in table.get(key).and_then(toml::Value::as_array).unwrap() {
            match route.get("domain") {
                Some(toml::Value::String(one)) => domains.push(one.clone()),
                Some(toml::Value::Array(several)) => {
                    domains.extend(several.iter().filter_map(toml::Value::as_str).map(str::to_owned));
                }
                _ => {}
            }
        }
    }
    domains.sort();
    domains.dedup();
    domains
}

fn below(name: &str, domain: &str) -> bool {
    name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}
