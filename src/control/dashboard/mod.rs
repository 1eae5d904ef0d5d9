//! The page for people: what goes on now, what is wrong and since when.
//!
//! The page itself is a handful of files in the program ([`asset`]). It lives by one stream of events ([`stream`]): once
//! a second a [`Glance`] at the server becomes a [`Frame`](frame::Frame) ([`live`], [`verdict`]) that all viewers get.
//! Without a viewer there is no glance, no timer and no event. [`question`] is its form for `explain`.

pub mod asset;
pub mod frame;
pub mod glance;
pub mod live;
pub mod question;
pub mod stream;
pub mod verdict;

pub use glance::Glance;
