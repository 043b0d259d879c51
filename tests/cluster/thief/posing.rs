//! The program itself on the stolen card: it does all that a member does, claims to be unsealed,
//! and every byte sent to it is heard.

use super::super::seeded::ClusterSigner;
use super::Thief;
use bytes::Bytes;
use coffer::peer::{CallError, Member, Network, Protocol, Service};
use coffer::raft::{Options, RaftStorage, Timing};
use coffer::stream::Chunks;
use coffer::task::BoxFuture;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The thief's network, as the program sees it.
struct Tapped(Arc<Thief>);

impl Thief {
    /// Opens the program's own storage on `directory`, with a forged signer or, where no proof is
    /// required, with leave to be elected.
    pub async fn pose(self: &Arc<Self>, directory: &Path, timing: Timing) -> Arc<RaftStorage> {
        let mine = &self.card.members[&self.card.id];
        let mut options = Options::new(directory, &mine.name);
        options.cluster_address.clone_from(&mine.cluster_address);
        options.api_address.clone_from(&mine.api_address);
        options.public_key = mine.member().public_key;
        options.network = Some(Arc::new(Tapped(Arc::clone(self))));
        options.timing = timing;
        let storage = RaftStorage::open(options).await.expect("the card opens");
        match storage.cluster_key() {
            Some(key) => storage.set_signer(Some(Arc::new(ClusterSigner::forged(key)))),
            None => storage.set_elect(true),
        }
        storage
    }

    /// Ends what [`Thief::pose`] began.
    pub async fn unmask(&self, storage: Arc<RaftStorage>) {
        self.posing.lock().unwrap().clear();
        storage.abandon().await;
    }

    /// Returns the program that answers in the thief's place, if it poses.
    pub(super) fn poser(&self, protocol: Protocol) -> Option<Arc<dyn Service>> {
        self.posing.lock().unwrap().get(&protocol)?.upgrade()
    }
}

impl Network for Tapped {
    fn call(
        &self,
        to: &Member,
        protocol: Protocol,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        let to = to.clone();
        Box::pin(async move {
            let answer = self.0.network.call(&to, protocol, request, within).await;
            if let Ok(answer) = &answer {
                self.0.ear.hear("answer", answer);
            }
            answer
        })
    }

    fn stream(
        &self,
        to: &Member,
        protocol: Protocol,
        head: Bytes,
        body: Chunks,
        stalled: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        self.0.network.stream(to, protocol, head, body, stalled)
    }

    fn set_members(&self, _members: Vec<Member>) {
        // It speaks to the members on its card.
    }

    fn serve(&self, protocol: Protocol, service: Weak<dyn Service>) {
        self.0.posing.lock().unwrap().insert(protocol, service);
    }
}
