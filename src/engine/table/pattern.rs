//! Patterns, compiled to a tree: a path is looked at once, segment by segment.

/// Most parts of a path that one pattern captures.
const CAPTURES_MAX: usize = 3;

/// Parts of a path by the names that a pattern gives them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Captures<'a> {
    parts: [(&'static str, &'a str); CAPTURES_MAX],
    count: usize,
}

impl<'a> Captures<'a> {
    /// Returns the part called `name`; empty where the pattern has none.
    pub fn named(&self, name: &str) -> &'a str {
        let mut parts = self.parts.iter().take(self.count);
        parts
            .find(|(known, _)| *known == name)
            .map_or("", |(_, part)| part)
    }

    fn push(&mut self, name: &'static str, part: &'a str) {
        if let Some(slot) = self.parts.get_mut(self.count) {
            *slot = (name, part);
            self.count += 1;
        }
    }
}

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// This word.
    Word(&'static str),
    /// `:name`: any one segment.
    One(&'static str),
    /// `+name`: one segment or more.
    Some(&'static str),
    /// `*name`, at the end: any rest, also none.
    Any(&'static str),
}

/// Returns the parts of `pattern`; none for the empty one.
pub(super) fn parts(pattern: &'static str) -> impl Iterator<Item = Part> {
    let segments = pattern.split('/').filter(|segment| !segment.is_empty());
    segments.map(|segment| match segment.as_bytes().first() {
        Some(b':') => Part::One(segment.trim_start_matches(':')),
        Some(b'+') => Part::Some(segment.trim_start_matches('+')),
        Some(b'*') => Part::Any(segment.trim_start_matches('*')),
        _ => Part::Word(segment),
    })
}

/// All patterns of a table, as a tree whose branches are their parts.
#[derive(Default)]
pub(super) struct Matcher {
    /// By length, then by bytes: most are told apart by their length.
    words: Vec<(&'static str, Self)>,
    ones: Vec<(&'static str, Self)>,
    somes: Vec<(&'static str, Self)>,
    any: Option<(&'static str, usize)>,
    /// The row whose pattern ends here.
    row: Option<usize>,
}

impl Matcher {
    /// Compiles `patterns`; a row is known by its place among them.
    pub(super) fn of(patterns: impl Iterator<Item = &'static str>) -> Self {
        let mut matcher = Self::default();
        for (row, pattern) in patterns.enumerate() {
            matcher.add(parts(pattern), row);
        }
        matcher.sort();
        matcher
    }

    fn add(&mut self, mut parts: impl Iterator<Item = Part>, row: usize) {
        let (branches, name) = match parts.next() {
            None => {
                self.row.get_or_insert(row);
                return;
            }
            Some(Part::Any(name)) => {
                self.any.get_or_insert((name, row));
                return;
            }
            Some(Part::Word(word)) => (&mut self.words, word),
            Some(Part::One(name)) => (&mut self.ones, name),
            Some(Part::Some(name)) => (&mut self.somes, name),
        };
        let at = branches.iter().position(|(known, _)| *known == name);
        let at = at.unwrap_or_else(|| {
            branches.push((name, Self::default()));
            branches.len() - 1
        });
        if let Some((_, branch)) = branches.get_mut(at) {
            branch.add(parts, row);
        }
    }

    fn sort(&mut self) {
        self.words.sort_unstable_by_key(|(word, _)| key(word));
        let branches = [&mut self.words, &mut self.ones, &mut self.somes];
        for (_, branch) in branches.into_iter().flatten() {
            branch.sort();
        }
    }

    /// Returns the row that fits `path` best, and the parts that its pattern captures. Allocates
    /// nothing.
    pub(super) fn find<'a>(&self, path: &'a str) -> Option<(usize, Captures<'a>)> {
        let mut captures = Captures::default();
        let row = self.walk(Some(path), &mut captures)?;
        Some((row, captures))
    }

    /// Finds the row for `rest`, the part of the path that is left; `None` once its last segment is
    /// taken. The more literal branch comes before the less literal one, and a pattern that goes on
    /// before one that ends here.
    fn walk<'a>(&self, rest: Option<&'a str>, captures: &mut Captures<'a>) -> Option<usize> {
        let Some(rest) = rest else {
            return self.row;
        };
        let (segment, tail) = match rest.bytes().position(|byte| byte == b'/') {
            Some(at) => (rest.get(..at)?, rest.get(at + 1..)),
            None => (rest, None),
        };
        let word = self
            .words
            .binary_search_by_key(&key(segment), |(word, _)| key(word));
        let word = word.ok().and_then(|at| self.words.get(at));
        if let Some(row) = word.and_then(|(_, branch)| branch.walk(tail, captures)) {
            return Some(row);
        }
        let before = captures.count;
        for (name, branch) in self.ones.iter().filter(|_| !segment.is_empty()) {
            captures.push(name, segment);
            if let Some(row) = branch.walk(tail, captures) {
                return Some(row);
            }
            captures.count = before;
        }
        for (name, branch) in self.somes.iter().filter(|_| !rest.is_empty()) {
            let ends = rest.bytes().enumerate().skip(1);
            let ends = ends.filter(|(_, byte)| *byte == b'/' && !branch.is_leaf());
            for (at, _) in ends {
                captures.push(name, rest.get(..at)?);
                if let Some(row) = branch.walk(rest.get(at + 1..), captures) {
                    return Some(row);
                }
                captures.count = before;
            }
            if let Some(row) = branch.row {
                captures.push(name, rest);
                return Some(row);
            }
        }
        let (name, row) = self.any?;
        captures.push(name, rest);
        Some(row)
    }

    fn is_leaf(&self) -> bool {
        let branches = [&self.words, &self.ones, &self.somes];
        branches.iter().all(|branches| branches.is_empty()) && self.any.is_none()
    }
}

fn key(word: &str) -> (usize, &str) {
    (word.len(), word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(patterns: &[&'static str], path: &str) -> Option<(usize, String)> {
        let matcher = Matcher::of(patterns.iter().copied());
        let (row, captures) = matcher.find(path)?;
        let parts = captures.parts.iter().take(captures.count);
        let named: Vec<String> = parts.map(|(name, part)| format!("{name}={part}")).collect();
        Some((row, named.join(" ")))
    }

    #[test]
    fn the_most_literal_pattern_counts() {
        let patterns = &[
            "mounts/+path",
            "mounts",
            "mounts/+path/tune",
            "mounts/auth/+path/tune",
            "roles/:name",
            "roles",
            "data/*path",
            "*path",
        ];
        for (path, row, captured) in [
            ("mounts", 1, ""),
            ("mounts/a/b", 0, "path=a/b"),
            ("mounts/a/b/tune", 2, "path=a/b"),
            ("mounts/tune", 0, "path=tune"),
            ("mounts/tune/tune", 2, "path=tune"),
            ("mounts/auth/x/tune", 3, "path=x"),
            ("mounts/auth/tune", 2, "path=auth"),
            ("roles", 5, ""),
            ("roles/a", 4, "name=a"),
            ("roles/a/b", 7, "path=roles/a/b"),
            ("roles/", 7, "path=roles/"),
            ("data", 7, "path=data"),
            ("data/", 6, "path="),
            ("data/a/b/", 6, "path=a/b/"),
            ("", 7, "path="),
        ] {
            assert_eq!(
                found(patterns, path),
                Some((row, captured.into())),
                "{path}"
            );
        }
        assert_eq!(found(&["mounts/+path"], "mounts/"), None);
        assert_eq!(found(&["seal"], "seal-status"), None);
    }
}
