//! The thief on real sockets, at the address of the stolen member.

use super::{Card, Thief, copy, raw};
use coffer::peer::{Limits, Network, Peers};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// One appearance of the thief: it comes with [`Den::open`] and goes with [`Den::close`].
pub struct Den {
    pub thief: Arc<Thief>,
    /// The thief's copy of the card.
    pub directory: PathBuf,
    peers: Arc<Peers>,
    runtime: Runtime,
}

impl Den {
    /// Copies the data directory `stolen` into `folder` and listens at its owner's address, which
    /// must be free.
    pub fn open(stolen: &Path, folder: &Path, canaries: &[&str], seed: u64) -> Self {
        let directory = folder.join(format!("card-{seed}"));
        copy(stolen, &directory);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let identity = Card::identity(&directory);
        let card = runtime.block_on(Card::read(&directory));
        let limits = Limits {
            connect_within: Duration::from_millis(500),
            ..Limits::default()
        };
        let _inside = runtime.enter();
        let peers = Peers::new(identity.clone(), limits.clone());
        let more = move || Peers::new(identity.clone(), limits.clone()) as Arc<dyn Network>;
        let network = Arc::clone(&peers) as Arc<dyn Network>;
        let address = card.address.clone();
        let thief = Thief::new(card, network, Some(Box::new(more)), canaries, seed);
        let bound = runtime.block_on(peers.listen(&[address]));
        bound.expect("the member's address is free");
        drop(_inside);
        Self {
            thief,
            directory,
            peers,
            runtime,
        }
    }

    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Starts work that runs beside [`Den::run`].
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.runtime.spawn(work)
    }

    /// Sends frames that no program sends, under the member's key.
    pub fn garble_frames(&self) {
        let others = self.thief.card.others();
        let key = self.directory.join(coffer::peer::IDENTITY_FILE);
        self.run(async {
            for (_, member) in &others {
                raw::garble(&key, member, self.thief.roll(1 << 20)).await;
                raw::hold_memory(&key, member).await;
            }
        });
        self.thief.note("frames", false);
    }

    /// Stops the thief, and leaves the address free.
    pub fn close(self) -> Arc<Thief> {
        self.runtime.block_on(self.peers.shutdown());
        self.runtime.shutdown_timeout(Duration::from_secs(2));
        self.thief
    }
}
