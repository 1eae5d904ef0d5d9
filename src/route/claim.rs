//! Which routes claim a name, and which of them a view sees, in the order in which they are asked.

use std::collections::HashMap;
use std::slice;

use super::crowd::{Crowd, FEW};
use super::suffix::SuffixTable;
use super::view::View;
use crate::wire::NameRef;

/// A route at its domain, and who sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub route: u32,
    pub audience: u32,
}

/// A route whose domain covers a name, and whether a view sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The route's number.
    pub route: u32,
    /// Whether it is seen.
    pub seen: bool,
}

/// The claims of all domains.
#[derive(Debug, Default)]
pub(super) struct Claims {
    domains: SuffixTable<At>,
    /// Of domains that have more than one, those of a domain together and in order.
    together: Vec<Claim>,
    crowds: Vec<Crowd>,
}

/// What claims a domain. Nearly always it is one route, which so stands where the domain was found.
#[derive(Debug, Clone, Copy, Default)]
enum At {
    #[default]
    Nobody,
    One(Claim),
    Few {
        begin: u32,
        count: u32,
    },
    Many {
        begin: u32,
        count: u32,
        crowd: u32,
    },
}

impl Claims {
    /// Of domains and their claims; those of one domain are asked in the order given.
    pub(super) fn new<'a>(
        claims: impl Iterator<Item = (NameRef<'a>, Claim)> + Clone,
        views: &[View],
    ) -> Claims {
        let (domains, numbers) = SuffixTable::new(claims.clone().map(|(domain, _)| domain));
        let mut sorted: Vec<(u32, Claim)> = numbers.into_iter().zip(claims.map(|(_, claim)| claim)).collect();
        sorted.sort_by_key(|(domain, _)| *domain);
        let mut all = Claims { domains, together: Vec::new(), crowds: Vec::new() };
        let mut crowds: HashMap<Vec<u32>, u32> = HashMap::new();
        for here in sorted.chunk_by(|one, next| one.0 == next.0) {
            let (begin, count) = (all.together.len() as u32, here.len() as u32);
            let claims = here.iter().map(|(_, claim)| *claim);
            let at = match here {
                [(_, claim)] => At::One(*claim),
                _ if here.len() <= FEW => At::Few { begin, count },
                _ => {
                    let audiences: Vec<u32> = claims.clone().map(|claim| claim.audience).collect();
                    let crowd = *crowds.entry(audiences).or_insert_with_key(|audiences| {
                        all.crowds.push(Crowd::new(audiences, views));
                        all.crowds.len() as u32 - 1
                    });
                    At::Many { begin, count, crowd }
                }
            };
            all.domains.set(here[0].0, at);
            if here.len() > 1 {
                all.together.extend(claims);
            }
        }
        all
    }

    /// The claims for a name that a view sees.
    pub(super) fn seen_by<'t>(&'t self, number: u32, view: &'t View, name: NameRef<'_>) -> Candidates<'t> {
        let mut candidates =
            Candidates { claims: self, view, number, here: Here::Each([].iter()), above: None };
        if let Some(domain) = self.domains.find(name) {
            candidates.enter(domain);
        }
        candidates
    }

    /// All claims for a name.
    pub(super) fn all(&self, name: NameRef<'_>) -> impl Iterator<Item = &Claim> {
        let domains = std::iter::successors(self.domains.find(name), |domain| self.domains.above(*domain));
        domains.flat_map(|domain| self.at(domain))
    }

    fn at(&self, domain: u32) -> &[Claim] {
        match self.domains.value(domain) {
            None | Some(At::Nobody) => &[],
            Some(At::One(claim)) => slice::from_ref(claim),
            Some(At::Few { begin, count } | At::Many { begin, count, .. }) => {
                &self.together[*begin as usize..][..*count as usize]
            }
        }
    }

    pub(super) fn footprint(&self) -> usize {
        self.domains.footprint()
            + size_of_val(&self.together[..])
            + self.crowds.iter().map(|crowd| size_of::<Crowd>() + crowd.footprint()).sum::<usize>()
    }
}

/// The routes that a view sees for a name, in the order in which they are asked. They are found as they are taken, and
/// few are: mostly the first has the last word.
#[derive(Debug, Clone)]
pub struct Candidates<'t> {
    claims: &'t Claims,
    view: &'t View,
    number: u32,
    here: Here<'t>,
    above: Option<u32>,
}

/// What is left of the domain that the candidates are at.
#[derive(Debug, Clone)]
enum Here<'t> {
    /// Claims, seen or not.
    Each(slice::Iter<'t, Claim>),
    /// Claims, and the places of those that are seen.
    Listed(&'t [Claim], slice::Iter<'t, u32>),
}

impl Candidates<'_> {
    /// Whether there are no more.
    pub fn is_empty(&self) -> bool {
        self.clone().next().is_none()
    }

    fn enter(&mut self, domain: u32) {
        let claims = self.claims.at(domain);
        let list = match self.claims.domains.value(domain) {
            Some(At::Many { crowd, .. }) => self.claims.crowds[*crowd as usize].seen_by(self.number),
            _ => None,
        };
        self.here = match list {
            Some(places) => Here::Listed(claims, places.iter()),
            None => Here::Each(claims.iter()),
        };
        self.above = self.claims.domains.above(domain);
    }
}

impl Iterator for Candidates<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        loop {
            let view = self.view;
            let found = match &mut self.here {
                Here::Each(claims) => claims.find(|claim| view.sees(claim.audience)),
                Here::Listed(claims, places) => places.next().map(|place| &claims[*place as usize]),
            };
            match (found, self.above) {
                (Some(claim), _) => return Some(claim.route),
                (None, Some(above)) => self.enter(above),
                (None, None) => return None,
            }
        }
    }
}
