//! What somebody may have meant who typed a word that is not known.

use super::verb::Node;

/// The most words that are suggested.
const SUGGESTIONS_MAX: usize = 3;
/// A word whose beginning was typed is suggested from this length on.
const BEGINNING_CHARS_MIN: usize = 3;

/// The known words that are nearest to `typed`, best first; none when nothing is near.
pub fn near<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    // One slip in a short word, two in a long one.
    let slips_max = 1 + typed.chars().count() / 5;
    let mut found: Vec<(usize, &str)> = Vec::new();
    for word in known {
        let slips = strsim::osa_distance(typed, word);
        let begun = typed.chars().count() >= BEGINNING_CHARS_MIN && word.starts_with(typed);
        if slips <= slips_max && slips < word.chars().count() {
            found.push((slips, word));
        } else if begun {
            found.push((slips_max, word));
        }
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(SUGGESTIONS_MAX);
    found.into_iter().map(|(_, word)| word).collect()
}

/// A question about the word that none of `nodes` has, to stand below a usage text; empty when
/// nothing is near. `path` is what was typed before it.
pub fn question(path: &str, typed: &str, nodes: &[Node]) -> String {
    let near = near(typed, nodes.iter().map(Node::name));
    let mut lines: Vec<String> = near.iter().map(|word| format!("{path} {word}")).collect();
    if lines.is_empty() {
        // `unseal` is `operator unseal`.
        deeper(path, typed, nodes, &mut lines);
        lines.truncate(SUGGESTIONS_MAX);
    }
    if lines.is_empty() {
        return String::new();
    }
    let lines = lines.join("\n    ");
    format!("\n\nUnknown command {typed:?}. Did you mean this?\n\n    {lines}")
}

fn deeper(path: &str, typed: &str, nodes: &[Node], lines: &mut Vec<String>) {
    for node in nodes {
        let Node::Group(group) = node else { continue };
        let path = format!("{path} {}", group.name);
        for node in group.nodes.iter().filter(|node| node.name() == typed) {
            lines.push(format!("{path} {}", node.name()));
        }
        deeper(&path, typed, group.nodes, lines);
    }
}

#[cfg(test)]
mod tests {
    use super::super::verbs;
    use super::*;

    #[test]
    fn the_nearest_words_are_found_and_others_are_not() {
        let known = ["get", "kv", "list", "read", "secrets", "status", "unseal"];
        for (typed, expected) in [
            ("kvv", &["kv"][..]),
            ("vk", &["kv"]),
            ("gte", &["get"]),
            ("secret", &["secrets"]),
            ("unsael", &["unseal"]),
            ("stat", &["status"]),
            ("raed", &["read"]),
            ("nosuch", &[]),
            ("x", &[]),
            ("", &[]),
        ] {
            assert_eq!(near(typed, known), expected, "{typed:?}");
        }
    }

    #[test]
    fn a_verb_of_a_group_is_found_from_above() {
        let lines = |path: &str, typed: &str| question(path, typed, verbs::NODES);
        let text = lines("vault", "unseal");
        assert!(text.ends_with("\n\n    vault operator unseal"), "{text}");
        assert!(lines("vault", "kvv").contains("Unknown command \"kvv\""));
        assert_eq!(lines("vault", "nosuch"), "");
    }
}
