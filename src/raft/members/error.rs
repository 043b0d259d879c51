//! Errors of changing the members.

/// A reason for which the members were not changed, or leadership not handed over.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChangeError {
    /// The caller's fault: the message names the fault and the remedy. Nothing changed.
    #[error("{0}")]
    Refused(String),
    /// Not now: this node does not lead.
    #[error("this node does not lead")]
    NotLeader,
    /// Not now: no quorum answered, or time ran out; the change may still happen.
    #[error("{0}")]
    Unavailable(String),
}
