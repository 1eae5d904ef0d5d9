//! Views: what each network sees, computed from who each route is visible to.
//!
//! Routes with the same `visible-to` form an audience; networks with the same audiences share a view. So 5,000 networks
//! and 100,000 routes are compared through the few labels that both name.

use std::collections::{BTreeSet, HashMap};

use super::table::{RouteSpec, Visible};

/// One view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The labels that made it, joined by `+`: stable over reloads as long as the same labels matter.
    pub name: String,
    /// Whether some route of it leads outside, so that recursion is available.
    pub recursion: bool,
    /// How many networks share it.
    pub networks: usize,
    audiences: Vec<u64>,
}

impl View {
    /// Whether the routes of that audience are seen.
    pub fn sees(&self, audience: u32) -> bool {
        self.audiences.get(audience as usize / 64).is_some_and(|word| word >> (audience % 64) & 1 == 1)
    }

    /// The audiences whose routes are seen.
    pub(super) fn audiences(&self) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.audiences).flat_map(|(nth, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.checked_ilog2()?;
                rest ^= 1 << bit;
                Some(64 * nth + bit)
            })
        })
    }

    /// How many words `audiences` goes through.
    pub(super) fn words(&self) -> usize {
        self.audiences.len()
    }

    pub(super) fn footprint(&self) -> usize {
        size_of::<View>() + self.name.len() + size_of_val(&self.audiences[..])
    }

    fn add(&mut self, audience: usize) {
        let word = audience / 64;
        if self.audiences.len() <= word {
            self.audiences.resize(word + 1, 0);
        }
        self.audiences[word] |= 1 << (audience % 64);
    }
}

/// The outcome: each route's audience, each network's view, the views.
pub(super) struct Views {
    pub audience_of_route: Vec<u32>,
    pub view_of_network: Vec<u32>,
    pub all: Vec<View>,
}

/// Whether routes that lead outside are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recursion {
    /// They are, by those to whom they are visible.
    Offered,
    /// They are not.
    Denied,
}

/// Computes the views of networks (each its name and groups) over routes. Routes that lead outside have audiences of
/// their own, as networks without recursion see what else is visible to the same groups.
pub(super) fn compute(networks: &[(Vec<String>, Recursion)], routes: &[RouteSpec]) -> Views {
    let mut audiences: Vec<(&Visible, bool)> = Vec::new();
    let mut known: HashMap<(&Visible, bool), u32> = HashMap::new();
    let audience_of_route: Vec<u32> = routes
        .iter()
        .map(|route| {
            let audience = (&route.visible, route.target.leads_outside());
            *known.entry(audience).or_insert_with(|| {
                audiences.push(audience);
                audiences.len() as u32 - 1
            })
        })
        .collect();
    let mut by_label: HashMap<&str, Vec<usize>> = HashMap::new();
    let (mut everyone, mut where_forwarded) = (Vec::new(), Vec::new());
    for (number, (visible, _)) in audiences.iter().enumerate() {
        match visible {
            Visible::Everyone => everyone.push(number),
            Visible::WhereForwarded => where_forwarded.push(number),
            Visible::To(labels) => {
                labels.iter().for_each(|label| by_label.entry(label).or_default().push(number));
            }
        }
    }
    let mut views: Vec<View> = Vec::new();
    let mut by_labels: HashMap<(BTreeSet<&str>, Recursion), u32> = HashMap::new();
    let mut by_audiences: HashMap<Vec<u64>, u32> = HashMap::new();
    let mut view_of_network = Vec::with_capacity(networks.len());
    for (labels, recursion) in networks {
        let relevant: BTreeSet<&str> =
            labels.iter().map(String::as_str).filter(|l| by_label.contains_key(l)).collect();
        let view = *by_labels.entry((relevant, *recursion)).or_insert_with_key(|(relevant, recursion)| {
            let name = name(relevant, *recursion);
            let mut view = View { name, recursion: false, networks: 0, audiences: Vec::new() };
            let seen = relevant.iter().flat_map(|label| &by_label[label]).chain(&everyone);
            for &audience in seen.filter(|n| *recursion == Recursion::Offered || !audiences[**n].1) {
                view.add(audience);
                view.recursion |= audiences[audience].1;
            }
            if view.recursion {
                where_forwarded.iter().for_each(|audience| view.add(*audience));
            }
            *by_audiences.entry(view.audiences.clone()).or_insert_with(|| {
                views.push(view);
                views.len() as u32 - 1
            })
        });
        views[view as usize].networks += 1;
        view_of_network.push(view);
    }
    Views { audience_of_route, view_of_network, all: views }
}

fn name(labels: &BTreeSet<&str>, recursion: Recursion) -> String {
    let name = if labels.is_empty() {
        "default".into()
    } else {
        labels.iter().copied().collect::<Vec<_>>().join("+")
    };
    match recursion {
        Recursion::Offered => name,
        Recursion::Denied => name + " without recursion",
    }
}
