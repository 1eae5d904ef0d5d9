//! Detectors: what clients ask for that ordinary clients do not.
//!
//! [`Detector`] is the pure part: it is shown every event, keeps tables of fixed size, reads no clock and waits for
//! nothing. [`Lookout`] carries it on the log thread; what it finds goes to the operator's log, into a short memory for
//! pages, and through the [`courier`]'s own thread to a file or a webhook. It never changes an answer.
//!
//! Off the street of a query: a worker does nothing more than it does for the query log.

pub mod alert;
mod beacon;
mod client;
mod courier;
mod desk;
mod detector;
mod domain;
mod finding;
mod lists;
mod lookout;
pub mod model;
mod outlier;
mod pace;
mod pair;
mod question;
mod samples;
mod settings;
mod table;
#[cfg(test)]
mod tests;
pub mod weights;

pub use alert::{Alert, Kind};
pub use desk::AlertCounts;
pub use detector::Detector;
pub use finding::Finding;
pub use lookout::{Control, Lookout, start};
pub use settings::Settings;
