//! New unseal keys, or new recovery keys, from the shares of the present ones.
//!
//! ```text
//! begin --nonce--> shares of the present key --enough, right--> new shares are shown
//!                                                    |  without verification: in force
//!                                                    v
//!                                     shares of the new key --enough, right--> in force
//! ```
//!
//! `rows.rs` has the paths, `rekeying.rs` one ceremony as a state machine, `acts.rs` its effects
//! on the seal, `words.rs` its messages, `backup.rs` the encrypted shares that are kept. The new
//! seal is one log entry (`barrier/current_seal.rs`), which every node follows: from then on the
//! old shares are refused on each.
//!
//! Invariants
//! - Until that entry is committed the old shares open, whatever was begun, shown or given up.
//! - A ceremony ends when the keys that it began with are replaced by another.
//! - Each key and each door has a ceremony of its own: nobody without a token can block, cancel or
//!   spoil one that was begun with a token.

mod acts;
mod backup;
mod rekeying;
mod rows;
mod words;

pub(super) use backup::{BACKUPS, codec};
pub use rekeying::Rekeys;
pub(super) use rows::ROWS;
pub(in crate::sys) use rows::is_rekey;
