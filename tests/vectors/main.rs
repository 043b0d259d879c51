//! Known answers: a store laid out by another hand, shares from a real server, and the broken
//! ones of both, named by defect. The scripts beside this file made them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics fails"
)]

mod barrier;
mod shamir;

use serde_json::Value;

/// Returns the text at `pointer`.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap()
}

/// Returns the array at `pointer`.
fn array<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).unwrap()
}

/// Returns the bytes in hex at `pointer`.
fn bytes(value: &Value, pointer: &str) -> Vec<u8> {
    hex::decode(text(value, pointer)).unwrap()
}
