//! Random bytes and texts from the kernel.

use super::SecretString;
use ring::rand::{SecureRandom, SystemRandom};

/// Fills `target` with random bytes fit for keys.
///
/// # Panics
/// The kernel has no random source at all; nothing safe can be done then.
pub fn fill_random(target: &mut [u8]) {
    SystemRandom::new()
        .fill(target)
        .expect("Linux 3.17 and later always answers getrandom");
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Bytes that are drawn at once.
const DRAW_BYTES: usize = 64;

/// Returns `chars` random letters and digits, each equally likely: 5.95 bits of chance a character.
pub fn random_text(chars: usize) -> SecretString {
    let mut text = SecretString::new(String::with_capacity(chars));
    let mut draw = zeroize::Zeroizing::new([0_u8; DRAW_BYTES]);
    while text.expose().len() < chars {
        fill_random(draw.as_mut());
        // 248 = 4 * 62: the bytes above would favour the first letters.
        let fair = draw.iter().filter(|byte| **byte < 248);
        let letters = fair.filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
        let missing = chars - text.expose().len();
        let letters = letters.take(missing).map(|byte| char::from(*byte));
        text.expose_mut().extend(letters);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_length_and_differ() {
        for chars in [0, 1, 24, 28, 200] {
            let text = random_text(chars);
            assert_eq!(text.expose().len(), chars);
            assert!(
                text.expose()
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric())
            );
        }
        assert_ne!(random_text(24).expose(), random_text(24).expose());
    }

    #[test]
    fn fills_every_byte() {
        // A byte left untouched in all of 16 draws would be zero in each: chance 2^-128 per byte.
        let mut seen = [0u8; 64];
        for _ in 0..16 {
            let mut draw = [0u8; 64];
            fill_random(&mut draw);
            for (seen, drawn) in seen.iter_mut().zip(draw) {
                *seen |= drawn;
            }
        }
        assert!(seen.iter().all(|byte| *byte != 0));
    }
}
