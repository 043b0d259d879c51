//! The link to the engines, which renew and revoke what they granted.
//!
//! The queue of revocations is an index in the store ([`crate::lease`]). The active node works it
//! off, at most [`AT_ONCE_MAX`] at a time, and revokes at once for a request that waits. A lease is
//! in the hands of one task only.

use super::routes::{Route, Routes};
use crate::barrier::{BarrierError, Batch, Unsealed};
use crate::clock::Clock;
use crate::engine::{Error, ErrorKind, Granted, Grantors, Renewed};
use crate::lease::{self, Failure, Lease, Undo};
use crate::secret::fill_random;
use crate::store::CommitError;
use crate::task::BoxFuture;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, RwLock, Semaphore, watch};
use tokio::time::timeout;

/// Most revocations at a time.
pub const AT_ONCE_MAX: usize = 64;
/// Longest that an engine may take for one.
const REVOCATION_TIME_MAX: Duration = Duration::from_secs(60);
/// Longest that an engine may take for a renewal.
const RENEWAL_TIME_MAX: Duration = Duration::from_secs(60);
/// Most attempts at a batch of an engine that meets a conflict.
const CONFLICTS_MAX: usize = 16;

/// The part that asks engines about leases.
pub struct Revoker {
    pub(super) barrier: Arc<Unsealed>,
    pub(super) leases: Arc<lease::Store>,
    pub(super) clock: Arc<dyn Clock>,
    routes: OnceLock<Weak<Routes>>,
    permits: Semaphore,
    /// The leases in somebody's hands; another task that wants one of them waits for the sender to
    /// go.
    busy: Mutex<HashMap<String, watch::Receiver<()>>>,
    /// The mounts that grant nothing, because they are about to go. A task that grants something
    /// holds it for reading until the grant is committed.
    closed: Arc<RwLock<HashSet<String>>>,
}

/// A lease in one pair of hands.
pub(super) struct Claim<'a> {
    revoker: &'a Revoker,
    id: String,
    _done: watch::Sender<()>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.revoker.lock().remove(&self.id);
    }
}

/// The hold of a grant on all mounts: none closes until this is dropped.
pub(super) type Granting = OwnedRwLockReadGuard<HashSet<String>>;

/// A mount that grants nothing until this is dropped.
pub struct Closed {
    closed: Arc<RwLock<HashSet<String>>>,
    mount: String,
}

impl Drop for Closed {
    fn drop(&mut self) {
        let (closed, mount) = (Arc::clone(&self.closed), std::mem::take(&mut self.mount));
        if let Ok(mut open) = closed.try_write() {
            open.remove(&mount);
            return;
        }
        crate::task::spawn(async move {
            closed.write().await.remove(&mount);
        });
    }
}

impl Revoker {
    /// Creates a revoker over the leases of the barrier. It knows no engine before the router is
    /// made with it.
    pub fn new(
        barrier: &Arc<Unsealed>,
        leases: &Arc<lease::Store>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        Self {
            barrier: Arc::clone(barrier),
            leases: Arc::clone(leases),
            clock: Arc::clone(clock),
            routes: OnceLock::new(),
            permits: Semaphore::new(AT_ONCE_MAX),
            busy: Mutex::default(),
            closed: Arc::default(),
        }
    }

    pub(super) fn bind(&self, routes: &Arc<Routes>) {
        // A revoker is one router's.
        self.routes.set(Arc::downgrade(routes)).ok();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<()>>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_busy(&self, id: &str) -> bool {
        self.lock().contains_key(id)
    }

    /// Waits until no grant of `mount` is on its way to the log, and lets the mount grant nothing
    /// while the answer is kept.
    pub async fn close(&self, mount: &str) -> Closed {
        self.closed.write().await.insert(mount.to_owned());
        Closed {
            closed: Arc::clone(&self.closed),
            mount: mount.to_owned(),
        }
    }

    /// Keeps all mounts from closing until the grant of `mount` is committed.
    ///
    /// # Errors
    /// 400 when it is closed.
    pub(super) async fn granting(&self, mount: &str) -> Result<Granting, Error> {
        let open = Arc::clone(&self.closed).read_owned().await;
        match open.contains(mount) {
            true => Err(Error::invalid(format!("{mount:?} is being unmounted"))),
            false => Ok(open),
        }
    }

    /// Revokes the lease `id` now, or waits until that is done elsewhere. A lease that is gone
    /// counts as revoked. After a failure, a lease that had ended is tried again later, and another
    /// stays as it was.
    ///
    /// # Errors
    /// 400, with what the engine said; or as the barrier says.
    pub async fn revoke(&self, id: &str) -> Result<(), Error> {
        loop {
            match self.claim(id) {
                Ok(claim) => return self.revoke_claimed(claim).await,
                Err(mut theirs) => {
                    // It errs when they are done, and nothing is ever sent.
                    theirs.changed().await.ok();
                }
            }
            let now = self.clock.now();
            match (self.leases.read(id)?, self.leases.failure(id)?) {
                (None, _) => return Ok(()),
                (Some(lease), Some(failure)) if lease.is_expired(now) => {
                    return Err(failed(&failure.error));
                }
                _ => {}
            }
        }
    }

    /// Takes the lease `id` in hand, or returns a receiver that ends when others let go of it.
    pub(super) fn claim(&self, id: &str) -> Result<Claim<'_>, watch::Receiver<()>> {
        let mut busy = self.lock();
        if let Some(theirs) = busy.get(id) {
            return Err(theirs.clone());
        }
        let (done, waits) = watch::channel(());
        busy.insert(id.to_owned(), waits);
        Ok(Claim {
            revoker: self,
            id: id.to_owned(),
            _done: done,
        })
    }

    pub(super) async fn revoke_claimed(&self, claim: Claim<'_>) -> Result<(), Error> {
        // It is never closed.
        let _permit = self.permits.acquire().await.ok();
        let Some(lease) = self.leases.read(&claim.id)? else {
            return Ok(());
        };
        for _ in 0..CONFLICTS_MAX {
            let mut batch = match self.ask(&lease).await {
                Ok(batch) => batch,
                Err(error) if is_of_the_store(&error) => return Err(error),
                Err(error) => return Err(self.fail(&lease, &error).await?),
            };
            self.leases.remove(&mut batch, &lease)?;
            match self.barrier.commit(batch, self.clock.now()).await {
                Err(BarrierError::Commit(CommitError::Conflict)) => {}
                done => return Ok(done.map(|_| ())?),
            }
        }
        Err(BarrierError::Commit(CommitError::Conflict).into())
    }

    /// Has the engine of `lease` revoke it.
    async fn ask(&self, lease: &Lease) -> Result<Batch, Error> {
        let Undo::Secret { mount, internal } = &lease.undo else {
            return Err(Error::internal("a token is no engine's to revoke"));
        };
        let route = self.route(mount)?;
        let granted = Granted {
            internal: note(internal)?,
            ..self.granted(lease, &route)
        };
        revoke_at(&route, &granted).await
    }

    /// Returns what an engine is told of a lease, without the engine's note.
    fn granted(&self, lease: &Lease, route: &Route) -> Granted {
        Granted {
            path: lease.path().to_owned(),
            lease_id: lease.id.clone(),
            issue_time: lease.issue_time,
            expire_time: lease.expire_time,
            mount: Arc::clone(&route.context),
            now: self.clock.now(),
            ..Granted::default()
        }
    }

    /// Records that revoking `lease` failed, where the lease has ended; and returns the error for
    /// the caller.
    async fn fail(&self, lease: &Lease, error: &Error) -> Result<Error, Error> {
        let now = self.clock.now();
        let mut message = error.messages.join("; ");
        if let Some(inside) = error.inside.as_ref().filter(|_| message.is_empty()) {
            message.clone_from(inside);
        }
        if !lease.is_expired(now) {
            return Ok(failed(&message));
        }
        let before = self.leases.failure(&lease.id)?;
        let mut random = [0; 8];
        fill_random(&mut random);
        let hopeless = error.kind == ErrorKind::UnsupportedOperation;
        let random = u64::from_be_bytes(random);
        let failure = Failure::after(before.as_ref(), &message, hopeless, now, random);
        if failure.is_irrevocable() {
            tracing::error!(
                lease_id = lease.id,
                attempts = failure.attempts,
                error = message,
                "a lease cannot be revoked: it is irrevocable"
            );
        } else {
            tracing::warn!(
                lease_id = lease.id,
                attempts = failure.attempts,
                error = message,
                "a lease could not be revoked: it is tried again"
            );
        }
        let mut batch = Batch::new();
        self.leases
            .fail(&mut batch, lease, before.as_ref(), &failure)?;
        match self.barrier.commit(batch, now).await {
            // It was forced away, or is to be tried anew.
            Ok(_) | Err(BarrierError::Commit(CommitError::Conflict)) => Ok(failed(&message)),
            Err(error) => Err(error.into()),
        }
    }

    /// Finds the route of the mount at `mount`.
    fn route(&self, mount: &str) -> Result<Arc<Route>, Error> {
        let routes = self.routes.get().and_then(Weak::upgrade);
        let routes = routes.ok_or_else(|| Error::internal("the router is gone"))?;
        match routes.resolve(mount)? {
            Some((route, "")) if route.context.path == mount => Ok(route),
            _ => Err(Error::new(
                ErrorKind::Upstream,
                format!("nothing is mounted at {mount:?}"),
            )),
        }
    }

    /// Finds the route of the mount that `path` is below.
    fn route_above(&self, path: &str) -> Result<Arc<Route>, Error> {
        let routes = self.routes.get().and_then(Weak::upgrade);
        let routes = routes.ok_or_else(|| Error::internal("the router is gone"))?;
        let found = routes.resolve(path)?;
        let found = found.ok_or_else(|| Error::invalid(format!("nothing is mounted at {path:?}")));
        Ok(found?.0)
    }

    /// Has the engine that granted `lease` judge its renewal for `increment`.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn renew_lease(&self, lease: &Lease, increment: Duration) -> Result<Renewed, Error> {
        let Undo::Secret { mount, internal } = &lease.undo else {
            let message = "tokens cannot be renewed through this endpoint";
            return Err(Error::invalid(message));
        };
        let route = self.route(mount)?;
        let granted = Granted {
            internal: note(internal)?,
            ..self.granted(lease, &route)
        };
        renew_at(&route, &granted, increment).await
    }
}

impl Grantors for Revoker {
    fn renew(
        &self,
        granted: Granted,
        increment: Duration,
    ) -> BoxFuture<'_, Result<Renewed, Error>> {
        Box::pin(async move {
            let route = self.route_above(&granted.path)?;
            let granted = Granted {
                mount: Arc::clone(&route.context),
                now: self.clock.now(),
                ..granted
            };
            renew_at(&route, &granted, increment).await
        })
    }
}

/// Has the engine of `route` revoke what it granted, within bounded time.
pub(super) async fn revoke_at(route: &Route, granted: &Granted) -> Result<Batch, Error> {
    let revoking = route.engine.revoke(granted, &route.view);
    let done = timeout(REVOCATION_TIME_MAX, revoking).await;
    done.unwrap_or_else(|_| Err(late("revoking it", REVOCATION_TIME_MAX)))
}

async fn renew_at(route: &Route, granted: &Granted, increment: Duration) -> Result<Renewed, Error> {
    let renewing = route.engine.renew(granted, increment, &route.view);
    let done = timeout(RENEWAL_TIME_MAX, renewing).await;
    let mut renewed = done.unwrap_or_else(|_| Err(late("renewing it", RENEWAL_TIME_MAX)))?;
    // The mount may have been tuned since.
    let max = route.context.max_lease_ttl;
    renewed.max_ttl = Some(renewed.max_ttl.map_or(max, |asked| asked.min(max)));
    Ok(renewed)
}

fn late(what: &str, max: Duration) -> Error {
    let seconds = max.as_secs();
    Error::new(
        ErrorKind::Upstream,
        format!("{what} took longer than {seconds} s"),
    )
}

/// Returns the error of a failed revocation, in Vault's words and of its kind.
fn failed(message: &str) -> Error {
    Error::invalid(format!("failed to revoke entry: {message}"))
}

/// Returns true for a failure of the store, after which this node cannot go on, whatever it has
/// revoked.
pub(super) fn is_of_the_store(error: &Error) -> bool {
    use CommitError::{DiskFull, Fatal, NotLeader, Unavailable};
    let is_commit = matches!(
        &error.cause,
        Some(BarrierError::Commit(
            NotLeader | Unavailable(_) | DiskFull(_) | Fatal(_)
        ))
    );
    is_commit
        || matches!(
            &error.cause,
            Some(BarrierError::Read(_) | BarrierError::Sealed)
        )
}

/// Reads the engine's note in a lease's record.
fn note(internal: &str) -> Result<Map<String, Value>, Error> {
    let note = serde_json::from_str(internal);
    note.map_err(|_| BarrierError::Decode("lease").into())
}
