//! Which policies a new token gets, and who may give them.

use super::role::Role;
use crate::engine::Error;
use crate::policy::{self, DEFAULT, ROOT};

/// What decides it.
pub(super) struct Choice<'a> {
    /// Policies asked for; empty asks for none in particular.
    pub wanted: &'a [String],
    /// Leave `default` out.
    pub without_default: bool,
    /// Policies of the parent.
    pub parent: &'a [String],
    /// The parent may use `sudo` here.
    pub sudo: bool,
    /// The role, if one is used.
    pub role: Option<&'a Role>,
}

impl Choice<'_> {
    /// The sorted list, or why not.
    pub fn decide(&self) -> Result<Vec<String>, Error> {
        let policies = match self.role.filter(|role| limits_policies(role)) {
            Some(role) => self.through_role(role)?,
            None => self.plain()?,
        };
        let by_root = self.parent.iter().any(|name| name == ROOT);
        policy::check_attachable(&policies, by_root)?;
        Ok(policies)
    }

    fn plain(&self) -> Result<Vec<String>, Error> {
        let keep_default = !self.without_default;
        if self.wanted.is_empty() {
            return Ok(policy::sanitize(self.parent, false));
        }
        if self.sudo {
            return Ok(policy::sanitize(self.wanted, keep_default));
        }
        let parent = policy::sanitize(self.parent, false);
        let wanted = policy::sanitize(self.wanted, false);
        if !wanted.iter().all(|name| parent.contains(name)) {
            return Err(Error::invalid("child policies must be subset of parent"));
        }
        let inherit_default = keep_default && parent.iter().any(|name| name == DEFAULT);
        Ok(policy::sanitize(&wanted, inherit_default))
    }

    /// A role with lists of its own frees its tokens from the parent's policies.
    fn through_role(&self, role: &Role) -> Result<Vec<String>, Error> {
        let forbidden = |name: &str| {
            role.disallowed_policies.iter().any(|n| n == name)
                || globs_match(&role.disallowed_policies_glob, name)
        };
        let add_default = !self.without_default && !role.no_default_policy && !forbidden(DEFAULT);
        let allowed = policy::sanitize(&role.allowed_policies, add_default);
        let restricted =
            !role.allowed_policies.is_empty() || !role.allowed_policies_glob.is_empty();
        let policies = match (self.wanted.is_empty(), restricted) {
            (true, true) => allowed.clone(),
            (true, false) => policy::sanitize(self.parent, add_default),
            (false, _) => policy::sanitize(self.wanted, add_default),
        };
        if restricted && !self.wanted.is_empty() {
            let fits = |name: &String| {
                allowed.contains(name) || globs_match(&role.allowed_policies_glob, name)
            };
            if !policies.iter().all(fits) {
                return Err(Error::invalid(format!(
                    "token policies ({}) must be subset of the role's allowed policies ({}) \
                     or glob policies ({})",
                    quoted(&policies),
                    quoted(&allowed),
                    quoted(&role.allowed_policies_glob)
                )));
            }
        }
        if let Some(name) = policies.iter().find(|name| forbidden(name)) {
            return Err(Error::invalid(format!(
                "token policy {name:?} is disallowed by this role"
            )));
        }
        Ok(policies)
    }
}

fn limits_policies(role: &Role) -> bool {
    !(role.allowed_policies.is_empty()
        && role.allowed_policies_glob.is_empty()
        && role.disallowed_policies.is_empty()
        && role.disallowed_policies_glob.is_empty())
}

fn globs_match(globs: &[String], name: &str) -> bool {
    globs.iter().any(|glob| policy::glob_matches(glob, name))
}

/// `["a" "b"]`
fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    format!("[{}]", names.join(" "))
}
