//! Text wrapped for an eighty-column terminal.

/// The widest line, in characters.
const LINE_MAX: usize = 78;

/// Wraps the text at 78 columns, but for overlong words, and indents it by `padding`.
pub fn wrap(text: &str, padding: usize) -> String {
    let indent = " ".repeat(padding);
    let width = LINE_MAX.saturating_sub(padding);
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let room = width.saturating_sub(line.chars().count() + 1);
            if !line.is_empty() && word.chars().count() > room {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    let lines: Vec<String> = lines.iter().map(|line| format!("{indent}{line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_as_vaults_warnings_do() {
        let text = "* Supplying a custom ID for the token uses the weaker SHA1 hashing instead of \
                    the more secure SHA2-256 HMAC for token obfuscation.";
        let expected = "  * Supplying a custom ID for the token uses the weaker SHA1 hashing \
                        instead\n  of the more secure SHA2-256 HMAC for token obfuscation.";
        assert_eq!(wrap(text, 2), expected);
    }
}
