//! The replicated log and the state machine.
