//! How an engine reads a field: what a policy's rules about parameters compare by.

/// A field of a request, as its engine reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// The name that this one is another name of: `lease` of `ttl`.
    pub alias_of: Option<&'static str>,
    /// What becomes of its value.
    pub kind: FieldKind,
}

/// What an engine makes of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldKind {
    /// What was sent, no more.
    #[default]
    Plain,
    /// Yes or no: `true`, `"1"`, `0`.
    Flag,
    /// A whole number, also as text.
    Integer,
    /// Whole seconds: `90`, `"90"`, `"1m30s"`.
    Seconds,
    /// Several texts; one text is a list of one.
    List,
    /// Several texts; one text is split at its commas.
    CommaList,
    /// Names of policies: as [`FieldKind::List`], in any case, with blanks around them.
    Names,
    /// Names of policies in a [`FieldKind::CommaList`].
    CommaNames,
    /// Pairs, as an object or as `k=v` texts.
    Pairs,
}

impl Field {
    /// A field of this kind under its own name.
    pub const fn of(kind: FieldKind) -> Self {
        Self {
            alias_of: None,
            kind,
        }
    }

    /// Another name of the field `name`.
    pub const fn alias(name: &'static str, kind: FieldKind) -> Self {
        Self {
            alias_of: Some(name),
            kind,
        }
    }
}
