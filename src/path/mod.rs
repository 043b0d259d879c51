//! API and storage paths: segments between slashes, checked once at the edge.
//!
//! Invariant: a path that passed [`check`] has no empty, `.` or `..` segment, no control
//! character, and is within the limits below. Policies and storage see only checked paths.

/// Longest path in bytes.
pub const PATH_BYTES_MAX: usize = 2048;
/// Longest single segment in bytes.
pub const SEGMENT_BYTES_MAX: usize = 512;
/// Most segments in a path.
pub const SEGMENTS_MAX: usize = 64;

/// Reasons to refuse a path; always the client's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path is too long; the client must shorten it.
    #[error("path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
    /// A segment is too long; the client must shorten it.
    #[error("a path segment is longer than {SEGMENT_BYTES_MAX} bytes")]
    SegmentTooLong,
    /// The path has too many segments; the client must flatten it.
    #[error("path has more than {SEGMENTS_MAX} segments")]
    TooDeep,
    /// The path has `.`, `..` or empty segments; the client must remove them.
    #[error("path contains an empty, '.' or '..' segment")]
    Traversal,
    /// The path has control characters; the client must remove them.
    #[error("path contains a control character")]
    Control,
    /// The path begins or ends with white space, and would look like another name; the client must
    /// remove it.
    #[error("path cannot begin or end with white space")]
    BlankEnd,
}

/// Checks a relative path such as `secret/data/app` or `secret/metadata/` (a trailing slash is
/// allowed, a leading one is not).
pub fn check(path: &str) -> Result<(), PathError> {
    if path.len() > PATH_BYTES_MAX {
        return Err(PathError::TooLong);
    }
    if path.chars().any(char::is_control) {
        return Err(PathError::Control);
    }
    let body = path.strip_suffix('/').unwrap_or(path);
    if body.is_empty() {
        return if path.is_empty() {
            Ok(())
        } else {
            Err(PathError::Traversal)
        };
    }
    let mut count = 0;
    for segment in body.split('/') {
        count += 1;
        if matches!(segment, "" | "." | "..") {
            return Err(PathError::Traversal);
        }
        if segment.len() > SEGMENT_BYTES_MAX {
            return Err(PathError::SegmentTooLong);
        }
    }
    if count > SEGMENTS_MAX {
        Err(PathError::TooDeep)
    } else {
        Ok(())
    }
}

/// Checks the path of a new mount or device, beyond [`check`]: no white space at either end,
/// slashes aside.
pub fn check_ends(path: &str) -> Result<(), PathError> {
    let name = path.trim_matches('/');
    match name.trim() == name {
        true => Ok(()),
        false => Err(PathError::BlankEnd),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_by_name() {
        for (path, error) in [
            ("a//b", PathError::Traversal),
            ("/a", PathError::Traversal),
            ("/", PathError::Traversal),
            ("a/../b", PathError::Traversal),
            ("a/./b", PathError::Traversal),
            ("a\u{0}b", PathError::Control),
            ("a\nb", PathError::Control),
        ] {
            assert_eq!(check(path), Err(error), "{path:?}");
        }
        assert_eq!(
            check(&"a".repeat(PATH_BYTES_MAX + 1)),
            Err(PathError::TooLong)
        );
        assert_eq!(
            check(&"a".repeat(SEGMENT_BYTES_MAX + 1)),
            Err(PathError::SegmentTooLong)
        );
        assert_eq!(
            check(&vec!["a"; SEGMENTS_MAX + 1].join("/")),
            Err(PathError::TooDeep)
        );
        for path in ["", "a", "a/b/", "a..b/.c", "…/ü"] {
            assert_eq!(check(path), Ok(()), "{path:?}");
        }
    }

    #[test]
    fn a_mount_has_no_blank_at_an_end() {
        for path in [" a/", "a ", "a /", "/ a/b", "a/b\u{a0}/", " "] {
            assert_eq!(check_ends(path), Err(PathError::BlankEnd), "{path:?}");
        }
        for path in ["a", "a b/", "a /b/", "/a/"] {
            assert_eq!(check_ends(path), Ok(()), "{path:?}");
        }
    }
}
