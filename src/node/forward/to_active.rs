//! The way to the active node.

use super::sender::{Sender, not_executed};
use crate::http::forward::{ForwardAnswer, ForwardError, ForwardRequest, Forwarder};
use crate::node::shared::Shared;
use crate::peer::{Network, PublicKey};
use crate::raft::{Leadership, RaftStorage};
use crate::store::BoxFuture;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The time for which an answer is still awaited from a node that has stopped leading, unless it
/// was silent before.
const LATE_ANSWER_MAX: Duration = Duration::from_millis(500);

/// Forwards requests to the active node.
pub(in crate::node) struct ToActive {
    shared: Weak<Shared>,
    raft: Arc<RaftStorage>,
    sender: Sender,
}

impl ToActive {
    /// Returns the way from this node, whose pinned key is `me`; `None` for a store without other
    /// nodes.
    pub fn new(
        shared: &Arc<Shared>,
        network: Arc<dyn Network>,
        me: PublicKey,
    ) -> Option<Arc<Self>> {
        let weak = Arc::downgrade(shared);
        Some(Arc::new(Self {
            raft: Arc::clone(shared.leadership.raft()?),
            sender: Sender::new(Arc::new(weak.clone()), network, me),
            shared: weak,
        }))
    }

    async fn send(
        &self,
        request: ForwardRequest,
        within: Duration,
    ) -> Result<ForwardAnswer, ForwardError> {
        let mut leadership = self.raft.leadership();
        let leader = match &*leadership.borrow_and_update() {
            Leadership::Follower { leader } => leader.clone(),
            Leadership::None => return Err(not_executed(&"nobody leads")),
            Leadership::Leader { .. } => return Err(not_executed(&"this node leads")),
        };
        let member = leader.member();
        let deposed = async {
            let leads = |now: &Leadership| match now {
                Leadership::Follower { leader: now } => now.public_key == leader.public_key,
                Leadership::None | Leadership::Leader { .. } => false,
            };
            // An error means that the storage is gone, and no node leads any more.
            let _ = leadership.wait_for(|now| !leads(now)).await;
            if !self.raft.is_silent(&member.public_key) {
                tokio::time::sleep(LATE_ANSWER_MAX).await;
            }
        };
        tokio::select! {
            biased;
            answer = self.sender.send(&member, &request, within) => answer,
            () = deposed => Err(ForwardError::Unknown(format!(
                "{} leads no more and did not answer", member.name
            ))),
        }
    }
}

impl Forwarder for ToActive {
    fn forward(
        &self,
        request: &ForwardRequest,
        within: Duration,
    ) -> BoxFuture<'_, Result<ForwardAnswer, ForwardError>> {
        Box::pin(self.send(request.clone(), within))
    }

    fn cluster_id(&self) -> Option<Arc<str>> {
        let shared = self.shared.upgrade()?;
        let state = shared.state();
        let session = state.session.as_ref()?;
        Some(Arc::from(session.cluster.id.as_str()))
    }
}
