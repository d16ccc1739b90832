//! The text format OpenMetrics 1.0, for scrapers that ask for it.
//!
//! It differs from Prometheus' older format in the names of counters in `# TYPE`, in the spelling
//! of bounds, and in its last line, by which a cut answer is recognised. No `_created` is written:
//! the time at which a series began is not known of all of them.

use std::fmt::Write as _;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

/// The page of these families.
pub(crate) fn encode(families: &[MetricFamily]) -> String {
    let mut page = String::with_capacity(16 * 1024);
    for family in families {
        let name = family.name();
        let (family_name, kind) = match family.get_field_type() {
            MetricType::COUNTER => match name.strip_suffix("_total") {
                Some(base) => (base, "counter"),
                // Without the suffix it could not be a counter.
                None => (name, "unknown"),
            },
            MetricType::GAUGE => (name, "gauge"),
            MetricType::HISTOGRAM => (name, "histogram"),
            // Not used here.
            MetricType::SUMMARY | MetricType::UNTYPED => continue,
        };
        write(&mut page, format_args!("# HELP {family_name} {}\n", escaped(family.help())));
        write(&mut page, format_args!("# TYPE {family_name} {kind}\n"));
        for metric in family.get_metric() {
            samples(&mut page, name, family.get_field_type(), metric);
        }
    }
    page.push_str("# EOF\n");
    page
}

fn samples(page: &mut String, name: &str, kind: MetricType, metric: &Metric) {
    let labels = metric.get_label();
    match kind {
        MetricType::COUNTER => sample(page, name, labels, None, metric.get_counter().get_value()),
        MetricType::GAUGE => sample(page, name, labels, None, metric.get_gauge().get_value()),
        MetricType::HISTOGRAM => {
            let histogram = metric.get_histogram();
            let total = histogram.get_sample_count() as f64;
            let bucket = format!("{name}_bucket");
            let bounds = histogram.get_bucket().iter().filter(|it| it.upper_bound().is_finite());
            for bound in bounds {
                // Debug writes a whole number with its decimal point, as the format wants it.
                let le = format!("{:?}", bound.upper_bound());
                sample(page, &bucket, labels, Some(&le), bound.cumulative_count() as f64);
            }
            sample(page, &bucket, labels, Some("+Inf"), total);
            sample(page, &format!("{name}_count"), labels, None, total);
            let sum = histogram.get_sample_sum();
            sample(page, &format!("{name}_sum"), labels, None, sum);
        }
        MetricType::SUMMARY | MetricType::UNTYPED => {}
    }
}

fn sample(page: &mut String, name: &str, labels: &[LabelPair], le: Option<&str>, value: f64) {
    page.push_str(name);
    let labels = labels.iter().map(|label| (label.name(), label.value()));
    for (index, (name, value)) in labels.chain(le.map(|le| ("le", le))).enumerate() {
        let before = if index == 0 { '{' } else { ',' };
        write(page, format_args!("{before}{name}=\"{}\"", escaped(value)));
    }
    if page.ends_with('"') {
        page.push('}');
    }
    match value {
        value if value.is_nan() => page.push_str(" NaN\n"),
        value if value.is_infinite() && value > 0.0 => page.push_str(" +Inf\n"),
        value if value.is_infinite() => page.push_str(" -Inf\n"),
        value => write(page, format_args!(" {value}\n")),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

fn write(page: &mut String, arguments: std::fmt::Arguments<'_>) {
    page.write_fmt(arguments).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use prometheus::{
        Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
    };

    use super::*;

    #[test]
    fn counters_gauges_and_histograms_are_written_and_the_page_has_an_end() {
        let registry = Registry::new();
        let counter = IntCounterVec::new(Opts::new("b_total", "All \"b\"\nand \\"), &["x", "y"]);
        let counter = counter.expect("valid");
        counter.with_label_values(&["a\"\\\n", ""]).inc_by(3);
        let gauge = Gauge::new("a_ratio", "A").expect("valid");
        gauge.set(f64::INFINITY);
        let plain = IntCounter::new("c_total", "C").expect("valid");
        let options = HistogramOpts::new("d_seconds", "D").buckets(vec![0.005, 1.0]);
        let histogram = HistogramVec::new(options, &["path"]).expect("valid");
        histogram.with_label_values(&["/"]).observe(0.5);
        registry.register(Box::new(counter)).expect("new");
        registry.register(Box::new(gauge)).expect("new");
        registry.register(Box::new(plain)).expect("new");
        registry.register(Box::new(histogram)).expect("new");
        let expected = "\
# HELP a_ratio A
# TYPE a_ratio gauge
a_ratio +Inf
# HELP b All \\\"b\\\"\\nand \\\\
# TYPE b counter
b_total{x=\"a\\\"\\\\\\n\",y=\"\"} 3
# HELP c C
# TYPE c counter
c_total 0
# HELP d_seconds D
# TYPE d_seconds histogram
d_seconds_bucket{path=\"/\",le=\"0.005\"} 0
d_seconds_bucket{path=\"/\",le=\"1.0\"} 1
d_seconds_bucket{path=\"/\",le=\"+Inf\"} 1
d_seconds_count{path=\"/\"} 1
d_seconds_sum{path=\"/\"} 0.5
# EOF
";
        assert_eq!(encode(&registry.gather()), expected);
        assert_eq!(encode(&[]), "# EOF\n");
    }
}
