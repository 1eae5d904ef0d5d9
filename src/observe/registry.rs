//! All metrics, in one place: name, help, labels. Base units; `_total` on what only grows; labels only from this program
//! and its configuration, never from a query, and no more of them than [`bound`] allows, however many the configuration
//! has.

pub mod bound;
mod house;
mod traffic;
mod upstream;

use std::time::SystemTime;

use crate::query::Directory;

use super::family::Page;
use super::metrics::Sums;
use super::process::ProcessReading;
use super::readings::Readings;

const MICROS: f64 = 1e6;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's own, 0.0.4.
    Text,
    /// OpenMetrics 1.0.0, with exemplars.
    OpenMetrics,
}

/// What a page is made from.
pub struct Exposition<'a> {
    /// What the workers counted.
    pub sums: &'a Sums,
    /// What other rooms say.
    pub readings: &'a Readings,
    /// The names in force, for the accounts of networks.
    pub directory: &'a Directory,
    /// What the kernel says.
    pub process: ProcessReading,
    /// When the process began to serve.
    pub started: SystemTime,
    /// This program's version.
    pub version: &'a str,
}

impl Exposition<'_> {
    /// The page.
    pub fn write(&self, format: Format) -> String {
        let mut page = Page::default();
        traffic::queries(&mut page, self.sums);
        traffic::routes_and_views(&mut page, self.sums);
        traffic::networks(&mut page, self.sums, self.directory);
        house::caches(&mut page, self.readings);
        upstream::servers(&mut page, &self.readings.upstreams);
        upstream::groups(&mut page, &self.readings.groups);
        house::zones(&mut page, &self.readings.zones);
        house::reloads(&mut page, &self.readings.reloads);
        house::query_log(&mut page, &self.readings.log);
        house::alerts(&mut page, &self.readings.alerts);
        house::dnstap(&mut page, self.readings);
        house::load(&mut page, &self.readings.load);
        house::clients(&mut page, &self.readings.clients);
        bound::folded(&mut page, self.directory);
        page.gauge("kakehashi_build_info", "The version and the node that run; always 1.")
            .set(&[("version", self.version), ("node", &self.directory.node)], 1.0);
        house::process(&mut page, &self.process, self.started);
        match format {
            Format::OpenMetrics => page.openmetrics(),
            Format::Text => page.text().unwrap_or_else(|fault| {
                // The crate refuses a family without a name or without a number; none is made here.
                tracing::error!(%fault, "the metrics cannot be written");
                String::new()
            }),
        }
    }

    /// The page in Prometheus's own format.
    pub fn text(&self) -> String {
        self.write(Format::Text)
    }
}
