//! Tokens and leases are nowhere to be seen from their end on, long before they are swept away.

use super::*;

/// A token by its text, its accessor and its lease, for which every door can be asked.
struct Doors {
    text: String,
    accessor: String,
    lease: String,
}

impl Doors {
    async fn of(harness: &Harness, maker: &str, path: &str, data: Value) -> Self {
        let made = harness.call(maker, Operation::Update, path, data).await;
        let auth = made.unwrap().auth.unwrap();
        let text = auth.client_token.unwrap().into_inner();
        let lease = format!("{path}/{}", harness.record_of(&text));
        Self {
            text,
            accessor: auth.accessor,
            lease,
        }
    }

    /// Returns the doors that know the token.
    async fn open(&self, harness: &Harness) -> Vec<String> {
        let mut open = Vec::new();
        let root = |operation, path: &'static str, data| harness.root(operation, path, data);
        for (path, data) in [
            ("auth/token/lookup", json!({"token": self.text})),
            (
                "auth/token/lookup-accessor",
                json!({"accessor": self.accessor}),
            ),
            ("sys/leases/lookup", json!({"lease_id": self.lease})),
            ("sys/capabilities", json!({"token": self.text, "path": "x"})),
            (
                "sys/capabilities-accessor",
                json!({"accessor": self.accessor, "path": "x"}),
            ),
        ] {
            if root(Operation::Update, path, data).await.is_ok() {
                open.push(path.to_owned());
            }
        }
        for path in ["auth/token/lookup-self", "cubbyhole/x"] {
            let read = harness.read(&self.text, path).await;
            let denied = read.is_err_and(|e| e.kind == crate::engine::ErrorKind::Denied);
            if !denied {
                open.push(path.to_owned());
            }
        }
        let (folder, name) = self.lease.rsplit_once('/').unwrap();
        for (path, name) in [
            ("auth/token/accessors".to_owned(), self.accessor.clone()),
            (format!("sys/leases/lookup/{folder}"), name.to_owned()),
        ] {
            let listed = harness.root(Operation::List, &path, json!({})).await;
            let keys = listed.map(|listed| field(&listed, "keys").clone());
            if keys.is_ok_and(|keys| keys.as_array().unwrap().contains(&json!(name))) {
                open.push(path);
            }
        }
        open
    }
}

impl Harness {
    /// Returns the name of the record of the token `text`.
    fn record_of(&self, text: &str) -> String {
        let mut name = hex::encode(self.barrier.mac("token", text.as_bytes()).unwrap());
        name.truncate(32);
        format!("h{name}")
    }
}

#[tokio::test]
async fn no_door_shows_a_token_whose_time_has_come() {
    let harness = Harness::new().await;
    let policy = "path \"*\" { capabilities = [\"create\", \"update\", \"read\", \"list\"] }";
    let policy = json!({"policy": policy});
    harness
        .root(Operation::Update, "sys/policies/acl/all", policy)
        .await
        .unwrap();
    let spec = |ttl: &str| json!({"policies": ["all"], "ttl": ttl});
    let path = "auth/token/create";
    let short = Doors::of(&harness, ROOT, path, spec("10m")).await;
    let child = Doors::of(&harness, &short.text, path, spec("5h")).await;
    let grandchild = Doors::of(&harness, &child.text, path, spec("6h")).await;
    let long = Doors::of(&harness, ROOT, path, spec("7h")).await;
    let all = long.open(&harness).await;
    assert_eq!(all.len(), 9, "{all:?}");
    for doors in [&short, &child, &grandchild] {
        assert_eq!(doors.open(&harness).await.len(), 9);
    }
    harness.clock.advance(Duration::from_secs(600));
    for doors in [&short, &child, &grandchild] {
        assert_eq!(doors.open(&harness).await, [] as [&str; 0]);
    }
    assert_eq!(long.open(&harness).await, all);
    harness.clock.advance(Duration::from_secs(7 * 3600));
    assert_eq!(long.open(&harness).await, [] as [&str; 0]);
    // Nor do folders stay that hold nothing else.
    for folder in ["", "auth", "auth/token", "auth/token/create"] {
        let path = format!("sys/leases/lookup/{folder}");
        let listed = harness.root(Operation::List, &path, json!({})).await;
        assert_eq!(
            listed.unwrap_err().kind,
            crate::engine::ErrorKind::NotFound,
            "{folder:?}"
        );
    }
}

#[tokio::test]
async fn a_wrapping_token_ends_on_time() {
    let harness = Harness::new().await;
    let wrapped = harness.wrapped("sys/mounts").await;
    let named = json!({"token": wrapped});
    let ask = |path: &'static str| harness.root(Operation::Update, path, named.clone());
    ask("sys/wrapping/lookup").await.unwrap();
    harness.clock.advance(Duration::from_secs(60));
    for path in [
        "sys/wrapping/lookup",
        "sys/wrapping/rewrap",
        "sys/wrapping/unwrap",
    ] {
        let error = ask(path).await.unwrap_err();
        assert_eq!(
            error.messages,
            ["wrapping token is not valid or does not exist"],
            "{path}"
        );
    }
}
