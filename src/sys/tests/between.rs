//! A commit of another's that comes between what a request reads and what it commits: nothing of
//! either is lost, and nothing that the other one took away or narrowed is used any more.
//!
//! Each case runs a request whose first commit is held while another request is answered in full.

use super::cluster::FakeCluster;
use super::front::Front;
use super::*;
use crate::engine::ErrorKind;

/// A request, with the token that it is sent with.
#[derive(Clone)]
pub struct Ask {
    token: String,
    operation: Operation,
    path: String,
    data: Value,
}

impl Ask {
    fn incoming(&self) -> Incoming {
        Harness::incoming(&self.token, self.operation, &self.path, self.data.clone())
    }
}

pub fn put(path: &str, data: Value) -> Ask {
    by(ROOT, path, data)
}

pub fn by(token: &str, path: &str, data: Value) -> Ask {
    Ask {
        token: token.to_owned(),
        operation: Operation::Update,
        path: path.to_owned(),
        data,
    }
}

pub fn with(operation: Operation, ask: Ask) -> Ask {
    Ask { operation, ..ask }
}

pub struct World {
    pub harness: Harness,
    front: Arc<Front>,
}

impl World {
    pub async fn new() -> Self {
        let (mut harness, front) = Front::harness().await;
        harness.cluster = Some(Arc::new(FakeCluster::of(Vec::new())) as _);
        harness.has_raw = true;
        harness.restart();
        Self { harness, front }
    }

    pub async fn done(&self, ask: Ask) -> Response {
        let path = ask.path.clone();
        let answer = self.harness.router.handle(ask.incoming()).await.result;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn token(&self, data: Value) -> String {
        let made = self.done(put("auth/token/create", data)).await;
        made.auth.unwrap().client_token.unwrap().into_inner()
    }

    async fn reads(&self, path: &str) -> Value {
        let read = self.done(with(Operation::Read, put(path, json!({})))).await;
        Value::Object(read.data.unwrap())
    }

    /// Returns the answer to `late`, whose first commit waits until `other` is answered, which
    /// succeeds. That commit must not take effect.
    async fn after(&self, other: Ask, late: Ask) -> Result<Response, Error> {
        let (answer, conflicts) = self.both(other, late).await;
        assert!(conflicts > 0, "the commit saw what came between");
        answer
    }

    async fn both(&self, other: Ask, late: Ask) -> (Result<Response, Error>, usize) {
        let (answer, conflicts) = self.race(other, late).await;
        (answer, conflicts.expect("it committed"))
    }

    /// Returns the answer as [`World::after`] does, and how many commits conflicted; `None` where
    /// none was asked for.
    pub async fn race(&self, other: Ask, late: Ask) -> (Result<Response, Error>, Option<usize>) {
        let router = Arc::clone(&self.harness.router);
        let path = other.path.clone();
        self.front.come_between(async move {
            let answer = router.handle(other.incoming()).await.result;
            answer.unwrap_or_else(|error| panic!("{path}, between: {error}"));
        });
        let (commits, conflicts) = (self.front.commits(), self.front.conflicts());
        let answer = self.harness.router.handle(late.incoming()).await.result;
        let has_committed = self.front.commits() > commits;
        (
            answer,
            has_committed.then(|| self.front.conflicts() - conflicts),
        )
    }
}

/// Both change the same record: both changes are there afterwards.
#[tokio::test]
async fn no_change_of_a_record_is_lost() {
    let world = World::new().await;
    world.done(put("auth/token/roles/r", json!({}))).await;
    world
        .done(put("secret/metadata/m", json!({"max_versions": 3})))
        .await;
    world
        .done(put("secret/data/v", json!({"data": {"a": 1}})))
        .await;
    for (path, one, other) in [
        (
            "auth/token/roles/r",
            json!({"orphan": true}),
            json!({"path_suffix": "suffix"}),
        ),
        (
            "secret/config",
            json!({"max_versions": 7}),
            json!({"cas_required": false, "metadata_cas_required": true}),
        ),
        (
            "sys/mounts/kv/tune",
            json!({"description": "one"}),
            json!({"max_lease_ttl": 3600}),
        ),
        (
            "sys/auth/token/tune",
            json!({"description": "one"}),
            json!({"listing_visibility": "hidden"}),
        ),
        (
            "sys/rotate/config",
            json!({"max_operations": 2_000_000}),
            json!({"enabled": false}),
        ),
        (
            "sys/storage/raft/autopilot/configuration",
            json!({"max_trailing_logs": 77}),
            json!({"min_quorum": 5}),
        ),
    ] {
        world
            .after(put(path, one.clone()), put(path, other.clone()))
            .await
            .unwrap();
        let read = world.reads(path).await;
        for fields in [one, other] {
            for (name, value) in fields.as_object().unwrap() {
                assert_eq!(&read[name], value, "{path} {name}");
            }
        }
    }
    world
        .done(put(
            "secret/config",
            json!({"metadata_cas_required": false}),
        ))
        .await;
    let labelled = |name: &str| json!({"custom_metadata": {name: "x"}});
    let patch = |data| with(Operation::Patch, put("secret/metadata/m", data));
    world
        .after(patch(labelled("one")), patch(labelled("other")))
        .await
        .unwrap();
    let read = world.reads("secret/metadata/m").await;
    assert_eq!(read["custom_metadata"], json!({"one": "x", "other": "x"}));
}

/// Both add to the same collection, or take from it.
#[tokio::test]
async fn no_entry_of_a_list_is_lost() {
    let world = World::new().await;
    let file = |name: &str| {
        let path = world.harness.directory.path().join(name);
        json!({"type": "file", "options": {"file_path": path}})
    };
    for (list, one, other) in [
        (
            "sys/mounts",
            put("sys/mounts/one", json!({"type": "kv"})),
            put("sys/mounts/other", json!({"type": "kv"})),
        ),
        (
            "sys/audit",
            put("sys/audit/one", file("one")),
            put("sys/audit/other", file("other")),
        ),
        (
            "sys/config/auditing/request-headers",
            put("sys/config/auditing/request-headers/one", json!({})),
            put("sys/config/auditing/request-headers/other", json!({})),
        ),
    ] {
        world.after(one, other).await.unwrap();
        let rows = world.reads(list).await.to_string();
        assert!(rows.contains("\"one") && rows.contains("\"other"), "{rows}");
    }
    let header = |name: &str| {
        put(
            &format!("sys/config/ui/headers/{name}"),
            json!({"values": ["x"]}),
        )
    };
    world
        .after(header("X-One"), header("X-Other"))
        .await
        .unwrap();
    for name in ["X-One", "X-Other"] {
        world.reads(&format!("sys/config/ui/headers/{name}")).await;
    }
    let unmount = |name: &str| with(Operation::Delete, put(name, json!({})));
    world
        .after(unmount("sys/mounts/one"), unmount("sys/mounts/other"))
        .await
        .unwrap();
    let rows = world.reads("sys/mounts").await.to_string();
    assert!(
        !rows.contains("\"one") && !rows.contains("\"other"),
        "{rows}"
    );
    world
        .after(unmount("sys/audit/one"), unmount("sys/audit/other"))
        .await
        .unwrap();
    assert_eq!(world.reads("sys/audit").await, json!({}));
}

/// The same thing is asked for twice: the second answer says so.
#[tokio::test]
async fn what_is_taken_meanwhile_is_taken() {
    let world = World::new().await;
    let path = world.harness.directory.path().join("log");
    let device = json!({"type": "file", "options": {"file_path": path}});
    let kv = || json!({"type": "kv"});
    world.done(put("sys/mounts/from", kv())).await;
    let move_to = |to: &str| put("sys/remount", json!({"from": "from", "to": to}));
    for (name, other, late) in [
        (
            "a mount",
            put("sys/mounts/x", kv()),
            put("sys/mounts/x", kv()),
        ),
        (
            "a mount above",
            put("sys/mounts/y/z", kv()),
            put("sys/mounts/y", kv()),
        ),
        (
            "a device",
            put("sys/audit/file", device.clone()),
            put("sys/audit/file", device),
        ),
        ("a mount that moved", move_to("one"), move_to("other")),
        (
            "a mount that went",
            with(Operation::Delete, put("sys/mounts/x", json!({}))),
            put("sys/mounts/x/tune", json!({"description": "x"})),
        ),
        (
            "a version",
            put(
                "secret/data/cas",
                json!({"data": {}, "options": {"cas": 0}}),
            ),
            put(
                "secret/data/cas",
                json!({"data": {}, "options": {"cas": 0}}),
            ),
        ),
        (
            "a version of metadata",
            put(
                "secret/metadata/cas2",
                json!({"metadata_cas": 0, "max_versions": 2}),
            ),
            put(
                "secret/metadata/cas2",
                json!({"metadata_cas": 0, "max_versions": 3}),
            ),
        ),
    ] {
        let refused = world.after(other, late).await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Invalid, "{name}");
    }
}

/// `create` is not `update`: what came to be between is not overwritten.
#[tokio::test]
async fn who_may_only_create_changes_nothing_that_came_between() {
    let world = World::new().await;
    let policy = "path \"*\" { capabilities = [\"create\"] }";
    let policy = json!({"policy": policy});
    world.done(put("sys/policies/acl/creator", policy)).await;
    let spec = json!({"policies": ["creator"], "no_default_policy": true});
    let token = world.token(spec).await;
    for (path, one, other) in [
        ("kv/x", json!({"v": 1}), json!({"v": 2})),
        ("cubbyhole/x", json!({"v": 1}), json!({"v": 2})),
        (
            "secret/data/x",
            json!({"data": {"v": 1}}),
            json!({"data": {"v": 2}}),
        ),
        (
            "secret/metadata/y",
            json!({"max_versions": 1}),
            json!({"max_versions": 2}),
        ),
        (
            "auth/token/roles/x",
            json!({"path_suffix": "one"}),
            json!({"path_suffix": "other"}),
        ),
    ] {
        // The cubbyhole is the token's own; elsewhere it makes no difference whose the first is.
        let refused = world
            .after(by(&token, path, one), by(&token, path, other.clone()))
            .await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Denied, "{path}");
        let alone = format!("{path}-alone");
        world.done(by(&token, &alone, other)).await;
    }
    assert_eq!(world.reads("kv/x").await, json!({"v": 1}));
    assert_eq!(world.reads("secret/data/x").await["data"], json!({"v": 1}));
}

/// The name of a case, the narrowing, the late request, and the request that widens again.
type Narrowed = (&'static str, Ask, Ask, Ask);

fn narrowed_secrets() -> Vec<Narrowed> {
    let patch = |path: &str, data| with(Operation::Patch, put(path, data));
    vec![
        (
            "check-and-set of all secrets, and a put",
            put("secret/config", json!({"cas_required": true})),
            put("secret/data/a", json!({"data": {"v": 2}})),
            put("secret/config", json!({"cas_required": false})),
        ),
        (
            "check-and-set of all secrets, and a patch",
            put("secret/config", json!({"cas_required": true})),
            patch("secret/data/a", json!({"data": {"v": 2}})),
            put("secret/config", json!({"cas_required": false})),
        ),
        (
            "check-and-set of the secret, and a put",
            put("secret/metadata/a", json!({"cas_required": true})),
            put("secret/data/a", json!({"data": {"v": 2}})),
            put("secret/metadata/a", json!({"cas_required": false})),
        ),
        (
            "check-and-set of metadata",
            put("secret/config", json!({"metadata_cas_required": true})),
            put("secret/metadata/a", json!({"max_versions": 5})),
            put("secret/config", json!({"metadata_cas_required": false})),
        ),
        (
            "check-and-set of metadata, and a patch",
            put("secret/config", json!({"metadata_cas_required": true})),
            patch("secret/metadata/a", json!({"max_versions": 5})),
            put("secret/config", json!({"metadata_cas_required": false})),
        ),
    ]
}

fn narrowed_roles() -> Vec<Narrowed> {
    vec![
        (
            "the policies of a role",
            put("auth/token/roles/r", json!({"allowed_policies": ["a"]})),
            put("auth/token/create/r", json!({"policies": ["b"]})),
            put(
                "auth/token/roles/r",
                json!({"allowed_policies": ["a", "b"]}),
            ),
        ),
        (
            "a role that went",
            with(Operation::Delete, put("auth/token/roles/r", json!({}))),
            put("auth/token/create/r", json!({"policies": ["b"]})),
            put(
                "auth/token/roles/r",
                json!({"allowed_policies": ["a", "b"]}),
            ),
        ),
    ]
}

/// A narrowing that came between holds already.
#[tokio::test]
async fn what_is_narrowed_between_holds() {
    let world = World::new().await;
    world
        .done(put("secret/data/a", json!({"data": {"v": 1}})))
        .await;
    world
        .done(put(
            "auth/token/roles/r",
            json!({"allowed_policies": ["a", "b"]}),
        ))
        .await;
    for (name, narrow, late, widen) in narrowed_secrets().into_iter().chain(narrowed_roles()) {
        let refused = world.after(narrow, late.clone()).await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Invalid, "{name}");
        world.done(widen).await;
        world.done(late).await;
    }
    let undelete = put("secret/undelete/a", json!({"versions": [1]}));
    world
        .done(put("secret/delete/a", json!({"versions": [1]})))
        .await;
    let short = put("secret/config", json!({"delete_version_after": "1m"}));
    world.after(short, undelete).await.unwrap();
    let versions = &world.reads("secret/metadata/a").await["versions"];
    assert_ne!(
        versions["1"]["deletion_time"],
        json!(""),
        "it ends in a minute"
    );
}

/// A token that ends between does nothing more, and is not brought back.
#[tokio::test]
async fn a_token_that_ends_between_does_nothing_more() {
    let world = World::new().await;
    let policy = "path \"*\" { capabilities = [\"create\", \"update\", \"sudo\"] }";
    let policy = json!({"policy": policy});
    world.done(put("sys/policies/acl/all", policy)).await;
    for (path, data) in [
        ("auth/token/renew-self", json!({})),
        ("auth/token/create", json!({})),
        ("auth/token/create", json!({"no_parent": true})),
        ("auth/token/create-orphan", json!({})),
    ] {
        let token = world.token(json!({"policies": ["all"]})).await;
        let revoke = put("auth/token/revoke", json!({"token": token}));
        let refused = world.after(revoke, by(&token, path, data.clone())).await;
        assert_eq!(
            refused.unwrap_err().kind,
            ErrorKind::Denied,
            "{path} {data}"
        );
        let lookup = put("auth/token/lookup", json!({"token": token}));
        let found = world.harness.router.handle(lookup.incoming()).await.result;
        assert!(found.is_err(), "{path} {data}");
    }
    let wrapped = world.harness.wrapped("sys/mounts").await;
    let open = by(&wrapped, "sys/wrapping/unwrap", json!({}));
    let again = world.after(open.clone(), open).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::Invalid);
    let limited = world
        .token(json!({"policies": ["all"], "num_uses": 1}))
        .await;
    let used = by(&limited, "kv/x", json!({"v": 1}));
    let again = world.after(used.clone(), used).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::Denied);
}

/// The end or deletion of a record takes it as it is by then, and is not kept up by others who
/// change it all the time.
#[tokio::test]
async fn an_end_does_not_wait_for_changes() {
    let world = World::new().await;
    let policy = json!({"policy": "path \"*\" { capabilities = [\"update\"] }"});
    world.done(put("sys/policies/acl/all", policy)).await;
    let records = || world.harness.barrier.view("").walk("", usize::MAX).unwrap();
    let before = records();
    let token = world.token(json!({"policies": ["all"], "ttl": "1h"})).await;
    let renew = by(&token, "auth/token/renew-self", json!({"increment": "2h"}));
    let revoke = put("auth/token/revoke", json!({"token": token}));
    let (revoked, conflicts) = world.both(renew, revoke).await;
    revoked.unwrap();
    assert_eq!(conflicts, 0);
    let lookup = put("auth/token/lookup", json!({"token": token}));
    let found = world.harness.router.handle(lookup.incoming()).await.result;
    assert_eq!(found.unwrap_err().kind, ErrorKind::Denied);
    world.harness.clock.advance(Duration::from_secs(3 * 3600));
    world.harness.router.sweep().await.unwrap();
    assert_eq!(records(), before, "and nothing of it is left");
    world.done(put("kv/x", json!({"v": 1}))).await;
    let delete = with(Operation::Delete, put("kv/x", json!({})));
    let (deleted, _) = world.both(put("kv/x", json!({"v": 2})), delete).await;
    deleted.unwrap();
    let read = world.harness.read(ROOT, "kv/x").await;
    assert_eq!(read.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_rotation_and_its_settings_are_both_done() {
    let world = World::new().await;
    let term = || world.harness.barrier.key_status().unwrap().key_term;
    let settings = put("sys/rotate/config", json!({"max_operations": 3_000_000}));
    world
        .after(settings, put("sys/rotate", json!({})))
        .await
        .unwrap();
    assert_eq!(term(), 2);
    let settings = put("sys/rotate/config", json!({"enabled": false}));
    world
        .after(put("sys/rotate", json!({})), settings)
        .await
        .unwrap();
    assert_eq!(term(), 3);
    let read = world.reads("sys/rotate/config").await;
    assert_eq!(read["max_operations"], json!(3_000_000));
    assert_eq!(read["enabled"], json!(false));
}
