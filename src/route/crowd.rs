//! Domains at which very many routes stand, each for some views only: who sees which, worked out once.

use std::collections::HashMap;

use super::view::View;

/// So many claims of a domain are looked at one by one, and so many for each route found, but no more.
pub(super) const FEW: usize = 32;

/// The list of a view that sees so much of a crowd that looking through it is as good.
const MOST: u32 = u32::MAX;

/// A crowd as views see it. Domains whose claims have the same audiences in the same order share one: places are
/// counted from a domain's first claim.
///
/// With c claims and v views it takes at most 4v bytes, and v·c / 8 where every view sees something else.
#[derive(Debug)]
pub(super) struct Crowd {
    list_of_view: Box<[u32]>,
    /// Where each list begins in `places`; the last one ends it.
    begins: Vec<u32>,
    places: Vec<u32>,
}

impl Crowd {
    /// Of claims with these audiences, in order.
    pub(super) fn new(audiences: &[u32], views: &[View]) -> Crowd {
        let mut places_of: HashMap<u32, Vec<u32>> = HashMap::new();
        for (place, audience) in (0..).zip(audiences) {
            places_of.entry(*audience).or_default().push(place);
        }
        let mut crowd = Crowd { list_of_view: Box::default(), begins: vec![0], places: Vec::new() };
        let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
        let list_of = |view: &View| {
            // Whichever are fewer: the audiences here, or the words of those that the view sees.
            let seen: Vec<&Vec<u32>> = if places_of.len() < view.words() {
                places_of.iter().filter(|(audience, _)| view.sees(**audience)).map(|(_, at)| at).collect()
            } else {
                view.audiences().filter_map(|audience| places_of.get(&audience)).collect()
            };
            if seen.iter().map(|places| places.len()).sum::<usize>() > audiences.len() / FEW {
                return MOST;
            }
            let mut list: Vec<u32> = seen.into_iter().flatten().copied().collect();
            list.sort_unstable();
            *known.entry(list).or_insert_with_key(|list| {
                crowd.places.extend_from_slice(list);
                crowd.begins.push(crowd.places.len() as u32);
                crowd.begins.len() as u32 - 2
            })
        };
        crowd.list_of_view = views.iter().map(list_of).collect();
        crowd
    }

    /// The places of the claims that a view sees; `None` if it sees so many that they are better looked through.
    pub(super) fn seen_by(&self, view: u32) -> Option<&[u32]> {
        let list = self.list_of_view[view as usize];
        let bounds = self.begins.get(list as usize..)?;
        let [begin, end, ..] = bounds else { return None };
        Some(&self.places[*begin as usize..*end as usize])
    }

    pub(super) fn footprint(&self) -> usize {
        4 * (self.list_of_view.len() + self.begins.len() + self.places.len())
    }
}
