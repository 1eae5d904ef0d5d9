//! RDATA from text: known wire forms, and hickory-proto's reader as a second opinion wherever it can read a type.

use std::str::FromStr as _;

use hickory_proto::rr::{RData, RecordType};
use hickory_proto::serialize::binary::{BinEncodable as _, BinEncoder, NameEncoding};
use kakehashi::wire::RType;

use crate::{name, zone_with};

/// The RDATA of the record `x TYPE TEXT` in the zone a.test.
fn rdata(rtype: RType, text: &str) -> Vec<u8> {
    let zone = zone_with("a.test", &format!("x {rtype} {text}\n"));
    let set = zone.iter().find(|set| set.owner == name("x.a.test").as_ref()).unwrap();
    set.rdata().next().unwrap().to_vec()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn each_type_has_the_wire_form_of_its_rfc() {
    for (rtype, text, wire) in [
        (RType::A, "192.0.2.1", "c0000201"),
        (RType::AAAA, "2001:db8::1", "20010db8000000000000000000000001"),
        (RType::NS, "ns", "026e73 0161 0474657374 00"),
        (RType::CNAME, "B.", "0142 00"),
        (RType::PTR, "@", "0161 0474657374 00"),
        (RType::MX, "10 mail.test.", "000a 046d61696c 0474657374 00"),
        (RType::SRV, "1 2 9090 .", "0001 0002 2382 00"),
        (RType::TXT, r#""a b" c "\001\"" """#, "03612062 0163 020122 00"),
        (RType::CAA, r#"128 issue "a; b\"""#, "80 05 6973737565 613b206222"),
        (RType::HINFO, "\"x86 64\" Linux", "06 783836203634 05 4c696e7578"),
        (RType::RP, "a b.", "0161 0161 0474657374 00 0162 00"),
        (
            RType::NAPTR,
            r#"100 50 "s" "SIP+D2U" "" _sip._udp.t."#,
            "0064 0032 0173 075349502b443255 00 045f736970045f756470017400",
        ),
        // RFC 4034 §5.4
        (
            RType::DS,
            "60485 5 1 ( 2BB183AF5F22588179A53B0A\n 98631FAD1A292118 )",
            "ec45 05 01 2bb183af5f22588179a53b0a98631fad1a292118",
        ),
        (RType::SSHFP, "2 3 1234 5678", "02 03 12345678"),
        (RType::TLSA, "0 0 0 d2abde24", "00 00 00 d2abde24"),
        (RType::DNSKEY, "256 3 5 AQPS mmn3", "0100 03 05 0103d29a69f7"),
        (RType::URI, "10 1 \"ftp://a\"", "000a 0001 6674703a2f2f61"),
        // RFC 4034 §4.3
        (
            RType::NSEC,
            "host.test. A MX RRSIG NSEC TYPE1234",
            "04686f7374 0474657374 00 0006400100000003 041b 000000000000000000000000000000000000000000000000000020",
        ),
        (RType::NSEC3PARAM, "1 0 12 aabbccdd", "01 00 000c 04 aabbccdd"),
        (
            RType::NSEC3,
            "1 1 12 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG",
            "01 01 000c 00 14 174eb2409fe28bcb4887a1836f957f0a8425e27b 000640000000 0002",
        ),
        (RType::CSYNC, "66 3 A NS AAAA", "00000042 0003 0004 60000008"),
        (
            RType::RRSIG,
            "A 5 3 86400 20030322173103 ( 20030220173103 2642 test. AAAA )",
            "0001 05 03 00015180 3e7c9dd7 3e5510d7 0a52 0474657374 00 000000",
        ),
        (RType::EUI48, "00-00-5e-00-53-2a", "00005e00532a"),
        (RType::EUI64, "00-00-5e-ef-10-00-00-2a", "00005eef1000002a"),
        (RType::L64, "10 2001:DB8:1140:1000", "000a 20010db811401000"),
        (RType::L32, "10 10.1.2.0", "000a 0a010200"),
        (RType::CERT, "1 0 0 Zm9v", "0001 0000 00 666f6f"),
        (RType::CERT, "PKIX 0 RSASHA256 Zm9v", "0001 0000 08 666f6f"),
        (RType::GPOS, "-32.6882 116.8652 10.0", "082d33322e36383832 083131362e38363532 0431302e30"),
    ] {
        assert_eq!(rdata(rtype, text), hex(wire), "{rtype} {text}");
    }
}

#[test]
fn service_bindings_have_the_wire_forms_of_rfc_9460() {
    for (text, wire) in [
        // Appendix D.1, D.2
        ("0 foo.example.com.", "0000 03666f6f076578616d706c6503636f6d00"),
        ("1 .", "0001 00"),
        ("16 foo.example.com. port=53", "0010 03666f6f076578616d706c6503636f6d00 0003 0002 0035"),
        ("1 foo.example.com. key667=hello", "0001 03666f6f076578616d706c6503636f6d00 029b 0005 68656c6c6f"),
        (
            r#"1 foo.example.com. key667="hello\210qoo""#,
            "0001 03666f6f076578616d706c6503636f6d00 029b 0009 68656c6c6fd2716f6f",
        ),
        (
            r#"1 foo.example.com. ipv6hint="2001:db8::1,2001:db8::53:1""#,
            "0001 03666f6f076578616d706c6503636f6d00 0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001",
        ),
        (
            "16 foo.example.org. ( alpn=h2,h3-19 mandatory=ipv4hint,alpn\n ipv4hint=192.0.2.1 )",
            "0010 03666f6f076578616d706c65036f726700 0000 0004 0001 0004 0001 0009 0268320568332d3139 0004 0004 c0000201",
        ),
        (
            r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#,
            "0010 03666f6f076578616d706c65036f726700 0001 000c 08665c6f6f2c626172 026832",
        ),
        ("1 . ech=Zm9v no-default-alpn alpn=h2", "0001 00 0001 0003 026832 0002 0000 0005 0003 666f6f"),
    ] {
        assert_eq!(rdata(RType::HTTPS, text), hex(wire), "{text}");
        assert_eq!(rdata(RType::SVCB, text), hex(wire), "{text}");
    }
}

#[test]
fn hickory_writes_the_same_octets() {
    for (rtype, text) in [
        (RType::A, "10.0.30.100"),
        (RType::AAAA, "2001:db8:0:1::a"),
        (RType::NS, "ns1.technova.com."),
        (RType::CNAME, "d123456.cloudfront.net."),
        (RType::PTR, "portal.technova.internal."),
        (RType::SOA, "ns1.technova.com. hostmaster.technova.com. 2026112301 7200 900 1209600 60"),
        (RType::MX, "10 mail.technova.com."),
        (RType::SRV, "0 100 9100 order.sales.technova.internal."),
        (RType::TXT, "\"v=spf1 ip4:10.100.10.200 -all\" \"second\""),
        (RType::CAA, "0 issue \"amazonaws.com\""),
        (RType::HINFO, "\"x86-64\" \"Linux\""),
        (RType::NAPTR, "100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.technova.com."),
        (RType::SSHFP, "4 1 123456789abcdef67890123456789abcdef67890"),
        (RType::TLSA, "3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971"),
        (RType::SMIMEA, "3 0 0 d2abde240d7cd3ee"),
        (RType::OPENPGPKEY, "mQENBFVHm5sBCADDdEzT"),
        (RType::CSYNC, "66 3 A NS AAAA"),
        (RType::SVCB, "1 portal.technova.com. alpn=\"h2,h3\" port=8443 ipv4hint=10.0.0.1,10.0.0.2"),
        (RType::HTTPS, "1 . alpn=\"h2\" ipv6hint=2001:db8::1"),
    ] {
        let theirs = RData::try_from_str(RecordType::from_str(&rtype.to_string()).unwrap(), text).unwrap();
        let mut wire = Vec::new();
        let mut encoder = BinEncoder::new(&mut wire);
        encoder.set_name_encoding(NameEncoding::Uncompressed);
        theirs.emit(&mut encoder).unwrap();
        let ours = if rtype == RType::SOA {
            let zone = crate::zone("a.test", &format!("$TTL 1\n@ SOA {text}\n@ NS ns.test.\n"));
            let set = zone.iter().find(|set| set.rtype == RType::SOA).unwrap();
            set.rdata().next().unwrap().to_vec()
        } else {
            rdata(rtype, text)
        };
        assert_eq!(ours, wire, "{rtype} {text}");
    }
}
