//! Composition root: start, stop, sealed, standby, active.
