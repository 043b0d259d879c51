//! The addresses that a token may be used from bound its children, too.

use super::*;
use crate::engine::ErrorKind;

const INSIDE: &str = "10.1.2.3:999";
const OUTSIDE: &str = "192.0.2.1:999";

impl Harness {
    async fn from(
        &self,
        address: &str,
        token: &str,
        operation: Operation,
        path: &str,
        data: Value,
    ) -> Result<Response, Error> {
        let mut incoming = Self::incoming(token, operation, path, data);
        incoming.client.address = Some(address.parse().unwrap());
        self.router.handle(incoming).await.result
    }

    async fn made(&self, token: &str, path: &str, data: Value) -> String {
        let made = self
            .from(INSIDE, token, Operation::Update, path, data)
            .await
            .unwrap();
        made.auth.unwrap().client_token.unwrap().into_inner()
    }

    async fn works_from(&self, address: &str, token: &str) -> bool {
        let path = "auth/token/lookup-self";
        match self
            .from(address, token, Operation::Read, path, json!({}))
            .await
        {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Denied);
                false
            }
        }
    }
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "a table of cases")]
async fn children_of_a_bound_token_are_bound() {
    let harness = Harness::new().await;
    let policy = "path \"auth/token/*\" { capabilities = [\"update\", \"read\", \"sudo\"] }";
    let name = json!({"policy": policy});
    harness
        .root(Operation::Update, "sys/policies/acl/maker", name)
        .await
        .unwrap();
    for (role, settings) in [
        ("bound", json!({"token_bound_cidrs": "10.0.0.0/8"})),
        ("free", json!({})),
    ] {
        let path = format!("auth/token/roles/{role}");
        harness
            .root(Operation::Update, &path, settings)
            .await
            .unwrap();
    }
    let maker = json!({"policies": ["maker"], "ttl": "1h"});
    let parent = harness
        .made(ROOT, "auth/token/create/bound", maker.clone())
        .await;
    let unbound = harness.made(ROOT, "auth/token/create", maker).await;
    let child = harness.made(&parent, "auth/token/create", json!({})).await;
    for (how, token, bound) in [
        ("the token itself", parent.clone(), true),
        ("a child", child.clone(), true),
        (
            "a grandchild",
            harness.made(&child, "auth/token/create", json!({})).await,
            true,
        ),
        (
            "a batch child",
            harness
                .made(&parent, "auth/token/create", json!({"type": "batch"}))
                .await,
            true,
        ),
        (
            "a periodic child",
            harness
                .made(&parent, "auth/token/create", json!({"period": "1h"}))
                .await,
            true,
        ),
        (
            "through a role with bounds",
            harness
                .made(&unbound, "auth/token/create/bound", json!({}))
                .await,
            true,
        ),
        // As in Vault, these three free on purpose.
        (
            "through a role without",
            harness
                .made(&parent, "auth/token/create/free", json!({}))
                .await,
            false,
        ),
        (
            "an orphan",
            harness
                .made(&parent, "auth/token/create-orphan", json!({}))
                .await,
            false,
        ),
        (
            "an orphan by sudo",
            harness
                .made(&parent, "auth/token/create", json!({"no_parent": true}))
                .await,
            false,
        ),
        ("of a free token", unbound, false),
    ] {
        assert!(harness.works_from(INSIDE, &token).await, "{how}");
        assert_eq!(harness.works_from(OUTSIDE, &token).await, !bound, "{how}");
        assert_eq!(
            harness.read(&token, "auth/token/lookup-self").await.is_ok(),
            !bound,
            "{how}, over a unix socket"
        );
    }
}
