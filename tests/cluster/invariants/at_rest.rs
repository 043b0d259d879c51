//! No plaintext on any disk: neither values nor names.

use super::super::seeded::MARKER;
use std::path::Path;

pub fn holds_no_plaintext(folder: &Path) {
    let mut looked_at = 0;
    look(folder, &mut looked_at);
    assert!(looked_at > 0, "no files in {}", folder.display());
}

fn look(folder: &Path, looked_at: &mut usize) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            look(&path, looked_at);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        *looked_at += 1;
        let marker = MARKER.as_bytes();
        let found = bytes.windows(marker.len()).any(|window| window == marker);
        assert!(!found, "plaintext in {}", path.display());
    }
}
