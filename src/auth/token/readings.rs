//! Tells the rules about parameters how fields of tokens and roles are read.
//!
//! Must say what the `field` functions that `create` and `role` call do.

use crate::engine::{Field, FieldKind};

/// The field `name` at `path`, relative to the mount.
pub(super) fn of(path: &str, name: &str) -> Field {
    let makes_tokens = ["create", "create-orphan"].contains(&path) || path.starts_with("create/");
    match name {
        "lease" if makes_tokens => Field::alias("ttl", FieldKind::Seconds),
        "period" if !makes_tokens => Field::alias("token_period", FieldKind::Seconds),
        "explicit_max_ttl" if !makes_tokens => {
            Field::alias("token_explicit_max_ttl", FieldKind::Seconds)
        }
        "bound_cidrs" => Field::alias("token_bound_cidrs", FieldKind::CommaList),
        _ => Field::of(kind(name)),
    }
}

fn kind(name: &str) -> FieldKind {
    match name {
        "ttl"
        | "period"
        | "explicit_max_ttl"
        | "token_period"
        | "token_explicit_max_ttl"
        | "increment" => FieldKind::Seconds,
        "num_uses" | "token_num_uses" => FieldKind::Integer,
        "no_default_policy" | "no_parent" | "renewable" | "orphan" | "token_no_default_policy" => {
            FieldKind::Flag
        }
        "policies" => FieldKind::Names,
        "allowed_policies"
        | "disallowed_policies"
        | "allowed_policies_glob"
        | "disallowed_policies_glob"
        | "allowed_entity_aliases" => FieldKind::CommaNames,
        "token_bound_cidrs" => FieldKind::CommaList,
        "meta" => FieldKind::Pairs,
        _ => FieldKind::Plain,
    }
}
