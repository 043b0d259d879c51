//! The invariants that hold under all faults, one file each.

pub mod acknowledged;
pub mod at_rest;
pub mod leaders;
pub mod memory;
pub mod removed;
pub mod states;
