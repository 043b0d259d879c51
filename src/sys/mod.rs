//! The `sys/` API: init, unseal, health and the rest that must answer while sealed (`open`), and
//! the engine behind the `sys/` mount. That engine answers `sys/seal`, `sys/step-down` (update) and
//! `sys/ha-status` (read) with an empty success; [`Step`] then does what was allowed.

mod lifecycle;
pub mod open;
mod step;

pub use lifecycle::{
    HaStatus, InitRequest, InitResult, LeaderStatus, Lifecycle, LifecycleError, SealStatus,
    ShareInput,
};
pub use step::Step;
