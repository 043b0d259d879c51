//! Keys as holders give them: in base64 or hexadecimal, as servers take them, or in the words of a
//! sheet, which become base64 here.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use crate::secret::{Secret, SecretString};

use super::call::Call;
use super::failure::Failure;
use super::sheet::{WORDS, count_words, share_of_words};

/// Returns the key in a form that servers take.
///
/// # Errors
/// Words that make no key; the message says which is wrong.
pub fn share_text(given: SecretString) -> Result<SecretString, Failure> {
    match share_of_words(given.expose()) {
        None => Ok(given),
        Some(Ok(share)) => Ok(Secret::new(BASE64.encode(share.expose()))),
        Some(Err(error)) => Err(Failure::usage(format!("The words make no key: {error}"))),
    }
}

/// Asks for a key on the terminal, without echo. Words may be given in several lines, in which a
/// sheet has them.
///
/// # Errors
/// There is no terminal.
pub fn ask_share(call: &Call, question: &str) -> io::Result<SecretString> {
    let mut given = Zeroizing::new(call.prompt(question)?.expose().clone());
    while let Some(next) = next_word(&given) {
        let more = call.prompt(&format!("Words {next} to {WORDS} (will be hidden): "))?;
        if more.expose().is_empty() {
            break;
        }
        let mut longer = Zeroizing::new(String::with_capacity(given.len() * 2 + 64));
        longer.push_str(&given);
        longer.push(' ');
        longer.push_str(more.expose());
        given = longer;
    }
    Ok(Secret::new(given.to_string()))
}

/// Returns the number of the first word that is missing, in a text of words that are too few.
fn next_word(given: &str) -> Option<usize> {
    let count = count_words(given).filter(|count| *count < WORDS)?;
    Some(count + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Result<String, String> {
        let share = share_text(Secret::new(text.to_owned()));
        share
            .map(|share| share.expose().clone())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn words_become_base64_and_other_forms_stay() {
        let words = ["abandon"; 27].join(" ");
        assert_eq!(given(&words).unwrap(), BASE64.encode([0; 32]));
        for other in ["", "abc", "00ff", "q83vAbC=", "nonsense!"] {
            assert_eq!(given(other).unwrap(), other);
        }
        let wrong = given(&words.replacen("abandon", "zoo", 1)).unwrap_err();
        assert_eq!(
            wrong,
            "The words make no key: word 1 is wrong: by the check words it is \"abandon\""
        );
    }

    #[test]
    fn lines_of_words_go_on_until_there_are_enough() {
        assert_eq!(next_word("1. able 2. acid 3. aim"), Some(4));
        assert_eq!(next_word(&["able"; 27].join(" ")), None);
        assert_eq!(next_word("q83vAbC="), None);
    }
}
