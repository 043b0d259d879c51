//! The tables of the command line: groups of verbs, verbs, and their flags. Parsing, help and shell
//! completion all read them, so that they cannot disagree.

use super::call::Call;
use super::failure::Outcome;
pub use super::flag::{Flag, FlagKind, MOUNT, SharedFlags, flag};

/// A word on the command line: a verb, or a group of verbs.
#[derive(Clone, Copy)]
pub enum VerbNode {
    /// A word with verbs below it, such as `kv`.
    Group(&'static Group),
    /// A verb.
    Verb(&'static Verb),
}

impl VerbNode {
    /// Returns the word that is typed.
    pub fn name(&self) -> &'static str {
        match self {
            VerbNode::Group(group) => group.name,
            VerbNode::Verb(verb) => verb.name,
        }
    }

    /// Returns one line about the word.
    pub fn about(&self) -> &'static str {
        match self {
            VerbNode::Group(group) => group.about,
            VerbNode::Verb(verb) => verb.about,
        }
    }
}

/// A word with verbs below it.
pub struct Group {
    /// The word that is typed.
    pub name: &'static str,
    /// One line for the list in the parent's usage.
    pub about: &'static str,
    /// The words below it, sorted by name.
    pub nodes: &'static [VerbNode],
}

/// A verb: its flags and the function that carries it out.
pub struct Verb {
    /// The word that is typed.
    pub name: &'static str,
    /// One line for the list in the parent's usage.
    pub about: &'static str,
    /// The part of the usage line behind the flags, such as `KEY [DATA]`.
    pub usage: &'static str,
    /// The number of words that may follow the flags.
    pub arity: Arity,
    /// The flags of this verb alone.
    pub flags: &'static [Flag],
    /// The shared flags that it takes.
    pub shared: SharedFlags,
    /// The function that carries it out.
    pub run: fn(&mut Call) -> Outcome,
}

impl Verb {
    /// Returns its own flags and the shared ones that it takes.
    pub fn every_flag(&self) -> Vec<&'static Flag> {
        let shared = self.shared.sections();
        let shared = shared.into_iter().flat_map(|(_, flags)| flags);
        self.flags.iter().chain(shared).collect()
    }
}

/// The number of words that may follow the flags.
#[derive(Clone, Copy, Debug)]
pub struct Arity {
    /// The least number.
    pub min: usize,
    /// The greatest number; `None` is no limit.
    pub max: Option<usize>,
}

impl Arity {
    /// Returns the arity of exactly `count` words.
    pub const fn exactly(count: usize) -> Self {
        Self {
            min: count,
            max: Some(count),
        }
    }

    /// Returns the arity between the two, both included.
    pub const fn between(min: usize, max: usize) -> Self {
        Self {
            min,
            max: Some(max),
        }
    }

    /// Returns the arity of `min` words or more.
    pub const fn at_least(min: usize) -> Self {
        Self { min, max: None }
    }

    /// Returns the arity as in a message: `1`, `0-1`, `at least 1`.
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
