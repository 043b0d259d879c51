//! `{{identity....}}` in the paths of a policy.

use super::PolicyError;

/// The subject of templates. `identity` implements it; a token without an entity has none.
pub trait Subject {
    /// Returns the value of a selector such as `identity.entity.metadata.team`; `None` when it has
    /// none.
    fn value(&self, selector: &str) -> Option<String>;
}

/// Characters that would give a value a meaning in a policy path (CVE-2026-5006).
const REFUSED: [char; 6] = ['/', '+', '*', ',', '{', '}'];

/// The value is unknown, or is refused; the rule matches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unresolved;

pub(super) fn is_template(path: &str) -> bool {
    path.contains("{{")
}

/// Checks that every `{{` has its `}}` and a known kind of selector between them.
pub(super) fn check(path: &str) -> Result<(), PolicyError> {
    let unbalanced = || {
        PolicyError::Syntax(format!(
            "path {path:?}: failed to validate policy templating: unbalanced templating characters"
        ))
    };
    let mut rest = path;
    while let Some((before, after)) = rest.split_once("{{") {
        if before.contains("}}") {
            return Err(unbalanced());
        }
        let (selector, tail) = after.split_once("}}").ok_or_else(unbalanced)?;
        if selector.contains("{{") {
            return Err(unbalanced());
        }
        let selector = selector.trim();
        if selector.is_empty() || selector.contains(char::is_whitespace) {
            return Err(PolicyError::Syntax(format!(
                "path {path:?}: failed to validate policy templating: \
                 invalid template selector {selector:?}"
            )));
        }
        rest = tail;
    }
    if rest.contains("}}") {
        Err(unbalanced())
    } else {
        Ok(())
    }
}

/// Replaces the templates of a checked path by their values.
pub(super) fn render(path: &str, subject: Option<&dyn Subject>) -> Result<String, Unresolved> {
    let subject = subject.ok_or(Unresolved)?;
    let mut rendered = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once("{{") {
        let (selector, tail) = after.split_once("}}").ok_or(Unresolved)?;
        let value = subject.value(selector.trim()).ok_or(Unresolved)?;
        let unfit = |c: char| REFUSED.contains(&c) || c.is_control();
        if value.is_empty() || value.contains(unfit) || matches!(value.as_str(), "." | "..") {
            return Err(Unresolved);
        }
        rendered.push_str(before);
        rendered.push_str(&value);
        rest = tail;
    }
    rendered.push_str(rest);
    Ok(rendered)
}
