//! The leases of what engines grant, registered in the entry that has the engine's own records.

use super::call::Call;
use super::revoker::revoke_at;
use super::router::Router;
use super::routes::Route;
use crate::barrier::Batch;
use crate::clock::Timestamp;
use crate::engine::{Error, ErrorKind, Granted, LeaseGrant, Response};
use crate::lease::{Lease, Undo};
use crate::secret::random_text;
use crate::store::Revision;
use crate::token::{Token, ttl};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Characters of a lease's name, as in Vault.
const NAME_CHARS: usize = 24;

/// The refusal of a lease for a token's last use, in Vault's words.
const LAST_USE: &str = "Secret cannot be returned; token had one use left, so leased credentials \
                        were immediately revoked.";

impl Router {
    /// Keeps in mind the secret that the answer grants, so that it can be taken back where the
    /// answer is not given.
    pub(super) async fn grant(
        &self,
        call: &mut Call,
        lease: Option<&LeaseGrant>,
        now: Timestamp,
    ) -> Result<(), Error> {
        // An earlier attempt's would keep a mount that closes from ever letting it go on.
        call.granting = None;
        let (Some(lease), Some(route)) = (lease, call.route.clone()) else {
            return Ok(());
        };
        if !lease.id.is_empty() {
            return Ok(());
        }
        let granted = Granted {
            path: call.path.clone(),
            internal: lease.internal.clone(),
            issue_time: now,
            expire_time: now,
            mount: Arc::clone(&route.context),
            now,
            ..Granted::default()
        };
        let mount = route.context.path.clone();
        call.granted = Some((route, granted));
        call.granting = Some(self.parts.revoker.granting(&mount).await?);
        Ok(())
    }

    /// Adds the lease of the secret that `response` grants to `batch`. It dies with the caller's
    /// token, which must be as it was read.
    pub(super) fn register(
        &self,
        call: &Call,
        response: &mut Response,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (Some(grant), Some(route)) = (&mut response.lease, &call.route) else {
            return Ok(());
        };
        if !grant.id.is_empty() {
            return Ok(());
        }
        let token = call.token.as_ref();
        let token = token.ok_or_else(|| Error::internal("a lease needs a token to die with"))?;
        if call.spends && token.num_uses == 1 {
            return Err(Error::new(ErrorKind::Invalid, LAST_USE));
        }
        let (life, warnings) = ttl::grant(&ttl::Wish {
            ttl: grant.ttl,
            method_max_ttl: grant.max_ttl,
            explicit_max_ttl: batch_life(token, now),
            mount_default_ttl: route.context.default_lease_ttl,
            mount_max_ttl: route.context.max_lease_ttl,
            start: now,
            now,
            ..ttl::Wish::default()
        })?;
        let lease = lease(call, route, token, grant, life, now);
        self.parts.tokens.leases().register(batch, &lease)?;
        self.parts.tokens.expect(batch, token);
        grant.ttl = life;
        grant.id = lease.id;
        response.warnings.extend(warnings);
        Ok(())
    }

    /// Takes back a granted secret whose lease did not come to be.
    pub(super) fn take_back(&self, call: &mut Call) {
        let Some((route, granted)) = call.granted.take() else {
            return;
        };
        let revoker = Arc::clone(&self.parts.revoker);
        crate::task::spawn(async move {
            let undone = match revoke_at(&route, &granted).await {
                Ok(batch) if batch.is_empty() => Ok(()),
                Ok(batch) => {
                    let now = revoker.clock.now();
                    let committed = revoker.barrier.commit(batch, now).await;
                    committed.map(|_| ()).map_err(Error::from)
                }
                Err(error) => Err(error),
            };
            if let Err(error) = undone {
                let path = granted.path;
                tracing::error!(path, %error, "what was granted and not given is not taken back");
            }
        });
    }
}

/// Returns the time after which the leases of a batch token end; zero is without limit. A batch
/// token has no record that leases could be found by: they have its end, and die with its parent.
fn batch_life(token: &Token, now: Timestamp) -> Duration {
    match token.is_batch() {
        true => token.ttl_left(now),
        false => Duration::ZERO,
    }
}

fn lease(
    call: &Call,
    route: &Route,
    token: &Token,
    grant: &LeaseGrant,
    life: Duration,
    now: Timestamp,
) -> Lease {
    let max = [grant.max_ttl, batch_life(token, now)];
    let max = max.into_iter().filter(|limit| !limit.is_zero());
    let max = max.fold(route.context.max_lease_ttl, Duration::min);
    let path = call.path.trim_end_matches('/');
    let owner = match token.is_batch() {
        true => &token.parent,
        false => &token.id,
    };
    Lease {
        id: format!("{path}/{}", random_text(NAME_CHARS).expose()),
        issue_time: now,
        expire_time: now.plus(life),
        last_renewal: Timestamp::default(),
        max_expire_time: now.plus(max),
        renewable: grant.renewable,
        owner: owner.clone(),
        undo: Undo::Secret {
            mount: route.context.path.clone(),
            internal: Value::from(grant.internal.clone()).to_string(),
        },
        revision: Revision(0),
    }
}
