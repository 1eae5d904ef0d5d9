//! Metric families of the prometheus crate, built from numbers that are counted elsewhere.
//!
//! The crate's own counters are locked instructions and its vectors are hash maps behind a lock: right for most
//! programs, too dear for a worker. Its data model and its text format are what is used.

use std::collections::BTreeMap;

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Result, TextEncoder};

use super::histogram::HistogramSum;
use super::openmetrics;
use super::slow::Example;

/// A page of metrics in the making.
#[derive(Default)]
pub(super) struct Page {
    families: Vec<MetricFamily>,
    exemplars: Exemplars,
}

/// Examples by family's name, by place of the histogram in it, by bucket.
pub(super) type Exemplars = BTreeMap<(String, usize, usize), Example>;

/// A family in the making.
pub(super) struct Family<'p> {
    page: &'p mut Page,
    family: MetricFamily,
}

/// Labels: names from this program, values from it or its configuration.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

impl Page {
    /// What only grows; its name ends in `_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::COUNTER)
    }

    /// What comes and goes.
    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::GAUGE)
    }

    /// What is observed, in buckets.
    pub(super) fn histogram(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::HISTOGRAM)
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> Family<'_> {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        Family { page: self, family }
    }

    /// The text exposition format, 0.0.4.
    pub(super) fn text(&self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.families)
    }

    /// OpenMetrics 1.0, with the examples.
    pub(super) fn openmetrics(&self) -> String {
        openmetrics::text(&self.families, &self.exemplars)
    }
}

impl Family<'_> {
    /// One number without labels.
    pub(super) fn only(&mut self, value: f64) {
        self.set(&[], value);
    }

    /// One number.
    pub(super) fn set(&mut self, labels: Labels<'_>, value: f64) {
        let mut metric = Metric::from_label(pairs(labels));
        if self.family.get_field_type() == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.family.mut_metric().push(metric);
    }

    /// An example for a bucket of the histogram that comes next.
    pub(super) fn example(&mut self, bucket: usize, example: &Example) {
        let place = (self.family.name().to_owned(), self.family.get_metric().len(), bucket);
        self.page.exemplars.insert(place, example.clone());
    }

    /// One histogram; `unit` turns its whole numbers into the metric's base unit.
    pub(super) fn observed(&mut self, labels: Labels<'_>, bounds: &[u32], unit: f64, sum: &HistogramSum) {
        let mut below = 0;
        let buckets = bounds.iter().zip(&sum.buckets).map(|(bound, count)| {
            below += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(f64::from(*bound) / unit);
            bucket.set_cumulative_count(below);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(sum.count());
        histogram.set_sample_sum(sum.sum as f64 / unit);
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_histogram(histogram);
        self.family.mut_metric().push(metric);
    }
}

/// A family joins its page when it is done; one without a number says nothing and stays away.
impl Drop for Family<'_> {
    fn drop(&mut self) {
        if !self.family.get_metric().is_empty() {
            self.page.families.push(std::mem::take(&mut self.family));
        }
    }
}

fn pairs(labels: Labels<'_>) -> Vec<LabelPair> {
    labels
        .iter()
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        })
        .collect()
}
