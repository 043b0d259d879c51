//! Acknowledged writes survive, and no read returns the past: the history is that of a single copy.

use super::super::check::{Operation, check};

pub fn hold(history: &[Operation]) {
    check(history).unwrap_or_else(|violation| panic!("{violation}"));
}
