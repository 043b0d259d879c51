//! The language as a whole, and lights whose hardware misbehaves.

mod language;
mod misbehaving;
