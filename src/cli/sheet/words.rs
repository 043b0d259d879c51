//! A share in words, for people who read it from paper.
//!
//! ```text
//! words 1-24   the 33 bytes of a share, y bytes and then x, eleven bits a word, the highest first;
//!              a whole key, of which there is one share only, is written as the share at x = 0
//! words 25-27  check words
//! ```
//!
//! The words are those of BIP-39 (`english.txt`, one a line, sorted): no two begin with the same
//! four letters, so four are enough. Its checksum of eight bits would say that something is wrong;
//! these check words say which word it is. They are a Reed-Solomon code over GF(2^11) by
//! x^11 + x^2 + 1, whose generator has the roots 2, 4 and 8; word 1 is the highest coefficient. So
//! one wrong word is found and told, and so are two neighbours that changed their places; any two
//! or three wrong words are noticed.

use crate::secret::{Secret, SecretBytes};
use strsim::osa_distance;
use zeroize::Zeroizing;

const LIST: &str = include_str!("english.txt");
const WORD_BITS: u32 = 11;
const DATA_WORDS: usize = 24;
const CHECK_WORDS: usize = 3;
/// The number of words of a share.
pub const WORDS: usize = DATA_WORDS + CHECK_WORDS;
/// The bytes of a share: a key and its x.
const SHARE_BYTES: usize = 33;
/// The letters that tell a word from all others.
const LETTERS_MIN: usize = 4;
/// The mark of a word that cannot be read.
const UNREADABLE: &str = "?";
/// The lower terms of the field's polynomial.
const REDUCTION: u16 = 0b101;
const VALUES: u16 = 1 << WORD_BITS;
/// The roots of the generator.
const ROOTS: [u16; CHECK_WORDS] = [2, 4, 8];

/// The reason for which words make no share. The holder should look at the sheet again.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// Words were left out, or typed twice.
    #[error("a key has {WORDS} words, and these are {0}")]
    Count(usize),
    /// A word is not in the list.
    #[error("word {at}, {typed:?}, is in no list of words{}", by_checks(.should))]
    Unknown {
        /// Its place, from 1.
        at: usize,
        /// The word as it was typed.
        typed: String,
        /// The word that belongs there.
        should: Option<&'static str>,
    },
    /// One word is another one.
    #[error("word {at} is wrong: by the check words it is {should:?}")]
    Wrong {
        /// Its place, from 1.
        at: usize,
        /// The word that belongs there.
        should: &'static str,
    },
    /// Two neighbours changed their places.
    #[error("words {at} and {} have changed places", .at + 1)]
    Swapped {
        /// The place of the first, from 1.
        at: usize,
    },
    /// More is wrong than can be told.
    #[error(
        "several words are wrong or in another order, or more than one cannot be read: compare \
         them with the sheet"
    )]
    Several,
}

fn by_checks(should: &Option<&str>) -> String {
    let told = should.map(|word| format!(": by the check words it is {word:?}"));
    told.unwrap_or_default()
}

/// Returns the words of a share, or of a whole key; `None` for other lengths.
pub fn words_of(share: &[u8]) -> Option<Vec<&'static str>> {
    let zero: &[u8] = match SHARE_BYTES.checked_sub(share.len())? {
        0 => &[],
        1 => &[0],
        _ => return None,
    };
    let mut numbers = Zeroizing::new(Vec::with_capacity(WORDS));
    let (mut held, mut bits) = (0_u32, 0);
    for byte in share.iter().chain(zero) {
        held = (held << 8 | u32::from(*byte)) & 0x3_ffff;
        bits += 8;
        if bits >= WORD_BITS {
            bits -= WORD_BITS;
            numbers.push((held >> bits) as u16 % VALUES);
        }
    }
    let checks = checks(&numbers);
    numbers.extend(checks);
    let list: Vec<&str> = LIST.lines().collect();
    let words = numbers.iter().map(|at| list.get(usize::from(*at)).copied());
    words.collect()
}

/// Reads words, in the order of the sheet; numbers between them are passed over. One that cannot be
/// read may be `?`. Returns `None` for a text that is not in words.
pub fn share_of_words(text: &str) -> Option<Result<SecretBytes, WordsError>> {
    let typed = typed(text)?;
    Some(decode(&typed))
}

/// Returns how many words the text has; `None` for a text that is not in words.
pub fn count(text: &str) -> Option<usize> {
    typed(text).map(|typed| typed.len())
}

/// Returns the words of a text, without the numbers between them.
fn typed(text: &str) -> Option<Zeroizing<Vec<String>>> {
    let parts = text.split_whitespace();
    let words = parts.filter(|part| {
        let number = part.trim_end_matches(['.', ':', ')']);
        number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit())
    });
    let words: Vec<String> = words
        .map(|word| word.trim_end_matches(',').to_ascii_lowercase())
        .collect();
    let is_word = |word: &String| {
        word == UNREADABLE || (!word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic()))
    };
    (words.len() > 1 && words.iter().all(is_word)).then(|| Zeroizing::new(words))
}

fn decode(typed: &[String]) -> Result<SecretBytes, WordsError> {
    if typed.len() != WORDS {
        return Err(WordsError::Count(typed.len()));
    }
    let list: Vec<&'static str> = LIST.lines().collect();
    let word = |at: u16| list.get(usize::from(at)).copied().unwrap_or_default();
    let mut numbers = Zeroizing::new(Vec::with_capacity(WORDS));
    let mut unknown = None;
    for (at, one) in typed.iter().enumerate() {
        let known = number_of(&list, one);
        if known.is_none() && unknown.replace((at, one)).is_some() {
            return Err(several_unknown(&list, typed));
        }
        numbers.push(known.unwrap_or(0));
    }
    let found = fault(&numbers);
    if let Some((at, one)) = unknown {
        let should = match found {
            Fault::None => Some(0),
            Fault::One { at: wrong, should } if wrong == at => Some(should),
            _ => None,
        };
        let at_most = typed.get(at).is_some_and(|one| one == UNREADABLE);
        match (should, at_most, numbers.get_mut(at)) {
            (Some(should), true, Some(number)) => *number = should,
            (_, true, _) => return Err(WordsError::Several),
            _ => {
                return Err(WordsError::Unknown {
                    at: at + 1,
                    typed: one.clone(),
                    should: should.map(word),
                });
            }
        }
        return Ok(bytes_of(&numbers));
    }
    match found {
        Fault::None => Ok(bytes_of(&numbers)),
        Fault::One { at, should } => Err(WordsError::Wrong {
            at: at + 1,
            should: word(should),
        }),
        Fault::Swapped { at } => Err(WordsError::Swapped { at: at + 1 }),
        Fault::Several => Err(WordsError::Several),
    }
}

/// Names the first of several words that are not in the list, and the nearest one that is.
fn several_unknown(list: &[&'static str], typed: &[String]) -> WordsError {
    let mut unknown = typed.iter().enumerate();
    let first = unknown.find(|(_, one)| *one != UNREADABLE && number_of(list, one).is_none());
    let Some((at, one)) = first else {
        return WordsError::Several;
    };
    let nearest = list.iter().min_by_key(|word| osa_distance(word, one));
    match nearest.filter(|word| osa_distance(word, one) <= 2) {
        Some(nearest) => WordsError::Unknown {
            at: at + 1,
            typed: format!("{one} (perhaps {nearest})"),
            should: None,
        },
        None => WordsError::Unknown {
            at: at + 1,
            typed: one.clone(),
            should: None,
        },
    }
}

/// Returns the number of a word in the list, that may be cut to its first letters.
fn number_of(list: &[&str], typed: &str) -> Option<u16> {
    let at = list.partition_point(|word| *word < typed);
    let found = list.get(at)?;
    let is_it = *found == typed || (typed.len() >= LETTERS_MIN && found.starts_with(typed));
    is_it.then(|| u16::try_from(at).ok()).flatten()
}

/// Returns the share, or the whole key.
fn bytes_of(numbers: &[u16]) -> SecretBytes {
    let mut bytes = Vec::with_capacity(SHARE_BYTES);
    let (mut held, mut bits) = (0_u32, 0);
    for number in numbers.iter().take(DATA_WORDS) {
        held = (held << WORD_BITS | u32::from(*number)) & 0x3_ffff;
        bits += WORD_BITS;
        while bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    Secret::new(bytes)
}

/// The fault of some words.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The word at this place, from 0, should be this one.
    One {
        at: usize,
        should: u16,
    },
    /// The word at this place and the next one have changed places.
    Swapped {
        at: usize,
    },
    Several,
}

fn fault(numbers: &[u16]) -> Fault {
    let found = syndromes(numbers);
    if found == [0; CHECK_WORDS] {
        return Fault::None;
    }
    let [first, second, third] = found;
    let mut place = 1;
    for (at, number) in numbers.iter().enumerate().rev() {
        if times(first, place) == second && times(second, place) == third {
            let should = number ^ times(first, inverse(place));
            return Fault::One { at, should };
        }
        place = times(place, 2);
    }
    let mut swapped = Zeroizing::new(numbers.to_vec());
    for at in 1..numbers.len() {
        swapped.swap(at - 1, at);
        if syndromes(&swapped) == [0; CHECK_WORDS] {
            return Fault::Swapped { at: at - 1 };
        }
        swapped.swap(at - 1, at);
    }
    Fault::Several
}

fn syndromes(numbers: &[u16]) -> [u16; CHECK_WORDS] {
    ROOTS.map(|root| {
        let sum = |sum, number: &u16| times(sum, root) ^ number;
        numbers.iter().fold(0, sum)
    })
}

/// Returns the check words of the others: the remainder of their polynomial, moved up, by the
/// generator.
fn checks(data: &[u16]) -> [u16; CHECK_WORDS] {
    let [a, b, c] = ROOTS;
    let generator = [
        a ^ b ^ c,
        times(a, b) ^ times(a, c) ^ times(b, c),
        times(times(a, b), c),
    ];
    let mut remainder = [0; CHECK_WORDS];
    for number in data {
        let [first, second, third] = remainder;
        let out = number ^ first;
        let [high, middle, low] = generator.map(|of| times(out, of));
        remainder = [second ^ high, third ^ middle, low];
    }
    remainder
}

/// Multiplies in GF(2^11), without a branch on the operands.
fn times(mut one: u16, other: u16) -> u16 {
    let mut product = 0;
    for bit in 0..WORD_BITS {
        product ^= one & 0_u16.wrapping_sub(other >> bit & 1);
        let carry = one >> (WORD_BITS - 1) & 1;
        one = ((one << 1) % VALUES) ^ (REDUCTION & 0_u16.wrapping_sub(carry));
    }
    product
}

/// Returns `value^2046`, the inverse of all but zero.
fn inverse(value: u16) -> u16 {
    let (mut power, mut product) = (value, 1);
    for _ in 1..WORD_BITS {
        power = times(power, power);
        product = times(product, power);
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share() -> Vec<u8> {
        (1..=33).map(|at| at * 7 % 251).collect()
    }

    fn words() -> Vec<String> {
        let words = words_of(&share()).unwrap();
        words.into_iter().map(str::to_owned).collect()
    }

    fn read(words: &[String]) -> Result<Vec<u8>, WordsError> {
        let read = share_of_words(&words.join(" ")).unwrap();
        read.map(|share| share.expose().clone())
    }

    #[test]
    fn the_list_is_that_of_bip_39() {
        let digest = ring::digest::digest(&ring::digest::SHA256, LIST.as_bytes());
        assert_eq!(
            hex::encode(digest),
            "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
        );
        assert!(LIST.lines().is_sorted());
        assert_eq!(LIST.lines().count(), usize::from(VALUES));
    }

    /// The form is on paper: it stays.
    #[test]
    fn a_share_has_these_words_for_ever() {
        let shown = words().join(" ");
        assert_eq!(shown, KNOWN);
        assert_eq!(
            words_of(&[0; 32]).unwrap().join(" "),
            ["abandon"; 27].join(" ")
        );
    }

    /// Computed apart from this code.
    const KNOWN: &str = "alpha idle either edge perfect orchard wonder situate february swallow \
                         olympic thought jewel drift crane infant payment earth unit knee erosion \
                         truly guide brother theme wish number";

    #[test]
    fn a_field_has_inverses() {
        for value in 1..VALUES {
            assert_eq!(times(value, inverse(value)), 1, "{value}");
        }
        assert_eq!(times(1 << 10, 2), REDUCTION);
    }

    #[test]
    fn words_are_read_as_they_are_typed() {
        let words = words();
        assert_eq!(read(&words).unwrap(), share());
        let cut = words.iter().map(|word| word.chars().take(4).collect());
        assert_eq!(read(&cut.collect::<Vec<_>>()).unwrap(), share());
        let numbered = words.iter().enumerate();
        let numbered = numbered.map(|(at, word)| format!("{}. {}", at + 1, word.to_uppercase()));
        assert_eq!(read(&numbered.collect::<Vec<_>>()).unwrap(), share());
        let mut unreadable = words;
        unreadable[11] = "?".into();
        assert_eq!(read(&unreadable).unwrap(), share());
        unreadable[13] = "?".into();
        assert_eq!(read(&unreadable), Err(WordsError::Several));
    }

    #[test]
    fn a_whole_key_is_32_bytes_again() {
        for key in [[0; 32], [9; 32]] {
            let words = words_of(&key).unwrap().join("\n");
            let read = share_of_words(&words).unwrap().unwrap();
            assert_eq!(*read.expose(), key);
        }
        assert_eq!((words_of(&[1; 31]), words_of(&[1; 34])), (None, None));
    }

    #[test]
    fn other_texts_are_not_words() {
        for text in [
            "",
            "abandon",
            "a1b2",
            "q83v AbC=",
            "12 34",
            "zm9v/+==",
            "ab cd1",
        ] {
            assert!(share_of_words(text).is_none(), "{text}");
        }
        assert_eq!(count("1. able 2. acid"), Some(2));
    }

    #[test]
    fn a_fault_is_told_with_its_place() {
        let right = words();
        let with = |changes: &[(usize, &str)]| {
            let mut words = right.clone();
            for (at, word) in changes {
                words[*at] = (*word).to_owned();
            }
            read(&words).unwrap_err().to_string()
        };
        let sixth = &right[5];
        let told = with(&[(5, "zoo")]);
        assert_eq!(
            told,
            format!("word 6 is wrong: by the check words it is {sixth:?}")
        );
        let told = with(&[(5, "zooo")]);
        let by =
            format!("word 6, \"zooo\", is in no list of words: by the check words it is {sixth:?}");
        assert_eq!(told, by);
        let told = with(&[(5, "zooo"), (9, "abandom")]);
        assert_eq!(
            told,
            "word 6, \"zooo (perhaps zoo)\", is in no list of words"
        );
        let told = with(&[(3, &right[4]), (4, &right[3])]);
        assert_eq!(told, "words 4 and 5 have changed places");
        assert!(with(&[(3, "zoo"), (9, "zone")]).starts_with("several words are wrong"));
        let short = read(&right[1..]).unwrap_err().to_string();
        assert_eq!(short, "a key has 27 words, and these are 26");
    }

    proptest! {
        #[test]
        fn one_wrong_word_is_always_found_and_two_are_never_taken(
            share in proptest::collection::vec(any::<u8>(), 33),
            one in 0..WORDS, other in 0..WORDS, by in 1..VALUES, more in 1..VALUES,
        ) {
            let words = words_of(&share).unwrap();
            let list: Vec<&str> = LIST.lines().collect();
            let mut numbers: Vec<u16> =
                words.iter().map(|word| number_of(&list, word).unwrap()).collect();
            let right = numbers[one];
            numbers[one] ^= by;
            prop_assert_eq!(fault(&numbers), Fault::One { at: one, should: right });
            if one != other {
                numbers[other] ^= more;
                let is_told = matches!(fault(&numbers), Fault::Several | Fault::Swapped { .. });
                prop_assert!(is_told);
            }
        }
    }
}
