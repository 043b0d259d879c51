//! The policies that exist before any is written.

/// The policy that grants everything, everywhere; it cannot be read as text, changed or deleted.
pub const ROOT: &str = "root";
/// The policy that every token has, unless its maker leaves it out; it may be changed, not deleted.
pub const DEFAULT: &str = "default";
/// The policy of response-wrapping tokens; it cannot be attached to others.
pub const RESPONSE_WRAPPING: &str = "response-wrapping";

/// The text of `default` until another is written.
pub(super) const DEFAULT_TEXT: &str = r#"
# A token may ask about itself, prolong itself and end itself.
path "auth/token/lookup-self" {
    capabilities = ["read"]
}
path "auth/token/renew-self" {
    capabilities = ["update"]
}
path "auth/token/revoke-self" {
    capabilities = ["update"]
}

# ... ask what it may do, and which paths it can see at all.
path "sys/capabilities-self" {
    capabilities = ["update"]
}
path "sys/internal/ui/resultant-acl" {
    capabilities = ["read"]
}

# ... read the entity that it belongs to.
path "identity/entity/id/{{identity.entity.id}}" {
    capabilities = ["read"]
}
path "identity/entity/name/{{identity.entity.name}}" {
    capabilities = ["read"]
}

# ... use leases whose id it knows; the id is the secret here.
path "sys/renew" {
    capabilities = ["update"]
}
path "sys/leases/renew" {
    capabilities = ["update"]
}
path "sys/leases/lookup" {
    capabilities = ["update"]
}

# ... keep things in its own cubbyhole.
path "cubbyhole/*" {
    capabilities = ["create", "read", "update", "delete", "list"]
}

# ... wrap values, and open what was wrapped for it.
path "sys/wrapping/wrap" {
    capabilities = ["update"]
}
path "sys/wrapping/lookup" {
    capabilities = ["update"]
}
path "sys/wrapping/unwrap" {
    capabilities = ["update"]
}

# ... have something hashed.
path "sys/tools/hash" {
    capabilities = ["update"]
}
path "sys/tools/hash/*" {
    capabilities = ["update"]
}

# ... follow a control group request and log in through an OIDC provider.
path "sys/control-group/request" {
    capabilities = ["update"]
}
path "identity/oidc/provider/+/authorize" {
    capabilities = ["read", "update"]
}
"#;

pub(super) const RESPONSE_WRAPPING_TEXT: &str = r#"
path "cubbyhole/response" {
    capabilities = ["create", "read"]
}
path "sys/wrapping/unwrap" {
    capabilities = ["update"]
}
path "sys/wrapping/lookup" {
    capabilities = ["update"]
}
path "sys/wrapping/rewrap" {
    capabilities = ["update"]
}
path "auth/token/revoke-self" {
    capabilities = ["update"]
}
"#;
