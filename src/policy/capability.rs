//! The capabilities that a rule may grant.

use crate::engine::Operation;

/// One capability; the discriminant is its bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Capability {
    /// Overrides all other capabilities.
    Deny = 1,
    /// Grants writes of data that does not exist yet.
    Create = 2,
    /// Grants GET.
    Read = 4,
    /// Grants writes of data that exists.
    Update = 8,
    /// Grants DELETE.
    Delete = 16,
    /// Grants LIST.
    List = 32,
    /// Grants paths that need more than their operation.
    Sudo = 64,
    /// Grants PATCH.
    Patch = 128,
    /// Grants SCAN.
    Scan = 256,
}

const ALL: [(Capability, &str); 9] = [
    (Capability::Create, "create"),
    (Capability::Delete, "delete"),
    (Capability::Deny, "deny"),
    (Capability::List, "list"),
    (Capability::Patch, "patch"),
    (Capability::Read, "read"),
    (Capability::Scan, "scan"),
    (Capability::Sudo, "sudo"),
    (Capability::Update, "update"),
];

impl Capability {
    /// Returns the capability with this name in a policy.
    pub fn parse(name: &str) -> Option<Self> {
        ALL.iter().find(|(_, n)| *n == name).map(|(c, _)| *c)
    }

    /// Returns the capability that `operation` needs; help needs any capability, see
    /// [`Capabilities::permit`].
    pub const fn for_operation(operation: Operation) -> Self {
        match operation {
            Operation::Create => Self::Create,
            Operation::Read | Operation::Help => Self::Read,
            Operation::Update => Self::Update,
            Operation::Patch => Self::Patch,
            Operation::Delete => Self::Delete,
            Operation::List => Self::List,
            Operation::Scan => Self::Scan,
        }
    }
}

/// A set of capabilities. A set with `deny` holds nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u16);

impl Capabilities {
    /// The set that denies everything.
    pub const DENY: Self = Self(Capability::Deny as u16);

    /// Adds one; `deny` removes all others.
    pub fn insert(&mut self, capability: Capability) {
        *self = self.union(Self(capability as u16));
    }

    /// Returns both together; `deny` in either is all that stays.
    pub const fn union(self, other: Self) -> Self {
        let bits = self.0 | other.0;
        if bits & Capability::Deny as u16 != 0 {
            Self::DENY
        } else {
            Self(bits)
        }
    }

    /// Returns true if the capability is in the set.
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & capability as u16 != 0
    }

    /// Returns true if the set denies explicitly.
    pub const fn denies(self) -> bool {
        self.contains(Capability::Deny)
    }

    /// Returns true if the set grants `operation`.
    pub const fn permit(self, operation: Operation) -> bool {
        match operation {
            Operation::Help => !self.denies() && self.0 != 0,
            _ => self.contains(Capability::for_operation(operation)),
        }
    }

    /// Returns the names in alphabetical order; `deny` for the empty set.
    pub fn names(self) -> Vec<&'static str> {
        if self.0 == 0 {
            return vec!["deny"];
        }
        ALL.iter()
            .filter(|(capability, _)| self.contains(*capability))
            .map(|(_, name)| *name)
            .collect()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        let mut set = Self::default();
        for capability in capabilities {
            set.insert(capability);
        }
        set
    }
}
