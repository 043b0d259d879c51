//! The endpoints that answer while sealed, before any token can be checked: initialising
//! (`init.rs`), unsealing (`unseal.rs`), the state of the node (`status.rs`), and joining
//! (`join.rs`). Most answer bare objects without an envelope. `table.rs` puts their rows together.

mod answers;
mod asked;
mod init;
mod join;
mod recipients;
mod status;
mod table;
mod unseal;

pub(super) use answers::{bare, failed};
pub use asked::{Bears, Verb};
pub(super) use recipients::{ShareTexts, key_texts, public_keys, share_texts, token_text};
pub use table::MOUNT;
pub(super) use table::TABLE;
pub use table::{Endpoint, Request, answer, endpoint};
pub(super) use unseal::decode_key;
pub use unseal::{UNSEAL_KEY_BYTES_MAX, UNSEAL_KEY_BYTES_MIN};
