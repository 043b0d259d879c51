//! The ports of `sys/`, to the node's life ([`Lifecycle`]) and to the members of its cluster
//! ([`Cluster`]). `node` implements both.
//!
//! Stands lowest in `sys/`: names no endpoint and nothing that is done on them.

mod cluster;
mod lifecycle;

pub use cluster::{
    Challenge, Cluster, JoinAnswer, JoinRequest, JoinTokenMade, MemberChange, MemberError,
    MemberStatus, Membership, TOKEN_ID_BYTES,
};
pub use lifecycle::{
    HaStatus, InitRequest, InitResult, LeaderStatus, Lifecycle, LifecycleError, Metering,
    NO_SEAL_MIGRATION, SealBackends, SealStatus, ShareInput,
};
