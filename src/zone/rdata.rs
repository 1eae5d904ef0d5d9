//! RDATA as text → wire form, every known type a row of fields (RFC 1035 §3.3 and each type's own RFC), every
//! other type as RFC 3597 writes it.
//!
//! What is read here is what is served: answers copy these octets.

use super::field::{Field, Fields, Mnemonics};
use super::token::Flaw;
use crate::wire::RType;
use crate::wire::record::rdata_is_whole;

/// Appends the RDATA that the fields say. After an error `out` may end in a part of it.
pub(super) fn read(rtype: RType, fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let start = out.len();
    if fields.next_is(r"\#") {
        generic(rtype, fields, out)?;
    } else if let Some(form) = form(rtype) {
        fields.form(rtype, form.example);
        for field in form.fields {
            fields.read(*field, out)?;
        }
    } else {
        let flaw = Flaw::new(fields.all(), format!("the fields of {rtype} are not known here"));
        return Err(flaw.hint(format!(r"write its octets as RFC 3597 does: {rtype} \# LENGTH HEXADECIMAL")));
    }
    fields.finish(rtype)?;
    if let Some((found, right)) = wrong_digest(rtype, &out[start..]) {
        let message = format!("the digest has {found} octets; one of its type has {right}");
        return Err(
            Flaw::new(fields.all(), message).hint("compare it with its source: a part may be missing")
        );
    }
    let length = out.len() - start;
    if length > usize::from(u16::MAX) {
        let message = format!("the fields make {length} octets of RDATA; a record has at most 65535");
        return Err(Flaw::new(fields.all(), message));
    }
    Ok(())
}

/// The length of a digest that is cut short or run together, and the length it should have. A DS like that would
/// make the whole zone below it bogus.
fn wrong_digest(rtype: RType, rdata: &[u8]) -> Option<(usize, usize)> {
    let (kind, digest) = match rtype {
        RType::DS | RType::CDS => (*rdata.get(3)?, rdata.len() - 4),
        RType::SSHFP => (*rdata.get(1)?, rdata.len() - 2),
        RType::TLSA | RType::SMIMEA => (*rdata.get(2)?, rdata.len() - 3),
        _ => return None,
    };
    let right = match (rtype, kind) {
        // RFC 4034 §5.1.3, RFC 4509, RFC 6605; RFC 4255 §3.1.2, RFC 6594; RFC 6698 §2.1.3
        (RType::DS | RType::CDS | RType::SSHFP, 1) => 20,
        (RType::DS | RType::CDS | RType::SSHFP, 2) => 32,
        (RType::DS | RType::CDS, 4) => 48,
        (RType::TLSA | RType::SMIMEA, 1) => 32,
        (RType::TLSA | RType::SMIMEA, 2) => 64,
        _ => return None,
    };
    (digest != right).then_some((digest, right))
}

/// RFC 3597 §5: `\# LENGTH HEXADECIMAL`, for known types too.
fn generic(rtype: RType, fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    fields.form(rtype, r"TYPE65280 \# 4 0a000001");
    fields.skip();
    let start = out.len();
    let mut length = Vec::new();
    fields.read(Field::Short("length"), &mut length)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    let hexadecimal = fields.rest();
    if length > 0 {
        fields.read(Field::Hex("octets"), out)?;
    }
    let found = out.len() - start;
    if found != length {
        return Err(Flaw::new(hexadecimal, format!("{length} octets are announced, {found} are written")));
    }
    rdata_is_whole(rtype, &out[start..]).map_err(|_| {
        Flaw::new(hexadecimal, format!("these octets are not the RDATA of a record of type {rtype}"))
    })
}

/// DNSSEC algorithms (RFC 8624 and the IANA registry).
const ALGORITHMS: Mnemonics = &[
    ("RSAMD5", 1),
    ("DSA", 3),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// Kinds of certificates (RFC 4398 §2.1).
const CERTIFICATES: Mnemonics = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

/// How a type is written.
struct Form {
    fields: &'static [Field],
    example: &'static str,
}

/// The fields of a type, in the order of the IANA registry; `None` of a type that is written as RFC 3597 has it.
fn form(rtype: RType) -> Option<Form> {
    use Field::{
        Base64, Byte, Eui, HashedName, Hex, Host, Ip4, Ip6, Locator, Long, Mailbox, Name, NamedByte,
        NamedShort, Params, Salt, Short, Tag, Text, Texts, Time, Timestamp, TypeCode, Types, Value,
    };
    let (fields, example): (&'static [Field], &'static str) = match rtype {
        RType::A => (&[Ip4], "A 10.0.30.100"),
        RType::NS => (&[Host("name server")], "NS ns1.technova.com."),
        RType::MD | RType::MF | RType::MB | RType::MG | RType::MR => {
            (&[Name("name")], "MB host.technova.com.")
        }
        RType::CNAME => (&[Name("canonical name")], "CNAME portal.technova.internal."),
        RType::SOA => (
            &[
                Host("primary server"),
                Mailbox("mailbox"),
                Long("serial"),
                Time("refresh time"),
                Time("retry time"),
                Time("expire time"),
                Time("minimum"),
            ],
            "SOA ns1.technova.com. hostmaster.technova.com. 2026112301 7200 900 1209600 60",
        ),
        RType::PTR => (&[Name("name")], "PTR portal.technova.internal."),
        RType::HINFO => (&[Text("CPU"), Text("operating system")], "HINFO \"x86-64\" \"Linux\""),
        RType::MINFO | RType::RP => {
            (&[Mailbox("mailbox"), Name("second name")], "RP admin.technova.com. info.technova.com.")
        }
        RType::MX => (&[Short("preference"), Host("mail exchange")], "MX 10 mail.technova.com."),
        RType::TXT | RType::SPF => (&[Texts], "TXT \"v=spf1 -all\""),
        RType::AFSDB | RType::RT | RType::KX => {
            (&[Short("preference"), Host("host")], "AFSDB 1 afs.technova.com.")
        }
        RType::X25 => (&[Text("PSDN address")], "X25 \"311061700956\""),
        RType::ISDN => (&[Texts], "ISDN \"150862028003217\" \"004\""),
        RType::KEY | RType::DNSKEY | RType::CDNSKEY => (
            &[Short("flags"), Byte("protocol"), NamedByte("algorithm", ALGORITHMS), Base64("public key")],
            "DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
        ),
        RType::PX => {
            (&[Short("preference"), Name("RFC 822 domain"), Name("X.400 domain")], "PX 10 a.technova.com. b.")
        }
        RType::GPOS => (&[Text("longitude"), Text("latitude"), Text("altitude")], "GPOS 139.69 35.68 40.0"),
        RType::AAAA => (&[Ip6], "AAAA 2001:db8::1"),
        RType::SRV => (
            &[Short("priority"), Short("weight"), Short("port"), Host("target")],
            "SRV 0 0 9090 planning.manufacturing.technova.internal.",
        ),
        RType::NAPTR => (
            &[
                Short("order"),
                Short("preference"),
                Text("flags"),
                Text("services"),
                Text("regular expression"),
                Name("replacement"),
            ],
            "NAPTR 100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.technova.com.",
        ),
        RType::CERT => (
            &[
                NamedShort("type", CERTIFICATES),
                Short("key tag"),
                NamedByte("algorithm", ALGORITHMS),
                Base64("certificate"),
            ],
            "CERT 1 0 0 MIIBszCCAVmgAwIBAgIU",
        ),
        RType::DNAME => (&[Name("target")], "DNAME technova.internal."),
        RType::DS | RType::CDS => (
            &[Short("key tag"), NamedByte("algorithm", ALGORITHMS), Byte("digest type"), Hex("digest")],
            "DS 60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A",
        ),
        RType::SSHFP => (
            &[Byte("algorithm"), Byte("fingerprint type"), Hex("fingerprint")],
            "SSHFP 2 1 123456789abcdef67890123456789abcdef67890",
        ),
        RType::RRSIG => (
            &[
                TypeCode,
                NamedByte("algorithm", ALGORITHMS),
                Byte("label count"),
                Time("original TTL"),
                Timestamp("expiration"),
                Timestamp("inception"),
                Short("key tag"),
                Name("signer"),
                Base64("signature"),
            ],
            "RRSIG A 13 3 300 20261222173103 20261122173103 2642 technova.com. oJB1W6WNGv+ldvQ3WDG0MQ==",
        ),
        RType::NSEC => (&[Name("next name"), Types], "NSEC www.technova.com. A RRSIG NSEC"),
        RType::DHCID => (&[Base64("identifier")], "DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="),
        RType::NSEC3 => (
            &[Byte("hash algorithm"), Byte("flags"), Short("iterations"), Salt, HashedName, Types],
            "NSEC3 1 0 0 - 0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM A RRSIG",
        ),
        RType::NSEC3PARAM => {
            (&[Byte("hash algorithm"), Byte("flags"), Short("iterations"), Salt], "NSEC3PARAM 1 0 0 -")
        }
        RType::TLSA | RType::SMIMEA => (
            &[Byte("usage"), Byte("selector"), Byte("matching type"), Hex("association data")],
            "TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971",
        ),
        RType::OPENPGPKEY => (&[Base64("public key")], "OPENPGPKEY mQENBFVHm5sBCADDdEzT"),
        RType::CSYNC => (&[Long("serial"), Short("flags"), Types], "CSYNC 66 3 A NS AAAA"),
        RType::ZONEMD => (
            &[Long("serial"), Byte("scheme"), Byte("hash algorithm"), Hex("digest")],
            "ZONEMD 2026112301 1 1 a1b2c3d4",
        ),
        RType::SVCB | RType::HTTPS => {
            (&[Short("priority"), Name("target"), Params], "HTTPS 1 . alpn=\"h2,h3\" ipv4hint=10.0.30.100")
        }
        RType::NID | RType::L64 => (&[Short("preference"), Locator], "L64 10 2001:0DB8:1140:1000"),
        RType::L32 => (&[Short("preference"), Ip4], "L32 10 10.1.2.0"),
        RType::LP => (&[Short("preference"), Name("name")], "LP 10 l64-subnet.technova.com."),
        RType::EUI48 => (&[Eui(6)], "EUI48 00-00-5e-00-53-2a"),
        RType::EUI64 => (&[Eui(8)], "EUI64 00-00-5e-ef-10-00-00-2a"),
        RType::URI => (
            &[Short("priority"), Short("weight"), Value("target")],
            "URI 10 1 \"https://portal.technova.com/\"",
        ),
        RType::CAA => (&[Byte("flags"), Tag, Value("value")], "CAA 0 issue \"amazonaws.com\""),
        _ => return None,
    };
    Some(Form { fields, example })
}
