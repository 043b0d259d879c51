//! Chooses the rule that counts among those that match a path.
//!
//! A path without wildcards beats every pattern. Among patterns, in this order: the one whose
//! first wildcard stands later; the one that does not end in `*`; the one with fewer `+`; the
//! longer one; the one that sorts later. Where a path has a segment that begins with `+` but is
//! longer, that `+` counts as its first wildcard, although it stands for itself: so do both peers.

use super::Permissions;
use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;

/// The rules of one ACL, sorted by the way they match.
#[derive(Debug, Default)]
pub(super) struct Rules {
    exact: HashMap<Box<str>, Permissions>,
    /// Prefixes, grouped by length, longest first; `secret/*` stands here as `secret/`.
    prefixes: Vec<(usize, HashMap<Box<str>, Permissions>)>,
    patterns: Vec<Pattern>,
}

/// A path with segments that begin with `+`.
#[derive(Debug)]
struct Pattern {
    segments: Vec<Segment>,
    open_ended: bool,
    rank: Rank,
    permissions: Permissions,
}

#[derive(Debug)]
enum Segment {
    Any,
    Literal(Box<str>),
}

/// The rank of a pattern; a more specific pattern has a greater one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    first_wildcard: usize,
    closed: bool,
    plus_count: Reverse<usize>,
    length: usize,
    path: Box<str>,
}

impl Rank {
    fn of(path: &str) -> Self {
        let body = path.strip_suffix('*').unwrap_or(path);
        let plus_count = body.split('/').filter(|segment| *segment == "+").count();
        Self {
            first_wildcard: path.find('+').unwrap_or(body.len()),
            closed: body.len() == path.len(),
            plus_count: Reverse(plus_count),
            length: body.len(),
            path: path.into(),
        }
    }
}

/// A matching pattern or prefix.
pub(super) struct Match<'a> {
    pub permissions: &'a Permissions,
    order: Order<'a>,
}

/// A prefix has no stored rank: its parts follow from its length.
enum Order<'a> {
    Prefix(usize),
    Pattern(&'a Rank),
}

impl Match<'_> {
    /// Returns true if this match is more specific than `other`.
    pub fn beats(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Greater
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (&self.order, &other.order) {
            (Order::Prefix(a), Order::Prefix(b)) => a.cmp(b),
            (Order::Pattern(a), Order::Pattern(b)) => a.cmp(b),
            (Order::Prefix(length), Order::Pattern(rank)) => compare_prefix(*length, rank),
            (Order::Pattern(rank), Order::Prefix(length)) => {
                compare_prefix(*length, rank).reverse()
            }
        }
    }
}

/// Compares a prefix with a pattern. At the same first wildcard a prefix has no `+` at all, so it
/// beats an open-ended pattern that has one, and loses against a closed one and against a longer
/// one without.
fn compare_prefix(length: usize, rank: &Rank) -> Ordering {
    let loses = rank.closed || rank.plus_count == Reverse(0);
    length.cmp(&rank.first_wildcard).then(match loses {
        true => Ordering::Less,
        false => Ordering::Greater,
    })
}

impl Rules {
    /// Adds the permissions of a policy at `path`.
    pub fn insert(&mut self, path: &str, permissions: &Permissions) {
        if path == "+" || path.starts_with("+/") || path.contains("/+") {
            return self.insert_pattern(path, permissions);
        }
        let map = match path.strip_suffix('*') {
            None => &mut self.exact,
            Some(prefix) => {
                let place = self
                    .prefixes
                    .binary_search_by(|(length, _)| prefix.len().cmp(length));
                let at = place.unwrap_or_else(|at| {
                    self.prefixes.insert(at, (prefix.len(), HashMap::new()));
                    at
                });
                let Some((_, map)) = self.prefixes.get_mut(at) else {
                    return;
                };
                map
            }
        };
        let path = path.strip_suffix('*').unwrap_or(path);
        match map.get_mut(path) {
            Some(present) => present.merge(permissions),
            None => {
                map.insert(path.into(), permissions.clone());
            }
        }
    }

    fn insert_pattern(&mut self, path: &str, permissions: &Permissions) {
        let rank = Rank::of(path);
        if let Some(present) = self.patterns.iter_mut().find(|p| p.rank == rank) {
            return present.permissions.merge(permissions);
        }
        let body = path.strip_suffix('*').unwrap_or(path);
        let segments = body.split('/').map(|segment| match segment {
            "+" => Segment::Any,
            literal => Segment::Literal(literal.into()),
        });
        self.patterns.push(Pattern {
            segments: segments.collect(),
            open_ended: body.len() < path.len(),
            rank,
            permissions: permissions.clone(),
        });
    }

    /// Returns the rule written for exactly this path.
    pub fn exact(&self, path: &str) -> Option<&Permissions> {
        self.exact.get(path)
    }

    /// Returns the most specific pattern or prefix that matches.
    pub fn wildcard(&self, path: &str) -> Option<Match<'_>> {
        let patterns = self.patterns.iter().filter(|p| p.matches(path));
        let patterns = patterns.map(|pattern| Match {
            permissions: &pattern.permissions,
            order: Order::Pattern(&pattern.rank),
        });
        self.longest_prefix(path)
            .into_iter()
            .chain(patterns)
            .max_by(|a, b| a.compare(b))
    }

    fn longest_prefix(&self, path: &str) -> Option<Match<'_>> {
        self.prefixes.iter().find_map(|(length, map)| {
            let permissions = map.get(path.get(..*length)?)?;
            Some(Match {
                permissions,
                order: Order::Prefix(*length),
            })
        })
    }

    /// Returns true if any rule that grants something is about a path below `prefix`.
    pub fn touch(&self, prefix: &str) -> bool {
        let grants = |p: &Permissions| !p.capabilities.denies() && p.capabilities != <_>::default();
        let below = |path: &str| path.starts_with(prefix);
        self.exact.iter().any(|(path, p)| grants(p) && below(path))
            || self.prefixes.iter().any(|(_, map)| {
                map.iter()
                    .any(|(path, p)| grants(p) && (below(path) || prefix.starts_with(&**path)))
            })
            || self
                .patterns
                .iter()
                .any(|pattern| grants(&pattern.permissions) && pattern.reaches(prefix))
    }
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        let mut parts = path.split('/');
        let last = self.segments.len().saturating_sub(1);
        for (at, segment) in self.segments.iter().enumerate() {
            let Some(part) = parts.next() else {
                return false;
            };
            let fits = match segment {
                Segment::Any => true,
                Segment::Literal(text) if self.open_ended && at == last => {
                    part.starts_with(&**text)
                }
                Segment::Literal(text) => part == &**text,
            };
            if !fits {
                return false;
            }
        }
        self.open_ended || parts.next().is_none()
    }

    /// Returns true if a path below `prefix` (ending in `/`) could match.
    fn reaches(&self, prefix: &str) -> bool {
        let body = prefix.strip_suffix('/').unwrap_or(prefix);
        let last = self.segments.len().saturating_sub(1);
        for (at, part) in body.split('/').enumerate() {
            match self.segments.get(at) {
                None => return self.open_ended,
                Some(Segment::Any) => {}
                Some(Segment::Literal(text)) if self.open_ended && at == last => {
                    return part.starts_with(&**text);
                }
                Some(Segment::Literal(text)) if part == &**text => {}
                Some(Segment::Literal(_)) => return false,
            }
        }
        true
    }
}
