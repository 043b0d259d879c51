//! Reads that are linearizable wherever they are made.
//!
//! The leader answers from its lease, or asks a quorum. A follower asks the leader for the
//! committed index, and waits until it has applied the log up to there. One question is under way
//! at a time; reads that come meanwhile share the next one.

use crate::peer::Member;
use crate::raft::running::readers::WAITING_MAX;
use crate::raft::running::shared::Shared;
use crate::raft::wire::message::{Answer, Ask};
use crate::raft::wire::record::Position;
use crate::store::ReadError;
use openraft::raft::linearizable_read::LinearizerOption;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The time between questions while there is no leader.
const RETRY: Duration = Duration::from_millis(20);
/// Returns once this node's state holds all that was acknowledged before the call.
pub(in crate::raft) async fn barrier(shared: &Arc<Shared>) -> Result<(), ReadError> {
    // Nobody else can have acknowledged a write, and ours are applied before they are.
    if shared.leads() && shared.log.is_alone() {
        return Ok(());
    }
    let (sender, receiver) = oneshot::channel();
    let begins = {
        let mut queue = shared.readers.queue();
        if queue.waiting.len() >= WAITING_MAX {
            return Err(ReadError::Unavailable("too many reads are waiting".into()));
        }
        queue.waiting.push(sender);
        !std::mem::replace(&mut queue.is_asked, true)
    };
    if begins {
        crate::task::spawn(serve(Arc::clone(shared)));
    }
    let stopped = || Err(ReadError::Unavailable("the storage is stopping".into()));
    receiver.await.unwrap_or_else(|_| stopped())
}

/// Asks for the committed index until no read waits.
async fn serve(shared: Arc<Shared>) {
    loop {
        let waiting = {
            let mut queue = shared.readers.queue();
            if queue.waiting.is_empty() {
                queue.is_asked = false;
                return;
            }
            std::mem::take(&mut queue.waiting)
        };
        let result = catch_up(&shared).await;
        for waiter in waiting {
            // A reader that has gone away does not need to know.
            drop(waiter.send(result.clone()));
        }
    }
}

async fn catch_up(shared: &Shared) -> Result<(), ReadError> {
    // Longer than an election takes.
    let within = 3 * shared.timing.silence();
    let deadline = Instant::now() + within;
    let caught_up = async {
        loop {
            let why = match ask(shared, deadline).await {
                Ok(upto) => return wait_applied(shared, upto).await,
                Err(why) => why,
            };
            if Instant::now() + RETRY >= deadline {
                return Err(ReadError::Unavailable(why));
            }
            tokio::time::sleep(RETRY).await;
        }
    };
    let late = || ReadError::Unavailable("no leader answered in time".into());
    let caught_up = tokio::time::timeout(within, caught_up).await;
    caught_up.unwrap_or_else(|_| Err(late()))
}

/// Asks the leader, which may be this node, for the last committed position.
async fn ask(shared: &Shared, deadline: Instant) -> Result<Position, String> {
    let metrics = shared.metrics();
    match metrics.current_leader {
        None => Err("there is no leader".into()),
        Some(leader) if leader == shared.id => shared.read_index().await,
        Some(leader) => {
            let node = metrics.membership_config.membership().get_node(&leader);
            let member: Member = node.ok_or("the leader is not known")?.member();
            let within = deadline.saturating_duration_since(Instant::now());
            let within = within.min(shared.timing.election_max);
            let asked = shared
                .voice
                .ask(leader, &member, &Ask::ReadIndex, &[], within);
            match asked.await.map_err(|error| error.to_string())? {
                Answer::ReadIndex(upto) => Ok(upto),
                Answer::NotLeader => Err("leadership is moving".into()),
                answer => Err(format!("unexpected answer {answer:?}")),
            }
        }
    }
}

async fn wait_applied(shared: &Shared, upto: Position) -> Result<(), ReadError> {
    let mut applied = shared.raft.watch_apply_progress();
    loop {
        let told = shared.applied.told();
        if told.is_some_and(|told| told >= upto.index) {
            return Ok(());
        }
        if let Some(reason) = shared.applied.poison.reason() {
            return Err(ReadError::Fatal(reason));
        }
        if applied.changed().await.is_err() {
            return Err(ReadError::Unavailable("the storage is stopping".into()));
        }
    }
}

impl Shared {
    /// Returns the last committed position, if this node leads: by its lease, or by a quorum's
    /// word.
    pub(in crate::raft) async fn read_index(&self) -> Result<Position, String> {
        let option = LinearizerOption::new(Some(self.lease.age_max()), true);
        let linearizer = self.raft.get_read_log_id(option).await;
        let (upto, _) = linearizer.map_err(|error| error.to_string())?;
        Ok(crate::raft::wire::types::position(upto.log_id()))
    }
}
