//! Tokens: records, lookup, creation, revocation.
