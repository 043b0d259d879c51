//! Vault's configuration language is HCL 1; the parser at hand reads HCL 2. Here the text is
//! rewritten, before it is parsed, where real files show the difference:
//!
//! - a comma may follow an attribute in a block (`region = "x",`);
//! - a block may hold several attributes on one line
//!   (`storage "raft" { path = "p" node_id = "n" }`);
//! - a block's keys may be quoted (`custom_response_headers { "2xx" = {...} }`).
//!
//! Commas become line ends in place; the few characters that are added are remembered, so that
//! [`Normalised::original`] leads every offset back to the file.

/// The text for the parser.
pub(super) struct Normalised {
    pub(super) text: String,
    inserted: Vec<usize>,
}

impl Normalised {
    /// Returns the offset in the file of an offset in `text`.
    pub(super) fn original(&self, offset: usize) -> usize {
        offset - self.inserted.partition_point(|at| *at < offset)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Scope {
    /// The text holds attributes and blocks.
    Body,
    /// The text is inside a list, an object or parentheses.
    Value,
}

/// The place of the walk in a body.
#[derive(Clone, Copy, PartialEq)]
enum WalkState {
    /// No part of the item is seen on this line yet.
    Start,
    /// The walk is behind the name, before `=` or `{`; `true` once a label was seen.
    Head(bool),
    /// The walk is behind `=`.
    Value,
    /// The item is complete, its line is not.
    Done,
}

pub(super) fn normalise(source: &str) -> Normalised {
    let mut walk = Walk {
        rest: source,
        out: String::with_capacity(source.len() + 16),
        inserted: Vec::new(),
        scopes: vec![Scope::Body],
        step: WalkState::Start,
    };
    while walk.advance() {}
    Normalised {
        text: walk.out,
        inserted: walk.inserted,
    }
}

struct Walk<'a> {
    rest: &'a str,
    out: String,
    inserted: Vec<usize>,
    scopes: Vec<Scope>,
    step: WalkState,
}

impl Walk<'_> {
    /// Takes one token; returns false at the end.
    fn advance(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else {
            return false;
        };
        let in_body = self.scopes.last() == Some(&Scope::Body);
        match first {
            '#' => self.comment(),
            '/' if self.rest.starts_with("//") => self.comment(),
            '/' if self.rest.starts_with("/*") => {
                self.take(self.rest.find("*/").map_or(self.rest.len(), |at| at + 2));
            }
            '\n' => {
                if in_body && self.step == WalkState::Done {
                    self.step = WalkState::Start;
                }
                self.take(1);
            }
            '"' => self.word(string_len(self.rest), in_body, true),
            '<' if self.rest.starts_with("<<") => {
                self.word(heredoc_len(self.rest), in_body, false);
            }
            '=' if in_body && matches!(self.step, WalkState::Head(_)) => {
                self.step = WalkState::Value;
                self.take(1);
            }
            ',' if in_body => {
                self.step = WalkState::Start;
                self.out.push('\n');
                self.rest = self.rest.get(1..).unwrap_or_default();
            }
            '{' | '[' | '(' => self.open(first, in_body),
            '}' | ']' | ')' => self.close(in_body),
            '\r' if !self.rest.starts_with("\r\n") => self.blank(),
            c if c.is_whitespace() => self.take(c.len_utf8()),
            _ => self.word(word_len(self.rest), in_body, false),
        }
        true
    }

    /// Takes a comment of one line. Carriage returns at its end are dropped; one within stays, and
    /// the parser refuses it, because the rest would look like a line of its own.
    fn comment(&mut self) {
        let line = self.rest.get(..line_len(self.rest)).unwrap_or_default();
        let windows = line.len() < self.rest.len() && line.ends_with('\r');
        let end = line.len() - usize::from(windows);
        let line = line.get(..end).unwrap_or_default();
        let text = line.trim_end_matches(['\r', ' ', '\t']).len();
        self.take(text);
        for _ in text..end {
            self.blank();
        }
    }

    /// Puts a blank in the place of one byte.
    fn blank(&mut self) {
        self.out.push(' ');
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn word(&mut self, len: usize, in_body: bool, quoted: bool) {
        if in_body {
            if self.step == WalkState::Done {
                self.insert("\n");
                self.step = WalkState::Start;
            }
            self.step = match self.step {
                WalkState::Start => WalkState::Head(quoted),
                WalkState::Head(_) => WalkState::Head(true),
                WalkState::Value | WalkState::Done => WalkState::Done,
            };
        }
        self.take(len);
    }

    fn open(&mut self, bracket: char, in_body: bool) {
        let block = in_body && bracket == '{' && self.step != WalkState::Value;
        if !block {
            self.scopes.push(Scope::Value);
            self.take(1);
            return;
        }
        let inside = self.rest.get(1..).unwrap_or_default().trim_start();
        if self.step == WalkState::Head(false) && inside.starts_with('"') {
            self.insert("=");
            self.scopes.push(Scope::Value);
            self.take(1);
            return;
        }
        self.scopes.push(Scope::Body);
        self.step = WalkState::Start;
        self.take(1);
        let line = self.rest.get(..line_len(self.rest)).unwrap_or_default();
        let starts_content = line.trim_start();
        if !starts_content.is_empty() && !starts_content.starts_with(['#', '}']) {
            self.insert("\n");
        }
    }

    fn close(&mut self, in_body: bool) {
        if self.scopes.len() > 1 {
            if in_body && self.step == WalkState::Done {
                self.insert("\n");
            }
            self.scopes.pop();
        }
        if self.scopes.last() == Some(&Scope::Body) {
            self.step = WalkState::Done;
        }
        self.take(1);
    }

    fn take(&mut self, len: usize) {
        let (token, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.out.push_str(token);
        self.rest = rest;
    }

    fn insert(&mut self, text: &str) {
        for byte in text.chars() {
            self.inserted.push(self.out.len());
            self.out.push(byte);
        }
    }
}

fn line_len(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

fn word_len(text: &str) -> usize {
    let end = text.find(|c: char| c.is_whitespace() || "\"#,=[](){}".contains(c));
    match end {
        Some(0) => text.chars().next().map_or(0, char::len_utf8),
        Some(at) => at,
        None => text.len(),
    }
}

/// Returns the length of a quoted string with both quotes; to the line's end when it is not closed.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the length of `<<NAME ... NAME`, without the last line's end.
fn heredoc_len(text: &str) -> usize {
    let head = text.get(..line_len(text)).unwrap_or_default();
    let name = head.trim_start_matches("<<").trim_start_matches('-').trim();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        if at > head.len() + 1 && line.trim() == name {
            return at - line.len() + line.trim_end().len();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(source: &str, expected: &str) {
        assert_eq!(normalise(source).text, expected);
    }

    #[test]
    fn plain_files_stay_as_they_are() {
        for source in [
            "storage \"raft\" {\n  path = \"/p\"\n\n  join {\n    a = 1 # x, y\n  }\n}\n",
            "a = [\"x\", \"y\",]\nb = { c = 1, d = 2 }\n",
            "a = <<EOF\nx, y {\nEOF\nb = 1\n",
            "/* , */ a = 1\n// ,\n# ,\nblock {}\nblock { }\n",
            "listener \"tcp\" { # why\n  a = 1\n}\n",
        ] {
            reads(source, source);
        }
    }

    #[test]
    fn commas_after_attributes_end_the_line() {
        reads("s {\n  k = \"a,b\",\n}\n", "s {\n  k = \"a,b\"\n\n}\n");
        reads("s {\n  k = 1, # why\n}\n", "s {\n  k = 1\n # why\n}\n");
    }

    #[test]
    fn one_line_blocks_are_broken_up() {
        reads(
            "s \"raft\" { path = \"p\" node_id = \"n\" }\n",
            "s \"raft\" {\n path = \"p\" \nnode_id = \"n\" \n}\n",
        );
        reads("s { a = 1, b = 2 }", "s {\n a = 1\n b = 2 \n}");
        reads("s { a { b = 1 } }", "s {\n a {\n b = 1 \n} \n}");
    }

    #[test]
    fn quoted_keys_make_an_object() {
        reads(
            "h {\n  \"2xx\" = { a = 1 }\n}\nb = 1\n",
            "h ={\n  \"2xx\" = { a = 1 }\n}\nb = 1\n",
        );
    }

    #[test]
    fn offsets_lead_back() {
        let source = "s { a = 1 b = 2 }";
        let normalised = normalise(source);
        let at = normalised.text.find('b').unwrap();
        assert_eq!(normalised.original(at), source.find('b').unwrap());
        let end = normalised.text.find('}').unwrap();
        assert_eq!(normalised.original(end), source.find('}').unwrap());
    }

    #[test]
    fn a_bare_carriage_return_is_a_blank() {
        reads("a = 1\r", "a = 1 ");
        reads("s {\r\n  a = 1\r\n}\r", "s {\r\n  a = 1\r\n} ");
        reads("s {\r\ta = 1\rb = 2\r}\r", "s {\n \ta = 1 \nb = 2 \n} ");
        reads("a = \"x\ry\" # why \r", "a = \"x\ry\" # why  ");
        reads("# why\r\r\n// so\r\n", "# why \r\n// so\r\n");
        reads("# why\ra = 1\r", "# why\ra = 1 ");
    }

    #[test]
    fn unfinished_text_ends() {
        for source in [
            "s {",
            "a = \"x",
            "a = <<EOF\nx",
            "/* x",
            "}",
            "]",
            "a = [",
            "é",
            "=",
            "{",
        ] {
            normalise(source);
        }
    }
}
