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

impl Harness {
    /// Makes a harness with a policy that makes tokens, and a role with bounds and one without.
    async fn with_roles() -> Self {
        let harness = Self::new().await;
        let policy = "path \"auth/token/*\" { capabilities = [\"update\", \"read\", \"sudo\"] }";
        let bounds = json!({"token_bound_cidrs": "10.0.0.0/8"});
        for (path, body) in [
            ("sys/policies/acl/maker", json!({"policy": policy})),
            ("auth/token/roles/bound", bounds),
            ("auth/token/roles/free", json!({})),
        ] {
            let written = harness.root(Operation::Update, path, body);
            written.await.unwrap();
        }
        harness
    }

    async fn assert_bound(&self, how: &str, token: &str, bound: bool) {
        assert!(self.works_from(INSIDE, token).await, "{how}");
        assert_eq!(self.works_from(OUTSIDE, token).await, !bound, "{how}");
        assert_eq!(
            self.read(token, "auth/token/lookup-self").await.is_ok(),
            !bound,
            "{how}, over a unix socket"
        );
    }
}

#[tokio::test]
async fn children_of_a_bound_token_are_bound() {
    let harness = Harness::with_roles().await;
    let (plain, role) = ("auth/token/create", "auth/token/create/bound");
    let maker = json!({"policies": ["maker"], "ttl": "1h"});
    let parent = harness.made(ROOT, role, maker.clone()).await;
    let unbound = harness.made(ROOT, plain, maker).await;
    let child = harness.made(&parent, plain, json!({})).await;
    harness
        .assert_bound("the token itself", &parent, true)
        .await;
    harness.assert_bound("a child", &child, true).await;
    harness.assert_bound("a free token", &unbound, false).await;
    let orphan = json!({"no_parent": true});
    for (how, maker, path, body, bound) in [
        ("a grandchild", &child, plain, json!({}), true),
        (
            "a batch child",
            &parent,
            plain,
            json!({"type": "batch"}),
            true,
        ),
        (
            "a periodic child",
            &parent,
            plain,
            json!({"period": "1h"}),
            true,
        ),
        (
            "through a role with bounds",
            &unbound,
            role,
            json!({}),
            true,
        ),
        // As in Vault, these three free on purpose.
        (
            "through a role without",
            &parent,
            "auth/token/create/free",
            json!({}),
            false,
        ),
        (
            "an orphan",
            &parent,
            "auth/token/create-orphan",
            json!({}),
            false,
        ),
        ("an orphan by sudo", &parent, plain, orphan, false),
    ] {
        let token = harness.made(maker, path, body).await;
        harness.assert_bound(how, &token, bound).await;
    }
}
