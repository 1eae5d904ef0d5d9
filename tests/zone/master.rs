//! Master files as RFC 1035 §5, 2308 §4 and 3597 §5 write them.

use kakehashi::wire::RType;
use kakehashi::zone::{load, parse_text};

use crate::{ask, lines, name, zone};

const HEAD: &str =
    "$TTL 1h30m\n@ IN SOA ns hostmaster ( 7 2h 15m 2w ; two weeks\n 1m )\n IN NS ns\nns A 10.150.20.10\n";

fn answer(text: &str, qname: &str, qtype: RType) -> Vec<String> {
    lines(&ask(&zone("technova.internal", &format!("{HEAD}{text}")), qname, qtype).0.answer)
}

#[test]
fn owner_ttl_and_class_may_be_left_out_and_stand_in_either_order() {
    let text = "a 60 IN A 10.0.0.1\n  IN 120 TXT \"x\"\nb IN A 10.0.0.2\nc 1d A 10.0.0.3\nd A 10.0.0.4\n";
    for (qname, qtype, line) in [
        ("a", RType::A, "60 A 10.0.0.1"),
        ("a", RType::TXT, "120 TXT x"),
        ("b", RType::A, "5400 A 10.0.0.2"),
        ("c", RType::A, "86400 A 10.0.0.3"),
        ("d", RType::A, "5400 A 10.0.0.4"),
    ] {
        let qname = format!("{qname}.technova.internal.");
        assert_eq!(answer(text, &qname, qtype), [format!("{qname} {line}")]);
    }
}

#[test]
fn without_a_default_the_last_stated_ttl_holds() {
    let zone = zone("a", "@ 60 SOA ns hm 1 2 3 4 5\n@ NS ns\nns 90 A 10.0.0.1\nx A 10.0.0.2\n");
    assert_eq!(lines(&ask(&zone, "a", RType::NS).0.answer), ["a. 60 NS ns.a."]);
    assert_eq!(lines(&ask(&zone, "x.a", RType::A).0.answer), ["x.a. 90 A 10.0.0.2"]);
}

#[test]
fn the_origin_completes_names_from_where_it_stands() {
    let text = "a CNAME @\n$ORIGIN sales\norder A 10.1.30.100\n@ CNAME order\n$ORIGIN technova.internal.\nb A 10.0.0.1\n";
    assert_eq!(
        answer(text, "a.technova.internal.", RType::A),
        ["a.technova.internal. 5400 CNAME technova.internal."]
    );
    assert_eq!(answer(text, "order.sales.technova.internal.", RType::A).len(), 1);
    assert_eq!(
        answer(text, "sales.technova.internal.", RType::A),
        ["sales.technova.internal. 5400 CNAME order.sales.technova.internal."]
    );
    assert_eq!(answer(text, "b.technova.internal.", RType::A).len(), 1);
}

#[test]
fn escapes_and_quotes_write_any_octet() {
    assert_eq!(
        answer(r"a\.b\032c A 10.0.0.1", r"a\.b\032c.technova.internal.", RType::A),
        [r"a\.b\032c.technova.internal. 5400 A 10.0.0.1"]
    );
    assert_eq!(
        answer(r#"t TXT "say \"x;y\"\059 (z)" ; not this"#, "t.technova.internal.", RType::TXT),
        [r#"t.technova.internal. 5400 TXT say "x;y"; (z)"#]
    );
    assert_eq!(answer("\\$TTL A 10.0.0.1", r"\$TTL.technova.internal.", RType::A).len(), 1);
}

#[test]
fn any_type_can_be_written_as_rfc_3597_does() {
    let text = "x CLASS1 TYPE65280 \\# 4 0a 0000 01\nx TYPE1 \\# 4 0a000001\nx aaaa \\# 16 ( 20010db8000000\n000000000000000001 )\ny TYPE65281 \\# 0\n";
    for (qname, qtype, line) in [
        ("x", RType(65280), "TYPE65280 0a000001"),
        ("x", RType::A, "A 10.0.0.1"),
        ("x", RType::AAAA, "AAAA 20010db8000000000000000000000001"),
        ("y", RType(65281), "TYPE65281 "),
    ] {
        let qname = format!("{qname}.technova.internal.");
        assert_eq!(answer(text, &qname, qtype), [format!("{qname} 5400 {line}")]);
    }
}

#[test]
fn generate_makes_a_record_of_each_number() {
    let text = "$GENERATE 1-3 host-${0,2} 60 A 10.0.0.$\n";
    assert_eq!(
        answer(text, "host-03.technova.internal.", RType::A),
        ["host-03.technova.internal. 60 A 10.0.0.3"]
    );
}

#[test]
fn an_included_file_starts_from_its_own_folder_and_leaves_the_origin_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("services")).unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    write(
        "main.zone",
        &format!("{HEAD}last A 10.0.0.9\n$INCLUDE services/sales.inc sales\n  TXT \"last\"\nx A 10.0.0.1\n"),
    );
    write(
        "services/sales.inc",
        "order A 10.1.30.100\n$ORIGIN deep.sales.technova.internal.\n$INCLUDE more.inc\n",
    );
    write("services/more.inc", "more A 10.1.30.101\n$TTL 60\n");
    let zone = load(&name("technova.internal"), &folder.path().join("main.zone")).unwrap().zone;
    for (qname, qtype, line) in [
        ("order.sales", RType::A, "5400 A 10.1.30.100"),
        ("more.deep.sales", RType::A, "5400 A 10.1.30.101"),
        // RFC 2308 §4: $TTL holds for all records behind it.
        ("last", RType::TXT, "60 TXT last"),
        ("x", RType::A, "60 A 10.0.0.1"),
    ] {
        let qname = format!("{qname}.technova.internal.");
        assert_eq!(lines(&ask(&zone, &qname, qtype).0.answer), [format!("{qname} {line}")]);
    }
}

#[test]
fn files_that_include_each_other_end() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    write("a.zone", &format!("{HEAD}$INCLUDE b.inc\n"));
    write("b.inc", "$INCLUDE c.inc\n");
    write("c.inc", "$INCLUDE ./b.inc\n");
    let errors = load(&name("technova.internal"), &folder.path().join("a.zone")).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].message.ends_with("b.inc` includes itself"), "{}", errors[0].message);
    // Not a cycle, but 2^64 files.
    write("d0.inc", "");
    for n in 1..=64 {
        let one = format!("$INCLUDE d{}.inc\n", n - 1);
        write(&format!("d{n}.inc"), &one.repeat(2));
    }
    write("a.zone", &format!("{HEAD}$INCLUDE d15.inc\n$INCLUDE d64.inc\n"));
    let errors = load(&name("technova.internal"), &folder.path().join("a.zone")).unwrap_err();
    assert!(errors.iter().all(|error| error.message.contains("one too many")), "{errors:?}");
}

#[test]
fn one_wrong_record_and_there_is_no_zone() {
    let errors =
        parse_text(&name("technova.internal"), "x.zone", &format!("{HEAD}x A 10.0.0.256\n")).unwrap_err();
    assert_eq!(errors.len(), 1);
}

#[test]
fn a_file_from_windows_is_read_too() {
    let text = format!("\u{feff}{HEAD}x A 10.0.0.1\n").replace('\n', "\r\n");
    let zone = zone("technova.internal", &text);
    assert_eq!(lines(&ask(&zone, "x.technova.internal", RType::A).0.answer).len(), 1);
}

#[test]
fn the_same_file_makes_an_equal_zone_and_another_file_does_not() {
    let text = format!("{HEAD}x A 10.0.0.1\n");
    assert_eq!(zone("technova.internal", &text), zone("technova.internal", &format!("; a comment\n{text}")));
    assert_ne!(zone("technova.internal", &text), zone("technova.internal", &text.replace("0.0.1", "0.0.2")));
    assert_ne!(zone("technova.internal", &text), zone("technova.local", &text));
}

#[test]
fn a_zone_lists_what_it_has() {
    let zone = zone("technova.internal", &format!("{HEAD}x A 10.0.0.1\nx A 10.0.0.2\nx TXT \"y\"\n"));
    assert_eq!((zone.serial(), zone.record_count(), zone.origin()), (7, 6, &name("technova.internal")));
    let sets: Vec<_> =
        zone.iter().map(|set| format!("{} {} {}", set.owner, set.rtype, set.records().count())).collect();
    assert_eq!(
        sets,
        [
            "technova.internal. NS 1",
            "technova.internal. SOA 1",
            "ns.technova.internal. A 1",
            "x.technova.internal. A 2",
            "x.technova.internal. TXT 1"
        ]
    );
}
