//! Words that stand for numbers in RDATA's presentation form.

/// Words and their numbers. Upper and lower case are the same.
pub type Mnemonics = &'static [(&'static str, u16)];

/// DNSSEC algorithms (RFC 8624 and the IANA registry).
pub const ALGORITHMS: Mnemonics = &[
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
pub const CERTIFICATES: Mnemonics = &[
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

/// Where a change of a zone is announced (RFC 9859 §2.1).
pub const SCHEMES: Mnemonics = &[("NOTIFY", 1)];

/// Flags of a KEY, joined by `|` (RFC 2535 §7.1; most of them went with RFC 3445).
pub const KEY_FLAGS: Mnemonics = &[
    ("NOCONF", 0x4000),
    ("NOAUTH", 0x8000),
    ("NOKEY", 0xC000),
    ("FLAG2", 0x2000),
    ("EXTEND", 0x1000),
    ("FLAG4", 0x0800),
    ("FLAG5", 0x0400),
    ("USER", 0x0000),
    ("ZONE", 0x0100),
    ("HOST", 0x0200),
    ("NTYP3", 0x0300),
    ("FLAG8", 0x0080),
    ("FLAG9", 0x0040),
    ("FLAG10", 0x0020),
    ("FLAG11", 0x0010),
    ("SIG0", 0),
    ("SIG1", 1),
    ("SIG2", 2),
    ("SIG3", 3),
    ("SIG4", 4),
    ("SIG5", 5),
    ("SIG6", 6),
    ("SIG7", 7),
    ("SIG8", 8),
    ("SIG9", 9),
    ("SIG10", 10),
    ("SIG11", 11),
    ("SIG12", 12),
    ("SIG13", 13),
    ("SIG14", 14),
    ("SIG15", 15),
];

/// What a KEY is for (RFC 2535 §7.1).
pub const KEY_PROTOCOLS: Mnemonics =
    &[("NONE", 0), ("TLS", 1), ("EMAIL", 2), ("DNSSEC", 3), ("IPSEC", 4), ("ALL", 255)];

/// Protocols above IP that a WKS record may name (RFC 1035 §3.4.2, IANA's protocol numbers).
pub const PROTOCOLS: Mnemonics = &[
    ("ICMP", 1),
    ("IGMP", 2),
    ("GGP", 3),
    ("ST", 5),
    ("TCP", 6),
    ("CBT", 7),
    ("EGP", 8),
    ("IGP", 9),
    ("BBN-RCC-MON", 10),
    ("NVP-II", 11),
    ("PUP", 12),
    ("ARGUS", 13),
    ("EMCON", 14),
    ("XNET", 15),
    ("CHAOS", 16),
    ("UDP", 17),
    ("MUX", 18),
    ("DCN-MEAS", 19),
    ("HMP", 20),
    ("PRM", 21),
    ("XNS-IDP", 22),
    ("RDP", 27),
    ("DCCP", 33),
    ("SCTP", 132),
];

/// Services that a WKS record may name (RFC 1035 §3.4.2 and IANA's port numbers, as far as such records ever did).
pub const SERVICES: Mnemonics = &[
    ("ECHO", 7),
    ("DISCARD", 9),
    ("SYSTAT", 11),
    ("DAYTIME", 13),
    ("NETSTAT", 15),
    ("QOTD", 17),
    ("CHARGEN", 19),
    ("FTP-DATA", 20),
    ("FTP", 21),
    ("SSH", 22),
    ("TELNET", 23),
    ("SMTP", 25),
    ("TIME", 37),
    ("RLP", 39),
    ("NAMESERVER", 42),
    ("WHOIS", 43),
    ("NICNAME", 43),
    ("TACACS", 49),
    ("DOMAIN", 53),
    ("BOOTPS", 67),
    ("BOOTPC", 68),
    ("TFTP", 69),
    ("GOPHER", 70),
    ("FINGER", 79),
    ("HTTP", 80),
    ("WWW", 80),
    ("KERBEROS", 88),
    ("SUPDUP", 95),
    ("HOSTNAME", 101),
    ("HOSTNAMES", 101),
    ("ISO-TSAP", 102),
    ("RTELNET", 107),
    ("POP2", 109),
    ("POP3", 110),
    ("SUNRPC", 111),
    ("AUTH", 113),
    ("SFTP", 115),
    ("UUCP-PATH", 117),
    ("NNTP", 119),
    ("NTP", 123),
    ("NETBIOS-NS", 137),
    ("NETBIOS-DGM", 138),
    ("NETBIOS-SSN", 139),
    ("IMAP", 143),
    ("IMAP2", 143),
    ("SNMP", 161),
    ("SNMP-TRAP", 162),
    ("BGP", 179),
    ("IRC", 194),
    ("LDAP", 389),
    ("HTTPS", 443),
];

/// Parameters of SVCB and HTTPS (RFC 9460 §14.3.2, RFC 9461, RFC 9540); a key's number is its position.
pub const SERVICE_KEYS: [&str; 9] =
    ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"];
