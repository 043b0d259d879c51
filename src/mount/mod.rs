//! The mount table: what is mounted where.
