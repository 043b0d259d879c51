//! Auth methods, a folder each.
