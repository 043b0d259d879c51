//! The release before this one, whose members prove no keys: what a rolling upgrade begins with,
//! and what shows that the thief is one. `before` beside this file builds it.

use std::path::PathBuf;

/// Why it is not there.
pub const MISSING: &str = "the release before is not built; tests/cluster/before builds it";

/// Its program, where it was built.
pub fn binary() -> Option<String> {
    let built = std::env::var_os("COFFER_BEFORE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/before/coffer"),
        PathBuf::from,
    );
    let path = built.exists().then_some(built)?;
    Some(path.display().to_string())
}
