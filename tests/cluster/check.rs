//! Checks that a history is linearizable, by Wing and Gong's search with Lowe's memory of earlier
//! attempts, over one versioned record at a time: a history is linearizable if that of each record
//! is.
//!
//! The record is that of kv version 2: every put makes the next version, a put with `cas` only
//! when the current version is the one it names, a delete hides the value and keeps the version.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// Most steps of one record's search before it gives up.
const STEPS_MAX: u64 = 20_000_000;

/// A client's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Put { value: u64 },
    Cas { version: u64, value: u64 },
    Get,
    Delete,
}

/// The answer to a client. A call without an answer may have acted, then or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Unknown,
    /// A put made this version.
    Wrote {
        version: u64,
    },
    /// The `cas` did not match.
    Conflict,
    /// A get found this version and value.
    Found {
        version: u64,
        value: u64,
    },
    /// A get found no record, or a deleted one.
    Missing,
    Deleted,
}

/// One call of one client on one record, on one clock.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub key: u64,
    pub client: usize,
    /// The times at which it was sent, and at which its answer came.
    pub sent: u64,
    pub answered: u64,
    pub action: Action,
    pub outcome: Outcome,
}

/// Reasons why a single copy cannot have made a history.
#[derive(Debug)]
pub enum Violation {
    /// No order explains these calls: the longest order that was found, and the calls that could
    /// not follow it.
    NotLinearizable {
        key: u64,
        explained: Vec<Operation>,
        stuck: Vec<Operation>,
    },
    /// The search took too long: use fewer calls for each record.
    Undecided { key: u64, operations: usize },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecided { key, operations } => {
                write!(f, "record {key}: {operations} calls are too many to decide")
            }
            Self::NotLinearizable {
                key,
                explained,
                stuck,
            } => {
                writeln!(f, "record {key} is not linearizable; after")?;
                for call in explained.iter().rev().take(12).rev() {
                    writeln!(f, "  {call}")?;
                }
                writeln!(f, "none of these can follow:")?;
                for call in stuck.iter().take(24) {
                    writeln!(f, "  {call}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = match self.outcome {
            Outcome::Unknown => "?".to_owned(),
            _ => self.answered.to_string(),
        };
        write!(
            f,
            "client {} [{}, {until}] {:?} -> {:?}",
            self.client, self.sent, self.action, self.outcome
        )
    }
}

/// The state of the record between two calls.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct State {
    version: u64,
    value: Option<u64>,
}

impl State {
    /// Returns the record after the call; `None` if the call cannot have its outcome here.
    fn after(self, call: &Operation) -> Option<Self> {
        let wrote = |value| Self {
            version: self.version + 1,
            value: Some(value),
        };
        match (call.action, call.outcome) {
            (Action::Put { value }, Outcome::Unknown) => Some(wrote(value)),
            (Action::Put { value }, Outcome::Wrote { version }) => {
                (version == self.version + 1).then(|| wrote(value))
            }
            // A `cas` that does not match changes nothing, so it need not be placed.
            (Action::Cas { version, value }, Outcome::Unknown) => {
                (version == self.version).then(|| wrote(value))
            }
            (Action::Cas { version, value }, Outcome::Wrote { version: made }) => {
                (version == self.version && made == version + 1).then(|| wrote(value))
            }
            (Action::Cas { version, .. }, Outcome::Conflict) => {
                (version != self.version).then_some(self)
            }
            (Action::Get, Outcome::Found { version, value }) => {
                (self.version == version && self.value == Some(value)).then_some(self)
            }
            (Action::Get, Outcome::Missing) => self.value.is_none().then_some(self),
            (Action::Delete, Outcome::Unknown) => self.value.map(|_| Self {
                value: None,
                ..self
            }),
            (Action::Delete, Outcome::Deleted) => Some(Self {
                value: None,
                ..self
            }),
            _ => None,
        }
    }
}

/// Checks every record's history.
pub fn check(history: &[Operation]) -> Result<(), Violation> {
    let mut records: BTreeMap<u64, Vec<Operation>> = BTreeMap::new();
    for call in history {
        records.entry(call.key).or_default().push(*call);
    }
    for (key, calls) in records {
        check_one(key, calls)?;
    }
    Ok(())
}

/// The versions in the answers: the put of each, and its value.
#[derive(Default)]
struct Versions {
    /// The versions made by puts that were answered.
    claimed: HashSet<u64>,
    found: BTreeMap<u64, u64>,
    values_found: HashSet<u64>,
}

impl Versions {
    fn of(calls: &[Operation]) -> Self {
        let mut versions = Self::default();
        for call in calls {
            match call.outcome {
                Outcome::Wrote { version } => drop(versions.claimed.insert(version)),
                Outcome::Found { version, value } => {
                    versions.found.insert(version, value);
                    versions.values_found.insert(value);
                }
                _ => {}
            }
        }
        versions
    }

    /// Returns true if a put that was not answered can have made this version.
    fn admits(&self, version: u64, value: u64) -> bool {
        !self.claimed.contains(&version)
            && match self.found.get(&version) {
                Some(found) => *found == value,
                None => !self.values_found.contains(&value),
            }
    }
}

/// Depth-first search over the orders that keep real time.
struct Search {
    calls: Vec<Operation>,
    /// The calls still to be placed, in the order in which they were sent.
    open: Vec<usize>,
    placed: Vec<usize>,
    bits: Vec<u64>,
    seen: HashSet<(Vec<u64>, State)>,
    steps: u64,
    longest: Vec<usize>,
    versions: Versions,
}

fn check_one(key: u64, mut calls: Vec<Operation>) -> Result<(), Violation> {
    for call in &mut calls {
        if call.outcome == Outcome::Unknown {
            call.answered = u64::MAX;
        }
    }
    calls.sort_by_key(|call| call.sent);
    let count = calls.len();
    let mut search = Search {
        open: (0..count).collect(),
        placed: Vec::new(),
        bits: vec![0; count.div_ceil(64)],
        seen: HashSet::new(),
        steps: 0,
        longest: Vec::new(),
        versions: Versions::of(&calls),
        calls,
    };
    match search.run() {
        Some(true) => Ok(()),
        Some(false) => {
            let explained = search.longest.clone();
            let stuck = (0..count).filter(|at| !explained.contains(at));
            Err(Violation::NotLinearizable {
                key,
                stuck: stuck.map(|at| search.calls[at]).collect(),
                explained: explained.iter().map(|at| search.calls[*at]).collect(),
            })
        }
        None => Err(Violation::Undecided {
            key,
            operations: count,
        }),
    }
}

/// A place in the search: a state, with the calls to try next.
struct Frame {
    state: State,
    candidates: Vec<usize>,
    /// The call that led here.
    placed: Option<usize>,
}

impl Search {
    /// Runs the search; returns `None` if it gave up.
    fn run(&mut self) -> Option<bool> {
        let mut stack = vec![self.frame(State::default(), None)];
        loop {
            let known = |at: &usize| self.calls[*at].outcome != Outcome::Unknown;
            if !self.open.iter().any(known) {
                return Some(true);
            }
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return None;
            }
            let Some(frame) = stack.last_mut() else {
                return Some(false);
            };
            let Some(at) = frame.candidates.pop() else {
                if let Some(at) = stack.pop().and_then(|frame| frame.placed) {
                    self.undo(at);
                }
                continue;
            };
            let Some(state) = frame.state.after(&self.calls[at]) else {
                continue;
            };
            self.place(at);
            if self.seen.insert((self.bits.clone(), state)) {
                let frame = self.frame(state, Some(at));
                stack.push(frame);
            } else {
                self.undo(at);
            }
        }
    }

    /// Returns the frame of calls that may come next: those sent before any open call was answered.
    /// Calls of unknown outcome come last, because most of them need no place at all.
    fn frame(&self, state: State, placed: Option<usize>) -> Frame {
        let first_answer = self.open.iter().map(|at| self.calls[*at].answered).min();
        let until = first_answer.unwrap_or(u64::MAX);
        let ready = self.open.iter().copied();
        let ready = ready.take_while(|at| self.calls[*at].sent <= until);
        let (known, unknown): (Vec<_>, Vec<_>) =
            ready.partition(|at| self.calls[*at].outcome != Outcome::Unknown);
        let mut candidates = self.unknown(state, unknown);
        candidates.extend(known);
        Frame {
            state,
            candidates,
            placed,
        }
    }

    /// Returns the calls without an answer that could matter here. Deletes are all alike, and so
    /// are puts whose value was never read: one of each is enough.
    fn unknown(&self, state: State, ready: Vec<usize>) -> Vec<usize> {
        let (mut delete, mut unseen) = (None, None);
        let mut candidates = Vec::new();
        for at in ready {
            match self.calls[at].action {
                Action::Delete => delete = delete.or(Some(at)),
                Action::Put { value } | Action::Cas { value, .. } => {
                    if !self.versions.admits(state.version + 1, value) {
                        continue;
                    }
                    let is_put = matches!(self.calls[at].action, Action::Put { .. });
                    if is_put && !self.versions.values_found.contains(&value) {
                        unseen = unseen.or(Some(at));
                    } else {
                        candidates.push(at);
                    }
                }
                Action::Get => {}
            }
        }
        candidates.extend(delete);
        candidates.extend(unseen);
        candidates
    }

    fn place(&mut self, at: usize) {
        self.open.retain(|other| *other != at);
        self.placed.push(at);
        self.bits[at / 64] |= 1 << (at % 64);
        if self.placed.len() > self.longest.len() {
            self.longest.clone_from(&self.placed);
        }
    }

    fn undo(&mut self, at: usize) {
        self.placed.pop();
        self.bits[at / 64] &= !(1 << (at % 64));
        let place = self.open.partition_point(|other| *other < at);
        self.open.insert(place, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(sent: u64, answered: u64, action: Action, outcome: Outcome) -> Operation {
        Operation {
            key: 1,
            client: 0,
            sent,
            answered,
            action,
            outcome,
        }
    }

    fn put(sent: u64, answered: u64, value: u64, version: u64) -> Operation {
        call(
            sent,
            answered,
            Action::Put { value },
            Outcome::Wrote { version },
        )
    }

    fn get(sent: u64, answered: u64, version: u64, value: u64) -> Operation {
        call(
            sent,
            answered,
            Action::Get,
            Outcome::Found { version, value },
        )
    }

    fn lost_put(sent: u64, value: u64) -> Operation {
        call(sent, 0, Action::Put { value }, Outcome::Unknown)
    }

    #[track_caller]
    fn good(history: &[Operation]) {
        if let Err(violation) = check(history) {
            panic!("{violation}");
        }
    }

    #[track_caller]
    fn bad(history: &[Operation]) {
        let found = check(history);
        assert!(
            matches!(found, Err(Violation::NotLinearizable { .. })),
            "{found:?}"
        );
    }

    #[test]
    fn a_plain_history_is_good() {
        good(&[put(1, 2, 7, 1), get(3, 4, 1, 7), put(5, 6, 8, 2)]);
    }

    #[test]
    fn calls_that_overlap_may_come_in_any_order() {
        good(&[put(1, 9, 7, 2), put(2, 8, 8, 1), get(10, 11, 2, 7)]);
        good(&[put(1, 9, 7, 1), get(2, 3, 1, 7)]);
        good(&[
            put(1, 9, 7, 1),
            call(2, 3, Action::Get, Outcome::Missing),
            get(4, 5, 1, 7),
        ]);
    }

    #[test]
    fn a_call_without_an_answer_may_act_late_or_never() {
        good(&[
            lost_put(1, 7),
            call(2, 3, Action::Get, Outcome::Missing),
            get(4, 5, 1, 7),
        ]);
        good(&[lost_put(1, 7), put(2, 3, 8, 1), get(4, 5, 1, 8)]);
        good(&[lost_put(1, 7), put(2, 3, 8, 1), get(4, 5, 2, 7)]);
    }

    #[test]
    fn a_lost_write_is_found() {
        bad(&[put(1, 2, 7, 1), call(3, 4, Action::Get, Outcome::Missing)]);
        bad(&[put(1, 2, 7, 1), put(3, 4, 8, 1)]);
    }

    #[test]
    fn a_stale_read_is_found() {
        bad(&[put(1, 2, 7, 1), put(3, 4, 8, 2), get(5, 6, 1, 7)]);
        bad(&[
            put(1, 9, 7, 1),
            get(2, 3, 1, 7),
            call(4, 5, Action::Get, Outcome::Missing),
        ]);
    }

    #[test]
    fn a_write_applied_twice_is_found() {
        bad(&[put(1, 2, 7, 1), put(3, 4, 8, 3)]);
        bad(&[put(1, 2, 7, 1), put(3, 4, 8, 2), get(5, 6, 3, 7)]);
    }

    #[test]
    fn a_broken_cas_is_found() {
        let cas = |sent, answered, version, outcome| {
            let action = Action::Cas { version, value: 9 };
            call(sent, answered, action, outcome)
        };
        good(&[
            put(1, 2, 7, 1),
            cas(3, 4, 1, Outcome::Wrote { version: 2 }),
            cas(5, 6, 1, Outcome::Conflict),
        ]);
        bad(&[
            put(1, 2, 7, 1),
            cas(3, 4, 1, Outcome::Wrote { version: 2 }),
            cas(5, 6, 1, Outcome::Wrote { version: 2 }),
        ]);
        bad(&[put(1, 2, 7, 1), cas(3, 4, 1, Outcome::Conflict)]);
    }

    #[test]
    fn a_deleted_record_that_comes_back_is_found() {
        let delete = call(3, 4, Action::Delete, Outcome::Deleted);
        good(&[
            put(1, 2, 7, 1),
            delete,
            call(5, 6, Action::Get, Outcome::Missing),
        ]);
        bad(&[put(1, 2, 7, 1), delete, get(5, 6, 1, 7)]);
    }

    #[test]
    fn records_are_judged_alone_and_the_broken_one_is_named() {
        let mut other = get(5, 6, 1, 9);
        other.key = 2;
        let found = check(&[put(1, 2, 7, 1), get(3, 4, 1, 7), other]);
        assert!(matches!(
            found,
            Err(Violation::NotLinearizable { key: 2, .. })
        ));
    }

    #[test]
    fn many_unanswered_calls_do_not_stall_the_search() {
        let mut history: Vec<Operation> = (0..40).map(|n| lost_put(n + 1, 100 + n)).collect();
        history.extend((0..40).map(|n| put(1000 + 2 * n, 1001 + 2 * n, n, n + 1)));
        history.push(get(5000, 5001, 41, 139));
        good(&history);
    }
}
