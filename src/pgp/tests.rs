//! Keys that GnuPG made (`tests/fixtures/pgp/make.sh`), and messages that it opens.

use super::packet::{PacketParts, push_packet, tag};
use super::*;
use crate::clock::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const NOW: Timestamp = Timestamp(1_780_000_000_000_000_000);

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pgp");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn parse(name: &str) -> Result<PublicKey, PgpError> {
    PublicKey::parse(&fixture(&format!("{name}.asc")), NOW)
}

fn packets(name: &str) -> Vec<u8> {
    armor::decode(&fixture(&format!("{name}.asc"))).unwrap()
}

fn parse_bytes(bytes: &[u8]) -> Result<PublicKey, PgpError> {
    PublicKey::parse(&STANDARD.encode(bytes), NOW)
}

/// Splits a key into its packets, each with its kind and its body.
fn split(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut parts = PacketParts(bytes);
    let packets = std::iter::from_fn(|| parts.packet().unwrap());
    packets.map(|(kind, body)| (kind, body.to_vec())).collect()
}

fn join(packets: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, body) in packets {
        push_packet(&mut bytes, *kind, body);
    }
    bytes
}

/// A folder of GnuPG's with one private key.
struct Gpg(tempfile::TempDir);

impl Gpg {
    /// Returns nothing where GnuPG is not installed.
    fn with(key: &str) -> Option<Self> {
        let gpg = Self(tempfile::tempdir().unwrap());
        let is_there = Command::new("gpg").arg("--version").output().is_ok();
        if !is_there {
            eprintln!("skipped: gpg is not installed");
            return None;
        }
        let imported = gpg.command().arg("--import").arg(key).output().unwrap();
        assert!(imported.status.success(), "{imported:?}");
        Some(gpg)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("gpg");
        let quiet = [
            "--batch",
            "--no-tty",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ];
        command
            .args(quiet)
            .arg("--homedir")
            .arg(self.0.path())
            .stdin(Stdio::null());
        command
    }

    fn decrypt(&self, message: &[u8]) -> Vec<u8> {
        let file: PathBuf = self.0.path().join("message");
        std::fs::write(&file, message).unwrap();
        let opened = self.command().arg("--decrypt").arg(&file).output().unwrap();
        assert!(opened.status.success(), "{opened:?}");
        let told = String::from_utf8_lossy(&opened.stderr);
        assert!(!told.contains("WARNING: message was not"), "{told}");
        opened.stdout
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let kill = ["--kill", "gpg-agent"];
        let mut gpgconf = Command::new("gpgconf");
        drop(
            gpgconf
                .arg("--homedir")
                .arg(self.0.path())
                .args(kill)
                .output(),
        );
    }
}

#[test]
fn gnupg_opens_what_is_encrypted_here() {
    for name in ["rsa2048", "curve25519", "p256", "p384", "extended"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pgp");
        let private = folder.join(format!("{name}.private.asc"));
        let Some(gpg) = Gpg::with(private.to_str().unwrap()) else {
            return;
        };
        let key = parse(name).unwrap();
        for text in [
            vec![],
            b"a share".to_vec(),
            (0..=255).cycle().take(9000).collect(),
        ] {
            let message = key.encrypt(&text).unwrap();
            assert_eq!(gpg.decrypt(&message), text, "{name}, {} bytes", text.len());
        }
        // GnuPG prints the fingerprint in capitals.
        let listed = gpg
            .command()
            .args(["--list-keys", "--with-colons"])
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap().to_lowercase();
        let first = listed
            .lines()
            .find_map(|line| line.strip_prefix("fpr:::::::::"));
        assert_eq!(first, Some(&*format!("{}:", key.fingerprint())), "{name}");
    }
}

#[test]
fn both_forms_of_the_text_are_one_key() {
    let armored = parse("curve25519").unwrap();
    let text = STANDARD.encode(packets("curve25519"));
    let (half, rest) = text.split_at(60);
    let broken = format!("\n {half}\r\n{rest}\n");
    for text in [text, broken] {
        let plain = PublicKey::parse(&text, NOW).unwrap();
        assert_eq!(plain.fingerprint(), armored.fingerprint());
    }
    let headers = fixture("curve25519.asc").replace(
        "BLOCK-----\n\n",
        "BLOCK-----\nVersion: 1\nComment: of a test\n\n",
    );
    assert!(PublicKey::parse(&headers, NOW).is_ok());
}

#[test]
fn no_two_messages_are_alike() {
    let key = parse("rsa2048").unwrap();
    assert_ne!(key.encrypt(b"x").unwrap(), key.encrypt(b"x").unwrap());
    let most = vec![0; PLAINTEXT_BYTES_MAX + 1];
    assert!(key.encrypt(&most[1..]).is_ok());
    assert_eq!(key.encrypt(&most), Err(PgpError::PlaintextTooLarge));
}

#[test]
fn keys_that_cannot_or_should_not_be_encrypted_to_are_refused_by_name() {
    let refused = |name: &str| parse(name).err();
    assert_eq!(refused("expired"), Some(PgpError::Expired));
    assert_eq!(refused("revoked"), Some(PgpError::Revoked));
    assert_eq!(refused("dsa"), Some(PgpError::Algorithm(17)));
    assert_eq!(refused("curve25519.private"), Some(PgpError::PrivateKey));
    for (name, why) in [
        ("subkey-expired", "has expired"),
        ("subkey-revoked", "is revoked"),
        ("signs-only", "no subkey for encryption"),
        ("brainpool", "algorithm"),
        ("elgamal", "algorithm"),
    ] {
        let told = refused(name).unwrap();
        assert!(matches!(told, PgpError::CannotEncrypt(_)), "{name}: {told}");
        assert!(told.to_string().contains(why), "{name}: {told}");
    }
    let early = Timestamp::from_secs(1_580_000_000);
    let expired = fixture("expired.asc");
    assert!(PublicKey::parse(&expired, early).is_ok(), "the control");
    let clockless = Timestamp::from_secs(0);
    assert!(PublicKey::parse(&expired, clockless).is_ok());
}

#[test]
fn texts_that_are_no_key_are_refused_by_name() {
    let refused = |text: &str| PublicKey::parse(text, NOW).err();
    for text in ["", " ", "hello, world", "äöü", "====", "/etc/passwd"] {
        assert!(refused(text).is_some(), "{text:?}");
    }
    assert_eq!(refused("hello, world"), Some(PgpError::Text));
    assert_eq!(refused("keybase:somebody"), Some(PgpError::Keybase));
    assert!(matches!(refused("aGVsbG8="), Some(PgpError::Malformed(_))));
    let message = parse("curve25519").unwrap().encrypt(b"x").unwrap();
    assert_eq!(parse_bytes(&message).err(), Some(PgpError::NotAKey));
    assert_eq!(
        refused("-----BEGIN PGP MESSAGE-----\n\n-----END PGP MESSAGE-----"),
        Some(PgpError::NotAKey)
    );
    let armored = fixture("curve25519.asc");
    let altered = armored.replacen('A', "B", 1);
    assert_eq!(refused(&altered), Some(PgpError::Checksum));
    assert!(matches!(
        refused(&armored.replace("-----END", "")),
        Some(PgpError::Malformed(_))
    ));
    let two = armored.clone() + &armored;
    assert_eq!(refused(&two), Some(PgpError::SeveralKeys));
    let two = [packets("curve25519"), packets("p256")].concat();
    assert_eq!(parse_bytes(&two).err(), Some(PgpError::SeveralKeys));
    let private = fixture("curve25519.private.asc").replace("PRIVATE", "PUBLIC");
    assert_eq!(refused(&private), Some(PgpError::PrivateKey));
    let large = STANDARD.encode(vec![0x99; KEY_BYTES_MAX + 1]);
    assert_eq!(refused(&large), Some(PgpError::TooLarge));
    let larger = "A".repeat(10 * KEY_BYTES_MAX);
    assert_eq!(refused(&larger), Some(PgpError::TooLarge));
    let mut newer = split(&packets("curve25519"));
    newer[0].1[0] = 6;
    assert_eq!(parse_bytes(&join(&newer)).err(), Some(PgpError::Version(6)));
}

#[test]
fn a_subkey_that_somebody_else_added_is_not_encrypted_to() {
    let own = split(&packets("curve25519"));
    let others = split(&packets("p256"));
    // The key without its subkey, and with the subkey and the binding of another key.
    let mut forged = own.clone();
    forged.truncate(3);
    forged.extend(others[3..].iter().cloned());
    assert!(matches!(
        parse_bytes(&join(&forged)).err(),
        Some(PgpError::CannotEncrypt(
            "no signature of its own over its subkey verifies"
        ))
    ));
    // Beside the own one it changes nothing, although it is as new.
    let mut both = own.clone();
    both.extend(others[3..].iter().cloned());
    let recipient = |bytes: &[u8]| format!("{:?}", parse_bytes(bytes).unwrap().recipient);
    assert_eq!(recipient(&join(&both)), recipient(&join(&own)));
}

#[test]
fn a_key_whose_signatures_were_altered_is_refused() {
    let own = split(&packets("rsa2048"));
    let is_signature = |(kind, _): &&(u8, Vec<u8>)| *kind == tag::SIGNATURE;
    assert_eq!(own.iter().filter(is_signature).count(), 2);
    // Its name, and the signature over it.
    for (packet, at) in [(1, 0), (2, 8), (2, 300)] {
        let mut altered = own.clone();
        altered[packet].1[at] ^= 1;
        let refused = parse_bytes(&join(&altered)).err();
        assert_eq!(refused, Some(PgpError::NoSelfSignature), "{packet}, {at}");
    }
    let mut unsigned = own.clone();
    unsigned.retain(|(kind, _)| *kind != tag::SIGNATURE);
    let refused = parse_bytes(&join(&unsigned)).err();
    assert_eq!(refused, Some(PgpError::NoSelfSignature));
    let mut many = own.clone();
    many.extend(std::iter::repeat_n(own[4].clone(), SIGNATURES_MAX));
    let refused = parse_bytes(&join(&many)).err();
    assert_eq!(refused, Some(PgpError::TooManySignatures));
}

#[test]
fn the_newest_subkey_is_encrypted_to() {
    let key = packets("extended");
    let newest = split(&key);
    let newest = newest
        .iter()
        .rfind(|(kind, _)| *kind == tag::PUBLIC_SUBKEY)
        .unwrap();
    let newest = material::KeyPacket::parse(&newest.1).unwrap();
    let message = parse_bytes(&key).unwrap().encrypt(b"x").unwrap();
    let (kind, body) = PacketParts(&message).packet().unwrap().unwrap();
    assert_eq!(kind, tag::SESSION_KEY);
    assert_eq!(body[1..9], newest.fingerprint()[12..]);
}

#[test]
fn no_input_breaks_the_parser() {
    for name in ["rsa2048", "curve25519", "p384", "revoked", "elgamal"] {
        let key = packets(name);
        for length in 0..key.len() {
            drop(parse_bytes(&key[..length]));
        }
        for at in (0..key.len()).step_by(7) {
            for value in [0, 1, 0x7f, 0x80, 0xc0, 0xff] {
                let mut altered = key.clone();
                altered[at] = value;
                if let Ok(parsed) = parse_bytes(&altered) {
                    assert!(parsed.encrypt(b"x").is_ok(), "{name}, {at}");
                }
            }
        }
    }
}
