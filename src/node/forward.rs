//! Requests of clients between this node and the active one, over the network between members.

use super::shared::Shared;
use crate::http::forward::{Entry, ForwardAnswer, ForwardError, ForwardRequest, Forwarder};
use crate::peer::{CallError, Chunks, Network, Protocol, PublicKey, Service};
use crate::raft::{Leadership, RaftStorage};
use crate::store::BoxFuture;
use bytes::Bytes;
use futures_util::stream;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Larger bodies are sent as a stream, so that they do not hold up the calls behind them.
const WHOLE_BYTES_MAX: usize = 256 << 10;
/// How long an answer is still awaited from a node that has stopped leading.
const LATE_ANSWER_MAX: Duration = Duration::from_millis(500);

/// The way to the active node.
pub(super) struct ToActive {
    shared: Weak<Shared>,
    raft: Arc<RaftStorage>,
    network: Arc<dyn Network>,
}

impl ToActive {
    pub fn new(shared: &Arc<Shared>, network: Arc<dyn Network>) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            shared: Arc::downgrade(shared),
            raft: Arc::clone(shared.leadership.raft()?),
            network,
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
            Leadership::None => return Err(not_executed("nobody leads")),
            Leadership::Leader { .. } => return Err(not_executed("this node leads")),
        };
        let member = leader.member();
        let refused = |error: &dyn std::fmt::Display| not_executed(&error.to_string());
        let answering = if request.body.len() <= WHOLE_BYTES_MAX {
            let message = request.whole().map_err(|error| refused(&error))?;
            let network = &self.network;
            network.call(&member, Protocol::Forward, message, within)
        } else {
            let head = request.head().map_err(|error| refused(&error))?;
            let body: Chunks = Box::pin(stream::iter([Ok(request.body.clone())]));
            let network = &self.network;
            network.stream(&member, Protocol::Forward, head, body, within)
        };
        let deposed = async {
            let leads = |now: &Leadership| match now {
                Leadership::Follower { leader: now } => now.public_key == leader.public_key,
                Leadership::None | Leadership::Leader { .. } => false,
            };
            // An error means that the storage is gone, and nobody leads any more.
            let _ = leadership.wait_for(|now| !leads(now)).await;
            tokio::time::sleep(LATE_ANSWER_MAX).await;
        };
        tokio::select! {
            biased;
            answer = answering => read(answer),
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

fn not_executed(reason: &str) -> ForwardError {
    ForwardError::NotExecuted(reason.to_owned())
}

fn read(answer: Result<Bytes, CallError>) -> Result<ForwardAnswer, ForwardError> {
    match answer {
        Ok(message) => match ForwardAnswer::decode(message) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(not_executed("that node is not active")),
            Err(error) => Err(ForwardError::Unknown(error.to_string())),
        },
        Err(error) => Err(match &error {
            CallError::Unreachable { sent: false, .. } | CallError::Busy(_) => {
                ForwardError::NotExecuted(error.to_string())
            }
            CallError::Unreachable { sent: true, .. }
            | CallError::TimedOut(_)
            | CallError::NotMember(_)
            | CallError::Refused(_) => ForwardError::Unknown(error.to_string()),
        }),
    }
}

/// What takes the requests that members send here.
pub(super) struct FromMembers {
    entry: Entry,
}

impl FromMembers {
    /// Answers them for as long as what is returned lives.
    pub fn serve(network: &dyn Network, entry: Entry) -> Arc<Self> {
        let serving = Arc::new(Self { entry });
        let weak = Arc::downgrade(&serving);
        network.serve(Protocol::Forward, weak as Weak<dyn Service>);
        serving
    }
}

impl Service for FromMembers {
    fn call(&self, _from: PublicKey, request: Bytes) -> BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(async move { Ok(self.entry.call(request).await) })
    }

    fn stream(
        &self,
        _from: PublicKey,
        head: Bytes,
        body: Chunks,
    ) -> BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(async move { Ok(self.entry.stream(head, body).await) })
    }
}
