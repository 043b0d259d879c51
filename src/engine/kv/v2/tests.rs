//! Each promise of v2's endpoints, one test.

use crate::engine::kv::Kv;
use crate::engine::kv::harness::Mount;
use crate::engine::{Engine, ErrorKind, Existing, Operation};
use crate::policy::Authorized;
use serde_json::{Value, json};
use std::time::Duration;

fn mount() -> Mount<Kv> {
    Mount::new(Kv, &[("version", "2")])
}

fn put(mount: &Mount<Kv>, path: &str, data: Value) -> Value {
    let response = mount
        .put(&format!("data/{path}"), json!({ "data": data }))
        .expect("put");
    Value::Object(response.data.expect("data"))
}

#[test]
fn a_put_answers_the_version_and_a_get_the_data() {
    let mount = mount();
    let made = put(&mount, "app", json!({"a": 1}));
    assert_eq!(
        made,
        json!({"created_time": "2026-05-28T20:26:40Z", "custom_metadata": null,
               "deletion_time": "", "destroyed": false, "version": 1})
    );
    let got = mount.read("data/app", Value::Null);
    assert_eq!(got, json!({"data": {"a": 1}, "metadata": made}));
}

#[test]
fn numbers_survive_exactly() {
    let mount = mount();
    let text = r#"{"data":{"big":12345678901234567890123,"fraction":1.50,"e":1e400}}"#;
    let sent: Value = serde_json::from_str(text).expect("json");
    mount.put("data/n", sent).expect("put");
    let data = &mount.read("data/n", Value::Null)["data"];
    assert_eq!(
        data.to_string(),
        r#"{"big":12345678901234567890123,"e":1e+400,"fraction":1.50}"#
    );
}

#[test]
fn what_never_was_is_a_silent_404() {
    let mount = mount();
    put(&mount, "a/b", json!({}));
    for path in [
        "data/none",
        "metadata/none",
        "subkeys/none",
        "data/a",
        "data/",
        "data/a/b/",
    ] {
        let error = mount.get(path).expect_err(path);
        assert_eq!(error.kind, ErrorKind::NotFound, "{path}");
        assert!(error.messages.is_empty(), "{path}");
    }
    let error = mount.ask(Operation::Read, "data/a/b", json!({"version": "2"}));
    assert_eq!(
        error.expect_err("no such version").kind,
        ErrorKind::NotFound
    );
}

#[test]
fn a_path_outside_the_endpoints_is_404_with_a_hint() {
    let mount = mount();
    for (operation, path, hint) in [
        (Operation::Read, "foo", "use 'vault kv get' for"),
        (Operation::Update, "foo/bar", "use 'vault kv put' for"),
        (Operation::List, "foo/", "use 'vault kv list' for"),
        (
            Operation::Read,
            "data",
            "Non-listing operations on the root",
        ),
    ] {
        let response = mount
            .ask(operation, path, Value::Null)
            .expect("an envelope");
        assert_eq!(response.status, Some(404));
        assert!(
            response.warnings[0].contains(hint),
            "{:?}",
            response.warnings
        );
    }
}

#[test]
fn a_put_without_data_is_refused() {
    let mount = mount();
    for (data, message) in [
        (json!({}), "no data provided"),
        (json!({"a": "b"}), "no data provided"),
        (
            json!({"data": "x"}),
            "error converting input for field \"data\": '' expected type \
             'map[string]interface {}', got unconvertible type 'string'",
        ),
        (
            json!({"data": {}, "options": 5}),
            "error converting input for field \"options\": '' expected type \
             'map[string]interface {}', got unconvertible type 'json.Number'",
        ),
    ] {
        assert_eq!(mount.refusal(Operation::Update, "data/a", data), message);
    }
    let path = mount.refusal(Operation::Update, "data/a/", json!({"data": {}}));
    assert_eq!(path, "cannot write to a path ending in '/'");
    assert_eq!(mount.records(), 0, "nothing was written");
}

#[test]
fn check_and_set_compares_the_current_version() {
    let mount = mount();
    let with = |cas: Value| json!({"data": {}, "options": {"cas": cas}});
    let mismatch = "check-and-set parameter did not match the current version";
    assert_eq!(
        mount.refusal(Operation::Update, "data/a", with(json!(1))),
        mismatch
    );
    mount.put("data/a", with(json!(0))).expect("creates");
    assert_eq!(
        mount.refusal(Operation::Update, "data/a", with(json!(0))),
        mismatch
    );
    assert_eq!(
        mount.refusal(Operation::Update, "data/a", with(json!(-1))),
        mismatch
    );
    mount.put("data/a", with(json!("1"))).expect("text counts");
    let garbled = mount.refusal(Operation::Update, "data/a", with(json!("x")));
    assert_eq!(garbled, "error parsing check-and-set parameter");
}

#[test]
fn cas_required_by_mount_or_secret_demands_it() {
    let required = "check-and-set parameter required for this call";
    for endpoint in ["config", "metadata/a"] {
        let mount = mount();
        mount
            .put(endpoint, json!({"cas_required": true}))
            .expect("set");
        let refusal = mount.refusal(Operation::Update, "data/a", json!({"data": {}}));
        assert_eq!(refusal, required, "{endpoint}");
        let sent = json!({"data": {}, "options": {"cas": 0}});
        mount.put("data/a", sent).expect("with cas");
        let refusal = mount.refusal(Operation::Patch, "data/a", json!({"data": {}}));
        assert_eq!(refusal, required, "{endpoint}");
    }
}

#[test]
fn of_two_racing_writers_one_must_try_again() {
    let mount = mount();
    let request = mount.request(Operation::Update, "data/a", json!({"data": {"w": 1}}));
    mount.race(&request, &request);
    mount.race(&request, &request);
    let patch = mount.request(Operation::Patch, "data/a", json!({"data": {"w": 2}}));
    let delete = mount.request(Operation::Delete, "metadata/a", Value::Null);
    mount.race(&patch, &delete);
    assert_eq!(
        mount.read("metadata/a", Value::Null)["current_version"],
        json!(3)
    );
}

#[test]
fn old_versions_are_read_by_number_and_zero_means_latest() {
    let mount = mount();
    put(&mount, "a", json!({"n": 1}));
    put(&mount, "a", json!({"n": 2}));
    for (version, n) in [
        (json!("1"), 1),
        (json!(0), 2),
        (json!("-3"), 2),
        (json!(""), 2),
    ] {
        let got = mount.read("data/a", json!({ "version": version }));
        assert_eq!(got["data"]["n"], json!(n));
    }
    let refusal = mount.refusal(Operation::Read, "data/a", json!({"version": "x"}));
    assert!(refusal.starts_with("Field validation failed: error converting input for field"));
}

#[test]
fn a_deleted_version_is_404_with_its_metadata_until_undeleted() {
    let mount = mount();
    put(&mount, "a", json!({"n": 1}));
    mount.clock.advance(Duration::from_secs(1));
    mount
        .ask(Operation::Delete, "data/a", Value::Null)
        .expect("deletes");
    let response = mount.get("data/a").expect("an envelope");
    assert_eq!(response.status, Some(404));
    let data = Value::Object(response.data.expect("data"));
    assert_eq!(data["data"], Value::Null);
    assert_eq!(
        data["metadata"]["deletion_time"],
        json!("2026-05-28T20:26:41Z")
    );
    assert_eq!(data["metadata"]["destroyed"], json!(false));
    mount
        .put("undelete/a", json!({"versions": [1, 99]}))
        .expect("undeletes");
    assert_eq!(mount.read("data/a", Value::Null)["data"], json!({"n": 1}));
}

#[test]
fn deleting_twice_keeps_the_first_time_and_writes_nothing() {
    let mount = mount();
    put(&mount, "a", json!({}));
    mount
        .put("delete/a", json!({"versions": "1"}))
        .expect("deletes");
    mount.clock.advance(Duration::from_secs(1));
    let request = mount.request(Operation::Delete, "data/a", Value::Null);
    let outcome = mount
        .engine
        .handle(Authorized::public(&request), &mount.view)
        .expect("answers");
    assert!(outcome.batch.is_empty());
    let request = mount.request(Operation::Delete, "data/none", Value::Null);
    let outcome = mount
        .engine
        .handle(Authorized::public(&request), &mount.view)
        .expect("answers");
    assert!(outcome.batch.is_empty());
}

#[test]
fn destroying_removes_the_data_and_only_that() {
    let mount = mount();
    put(&mount, "a", json!({"n": 1}));
    put(&mount, "a", json!({"n": 2}));
    let before = mount.records();
    mount
        .put("destroy/a", json!({"versions": ["1"]}))
        .expect("destroys");
    assert_eq!(mount.records(), before - 1);
    mount
        .put("undelete/a", json!({"versions": [1]}))
        .expect("has no effect");
    let gone = mount
        .ask(Operation::Read, "data/a", json!({"version": 1}))
        .expect("an envelope");
    assert_eq!(gone.status, Some(404));
    let metadata = Value::Object(gone.data.expect("data"))["metadata"].clone();
    assert_eq!(metadata["destroyed"], json!(true));
    assert_eq!(mount.read("data/a", Value::Null)["data"], json!({"n": 2}));
}

#[test]
fn version_lists_must_name_versions() {
    let mount = mount();
    for path in ["delete/a", "undelete/a"] {
        let refusal = mount.refusal(Operation::Update, path, json!({"versions": []}));
        assert_eq!(refusal, "No version number provided");
    }
    let refusal = mount.refusal(Operation::Update, "destroy/a", json!({}));
    assert_eq!(refusal, "no version number provided");
    let refusal = mount.refusal(Operation::Update, "destroy/a", json!({"versions": "1,x"}));
    assert_eq!(
        refusal,
        "Field validation failed: error converting input for field \"versions\": decoding \
         failed due to the following error(s):\n\n'[1]' cannot parse value as 'int': \
         strconv.ParseInt: invalid syntax"
    );
}

#[test]
fn a_patch_merges_into_the_latest_version() {
    let mount = mount();
    put(&mount, "p", json!({"a": 1, "b": {"c": 1, "d": 2}}));
    let change = json!({"data": {"b": {"c": null, "e": [1]}, "z": null, "y": "n"}});
    let made = mount
        .ask(Operation::Patch, "data/p", change)
        .expect("patches");
    assert_eq!(made.data.expect("data")["version"], json!(2));
    let got = mount.read("data/p", Value::Null);
    assert_eq!(
        got["data"],
        json!({"a": 1, "b": {"d": 2, "e": [1]}, "y": "n"})
    );
    let stale = json!({"data": {}, "options": {"cas": 1}});
    mount.refusal(Operation::Patch, "data/p", stale);
}

#[test]
fn a_patch_of_nothing_is_404_without_a_body() {
    let mount = mount();
    for path in ["data/none", "metadata/none"] {
        let sent = json!({"data": {}, "max_versions": 1});
        let response = mount.ask(Operation::Patch, path, sent).expect("a response");
        assert_eq!(response.status, Some(404));
        assert_eq!(response.body.expect("a body").bytes, b"");
    }
    put(&mount, "gone", json!({}));
    mount
        .ask(Operation::Delete, "data/gone", Value::Null)
        .expect("deletes");
    let sent = json!({"data": {}});
    let response = mount
        .ask(Operation::Patch, "data/gone", sent)
        .expect("a response");
    assert_eq!(response.status, Some(404));
    assert_eq!(response.data.expect("data")["version"], json!(1));
}

#[test]
fn old_versions_are_pruned_at_the_larger_of_both_limits() {
    let mount = mount();
    let oldest =
        |mount: &Mount<Kv>| mount.read("metadata/a", Value::Null)["oldest_version"].clone();
    for _ in 0..9 {
        put(&mount, "a", json!({}));
    }
    assert_eq!(oldest(&mount), json!(0));
    put(&mount, "a", json!({}));
    assert_eq!(oldest(&mount), json!(1), "ten is the default");
    put(&mount, "a", json!({}));
    assert_eq!((oldest(&mount), mount.records()), (json!(2), 11));
    mount
        .put("config", json!({"max_versions": 2}))
        .expect("config");
    mount
        .put("metadata/a", json!({"max_versions": 3}))
        .expect("metadata");
    put(&mount, "a", json!({}));
    let metadata = mount.read("metadata/a", Value::Null);
    let versions: Vec<&String> = metadata["versions"]
        .as_object()
        .expect("map")
        .keys()
        .collect();
    assert_eq!(versions, ["10", "11", "12"]);
    assert_eq!(mount.records(), 5, "config, metadata, three versions");
    let error = mount.ask(Operation::Read, "data/a", json!({"version": 9}));
    assert!(error.expect_err("pruned").messages.is_empty());
}

#[test]
fn delete_version_after_takes_the_shorter_time() {
    let mount = mount();
    let hour = "2026-05-28T21:26:40Z";
    let half = "2026-05-28T20:56:40Z";
    for (of_mount, of_secret, deletion) in [
        ("1h", "0s", hour),
        ("1h", "2h", hour),
        ("1h", "30m", half),
        ("0s", "30m", half),
        ("-1s", "30m", ""),
        ("0s", "0s", ""),
    ] {
        let sent = json!({ "delete_version_after": of_mount });
        mount.put("config", sent).expect("config");
        let sent = json!({ "delete_version_after": of_secret });
        mount.put("metadata/a", sent).expect("metadata");
        let made = put(&mount, "a", json!({}));
        assert_eq!(
            made["deletion_time"],
            json!(deletion),
            "{of_mount} {of_secret}"
        );
    }
    let refusal = mount.refusal(
        Operation::Update,
        "metadata/a",
        json!({"delete_version_after": "-1s"}),
    );
    assert_eq!(
        refusal,
        "error converting input for field \"delete_version_after\": \
         cannot provide negative value '-1'"
    );
}

#[test]
fn a_version_lives_exactly_until_its_deletion_time() {
    let mount = mount();
    mount
        .put("config", json!({"delete_version_after": "10s"}))
        .expect("config");
    put(&mount, "a", json!({"x": 1}));
    mount.clock.advance(Duration::from_millis(9_999));
    assert_eq!(mount.read("data/a", Value::Null)["data"], json!({"x": 1}));
    mount.clock.advance(Duration::from_millis(1));
    assert_eq!(mount.get("data/a").expect("an envelope").status, Some(404));
    mount
        .put("undelete/a", json!({"versions": [1]}))
        .expect("undeletes");
    let metadata = mount.read("data/a", Value::Null)["metadata"].clone();
    assert_eq!(
        metadata["deletion_time"],
        json!("2026-05-28T20:27:00Z"),
        "another ten seconds"
    );
}

#[test]
fn config_changes_only_what_is_sent() {
    let mount = mount();
    let fresh = json!({"cas_required": false, "delete_version_after": "0s", "max_versions": 0,
                       "metadata_cas_required": false});
    assert_eq!(mount.read("config", Value::Null), fresh);
    let sent = json!({"max_versions": "5", "delete_version_after": "-2h"});
    mount.put("config", sent).expect("config");
    mount
        .put("config", json!({"cas_required": "true"}))
        .expect("config");
    let set = json!({"cas_required": true, "delete_version_after": "-1s", "max_versions": 5,
                     "metadata_cas_required": false});
    assert_eq!(mount.read("config", Value::Null), set);
    let refusal = mount.refusal(Operation::Update, "config", json!({"max_versions": -1}));
    assert!(refusal.ends_with("must be between 0 and 4096"), "{refusal}");
    let error = mount.ask(Operation::Delete, "config", Value::Null);
    assert_eq!(
        error.expect_err("405").kind,
        ErrorKind::UnsupportedOperation
    );
}

#[test]
fn metadata_shows_settings_and_versions() {
    let mount = mount();
    let sent = json!({"max_versions": 3, "custom_metadata": {"owner": "anna"}});
    mount.put("metadata/a", sent).expect("metadata");
    mount.clock.advance(Duration::from_secs(1));
    put(&mount, "a", json!({}));
    let version = json!({"created_time": "2026-05-28T20:26:41Z", "deletion_time": "",
                         "destroyed": false});
    assert_eq!(
        mount.read("metadata/a", Value::Null),
        json!({"cas_required": false, "created_time": "2026-05-28T20:26:40Z",
               "current_metadata_version": 1, "current_version": 1,
               "custom_metadata": {"owner": "anna"}, "delete_version_after": "0s",
               "max_versions": 3, "metadata_cas_required": false, "oldest_version": 0,
               "updated_time": "2026-05-28T20:26:41Z", "versions": {"1": version}})
    );
    mount
        .put("metadata/never", json!({"foo": 1}))
        .expect("has no effect");
    assert!(mount.get("metadata/never").is_err());
}

#[test]
fn a_metadata_patch_removes_by_null() {
    let mount = mount();
    let sent = json!({"max_versions": 3, "cas_required": true, "delete_version_after": "1h",
                      "custom_metadata": {"a": "1", "b": "2"}});
    mount.put("metadata/m", sent).expect("metadata");
    let change = json!({"max_versions": null, "delete_version_after": null,
                        "custom_metadata": {"a": null, "c": "3"}});
    mount
        .ask(Operation::Patch, "metadata/m", change)
        .expect("patches");
    let metadata = mount.read("metadata/m", Value::Null);
    assert_eq!(metadata["max_versions"], json!(0));
    assert_eq!(metadata["cas_required"], json!(true));
    assert_eq!(metadata["delete_version_after"], json!("0s"));
    assert_eq!(metadata["custom_metadata"], json!({"b": "2", "c": "3"}));
    let change = json!({"custom_metadata": null});
    mount
        .ask(Operation::Patch, "metadata/m", change)
        .expect("patches");
    assert_eq!(
        mount.read("metadata/m", Value::Null)["custom_metadata"],
        Value::Null
    );
}

#[test]
fn metadata_check_and_set_guards_the_settings() {
    let mount = mount();
    mount
        .put("config", json!({"metadata_cas_required": true}))
        .expect("config");
    let send = |cas: Value| json!({"max_versions": 1, "metadata_cas": cas});
    let without = mount.refusal(Operation::Update, "metadata/a", json!({"max_versions": 1}));
    assert_eq!(
        without,
        "metadata check-and-set parameter required for this call"
    );
    let wrong = mount.refusal(Operation::Update, "metadata/a", send(json!(1)));
    assert_eq!(wrong, "metadata_cas must be 0 when creating new metadata");
    mount.put("metadata/a", send(json!(0))).expect("creates");
    let wrong = mount.refusal(Operation::Patch, "metadata/a", send(json!(0)));
    assert_eq!(
        wrong,
        "metadata check-and-set parameter does not match the current version"
    );
    mount
        .ask(Operation::Patch, "metadata/a", send(json!(1)))
        .expect("changes");
}

#[test]
fn an_overruled_setting_is_told() {
    let mount = mount();
    mount
        .put("config", json!({"cas_required": true}))
        .expect("config");
    let response = mount
        .put("metadata/a", json!({"cas_required": false}))
        .expect("metadata");
    assert_eq!(response.status, Some(200));
    assert_eq!(
        response.warnings,
        [
            "\"cas_required\" set to false, but is mandated by backend config. \
          This value will be ignored."
        ]
    );
}

#[test]
fn deleting_metadata_removes_every_record() {
    let mount = mount();
    for _ in 0..12 {
        put(&mount, "a", json!({"n": 1}));
    }
    mount
        .put("destroy/a", json!({"versions": [5]}))
        .expect("destroys");
    mount
        .ask(Operation::Delete, "metadata/a", Value::Null)
        .expect("deletes");
    assert_eq!(mount.records(), 0);
    let again = put(&mount, "a", json!({"n": 2}));
    assert_eq!(again["version"], json!(1));
}

#[test]
fn a_reborn_secret_shares_no_record_with_its_old_self() {
    let mount = mount();
    put(&mount, "a", json!({}));
    let before = mount.view.walk("", 10).expect("walks");
    mount
        .ask(Operation::Delete, "metadata/a", Value::Null)
        .expect("deletes");
    put(&mount, "a", json!({}));
    let after = mount.view.walk("", 10).expect("walks");
    let shared: Vec<&String> = before.iter().filter(|name| after.contains(name)).collect();
    assert_eq!(shared, ["m/a"]);
}

#[test]
fn lists_show_leaves_and_folders_in_order_and_in_pages() {
    let mount = mount();
    for path in ["zz", "a", "b/c", "b/d/e", "b", "f/g"] {
        put(&mount, path, json!({}));
    }
    let list = |path: &str, data: Value| mount.keys(Operation::List, path, data);
    for path in ["metadata", "metadata/"] {
        assert_eq!(list(path, Value::Null), ["a", "b", "b/", "f/", "zz"]);
    }
    assert_eq!(list("metadata/b", Value::Null), ["c", "d/"]);
    assert_eq!(
        list("metadata", json!({"limit": "2", "after": "b"})),
        ["b/", "f/"]
    );
    let past = mount.ask(Operation::List, "metadata", json!({"after": "zz"}));
    assert_eq!(past.expect_err("empty").kind, ErrorKind::NotFound);
    let leaf = mount.ask(Operation::List, "metadata/b/d/e", Value::Null);
    assert_eq!(leaf.expect_err("empty").kind, ErrorKind::NotFound);
    let scanned = mount.keys(Operation::Scan, "metadata", Value::Null);
    assert_eq!(scanned, ["a", "b", "zz", "f/g", "b/c", "b/d/e"]);
    assert_eq!(
        mount.keys(Operation::Scan, "metadata/b", Value::Null),
        ["c", "d/e"]
    );
}

#[test]
fn a_detailed_list_carries_the_metadata() {
    let mount = mount();
    put(&mount, "b/c", json!({}));
    put(&mount, "b/d/e", json!({}));
    let response = mount
        .ask(Operation::List, "detailed-metadata/b", Value::Null)
        .expect("list");
    let data = Value::Object(response.data.expect("data"));
    assert_eq!(data["keys"], json!(["c", "d/"]));
    assert_eq!(
        data["key_info"]["c"],
        mount.read("metadata/b/c", Value::Null)
    );
    assert_eq!(data["key_info"]["d/"], json!({}));
}

#[test]
fn subkeys_show_structure_without_values() {
    let mount = mount();
    put(
        &mount,
        "s",
        json!({"a": {"b": {"c": 1}, "e": [{"f": 1}], "h": {}}, "i": "x"}),
    );
    let subkeys = |data: Value| mount.read("subkeys/s", data)["subkeys"].clone();
    let full = json!({"a": {"b": {"c": null}, "e": null, "h": null}, "i": null});
    assert_eq!(subkeys(Value::Null), full);
    assert_eq!(subkeys(json!({"depth": "0"})), full);
    assert_eq!(
        subkeys(json!({"depth": "1"})),
        json!({"a": null, "i": null})
    );
    let two = json!({"a": {"b": null, "e": null, "h": null}, "i": null});
    assert_eq!(subkeys(json!({"depth": 2, "version": 1})), two);
}

#[test]
fn existence_is_that_of_the_metadata_record() {
    let mount = mount();
    let exists = |path: &str| {
        let request = mount.request(Operation::Update, path, Value::Null);
        match mount
            .engine
            .existing(&request, &mount.view)
            .expect("answers")
        {
            Existing::Slot(slot) => Some(slot.is_taken()),
            Existing::Nothing => Some(false),
            Existing::Undistinguished => None,
        }
    };
    assert_eq!(exists("data/a"), Some(false));
    put(&mount, "a", json!({}));
    mount
        .ask(Operation::Delete, "data/a", Value::Null)
        .expect("deletes");
    assert_eq!(
        exists("data/a"),
        Some(true),
        "a deleted version still makes it an update"
    );
    assert_eq!(exists("metadata/a"), Some(true));
    assert_eq!(exists("config"), None);
}

#[test]
fn unknown_fields_are_named_in_a_warning() {
    let mount = mount();
    let response = mount
        .put("data/a", json!({"data": {}, "garbage": 1}))
        .expect("put");
    assert_eq!(
        response.warnings,
        ["Endpoint ignored these unrecognized parameters: [garbage]"]
    );
}
