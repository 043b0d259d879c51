//! Bech32 (BIP-173), the form of age's recipients: a name, `1`, five bits a letter, a checksum.

use super::AgeError;

const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM_LETTERS: usize = 6;
const GENERATOR: [u32; 5] = [
    0x3b6a_57b2,
    0x2650_8e6d,
    0x1ea1_19fa,
    0x3d42_33dd,
    0x2a14_62b3,
];

/// Returns the bytes of `text`, whose name must be `name`.
pub(super) fn decode(name: &str, text: &str) -> Result<Vec<u8>, AgeError> {
    let has_lower = text.bytes().any(|byte| byte.is_ascii_lowercase());
    if has_lower && text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(AgeError::Checksum);
    }
    let text = text.to_ascii_lowercase();
    let rest = text.strip_prefix(name).and_then(|it| it.strip_prefix('1'));
    let letters = rest.ok_or(AgeError::Unknown)?.bytes();
    let values = letters.map(|letter| LETTERS.iter().position(|it| *it == letter));
    let values: Option<Vec<u8>> = values.map(|at| u8::try_from(at?).ok()).collect();
    let values = values.ok_or(AgeError::Checksum)?;
    if checksum(name, &values) != 1 {
        return Err(AgeError::Checksum);
    }
    let data = values.len().checked_sub(CHECKSUM_LETTERS);
    let data = data.and_then(|length| values.get(..length));
    bytes(data.ok_or(AgeError::Checksum)?)
}

/// Returns 1 where the checksum at the end of `values` fits.
fn checksum(name: &str, values: &[u8]) -> u32 {
    let high = name.bytes().map(|byte| byte >> 5);
    let low = name.bytes().map(|byte| byte & 31);
    let all = high.chain([0]).chain(low).chain(values.iter().copied());
    all.fold(1, |sum, value| {
        let next = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        let top = sum >> 25;
        let terms = GENERATOR.iter().enumerate();
        let terms = terms.filter(|(bit, _)| top >> bit & 1 == 1);
        terms.fold(next, |sum, (_, term)| sum ^ term)
    })
}

/// Joins groups of five bits; what is left over must be less than a group, and zero.
fn bytes(groups: &[u8]) -> Result<Vec<u8>, AgeError> {
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for group in groups {
        held = held << 5 | u32::from(*group);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits & 0xff) as u8);
            held &= (1 << bits) - 1;
        }
    }
    match bits < 5 && held == 0 {
        true => Ok(out),
        false => Err(AgeError::Checksum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_standard_are_read_or_refused() {
        let valid = "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw";
        let read = decode("abcdef", valid).unwrap();
        assert_eq!(
            hex::encode(read),
            "00443214c74254b635cf84653a56d7c675be77df"
        );
        assert_eq!(decode("a", "A12UEL5L"), Ok(Vec::new()));
        let mixed = valid.replace("mqqq", "MQqq");
        for (text, wanted) in [
            (mixed.as_str(), AgeError::Checksum),
            (
                "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxv",
                AgeError::Checksum,
            ),
            ("abcdef1bmqqqxw", AgeError::Checksum),
            ("abcdef1xw", AgeError::Checksum),
            ("abcdeg1mqqqxw", AgeError::Unknown),
        ] {
            assert_eq!(decode("abcdef", text), Err(wanted), "{text}");
        }
    }
}
