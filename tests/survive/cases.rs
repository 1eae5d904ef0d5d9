//! All cases by family, and those that wait for a mechanism.

use crate::{cache, flood, http, life, odd, protocol, tcp, upstream};

/// One line of what must be survived.
pub struct Case {
    /// Family and sentence.
    pub name: &'static str,
    /// Panics where it is not survived.
    pub run: fn(),
    /// Whether it is to pass today.
    pub stand: Stand,
}

/// Whether a case is to pass today.
pub enum Stand {
    /// It is.
    Held,
    /// It waits for what is named here.
    Pending(&'static str),
}

/// The cases of a family: each `function`, or `function, pending "reason"`.
macro_rules! family {
    ($family:ident: $($case:ident $(pending $reason:literal)?;)*) => {
        /// The cases of the family.
        pub const ALL: &[crate::cases::Case] = &[$(crate::cases::Case {
            name: concat!(stringify!($family), "::", stringify!($case)),
            run: $case,
            stand: crate::cases::family!(@stand $($reason)?),
        }),*];
    };
    (@stand) => { crate::cases::Stand::Held };
    (@stand $reason:literal) => { crate::cases::Stand::Pending($reason) };
}
pub(crate) use family;

/// All of them, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Case> {
    let families: [&'static [Case]; 8] =
        [upstream::ALL, cache::ALL, protocol::ALL, odd::ALL, tcp::ALL, flood::ALL, http::ALL, life::ALL];
    families.into_iter().flatten()
}
