//! `telemetry {...}`.

use super::section::Section;
use std::time::Duration;

/// The retention unless one is configured, as in Vault.
const PROMETHEUS_RETENTION: Duration = Duration::from_secs(24 * 3600);

/// The settings of the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Telemetry {
    /// `prometheus_retention_time`, a day where none is configured; zero turns the Prometheus form
    /// off, as in Vault.
    pub prometheus_retention: Duration,
    /// `disable_hostname`.
    pub disable_hostname: bool,
    /// `metrics_prefix`, `vault` where none is configured.
    pub prefix: String,
}

/// Sinks and details that this build does not have.
const WITHOUT_EFFECT: [&str; 27] = [
    "statsite_address",
    "statsd_address",
    "circonus_api_token",
    "circonus_api_app",
    "circonus_api_url",
    "circonus_submission_interval",
    "circonus_submission_url",
    "circonus_check_id",
    "circonus_check_force_metric_activation",
    "circonus_check_instance_id",
    "circonus_check_search_tag",
    "circonus_check_tags",
    "circonus_check_display_name",
    "circonus_broker_id",
    "circonus_broker_select_tag",
    "dogstatsd_addr",
    "dogstatsd_tags",
    "stackdriver_project_id",
    "stackdriver_location",
    "stackdriver_namespace",
    "stackdriver_debug_logs",
    "enable_hostname_label",
    "usage_gauge_period",
    "maximum_gauge_cardinality",
    "prefix_filter",
    "filter_default",
    "lease_metrics_epsilon",
];

pub(super) fn read(top: &Section<'_>) -> Telemetry {
    let mut telemetry = Telemetry {
        prometheus_retention: PROMETHEUS_RETENTION,
        prefix: String::from("vault"),
        disable_hostname: false,
    };
    for section in top.blocks("telemetry") {
        if let Some(retention) = section.duration("prometheus_retention_time") {
            telemetry.prometheus_retention = retention;
        }
        if let Some(flag) = section.boolean("disable_hostname") {
            telemetry.disable_hostname = flag;
        }
        if let Some(prefix) = section.text("metrics_prefix") {
            telemetry.prefix = prefix;
        }
        section.without_effect(&WITHOUT_EFFECT);
        section.without_effect(&[
            "num_lease_metrics_buckets",
            "add_lease_metrics_namespace_labels",
            "add_mount_point_rollback_metrics",
            "rollback_metrics_include_mount_point",
        ]);
        section.finish();
    }
    telemetry
}
