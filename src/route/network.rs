//! Address → network: the most specific prefix that holds it.
//!
//! When the table is built, prefixes are cut into disjoint intervals, so that of nested ones the innermost is all that
//! a lookup meets, and the intervals laid out as a tree.

use std::net::IpAddr;

use ipnet::IpNet;

use super::prefix::{Cut, Tree};

/// Networks by their prefixes.
#[derive(Debug, Clone, Default)]
pub struct NetworkTable {
    v4: Tree,
    v6: Tree,
}

impl NetworkTable {
    /// Builds it from prefixes and the number of the network each belongs to. Of equal prefixes the first wins
    /// (the configuration refuses them).
    pub fn new(prefixes: impl IntoIterator<Item = (IpNet, u32)>) -> NetworkTable {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (prefix, network) in prefixes {
            let first = upper(prefix.network());
            let last = first | u128::MAX.checked_shr(u32::from(prefix.prefix_len())).unwrap_or(0);
            let ranges = if prefix.addr().is_ipv4() { &mut v4 } else { &mut v6 };
            ranges.push((first, last, network));
        }
        // 256 KiB let most IPv4 addresses off with one more step; among sixteen octets one step is no matter.
        NetworkTable { v4: Tree::new(&cuts(v4), 16), v6: Tree::new(&cuts(v6), 8) }
    }

    /// The number of the network that an address is in. An IPv4 address in IPv6 clothing is the IPv4 address.
    pub fn find(&self, address: IpAddr) -> Option<u32> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.find(address.octets()),
            IpAddr::V6(address) => self.v6.find(address.octets()),
        }
    }

    /// How many bytes it takes.
    pub fn footprint(&self) -> usize {
        self.v4.footprint() + self.v6.footprint()
    }
}

/// An address at the upper end of 128 bits.
fn upper(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// Where one owner's addresses end and another's begin, in ranges that nest or are apart.
fn cuts(mut ranges: Vec<(u128, u128, u32)>) -> Vec<Cut> {
    // Outer before inner, so that a stack of the open ones is enough.
    ranges.sort_by_key(|(first, last, _)| (*first, std::cmp::Reverse(*last)));
    ranges.dedup_by(|later, first| (later.0, later.1) == (first.0, first.1));
    let mut cuts = Vec::with_capacity(2 * ranges.len());
    let mut open: Vec<(u128, u32)> = Vec::new();
    for (first, last, owner) in ranges {
        close(&mut cuts, &mut open, Some(first));
        begin(&mut cuts, first, Some(owner));
        open.push((last, owner));
    }
    close(&mut cuts, &mut open, None);
    cuts
}

/// Ends the open ranges that end before `until`.
fn close(cuts: &mut Vec<Cut>, open: &mut Vec<(u128, u32)>, until: Option<u128>) {
    while let Some((last, _)) = open.pop_if(|(last, _)| until.is_none_or(|first| *last < first)) {
        if let Some(next) = last.checked_add(1) {
            begin(cuts, next, open.last().map(|outer| outer.1));
        }
    }
}

fn begin(cuts: &mut Vec<Cut>, start: u128, owner: Option<u32>) {
    cuts.pop_if(|cut| cut.start == start);
    cuts.push(Cut { start, owner });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_most_specific_network_wins() {
        let table = NetworkTable::new(
            ["0.0.0.0/0", "10.0.0.0/8", "10.0.30.0/24", "255.255.255.255/32", "::/0", "fd00::/8"]
                .iter()
                .zip(0..)
                .map(|(text, n)| (text.parse().unwrap(), n)),
        );
        let find = |text: &str| table.find(text.parse().unwrap());
        assert_eq!(find("203.0.113.7"), Some(0));
        assert_eq!(find("10.0.29.255"), Some(1));
        assert_eq!(find("10.0.30.0"), Some(2));
        assert_eq!(find("10.0.30.255"), Some(2));
        assert_eq!(find("10.0.31.0"), Some(1));
        assert_eq!(find("255.255.255.255"), Some(3));
        assert_eq!(find("255.255.255.254"), Some(0));
        assert_eq!(find("fd12::1"), Some(5));
        assert_eq!(find("2001:db8::1"), Some(4));
        assert_eq!(find("::ffff:10.0.30.100"), Some(2));
        assert_eq!(NetworkTable::default().find("10.0.0.1".parse().unwrap()), None);
    }

    /// Prefixes of all lengths, many of them inside each other: few values of an octet.
    fn prefix() -> impl Strategy<Value = IpNet> {
        (address(), any::<u8>()).prop_map(|(address, length)| {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            IpNet::new(address, length % (longest + 1)).unwrap().trunc()
        })
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        let octet = prop::sample::select(vec![0u8, 1, 10, 127, 128, 255]);
        (prop::collection::vec(octet, 16), any::<bool>()).prop_map(|(octets, v4)| {
            if v4 {
                IpAddr::from([octets[0], octets[1], octets[2], octets[3]])
            } else {
                IpAddr::from(<[u8; 16]>::try_from(octets).unwrap())
            }
        })
    }

    proptest! {
        #[test]
        fn prefixes_of_any_length_and_family_agree_with_a_naive_scan(
            nets in prop::collection::vec(prefix(), 0..60),
            probes in prop::collection::vec(address(), 1..40),
        ) {
            let mut prefixes: Vec<(IpNet, u32)> = Vec::new();
            for net in nets {
                if !prefixes.iter().any(|(other, _)| *other == net) {
                    prefixes.push((net, prefixes.len() as u32));
                }
            }
            let table = NetworkTable::new(prefixes.clone());
            let edges = prefixes.iter().flat_map(|(net, _)| [net.network(), net.broadcast()]);
            for address in probes.into_iter().chain(edges) {
                // `::a.b.c.d` and its like are what they say; `::ffff:a.b.c.d` is IPv4 and tested apart.
                let holds = |(net, _): &&(IpNet, u32)| net.contains(&address);
                let naive = prefixes.iter().filter(holds).max_by_key(|(net, _)| net.prefix_len());
                prop_assert_eq!(table.find(address), naive.map(|(_, n)| *n), "{}", address);
            }
        }

        #[test]
        fn prefix_match_agrees_with_a_naive_scan(
            nets in prop::collection::vec((any::<u8>(), any::<u8>(), 0u8..=32), 0..40),
            probes in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 1..40),
        ) {
            let mut prefixes: Vec<(IpNet, u32)> = Vec::new();
            for (n, (a, b, length)) in nets.into_iter().enumerate() {
                let net = IpNet::new(IpAddr::from([0x0a | (a & 1), b, a, 0]), length).unwrap().trunc();
                if !prefixes.iter().any(|(other, _)| *other == net) {
                    prefixes.push((net, n as u32));
                }
            }
            let table = NetworkTable::new(prefixes.clone());
            for (a, b, c) in probes {
                let address = IpAddr::from([0x0a | (a & 1), b, a, c]);
                let naive = prefixes.iter().filter(|(net, _)| net.contains(&address)).max_by_key(|(net, _)| net.prefix_len());
                prop_assert_eq!(table.find(address), naive.map(|(_, n)| *n));
            }
        }
    }
}
