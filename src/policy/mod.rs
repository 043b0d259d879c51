//! ACL policies: parse, compile, decide.
