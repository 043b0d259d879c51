//! Everything that can be mounted: one line for each kind of engine.

use crate::auth::token;
use crate::engine::table::Access;
use crate::engine::{Kind, MountContext, Operation, cubbyhole, kv, transit};
use crate::sys;

/// The kinds of this build.
pub static KINDS: [&Kind; 5] = [
    &cubbyhole::KIND,
    &kv::KIND,
    &sys::KIND,
    &token::KIND,
    &transit::KIND,
];

/// Returns true if `path` (without `/v1/`) needs `sudo`, by the tables of the engines that every
/// server has. A path that is listed (`lists`) may lack its last slash.
pub fn needs_sudo(path: &str, lists: bool) -> bool {
    let folder = lists.then(|| format!("{path}/"));
    let mounts = [(sys::open::MOUNT, &sys::KIND), (token::MOUNT, &token::KIND)];
    mounts.iter().any(|(mount, kind)| {
        let sheets = (kind.sheets)(&MountContext::default());
        let asked = [
            (Some(path), Operation::Read),
            (folder.as_deref(), Operation::List),
        ];
        asked.into_iter().any(|(path, operation)| {
            let below = path.and_then(|path| path.strip_prefix(mount));
            let mut found = sheets
                .iter()
                .filter_map(|sheet| sheet.endpoint(below?, operation));
            found.any(|endpoint| endpoint.access == Access::Sudo)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As OpenBao's client says it, but for `sys/seal`, `sys/step-down`, `sys/leases/tidy` and
    /// snapshots by the clock, which need `sudo` at its server, too, and for what is told apart by
    /// the operation only: `sys/leases/lookup`.
    #[test]
    fn paths_that_need_sudo_are_those_of_the_tables() {
        for (path, lists, expected) in [
            ("auth/token/accessors", true, true),
            ("auth/token/create", false, false),
            ("auth/token/tidy", false, false),
            ("auth/userpass/accessors", true, false),
            ("sys/audit", false, true),
            ("sys/audit", true, true),
            ("sys/audit/x", false, true),
            ("sys/audit-hash/x", false, false),
            ("sys/auth", false, false),
            ("sys/auth/x", false, true),
            ("sys/auth/x/y/tune", false, true),
            ("sys/config/auditing/request-headers/x", false, true),
            ("sys/config/cors", false, true),
            ("sys/config/ui/headers", true, true),
            ("sys/config/ui/headers/x", false, true),
            ("sys/health", false, false),
            ("sys/leases/lookup", false, false),
            ("sys/leases/lookup", true, true),
            ("sys/leases/lookup/a", true, true),
            ("sys/leases/revoke-force/a", false, true),
            ("sys/leases/revoke-prefix/a/b", false, true),
            ("sys/leases/tidy", false, true),
            ("sys/mounts/x", false, false),
            ("sys/mounts/x/tune", false, false),
            ("sys/plugins/catalog/secret/x", false, true),
            ("sys/policies/acl", true, false),
            ("sys/raw", true, true),
            ("sys/raw/a", false, true),
            ("sys/raw/a", true, true),
            ("sys/remount", false, true),
            ("sys/revoke-force/a", false, true),
            ("sys/rotate", false, true),
            ("sys/rotate/config", false, false),
            ("sys/rotate/keyring", false, true),
            ("sys/seal", false, true),
            ("sys/step-down", false, true),
            ("secret/sys/seal", false, false),
        ] {
            assert_eq!(needs_sudo(path, lists), expected, "{path} {lists}");
        }
    }
}
