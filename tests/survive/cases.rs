//! All cases by family.

use crate::{cache, flood, http, life, odd, protocol, tcp, upstream};

/// One line of what must be survived.
pub struct Case {
    /// Family and sentence.
    pub name: &'static str,
    /// Panics where it is not survived.
    pub run: fn(),
}

/// The cases of a family.
macro_rules! family {
    ($family:ident: $($case:ident;)*) => {
        /// The cases of the family.
        pub const ALL: &[crate::cases::Case] = &[$(crate::cases::Case {
            name: concat!(stringify!($family), "::", stringify!($case)),
            run: $case,
        }),*];
    };
}
pub(crate) use family;

/// All of them, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Case> {
    let families: [&'static [Case]; 8] =
        [upstream::ALL, cache::ALL, protocol::ALL, odd::ALL, tcp::ALL, flood::ALL, http::ALL, life::ALL];
    families.into_iter().flatten()
}
