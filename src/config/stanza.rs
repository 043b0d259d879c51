//! Stanzas that are a type and a list of keys: `seal`, `service_registration`, `audit`.

use super::Position;
use super::environment::Environment;
use super::section::Section;
use crate::secret::SecretString;
use std::collections::BTreeMap;

/// `seal "kind" {...}`.
#[derive(Debug)]
pub struct Seal {
    /// `shamir`, `awskms`, `transit`, `static`, ...
    pub kind: String,
    /// `name`, to tell several seals apart.
    pub name: Option<String>,
    /// `priority` among several seals.
    pub priority: u64,
    /// `disabled`: the seal serves only to migrate away from it.
    pub disabled: bool,
    /// All other keys; any of them may be a credential.
    pub fields: BTreeMap<String, SecretString>,
    /// The place of the stanza.
    pub position: Position,
}

/// `service_registration "consul" {...}`.
#[derive(Debug)]
pub struct ServiceRegistration {
    /// `consul`, `kubernetes`.
    pub kind: String,
    /// The keys; `token` is a credential.
    pub fields: BTreeMap<String, SecretString>,
    /// The place of the stanza.
    pub position: Position,
}

/// `audit "file" "path" {...}` or `audit "path" { type = "file" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditDevice {
    /// `file`, `syslog`, `socket`.
    pub kind: String,
    /// The mount path, without the trailing slash.
    pub path: String,
    /// A text for people.
    pub description: String,
    /// `local`: the device is not replicated.
    pub local: bool,
    /// `file_path`, `log_raw`, `mode`, ...
    pub options: BTreeMap<String, String>,
}

/// Reads the `seal` stanzas. The variable `VAULT_SEAL_TYPE` alone stands for an empty one, whose
/// settings are variables, too; beside stanzas it must name one of them.
pub(super) fn seals(top: &Section<'_>, environment: &Environment) -> Vec<Seal> {
    let mut seals = stanzas(top);
    let Some((variable, kind)) = environment.lookup("SEAL_TYPE") else {
        return seals;
    };
    let enabled = || seals.iter().filter(|seal| !seal.disabled);
    let is_known = enabled().any(|seal| seal.kind == kind);
    match enabled().next() {
        Some(other) if !is_known => top.problems.error(
            &other.position,
            format!(
                "seal {:?} contradicts {variable}={kind}: unset it",
                other.kind
            ),
        ),
        None if kind != "shamir" => seals.push(Seal {
            kind,
            name: None,
            priority: 0,
            disabled: false,
            fields: BTreeMap::new(),
            position: Position {
                file: variable.into(),
                line: 0,
                column: 0,
            },
        }),
        _ => {}
    }
    seals
}

fn stanzas(top: &Section<'_>) -> Vec<Seal> {
    let mut seals = Vec::new();
    for (kind, section) in top.labelled("seal") {
        seals.push(Seal {
            name: section.text("name"),
            priority: section.integer("priority").unwrap_or(0),
            disabled: section.boolean("disabled").unwrap_or(false),
            fields: section.rest(),
            position: section.position.clone(),
            kind,
        });
    }
    seals
}

pub(super) fn service_registration(top: &Section<'_>) -> Option<ServiceRegistration> {
    let (kind, section) = top.labelled("service_registration").pop()?;
    Some(ServiceRegistration {
        fields: section.rest(),
        position: section.position.clone(),
        kind,
    })
}

pub(super) fn audit_devices(top: &Section<'_>) -> Vec<AuditDevice> {
    let mut devices = Vec::new();
    for (label, section) in top.labelled("audit") {
        let nested = section.only_blocks();
        if nested.is_empty() {
            devices.push(device(&section, None, &label));
        }
        for (path, section) in nested {
            devices.push(device(&section, Some(&label), &path));
        }
    }
    devices
}

fn device(section: &Section<'_>, kind: Option<&str>, path: &str) -> AuditDevice {
    let named = section.text("type");
    let device = AuditDevice {
        kind: kind
            .map(str::to_owned)
            .or(named)
            .unwrap_or_else(|| path.to_owned()),
        path: section
            .text("path")
            .unwrap_or_else(|| path.to_owned())
            .trim_matches('/')
            .to_owned(),
        description: section.text("description").unwrap_or_default(),
        local: section.boolean("local").unwrap_or(false),
        options: section.map("options"),
    };
    section.finish();
    device
}
