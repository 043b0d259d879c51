//! Lists: one level with pages, or everything below a folder.

use crate::barrier::View;
use crate::engine::Error;

/// Most keys one SCAN answers; beyond it the client must scan folders one by one.
pub(crate) const SCAN_KEYS_MAX: usize = 100_000;

/// Returns `path` as a folder: empty, or ending in one slash.
pub(crate) fn folder(path: &str) -> String {
    if path.is_empty() || path.ends_with('/') {
        path.to_owned()
    } else {
        format!("{path}/")
    }
}

/// Returns the part of `keys` (sorted) after `after`, at most `limit` of it; a limit below one is
/// none.
pub(crate) fn page(mut keys: Vec<String>, after: Option<&str>, limit: i64) -> Vec<String> {
    if let Some(after) = after.filter(|after| !after.is_empty()) {
        keys.retain(|key| key.as_str() > after);
    }
    if let Some(limit) = usize::try_from(limit).ok().filter(|limit| *limit > 0) {
        keys.truncate(limit);
    }
    keys
}

/// Returns every leaf below `prefix` of `view`, relative to it: the leaves of a folder before its
/// folders, the last folder first. The order is OpenBao's.
pub(crate) fn scan(view: &View, prefix: &str) -> Result<Vec<String>, Error> {
    let mut leaves = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for name in view.list(&format!("{prefix}{folder}"))? {
            let path = format!("{folder}{name}");
            if name.ends_with('/') {
                folders.push(path);
            } else {
                leaves.push(path);
            }
        }
        if leaves.len() > SCAN_KEYS_MAX {
            return Err(Error::invalid(format!(
                "more than {SCAN_KEYS_MAX} keys: scan smaller folders"
            )));
        }
    }
    Ok(leaves)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_page_starts_after_a_name_that_need_not_exist() {
        let all = keys(&["a", "b", "b/", "f/"]);
        assert_eq!(page(all.clone(), Some("aa"), 2), keys(&["b", "b/"]));
        assert_eq!(page(all.clone(), Some("b"), 0), keys(&["b/", "f/"]));
        assert_eq!(page(all.clone(), Some(""), -1), all);
        assert_eq!(page(all, Some("z"), 1), keys(&[]));
    }
}
