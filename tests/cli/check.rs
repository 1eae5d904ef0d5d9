//! `check` and `check-zone`: silent where all is well, exact where it is not.

use tempfile::TempDir;

use super::{kakehashi, kakehashi_in};

const CONFIGURATION: &str = r#"[listen]
dns = ["127.0.0.1:5399"]

[[network]]
name = "lan"
cidr = ["10.0.30.0/24"]
groups = ["vpc"]

[[upstream]]
name = "onprem-dc"
servers = ["192.168.1.10"]

[[rule]]
domain = "technova.local"
forward = "onprem-dc"
visible-to = ["vpc"]

[[zone]]
domain = "technova.internal"
file = "zones/technova.internal.zone"
visible-to = ["vpc"]
"#;

const ZONE: &str = "$ORIGIN technova.internal.
$TTL 300
@          SOA resolver hostmaster 1 7200 900 1209600 60
           NS  resolver
resolver   A   10.150.20.10
planning   A   10.0.30.100
inventory  A   10.0.30.101
";

fn folder(configuration: &str, zone: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("zones")).unwrap();
    std::fs::write(folder.path().join("main.toml"), configuration).unwrap();
    std::fs::write(folder.path().join("zones/technova.internal.zone"), zone).unwrap();
    folder
}

#[test]
fn the_shipped_configuration_is_sound_and_nothing_is_doubtful_in_it() {
    let said = kakehashi(&["check", "--config", "conf/kakehashi.toml", "--strict"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert!(
        said.out.starts_with("conf/kakehashi.toml: 102 networks, ")
            && said.out.ends_with("; nothing is wrong\n"),
        "{said:?}"
    );
}

#[test]
fn a_sound_configuration_is_summed_up_in_a_line() {
    let folder = folder(CONFIGURATION, ZONE);
    let said = kakehashi_in(folder.path(), &["check", "-c", "main.toml"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(said.out, "main.toml: 1 network, 1 view, 2 routes, 1 zone, 1 upstream; nothing is wrong\n");
}

#[test]
fn all_errors_of_a_configuration_are_shown_where_they_are_with_what_would_be_right() {
    let broken = CONFIGURATION.replace("10.0.30.0/24", "10.0.30.7/24").replace("forward", "foward").replacen(
        "visible-to = [\"vpc\"]",
        "visible-to = [\"vcp\"]",
        1,
    );
    let folder = folder(&broken, ZONE);
    let said = kakehashi_in(folder.path(), &["check", "--config", "main.toml"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert_eq!(
        said.err,
        r#"error: 10.0.30.7/24 has host bits set; the network would be 10.0.30.0/24
 --> main.toml:6:9
  |
6 | cidr = ["10.0.30.7/24"]
  |         ^^^^^^^^^^^^^^
  = help: write "10.0.30.0/24" for all of it, or "10.0.30.7/32" for the part that begins there

error: [[rule]] has no key `foward`
  --> main.toml:15:1
   |
15 | foward = "onprem-dc"
   | ^^^^^^
   = help: did you mean `forward`?

error: no network and no group is called `vcp`
  --> main.toml:16:15
   |
16 | visible-to = ["vcp"]
   |               ^^^^^
   = help: did you mean "vpc"?

3 errors
"#
    );
}

const ZONE_ERRORS: &str = r"error: the address `10.0.30.1OO` is no IPv4 address
 --> zones/technova.internal.zone:6:16
  |
6 | planning   A   10.0.30.1OO
  |                ^^^^^^^^^^^
  = help: as in: A 10.0.30.100
";

#[test]
fn an_error_in_a_zone_is_shown_with_its_place_and_that_of_the_zone_in_the_configuration() {
    let folder = folder(CONFIGURATION, &ZONE.replace("10.0.30.100", "10.0.30.1OO"));
    let said = kakehashi_in(folder.path(), &["check", "--config", "main.toml"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    let of_the_configuration = r#"error: the zone file zones/technova.internal.zone cannot be used
  --> main.toml:19:10
   |
19 | domain = "technova.internal"
   |          ^^^^^^^^^^^^^^^^^^^
"#;
    assert_eq!(said.err, format!("{of_the_configuration}\n{ZONE_ERRORS}\n2 errors\n"));
}

#[test]
fn a_warning_ends_with_1_only_where_it_is_asked_to() {
    let unused = format!("{CONFIGURATION}\n[[upstream]]\nname = \"spare\"\nservers = [\"192.0.2.1\"]\n");
    let folder = folder(&unused, ZONE);
    let relaxed = kakehashi_in(folder.path(), &["check", "--config", "main.toml"]);
    assert_eq!(relaxed.code, Some(0));
    assert!(relaxed.out.ends_with("; 1 warning\n"), "{relaxed:?}");
    assert!(relaxed.err.starts_with("warning: ") && relaxed.err.contains("--> main.toml:2"), "{relaxed:?}");
    let strict = kakehashi_in(folder.path(), &["check", "--config", "main.toml", "--strict"]);
    assert_eq!((strict.code, strict.err), (Some(1), relaxed.err));
}

#[test]
fn a_zone_is_checked_by_itself() {
    let good = folder(CONFIGURATION, ZONE);
    let words = ["check-zone", "technova.internal", "zones/technova.internal.zone"];
    let said = kakehashi_in(good.path(), &words);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(said.out, "zone technova.internal.: serial 1, 5 records\n");

    let broken = folder(CONFIGURATION, &ZONE.replace("10.0.30.100", "10.0.30.1OO"));
    let said = kakehashi_in(broken.path(), &words);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert_eq!(said.err, format!("{ZONE_ERRORS}\n1 error\n"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    for words in [&["check", "-c", "nothere.toml"][..], &["explain", "-c", "nothere.toml", "10.0.0.1", "x"]] {
        let said = kakehashi_in(TempDir::new().unwrap().path(), words);
        assert_eq!(said.code, Some(1));
        assert!(said.err.starts_with("error: cannot read nothere.toml: there is no such file\n"), "{said:?}");
    }
}
