//! The store as recovery mode sees it: alone, without its peers.
//!
//! Nothing is sent, nothing is answered, and no election is held. Reads show the records that this
//! node knows to be committed, and change nothing: a member that was only looked at goes back to
//! its cluster as it was. The first write makes this node the only member ([`force`]), because a
//! change that its peers do not know of must not be mixed with theirs; all else in its log counts
//! as committed then, and the other members must be wiped and join again.

use super::storage::RaftStorage;
use crate::raft::applying::state_machine::blocking;
use crate::raft::disk::data_dir::DataDir;
use crate::raft::disk::error::OpenError;
use crate::raft::disk::poison::Poison;
use crate::raft::start::files::Files;
use crate::raft::start::force;
use crate::raft::start::opening;
use crate::raft::start::options::Options;
use crate::raft::wire::record::Members;
use crate::store::{
    BoxFuture, CommitError, Observer, ReadError, Record, Revision, Storage, StorageStatus,
    Transaction, Visit,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Limits the time that readers keep a closed store's files from being opened anew.
const RELEASE_WITHIN: Duration = Duration::from_secs(10);
/// The time between attempts to open those files.
const RELEASE_STEP: Duration = Duration::from_millis(5);

const REOPENING: &str = "the store is being opened anew";

/// One node's store without its cluster: see the module.
pub struct Recovered {
    options: Options,
    /// The open store; replaced once, by the first write, when this node had peers.
    open: watch::Sender<Store>,
    /// True once this node leads; locked while it is made to lead.
    leading: tokio::sync::Mutex<bool>,
    observers: Mutex<Vec<Weak<dyn Observer>>>,
}

/// The situation of the store behind [`Recovered`].
#[derive(Clone)]
enum Store {
    Open(Arc<RaftStorage>),
    /// The store is being opened anew, since the first write cuts off the peers.
    Reopening,
    /// The store could not be opened again, for this reason: the process must end.
    Lost(String),
    Closed,
}

impl Recovered {
    /// Opens the data directory, which must belong to a cluster.
    pub async fn open(options: Options) -> Result<Arc<Self>, OpenError> {
        let options = Options {
            network: None,
            ..options
        };
        if !DataDir::is_used(&options.path) {
            return Err(OpenError::Unused(options.path));
        }
        let open = RaftStorage::open(options.clone()).await?;
        if !open.has_membership() {
            open.shutdown().await;
            return Err(OpenError::Unused(options.path));
        }
        Ok(Arc::new(Self {
            options,
            open: watch::Sender::new(Store::Open(open)),
            leading: tokio::sync::Mutex::new(false),
            observers: Mutex::default(),
        }))
    }

    /// Counts the members beside this node, which a write would cut off.
    pub fn others(&self) -> usize {
        let Some(open) = self.current() else {
            return 0;
        };
        let id = open.raft_id();
        let members = open.members();
        members.iter().filter(|member| member.raft_id != id).count()
    }

    fn current(&self) -> Option<Arc<RaftStorage>> {
        match &*self.open.borrow() {
            Store::Open(open) => Some(Arc::clone(open)),
            _ => None,
        }
    }

    /// Closes the store, if it is open, and leaves `next` in its place.
    async fn close(&self, next: Store) {
        if let Store::Open(open) = self.open.send_replace(next) {
            open.shutdown().await;
        }
    }

    fn readable(&self) -> Result<Arc<RaftStorage>, ReadError> {
        self.current()
            .ok_or_else(|| ReadError::Unavailable(REOPENING.into()))
    }

    fn writable(&self) -> Result<Arc<RaftStorage>, CommitError> {
        self.current()
            .ok_or_else(|| CommitError::Unavailable(REOPENING.into()))
    }

    async fn lead(&self) -> Result<Arc<RaftStorage>, CommitError> {
        let mut leads = self.leading.lock().await;
        if !*leads {
            let fatal = |error: OpenError| CommitError::Fatal(error.to_string());
            // Reopening: the call that began it was cancelled.
            let is_begun = matches!(&*self.open.borrow(), Store::Reopening);
            if is_begun || self.others() > 0 {
                self.cut_off().await.map_err(fatal)?;
            }
            self.writable()?.become_leader().await?;
            *leads = true;
        }
        self.writable()
    }

    /// Makes this node the only member, and opens the store anew, also when the first step failed:
    /// its records must stay readable.
    async fn cut_off(&self) -> Result<(), OpenError> {
        tracing::warn!(
            others = self.others(),
            "this node is the only member from now on: the others must be wiped and join again"
        );
        self.close(Store::Reopening).await;
        let options = self.options.clone();
        let forced = blocking(move || make_only_member(&options)).await;
        let forced = match forced {
            Ok(forced) => forced,
            Err(error) => Err(OpenError::Raft(error.to_string())),
        };
        let opened = self.reopen().await.inspect_err(|error| {
            self.replace_reopening(Store::Lost(error.to_string()));
        });
        forced.and(opened)
    }

    async fn reopen(&self) -> Result<(), OpenError> {
        let path = &self.options.path;
        // An empty directory would be opened as a new one.
        if !DataDir::is_used(path) {
            return Err(OpenError::Unused(path.clone()));
        }
        let open = RaftStorage::open(self.options.clone()).await?;
        for observer in self.observers().iter() {
            open.observe(Weak::clone(observer));
        }
        if !self.replace_reopening(Store::Open(Arc::clone(&open))) {
            open.shutdown().await;
        }
        Ok(())
    }

    /// Puts `next` in place of [`Store::Reopening`]; does nothing, and returns false, when the
    /// store was closed meanwhile.
    fn replace_reopening(&self, next: Store) -> bool {
        self.open.send_if_modified(|store| {
            let is_reopening = matches!(store, Store::Reopening);
            if is_reopening {
                *store = next;
            }
            is_reopening
        })
    }

    fn observers(&self) -> std::sync::MutexGuard<'_, Vec<Weak<dyn Observer>>> {
        self.observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_only_member(options: &Options) -> Result<(), OpenError> {
    let deadline = Instant::now() + RELEASE_WITHIN;
    let mut files = loop {
        match opening::open_files(options, Arc::new(Poison::default())) {
            // A reader of the closed store is about to end.
            Err(OpenError::State { source, .. })
                if source.is_locked() && Instant::now() < deadline =>
            {
                std::thread::sleep(RELEASE_STEP);
            }
            opened => break opened?,
        }
    };
    let done = only_member(&mut files);
    files.log.close();
    done
}

fn only_member(files: &mut Files) -> Result<(), OpenError> {
    let id = files.dir.numbers.raft_id;
    let known = force::newest(files)?.map(|(_, members)| members);
    let mut me = known
        .and_then(|known| known.nodes.get(&id).cloned())
        .ok_or_else(|| OpenError::Raft("this node is no member of its cluster".into()))?;
    me.non_voter = false;
    let members = Members {
        configs: vec![BTreeSet::from([id])],
        nodes: BTreeMap::from([(id, me)]),
    };
    force::force(files, &members)
}

impl Storage for Recovered {
    fn get(&self, key: &[u8]) -> Result<Option<Record>, ReadError> {
        self.readable()?.get(key)
    }

    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8]) -> Visit) -> Result<(), ReadError> {
        self.readable()?.scan(prefix, visit)
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        Box::pin(async move { self.lead().await?.commit(transaction).await })
    }

    /// Returns at once: a lone node has no leader to ask.
    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReadError>> {
        Box::pin(async { Ok(()) })
    }

    fn observe(&self, observer: Weak<dyn Observer>) {
        self.observers().push(Weak::clone(&observer));
        if let Some(open) = self.current() {
            open.observe(observer);
        }
    }

    fn status(&self) -> StorageStatus {
        self.current().map(|open| open.status()).unwrap_or_default()
    }

    fn failed(&self) -> BoxFuture<'_, String> {
        Box::pin(async {
            let mut opened = self.open.subscribe();
            loop {
                let open = opened.borrow_and_update().clone();
                let failed = async {
                    match &open {
                        Store::Open(open) => open.failed().await,
                        Store::Lost(reason) => reason.clone(),
                        Store::Reopening | Store::Closed => std::future::pending().await,
                    }
                };
                tokio::select! {
                    reason = failed => return reason,
                    changed = opened.changed() => if changed.is_err() {
                        return std::future::pending().await;
                    },
                }
            }
        })
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.close(Store::Closed))
    }
}
