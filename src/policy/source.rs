//! Prepares the text of a policy for the parser: refuses text that could exhaust the parser, and
//! adds the line breaks that the old language allows to leave out and the new one's grammar needs.

use super::PolicyError;
use std::iter::Peekable;
use std::str::Chars;

/// Deepest nesting of brackets; the parsers recurse, so it is checked before they start.
const NESTING_MAX: usize = 16;

/// A text that is safe to parse, and the way back to its author's lines.
pub(super) struct Source {
    pub text: String,
    /// The beginning of each line of `text`, ascending, with its line and column in the author's
    /// text: some lines begin where the author wrote no break.
    lines: Vec<(usize, usize, usize)>,
    /// The complaint about the text; see [`super::hcl::Reading::complaint`].
    pub complaint: Option<PolicyError>,
}

impl Source {
    pub fn new(text: &str) -> Result<Self, PolicyError> {
        Scanner::new(text).run()
    }

    /// Returns the line and the column, from 1, of `offset` in the author's text.
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let after = self.lines.partition_point(|(start, ..)| *start <= offset);
        let Some((start, line, column)) = self.lines.get(after.saturating_sub(1)) else {
            return (1, 1);
        };
        let before = self.text.get(*start..offset).unwrap_or_default();
        (*line, column + before.chars().count())
    }
}

/// Returns the error `At 1:5: …`.
pub(super) fn syntax_at((line, column): (usize, usize), message: &str) -> PolicyError {
    let message = message.replace('\n', "; ");
    PolicyError::Syntax(format!("At {line}:{column}: {message}"))
}

/// The kind of the last token before the cursor; comments and blanks do not count.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    /// A line break, an opening bracket, a comma: something may begin.
    Begin,
    /// `=` or `:`.
    Equals,
    /// A word that names something.
    Name,
    /// A string or word that ends a value, or a closing bracket.
    Value,
    /// A string that may as well be a label.
    Label,
}

struct Scanner<'a> {
    chars: Peekable<Chars<'a>>,
    source: Source,
    last: Last,
    depth: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            chars: text.chars().peekable(),
            source: Source {
                text: String::with_capacity(text.len() + 16),
                lines: vec![(0, 1, 1)],
                complaint: None,
            },
            last: Last::Begin,
            depth: 0,
        }
    }

    fn run(mut self) -> Result<Source, PolicyError> {
        while let Some(c) = self.chars.next() {
            let next = self.chars.peek().copied().unwrap_or(' ');
            match c {
                '"' => self.string()?,
                '#' => self.comment('#'),
                '/' if next == '/' || next == '*' => self.comment(next),
                '{' | '[' => {
                    self.depth += 1;
                    if self.depth > NESTING_MAX {
                        return Err(self.refused("nested too deeply"));
                    }
                    self.push(c, Last::Begin);
                    if c == '{' {
                        self.insert_break();
                    }
                }
                '}' | ']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if c == '}' {
                        self.insert_break();
                    }
                    self.push(c, Last::Value);
                }
                '=' | ':' => self.push(c, Last::Equals),
                ',' | '\n' => self.push(c, Last::Begin),
                '-' if !next.is_alphanumeric() => return Err(self.refused("unexpected '-'")),
                '(' | ')' | '!' | '?' | '<' | '>' | '&' | '|' | '%' | '+' | '$' => {
                    return Err(self.refused("unexpected operator"));
                }
                // A bare carriage return ends no line; it may be the rest of a line's end.
                '\r' if next != '\n' => self.push(' ', self.last),
                c if c.is_whitespace() => self.push(c, self.last),
                c => self.word(c),
            }
        }
        Ok(self.source)
    }

    fn push(&mut self, c: char, last: Last) {
        self.source.text.push(c);
        self.last = last;
        if c == '\n' {
            let (line, _) = self.source.place(self.source.text.len() - 1);
            self.source
                .lines
                .push((self.source.text.len(), line + 1, 1));
        }
    }

    fn insert_break(&mut self) {
        let (line, column) = self.source.place(self.source.text.len());
        self.source.text.push('\n');
        self.last = Last::Begin;
        self.source
            .lines
            .push((self.source.text.len(), line, column));
    }

    fn refused(&self, what: &str) -> PolicyError {
        syntax_at(self.source.place(self.source.text.len()), what)
    }

    /// Takes a word. After a value it begins the next attribute.
    fn word(&mut self, first: char) {
        let is_value = self.last == Last::Equals;
        if matches!(self.last, Last::Value | Last::Label) {
            self.insert_break();
        }
        let last = if is_value { Last::Value } else { Last::Name };
        self.push(first, last);
        while let Some(c) = self
            .chars
            .next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        {
            self.push(c, last);
        }
    }

    fn string(&mut self) -> Result<(), PolicyError> {
        if self.last == Last::Value {
            self.insert_break();
        }
        let last = if self.last == Last::Equals {
            Last::Value
        } else {
            Last::Label
        };
        self.push('"', last);
        while let Some(c) = self.chars.next() {
            self.push(c, last);
            match c {
                '"' => break,
                '\\' => {
                    if let Some(escaped) = self.chars.next() {
                        self.push(escaped, last);
                    }
                }
                '$' | '%' if self.chars.peek() == Some(&'{') => {
                    return Err(self.refused("interpolation is not supported"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes a comment; `kind` is `#`, `/` or `*`. Blanks replace its text, so that columns stay.
    /// But a rule behind a bare carriage return, which an editor shows on a line of its own, must
    /// not pass for a comment.
    fn comment(&mut self, kind: char) {
        self.push(' ', self.last);
        if kind != '#' {
            self.chars.next();
            self.push(' ', self.last);
        }
        let mut before = ' ';
        let mut bare = false;
        while let Some(c) = self.chars.next_if(|c| kind == '*' || *c != '\n') {
            self.push(if c == '\n' { '\n' } else { ' ' }, self.last);
            if kind == '*' && before == '*' && c == '/' {
                break;
            }
            if kind != '*' && bare && !c.is_whitespace() {
                let refused = self.refused("a comment goes on behind a carriage return");
                self.source.complaint.get_or_insert(refused);
            }
            bare |= c == '\r';
            before = c;
        }
    }
}
