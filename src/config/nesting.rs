//! Which address blocks lie in which: one walk over the blocks in address order, however many there are.

use std::net::IpAddr;

use ipnet::IpNet;

use super::model::Network;
use super::place::Place;

/// One block of one network, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    network: usize,
    cidr: usize,
}

impl Block {
    pub(super) fn network<'n>(&self, networks: &'n [Network]) -> &'n Network {
        &networks[self.network]
    }

    pub(super) fn cidr<'n>(&self, networks: &'n [Network]) -> &'n (IpNet, Place) {
        &networks[self.network].cidrs[self.cidr]
    }
}

/// A block inside a larger one.
pub(super) struct Nested {
    pub(super) inner: Block,
    /// The smallest block around `inner` whose network has an account; if there is none, the smallest at all.
    pub(super) outer: Block,
}

/// Every block that lies in another.
pub(super) fn nested(networks: &[Network]) -> Vec<Nested> {
    let mut found = Vec::new();
    let mut around: Vec<Block> = Vec::new();
    for block in in_order(networks) {
        let range = Range::of(block.cidr(networks).0);
        around.retain(|outer| Range::of(outer.cidr(networks).0).holds(&range));
        let mut outwards = around.iter().rev();
        let with_account = outwards.find(|outer| outer.network(networks).account_id.is_some());
        if let Some(outer) = with_account.or(around.last()) {
            found.push(Nested { inner: block, outer: *outer });
        }
        around.push(block);
    }
    found
}

/// Networks that no client can be in, since more specific networks hold all their addresses.
pub(super) fn covered(networks: &[Network]) -> Vec<usize> {
    struct Open {
        block: Block,
        range: Range,
        /// First address that no inner block of another network has covered; `None`: past the last.
        uncovered: Option<u128>,
    }
    let mut covered_blocks = vec![0; networks.len()];
    let mut close = |open: &Open| {
        if open.uncovered.is_none_or(|address| address > open.range.last) {
            covered_blocks[open.block.network] += 1;
        }
    };

    let mut around: Vec<Open> = Vec::new();
    for block in in_order(networks) {
        let range = Range::of(block.cidr(networks).0);
        while let Some(outer) = around.pop_if(|outer| !outer.range.holds(&range)) {
            close(&outer);
        }
        if let Some(outer) = around.last_mut()
            && outer.block.network != block.network
            && outer.uncovered == Some(range.first)
        {
            outer.uncovered = range.last.checked_add(1);
        }
        around.push(Open { block, uncovered: Some(range.first), range });
    }
    around.iter().for_each(close);
    (0..networks.len())
        .filter(|&index| {
            !networks[index].cidrs.is_empty() && covered_blocks[index] == networks[index].cidrs.len()
        })
        .collect()
}

/// All blocks by address, the larger before those that it holds.
fn in_order(networks: &[Network]) -> Vec<Block> {
    let mut blocks: Vec<Block> = networks
        .iter()
        .enumerate()
        .flat_map(|(network, item)| (0..item.cidrs.len()).map(move |cidr| Block { network, cidr }))
        .collect();
    blocks.sort_by_key(|block| {
        let range = Range::of(block.cidr(networks).0);
        (range.family, range.first, std::cmp::Reverse(range.last))
    });
    blocks
}

struct Range {
    family: u8,
    first: u128,
    last: u128,
}

impl Range {
    fn of(block: IpNet) -> Self {
        let number = |address| match address {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address),
        };
        let family = if block.addr().is_ipv4() { 4 } else { 6 };
        Self { family, first: number(block.network()), last: number(block.broadcast()) }
    }

    fn holds(&self, other: &Self) -> bool {
        self.family == other.family && self.first <= other.first && other.last <= self.last
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::place::Source;

    fn network(name: &str, account: Option<&str>, cidrs: &[&str]) -> Network {
        let place = Place::new(&Source::new("x", ""), 0..0);
        Network {
            name: name.to_owned(),
            cidrs: cidrs.iter().map(|cidr| (cidr.parse().unwrap(), place.clone())).collect(),
            account_id: account.map(str::to_owned),
            vpc_id: None,
            region: None,
            recursion: crate::config::model::Recursion::Offered,
            limit: None,
            groups: Vec::new(),
            place,
        }
    }

    #[test]
    fn a_block_is_found_in_the_nearest_network_with_an_account() {
        let networks = [
            network("leaf", Some("1"), &["10.0.30.0/24"]),
            network("internet", None, &["0.0.0.0/0", "::/0"]),
            network("middle", None, &["10.0.0.0/12"]),
            network("company", Some("2"), &["10.0.0.0/8"]),
            network("six", Some("3"), &["2001:db8::/32"]),
        ];
        let pairs: Vec<(&str, &str)> = nested(&networks)
            .iter()
            .map(|nested| {
                (nested.inner.network(&networks).name.as_str(), nested.outer.network(&networks).name.as_str())
            })
            .collect();
        assert_eq!(
            pairs,
            [("company", "internet"), ("middle", "company"), ("leaf", "company"), ("six", "internet")]
        );
    }

    #[test]
    fn a_network_split_up_whole_holds_no_client() {
        let networks = [
            network("all", None, &["10.0.0.0/24"]),
            network("low", None, &["10.0.0.0/25"]),
            network("high", None, &["10.0.0.128/25"]),
            network("half", None, &["10.0.1.0/24"]),
            network("half-low", None, &["10.0.1.0/25"]),
            network("internet", None, &["::/0"]),
            network("internet-low", None, &["::/1"]),
            network("internet-high", None, &["8000::/1"]),
        ];
        assert_eq!(covered(&networks), [0, 5]);
    }
}
