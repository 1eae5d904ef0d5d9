//! The OpenMetrics text format, 1.0.0, which the prometheus crate does not write.
//!
//! Names of the families are the text format's without `_total`; exemplars may hold what clients asked for, so every
//! label value is escaped, and a name in presentation format has nothing but printable ASCII.

use std::fmt::Write;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::family::Exemplars;
use super::slow::Example;

/// The page of these families.
pub(super) fn text(families: &[MetricFamily], exemplars: &Exemplars) -> String {
    let mut out = String::new();
    for family in families {
        write_family(&mut out, family, exemplars);
    }
    out + "# EOF\n"
}

fn write_family(out: &mut String, family: &MetricFamily, exemplars: &Exemplars) {
    let full = family.name();
    let (name, kind) = match family.get_field_type() {
        MetricType::COUNTER => (full.strip_suffix("_total").unwrap_or(full), "counter"),
        MetricType::HISTOGRAM => (full, "histogram"),
        _ => (full, "gauge"),
    };
    // Writing into a string does not fail.
    let _ = write!(out, "# TYPE {name} {kind}\n# HELP {name} {}\n", escaped(family.help()));
    for (nth, metric) in family.get_metric().iter().enumerate() {
        let labels = labels(metric.get_label());
        match family.get_field_type() {
            MetricType::COUNTER => sample(out, name, "_total", &labels, metric.get_counter().get_value()),
            MetricType::HISTOGRAM => {
                let example = |bucket| exemplars.get(&(full.to_owned(), nth, bucket));
                histogram(out, name, &labels, metric, example);
            }
            _ => sample(out, name, "", &labels, metric.get_gauge().get_value()),
        }
    }
}

fn histogram<'e>(
    out: &mut String,
    name: &str,
    labels: &str,
    metric: &Metric,
    example: impl Fn(usize) -> Option<&'e Example>,
) {
    let histogram = metric.get_histogram();
    let comma = if labels.is_empty() { "" } else { "," };
    let finite = histogram.get_bucket().iter().map(|bucket| {
        let bound = bucket.upper_bound();
        // "1.0", as the specification wants bounds to be written.
        (
            if bound.fract() == 0.0 { format!("{bound:.1}") } else { bound.to_string() },
            bucket.cumulative_count(),
        )
    });
    let all = ("+Inf".to_owned(), histogram.get_sample_count());
    for (bucket, (bound, count)) in finite.chain([all]).enumerate() {
        let _ = write!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}");
        if let Some(example) = example(bucket) {
            exemplar(out, example);
        }
        out.push('\n');
    }
    sample(out, name, "_count", labels, histogram.get_sample_count() as f64);
    sample(out, name, "_sum", labels, histogram.get_sample_sum());
}

fn exemplar(out: &mut String, example: &Example) {
    let Example { unix_micros, micros, network, name } = example;
    let (network, name) = (escaped(network), escaped(name));
    let (seconds, time) = (f64::from(*micros) / 1e6, *unix_micros as f64 / 1e6);
    let _ = write!(out, " # {{network=\"{network}\",name=\"{name}\"}} {seconds} {time:.3}");
}

fn sample(out: &mut String, name: &str, suffix: &str, labels: &str, value: f64) {
    let _ = match labels {
        "" => writeln!(out, "{name}{suffix} {value}"),
        labels => writeln!(out, "{name}{suffix}{{{labels}}} {value}"),
    };
}

fn labels(pairs: &[LabelPair]) -> String {
    let pair = |pair: &LabelPair| format!("{}=\"{}\"", pair.name(), escaped(pair.value()));
    pairs.iter().map(pair).collect::<Vec<_>>().join(",")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
