//! An endpoint: what is known of it beside its handlers.

use super::{Field, Meaning, On};
use crate::engine::Operation;

/// One endpoint of an engine.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Its path below the mount: words, `:name` for one segment, `+name` for one or more, `*name`
    /// for any rest, also none.
    pub pattern: &'static str,
    /// Who may ask.
    pub access: Access,
    /// Which node answers.
    pub place: Place,
    /// The fields that it knows, those of the path among them.
    pub fields: &'static [Field],
    /// Does the engine tell `create` from `update` here?
    pub creates: bool,
    /// Does [`crate::engine::Engine::prepare`] come first?
    pub prepares: bool,
    /// Is the body of a write data of the client's own?
    pub takes_anything: bool,
    /// Are the bodies of writes and of answers to reads streams of any length?
    pub uploads: bool,
    /// What an answer is.
    pub answers: Answers,
    /// What the router does here itself.
    pub wrapping: Option<Wrapping>,
    /// One line for people.
    pub summary: &'static str,
    /// A paragraph for people; may be empty.
    pub about: &'static str,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever has a token whose policies grant it.
    Token,
    /// The policies must grant `sudo` as well.
    Sudo,
    /// Everybody, without a token.
    Open,
}

/// Which node answers, where the answer is not the same on all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Every unsealed node can read it; only the active one can write it.
    Anywhere,
    /// It is about the node that was asked, whatever the operation: it never travels.
    ThisNode,
    /// The active node holds it in memory, or is the only one that knows.
    Active,
    /// As [`Place::Active`], and too large to travel between nodes: the client is sent there.
    ActiveItself,
}

/// What the answer to a request is that went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// An envelope around data, or nothing.
    Envelope,
    /// An object of its own.
    Object,
    /// Bytes.
    Bytes,
}

/// What is done with a wrapping token. The router does it: it alone makes and opens them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// Tells of it.
    Lookup,
    /// Opens it.
    Unwrap,
    /// Puts its content into another.
    Rewrap,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It reads.
    Reads,
    /// It changes the store.
    Writes,
    /// It answers from what was sent and what is stored, and changes nothing.
    Computes,
    /// It does something that is not a batch: to the node, or in more than one entry.
    Acts,
}

/// An operation and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// The operation; `Update` stands for `Create`, too.
    pub operation: Operation,
    /// What it does.
    pub effect: Effect,
}

impl Op {
    /// GET.
    pub const READ: Self = Self::new(Operation::Read, Effect::Reads);
    /// LIST.
    pub const LIST: Self = Self::new(Operation::List, Effect::Reads);
    /// SCAN.
    pub const SCAN: Self = Self::new(Operation::Scan, Effect::Reads);
    /// PUT and POST that write.
    pub const WRITE: Self = Self::new(Operation::Update, Effect::Writes);
    /// PUT and POST that change nothing.
    pub const COMPUTE: Self = Self::new(Operation::Update, Effect::Computes);
    /// PUT and POST that act.
    pub const ACT: Self = Self::new(Operation::Update, Effect::Acts);
    /// PATCH.
    pub const PATCH: Self = Self::new(Operation::Patch, Effect::Writes);
    /// DELETE.
    pub const DELETE: Self = Self::new(Operation::Delete, Effect::Writes);

    /// An operation with its effect.
    pub const fn new(operation: Operation, effect: Effect) -> Self {
        Self { operation, effect }
    }

    /// Is `operation` this one?
    pub const fn is(&self, operation: Operation) -> bool {
        let asked = match operation {
            Operation::Create => Operation::Update,
            operation => operation,
        };
        // `==` is not const for enums that derive it.
        asked as u8 == self.operation as u8
    }
}

impl Endpoint {
    /// An endpoint for who has a token, at every node, without fields.
    pub const USUAL: Self = Self {
        pattern: "",
        access: Access::Token,
        place: Place::Anywhere,
        fields: &[],
        creates: false,
        prepares: false,
        takes_anything: false,
        uploads: false,
        answers: Answers::Envelope,
        wrapping: None,
        summary: "",
        about: "",
    };

    /// Is it shown in help and documents? Those that catch what no other takes are not.
    pub const fn is_shown(&self) -> bool {
        !self.summary.is_empty()
    }

    /// The field `name`.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// How rules about parameters read the field `name`.
    pub fn meaning(&self, name: &str) -> Meaning {
        self.field(name).map_or(Meaning::default(), Field::meaning)
    }

    /// Does `name` count in the body or query of `operation`?
    pub fn knows(&self, operation: Operation, name: &str) -> bool {
        let on = match operation {
            Operation::Create | Operation::Update | Operation::Patch => On::WRITE,
            Operation::Delete => On::DELETE,
            Operation::List | Operation::Scan => On::LIST,
            Operation::Read | Operation::Help => On::READ,
        };
        self.field(name).is_some_and(|field| field.on.meets(on))
    }
}
