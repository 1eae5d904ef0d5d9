//! Configurations as an operator writes them, right and wrong, and what he is told.
//!
//! Every `tests/config/broken/NAME.toml` must be refused with exactly the text of `NAME.expected`; every
//! `tests/config/doubtful/NAME.toml` must load with exactly those warnings. `BLESS=1` writes the expectations anew,
//! to be read before they are committed.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kakehashi::config::{
    Audience, ClientLimit, Config, Diagnostic, FallThrough, LogTarget, Recursion, Reverse, Severity,
    SpecialUse, Target, diagnostic, load, load_text,
};

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(Path::new("tests/config").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    found.sort();
    found
}

/// Compares what the operator is told with what stands beside the fixture.
fn compare(fixture: &Path, told: &[Diagnostic]) -> Result<(), String> {
    let folder = format!("{}/", fixture.parent().unwrap().display());
    let told = diagnostic::render(told).replace(&folder, "");
    let expected = fixture.with_extension("expected");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&expected, &told).unwrap();
    }
    let wanted = fs::read_to_string(&expected).unwrap_or_default();
    if told == wanted {
        return Ok(());
    }
    Err(format!("{}\n--- told\n{told}\n--- expected\n{wanted}", fixture.display()))
}

#[test]
fn every_broken_configuration_is_refused_with_its_exact_diagnostics() {
    let fixtures = fixtures("broken");
    assert!(fixtures.len() >= 25, "{} broken configurations", fixtures.len());
    let wrong: Vec<String> = fixtures
        .iter()
        .filter_map(|fixture| match load(fixture) {
            Ok(_) => Some(format!("{} loads", fixture.display())),
            Err(told) if told.iter().all(|fault| fault.severity == Severity::Warning) => {
                Some(format!("{} has no error", fixture.display()))
            }
            Err(told) => compare(fixture, &told).err(),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_doubtful_configuration_loads_with_its_exact_warnings() {
    let wrong: Vec<String> = fixtures("doubtful")
        .iter()
        .filter_map(|fixture| match load(fixture) {
            Ok(loaded) => compare(fixture, &loaded.warnings).err(),
            Err(told) => Some(diagnostic::render(&told)),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn config(text: &str) -> Config {
    match load_text("test", text, "tests/config/broken") {
        Ok(loaded) => loaded.config,
        Err(told) => panic!("{}", diagnostic::render(&told)),
    }
}

#[test]
fn an_empty_configuration_is_all_defaults() {
    let config = config("");
    let listen = config.listen;
    assert_eq!(listen.dns, ["127.0.0.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
    assert_eq!((listen.http, listen.workers, listen.udp_payload), (None, None, 1232));
    assert_eq!((config.cache.max_ttl.as_secs(), config.cache.max_negative_ttl.as_secs()), (300, 60));
    assert_eq!((config.query_log.to, config.special_use_names), (LogTarget::Off, SpecialUse::Serve));
}

#[test]
fn a_rule_over_many_domains_is_one_route_for_each() {
    let config = config(
        r#"
        [[network]]
        name = "lan"
        cidr = "192.168.0.0/16"
        [[upstream]]
        name = "dc"
        servers = ["192.168.1.10", "192.168.1.11:5353"]
        [[rule]]
        name = "onprem"
        domain = ["Technova.Local", "corp.technova.com."]
        reverse-of = "172.16.0.0/12"
        forward = "dc"
        visible-to = "any"
        fall-through = true
        cache = { max-ttl = "5s" }
        "#,
    );
    let domains: Vec<&str> = config.routes.iter().map(|route| route.domain.as_str()).collect();
    assert_eq!(domains[..3], ["technova.local.", "corp.technova.com.", "16.172.in-addr.arpa."]);
    assert_eq!(domains.len(), 18);
    let route = &config.routes[2];
    assert_eq!(route.label, "onprem/16.172.in-addr.arpa");
    assert_eq!((&route.target, route.fall_through), (&Target::Forward { upstream: 0 }, FallThrough::Yes));
    assert_eq!((route.cache.max_ttl.as_secs(), route.cache.max_negative_ttl.as_secs()), (5, 60));
    assert_eq!(config.upstreams[0].servers[1].port(), 5353);
    assert_eq!(config.upstreams[0].servers[0].port(), 53);
}

#[test]
fn a_zone_is_a_route_before_every_rule() {
    let config = config(
        r#"
        [[rule]]
        domain = "."
        recurse = true
        visible-to = ["lan"]
        [[zone]]
        domain = "technova.internal"
        file = "zones/one.zone"
        visible-to = ["vpc"]
        reverse = true
        [[network]]
        name = "lan"
        cidr = ["10.0.30.0/24"]
        groups = ["vpc"]
        "#,
    );
    let [zone, rule] = &config.routes[..] else { panic!("{:?}", config.routes) };
    let file = PathBuf::from("tests/config/broken/zones/one.zone");
    assert_eq!(zone.target, Target::Zone { file, reverse: Reverse::Make });
    assert_eq!((zone.label.as_str(), rule.label.as_str()), ("technova.internal", "."));
    assert_eq!(zone.visible_to, Audience::Only(vec!["vpc".to_owned()]));
    assert!(config.routes.iter().all(|route| route.visible_to.includes(&config.networks[0])));
}

#[test]
fn two_configurations_that_differ_in_layout_only_mean_the_same() {
    let one = config("[[network]]\nname = \"lan\"\ncidr = [\"10.0.0.0/8\"]\n");
    let other = config("\n# moved\n[[network]]\ncidr = [\"10.0.0.0/8\"]\nname = \"lan\"\n");
    assert_eq!(one.networks, other.networks);
}

#[test]
fn an_include_counts_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("main.toml");
    let rule = |name: &str, domain: &str| {
        format!("[[rule]]\nname = \"{name}\"\ndomain = \"{domain}\"\nrefuse = true\nvisible-to = \"any\"\n")
    };
    fs::create_dir(folder.path().join("more")).unwrap();
    fs::write(&main, format!("include = [\"more/a.toml\"]\n{}", rule("main", "m"))).unwrap();
    fs::write(folder.path().join("more/a.toml"), format!("include = \"b.toml\"\n{}", rule("a", "a")))
        .unwrap();
    fs::write(folder.path().join("more/b.toml"), rule("b", "b")).unwrap();
    let labels: Vec<String> =
        load(&main).unwrap().config.routes.into_iter().map(|route| route.label).collect();
    assert_eq!(labels, ["b", "a", "main"]);
}

#[test]
fn a_file_that_is_not_text_says_in_which_line() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("main.toml");
    fs::write(&main, b"# fine\n# \xff\n").unwrap();
    let told = diagnostic::render(&load(&main).unwrap_err());
    assert_eq!(told, format!("error: cannot read {}: line 2 is not UTF-8 text\n", main.display()));
}

#[test]
fn five_thousand_networks_and_a_hundred_thousand_routes_load() {
    let mut text = String::from("[[upstream]]\nname = \"dc\"\nservers = [\"192.0.2.1\"]\n");
    for index in 0..5_000 {
        let (high, low, group) = (index / 256, index % 256, index % 50);
        writeln!(
            text,
            "[[network]]\nname = \"n{index}\"\ncidr = [\"10.{high}.{low}.0/24\"]\ngroups = [\"g{group}\"]"
        )
        .unwrap();
    }
    for index in 0..100_000 {
        let (group, parent) = (index % 50, index % 300);
        writeln!(
            text,
            "[[rule]]\ndomain = \"d{index}.p{parent}.example\"\nforward = \"dc\"\nvisible-to = [\"g{group}\"]"
        )
        .unwrap();
    }
    let loaded = load_text("big", &text, ".").unwrap();
    assert_eq!((loaded.config.networks.len(), loaded.config.routes.len()), (5_000, 100_000));
    assert!(loaded.warnings.is_empty(), "{}", diagnostic::render(&loaded.warnings[..1]));
}

#[test]
fn a_hundred_thousand_faults_are_all_told() {
    let mut text = String::from("[[network]]\nname = \"lan\"\ncidr = [\"10.0.0.0/8\"]\n");
    for index in 0..100_000 {
        writeln!(text, "[[rule]]\ndomain = \"d{index}\"\nrefuse = true\nvisible-to = [\"g{index}\"]")
            .unwrap();
    }
    assert_eq!(load_text("big", &text, ".").unwrap_err().len(), 100_000);
}

proptest::proptest! {
    /// Whatever is typed into a configuration, the operator gets an answer.
    #[test]
    fn no_typing_error_is_beyond_words(seed: proptest::sample::Index, at: proptest::sample::Index, typed in "\\PC{0,3}|[\\[\\]{}=\".,\\\\\n]", removed in 0..9_usize) {
        let fixtures = fixtures("broken");
        let mut text = fs::read_to_string(seed.get(&fixtures)).unwrap();
        let near = |mut offset: usize| {
            while !text.is_char_boundary(offset) {
                offset -= 1;
            }
            offset
        };
        let start = at.index(text.len());
        let range = near(start)..near((start + removed).min(text.len()));
        text.replace_range(range, &typed);
        let told = match load_text("typed", &text, "tests/config/broken") {
            Ok(loaded) => loaded.warnings,
            Err(told) => {
                proptest::prop_assert!(told.iter().any(|fault| fault.severity == Severity::Error));
                told
            }
        };
        proptest::prop_assert!(diagnostic::render(&told).lines().all(|line| line.len() < 2_000));
    }
}

#[test]
fn a_network_is_limited_where_it_says_so_and_by_what_clients_says_or_itself() {
    let config = config(
        "[clients]\nqueries = \"100/s\"\nburst = \"2s\"\n\
         [[network]]\nname = \"a\"\ncidr = [\"10.0.0.0/24\"]\n\
         [[network]]\nname = \"b\"\ncidr = [\"10.0.1.0/24\"]\nlimit = true\nrecursion = false\n\
         [[network]]\nname = \"c\"\ncidr = [\"10.0.2.0/24\"]\nlimit = { responses = \"off\", slip = 1 }\n",
    );
    let general =
        ClientLimit { queries: Some(100), responses: Some(20), burst: Duration::from_secs(2), slip: 2 };
    let limits: Vec<_> = config.networks.iter().map(|network| network.limit).collect();
    assert_eq!(limits, [None, Some(general), Some(ClientLimit { responses: None, slip: 1, ..general })]);
    let recursion: Vec<_> = config.networks.iter().map(|network| network.recursion).collect();
    assert_eq!(recursion, [Recursion::Offered, Recursion::Denied, Recursion::Offered]);
}
