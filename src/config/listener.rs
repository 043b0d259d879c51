//! `listener "tcp" {...}` and `listener "unix" {...}`.

use super::Position;
use super::address::{host_port, split_host_port};
use super::section::Section;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// One address at which the API is served, with its rules.
#[derive(Clone, Debug)]
pub struct Listener {
    /// `tcp` or `unix`.
    pub is_unix: bool,
    /// `host:port` (`:port` for all addresses), or the socket's path.
    pub address: String,
    /// The `host:port` for the other nodes.
    pub cluster_address: String,
    /// TLS; `None` with `tls_disable`.
    pub tls: Option<ListenerTls>,
    /// `max_request_size` in bytes; zero is no limit in Vault and the largest one here.
    pub request_bytes_max: u64,
    /// The limits of the JSON in a body.
    pub json: JsonLimits,
    /// `http_max_conns_per_client`: most connections from one address; zero is any number.
    pub connections_per_client_max: Option<u64>,
    /// `max_request_duration`.
    pub request_duration_max: Duration,
    /// `http_read_header_timeout`.
    pub header_timeout: Duration,
    /// `http_idle_timeout`.
    pub idle_timeout: Duration,
    /// `http_read_timeout`.
    pub read_timeout: Duration,
    /// `require_request_header`: refuse requests without `X-Vault-Request: true`.
    pub require_request_header: bool,
    /// `x_forwarded_for_authorized_addrs`: proxies that may name the client (CIDRs).
    pub forwarded_for_authorized: Vec<String>,
    /// `x_forwarded_for_hop_skips`.
    pub forwarded_for_hop_skips: u64,
    /// `x_forwarded_for_reject_not_authorized`.
    pub forwarded_for_reject_unauthorized: bool,
    /// `x_forwarded_for_reject_not_present`.
    pub forwarded_for_reject_missing: bool,
    /// `telemetry { unauthenticated_metrics_access }`.
    pub unauthenticated_metrics: bool,
    /// `inflight_requests_logging { unauthenticated_in_flight_requests_access }`.
    pub unauthenticated_in_flight: bool,
    /// `disable_unauthed_generate_root_endpoints`.
    pub generate_root_closed: bool,
    /// `disable_unauthed_rekey_endpoints`.
    pub rekey_closed: bool,
    /// `custom_response_headers`: status (`default`, `2xx`, `404`) to header to value.
    pub custom_headers: BTreeMap<String, BTreeMap<String, String>>,
    /// `redact_version`, `redact_cluster_name`, `redact_addresses`.
    pub redact: [bool; 3],
    /// `socket_mode`, `socket_user`, `socket_group` of a unix socket.
    pub socket: SocketMode,
    /// The place of the stanza.
    pub position: Position,
}

/// The limits of the JSON in a body; `None` and zero are the usual limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonLimits {
    /// `max_json_depth`.
    pub depth: Option<u64>,
    /// `max_json_string_value_length`.
    pub string_bytes: Option<u64>,
    /// `max_json_object_entry_count`.
    pub entries: Option<u64>,
    /// `max_json_array_element_count`.
    pub elements: Option<u64>,
    /// `max_json_token`.
    pub tokens: Option<u64>,
    /// `max_request_json_strings`.
    pub strings: Option<u64>,
    /// `max_request_json_memory`.
    pub memory_bytes: Option<u64>,
}

/// Files and rules of a TLS listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenerTls {
    /// `tls_cert_file`; empty where it is missing, and the listener cannot start.
    pub cert_file: PathBuf,
    /// `tls_key_file`; empty where it is missing, and the listener cannot start.
    pub key_file: PathBuf,
    /// `tls_client_ca_file`.
    pub client_ca_file: Option<PathBuf>,
    /// `tls_require_and_verify_client_cert`.
    pub require_client_cert: bool,
    /// `tls_disable_client_certs`.
    pub disable_client_certs: bool,
    /// `tls_min_version`.
    pub minimum: MinimumTls,
}

/// Oldest TLS version that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinimumTls {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Owner and rights of a unix socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketMode {
    /// `socket_mode`, read as octal.
    pub mode: Option<u32>,
    /// `socket_user`.
    pub user: Option<String>,
    /// `socket_group`.
    pub group: Option<String>,
}

/// The deepest nesting that can be allowed: nested values are read and dropped on one stack.
const JSON_DEPTH_CEILING: u64 = 500;

const WITHOUT_EFFECT: [&str; 14] = [
    "http_write_timeout",
    "proxy_protocol_behavior",
    "proxy_protocol_authorized_addrs",
    "tls_cipher_suites",
    "tls_prefer_server_cipher_suites",
    "tls_max_version",
    "x_forwarded_for_client_cert_header",
    "x_forwarded_for_client_cert_header_decoders",
    "agent_api",
    "proxy_api",
    "chroot_namespace",
    "disable_request_limiter",
    "disable_replication_status_endpoints",
    "role",
];

/// Reads all listeners of all files, in order.
pub(super) fn read(top: &Section<'_>) -> Vec<Listener> {
    let mut listeners = Vec::new();
    for (kind, section) in top.labelled("listener") {
        match kind.as_str() {
            "tcp" | "unix" => listeners.push(listener(&section, kind == "unix")),
            _ => section.problems.error(
                &section.position,
                format!("listener type {kind:?} is unknown: use \"tcp\" or \"unix\""),
            ),
        }
    }
    listeners
}

fn listener(section: &Section<'_>, is_unix: bool) -> Listener {
    let address = if is_unix {
        unix_address(section)
    } else {
        host_port(section, "address").unwrap_or_else(|| String::from("127.0.0.1:8200"))
    };
    let cluster_address = match section.has("cluster_address") {
        true => host_port(section, "cluster_address").unwrap_or_default(),
        false => next_port(&address),
    };
    let seconds = |key: &str, default| {
        section
            .duration(key)
            .unwrap_or(Duration::from_secs(default))
    };
    let flag = |key: &str| section.boolean(key).unwrap_or(false);
    let listener = Listener {
        is_unix,
        cluster_address,
        address,
        tls: tls(section, is_unix),
        request_bytes_max: section
            .integer("max_request_size")
            .unwrap_or(32 * 1024 * 1024),
        json: json_limits(section),
        connections_per_client_max: section.integer("http_max_conns_per_client"),
        request_duration_max: seconds("max_request_duration", 90),
        header_timeout: seconds("http_read_header_timeout", 10),
        idle_timeout: seconds("http_idle_timeout", 300),
        read_timeout: seconds("http_read_timeout", 30),
        require_request_header: flag("require_request_header"),
        forwarded_for_authorized: section
            .list("x_forwarded_for_authorized_addrs")
            .unwrap_or_default(),
        forwarded_for_hop_skips: section.integer("x_forwarded_for_hop_skips").unwrap_or(0),
        forwarded_for_reject_unauthorized: section
            .boolean("x_forwarded_for_reject_not_authorized")
            .unwrap_or(true),
        forwarded_for_reject_missing: section
            .boolean("x_forwarded_for_reject_not_present")
            .unwrap_or(true),
        unauthenticated_metrics: nested_flag(
            section,
            "telemetry",
            "unauthenticated_metrics_access",
            &["metrics_only", "disallow_metrics"],
        ),
        unauthenticated_in_flight: nested_flag(
            section,
            "inflight_requests_logging",
            "unauthenticated_in_flight_requests_access",
            &[],
        ),
        generate_root_closed: flag("disable_unauthed_generate_root_endpoints"),
        rekey_closed: flag("disable_unauthed_rekey_endpoints"),
        custom_headers: custom_headers(section),
        redact: [
            flag("redact_version"),
            flag("redact_cluster_name"),
            flag("redact_addresses"),
        ],
        socket: socket(section),
        position: section.position.clone(),
    };
    section.without_effect(&WITHOUT_EFFECT);
    section.without_effect(&["profiling", "cors"]);
    section.finish();
    listener
}

/// Reads a switch in a block of its own, whose other keys change nothing.
fn nested_flag(section: &Section<'_>, block: &str, key: &str, others: &[&str]) -> bool {
    section.blocks(block).iter().fold(false, |_, inner| {
        let flag = inner.boolean(key).unwrap_or(false);
        inner.without_effect(others);
        inner.finish();
        flag
    })
}

fn json_limits(section: &Section<'_>) -> JsonLimits {
    let limit = |key| section.integer(key).filter(|limit| *limit > 0);
    let limits = JsonLimits {
        depth: limit("max_json_depth"),
        string_bytes: limit("max_json_string_value_length"),
        entries: limit("max_json_object_entry_count"),
        elements: limit("max_json_array_element_count"),
        tokens: limit("max_json_token"),
        strings: limit("max_request_json_strings"),
        memory_bytes: limit("max_request_json_memory"),
    };
    if limits.depth.is_some_and(|depth| depth > JSON_DEPTH_CEILING) {
        section.wrong(
            "max_json_depth",
            format_args!("at most {JSON_DEPTH_CEILING}"),
        );
    }
    limits
}

fn unix_address(section: &Section<'_>) -> String {
    let address = section.text("address").unwrap_or_default();
    if address.is_empty() {
        section.problems.error(
            &section.position,
            "listener \"unix\" needs an address: the socket's path",
        );
    }
    address
}

/// Returns the address with the next port: in Vault the cluster port is the API's plus one. Port
/// zero, which is any port, stays zero.
fn next_port(address: &str) -> String {
    let next = |port: u16| if port == 0 { 0 } else { port.saturating_add(1) };
    match split_host_port(address) {
        Some((host, Some(port))) if host.contains(':') => format!("[{host}]:{}", next(port)),
        Some((host, Some(port))) => format!("{host}:{}", next(port)),
        _ => String::new(),
    }
}

fn tls(section: &Section<'_>, is_unix: bool) -> Option<ListenerTls> {
    let disabled = section.boolean("tls_disable").unwrap_or(false);
    let file = |key: &str| {
        section
            .text(key)
            .filter(|p| !p.is_empty())
            .map(PathBuf::from)
    };
    let minimum = section.choice(
        "tls_min_version",
        &[("tls12", MinimumTls::Tls12), ("tls13", MinimumTls::Tls13)],
    );
    let (cert, key) = (file("tls_cert_file"), file("tls_key_file"));
    let client_ca_file = file("tls_client_ca_file");
    let require = section.boolean("tls_require_and_verify_client_cert");
    let disable_client = section.boolean("tls_disable_client_certs").unwrap_or(false);
    if disabled || (is_unix && cert.is_none() && key.is_none()) {
        return None;
    }
    if cert.is_none() || key.is_none() {
        let message = "the listener needs tls_cert_file and tls_key_file, or tls_disable = true";
        section.problems.warn(&section.position, message);
    }
    if require == Some(true) && disable_client {
        section.wrong(
            "tls_disable_client_certs",
            "contradicts tls_require_and_verify_client_cert",
        );
    }
    Some(ListenerTls {
        cert_file: cert.unwrap_or_default(),
        key_file: key.unwrap_or_default(),
        client_ca_file,
        require_client_cert: require.unwrap_or(false),
        disable_client_certs: disable_client,
        minimum: minimum.unwrap_or_default(),
    })
}

fn socket(section: &Section<'_>) -> SocketMode {
    let mode = section.text("socket_mode").and_then(|text| {
        let mode = u32::from_str_radix(text.trim(), 8)
            .ok()
            .filter(|mode| *mode <= 0o7777);
        if mode.is_none() {
            section.wrong("socket_mode", "expected an octal mode such as 660");
        }
        mode
    });
    SocketMode {
        mode,
        user: section.text("socket_user"),
        group: section.text("socket_group"),
    }
}

fn custom_headers(section: &Section<'_>) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for block in section.blocks("custom_response_headers") {
        for (status, headers) in block.only_blocks() {
            let values = headers.header_values();
            all.entry(status)
                .or_insert_with(BTreeMap::new)
                .extend(values);
        }
        block.finish();
    }
    all
}
