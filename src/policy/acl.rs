//! The compiled policies of a token, and the question put to them.

use super::authorized::{Authorized, Denied};
use super::select::{Rules, winner};
use super::template::Subject;
use super::{Capabilities, Capability, Permissions, Policy};
use crate::engine::Operation;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// May this be done?
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Full API path without `/v1/`: `secret/data/app`.
    pub path: &'a str,
    /// What to do there.
    pub operation: Operation,
    /// Parameters, for rules that speak of them.
    pub data: &'a Map<String, Value>,
    /// How the answer is to be wrapped, if at all.
    pub wrap_ttl: Option<Duration>,
    /// The path asks for `sudo` beside the operation.
    pub needs_sudo: bool,
}

/// Policies joined into one set of rules. Immutable; shared by all tokens with the same list.
#[derive(Debug, Default)]
pub struct Acl {
    root: bool,
    rules: Rules,
}

impl Acl {
    /// Joins `policies` for a caller without an identity: templated rules match nothing.
    pub fn compile(policies: &[Arc<Policy>]) -> Self {
        Self::compile_for(policies, None)
    }

    /// Joins `policies` for `subject`.
    pub fn compile_for(policies: &[Arc<Policy>], subject: Option<&dyn Subject>) -> Self {
        let mut acl = Self::default();
        for policy in policies {
            acl.root |= policy.is_root();
            for (path, permissions) in policy.rules_for(subject) {
                acl.rules.insert(&path, permissions);
            }
        }
        acl
    }

    /// Is the root policy among them?
    pub fn is_root(&self) -> bool {
        self.root
    }

    /// Hands `request` back with the proof, or denies. `request` is not looked at: `question`
    /// must be about it.
    pub fn authorize<R>(
        &self,
        request: R,
        question: &Question<'_>,
    ) -> Result<Authorized<R>, Denied> {
        if self.root {
            return Ok(Authorized::granted(request, true));
        }
        let lists = matches!(question.operation, Operation::List | Operation::Scan);
        let path = if lists {
            as_folder(question.path)
        } else {
            question.path.into()
        };
        let permissions = self.find(&path).ok_or(Denied)?;
        let capabilities = permissions.capabilities;
        let sudo = capabilities.contains(Capability::Sudo);
        let granted = capabilities.permit(question.operation)
            && (sudo || !question.needs_sudo)
            && permissions.wrapping_fits(question.wrap_ttl)
            && permissions.parameters_fit(question.operation, question.data);
        if granted {
            Ok(Authorized::granted(request, sudo))
        } else {
            Err(Denied)
        }
    }

    /// What may be done at `path`: sorted names, `["deny"]` for nothing, `["root"]` for root.
    pub fn capabilities(&self, path: &str) -> Vec<&'static str> {
        if self.root {
            return vec!["root"];
        }
        let found = self.find(path.trim_start_matches('/'));
        found
            .map_or(Capabilities::default(), |p| p.capabilities)
            .names()
    }

    /// Does any rule grant something at or below `prefix` (a mount path)? For listings that
    /// show a caller only what concerns it.
    pub fn touches(&self, prefix: &str) -> bool {
        self.root || self.rules.touch(prefix)
    }

    /// The rule that counts for `path`. A folder (`x/`) is also spoken of by what is written
    /// about `x`, unless something narrower denies it.
    fn find(&self, path: &str) -> Option<&Permissions> {
        if let Some(exact) = self.rules.exact(path) {
            return Some(exact);
        }
        let wildcard = self.rules.wildcard(path);
        let Some(name) = path.strip_suffix('/').filter(|name| !name.is_empty()) else {
            return wildcard.map(|found| found.permissions);
        };
        if let Some(exact) = self.rules.exact(name) {
            // CVE-2026-12624: `x/*` speaks of the folder itself, so its deny beats a grant on `x`.
            let narrower = wildcard.filter(|found| found.literal >= path.len());
            let denied = narrower.filter(|found| found.permissions.capabilities.denies());
            return Some(denied.map_or(exact, |found| found.permissions));
        }
        winner(wildcard, self.rules.wildcard(name)).map(|found| found.permissions)
    }
}

fn as_folder(path: &str) -> Cow<'_, str> {
    if path.ends_with('/') {
        path.into()
    } else {
        format!("{path}/").into()
    }
}
