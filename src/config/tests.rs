//! The example files as they are, and the faults of others.

use super::*;
use std::time::Duration;

fn load_text(text: &str) -> Loaded {
    from_text(&[("test.hcl".into(), text.into())], &[]).unwrap()
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = from_text(&[("test.hcl".into(), text.into())], &[]).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[track_caller]
fn warned(text: &str, expected: &[&str]) -> Config {
    let loaded = load_text(text);
    let warnings: Vec<String> = loaded.warnings.iter().map(Notice::to_string).collect();
    assert_eq!(warnings, expected);
    loaded.config
}

fn raft(config: &Config) -> &Raft {
    match config.storage.as_ref() {
        Some(Storage::Raft(raft)) => raft,
        other => panic!("not raft: {other:?}"),
    }
}

const SEED_0: &str = r#"
storage "raft" {
  path    = "/tmp/vault/server"
  node_id = "server-a-1"
}
listener "tcp" {
  address = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_disable = "true"
}
api_addr = "http://192.168.50.101:8200"
cluster_addr = "http://127.0.0.1:8201"
disable_mlock = true
ui = true
"#;

#[test]
fn seed_0_loads() {
    let config = warned(SEED_0, &[]);
    assert_eq!(raft(&config).path.to_str(), Some("/tmp/vault/server"));
    assert_eq!(raft(&config).node_id, "server-a-1");
    let listener = config.listeners.first().unwrap();
    assert_eq!(listener.address, "0.0.0.0:8200");
    assert_eq!(listener.cluster_address, "0.0.0.0:8201");
    assert_eq!(listener.tls, None);
    assert_eq!(listener.request_duration_max, Duration::from_secs(90));
    assert_eq!(
        config.api_address.as_deref(),
        Some("http://192.168.50.101:8200")
    );
    assert_eq!(
        config.cluster_address.as_deref(),
        Some("http://127.0.0.1:8201")
    );
    assert!(config.disable_mlock && config.ui);
}

#[test]
fn seed_0_retry_join_loads() {
    let config = warned(
        r#"storage "raft" {
  path    = "/tmp/vault/server"
  node_id = "$(hostname)"
  retry_join {
    leader_api_addr = "http://192.168.50.101:8200"
  }
  retry_join {
    leader_api_addr = "http://192.168.50.102:8200"
  }
}"#,
        &[],
    );
    assert_eq!(raft(&config).node_id, "$(hostname)");
    let joins = &raft(&config).retry_join;
    let addresses: Vec<_> = joins
        .iter()
        .filter_map(|j| j.leader_api_address.as_deref())
        .collect();
    assert_eq!(
        addresses,
        ["http://192.168.50.101:8200", "http://192.168.50.102:8200"]
    );
}

#[test]
fn seed_1_loads_with_its_comma_and_its_space() {
    let config = warned(
        r#"storage "raft" {
  path      = "/opt/vault/data"
  node_id   = "node-a.hcvop.com"
  retry_join {
    auto_join = "provider=aws region=us-east-1 tag_key=vault tag_value=east-1"
  }
}

listener "tcp" {
  address = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_disable = 0
}

seal "awskms" {
  region = "us-east-1"
  kms_key_id = "12345678-abcd-1234-abcd-123456789101",
}

api_addr = "https://vault.hcvop.com:8200"
cluster_addr = " https://node-a.hcvop.com:8201"
cluster_name = "vault-prod-us-east-1"
ui = true
log_level = "INFO"
"#,
        &["test.hcl:9:1: the listener needs tls_cert_file and tls_key_file, or tls_disable = true"],
    );
    assert_eq!(
        config.cluster_address.as_deref(),
        Some("https://node-a.hcvop.com:8201")
    );
    assert_eq!(config.cluster_name.as_deref(), Some("vault-prod-us-east-1"));
    assert_eq!(config.logging.level, Some(LogLevel::Info));
    assert!(config.listeners.first().unwrap().tls.is_some());
    let seal = config.seals.first().unwrap();
    assert_eq!(seal.kind, "awskms");
    let key = seal.fields.get("kms_key_id").unwrap();
    assert_eq!(key.expose(), "12345678-abcd-1234-abcd-123456789101");
}

#[test]
fn seed_3_loads_with_consul_storage_and_with_raft() {
    let config = warned(
        r#"storage "consul" {
address = "172.31.17.225:8500"
path = "vault/"
}
listener "tcp" {
address = "0.0.0.0:8200"
cluster_address = "0.0.0.0:8201"
tls_disable = 1
}
seal "awskms" {
region = "ap-southeast-1"
kms_key_id = "89659ef2-d21b-4f93-b8e8-75df5e314573"
}
api_addr = "http://172.31.17.225:8200"
cluster_addr = "http://172.31.17.225:8201"
disable_mlock = true"#,
        &[],
    );
    let kind = match config.storage {
        Some(Storage::Other { kind, .. }) => kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(kind, "consul");
    let config = warned(
        r#"storage "raft" {
path = "/etc/vault/raft/"
node_id = "vault-1"
retry_join {
auto_join = "provider=aws region=ap-southeast-1 tag_key=Name tag_value=vault"
auto_join_scheme = "http"
}
}
#storage "consul" {
#address = "172.31.17.225:8500"
#path = "vault/"
#}
"#,
        &[],
    );
    let join = raft(&config).retry_join.first().unwrap();
    assert_eq!(join.auto_join_scheme.as_deref(), Some("http"));
}

#[test]
fn seed_4_loads_with_its_empty_names() {
    let config = warned(
        r#"storage "raft" {
 path = "/vault/raft"
 node_id = ""
 retry_join {
   leader_tls_servername   = "sense.station"
   leader_api_addr         = "http://192.168.1.16:8200"
 }
}
listener "tcp" {
  address = "127.0.0.1:8200"
  tls_disable=true
}
listener "tcp" {
  address = ":8200"
  tls_disable = true
}
api_addr = "http://:8200"
cluster_addr = "http://:8201"
service_registration "consul" {
  address = "127.0.0.1:8500"
  service = "vault"
  check_timeout = "10s"
}"#,
        &[],
    );
    assert_eq!(raft(&config).node_id, "");
    let addresses: Vec<_> = config
        .listeners
        .iter()
        .map(|l| l.address.as_str())
        .collect();
    assert_eq!(addresses, ["127.0.0.1:8200", ":8200"]);
    let clusters: Vec<_> = config
        .listeners
        .iter()
        .map(|l| l.cluster_address.as_str())
        .collect();
    assert_eq!(clusters, ["127.0.0.1:8201", ":8201"]);
    assert_eq!(config.api_address.as_deref(), Some("http://:8200"));
    let registration = config.service_registration.unwrap();
    assert_eq!(registration.kind, "consul");
    assert_eq!(
        registration.fields.get("check_timeout").unwrap().expose(),
        "10s"
    );
}

#[test]
fn json_says_the_same() {
    let text = r#"{
  "storage": {"raft": {"path": "/p", "node_id": "n", "retry_join": [
    {"leader_api_addr": "http://a:1"}, {"leader_api_addr": "http://b:2"}]}},
  "listener": [{"tcp": {"address": "127.0.0.1:1", "tls_disable": "1"}},
               {"tcp": {"address": "127.0.0.1:2", "tls_disable": 1}}],
  "default_lease_ttl": 3600, "max_lease_ttl": "2h",
  "ui": true
}"#;
    let loaded = from_text(&[("a.json".into(), text.into())], &[]).unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(raft(&loaded.config).retry_join.len(), 2);
    assert_eq!(loaded.config.listeners.len(), 2);
    assert_eq!(
        loaded.config.default_lease_ttl,
        Some(Duration::from_secs(3600))
    );
    assert_eq!(loaded.config.max_lease_ttl, Some(Duration::from_secs(7200)));
}

#[test]
fn json_errors_have_places() {
    let texts = [(
        "a.json".to_owned(),
        "{\n  \"ui\": \"perhaps\"\n}".to_owned(),
    )];
    let error = from_text(&texts, &[]).unwrap_err();
    assert_eq!(error.to_string(), "a.json:2:9: ui: expected true or false");
    let texts = [("a.json".to_owned(), "{\n  \"ui\": true,\n}".to_owned())];
    let error = from_text(&texts, &[]).unwrap_err().to_string();
    assert!(error.starts_with("a.json:3:1: syntax error"), "{error}");
}

#[test]
fn unknown_keys_warn_with_their_place() {
    warned(
        "ui = true\nfoo = 1\nlistener \"tcp\" {\n  tls_disable = true\n  bar = \"x\"\n}\n",
        &[
            "test.hcl:5:3: unknown or unsupported key \"bar\" in listener \"tcp\"",
            "test.hcl:2:1: unknown or unsupported key \"foo\"",
        ],
    );
    warned(
        "license_path = \"/l\"\nexperiments = [\"e\"]\n",
        &[
            "test.hcl:1:1: license_path has no effect in this build",
            "test.hcl:2:1: experiments has no effect in this build",
        ],
    );
}

#[test]
fn every_wrong_value_is_named_at_once() {
    refused(
        "ui = \"perhaps\"\ndefault_lease_ttl = \"soon\"\nlog_level = \"loud\"\n\
         api_addr = \"a:1\"\n",
        "test.hcl:3:13: log_level: expected one of trace, debug, notice, info, warn, warning, \
         error, err\n\
         test.hcl:4:12: api_addr: expected a URL that starts with http:// or https://\n\
         test.hcl:1:6: ui: expected true or false\n\
         test.hcl:2:21: default_lease_ttl: expected a duration such as 30s, 1h30m or a number \
         of seconds",
    );
    refused(
        "storage \"raft\" {\n}\n",
        "test.hcl:1:1: storage \"raft\" needs a path",
    );
    refused(
        "listener \"tcp\" {\n  address = \"x\"\n  tls_disable = true\n}\n",
        "test.hcl:2:13: address: expected host:port",
    );
    refused(
        "listener \"udp\" { a = 1 }\n",
        "test.hcl:1:1: listener type \"udp\" is unknown: use \"tcp\" or \"unix\"",
    );
    refused(
        "storage = \"raft\"\n",
        "test.hcl:1:11: storage: expected a block, found a string",
    );
    refused(
        "listener {\n  tls_disable = 1\n}\n",
        "test.hcl:1:1: expected a type: listener \"...\" {...}",
    );
    refused(
        "storage \"inmem\" {}\nstorage \"raft\" { path = \"/p\" }\n",
        "test.hcl:2:1: only one storage stanza is allowed",
    );
}

#[test]
fn syntax_errors_name_line_and_column_but_not_the_text() {
    let text = "ui = true\nseal \"x\" {\n  token = \"s3cret\n}\n";
    let error = from_text(&[("test.hcl".into(), text.into())], &[])
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("test.hcl:3:"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
    refused(
        "ui = true\nnode = name\n",
        "test.hcl:2:8: expected a literal value (is a quote missing?)",
    );
}

#[test]
fn places_are_right_behind_repaired_text() {
    refused(
        "storage \"raft\" { path = \"/p\", node_id = [] }\nui = 7\n",
        "test.hcl:1:41: node_id: expected a string, found a list\n\
         test.hcl:2:6: ui: expected true or false",
    );
}

#[test]
fn booleans_come_in_all_of_vaults_spellings() {
    for (text, expected) in [
        ("true", true),
        ("\"true\"", true),
        ("1", true),
        ("\"1\"", true),
        ("\"T\"", true),
        ("false", false),
        ("\"false\"", false),
        ("0", false),
        ("\"0\"", false),
    ] {
        assert_eq!(warned(&format!("ui = {text}"), &[]).ui, expected, "{text}");
    }
}

#[test]
fn later_files_win_and_listeners_add_up() {
    let a = "ui = true\nlistener \"tcp\" { tls_disable = 1 }\nstorage \"inmem\" {}\n";
    let b =
        "ui = false\nlistener \"tcp\" { tls_disable = 1 }\nbackend \"raft\" { path = \"/p\" }\n";
    let loaded = from_text(&[("a".into(), a.into()), ("b".into(), b.into())], &[]).unwrap();
    assert!(!loaded.config.ui);
    assert_eq!(loaded.config.listeners.len(), 2);
    assert_eq!(raft(&loaded.config).path.to_str(), Some("/p"));
}

#[test]
fn files_from_other_systems_load() {
    let text = "storage \"raft\" { # why\n  path = \"/p\"\n  node_id = \"a\"\n}\nui = true\n";
    let plain = load_text(text).config;
    let windows = text.replace('\n', "\r\n");
    let cut = windows.trim_end_matches('\n').to_owned();
    let marked = format!("\u{feff}{windows}");
    let mac = text.replace("# why", "").replace('\n', "\r");
    for text in [windows, cut, marked, mac] {
        let config = load_text(&text).config;
        assert_eq!(raft(&config).path, raft(&plain).path, "{text:?}");
        assert_eq!(raft(&config).node_id, raft(&plain).node_id, "{text:?}");
        assert_eq!(config.ui, plain.ui, "{text:?}");
    }
}

#[test]
fn a_setting_behind_a_carriage_return_is_no_comment() {
    let text = "ui = false # for now\rdisable_mlock = true\n";
    let error = from_text(&[("a.hcl".into(), text.into())], &[]).unwrap_err();
    assert!(error.to_string().starts_with("a.hcl:1:"), "{error}");
}

#[test]
fn bodies_and_connections_are_bounded_under_vaults_names() {
    let bounds = "max_json_depth = 1\n max_json_string_value_length = \"2\"\n\
        max_json_object_entry_count = 3\n max_json_array_element_count = 4\n\
        max_json_token = 5\n max_request_json_strings = 6\n max_request_json_memory = 0\n\
        http_max_conns_per_client = 7";
    let stanza = |text: &str| format!("listener \"tcp\" {{\n tls_disable = true\n {text}\n}}\n");
    let config = warned(&format!("{}{}", stanza(bounds), stanza("")), &[]);
    let [bound, usual] = config.listeners.as_slice() else {
        panic!("two listeners");
    };
    let expected = JsonLimits {
        depth: Some(1),
        string_bytes: Some(2),
        entries: Some(3),
        elements: Some(4),
        tokens: Some(5),
        strings: Some(6),
        memory_bytes: None,
    };
    assert_eq!(bound.json, expected);
    assert_eq!(bound.connections_per_client_max, Some(7));
    assert_eq!(usual.json, JsonLimits::default());
    assert_eq!(usual.connections_per_client_max, None);
    let deep = stanza("max_json_depth = 501");
    refused(&deep, "test.hcl:3:19: max_json_depth: at most 500");
}

#[test]
fn the_environment_overrides() {
    let text = [("a.hcl".to_owned(), SEED_0.to_owned())];
    let variables = [
        ("VAULT_API_ADDR", "http://v:1"),
        ("COFFER_API_ADDR", "http://c:1"),
        ("VAULT_RAFT_NODE_ID", "pi"),
        ("VAULT_RAFT_PATH", "/elsewhere"),
        ("VAULT_UI", "0"),
        ("VAULT_TOKEN", "not mine"),
    ];
    let config = from_text(&text, &variables).unwrap().config;
    assert_eq!(config.api_address.as_deref(), Some("http://c:1"));
    assert_eq!(raft(&config).node_id, "pi");
    assert_eq!(raft(&config).path.to_str(), Some("/elsewhere"));
    assert!(!config.ui);
    let error = from_text(&text, &[("VAULT_UI", "perhaps")]).unwrap_err();
    assert_eq!(error.to_string(), "VAULT_UI: ui: expected true or false");
}

#[test]
fn debug_output_hides_what_may_be_secret() {
    let config = load_text(
        "seal \"transit\" {\n  token = \"s3cret\"\n}\n\
         storage \"consul\" {\n  token = \"s3cret\"\n}\n\
         service_registration \"consul\" {\n  token = \"s3cret\"\n}\n",
    )
    .config;
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn headers_and_audit_devices_are_read() {
    let config = warned(
        r#"
listener "tcp" {
  tls_disable = true
  custom_response_headers {
    "default" = {
      "X-Frame-Options" = ["DENY"]
    }
    "2xx" = { "X-A" = "b" }
  }
  telemetry { unauthenticated_metrics_access = true }
}
audit "file" "to-disk" {
  description = "d"
  options = { file_path = "/var/log/a.log" }
}
audit "stdout" {
  type = "file"
  options { file_path = "stdout" }
}
telemetry { prometheus_retention_time = "30s" disable_hostname = true }
"#,
        &[],
    );
    let listener = config.listeners.first().unwrap();
    assert_eq!(
        listener.custom_headers["default"]["X-Frame-Options"],
        "DENY"
    );
    assert_eq!(listener.custom_headers["2xx"]["X-A"], "b");
    assert!(listener.unauthenticated_metrics);
    let paths: Vec<_> = config
        .audit_devices
        .iter()
        .map(|d| (d.kind.as_str(), d.path.as_str()))
        .collect();
    assert_eq!(paths, [("file", "to-disk"), ("file", "stdout")]);
    assert_eq!(
        config.audit_devices[0].options["file_path"],
        "/var/log/a.log"
    );
    assert_eq!(
        config.telemetry.prometheus_retention,
        Duration::from_secs(30)
    );
}

#[test]
fn a_performance_multiplier_is_read_and_bounded() {
    let text = |times| {
        format!(
            "storage \"raft\" {{\n path = \"/p\"\n performance_multiplier = {times}\n}}\n\
             listener \"tcp\" {{\n address = \"127.0.0.1:0\"\n tls_disable = true\n}}\n"
        )
    };
    let config = warned(&text(5), &[]);
    assert_eq!(raft(&config).performance_multiplier, 5);
    let listener = config.listeners.first().unwrap();
    assert_eq!(listener.cluster_address, "127.0.0.1:0", "any port");
    refused(
        &text(11),
        "test.hcl:3:27: performance_multiplier: the largest multiplier is 10",
    );
}

#[test]
fn a_retry_join_says_all_that_a_leader_asks_for() {
    let text = |stanza: &str| {
        format!(
            "storage \"raft\" {{\n path = \"/p\"\n retry_join_as_non_voter = true\n \
             retry_join {{\n leader_api_addr = \"https://a:8200\"\n{stanza} }}\n}}\n"
        )
    };
    let config = warned(
        &text("leader_ca_cert = \"A\"\nleader_client_cert = \"B\"\nleader_client_key = \"C\"\n"),
        &[],
    );
    let raft = raft(&config);
    assert!(raft.retry_join_as_non_voter);
    let join = raft.retry_join.first().unwrap();
    assert_eq!(join.ca_cert.as_deref(), Some("A"));
    assert_eq!(join.client_cert.as_deref(), Some("B"));
    assert_eq!(join.client_key.as_ref().unwrap().expose(), "C");
    assert!(
        !format!("{join:?}").contains("\"C\""),
        "a key is not printed"
    );
    refused(
        &text("leader_client_cert = \"B\"\n"),
        "test.hcl:4:2: retry_join needs both a client certificate and its key, or neither",
    );
    refused(
        &text("leader_ca_cert = \"A\"\nleader_ca_cert_file = \"/a\"\n"),
        "test.hcl:6:18: leader_ca_cert: leader_ca_cert_file says the same: remove one",
    );
    refused(
        &text("auto_join_port = 70000\n"),
        "test.hcl:6:18: auto_join_port: expected a port",
    );
}

#[test]
fn indicators_load() {
    use crate::hardware::{Gpio, Indicator, Led, Pins, SenseHat};
    let config = warned(
        r#"
indicator "gpio" { led = 17 }
indicator "gpio" {
  chip       = "/dev/gpiochip4"
  red        = 22
  green      = 27
  blue       = 17
  active_low = true
}
indicator "sense_hat" {}
indicator "sense_hat" {
  device     = "/dev/fb7"
  rotation   = 270
  brightness = 100
  low_light  = true
}
indicator "led" {
  name    = "ACT"
  trigger = "mmc0"
}"#,
        &[],
    );
    let gpio = |chip: &str, pins, active_low| {
        Indicator::Gpio(Gpio {
            chip: chip.into(),
            pins,
            active_low,
        })
    };
    let hat = |device: Option<&str>, quarters, brightness, low_light| {
        Indicator::SenseHat(SenseHat {
            device: device.map(Into::into),
            quarters,
            brightness,
            low_light,
            root: "/".into(),
        })
    };
    let expected = [
        gpio("/dev/gpiochip0", Pins::Single(17), false),
        gpio("/dev/gpiochip4", Pins::Rgb([22, 27, 17]), true),
        hat(None, 0, 40, false),
        hat(Some("/dev/fb7"), 3, 100, true),
        Indicator::Led(Led {
            name: "ACT".into(),
            trigger: Some("mmc0".into()),
            root: "/".into(),
        }),
    ];
    assert_eq!(config.indicators, expected);
}

#[test]
fn wrong_indicators_are_refused_with_what_to_do() {
    for (text, expected) in [
        (
            r#"indicator "neopixel" { led = 1 }"#,
            "test.hcl:1:1: indicator \"neopixel\" is not known: use \"gpio\", \"sense_hat\" or \
             \"led\"",
        ),
        (
            r#"indicator "gpio" { active_low = true }"#,
            "test.hcl:1:1: indicator \"gpio\" needs led, or red, green and blue: the BCM numbers \
             of the pins",
        ),
        (
            r#"indicator "gpio" { red = 17 }"#,
            "test.hcl:1:1: indicator \"gpio\" needs led, or red, green and blue: the BCM numbers \
             of the pins",
        ),
        (
            "indicator \"gpio\" {\n  led = 17\n  red = 22\n}",
            "test.hcl:2:9: led: is for a single LED: remove it, or red, green and blue",
        ),
        (
            "indicator \"gpio\" {\n  led = 40\n}",
            "test.hcl:2:9: led: GPIO 40 is not on the pin header: use a BCM number from 0 to 27, \
             not the number of the pin",
        ),
        (
            "indicator \"gpio\" {\n  led = 17\n}\nindicator \"gpio\" {\n  led = 17\n}",
            "test.hcl:4:1: GPIO 17 has an indicator already: each pin has one",
        ),
        (
            "indicator \"sense_hat\" {}\nindicator \"sense_hat\" { device = \"auto\" }",
            "test.hcl:2:1: this Sense HAT has an indicator already: remove one of the two",
        ),
        (
            "indicator \"sense_hat\" {\n  rotation = 45\n}",
            "test.hcl:2:14: rotation: expected 0, 90, 180 or 270 degrees, clockwise",
        ),
        (
            "indicator \"sense_hat\" {\n  brightness = 255\n}",
            "test.hcl:2:16: brightness: expected percent, from 1 to 100",
        ),
        (
            "indicator \"sense_hat\" {\n  device = \"fb1\"\n}",
            "test.hcl:2:12: device: expected \"auto\" or a path such as /dev/fb1",
        ),
        (
            r#"indicator "led" {}"#,
            "test.hcl:1:1: indicator \"led\" needs a name: `ls /sys/class/leds` shows them",
        ),
        (
            "indicator \"led\" {\n  name = \"../../x\"\n}",
            "test.hcl:2:10: name: expected a name such as ACT, as `ls /sys/class/leds` shows it",
        ),
    ] {
        refused(text, expected);
    }
    warned(
        "indicator \"led\" {\n  name = \"ACT\"\n  colour = \"red\"\n}",
        &["test.hcl:3:3: unknown or unsupported key \"colour\" in indicator \"led\""],
    );
}
