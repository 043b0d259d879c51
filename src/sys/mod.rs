//! The `sys/` API: init, unseal, health and the rest that must answer while sealed (`open`), and
//! the engine behind the `sys/` mount.

mod lifecycle;
pub mod open;

pub use lifecycle::{
    HaStatus, InitRequest, InitResult, LeaderStatus, Lifecycle, LifecycleError, SealStatus,
    ShareInput,
};
