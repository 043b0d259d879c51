//! The language as a whole, recorded and drawn, and lights whose hardware misbehaves.

mod drawing;
mod language;
mod misbehaving;
mod timeline;

use std::path::Path;

/// Compares a text with a file of the repository. With `BLESS` set, writes the file instead.
#[track_caller]
fn recorded(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let recording = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = recording.lines().zip(text.lines()).enumerate();
    let different = lines.into_iter().find(|(_, (old, new))| old != new);
    assert!(
        recording == text,
        "{file} is not what the code shows now; first difference: {different:?}; if that is meant, \
         record it with BLESS=1 and look at what changed"
    );
}
