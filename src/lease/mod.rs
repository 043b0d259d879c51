//! Leases: deadlines and what to undo when they pass.
