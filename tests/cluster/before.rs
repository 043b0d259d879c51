//! The release before this one, whose members prove no keys: a rolling upgrade begins with it, and
//! the thief's attacks succeed on it. `before` beside this file builds it.

use std::path::PathBuf;

/// The message of a test that needs it and does not find it.
pub const MISSING: &str = "the release before is not built; tests/cluster/before builds it";

/// Returns the path of its program, where it was built.
pub fn binary() -> Option<String> {
    let built = std::env::var_os("COFFER_BEFORE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/before/coffer"),
        PathBuf::from,
    );
    let path = built.exists().then_some(built)?;
    Some(path.display().to_string())
}
