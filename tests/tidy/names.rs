//! A name means one thing: types that other files see have names of their own.

use super::{shipped, sources};
use std::collections::{BTreeMap, BTreeSet};

/// Most types of one name.
const SAME_MAX: usize = 2;

/// Names that more types bear, because they mean the same in each room, with what that is.
const SHARED: &[(&str, &str)] = &[
    ("Call", "a request on its way through the room"),
    ("Client", "asks others"),
    ("Config", "settings that an operator writes"),
    ("Entry", "one of a list or a store, as it stands there"),
    ("Limits", "the room's limits"),
    ("Options", "what the room is started with"),
    ("Run", "what a row of a table of endpoints runs"),
    ("Server", "listens"),
    ("Shared", "what the tasks of the room share"),
    ("Store", "keeps the records of its noun"),
];

/// The type that `line` declares at the margin for other files, if it does.
fn declared(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub")?;
    let rest = match rest.strip_prefix('(') {
        Some(inside) => inside.split_once(')')?.1,
        None => rest,
    };
    let (keyword, name) = rest.trim_start().split_once(' ')?;
    let is_type = ["struct", "enum", "trait"].contains(&keyword);
    let end = name.find(|c: char| !c.is_alphanumeric());
    is_type.then(|| &name[..end.unwrap_or(name.len())])
}

#[test]
fn a_name_means_one_thing() {
    let mut types: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources() {
        let shown = path.display().to_string();
        if shown.contains("/tests") {
            continue;
        }
        for (_, line) in shipped(&text) {
            if let Some(name) = declared(line) {
                let files = types.entry(name.to_owned()).or_default();
                files.insert(shown.clone());
            }
        }
    }
    assert!(types.len() > 200, "the types were not found");
    types.retain(|_, files| files.len() > SAME_MAX);
    let idle = SHARED.iter().find(|(name, _)| !types.contains_key(*name));
    assert_eq!(idle, None, "it needs no exception any more");
    types.retain(|name, _| !SHARED.iter().any(|(shared, _)| shared == name));
    assert!(types.is_empty(), "{types:#?}");
}

#[test]
fn declarations_are_found() {
    assert_eq!(declared("pub struct Place {"), Some("Place"));
    assert_eq!(declared("pub(in crate::sys) enum Run<'a> {"), Some("Run"));
    assert_eq!(declared("pub(super) struct Gone;"), Some("Gone"));
    assert_eq!(declared("struct Own {"), None);
    assert_eq!(declared("pub fn place() {"), None);
}
