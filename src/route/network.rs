//! Address → network: the most specific prefix that holds it.
//!
//! Prefixes are cut into disjoint intervals when the table is built, so that a lookup is one binary search whatever the
//! nesting: 5,000 networks cost nine steps more than ten.

use std::net::IpAddr;

use ipnet::IpNet;

/// No network.
const NONE: u32 = u32::MAX;

/// Networks by their prefixes.
#[derive(Debug, Clone, Default)]
pub struct NetworkTable {
    v4: Intervals<u32>,
    v6: Intervals<u128>,
}

impl NetworkTable {
    /// Builds it from prefixes and the number of the network each belongs to. Of equal prefixes the first wins
    /// (the configuration refuses them).
    pub fn new(prefixes: impl IntoIterator<Item = (IpNet, u32)>) -> NetworkTable {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (prefix, network) in prefixes {
            match prefix {
                IpNet::V4(net) => v4.push((u32::from(net.network()), u32::from(net.broadcast()), network)),
                IpNet::V6(net) => v6.push((u128::from(net.network()), u128::from(net.broadcast()), network)),
            }
        }
        NetworkTable { v4: Intervals::new(v4), v6: Intervals::new(v6) }
    }

    /// The number of the network that an address is in. An IPv4 address in IPv6 clothing is the IPv4 address.
    pub fn find(&self, address: IpAddr) -> Option<u32> {
        let network = match address.to_canonical() {
            IpAddr::V4(v4) => self.v4.find(u32::from(v4)),
            IpAddr::V6(v6) => self.v6.find(u128::from(v6)),
        };
        (network != NONE).then_some(network)
    }
}

/// Disjoint intervals: each begins at `starts[n]`, ends before `starts[n + 1]`, and belongs to `owners[n]`.
#[derive(Debug, Clone, Default)]
struct Intervals<T> {
    starts: Vec<T>,
    owners: Vec<u32>,
}

trait Address: Copy + Ord {
    fn next(self) -> Option<Self>;
}
impl Address for u32 {
    fn next(self) -> Option<u32> {
        self.checked_add(1)
    }
}
impl Address for u128 {
    fn next(self) -> Option<u128> {
        self.checked_add(1)
    }
}

impl<T: Address> Intervals<T> {
    fn new(mut ranges: Vec<(T, T, u32)>) -> Intervals<T> {
        // Outer before inner: prefixes nest or are apart, so a stack of the open ones is enough.
        ranges.sort_by_key(|(first, last, _)| (*first, std::cmp::Reverse(*last)));
        ranges.dedup_by(|later, first| (later.0, later.1) == (first.0, first.1));
        let mut intervals = Intervals { starts: Vec::new(), owners: Vec::new() };
        let mut open: Vec<(T, u32)> = Vec::new();
        for (first, last, owner) in ranges {
            intervals.close(&mut open, Some(first));
            intervals.begin(first, owner);
            open.push((last, owner));
        }
        intervals.close(&mut open, None);
        intervals
    }

    /// Ends the open ranges that end before `until`.
    fn close(&mut self, open: &mut Vec<(T, u32)>, until: Option<T>) {
        while let Some(&(last, _)) = open.last() {
            if until.is_some_and(|first| last >= first) {
                return;
            }
            open.pop();
            if let Some(next) = last.next() {
                self.begin(next, open.last().map_or(NONE, |outer| outer.1));
            }
        }
    }

    fn begin(&mut self, start: T, owner: u32) {
        if self.starts.last() == Some(&start) {
            self.owners.pop();
            self.starts.pop();
        }
        self.starts.push(start);
        self.owners.push(owner);
    }

    fn find(&self, address: T) -> u32 {
        match self.starts.partition_point(|start| *start <= address) {
            0 => NONE,
            after => self.owners[after - 1],
        }
    }
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

    proptest! {
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
