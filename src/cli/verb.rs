//! What the command line is made of: groups of verbs, verbs, and their flags, as plain tables.
//! Parsing, help and shell completion all read these, so that none can promise what another
//! does not know.

use super::call::Call;
use super::failure::Outcome;
pub use super::flag::{Flag, Kind, MOUNT, Shared, flag};

/// A word on the command line that leads to verbs or is one.
#[derive(Clone, Copy)]
pub enum Node {
    /// A word with verbs below it, such as `kv`.
    Group(&'static Group),
    /// A verb.
    Verb(&'static Verb),
}

impl Node {
    /// The word that is typed.
    pub fn name(&self) -> &'static str {
        match self {
            Node::Group(group) => group.name,
            Node::Verb(verb) => verb.name,
        }
    }

    /// One line about it.
    pub fn about(&self) -> &'static str {
        match self {
            Node::Group(group) => group.about,
            Node::Verb(verb) => verb.about,
        }
    }
}

/// A word with verbs below it.
pub struct Group {
    /// The word that is typed.
    pub name: &'static str,
    /// One line for the list in the parent's usage.
    pub about: &'static str,
    /// What stands below, sorted by name.
    pub nodes: &'static [Node],
}

/// A verb: its flags and the function that carries it out.
pub struct Verb {
    /// The word that is typed.
    pub name: &'static str,
    /// One line for the list in the parent's usage.
    pub about: &'static str,
    /// What follows the flags in the usage line, such as `KEY [DATA]`.
    pub usage: &'static str,
    /// How many words may follow the flags.
    pub arity: Arity,
    /// Flags of its own.
    pub flags: &'static [Flag],
    /// Which of the shared flags it takes.
    pub shared: Shared,
    /// Carries it out.
    pub run: fn(&mut Call) -> Outcome,
}

impl Verb {
    /// Its own flags and the shared ones that it takes.
    pub fn every_flag(&self) -> Vec<&'static Flag> {
        let shared = self.shared.sections();
        let shared = shared.into_iter().flat_map(|(_, flags)| flags);
        self.flags.iter().chain(shared).collect()
    }
}

/// How many words may follow the flags.
#[derive(Clone, Copy, Debug)]
pub struct Arity {
    /// At least so many.
    pub min: usize,
    /// At most so many; `None` is no limit.
    pub max: Option<usize>,
}

impl Arity {
    /// Just so many.
    pub const fn exactly(count: usize) -> Self {
        Self {
            min: count,
            max: Some(count),
        }
    }

    /// Between the two, both included.
    pub const fn between(min: usize, max: usize) -> Self {
        Self {
            min,
            max: Some(max),
        }
    }

    /// So many or more.
    pub const fn at_least(min: usize) -> Self {
        Self { min, max: None }
    }

    /// As in a message: `1`, `0-1`, `at least 1`.
    pub fn describe(&self) -> String {
        match self.max {
            Some(max) if max == self.min => max.to_string(),
            Some(max) => format!("{}-{max}", self.min),
            None => format!("at least {}", self.min),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arity_reads_as_vault_prints_it() {
        assert_eq!(Arity::exactly(1).describe(), "1");
        assert_eq!(Arity::between(0, 1).describe(), "0-1");
        assert_eq!(Arity::at_least(1).describe(), "at least 1");
    }
}
