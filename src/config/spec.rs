//! The tables of a configuration file, as they are written: one struct a table, one line a key.
//!
//! This file is the grammar; whatever stands here is a key that works, and its example is what the operator is shown
//! when he writes something else.

use toml::Spanned;
use toml::de::DeValue;

use super::table::{Key, Reader, Single, Table, Tables, Texts, Value, shape};

/// What the tables of a file stand in.
pub(super) const FILE: &str = FileSpec::TITLE;

shape! {
    /// A whole file.
    struct FileSpec "the top of the file" {
        optional "include" include: Texts = r#"include = ["networks.toml"]"#;
        optional "special-use-names" special_use_names: bool = "special-use-names = true";
        optional "node" node: Single<NodeSpec> = "[node]";
        optional "listen" listen: Single<ListenSpec> = "[listen]";
        optional "cache" cache: Single<CacheSpec> = "[cache]";
        optional "clients" clients: Single<ClientsSpec> = "[clients]";
        optional "query-log" query_log: Single<QueryLogSpec> = "[query-log]";
        optional "control" control: Single<ControlSpec> = "[control]";
        optional "apply" apply: Single<ApplySpec> = "[apply]";
        optional "detect" detect: Single<DetectSpec> = "[detect]";
        optional "dnstap" dnstap: Tables<DnstapSpec> = "[[dnstap]]";
        optional "log" log: Single<LogSpec> = "[log]";
        optional "network" network: Tables<NetworkSpec> = "[[network]]";
        optional "upstream" upstream: Tables<UpstreamSpec> = "[[upstream]]";
        optional "rule" rule: Tables<RuleSpec> = "[[rule]]";
        optional "zone" zone: Tables<ZoneSpec> = "[[zone]]";
    }
}

shape! {
    /// `[node]`
    struct NodeSpec "[node]" {
        optional "id" id: String = r#"id = "kakehashi-1a""#;
        optional "region" region: String = r#"region = "ap-northeast-1""#;
    }
}

shape! {
    /// `[listen]`
    struct ListenSpec "[listen]" {
        optional "dns" dns: Texts = r#"dns = ["10.150.20.10:53", "[::1]:53"]"#;
        optional "http" http: String = r#"http = "10.150.20.10:9153""#;
        optional "workers" workers: u64 = "workers = 2";
        optional "udp-payload" udp_payload: u64 = "udp-payload = 1232";
        optional "tcp-idle-timeout" tcp_idle_timeout: String = r#"tcp-idle-timeout = "10s""#;
        optional "tcp-message-timeout" tcp_message_timeout: String = r#"tcp-message-timeout = "5s""#;
        optional "tcp-clients" tcp_clients: u64 = "tcp-clients = 1000";
        optional "tcp-per-client" tcp_per_client: u64 = "tcp-per-client = 100";
        optional "tcp-pipeline" tcp_pipeline: u64 = "tcp-pipeline = 64";
        optional "max-in-flight" max_in_flight: u64 = "max-in-flight = 10000";
    }
}

shape! {
    /// `[cache]`
    struct CacheSpec "[cache]" {
        optional "size" size: String = r#"size = "512MiB""#;
        optional "answer-size" answer_size: String = r#"answer-size = "16MiB""#;
        optional "max-ttl" max_ttl: String = r#"max-ttl = "300s""#;
        optional "max-negative-ttl" max_negative_ttl: String = r#"max-negative-ttl = "60s""#;
        optional "failure-ttl" failure_ttl: String = r#"failure-ttl = "2s""#;
        optional "serve-stale" serve_stale: String = r#"serve-stale = "1h""#;
        optional "stale-after" stale_after: String = r#"stale-after = "1800ms""#;
        optional "prefetch" prefetch: bool = "prefetch = true";
        optional "snapshot" snapshot: String = r#"snapshot = "/var/lib/kakehashi/responses""#;
    }
}

shape! {
    /// `[clients]`
    struct ClientsSpec "[clients]" {
        optional "unknown" unknown: String = r#"unknown = "refuse""#;
        optional "prefix-v4" prefix_v4: u64 = "prefix-v4 = 24";
        optional "prefix-v6" prefix_v6: u64 = "prefix-v6 = 56";
        optional "queries" queries: String = r#"queries = "500/s""#;
        optional "responses" responses: String = r#"responses = "20/s""#;
        optional "burst" burst: String = r#"burst = "1s""#;
        optional "slip" slip: u64 = "slip = 2";
        optional "cookie-secrets" cookie_secrets: String = r#"cookie-secrets = "/etc/kakehashi/cookie-secrets""#;
    }
}

shape! {
    /// `[query-log]`
    struct QueryLogSpec "[query-log]" {
        optional "to" to: String = r#"to = "/var/log/kakehashi/query.log""#;
        optional "rotate-size" rotate_size: String = r#"rotate-size = "256MiB""#;
        optional "rotate-every" rotate_every: String = r#"rotate-every = "1d""#;
        optional "keep" keep: u64 = "keep = 30";
        optional "queue" queue: String = r#"queue = "8MiB""#;
        optional "networks" networks: Texts = r#"networks = ["vpc", "technova-mfg-prod-app"]"#;
        optional "routes" routes: Texts = r#"routes = ["technova.local"]"#;
        optional "rcodes" rcodes: Texts = r#"rcodes = ["NXDOMAIN", "SERVFAIL"]"#;
        optional "sample" sample: SampleSpec = r#"sample = "1/100""#;
        optional "always" always: Texts = r#"always = ["SERVFAIL"]"#;
    }
}

shape! {
    /// `[[dnstap]]`
    struct DnstapSpec "[[dnstap]]" {
        required "to" to: String = r#"to = "unix:/run/dnstap.sock""#;
        optional "messages" messages: Texts = r#"messages = ["client-response", "forwarder-query"]"#;
        optional "rotate-size" rotate_size: String = r#"rotate-size = "256MiB""#;
        optional "rotate-every" rotate_every: String = r#"rotate-every = "1d""#;
        optional "keep" keep: u64 = "keep = 30";
        optional "queue" queue: String = r#"queue = "8MiB""#;
        optional "networks" networks: Texts = r#"networks = ["vpc", "technova-mfg-prod-app"]"#;
        optional "routes" routes: Texts = r#"routes = ["technova.local"]"#;
        optional "rcodes" rcodes: Texts = r#"rcodes = ["NXDOMAIN", "SERVFAIL"]"#;
        optional "sample" sample: SampleSpec = r#"sample = "1/100""#;
        optional "always" always: Texts = r#"always = ["SERVFAIL"]"#;
    }
}

shape! {
    /// `[log]`
    struct LogSpec "[log]" {
        optional "format" format: String = r#"format = "text""#;
        optional "level" level: String = r#"level = "info""#;
    }
}

/// `sample`: a decimal fraction, or `"1/100"`.
#[derive(Debug)]
pub(super) enum SampleSpec {
    Fraction(f64),
    Ratio(String),
}

impl Value for SampleSpec {
    const WANTED: &'static str = "a decimal fraction, or \"1/100\"";

    fn read(value: &Spanned<DeValue<'_>>, key: &Key, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(Self::Ratio(text.to_string())),
            DeValue::Float(number) => number.as_str().parse().ok().map(Self::Fraction),
            _ => reader.wrong_type(value, key),
        }
    }
}

shape! {
    /// `[control]`
    struct ControlSpec "[control]" {
        optional "socket" socket: String = r#"socket = "/run/kakehashi/control.sock""#;
        optional "group" group: String = r#"group = "dns-operators""#;
    }
}

shape! {
    /// `[apply]`
    struct ApplySpec "[apply]" {
        optional "servfail-rise" servfail_rise: String = r#"servfail-rise = "5%""#;
        optional "nxdomain-rise" nxdomain_rise: String = r#"nxdomain-rise = "20%""#;
        optional "min-queries" min_queries: u64 = "min-queries = 100";
        optional "window" window: String = r#"window = "60s""#;
    }
}

shape! {
    /// `[detect]`
    struct DetectSpec "[detect]" {
        optional "enabled" enabled: bool = "enabled = true";
        optional "generated-names" generated_names: u64 = "generated-names = 6";
        optional "tunnel-names" tunnel_names: u64 = "tunnel-names = 40";
        optional "nxdomain" nxdomain: String = r#"nxdomain = "5/s""#;
        optional "servfail" servfail: String = r#"servfail = "5/s""#;
        optional "change" change: u64 = "change = 10";
        optional "change-queries" change_queries: String = r#"change-queries = "50/s""#;
        optional "beacon" beacon: u64 = "beacon = 30";
        optional "cooldown" cooldown: String = r#"cooldown = "1h""#;
        optional "allow-domains" allow_domains: Texts = r#"allow-domains = ["telemetry.example.com"]"#;
        optional "allow-clients" allow_clients: Texts = r#"allow-clients = ["10.100.40.0/24"]"#;
        optional "file" file: String = r#"file = "/var/log/kakehashi/alerts.log""#;
        optional "webhook" webhook: String = r#"webhook = "https://alerts.example.com/dns""#;
    }
}

shape! {
    /// `[[network]]`
    struct NetworkSpec "[[network]]" {
        required "name" name: String = r#"name = "technova-mfg-prod-app""#;
        required "cidr" cidr: Texts = r#"cidr = ["10.0.30.0/24"]"#;
        optional "account-id" account_id: String = r#"account-id = "123456789012""#;
        optional "vpc-id" vpc_id: String = r#"vpc-id = "vpc-0abc123def456789a""#;
        optional "region" region: String = r#"region = "ap-northeast-1""#;
        optional "groups" groups: Texts = r#"groups = ["vpc", "prod"]"#;
        optional "recursion" recursion: bool = "recursion = false";
        optional "limit" limit: LimitSpec = r#"limit = true, or limit = { queries = "500/s", responses = "20/s" }"#;
    }
}

shape! {
    /// `limit = { … }` of a network
    struct LimitTableSpec "the limit of a network" {
        optional "queries" queries: String = r#"queries = "500/s""#;
        optional "responses" responses: String = r#"responses = "20/s""#;
        optional "burst" burst: String = r#"burst = "1s""#;
        optional "slip" slip: u64 = "slip = 2";
    }
}

/// `limit`: yes, no, or which.
#[derive(Debug)]
pub(super) enum LimitSpec {
    Flag(bool),
    Own(LimitTableSpec),
}

impl Value for LimitSpec {
    const WANTED: &'static str = "true, false, or a table in braces";

    fn read(value: &Spanned<DeValue<'_>>, key: &Key, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(Self::Flag(*flag)),
            DeValue::Table(_) => {
                Single::<LimitTableSpec>::read(value, key, reader).map(|Single(own)| Self::Own(own))
            }
            _ => reader.wrong_type::<Self>(value, key),
        }
    }
}

shape! {
    /// `[[upstream]]`
    struct UpstreamSpec "[[upstream]]" {
        required "name" name: String = r#"name = "onprem-dc""#;
        required "servers" servers: Texts = r#"servers = ["192.168.1.10", "192.168.1.11:5353"]"#;
        optional "backup" backup: Texts = r#"backup = ["192.168.1.12"]"#;
        optional "balance" balance: String = r#"balance = "round-robin""#;
        optional "source" source: Texts = r#"source = "10.150.20.20""#;
        optional "try-timeout" try_timeout: String = r#"try-timeout = "400ms""#;
        optional "deadline" deadline: String = r#"deadline = "1500ms""#;
        optional "max-qps" max_qps: u64 = "max-qps = 1000";
        optional "max-in-flight" max_in_flight: u64 = "max-in-flight = 4000";
        optional "health-check" health_check: HealthCheckSpec = r#"health-check = { query = "technova.local SOA", interval = "5s", fall = 3, rise = 2 }"#;
    }
}

shape! {
    /// `health-check = { … }`
    struct ProbeSpec "health-check" {
        optional "query" query: String = r#"query = "technova.local SOA""#;
        optional "interval" interval: String = r#"interval = "5s""#;
        optional "fall" fall: u64 = "fall = 3";
        optional "rise" rise: u64 = "rise = 2";
    }
}

shape! {
    /// `[[rule]]`
    struct RuleSpec "[[rule]]" {
        optional "name" name: String = r#"name = "onprem-names""#;
        optional "domain" domain: Texts = r#"domain = "technova.local""#;
        optional "reverse-of" reverse_of: Texts = r#"reverse-of = ["192.168.0.0/16"]"#;
        optional "forward" forward: String = r#"forward = "onprem-dc""#;
        optional "recurse" recurse: bool = "recurse = true";
        optional "refuse" refuse: bool = "refuse = true";
        required "visible-to" visible_to: Texts = r#"visible-to = ["vpc", "onprem"]"#;
        optional "fall-through" fall_through: bool = "fall-through = true";
        optional "cache" cache: Single<CapsSpec> = r#"cache = { max-ttl = "300s" }"#;
        optional "acknowledge" acknowledge: Texts = r#"acknowledge = ["overlap"]"#;
    }
}

shape! {
    /// `cache = { … }` of a rule
    struct CapsSpec "the cache of a rule" {
        optional "max-ttl" max_ttl: String = r#"max-ttl = "300s""#;
        optional "max-negative-ttl" max_negative_ttl: String = r#"max-negative-ttl = "60s""#;
        optional "failure-ttl" failure_ttl: String = r#"failure-ttl = "2s""#;
    }
}

shape! {
    /// `[[zone]]`
    struct ZoneSpec "[[zone]]" {
        optional "name" name: String = r#"name = "portal-internal""#;
        required "domain" domain: String = r#"domain = "technova.internal""#;
        required "file" file: String = r#"file = "../zones/technova.internal.zone""#;
        required "visible-to" visible_to: Texts = r#"visible-to = ["vpc", "onprem"]"#;
        optional "fall-through" fall_through: bool = "fall-through = true";
        optional "reverse" reverse: bool = "reverse = true";
        optional "acknowledge" acknowledge: Texts = r#"acknowledge = ["overlap"]"#;
    }
}

/// `health-check`: a table, or the word `"off"`.
#[derive(Debug)]
pub(super) enum HealthCheckSpec {
    Word(String),
    Probe(ProbeSpec),
}

impl Value for HealthCheckSpec {
    const WANTED: &'static str = "a table in braces, or \"off\"";

    fn read(value: &Spanned<DeValue<'_>>, key: &Key, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(word) => Some(Self::Word(word.to_string())),
            DeValue::Table(_) => {
                Single::<ProbeSpec>::read(value, key, reader).map(|Single(probe)| Self::Probe(probe))
            }
            _ => reader.wrong_type::<Self>(value, key),
        }
    }
}

/// Where an unknown key would be known: TOML puts a key into the last `[table]` above it, which is easily forgotten.
pub(super) fn home_of(name: &str, value: &DeValue<'_>, here: &str) -> Option<String> {
    let has = |keys: &[Key]| keys.iter().any(|key| key.name == name);
    if has(FileSpec::KEYS) && !value.is_table() && here != FILE {
        return Some(format!("`{name}` belongs at the top of the file, before the first [table]"));
    }
    let tables: [(&str, &[Key]); 14] = [
        (NodeSpec::TITLE, NodeSpec::KEYS),
        (ListenSpec::TITLE, ListenSpec::KEYS),
        (CacheSpec::TITLE, CacheSpec::KEYS),
        (ClientsSpec::TITLE, ClientsSpec::KEYS),
        (QueryLogSpec::TITLE, QueryLogSpec::KEYS),
        (ControlSpec::TITLE, ControlSpec::KEYS),
        (ApplySpec::TITLE, ApplySpec::KEYS),
        (DetectSpec::TITLE, DetectSpec::KEYS),
        (DnstapSpec::TITLE, DnstapSpec::KEYS),
        (LogSpec::TITLE, LogSpec::KEYS),
        (UpstreamSpec::TITLE, UpstreamSpec::KEYS),
        (NetworkSpec::TITLE, NetworkSpec::KEYS),
        (RuleSpec::TITLE, RuleSpec::KEYS),
        (ZoneSpec::TITLE, ZoneSpec::KEYS),
    ];
    let (title, _) = tables.into_iter().find(|(title, keys)| *title != here && has(keys))?;
    Some(format!("`{name}` is a key of {title}"))
}
