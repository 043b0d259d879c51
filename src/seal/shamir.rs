//! Shamir's secret sharing over GF(2^8) with the polynomial 0x11b, in Vault's share format:
//!
//! ```text
//! share:  y_0 .. y_(n-1) | x        one y per secret byte, x from 1 to 255
//! ```
//!
//! For every byte of the secret a polynomial of degree `threshold - 1` is drawn, uniformly in all
//! its coefficients (the leading one included: leaving out zero would tell an attacker with
//! `threshold - 1` shares something), with the byte at x = 0.
//!
//! The field arithmetic is vsss-rs's `Gf256`: shifts and masks, no tables and no branches on the
//! operands. Source: A. Shamir, "How to share a secret", 1979.

use super::SealError;
use crate::secret::{Secret, SecretBytes, fill_random};
use vsss_rs::Gf256;

/// Splits `secret` into `shares` shares, any `threshold` of which give it back.
pub fn split(secret: &[u8], shares: u8, threshold: u8) -> Result<Vec<SecretBytes>, SealError> {
    if threshold > shares {
        return Err(SealError::ThresholdAboveShares);
    }
    if threshold < 2 {
        return Err(SealError::ThresholdOfOne);
    }
    let degree = usize::from(threshold) - 1;
    let mut coefficients = Secret::new(vec![0; degree * secret.len()]);
    fill_random(coefficients.expose_mut());
    let coefficients = coefficients.expose().chunks_exact(degree);
    let mut made: Vec<Vec<u8>> = Vec::with_capacity(usize::from(shares));
    made.resize_with(usize::from(shares), || Vec::with_capacity(secret.len() + 1));
    let numbers = distinct_numbers(shares);
    for (byte, coefficients) in secret.iter().zip(coefficients) {
        for (share, x) in made.iter_mut().zip(&numbers) {
            share.push(evaluate(*byte, coefficients, *x));
        }
    }
    for (share, x) in made.iter_mut().zip(&numbers) {
        share.push(*x);
    }
    Ok(made.into_iter().map(Secret::new).collect())
}

/// Gives the secret back. Wrong shares of the right form give a wrong secret without an error; its
/// use then fails.
pub fn combine(shares: &[SecretBytes]) -> Result<SecretBytes, SealError> {
    let parts: Vec<(&u8, &[u8])> = shares
        .iter()
        .filter_map(|share| share.expose().split_last())
        .collect();
    let (_, first) = parts.first().ok_or(SealError::TooFewParts)?;
    if parts.len() < 2 || parts.len() != shares.len() || first.is_empty() {
        return Err(SealError::TooFewParts);
    }
    if parts.iter().any(|(_, ys)| ys.len() != first.len()) {
        return Err(SealError::LengthsDiffer);
    }
    let mut secret = vec![0; first.len()];
    for (x, ys) in &parts {
        let weight = weight_at_zero(**x, parts.iter().map(|(x, _)| **x))?;
        for (byte, y) in secret.iter_mut().zip(*ys) {
            *byte ^= (Gf256(*y) * weight).0;
        }
    }
    Ok(Secret::new(secret))
}

/// Evaluates the polynomial with `constant` and `coefficients` (ascending) at `x`, by Horner's
/// rule.
fn evaluate(constant: u8, coefficients: &[u8], x: u8) -> u8 {
    let higher = coefficients
        .iter()
        .rev()
        .fold(Gf256(0), |sum, coefficient| {
            sum * Gf256(x) + Gf256(*coefficient)
        });
    (higher * Gf256(x) + Gf256(constant)).0
}

/// Returns Lagrange's weight of the share number `x` among `all`, at zero.
fn weight_at_zero(x: u8, all: impl Iterator<Item = u8>) -> Result<Gf256, SealError> {
    let (mut above, mut below) = (Gf256(1), Gf256(1));
    let mut same = 0;
    for other in all {
        if other == x {
            same += 1;
            continue;
        }
        above *= Gf256(other);
        below *= Gf256(other) + Gf256(x);
    }
    if same != 1 {
        return Err(SealError::DuplicatePart);
    }
    Ok(above * inverse(below))
}

/// Returns `value^254`, which is the inverse of all but zero: 254 = 2 + 4 + 8 + ... + 128.
fn inverse(value: Gf256) -> Gf256 {
    let mut power = value;
    let mut product = Gf256(1);
    for _ in 0..7 {
        power *= power;
        product *= power;
    }
    product
}

/// Returns `count` distinct random numbers from 1 to 255 (a Fisher-Yates shuffle cut short).
fn distinct_numbers(count: u8) -> Vec<u8> {
    let mut pool: Vec<u8> = (1..=255).collect();
    let mut numbers = Vec::with_capacity(usize::from(count));
    while numbers.len() < usize::from(count) && !pool.is_empty() {
        let index = uniform_below(pool.len());
        numbers.push(pool.swap_remove(index));
    }
    numbers
}

/// Returns a uniform random number below `limit` (at most 256), by rejection.
fn uniform_below(limit: usize) -> usize {
    let fair = 256 - 256 % limit;
    loop {
        let mut draw = [0];
        fill_random(&mut draw);
        let drawn = usize::from(u8::from_be_bytes(draw));
        if drawn < fair {
            return drawn % limit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn pick(shares: &[SecretBytes], indices: &[usize]) -> Vec<SecretBytes> {
        let copy = |index: &usize| Secret::new(shares[*index].expose().clone());
        indices.iter().map(copy).collect()
    }

    #[test]
    fn the_field_is_0x11b() {
        // 0x53 and 0xca are inverses in the field of AES (FIPS 197, 4.2), and not in 0x11d.
        assert_eq!((Gf256(0x53) * Gf256(0xca)).0, 1);
        assert_eq!((Gf256(0x57) * Gf256(0x83)).0, 0xc1);
        for value in 1..=255 {
            assert_eq!(Gf256(value) * inverse(Gf256(value)), Gf256(1));
        }
    }

    #[test]
    fn one_share_too_few_gives_something_else() {
        let secret = [0x42; 32];
        let shares = split(&secret, 5, 3).unwrap();
        let found = combine(&pick(&shares, &[0, 1])).unwrap();
        assert_ne!(found.expose().as_slice(), secret);
    }

    #[test]
    fn misuse_is_refused() {
        let shares = split(&[1; 32], 5, 3).unwrap();
        assert_eq!(combine(&[]).unwrap_err(), SealError::TooFewParts);
        assert_eq!(
            combine(&pick(&shares, &[0])).unwrap_err(),
            SealError::TooFewParts
        );
        assert_eq!(
            combine(&pick(&shares, &[0, 1, 0])).unwrap_err(),
            SealError::DuplicatePart
        );
        let mut mixed = pick(&shares, &[0, 1]);
        mixed.push(Secret::new(vec![9; 32]));
        assert_eq!(combine(&mixed).unwrap_err(), SealError::LengthsDiffer);
        let empty = vec![Secret::new(vec![1]), Secret::new(vec![2])];
        assert_eq!(combine(&empty).unwrap_err(), SealError::TooFewParts);
        assert_eq!(
            split(&[1], 2, 3).unwrap_err(),
            SealError::ThresholdAboveShares
        );
        assert_eq!(split(&[1], 2, 1).unwrap_err(), SealError::ThresholdOfOne);
    }

    /// Finds the defect of RUSTSEC-2024-0398: coefficients that are never zero. Over 2^14 splits of
    /// one byte each of the 256 leading coefficients comes up some 64 times; one that is left out
    /// by chance has a probability of e^-64.
    #[test]
    fn every_coefficient_value_occurs() {
        let mut seen = HashSet::new();
        let shares = split(&vec![0; 1 << 14], 2, 2).unwrap();
        let (x, ys) = shares[0].expose().split_last().unwrap();
        let inverse = inverse(Gf256(*x));
        seen.extend(ys.iter().map(|y| (Gf256(*y) * inverse).0));
        assert_eq!(seen.len(), 256);
    }

    #[test]
    fn numbers_are_distinct_not_zero_and_not_always_the_same() {
        let numbers = distinct_numbers(255);
        let set: HashSet<u8> = numbers.iter().copied().collect();
        assert_eq!((set.len(), set.contains(&0)), (255, false));
        assert_ne!(numbers, distinct_numbers(255));
    }

    /// Prints shares of a given key, for `tests/vectors/make_shamir.py` to try on a real server.
    #[test]
    #[ignore = "run by tests/vectors/make_shamir.py"]
    fn shares_for_a_peer() {
        let given = |name: &str| std::env::var(name).unwrap();
        let key = hex::decode(given("SEAL_KEY")).unwrap();
        let threshold = given("THRESHOLD").parse().unwrap();
        let shares = split(&key, given("SHARES").parse().unwrap(), threshold).unwrap();
        for share in &shares {
            println!("share {}", hex::encode(share.expose()));
        }
        let again = combine(&shares).unwrap();
        assert_eq!(again.expose(), &key);
    }

    proptest! {
        #[test]
        fn any_threshold_of_them_give_it_back(
            secret in prop::collection::vec(any::<u8>(), 1..40),
            threshold in 2u8..8,
            extra in 0u8..8,
            order in prop::collection::vec(any::<prop::sample::Index>(), 16),
        ) {
            let shares = split(&secret, threshold + extra, threshold).unwrap();
            let mut pool: Vec<usize> = (0..shares.len()).collect();
            let chosen: Vec<usize> = order
                .iter()
                .take(usize::from(threshold))
                .map(|index| pool.swap_remove(index.index(pool.len())))
                .collect();
            let found = combine(&pick(&shares, &chosen)).unwrap();
            prop_assert_eq!(found.expose(), &secret);
            let all = combine(&shares).unwrap();
            prop_assert_eq!(all.expose(), &secret);
        }
    }
}
