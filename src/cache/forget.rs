//! Which entries are to go before their time: an operator knows that what they say has changed.
//!
//! An entry is known by the question that it answers. What reached a name through an alias is kept under the alias.

use std::collections::HashSet;

use super::response::KEY_NAME;
use crate::wire::{Name, NameRef};

/// Where the name of an answer's key begins, and what stands behind it: type and class.
const ANSWER_NAME: usize = 5;
const ANSWER_TAIL: usize = 4;

/// An order to forget.
#[derive(Debug, Clone)]
pub struct Forget {
    /// Which names.
    pub extent: Extent,
    /// In which views.
    pub within: In,
}

/// Which names.
#[derive(Debug, Clone)]
pub enum Extent {
    /// Every one.
    All,
    /// This one.
    Name(Name),
    /// This one and all below it.
    Subtree(Name),
}

/// In which views.
#[derive(Debug, Clone)]
pub enum In {
    /// In every one.
    All,
    /// In this one.
    View {
        /// Its number.
        number: u32,
        /// The uids of the routes that it sees.
        routes: HashSet<u128>,
    },
}

impl Forget {
    /// Whether a key of the answer cache is covered: view, bits, name, type, class.
    pub(super) fn covers_answer(&self, key: &[u8]) -> bool {
        let view = key.first_chunk().map(|view| u32::from_be_bytes(*view));
        let seen = match &self.within {
            In::All => true,
            In::View { number, .. } => view == Some(*number),
        };
        let name = key.len().checked_sub(ANSWER_TAIL).and_then(|end| key.get(ANSWER_NAME..end));
        seen && name.is_some_and(|name| self.extent.covers(name))
    }

    /// Whether a key of the response cache is covered: route, bits, type, name.
    pub(super) fn covers_response(&self, key: &[u8]) -> bool {
        let route = key.first_chunk().map(|route| u128::from_be_bytes(*route));
        let seen = match &self.within {
            In::All => true,
            In::View { routes, .. } => route.is_some_and(|route| routes.contains(&route)),
        };
        seen && key.get(KEY_NAME..).is_some_and(|name| self.extent.covers(name))
    }
}

impl Extent {
    fn covers(&self, wire: &[u8]) -> bool {
        match self {
            Extent::All => true,
            Extent::Name(name) => name.wire().eq_ignore_ascii_case(wire),
            Extent::Subtree(name) => NameRef::parse(wire, 0).is_ok_and(|asked| asked.is_under(name.as_ref())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cache::ResponseKey;
    use crate::cache::answer::Key;
    use crate::cache::key::Folded;
    use crate::wire::RType;

    fn covered(extent: Extent, within: &In) -> Vec<String> {
        let order = Forget { extent, within: within.clone() };
        let mut found = Vec::new();
        for name in ["a.test.", "A.b.TEST.", "b.test.", "xb.test.", "."] {
            let name: Name = name.parse().unwrap();
            let question = [name.wire(), &[0, 1, 0, 1]].concat();
            for view in [1, 2] {
                let mut folded = Folded::EMPTY;
                let answer = order.covers_answer(folded.of(&Key::new(view, 0, &question).unwrap()));
                let key = ResponseKey::new(u128::from(view), 0, name.as_ref(), RType::A);
                assert_eq!(answer, order.covers_response(key.as_bytes()), "{name} {view}");
                if answer {
                    found.push(format!("{view} {name}").to_lowercase());
                }
            }
        }
        found
    }

    #[test]
    fn a_name_a_subtree_or_all_in_one_view_or_in_all() {
        let name = |name: &str| name.parse::<Name>().unwrap();
        let second = In::View { number: 2, routes: HashSet::from([2]) };
        assert_eq!(covered(Extent::Name(name("B.test.")), &In::All), ["1 b.test.", "2 b.test."]);
        assert_eq!(covered(Extent::Subtree(name("b.test.")), &second), ["2 a.b.test.", "2 b.test."]);
        assert_eq!(covered(Extent::Subtree(name(".")), &second).len(), 5);
        assert_eq!(covered(Extent::All, &In::All).len(), 10);
    }
}
