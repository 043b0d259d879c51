//! The compiled policies of a token, and the questions that they answer.

use super::authorized::{Authorized, Denied};
use super::parameters::{ReadField, Sent};
use super::select::Rules;
use super::template::Subject;
use super::{Capabilities, Capability, Permissions, Policy};
use crate::clock::Timestamp;
use crate::engine::Operation;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The question whether an operation is granted at a path.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The full API path without `/v1/`: `secret/data/app`.
    pub path: &'a str,
    /// The operation.
    pub operation: Operation,
    /// The parameters, for rules about them.
    pub data: &'a Map<String, Value>,
    /// Reads a field as the engine that will answer reads it.
    pub field: ReadField<'a>,
    /// The wrapping that the answer is to have, if any.
    pub wrap_ttl: Option<Duration>,
    /// True if the path needs `sudo` beside the operation.
    pub needs_sudo: bool,
}

/// Policies joined into one set of rules. It is immutable, and shared by all tokens with the same
/// list.
#[derive(Debug, Default)]
pub struct Acl {
    root: bool,
    rules: Rules,
    /// The time at which the first of the rules expires.
    expiration: Option<Timestamp>,
}

impl Acl {
    /// Joins the rules of `policies` at `now` for a caller without an identity: templated rules
    /// match nothing. Expired rules are left out.
    pub fn compile(policies: &[Arc<Policy>], now: Timestamp) -> Self {
        Self::compile_for(policies, None, now)
    }

    /// Joins the rules of `policies` at `now` for `subject`.
    pub fn compile_for(
        policies: &[Arc<Policy>],
        subject: Option<&dyn Subject>,
        now: Timestamp,
    ) -> Self {
        let mut acl = Self::default();
        for policy in policies {
            if !acl.lasts_until(policy.expiration(), now) {
                continue;
            }
            acl.root |= policy.is_root();
            for (path, rule) in policy.rules_for(subject) {
                if acl.lasts_until(rule.expiration, now) {
                    acl.rules.insert(&canonical(&path), &rule.permissions);
                }
            }
        }
        acl
    }

    /// Returns true if a rule that ends at `expiration` counts at `now`; this set then ends with
    /// it.
    fn lasts_until(&mut self, expiration: Option<Timestamp>, now: Timestamp) -> bool {
        let Some(expiration) = expiration else {
            return true;
        };
        if expiration <= now {
            return false;
        }
        let first = self
            .expiration
            .map_or(expiration, |first| first.min(expiration));
        self.expiration = Some(first);
        true
    }

    /// Returns true if all of its rules still count at `now`.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.expiration.is_none_or(|expiration| expiration > now)
    }

    /// Returns true if the root policy is among the policies.
    pub fn is_root(&self) -> bool {
        self.root
    }

    /// Returns `request` with the proof, or denies. `request` itself is not read: `question` must
    /// be about it.
    pub fn authorize<R>(
        &self,
        request: R,
        question: &Question<'_>,
    ) -> Result<Authorized<R>, Denied> {
        if self.root {
            return Ok(Authorized::granted(request, true));
        }
        let lists = matches!(question.operation, Operation::List | Operation::Scan);
        let found = if lists {
            self.find_folder(&canonical(&as_folder(question.path)))
        } else {
            self.find(&canonical(question.path))
        };
        let permissions = found.ok_or(Denied)?;
        let capabilities = permissions.capabilities;
        let sudo = capabilities.contains(Capability::Sudo);
        let granted = capabilities.permit(question.operation)
            && (sudo || !question.needs_sudo)
            && permissions.wrapping_fits(question.wrap_ttl)
            && permissions.parameters_fit(
                question.operation,
                Sent {
                    data: question.data,
                    field: question.field,
                },
            );
        if granted {
            Ok(Authorized::granted(request, sudo))
        } else {
            Err(Denied)
        }
    }

    /// Returns the capabilities at `path`: sorted names, `["deny"]` for nothing, `["root"]` for
    /// root.
    pub fn capabilities(&self, path: &str) -> Vec<&'static str> {
        if self.root {
            return vec!["root"];
        }
        let found = self.find_folder(&canonical(path.trim_start_matches('/')));
        found
            .map_or(Capabilities::default(), |p| p.capabilities)
            .names()
    }

    /// Returns true if any rule grants something at or below `prefix` (a mount path). Serves
    /// listings that show a caller only the mounts that concern it.
    pub fn touches(&self, prefix: &str) -> bool {
        self.root || self.rules.touch(prefix)
    }

    /// Returns the rule that counts for `path`.
    fn find(&self, path: &str) -> Option<&Permissions> {
        let wildcard = || self.rules.wildcard(path).map(|found| found.permissions);
        self.rules.exact(path).or_else(wildcard)
    }

    /// Returns the rule that counts for a list of `path`: the one written for the folder `x/`
    /// (CVE-2026-12624) or, if there is none, for `x`. A deny that is written for `x` and is more
    /// specific holds for the folder too.
    fn find_folder(&self, path: &str) -> Option<&Permissions> {
        let Some(name) = path.strip_suffix('/').filter(|name| !name.is_empty()) else {
            return self.find(path);
        };
        let exact = self.rules.exact(path).or_else(|| self.rules.exact(name));
        if exact.is_some() {
            return exact;
        }
        let found = match (self.rules.wildcard(path), self.rules.wildcard(name)) {
            (Some(folder), Some(plain)) => {
                let stricter = plain.permissions.capabilities.denies() && plain.beats(&folder);
                Some(if stricter { plain } else { folder })
            }
            (folder, plain) => folder.or(plain),
        };
        found.map(|found| found.permissions)
    }
}

/// Paths whose last part has many spellings for one policy.
const LENIENT: [&str; 2] = ["sys/policy/", "sys/policies/acl/"];

/// Returns the one spelling of a path, for rules and questions alike: a deny of
/// `sys/policies/acl/ops` is also one of `sys/policies/acl/OPS` (CVE-2026-89322).
fn canonical(path: &str) -> Cow<'_, str> {
    for folder in LENIENT {
        if let Some(name) = path.strip_prefix(folder) {
            return format!("{folder}{}", name.trim().to_lowercase()).into();
        }
    }
    path.into()
}

fn as_folder(path: &str) -> Cow<'_, str> {
    if path.ends_with('/') {
        path.into()
    } else {
        format!("{path}/").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{FieldKind, Meaning};
    use serde_json::json;

    fn policy(text: &str) -> Arc<Policy> {
        Arc::new(Policy::parse("test", text).expect("the policy parses"))
    }

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn compile(policies: &[Arc<Policy>]) -> Acl {
        Acl::compile(policies, NOW)
    }

    fn acl(text: &str) -> Acl {
        compile(&[policy(text)])
    }

    /// Returns the meaning of a field, for an engine with some fields of each kind.
    fn field(name: &str) -> Meaning {
        match name {
            "ttl" => Meaning::of(FieldKind::Seconds),
            "lease" => Meaning::alias("ttl", FieldKind::Seconds),
            "policies" => Meaning::of(FieldKind::Names),
            "paths" => Meaning::of(FieldKind::CommaList),
            _ => Meaning::default(),
        }
    }

    fn question<'a>(
        operation: Operation,
        path: &'a str,
        data: &'a Map<String, Value>,
    ) -> Question<'a> {
        Question {
            path,
            operation,
            data,
            field: &field,
            wrap_ttl: None,
            needs_sudo: false,
        }
    }

    fn permits(acl: &Acl, operation: Operation, path: &str) -> bool {
        acl.authorize((), &question(operation, path, &Map::new()))
            .is_ok()
    }

    /// Asks every line `read secret/x` (must pass) or `!read secret/x` (must not).
    fn assert_table(name: &str, text: &str, table: &[&str]) {
        let acl = acl(text);
        for line in table {
            let (wanted, line) = match line.strip_prefix('!') {
                Some(rest) => (false, rest),
                None => (true, *line),
            };
            let (operation, path) = line.split_once(' ').expect("operation and path");
            let operation = match operation {
                "create" => Operation::Create,
                "read" => Operation::Read,
                "update" => Operation::Update,
                "patch" => Operation::Patch,
                "delete" => Operation::Delete,
                "list" => Operation::List,
                "scan" => Operation::Scan,
                other => panic!("unknown operation {other}"),
            };
            assert_eq!(permits(&acl, operation, path), wanted, "{name}: {line}");
        }
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        assert_table(
            "empty",
            "",
            &["!read a", "!list a", "!read ", "!delete a/b"],
        );
        assert_eq!(acl("").capabilities("a"), ["deny"]);
    }

    #[test]
    fn each_capability_grants_its_operation_alone() {
        let all = [
            "create", "read", "update", "patch", "delete", "list", "scan",
        ];
        for granted in all {
            let text = format!("path \"a/*\" {{ capabilities = [\"{granted}\"] }}");
            for asked in all {
                let mark = if asked == granted { "" } else { "!" };
                assert_table(granted, &text, &[&format!("{mark}{asked} a/b")]);
            }
        }
    }

    #[test]
    fn the_most_specific_rule_wins() {
        assert_table(
            "exact beats prefix",
            r#"path "a/*" { capabilities = ["read"] }
               path "a/b" { capabilities = ["delete"] }"#,
            &["!read a/b", "delete a/b", "read a/bc"],
        );
        assert_table(
            "longer prefix beats shorter",
            r#"path "a/*" { capabilities = ["read"] }
               path "a/b*" { capabilities = ["delete"] }"#,
            &["read a/c", "!read a/bx", "delete a/bx", "delete a/b"],
        );
        assert_table(
            "later first wildcard beats earlier",
            r#"path "a/+/c" { capabilities = ["read"] }
               path "a/b*" { capabilities = ["delete"] }"#,
            &["delete a/b/c", "!read a/b/c", "read a/x/c"],
        );
        assert_table(
            "closed beats open at the same first wildcard",
            r#"path "a/+/c" { capabilities = ["read"] }
               path "a/*" { capabilities = ["delete"] }
               path "a/+/*" { capabilities = ["update"] }"#,
            &["read a/x/c", "!delete a/x/c", "delete a/x"],
        );
        assert_table(
            "fewer plus segments beat more",
            r#"path "a/+/+/d" { capabilities = ["read"] }
               path "a/+/c/d" { capabilities = ["delete"] }"#,
            &["delete a/b/c/d", "!read a/b/c/d", "read a/b/x/d"],
        );
        assert_table(
            "longer beats shorter",
            r#"path "a/+/ba*" { capabilities = ["read"] }
               path "a/+/b*" { capabilities = ["delete"] }"#,
            &["read a/x/bar", "!delete a/x/bar", "delete a/x/bx"],
        );
    }

    #[test]
    fn plus_is_one_segment() {
        assert_table(
            "plus",
            r#"path "secret/+/team" { capabilities = ["read"] }
               path "kv/+" { capabilities = ["read"] }
               path "+/last" { capabilities = ["read"] }
               path "x/+/y*" { capabilities = ["read"] }"#,
            &[
                "read secret/a/team",
                "!read secret/a/b/team",
                "!read secret/team",
                "!read secret/a/teams",
                "read kv/a",
                "!read kv/a/b",
                "read any/last",
                "!read any/x/last",
                "read x/1/y",
                "read x/1/yes/and/more",
                "!read x/1/2/y",
            ],
        );
    }

    #[test]
    fn a_star_inside_a_path_is_a_character() {
        assert_table(
            "literal star",
            r#"path "a/*/b" { capabilities = ["read"] }"#,
            &["read a/*/b", "!read a/x/b"],
        );
    }

    #[test]
    fn deny_beats_every_grant_on_its_path() {
        let deny = r#"path "a/*" { capabilities = ["deny"] }"#;
        let grant = r#"path "a/*" { capabilities = ["read", "sudo"] }"#;
        for order in [[deny, grant], [grant, deny]] {
            let acl = compile(&order.map(policy));
            assert!(!permits(&acl, Operation::Read, "a/b"));
            assert_eq!(acl.capabilities("a/b"), ["deny"]);
        }
        assert_table(
            "deny in one list",
            r#"path "a" { capabilities = ["read", "deny"] }"#,
            &["!read a"],
        );
        assert_table(
            "a wider deny does not reach a narrower grant",
            r#"path "a/*" { capabilities = ["deny"] }
               path "a/b" { capabilities = ["read", "list"] }"#,
            &["read a/b", "!read a/c", "list a/b/", "list a/b"],
        );
    }

    #[test]
    fn policies_join_on_the_same_path() {
        let acl = compile(&[
            policy(r#"path "a" { capabilities = ["read"] }"#),
            policy(r#"path "a" { capabilities = ["delete"] }"#),
            policy(r#"path "b/+/c" { capabilities = ["read"] }"#),
            policy(r#"path "b/+/c" { capabilities = ["list"] }"#),
        ]);
        assert_eq!(acl.capabilities("a"), ["delete", "read"]);
        assert_eq!(acl.capabilities("b/x/c"), ["list", "read"]);
    }

    #[test]
    fn list_of_a_folder_matches_with_and_without_its_slash() {
        assert_table(
            "written without the slash",
            r#"path "kv/metadata" { capabilities = ["list"] }"#,
            &[
                "list kv/metadata",
                "list kv/metadata/",
                "!list kv/metadata/a",
            ],
        );
        assert_table(
            "written with the slash",
            r#"path "kv/metadata/" { capabilities = ["list"] }"#,
            &["list kv/metadata", "list kv/metadata/", "!read kv/metadata"],
        );
        assert_table(
            "plus",
            r#"path "kv/metadata/+" { capabilities = ["list"] }"#,
            &[
                "list kv/metadata/a",
                "list kv/metadata/a/",
                "!list kv/metadata/a/b",
            ],
        );
    }

    #[test]
    fn cve_2026_12624_list_obeys_a_narrower_deny() {
        assert_table(
            "glob below a wider grant",
            r#"path "kv/metadata/*" { capabilities = ["list"] }
               path "kv/metadata/a/*" { capabilities = ["deny"] }"#,
            &[
                "!list kv/metadata/a",
                "!list kv/metadata/a/",
                "!list kv/metadata/a/b",
                "list kv/metadata/b",
            ],
        );
        assert_table(
            "glob below an exact grant, which wins as in both peers",
            r#"path "kv/metadata/a" { capabilities = ["list"] }
               path "kv/metadata/a/*" { capabilities = ["deny"] }"#,
            &["list kv/metadata/a/", "!list kv/metadata/a/b"],
        );
        assert_table(
            "what is written for the folder comes first",
            r#"path "kv/+/*" { capabilities = ["deny"] }
               path "kv/a/+" { capabilities = ["list", "read"] }"#,
            &[
                "!list kv/a/b",
                "!list kv/a/b/",
                "!scan kv/a/b/",
                "list kv/a/",
                "read kv/a/b",
            ],
        );
        assert_table(
            "plus beside a wider glob",
            r#"path "kv/metadata/+" { capabilities = ["deny"] }
               path "kv/metadata/*" { capabilities = ["list"] }"#,
            &[
                "!list kv/metadata/a",
                "!list kv/metadata/a/",
                "list kv/metadata/a/b",
            ],
        );
        assert_table(
            "exact name",
            r#"path "kv/metadata/a" { capabilities = ["deny"] }
               path "kv/metadata/*" { capabilities = ["list"] }"#,
            &[
                "!list kv/metadata/a",
                "!list kv/metadata/a/",
                "list kv/metadata/b",
            ],
        );
    }

    #[test]
    fn cve_2026_89322_deny_holds_in_other_spellings() {
        assert_table(
            "policy names",
            r#"path "sys/policies/acl/*" { capabilities = ["read", "update"] }
               path "sys/policies/acl/Ops" { capabilities = ["deny"] }
               path "sys/policy/ops" { capabilities = ["deny"] }
               path "sys/policy/*" { capabilities = ["read"] }"#,
            &[
                "!update sys/policies/acl/ops",
                "!update sys/policies/acl/OPS",
                "!update sys/policies/acl/Ops",
                "!update sys/policies/acl/ ops ",
                "!read sys/policy/OPS",
                "update sys/policies/acl/dev",
            ],
        );
    }

    #[test]
    fn sudo_is_asked_for_on_top() {
        let acl = acl(r#"path "sys/raw" { capabilities = ["read", "sudo"] }
               path "sys/audit" { capabilities = ["read"] }"#);
        let data = Map::new();
        for (path, granted) in [("sys/raw", true), ("sys/audit", false)] {
            let mut question = question(Operation::Read, path, &data);
            question.needs_sudo = true;
            assert_eq!(acl.authorize((), &question).is_ok(), granted, "{path}");
        }
        let proof = acl.authorize((), &question(Operation::Read, "sys/raw", &data));
        assert!(proof.expect("granted").sudo());
    }

    #[test]
    fn root_may_do_everything() {
        let acl = compile(&[Arc::new(Policy::root())]);
        let data = Map::new();
        let mut question = question(Operation::Delete, "sys/raw/core", &data);
        question.needs_sudo = true;
        assert!(acl.authorize((), &question).expect("granted").sudo());
        assert_eq!(acl.capabilities("any"), ["root"]);
    }

    #[test]
    fn parameters_are_held_to_what_the_rule_says() {
        let acl = acl(r#"path "allowed" { capabilities = ["update"]
                 allowed_parameters = { "zip" = ["a*", 5], "any" = [] } }
               path "denied" { capabilities = ["update"]
                 denied_parameters = { "zip" = ["bad*"], "gone" = [] } }
               path "star" { capabilities = ["update"]
                 allowed_parameters = { "*" = [], "zip" = ["x"] } }
               path "nothing" { capabilities = ["update"]
                 denied_parameters = { "*" = [] } }
               path "required" { capabilities = ["update", "create"]
                 required_parameters = ["Name"] }"#);
        for (path, data, granted) in [
            ("allowed", json!({"zip": "abc"}), true),
            ("allowed", json!({"zip": 5}), true),
            ("allowed", json!({"zip": "5"}), true),
            ("allowed", json!({"zip": "b"}), false),
            ("allowed", json!({"ZIP": "b"}), false),
            ("allowed", json!({"any": [1]}), true),
            ("allowed", json!({"other": 1}), false),
            ("allowed", json!({}), true),
            ("denied", json!({"zip": "bad one"}), false),
            ("denied", json!({"ZIP": "bad one"}), false),
            ("denied", json!({"zip": "good"}), true),
            ("denied", json!({"gone": "x"}), false),
            ("star", json!({"other": 1, "zip": "x"}), true),
            ("star", json!({"other": 1, "zip": "y"}), false),
            ("nothing", json!({"a": 1}), false),
            ("nothing", json!({}), true),
            ("allowed", json!({"Zip": "abc"}), false),
            ("required", json!({"name": 1}), true),
            ("required", json!({"Name": 1}), false),
            ("required", json!({"NAME": 1}), false),
            ("required", json!({"name": null}), false),
            ("required", json!({"other": 1}), false),
            ("required", json!({}), false),
        ] {
            let map = data.as_object().expect("an object");
            let asked = question(Operation::Update, path, map);
            assert_eq!(acl.authorize((), &asked).is_ok(), granted, "{path} {data}");
        }
    }

    #[test]
    fn names_are_read_as_the_engine_reads_them() {
        let acl = acl(r#"path "required" { capabilities = ["update"]
                 required_parameters = ["ttl"] }
               path "denied" { capabilities = ["update"]
                 denied_parameters = { "ttl" = ["24h"], "Secret" = [] } }
               path "lease" { capabilities = ["update"]
                 denied_parameters = { "lease" = [] } }
               path "allowed" { capabilities = ["update"]
                 allowed_parameters = { "ttl" = ["1h"], "Name" = ["a"], "*" = [] } }
               path "exact" { capabilities = ["update"]
                 allowed_parameters = { "Name" = ["a"], "name" = ["b"], "zip" = [] } }"#);
        for (path, data, granted) in [
            ("required", json!({"ttl": "5s"}), true),
            ("required", json!({"lease": "5s"}), true),
            ("required", json!({"TTL": "5s"}), false),
            ("required", json!({"ttl": ""}), false),
            ("required", json!({"ttl": null, "lease": null}), false),
            ("denied", json!({"ttl": "24h"}), false),
            ("denied", json!({"TTL": "24h"}), false),
            ("denied", json!({"lease": 86400}), false),
            ("denied", json!({"ttl": "1h", "lease": "24h"}), false),
            ("denied", json!({"lease": "1h"}), true),
            ("denied", json!({"SECRET": 1}), false),
            ("lease", json!({"ttl": "1h"}), false),
            ("lease", json!({"other": "1h"}), true),
            ("allowed", json!({"ttl": "60m", "x": 1}), true),
            ("allowed", json!({"lease": "1h"}), true),
            ("allowed", json!({"lease": "2h"}), false),
            ("allowed", json!({"Name": "b"}), false),
            ("allowed", json!({"name": "b"}), false),
            ("exact", json!({"Name": "a"}), true),
            ("exact", json!({"name": "b"}), true),
            ("exact", json!({"name": "a"}), true),
            ("exact", json!({"Name": "b"}), false),
            ("exact", json!({"NAME": "a"}), false),
            ("exact", json!({"ZIP": 1}), false),
            ("exact", json!({"zip": 1}), true),
        ] {
            let map = data.as_object().expect("an object");
            let asked = question(Operation::Update, path, map);
            assert_eq!(acl.authorize((), &asked).is_ok(), granted, "{path} {data}");
        }
    }

    #[test]
    fn a_list_is_held_to_what_the_rule_says_of_its_members() {
        let acl = acl(r#"path "denied" { capabilities = ["update"]
                 denied_parameters = { "policies" = ["secretadmin"], "paths" = ["a"] } }
               path "allowed" { capabilities = ["update"]
                 allowed_parameters = { "policies" = ["dev", "ops"], "paths" = ["a", "b"] } }"#);
        for (path, data, granted) in [
            ("denied", json!({"policies": ["secretadmin"]}), false),
            (
                "denied",
                json!({"policies": ["default", "secretadmin"]}),
                false,
            ),
            ("denied", json!({"policies": "default, secretadmin"}), false),
            (
                "denied",
                json!({"policies": ["default", " SecretAdmin"]}),
                false,
            ),
            ("denied", json!({"policies": ["default"]}), true),
            ("denied", json!({"paths": "b,a"}), false),
            ("denied", json!({"paths": "b,c"}), true),
            ("allowed", json!({"policies": ["dev", "ops"]}), true),
            ("allowed", json!({"policies": "dev"}), true),
            ("allowed", json!({"policies": ["dev", "root"]}), false),
            ("allowed", json!({"policies": []}), false),
            ("allowed", json!({"paths": "b, a"}), true),
            ("allowed", json!({"paths": "b,c"}), false),
            ("allowed", json!({"paths": ""}), false),
        ] {
            let map = data.as_object().expect("an object");
            let asked = question(Operation::Update, path, map);
            assert_eq!(acl.authorize((), &asked).is_ok(), granted, "{path} {data}");
        }
    }

    #[test]
    fn what_has_expired_says_nothing_any_more() {
        let text = r#"
            path "a" { capabilities = ["read"] expiration = "2023-11-14T22:13:21Z" }
            path "b" { capabilities = ["read"] expiration = 1700000000 }
            path "c" { capabilities = ["read"] }
            path "c" { capabilities = ["deny"] expiration = "2023-11-14T22:13:20Z" }
            path "d" { capabilities = ["read"] expiration = "" }"#;
        let now = acl(text);
        for (path, granted) in [("a", true), ("b", false), ("c", true), ("d", true)] {
            assert_eq!(permits(&now, Operation::Read, path), granted, "{path}");
        }
        let second = Timestamp::from_secs(1);
        let later = NOW.plus(second.since(Timestamp::default()));
        assert!(now.is_current(NOW) && !now.is_current(later));
        let then = Acl::compile(&[policy(text)], later);
        assert!(!permits(&then, Operation::Read, "a") && permits(&then, Operation::Read, "c"));
        assert!(then.is_current(Timestamp(u64::MAX)), "nothing else expires");
        let short = policy(text).as_ref().clone().until(Some(NOW));
        assert!(!permits(&compile(&[Arc::new(short)]), Operation::Read, "c"));
        let earlier = policy(text).as_ref().clone().until(Some(later));
        assert!(!compile(&[Arc::new(earlier)]).is_current(later));
    }

    #[test]
    fn an_empty_value_list_swallows_the_other_policy_s_values() {
        let acl = compile(&[
            policy(r#"path "a" { capabilities = ["update"] allowed_parameters = { k = ["v"] } }"#),
            policy(r#"path "a" { capabilities = ["update"] allowed_parameters = { k = [] } }"#),
        ]);
        let data = json!({"k": "anything"});
        let asked = question(Operation::Update, "a", data.as_object().expect("an object"));
        assert!(acl.authorize((), &asked).is_ok());
    }

    #[test]
    fn wrapping_is_held_to_its_limits() {
        let acl = acl(r#"path "a" { capabilities = ["read"]
            min_wrapping_ttl = "1m"
            max_wrapping_ttl = 3600 }"#);
        let data = Map::new();
        for (seconds, granted) in [
            (None, false),
            (Some(59), false),
            (Some(60), true),
            (Some(3600), true),
            (Some(3601), false),
        ] {
            let mut asked = question(Operation::Read, "a", &data);
            asked.wrap_ttl = seconds.map(Duration::from_secs);
            assert_eq!(acl.authorize((), &asked).is_ok(), granted, "{seconds:?}");
        }
    }

    struct Someone(&'static str);

    impl Subject for Someone {
        fn value(&self, selector: &str) -> Option<String> {
            (selector == "identity.entity.name").then(|| self.0.to_owned())
        }
    }

    #[test]
    fn templates_are_about_the_subject() {
        let policies = [policy(
            r#"path "kv/{{identity.entity.name}}/*" { capabilities = ["read"] }
               path "kv/{{ identity.entity.id }}" { capabilities = ["read"] }"#,
        )];
        let anna = Acl::compile_for(&policies, Some(&Someone("anna")), NOW);
        assert!(permits(&anna, Operation::Read, "kv/anna/x"));
        assert!(!permits(&anna, Operation::Read, "kv/bert/x"));
        let nobody = compile(&policies);
        for path in ["kv/anna/x", "kv//x", "kv/", "kv/{{identity.entity.name}}/x"] {
            assert!(!permits(&nobody, Operation::Read, path), "{path}");
        }
    }

    #[test]
    fn cve_2026_5006_a_value_cannot_widen_a_template() {
        let policies = [policy(
            r#"path "kv/{{identity.entity.name}}" { capabilities = ["read"] }"#,
        )];
        for name in ["*", "+", "a/b", "a,b", "", "..", "a*", "{{x}}", "a\nb"] {
            let acl = Acl::compile_for(&policies, Some(&Someone(name)), NOW);
            for path in ["kv/x", "kv/a", "kv/", "kv/a/b"] {
                assert!(!permits(&acl, Operation::Read, path), "{name:?} {path}");
            }
            assert!(
                !permits(&acl, Operation::Read, &format!("kv/{name}")),
                "{name:?}"
            );
        }
    }

    #[test]
    fn touches_tells_which_mounts_concern_a_caller() {
        let acl = acl(r#"path "secret/data/x" { capabilities = ["read"] }
               path "+/cfg" { capabilities = ["read"] }
               path "team/*" { capabilities = ["deny"] }
               path "a*" { capabilities = ["read"] }"#);
        for (prefix, seen) in [
            ("secret/", true),
            ("kv/", true),
            ("apple/", true),
            ("auth/b/", true),
            ("x/y/z/", false),
        ] {
            assert_eq!(acl.touches(prefix), seen, "{prefix}");
        }
    }
}
