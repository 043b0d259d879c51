//! The numbers in the forms of scrapers: Prometheus's text format, and Vault's JSON.

use super::metrics::{Instrument, Metrics, Summary};
use crate::clock::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The kind of a [`Reading`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadingKind {
    /// The number only goes up, for as long as the process lives.
    Counter,
    /// The number goes up and down.
    Gauge,
}

/// A number that was read for one answer, for numbers that no instrument of the process holds: they
/// concern one node, or cost something to find out.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The name, with dots, as in [`Metrics::counter`].
    pub name: &'static str,
    /// A sentence for the reader of the number.
    pub help: &'static str,
    /// The kind.
    pub kind: ReadingKind,
    /// The labels, as names and values; readings of one name differ in them.
    pub labels: Vec<(&'static str, String)>,
    /// The value, in the unit that the name or the help gives.
    pub value: f64,
}

impl Reading {
    /// Returns a gauge without labels.
    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self {
            name,
            help,
            kind: ReadingKind::Gauge,
            labels: Vec::new(),
            value,
        }
    }

    /// Returns a counter without labels.
    pub fn counter(name: &'static str, help: &'static str, value: f64) -> Self {
        Self {
            kind: ReadingKind::Counter,
            ..Self::gauge(name, help, value)
        }
    }

    /// Returns the reading with one more label.
    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }

    fn labels(&self) -> Value {
        let labels = self.labels.iter();
        labels
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect::<Map<_, _>>()
            .into()
    }
}

/// All lines of one name.
struct Family {
    help: &'static str,
    kind: &'static str,
    lines: String,
}

impl Metrics {
    /// Returns Prometheus's text format of the process's instruments and of `readings`, ordered by
    /// name; `prefix` is `vault` unless configured.
    pub fn prometheus(&self, prefix: &str, readings: &[Reading]) -> String {
        let mut families = BTreeMap::new();
        for named in self.all() {
            let name = prometheus_name(prefix, named.name);
            let (kind, lines) = match named.instrument {
                Instrument::Counter(counter) => {
                    ("counter", format!("{name} {}\n", counter.value()))
                }
                Instrument::Gauge(gauge) => ("gauge", format!("{name} {}\n", gauge.value())),
                Instrument::Summary(summary) => {
                    let (sum, count) = (summary.sum_ms(), summary.count());
                    (
                        "summary",
                        format!("{name}_sum {sum}\n{name}_count {count}\n"),
                    )
                }
            };
            let help = named.help;
            families.insert(name, Family { help, kind, lines });
        }
        for reading in readings {
            let name = prometheus_name(prefix, reading.name);
            let line = format!("{name}{} {}\n", braced(&reading.labels), reading.value);
            let family = families.entry(name).or_insert_with(|| Family {
                help: reading.help,
                kind: match reading.kind {
                    ReadingKind::Counter => "counter",
                    ReadingKind::Gauge => "gauge",
                },
                lines: String::new(),
            });
            family.lines.push_str(&line);
        }
        let mut text = String::new();
        for (name, Family { help, kind, lines }) in families {
            let help = escaped(help, false);
            // Writing to a String cannot fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
        }
        text
    }

    /// Returns the JSON form of `sys/metrics`, without rates.
    pub fn json(&self, prefix: &str, readings: &[Reading], now: Timestamp) -> Value {
        let (mut counters, mut gauges, mut samples) = (Vec::new(), Vec::new(), Vec::new());
        let counter = |name: &str, value: Value, labels: Value| {
            json!({
                "Name": name, "Count": value, "Sum": value, "Labels": labels,
            })
        };
        for named in self.all() {
            let name = dotted(prefix, named.name);
            let labels = json!({});
            match named.instrument {
                Instrument::Counter(found) => {
                    counters.push(counter(&name, found.value().into(), labels));
                }
                Instrument::Gauge(gauge) => gauges.push(json!({
                    "Name": name, "Value": gauge.value(), "Labels": labels,
                })),
                Instrument::Summary(summary) => samples.push(sample(&name, &summary, labels)),
            }
        }
        for reading in readings {
            let (name, labels) = (dotted(prefix, reading.name), reading.labels());
            match reading.kind {
                ReadingKind::Counter => counters.push(counter(&name, json!(reading.value), labels)),
                ReadingKind::Gauge => gauges.push(json!({
                    "Name": name, "Value": reading.value, "Labels": labels,
                })),
            }
        }
        let timestamp = now.rfc3339().replace(['T', 'Z'], " ");
        json!({
            "Timestamp": format!("{timestamp}+0000 UTC"),
            "Gauges": gauges, "Points": [], "Counters": counters, "Samples": samples,
        })
    }
}

/// Returns the name with its prefix, `vault.core.active`; names such as
/// `coffer.raft.unproven_total` and `process.open_fds` get none.
fn dotted(prefix: &str, name: &str) -> String {
    let is_whole = name.starts_with("coffer.") || name.starts_with("process.");
    match is_whole || prefix.is_empty() {
        true => name.to_owned(),
        false => format!("{prefix}.{name}"),
    }
}

/// Returns the name with only letters, digits, `_` and `:`, and no digit in front.
fn prometheus_name(prefix: &str, name: &str) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() || c == ':' {
        true => c,
        false => '_',
    };
    let name: String = dotted(prefix, name).chars().map(plain).collect();
    match name.starts_with(|first: char| first.is_ascii_digit()) {
        true => format!("_{name}"),
        false => name,
    }
}

fn braced(labels: &[(&'static str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let each = labels.iter();
    let each = each.map(|(name, value)| format!("{name}=\"{}\"", escaped(value, true)));
    format!("{{{}}}", each.collect::<Vec<_>>().join(","))
}

/// Escapes line breaks, and quotation marks in the values of labels.
fn escaped(text: &str, quoted: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    match quoted {
        true => text.replace('"', "\\\""),
        false => text,
    }
}

fn sample(name: &str, summary: &Summary, labels: Value) -> Value {
    let count = summary.count();
    #[allow(clippy::cast_precision_loss)] // a mean of milliseconds needs no 53 bits
    let mean = if count == 0 {
        0.0
    } else {
        summary.sum_ms() / count as f64
    };
    json!({
        "Name": name, "Count": count, "Sum": summary.sum_ms(), "Max": summary.max_ms(),
        "Mean": mean, "Labels": labels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn some() -> Metrics {
        let metrics = Metrics::default();
        metrics.counter("a.b", "Things\nseen.").add(3);
        metrics.gauge("c", "Depth.").set(-1);
        let summary = metrics.summary("d", "Time taken.");
        summary.observe(Duration::from_millis(5));
        metrics.counter("coffer.raft.x_total", "Ours.").increment();
        metrics
    }

    fn entries(kind: &str, value: f64) -> Reading {
        Reading::gauge("table.num_entries", "Mounts.", value).with("type", kind)
    }

    #[test]
    fn prometheus_reads_each_family_once_with_its_help() {
        let readings = [
            entries("logical", 2.0),
            Reading::counter("z.total", "Ends.", 1.5),
            entries("\"a\\\n", 1.0),
        ];
        assert_eq!(
            some().prometheus("vault", &readings),
            "# HELP coffer_raft_x_total Ours.\n\
             # TYPE coffer_raft_x_total counter\n\
             coffer_raft_x_total 1\n\
             # HELP vault_a_b Things\\nseen.\n\
             # TYPE vault_a_b counter\n\
             vault_a_b 3\n\
             # HELP vault_c Depth.\n\
             # TYPE vault_c gauge\n\
             vault_c -1\n\
             # HELP vault_d Time taken.\n\
             # TYPE vault_d summary\n\
             vault_d_sum 5\n\
             vault_d_count 1\n\
             # HELP vault_table_num_entries Mounts.\n\
             # TYPE vault_table_num_entries gauge\n\
             vault_table_num_entries{type=\"logical\"} 2\n\
             vault_table_num_entries{type=\"\\\"a\\\\\\n\"} 1\n\
             # HELP vault_z_total Ends.\n\
             # TYPE vault_z_total counter\n\
             vault_z_total 1.5\n"
        );
    }

    #[test]
    fn names_that_every_process_has_are_not_prefixed() {
        let readings = [Reading::gauge("process.open_fds", "", 3.0)];
        let text = Metrics::default().prometheus("vault", &readings);
        assert!(text.ends_with("\nprocess_open_fds 3\n"), "{text}");
    }

    #[test]
    fn a_configured_prefix_makes_no_bad_name() {
        let text = some().prometheus("1 home/pi", &[]);
        assert!(text.contains("\n_1_home_pi_a_b 3\n"), "{text}");
        assert!(text.contains("\ncoffer_raft_x_total 1\n"), "{text}");
    }

    #[test]
    fn json_has_vaults_groups() {
        let readings = [entries("auth", 2.0), Reading::counter("z", "", 4.0)];
        let json = some().json("vault", &readings, Timestamp::from_secs(0));
        assert_eq!(json["Counters"][0]["Name"], "vault.a.b");
        assert_eq!(json["Counters"][1]["Name"], "coffer.raft.x_total");
        assert_eq!(json["Counters"][2]["Sum"], 4.0);
        assert_eq!(json["Gauges"][1]["Name"], "vault.table.num_entries");
        assert_eq!(json["Gauges"][1]["Labels"], json!({"type": "auth"}));
        assert_eq!(json["Samples"][0]["Mean"], 5.0);
        assert_eq!(json["Timestamp"], "1970-01-01 00:00:00 +0000 UTC");
    }
}
