//! A policy's text in its canonical layout: two spaces per level, one space between words, equal
//! signs of neighbouring lines aligned. Strings and comments stay as they are.

/// Lays a policy out; the error says where the text is not HCL.
pub fn format_policy(text: &str) -> Result<String, String> {
    crate::hcl::check(text)?;
    if text.lines().any(spans_lines) {
        // Text that spans lines keeps its own layout.
        return Ok(text.to_owned());
    }
    let mut depth: usize = 0;
    let mut lines: Vec<Line> = Vec::new();
    for source in text.lines() {
        let line = Line::read(source);
        let indent = depth.saturating_sub(line.closes_first);
        depth = (depth + line.opens).saturating_sub(line.closes);
        let blank_twice =
            line.text.is_empty() && lines.last().is_none_or(|last: &Line| last.text.is_empty());
        if !blank_twice {
            lines.push(Line { indent, ..line });
        }
    }
    while lines.last().is_some_and(|line| line.text.is_empty()) {
        lines.pop();
    }
    align(&mut lines);
    let lines = lines.iter().map(|line| match line.text.as_str() {
        "" => String::from("\n"),
        text => format!("{}{text}\n", "  ".repeat(line.indent)),
    });
    Ok(lines.collect())
}

#[derive(Default)]
struct Line {
    text: String,
    indent: usize,
    opens: usize,
    closes: usize,
    /// The number of brackets that close before any other token of the line.
    closes_first: usize,
    /// The place of the line's own equal sign, when the line is a whole attribute.
    equals: Option<usize>,
}

impl Line {
    fn read(source: &str) -> Self {
        let mut line = Self::default();
        let mut rest = source.trim();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '"' => string_length(rest),
                '#' => rest.len(),
                '/' if rest.starts_with("//") => rest.len(),
                c if c.is_whitespace() => {
                    line.space();
                    rest = rest.trim_start();
                    continue;
                }
                c => {
                    line.sign(c);
                    rest = rest.get(c.len_utf8()..).unwrap_or_default();
                    continue;
                }
            };
            let (word, tail) = rest.split_at(length);
            line.text.push_str(word);
            rest = tail;
        }
        line.text.truncate(line.text.trim_end().len());
        if line.opens != line.closes {
            line.equals = None;
        }
        line
    }

    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with([' ', '[', '(']) {
            self.text.push(' ');
        }
    }

    fn sign(&mut self, sign: char) {
        match sign {
            '{' | '[' | '(' => {
                if sign == '{' {
                    self.space();
                }
                self.opens += 1;
            }
            '}' | ']' | ')' => {
                if sign != '}' {
                    self.text.truncate(self.text.trim_end().len());
                }
                if self.text.trim_matches(|c| "}]) ".contains(c)).is_empty() {
                    self.closes_first += 1;
                }
                self.closes += 1;
            }
            '=' => {
                self.space();
                if self.equals.is_none() && self.opens == 0 {
                    self.equals = Some(self.text.chars().count());
                }
            }
            ',' => self.text.truncate(self.text.trim_end().len()),
            _ => {}
        }
        self.text.push(sign);
        if matches!(sign, '=' | ',') {
            self.text.push(' ');
        }
    }
}

/// Returns true if a line starts a heredoc or a block comment, outside of strings.
fn spans_lines(line: &str) -> bool {
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') && !rest.starts_with("//") {
        if rest.starts_with("<<") || rest.starts_with("/*") {
            return true;
        }
        let length = match rest.chars().next() {
            Some('"') => string_length(rest),
            first => first.map_or(rest.len(), char::len_utf8),
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Pads neighbouring attributes so that their equal signs stand below each other.
fn align(lines: &mut [Line]) {
    let runs =
        lines.chunk_by_mut(|a, b| a.equals.is_some() && b.equals.is_some() && a.indent == b.indent);
    for run in runs {
        let widest = run.iter().filter_map(|line| line.equals).max().unwrap_or(0);
        for line in run {
            let Some(equals) = line.equals else { continue };
            let at = line
                .text
                .char_indices()
                .nth(equals)
                .map_or(line.text.len(), |(at, _)| at);
            line.text.insert_str(at, &" ".repeat(widest - equals));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lays_out() {
        let text = "\n# all\npath   \"secret/*\"{\ncapabilities=[\"read\",   \"list\" ]\n\n\n\
                    min_wrapping_ttl = \"1s\" # why   so\n allowed_parameters={\n\"a  =b\"=[ ]\n\
                    }\n}\n\n\n";
        let expected = "\
# all
path \"secret/*\" {
  capabilities = [\"read\", \"list\"]

  min_wrapping_ttl = \"1s\" # why   so
  allowed_parameters = {
    \"a  =b\" = []
  }
}
";
        let formatted = format_policy(text).expect("valid");
        assert_eq!(formatted, expected);
        assert_eq!(format_policy(&formatted).expect("valid"), expected);
    }

    #[test]
    fn equal_signs_are_aligned() {
        let text = "path \"a\" {\ncapabilities = [\n\"read\",\n\"list\"\n]\na = 1\nlong = 2\n}\n";
        let expected = "\
path \"a\" {
  capabilities = [
    \"read\",
    \"list\"
  ]
  a    = 1
  long = 2
}
";
        assert_eq!(format_policy(text).expect("valid"), expected);
    }

    #[test]
    fn what_is_not_hcl_is_refused() {
        assert!(format_policy("path \"a\" {").is_err());
    }
}
