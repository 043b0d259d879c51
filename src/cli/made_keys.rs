//! The keys of a server's answer, as their holders get them: bare, or encrypted to them.

use super::age_recipients::AgeHolders;
use super::failure::Failure;
use super::sheet::{KeyCover, SheetKey};
use std::borrow::Cow;

/// Keys that were made.
pub struct MadeKeys<'a> {
    texts: Vec<Cow<'a, str>>,
    pub cover: KeyCover,
    /// The reason why keys that should be covered are not.
    fault: Option<String>,
}

impl<'a> MadeKeys<'a> {
    /// Covers the keys for their holders, where there are some; `cover` is what the server has
    /// encrypted them by. Keys that cannot be covered stay as they are: they exist, and are lost
    /// unless they are shown.
    pub fn of(keys: Vec<&'a str>, cover: KeyCover, holders: Option<&AgeHolders>) -> Self {
        let (mut fault, mut covered) = (None, None);
        if let Some(holders) = holders {
            match holders.cover(&keys) {
                Ok(texts) => covered = Some(texts),
                Err(why) => fault = Some(why),
            }
        }
        match covered {
            Some(texts) => Self {
                texts: texts.into_iter().map(Cow::Owned).collect(),
                cover: KeyCover::Age,
                fault,
            },
            None => Self {
                texts: keys.into_iter().map(Cow::Borrowed).collect(),
                cover,
                fault,
            },
        }
    }

    /// Returns the texts: of `KeyCover::Age` they have several lines.
    pub fn texts(&self) -> Vec<&str> {
        self.texts.iter().map(AsRef::as_ref).collect()
    }

    /// Returns the keys as sheets have them.
    pub fn on_sheets(&self) -> Vec<SheetKey<'_>> {
        let keys = self.texts.iter();
        keys.map(|text| SheetKey::of(text, self.cover)).collect()
    }

    /// Returns the failure where keys are not covered, after everything is printed.
    ///
    /// # Errors
    /// See there.
    pub fn outcome(&self) -> Result<(), Failure> {
        match &self.fault {
            None => Ok(()),
            Some(why) => Err(Failure::Local(format!(
                "The keys are not encrypted, and are shown as they are: {why}"
            ))),
        }
    }
}

/// Returns a value for the end of a line: one of several lines begins on its own.
pub fn at_end_of_line(value: &str) -> Cow<'_, str> {
    match value.contains('\n') {
        true => format!("\n{value}").into(),
        false => value.into(),
    }
}
