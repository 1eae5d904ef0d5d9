//! Writes the query log of made-up days to stdout: what `kakehashi-report` is measured with.
//!
//!     cargo run --release -p kakehashi-report --example day -- 10000000 > day.log       10 million lines of one day
//!     cargo run --release -p kakehashi-report --example day -- 1000000 30 1.5 > month.log     30 days, 1.5 % more each
//!
//! 96 accounts of some 200 clients; 20,000 internal names and 50,000 outside, few of them asked for often (Zipf); a
//! working day's ups and downs; one client with a storm of NXDOMAIN. The same arguments give the same octets.

use std::io::{self, BufWriter, Write};

use jiff::Timestamp;

const START: i64 = 1_795_478_400; // 2026-11-24T00:00:00Z
const OUS: [(&str, &str); 4] =
    [("mfg", "manufacturing"), ("sales", "sales"), ("service", "service"), ("iot", "iot")];
const ENVIRONMENTS: [&str; 4] = ["dev", "test", "staging", "prod"];
const ROLES: [&str; 6] = ["app", "db", "api", "batch", "monitor", "network"];

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: f64| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (lines, days, growth) = (number(100_000.0) as u64, number(1.0).max(1.0), number(0.0) / 100.0);
    let mut random = fastrand::Rng::with_seed(5);
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    // Lines are spread over the days by each day's share, and within a day by the load of its quarters of an hour.
    let shares: Vec<f64> = (0..days as i32).map(|day| (1.0 + growth).powi(day)).collect();
    let all: f64 = shares.iter().sum::<f64>() * (0..96).map(load).sum::<f64>();
    let (mut due, mut written) = (0.0, 0);
    for (day, share) in (0..).zip(&shares) {
        for quarter in 0..96 {
            due += lines as f64 * share * load(quarter) / all;
            let count = (due.round() as u64).saturating_sub(written);
            for nth in 0..count {
                let start = (START + day * 86_400 + i64::from(quarter) * 900) * 1_000_000;
                line(&mut out, start + (900_000_000 * nth / count).cast_signed(), &mut random)?;
            }
            written += count;
        }
    }
    out.flush()
}

/// How much is asked in a quarter of an hour: least at 4, most at 16 o'clock.
fn load(quarter: u8) -> f64 {
    let turn = (f64::from(quarter) - 40.0) / 96.0 * std::f64::consts::TAU;
    1.0 + 0.6 * turn.sin()
}

/// A rank from 0 to `most`, low ones far more often.
fn rank(random: &mut fastrand::Rng, most: f64) -> u32 {
    (most.powf(random.f64()) - 1.0) as u32
}

fn line(out: &mut impl Write, micros: i64, random: &mut fastrand::Rng) -> io::Result<()> {
    let (ou, environment, role) = (random.usize(..4), random.usize(..4), random.usize(..6));
    let account = 123_456_789_000_u64 + (ou * 24 + environment * 6 + role) as u64;
    let third = environment * 10 + role;
    let host = 4 + rank(random, 200.0);
    let stormy = random.u32(..500) == 0;
    let asked = random.u32(..100);
    let (name, route, kind) = match asked {
        _ if stormy => (format!("{:016x}.update.example.net.", random.u64(..)), ".", "AAAA"),
        0..35 => (
            format!("svc{}.prod.{}.technova.internal.", rank(random, 5000.0), OUS[ou].0),
            "technova.internal",
            "A",
        ),
        35..65 => {
            (format!("host{}.{}.technova.local.", rank(random, 15_000.0), OUS[ou].0), "technova.local", "A")
        }
        65..75 => ("_ldap._tcp.dc._msdcs.technova.local.".to_owned(), "technova.local", "SRV"),
        75..90 => {
            (format!("rds-{}.ap-northeast-1.rds.amazonaws.com.", rank(random, 5000.0)), "amazonaws.com", "A")
        }
        _ => (format!("www.site{}.example.com.", rank(random, 45_000.0)), ".", "AAAA"),
    };
    let luck = random.f64();
    let (source, rcode) = match asked {
        _ if stormy => ("recurse", "NXDOMAIN"),
        0..35 => (
            if luck < 0.9 { "answer-cache" } else { "zone" },
            if luck < 0.98 { "NOERROR" } else { "NXDOMAIN" },
        ),
        _ if luck < 0.75 => ("answer-cache", "NOERROR"),
        _ if luck < 0.85 => ("response-cache", "NOERROR"),
        35..75 => ("forward", if luck < 0.995 { "NOERROR" } else { "SERVFAIL" }),
        _ => {
            (if asked < 90 { "forward" } else { "recurse" }, if luck < 0.97 { "NOERROR" } else { "NXDOMAIN" })
        }
    };
    let upstream = match (route, source) {
        ("technova.local", _) => format!("\"onprem-dc@192.168.1.{}:53\"", 10 + random.u32(..2)),
        ("amazonaws.com", _) => "\"amazon@169.254.169.253:53\"".to_owned(),
        _ => "null".to_owned(),
    };
    let duration = match source {
        "answer-cache" => random.u64(3..40),
        "response-cache" | "zone" => random.u64(15..120),
        _ => (300.0 * 1000_f64.powf(random.f64() * random.f64())) as u64,
    };
    let address = random.u32(..);
    let [a, b, c, d] = address.to_be_bytes();
    let answers = if rcode == "NOERROR" {
        format!("{{\"Rdata\":\"{a}.{b}.{c}.{d}\",\"Type\":\"A\",\"Class\":\"IN\"}}")
    } else {
        String::new()
    };
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    let (ou_name, group) = OUS[ou];
    let (environment, role) = (ENVIRONMENTS[environment], ROLES[role]);
    writeln!(
        out,
        "{{\"version\":\"1.100000\",\"account_id\":\"{account}\",\"region\":\"ap-northeast-1\",\"vpc_id\":\"vpc-0abc123d{account:x}\",\
         \"query_timestamp\":\"{:.0}\",\"query_name\":\"{name}\",\"query_type\":\"{kind}\",\"query_class\":\"IN\",\"rcode\":\"{rcode}\",\
         \"answers\":[{answers}],\"srcaddr\":\"10.{ou}.{third}.{host}\",\"srcport\":\"{}\",\"transport\":\"UDP\",\"srcids\":{{}},\
         \"kakehashi\":{{\"node\":\"kakehashi-1a\",\"network\":\"technova-{ou_name}-{environment}-{role}\",\
         \"groups\":[\"vpc\",\"{group}\",\"{environment}\",\"{role}\"],\"view\":\"{group}+technova-{ou_name}-{environment}-{role}+vpc\",\
         \"route\":\"{route}\",\"source\":\"{source}\",\"upstream\":{upstream},\"dnssec_ok\":false,\"checking_disabled\":false,\
         \"answer_size\":{},\"duration_us\":{duration},\"ede\":null,\"timestamp\":\"{time:.6}\"}}}}",
        time,
        1024 + (address & 0x7FFF),
        60 + (address & 63),
    )
}
