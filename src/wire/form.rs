//! How the RDATA of each type is written: its fields, in the order of the presentation form (RFC 1035 §3.3, §5.1, and
//! each type's own RFC).
//!
//! One table for both ways: master files are read by it, and [`present`](super::present) writes by it. Every type of
//! the IANA registry that has a presentation form is here. The others are written as RFC 3597 §5 has it: NULL, which
//! RFC 1035 §3.3.10 forbids in master files, and UINFO, UID, GID and UNSPEC, which no document describes.

use super::RType;
use super::mnemonic::{
    ALGORITHMS, CERTIFICATES, KEY_FLAGS, KEY_PROTOCOLS, Mnemonics, PROTOCOLS, SCHEMES, SERVICES,
};

/// What a field is. The text is what the field is called in a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// An IPv4 address.
    Ip4,
    /// An IPv6 address.
    Ip6,
    /// A domain name.
    Name(&'static str),
    /// A domain name that has addresses, so that an address in its place is a mistake.
    Host(&'static str),
    /// A mailbox as a domain name (RFC 1035 §8).
    Mailbox(&'static str),
    /// 8 bits.
    Byte(&'static str),
    /// 16 bits.
    Short(&'static str),
    /// 8 bits, for some values of which there are mnemonics.
    NamedByte(&'static str, Mnemonics),
    /// 16 bits, for some values of which there are mnemonics.
    NamedShort(&'static str, Mnemonics),
    /// 16 bits, each of which may have its mnemonic, joined by `|`.
    Flags(&'static str, Mnemonics),
    /// 32 bits.
    Long(&'static str),
    /// 64 bits.
    Huge(&'static str),
    /// 32 bits of seconds, units allowed.
    Time(&'static str),
    /// A moment, YYYYMMDDHHmmSS or seconds since 1970 (RFC 4034 §3.2).
    Timestamp(&'static str),
    /// A character string.
    Text(&'static str),
    /// A character string that may be left out, as the last one.
    OptionalText(&'static str),
    /// One or more character strings.
    Texts,
    /// A character string of decimal digits, four of them at least (RFC 1183 §3.1).
    Psdn(&'static str),
    /// A character string that is a decimal number (RFC 1712 §3).
    Decimal(&'static str),
    /// All octets of one string, without a length (CAA, URI).
    Value(&'static str),
    /// A CAA tag (RFC 8659 §4.1).
    Tag,
    /// Hexadecimal up to the end, white space in it allowed.
    Hex(&'static str),
    /// Base64 up to the end, white space in it allowed.
    Base64(&'static str),
    /// Base64 up to the end, which may be nothing.
    OptionalBase64(&'static str),
    /// Base64 up to the end, or `-` for none.
    DashBase64(&'static str),
    /// Base64 up to the end, nothing after flags that say there is no key (RFC 2535 §3.1.2).
    FlaggedKey,
    /// Base64 up to the end, nothing after an algorithm 0 (RFC 4025 §2.4).
    GatewayKey,
    /// A salt: hexadecimal, or `-` for none (RFC 5155 §3.3).
    Salt,
    /// A hashed owner name (RFC 5155 §3.3).
    HashedName,
    /// A record type.
    TypeCode,
    /// Record types up to the end, as a bitmap (RFC 4034 §4.1.2).
    Types,
    /// Record types below 128 up to the end, as one bitmap (RFC 2535 §5.2).
    OldTypes,
    /// So many octets, `00-00-5e…` (RFC 7043).
    Eui(usize),
    /// 64 bits, `2001:0DB8:1140:1000` (RFC 6742).
    Locator,
    /// Service parameters up to the end (RFC 9460 §2.1).
    Params,
    /// Ports up to the end, as a bitmap (RFC 1035 §3.4.2).
    Ports(Mnemonics),
    /// A place on earth and its size (RFC 1876 §3).
    Location,
    /// Address prefixes up to the end, each `[!]FAMILY:ADDRESS/LENGTH` (RFC 3123 §5).
    Prefixes,
    /// Whether hosts may look for a relay by themselves: the upper bit of the octet that [`Field::Gateway`]'s kind
    /// is the rest of (RFC 8777 §4.2.2).
    Discovery,
    /// What a [`Field::Gateway`] is: nothing, an IPv4 address, an IPv6 address or a name; the second octet of RDATA.
    GatewayKind(&'static str),
    /// A gateway or relay (RFC 4025 §2.5, RFC 8777 §4.2.4).
    Gateway(&'static str),
    /// A host's algorithm, identity tag, key and rendezvous servers (RFC 8005 §6).
    HostIdentity,
    /// The rest of an IPv6 address and the name that has its beginning (RFC 2874 §3.2).
    AddressChain,
    /// Hexadecimal behind `0x`, dots in it allowed (RFC 1706 §7).
    Nsap,
    /// An ATM address: hexadecimal with dots, or `+` and digits (ATM Forum, AF-SAA-0069 §5.2).
    Atm,
}

/// How a type is written.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// Its fields, in order.
    pub fields: &'static [Field],
    /// A record of it, as a hint for who wrote another one wrong.
    pub example: &'static str,
}

/// The fields of a type, in the order of the IANA registry; `None` of a type that is written as RFC 3597 has it.
pub fn form(rtype: RType) -> Option<Form> {
    use Field::{
        AddressChain, Atm, Base64, Byte, DashBase64, Decimal, Discovery, Eui, FlaggedKey, Flags, Gateway,
        GatewayKey, GatewayKind, HashedName, Hex, Host, HostIdentity, Huge, Ip4, Ip6, Location, Locator,
        Long, Mailbox, Name, NamedByte, NamedShort, Nsap, OldTypes, OptionalBase64, OptionalText, Params,
        Ports, Prefixes, Psdn, Salt, Short, Tag, Text, Texts, Time, Timestamp, TypeCode, Types, Value,
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
        RType::WKS => {
            (&[Ip4, NamedByte("protocol", PROTOCOLS), Ports(SERVICES)], "WKS 10.0.30.100 TCP SMTP 443")
        }
        RType::PTR | RType::NSAP_PTR => (&[Name("name")], "PTR portal.technova.internal."),
        RType::HINFO => (&[Text("CPU"), Text("operating system")], "HINFO \"x86-64\" \"Linux\""),
        RType::MINFO | RType::RP => {
            (&[Mailbox("mailbox"), Name("second name")], "RP admin.technova.com. info.technova.com.")
        }
        RType::MX => (&[Short("preference"), Host("mail exchange")], "MX 10 mail.technova.com."),
        RType::TXT | RType::SPF | RType::NINFO | RType::AVC | RType::RESINFO | RType::WALLET | RType::CLA => {
            (&[Texts], "TXT \"v=spf1 -all\"")
        }
        RType::AFSDB | RType::RT | RType::KX => {
            (&[Short("preference"), Host("host")], "AFSDB 1 afs.technova.com.")
        }
        RType::X25 => (&[Psdn("PSDN address")], "X25 \"311061700956\""),
        RType::ISDN => {
            (&[Text("ISDN address"), OptionalText("subaddress")], "ISDN \"150862028003217\" \"004\"")
        }
        RType::NSAP => (&[Nsap], "NSAP 0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00"),
        RType::KEY => (
            &[
                Flags("flags", KEY_FLAGS),
                NamedByte("protocol", KEY_PROTOCOLS),
                NamedByte("algorithm", ALGORITHMS),
                FlaggedKey,
            ],
            "KEY 512 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
        ),
        RType::DNSKEY | RType::CDNSKEY | RType::RKEY => (
            &[Short("flags"), Byte("protocol"), NamedByte("algorithm", ALGORITHMS), Base64("public key")],
            "DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
        ),
        RType::PX => {
            (&[Short("preference"), Name("RFC 822 domain"), Name("X.400 domain")], "PX 10 a.technova.com. b.")
        }
        RType::GPOS => {
            (&[Decimal("longitude"), Decimal("latitude"), Decimal("altitude")], "GPOS 139.69 35.68 40.0")
        }
        RType::AAAA => (&[Ip6], "AAAA 2001:db8::1"),
        RType::LOC => (&[Location], "LOC 35 41 22 N 139 41 30 E 40m"),
        RType::NXT => (&[Name("next name"), OldTypes], "NXT www.technova.com. A SIG NXT"),
        RType::EID | RType::NIMLOC => (&[Hex("octets")], "EID 0a0b0c"),
        RType::SRV => (
            &[Short("priority"), Short("weight"), Short("port"), Host("target")],
            "SRV 0 0 9090 planning.manufacturing.technova.internal.",
        ),
        RType::ATMA => (&[Atm], "ATMA +81.3.1234"),
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
        RType::A6 => (&[AddressChain], "A6 64 ::1 subnet.technova.com."),
        RType::SINK => {
            (&[Byte("meaning"), Byte("coding"), Byte("subcoding"), OptionalBase64("data")], "SINK 1 2 3 Zm9v")
        }
        RType::APL => (&[Prefixes], "APL 1:10.0.0.0/16 !1:10.0.30.0/24"),
        RType::DNAME => (&[Name("target")], "DNAME technova.internal."),
        RType::DS | RType::CDS | RType::TA | RType::DLV => (
            &[Short("key tag"), NamedByte("algorithm", ALGORITHMS), Byte("digest type"), Hex("digest")],
            "DS 60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A",
        ),
        RType::SSHFP => (
            &[Byte("algorithm"), Byte("fingerprint type"), Hex("fingerprint")],
            "SSHFP 2 1 123456789abcdef67890123456789abcdef67890",
        ),
        RType::IPSECKEY => (
            &[
                Byte("precedence"),
                GatewayKind("gateway type"),
                Byte("algorithm"),
                Gateway("gateway"),
                GatewayKey,
            ],
            "IPSECKEY 10 1 2 10.150.12.10 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==",
        ),
        RType::RRSIG | RType::SIG => (
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
        RType::HIP => (
            &[HostIdentity],
            "HIP 2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cI rvs.technova.com.",
        ),
        RType::TALINK => (&[Name("previous name"), Name("next name")], "TALINK a.technova.com. ."),
        RType::OPENPGPKEY => (&[Base64("public key")], "OPENPGPKEY mQENBFVHm5sBCADDdEzT"),
        RType::CSYNC => (&[Long("serial"), Short("flags"), Types], "CSYNC 66 3 A NS AAAA"),
        RType::ZONEMD => (
            &[Long("serial"), Byte("scheme"), Byte("hash algorithm"), Hex("digest")],
            "ZONEMD 2026112301 1 240 2B9E1A0C5D6F7E8A9B0C1D2E",
        ),
        RType::SVCB | RType::HTTPS => {
            (&[Short("priority"), Name("target"), Params], "HTTPS 1 . alpn=\"h2,h3\" ipv4hint=10.0.30.100")
        }
        RType::DSYNC => (
            &[TypeCode, NamedByte("scheme", SCHEMES), Short("port"), Host("target")],
            "DSYNC CDS NOTIFY 5359 cds-scanner.technova.com.",
        ),
        RType::HHIT | RType::BRID => (&[Base64("data")], "HHIT Zm9v"),
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
        RType::DOA => (
            &[Long("enterprise"), Long("type"), Byte("location"), Text("media type"), DashBase64("data")],
            "DOA 0 1 2 \"\" aHR0cHM6Ly9wb3J0YWwudGVjaG5vdmEuY29tLw==",
        ),
        RType::AMTRELAY => (
            &[Byte("precedence"), Discovery, GatewayKind("relay type"), Gateway("relay")],
            "AMTRELAY 10 0 1 10.150.12.10",
        ),
        RType::IPN => (&[Huge("node number")], "IPN 977000"),
        _ => return None,
    };
    Some(Form { fields, example })
}
