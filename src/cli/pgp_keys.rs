//! PGP keys that flags name: files of public keys, as `gpg --export` writes them, armored or not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::data;
use super::failure::Failure;
use super::flags::Flags;

const ARMORED: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const PRIVATE: &str = "-----BEGIN PGP PRIVATE KEY BLOCK-----";

/// Returns the keys of the files that the flag `name` names, in base64, as servers take them. The
/// names may be parted by commas, or stand in several flags.
///
/// # Errors
/// A file that cannot be read, a private key, or a name on keybase, which is not looked up.
pub fn pgp_keys(flags: &Flags, name: &str) -> Result<Vec<String>, Failure> {
    let given = flags.texts(name).iter().flat_map(|text| text.split(','));
    let paths = given.map(str::trim).filter(|path| !path.is_empty());
    paths.map(|path| read(name, path)).collect()
}

fn read(name: &str, path: &str) -> Result<String, Failure> {
    let wrong =
        |why: &str| Failure::usage(format!("invalid value {path:?} for flag -{name}: {why}"));
    if path.starts_with("keybase:") {
        return Err(wrong("keybase is not asked: name a file of the public key"));
    }
    let bytes = data::read_file(path.strip_prefix('@').unwrap_or(path));
    let bytes = bytes.map_err(|error| wrong(&error.to_string()))?;
    encoded(&bytes).ok_or_else(|| wrong("it is a private key, which is nobody else's"))
}

/// Returns base64 of the key's packets; `None` for a private key.
fn encoded(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
    if text.contains(PRIVATE) {
        return None;
    }
    let packed: String = text.split_ascii_whitespace().collect();
    match text.strip_prefix(ARMORED) {
        Some(rest) => Some(dearmored(rest)),
        None if !packed.is_empty() && STANDARD.decode(&packed).is_ok() => Some(packed),
        None => Some(STANDARD.encode(bytes)),
    }
}

/// Returns the body of the armor, without headers and checksum.
fn dearmored(rest: &str) -> String {
    let lines = rest.trim_start().lines().map(str::trim);
    let lines = lines.skip_while(|line| line.contains(": ") || line.is_empty());
    let lines = lines.take_while(|line| !line.starts_with(['=', '-']));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sent_in_base64_whatever_their_form() {
        let armored = format!("{ARMORED}\nVersion: x\n\nmQEN\nBGs=\n=abcd\n-----END");
        for (bytes, sent) in [
            (armored.as_bytes(), "mQENBGs="),
            (b"mQEN\nBGs=\n", "mQENBGs="),
            (&[0x99, 0x01, 0x0d, 0x04, 0x6b], "mQENBGs="),
        ] {
            assert_eq!(encoded(bytes).as_deref(), Some(sent));
        }
        let plain = format!("{ARMORED}\n\nmQEN\n-----END");
        assert_eq!(encoded(plain.as_bytes()).as_deref(), Some("mQEN"));
        assert_eq!(encoded(format!("\n{PRIVATE}\n\nlQ").as_bytes()), None);
    }
}
