//! An endpoint: its settings, without its handlers.

use super::{Field, Meaning, On};
use crate::engine::Operation;

/// One endpoint of an engine.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Its path below the mount: words, `:name` for one segment, `+name` for one or more, `*name`
    /// for any rest, also none.
    pub pattern: &'static str,
    /// The callers that it answers.
    pub access: Access,
    /// The node that answers.
    pub place: Place,
    /// The fields that it knows, those of the path among them.
    pub fields: &'static [Field],
    /// True when the engine tells `create` from `update` here.
    pub creates: bool,
    /// True when [`crate::engine::Engine::prepare`] comes first.
    pub prepares: bool,
    /// True when the body of a write is data of the client's own.
    pub takes_anything: bool,
    /// True when the bodies of writes and of answers to reads are streams of any length.
    pub uploads: bool,
    /// The form of its answers.
    pub answers: Answers,
    /// The way in which a full disk bears on it.
    pub on_full_disk: OnFullDisk,
    /// The step that the router takes here itself.
    pub wrapping: Option<Wrapping>,
    /// One line for people.
    pub summary: &'static str,
    /// A paragraph for people; may be empty.
    pub about: &'static str,
}

/// The callers that an endpoint answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Callers with a token whose policies grant it.
    Token,
    /// Callers whose policies grant `sudo` as well.
    Sudo,
    /// Everybody, without a token.
    Open,
}

/// The node that answers, where the answer is not the same on all of them.
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

/// The form of the answer to a request that went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// An envelope around data, or nothing.
    Envelope,
    /// An object of its own.
    Object,
    /// Bytes.
    Bytes,
}

/// The way in which a disk that is full, or nearly, bears on an endpoint. Deletions, and acts of
/// the node, repair everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFullDisk {
    /// Its writes bring new data: they are refused before the disk is full.
    Adds,
    /// It makes space, ends something, or leads to what does: it goes on, and its lines in the
    /// audit may take the reserve.
    Repairs,
    /// The way out of a disk so full that no audit device has space for a line: its deletions and
    /// acts go on without their lines, which the server's log tells.
    Rescues,
}

/// The step that the router takes with a wrapping token: it alone makes and opens them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// Tells of it.
    Lookup,
    /// Opens it.
    Unwrap,
    /// Puts its content into another.
    Rewrap,
}

/// The effect of an operation.
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

/// An operation with its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// The operation; `Update` stands for `Create`, too.
    pub operation: Operation,
    /// Its effect.
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

    /// Returns an operation with its effect.
    pub const fn new(operation: Operation, effect: Effect) -> Self {
        Self { operation, effect }
    }

    /// Returns true when `operation` is this one; a create counts as an update.
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
    /// An endpoint for callers with a token, at every node, without fields.
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
        on_full_disk: OnFullDisk::Adds,
        wrapping: None,
        summary: "",
        about: "",
    };

    /// Returns true when help and documents show it. Endpoints that catch the paths of no other
    /// have no summary and are not shown.
    pub const fn is_shown(&self) -> bool {
        !self.summary.is_empty()
    }

    /// Returns the field `name`.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Returns the way in which rules about parameters read the field `name`.
    pub fn meaning(&self, name: &str) -> Meaning {
        self.field(name).map_or(Meaning::default(), Field::meaning)
    }

    /// Returns true when `name` counts in the body or query of `operation`.
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
