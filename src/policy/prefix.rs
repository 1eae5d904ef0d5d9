//! Whom a client is counted with: the prefix of its address, since who forges one address forges its neighbours too.

use std::net::IpAddr;

/// How many leading bits of an address make the prefix that limits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefixes {
    /// Of IPv4 addresses.
    pub v4: u8,
    /// Of IPv6 addresses.
    pub v6: u8,
}

/// A prefix as a number; those of IPv4 lie in `::ffff:0:0/96`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix(pub u128);

/// `::ffff:0:0` (RFC 4291 §2.5.5.2).
const MAPPED: u128 = 0xFFFF_0000_0000;

impl Default for Prefixes {
    fn default() -> Prefixes {
        Prefixes { v4: 24, v6: 56 }
    }
}

impl Prefixes {
    /// The prefix of an address.
    pub fn of(self, address: IpAddr) -> Prefix {
        match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.v4.min(32))).unwrap_or(0);
                Prefix(MAPPED | u128::from(u32::from(v4) & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.v6.min(128))).unwrap_or(0);
                Prefix(u128::from(v6) & mask)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn neighbours_share_a_prefix_and_families_do_not() {
        let of = |text: &str| Prefixes::default().of(text.parse().unwrap());
        assert_eq!(of("203.0.113.7"), of("203.0.113.200"));
        assert_ne!(of("203.0.113.7"), of("203.0.112.7"));
        assert_eq!(of("2001:db8:0:100::1"), of("2001:db8:0:1ff::1"));
        assert_ne!(of("2001:db8:0:100::1"), of("2001:db8:0:200::1"));
        assert_ne!(of("0.0.0.0"), of("::"));
        let all = Prefixes { v4: 0, v6: 0 };
        assert_eq!(all.of("::1".parse().unwrap()), Prefix(0));
    }
}
