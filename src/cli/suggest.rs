//! Suggestions for an unknown word.

/// The most words that are suggested.
pub const SUGGESTIONS_MAX: usize = 3;
/// The shortest typed beginning of a word that suggests the word, in characters.
const BEGINNING_CHARS_MIN: usize = 3;

/// Returns the known words that are nearest to `typed`, best first; none when nothing is near.
pub fn near<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    // One slip is allowed in a short word, two in a long one.
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

#[cfg(test)]
mod tests {
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
}
