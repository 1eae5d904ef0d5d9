//! What is promised, row by row; and that the lab itself can be believed.

use std::process::Command;

use crate::table;
use crate::world::{Site, address, temporary};

use super::shared;

/// Separates a fault of the lab from a fault of the server: here the peers are asked directly.
pub fn the_peers_answer_without_us() {
    let directory = temporary();
    let site = Site::build(directory.path());
    let (dc, amazon) = (address("192.168.1.10"), address("169.254.169.253"));
    assert_eq!(site.ask("10.0.30.100", dc, "user.technova.local", "A").answers(), ["A 192.168.10.10"]);
    assert_eq!(
        site.ask("192.168.1.11", dc, "10.1.168.192.in-addr.arpa", "PTR").answers(),
        ["PTR dc01.technova.local."]
    );
    assert_eq!(site.ask("10.0.30.100", dc, "_big._tcp.app.technova.local", "SRV+tcp").answers().len(), 60);
    assert!(site.ask("10.0.30.100", dc, "_big._tcp.app.technova.local", "SRV").message.metadata.truncation);
    let public = site.ask("203.0.113.7", amazon, "out.example.com", "A");
    assert_eq!(public.answers().len(), 3, "a chain over two zones: {:?}", public.answers());
    assert_eq!(
        site.ask("10.0.30.100", amazon, "rds.ap-northeast-1.amazonaws.com", "A").answers(),
        ["A 198.51.100.11"]
    );
    assert!(site.dcs[0].asked_below("user.technova.local") == 1, "the query log of dc01 is read");
    assert_eq!(site.dcs[1].asked_below("user.technova.local"), 0, "dc02 was not asked");
}

/// Rows that are right and rows that are wrong in each column, asked of dc01: the wrong ones must be found, all of them.
pub fn the_table_finds_what_is_wrong() {
    let right = "
        10.0.30.100@192.168.1.10  user.technova.local          A      NOERROR   aa,ra      1200       A 192.168.10.10
        10.0.30.100@192.168.1.10  intranet.technova.local      A      NOERROR   aa         1200-1200  CNAME app.technova.local ; A *
        10.0.30.100@192.168.1.10  nothere.technova.local       A      NXDOMAIN  aa,!tc     -          -
        10.0.30.100@192.168.1.10  user.technova.local          AAAA   NOERROR   aa         -          -
        10.0.30.100@192.168.1.10  _ldap._tcp.technova.local    SRV+do NOERROR   -          -          SRV *2  # the controllers
        10.0.30.100@192.168.1.10  _big._tcp.app.technova.local SRV    NOERROR   tc         -          -";
    let wrong = "
        10.0.30.100@192.168.1.10  user.technova.local          A      NXDOMAIN  -          -          A 192.168.10.10
        10.0.30.100@192.168.1.10  user.technova.local          A      NOERROR   !aa        -          A 192.168.10.10
        10.0.30.100@192.168.1.10  user.technova.local          A      NOERROR   ede18      -          A 192.168.10.10
        10.0.30.100@192.168.1.10  user.technova.local          A      NOERROR   nsid=dc01  -          A 192.168.10.10
        10.0.30.100@192.168.1.10  user.technova.local          A      NOERROR   referral   -          A 192.168.10.10
        10.0.30.100@192.168.1.10  user.technova.local          A      NOERROR   -          300        A 192.168.10.10
        10.0.30.100@192.168.1.10  user.technova.local          A      NOERROR   -          -          A 192.168.10.11
        10.0.30.100@192.168.1.10  technova.local               A      NOERROR   -          -          A 192.168.1.10
        10.0.30.100@192.168.1.10  _ldap._tcp.technova.local    SRV    NOERROR   -          -          SRV *3";
    let directory = temporary();
    let site = Site::build(directory.path());
    assert_eq!(table::check(right, &site.network), Ok(6));
    let found = table::check(wrong, &site.network).unwrap_err();
    assert!(found.starts_with("9 of 9 rows"), "{found}");
    let unreadable =
        table::check("10.0.30.100 name NOTYPE NOERROR - - -\n10.0.30.100 name A NOERROR -", &site.network);
    let complaint = unreadable.unwrap_err();
    assert!(complaint.contains("queries.txt:1") && complaint.contains("queries.txt:2"), "{complaint}");
}

/// At least the 150 rows that the network's size asks for.
pub fn every_row_of_queries_txt() {
    let rows = table::rows(table::TABLE).unwrap_or_else(|errors| panic!("{errors}")).len();
    assert!(rows >= 150, "the table has only {rows} rows");
    table::check(table::TABLE, &shared().site.network).unwrap_or_else(|failures| panic!("{failures}"));
}

/// The same answers through a client that is not ours.
pub fn dig_agrees() {
    let lab = shared();
    let dig = |client: &str, arguments: &[&str]| {
        let host = lab.site.network.host_of(address(client));
        let mut command = Command::new("dig");
        command.args(["-b", client, "@10.150.20.10", "+tries=1"]).args(arguments);
        let output = lab.site.network.inside(host, || command.output()).unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(dig("10.0.30.100", &["+short", "planning.manufacturing.technova.internal"]), "10.0.30.100\n");
    assert_eq!(dig("192.168.50.5", &["+short", "api.technova.com"]), "10.100.10.100\n");
    assert_eq!(dig("203.0.113.7", &["+short", "api.technova.com"]), "d987654321.cloudfront.net.\n");
    assert_eq!(
        dig("192.168.50.5", &["+short", "-x", "10.0.30.101"]),
        "inventory.manufacturing.technova.internal.\n"
    );
    let sixty = dig("10.0.30.100", &["+short", "_big._tcp.app.technova.local", "SRV"]);
    assert_eq!(sixty.lines().count(), 60, "dig comes back over TCP when TC is set");
    let whole = dig("203.0.113.7", &["www.example.com"]);
    assert!(whole.contains("status: REFUSED"), "{whole}");
    assert!(!whole.contains("Warning") && !whole.contains("malformed"), "dig complains:\n{whole}");
}
