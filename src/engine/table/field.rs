//! A field of an endpoint: its name, its type and its purpose.

/// A field as an endpoint knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in the body, the query or the path.
    pub name: &'static str,
    /// The way in which its value is read.
    pub kind: FieldKind,
    /// One line for people; empty where the name says it.
    pub help: &'static str,
    /// The operations with which it counts.
    pub on: On,
    /// The field that this one is a deprecated name of: `ttl` for `lease`.
    pub alias_of: Option<&'static str>,
    /// The value where none is sent, as text; empty where there is none.
    pub default: &'static str,
    /// True when a request without it is refused.
    pub required: bool,
    /// True when its value is a secret (a token, a share).
    pub secret: bool,
}

/// The way in which a value is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldKind {
    /// The value as it was sent.
    #[default]
    Plain,
    /// Text; numbers and booleans count as their text.
    Text,
    /// Yes or no: `true`, `"1"`, `0`.
    Flag,
    /// A whole number, also as text.
    Integer,
    /// Whole seconds from zero on: `90`, `"90"`, `"1m30s"`.
    Seconds,
    /// Whole seconds, negative ones too.
    SignedSeconds,
    /// As [`FieldKind::Seconds`], a text in Vault's own table: its faults have messages of their
    /// own.
    Lifetime,
    /// A [`FieldKind::Lifetime`] that may say `system`: zero, for what the system says.
    SystemLifetime,
    /// A time: RFC 3339, or seconds since 1970.
    Time,
    /// Several texts; one text is a list of one.
    List,
    /// Several texts; one text is split at its commas.
    CommaList,
    /// Networks (`10.0.0.0/8`) and addresses in a [`FieldKind::CommaList`].
    Networks,
    /// Names of policies: as [`FieldKind::List`], in any case, with blanks around them.
    Names,
    /// Names of policies in a [`FieldKind::CommaList`].
    CommaNames,
    /// Several whole numbers; one text is split at its commas.
    Integers,
    /// Pairs of texts, as an object or as `k=v` texts.
    Pairs,
    /// An object; a list of objects is their union.
    Map,
}

/// The operations with which a field counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct On(u8);

impl On {
    /// Reads.
    pub const READ: Self = Self(1);
    /// Creates, updates and patches.
    pub const WRITE: Self = Self(2);
    /// Deletes.
    pub const DELETE: Self = Self(4);
    /// Lists and scans.
    pub const LIST: Self = Self(8);
    /// All of them, as a part of the path.
    pub const PATH: Self = Self(16);

    /// Returns the operations of both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns true when both share an operation.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The way in which a rule about parameters compares the values of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// The name that this one is another name of: `lease` of `ttl`.
    pub alias_of: Option<&'static str>,
    /// The way in which its value is compared: one of [`FieldKind::Plain`], `Flag`, `Integer`,
    /// `Seconds`, `List`, `CommaList`, `Names`, `CommaNames` and `Pairs`.
    pub kind: FieldKind,
}

impl Meaning {
    /// Returns the meaning of a field of this kind under its own name.
    pub const fn of(kind: FieldKind) -> Self {
        Self {
            alias_of: None,
            kind,
        }
    }

    /// Returns the meaning of another name of the field `name`.
    pub const fn alias(name: &'static str, kind: FieldKind) -> Self {
        Self {
            alias_of: Some(name),
            kind,
        }
    }
}

impl Field {
    /// Returns a field of writes.
    pub const fn new(name: &'static str, kind: FieldKind, help: &'static str) -> Self {
        Self {
            name,
            kind,
            help,
            on: On::WRITE,
            alias_of: None,
            default: "",
            required: false,
            secret: false,
        }
    }

    /// Returns a field that is a part of the path.
    pub const fn path(name: &'static str, help: &'static str) -> Self {
        Self::new(name, FieldKind::Text, help).on(On::PATH)
    }

    /// Sets the operations with which it counts.
    pub const fn on(mut self, on: On) -> Self {
        self.on = on;
        self
    }

    /// Makes it a deprecated name of the field `name`.
    pub const fn alias(mut self, name: &'static str) -> Self {
        self.alias_of = Some(name);
        self
    }

    /// Gives it a value where none is sent.
    pub const fn default(mut self, value: &'static str) -> Self {
        self.default = value;
        self
    }

    /// Makes it a field that must be sent.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Makes its value a secret.
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Returns the way in which rules about parameters read it.
    pub const fn meaning(&self) -> Meaning {
        let kind = match self.kind {
            FieldKind::Text | FieldKind::Time | FieldKind::Map => FieldKind::Plain,
            FieldKind::SignedSeconds | FieldKind::Lifetime | FieldKind::SystemLifetime => {
                FieldKind::Seconds
            }
            FieldKind::Integers | FieldKind::Networks => FieldKind::CommaList,
            kind => kind,
        };
        Meaning {
            alias_of: self.alias_of,
            kind,
        }
    }
}
