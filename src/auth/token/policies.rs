//! The policies that a new token gets, and the rules of giving them.

use super::role::Role;
use crate::engine::Error;
use crate::policy::{self, DEFAULT, ROOT};

/// The facts that decide a new token's policies.
pub(super) struct Choice<'a> {
    /// Policies asked for; empty asks for none in particular.
    pub wanted: &'a [String],
    /// True to leave `default` out, also where it is asked for or inherited.
    pub without_default: bool,
    /// Policies of the parent.
    pub parent: &'a [String],
    /// True when the parent may use `sudo` here.
    pub sudo: bool,
    /// The role, if one is used.
    pub role: Option<&'a Role>,
}

impl Choice<'_> {
    /// Returns the sorted list, or the reason for refusing it. `root` takes the place of all others
    /// only here, at the end: each rule that allows or forbids is asked about each name.
    pub fn decide(&self) -> Result<Vec<String>, Error> {
        let mut names = match self.role.filter(|role| limits_policies(role)) {
            Some(role) => self.through_role(role)?,
            None => self.plain()?,
        };
        if self.leaves_default_out() {
            names.retain(|name| name != DEFAULT);
        }
        let by_root = self.parent.iter().any(|name| name == ROOT);
        policy::check_attachable(&names, by_root)?;
        Ok(policy::sanitize(&names, false))
    }

    fn leaves_default_out(&self) -> bool {
        self.without_default || self.role.is_some_and(|role| role.no_default_policy)
    }

    fn plain(&self) -> Result<Vec<String>, Error> {
        let keep_default = !self.leaves_default_out();
        if self.wanted.is_empty() {
            return Ok(policy::normalize_list(self.parent, false));
        }
        if self.sudo {
            return Ok(policy::normalize_list(self.wanted, keep_default));
        }
        let wanted = policy::normalize_list(self.wanted, false);
        self.check_subset(&wanted)?;
        let inherit_default = keep_default && self.parent.iter().any(|name| name == DEFAULT);
        Ok(policy::normalize_list(&wanted, inherit_default))
    }

    fn check_subset(&self, names: &[String]) -> Result<(), Error> {
        let parent = policy::normalize_list(self.parent, false);
        if names.iter().all(|name| parent.contains(name)) {
            return Ok(());
        }
        Err(Error::invalid("child policies must be subset of parent"))
    }

    /// Returns the policies that a role with lists of its own gives. Such a role frees its tokens
    /// from the parent's policies.
    fn through_role(&self, role: &Role) -> Result<Vec<String>, Error> {
        let forbidden = |name: &str| {
            role.disallowed_policies.iter().any(|n| n == name)
                || globs_match(&role.disallowed_policies_glob, name)
        };
        let add_default = !self.leaves_default_out() && !forbidden(DEFAULT);
        let allowed = policy::normalize_list(&role.allowed_policies, add_default);
        let restricted =
            !role.allowed_policies.is_empty() || !role.allowed_policies_glob.is_empty();
        let names = match (self.wanted.is_empty(), restricted) {
            (true, true) => allowed.clone(),
            (true, false) => policy::normalize_list(self.parent, add_default),
            (false, _) => policy::normalize_list(self.wanted, add_default),
        };
        if restricted && !self.wanted.is_empty() {
            let fits = |name: &String| {
                allowed.contains(name) || globs_match(&role.allowed_policies_glob, name)
            };
            if !names.iter().all(fits) {
                return Err(Error::invalid(format!(
                    "token policies ({}) must be subset of the role's allowed policies ({}) \
                     or glob policies ({})",
                    quoted(&names),
                    quoted(&allowed),
                    quoted(&role.allowed_policies_glob)
                )));
            }
        }
        if let Some(name) = names.iter().find(|name| forbidden(name)) {
            return Err(Error::invalid(format!(
                "token policy {name:?} is disallowed by this role"
            )));
        }
        if role.may_lack_names() && !self.sudo {
            let own: Vec<String> = names.iter().filter(|n| *n != DEFAULT).cloned().collect();
            self.check_subset(&own)
                .map_err(|_| Error::invalid(Role::LACKS_NAMES))?;
        }
        Ok(names)
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

/// Returns the names as `["a" "b"]`.
fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    format!("[{}]", names.join(" "))
}
