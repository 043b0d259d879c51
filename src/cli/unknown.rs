//! Answers a command that does not exist: names it, and suggests the nearest ones.

use super::suggest::{SUGGESTIONS_MAX, near};
use super::verb::VerbNode;

/// Returns a question about the word that none of `nodes` has, to stand below a usage text; empty
/// when nothing is near. `path` holds the words before it.
pub fn question(path: &str, typed: &str, nodes: &[VerbNode]) -> String {
    let near = near(typed, nodes.iter().map(VerbNode::name));
    let mut lines: Vec<String> = near.iter().map(|word| format!("{path} {word}")).collect();
    if lines.is_empty() {
        // `unseal` is found as `operator unseal`.
        deeper(path, typed, nodes, &mut lines);
        lines.truncate(SUGGESTIONS_MAX);
    }
    if lines.is_empty() {
        return String::new();
    }
    let lines = lines.join("\n    ");
    format!("\n\nUnknown command {typed:?}. Did you mean this?\n\n    {lines}")
}

fn deeper(path: &str, typed: &str, nodes: &[VerbNode], lines: &mut Vec<String>) {
    for node in nodes {
        let VerbNode::Group(group) = node else {
            continue;
        };
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
    fn a_verb_of_a_group_is_found_from_above() {
        let lines = |path: &str, typed: &str| question(path, typed, verbs::NODES);
        let text = lines("vault", "unseal");
        assert!(text.ends_with("\n\n    vault operator unseal"), "{text}");
        assert!(lines("vault", "kvv").contains("Unknown command \"kvv\""));
        assert_eq!(lines("vault", "nosuch"), "");
    }
}
