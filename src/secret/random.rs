//! Random bytes from the kernel.

use ring::rand::{SecureRandom, SystemRandom};

/// Fills `target` with random bytes fit for keys.
///
/// # Panics
/// When the kernel has no random source at all; nothing safe can be done then.
pub fn fill_random(target: &mut [u8]) {
    SystemRandom::new()
        .fill(target)
        .expect("Linux 3.17 and later always answers getrandom");
}

#[cfg(test)]
mod tests {
    use super::*;

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
