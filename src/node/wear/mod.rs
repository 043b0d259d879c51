//! The wear of the device: the bytes and flushes that it is given, the life that it has left, and a
//! warning when a configured budget is passed.
//!
//! Counting writes nothing: this process's counts are additions (`telemetry::writes`), the device's
//! are the kernel's (`block`), and the hours that have passed are kept in memory since the start
//! only. Looking at them is a few small reads of `/sys`, once an hour and when a client asks; every
//! five minutes where a budget is configured.

mod endurance;
mod follow;
mod history;
mod ledger;
mod report;
mod show;
mod watch;

pub(super) use follow::follow;
pub(super) use ledger::keep_account;
pub(super) use watch::Wear;
