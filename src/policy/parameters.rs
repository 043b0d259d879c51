//! The rules about the parameters of a request.
//!
//! Names are read as engines read them, in one place: [`Sent::means`]. A field has one spelling,
//! and its older names stand for it. A rule's own names are taken in lower case, which all fields
//! of engines have; one that allows may also be written as the client writes it, since version 1 of
//! kv takes names of any case. One that denies holds in every case.

use super::value;
use crate::engine::{FieldKind, Meaning};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Values by parameter name, as written; an empty list stands for any value.
pub type Parameters = BTreeMap<String, Vec<Value>>;

/// Returns the meaning of a field's name for the engine that will answer.
pub type ReadField<'a> = &'a dyn Fn(&str) -> Meaning;

/// The parameters of a request.
#[derive(Clone, Copy)]
pub(super) struct Sent<'a> {
    pub data: &'a Map<String, Value>,
    pub field: ReadField<'a>,
}

impl Sent<'_> {
    /// Returns true if every one of `names` is sent, under that very name or one that the engine
    /// takes for it, and with a value that the engine does not take for none.
    pub fn has_all(&self, names: &[String]) -> bool {
        names.iter().all(|wanted| {
            let mut sent = self.data.iter();
            sent.any(|(name, value)| {
                self.means(wanted, name) && !value::is_absent(value, self.kind(name))
            })
        })
    }

    /// Returns true if no parameter is sent that `denied` lists. `*` denies every parameter.
    pub fn avoids(&self, denied: &Parameters) -> bool {
        if denied.is_empty() || self.data.is_empty() {
            return true;
        }
        let listed = |(name, value): (&String, &Value)| {
            let folded = name.to_lowercase();
            let mut rules = denied.iter();
            rules.any(|(rule, values)| {
                self.means(rule, &folded) && value::is_denied(values, value, self.kind(&folded))
            })
        };
        !denied.contains_key("*") && !self.data.iter().any(listed)
    }

    /// Returns true if every parameter sent is in `allowed`. No rules allow everything, and so does
    /// `*`, except for parameters with rules of their own.
    pub fn keeps_to(&self, allowed: &Parameters) -> bool {
        if allowed.is_empty() {
            return true;
        }
        let any = allowed.contains_key("*");
        self.data.iter().all(|(name, value)| {
            let speaks = |rule: &str| rule == name || self.means(rule, name);
            let rules = allowed.iter().filter(|(rule, _)| speaks(rule));
            let lists: Vec<&Vec<Value>> = rules.map(|(_, values)| values).collect();
            match lists.as_slice() {
                [] => any,
                lists if lists.iter().any(|list| list.is_empty()) => true,
                lists => {
                    let values: Vec<Value> = lists.iter().copied().flatten().cloned().collect();
                    value::is_allowed(&values, value, self.kind(name))
                }
            }
        })
    }

    /// Returns true if a rule for `rule` is about the parameter `name`.
    fn means(&self, rule: &str, name: &str) -> bool {
        let rule = rule.to_lowercase();
        let one = |alias: Option<&'static str>, own| alias.unwrap_or(own);
        let (of_rule, of_name) = ((self.field)(&rule), (self.field)(name));
        one(of_rule.alias_of, rule.as_str()) == one(of_name.alias_of, name)
    }

    fn kind(&self, name: &str) -> FieldKind {
        (self.field)(name).kind
    }
}
