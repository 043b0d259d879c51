//! Keys that age and OpenSSH made (`tests/fixtures/age/make.sh`), and files that age opens.

use super::file::encrypt_by;
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const KEYS: [&str; 3] = ["x25519", "ed25519", "rsa"];
/// Recipients whose checksum fits: points of small order, and one of 31 bytes.
const OF_ORDER_8: &str = "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhqqqzyt4v9";
const ZERO: &str = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z";
const TOO_SHORT: &str = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqar9jk6";
const SHARE: &[u8] = b"q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4kB\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/age")
}

fn public(name: &str) -> String {
    let text = std::fs::read_to_string(folder().join(format!("{name}.pub"))).unwrap();
    text.trim().to_owned()
}

fn recipient(name: &str) -> AgeRecipient {
    AgeRecipient::parse(&public(name)).unwrap()
}

/// Has the program age open a file with the private key `name`; `None` where it does not open, or
/// where age is not installed.
fn opened(file: &str, name: &str) -> Option<Vec<u8>> {
    let key = match name {
        "x25519" => "x25519.key",
        name => name,
    };
    let mut age = Command::new("age");
    let age = age.args(["-d", "-i"]).arg(folder().join(key));
    let age = age.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = age.stderr(Stdio::null()).spawn().ok()?;
    child
        .stdin
        .take()
        .unwrap()
        .write_all(file.as_bytes())
        .unwrap();
    let done = child.wait_with_output().unwrap();
    done.status.success().then_some(done.stdout)
}

#[test]
fn files_are_as_they_were() {
    let mut next = 0_u8;
    let mut count = |bytes: &mut [u8]| {
        for byte in bytes {
            next = next.wrapping_add(1);
            *byte = next;
        }
    };
    let file = encrypt_by(&KEYS.map(recipient), SHARE, &mut count).unwrap();
    let stored = std::fs::read_to_string(folder().join("shares.age")).unwrap_or_default();
    assert_eq!(file, stored);
}

#[test]
fn the_program_age_opens_files_with_their_keys_alone() {
    if Command::new("age").arg("--version").output().is_err() {
        eprintln!("skipped: age is not installed");
        return;
    }
    for name in KEYS {
        let file = encrypt(&[recipient(name)], SHARE).unwrap();
        for other in KEYS {
            let wanted = (other == name).then(|| SHARE.to_vec());
            assert_eq!(opened(&file, other), wanted, "{name} by {other}");
        }
        let again = encrypt(&[recipient(name)], SHARE).unwrap();
        assert_ne!(file, again);
    }
    let file = encrypt(&KEYS.map(recipient), SHARE).unwrap();
    for name in KEYS {
        assert_eq!(opened(&file, name).as_deref(), Some(SHARE), "{name}");
    }
    for length in [0, 1, 63, PLAINTEXT_BYTES_MAX] {
        let file = encrypt(&[recipient("x25519")], &vec![7; length]).unwrap();
        assert_eq!(opened(&file, "x25519"), Some(vec![7; length]));
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let large = vec![7; PLAINTEXT_BYTES_MAX + 1];
    let refused = encrypt(&[recipient("x25519")], &large);
    assert_eq!(refused, Err(AgeError::PlaintextTooLarge));
}

/// Returns an SSH key's line of these strings.
fn line(strings: &[&[u8]]) -> String {
    let mut wire = Vec::new();
    for string in strings {
        wire.extend(u32::try_from(string.len()).unwrap().to_be_bytes());
        wire.extend_from_slice(string);
    }
    let kind = std::str::from_utf8(strings[0]).unwrap();
    format!("{kind} {}", STANDARD.encode(wire))
}

#[test]
fn keys_that_cannot_be_used_are_refused_by_name() {
    let mine = public("x25519");
    let swapped = format!("{}qq", mine.get(..mine.len() - 2).unwrap());
    let modulus = [0xff; 256];
    let ed25519 = public("ed25519");
    let body = ed25519.split(' ').nth(1).unwrap();
    let cases = [
        (swapped, AgeError::Checksum),
        (mine.get(..50).unwrap().to_owned(), AgeError::Checksum),
        (OF_ORDER_8.to_owned(), AgeError::Invalid),
        (ZERO.to_owned(), AgeError::Invalid),
        (TOO_SHORT.to_owned(), AgeError::Checksum),
        (line(&[b"ssh-ed25519", &[1; 31]]), AgeError::SshBody),
        (line(&[b"ssh-ed25519", &[2; 32]]), AgeError::Invalid),
        (line(&[b"ssh-ed25519", &small_order()]), AgeError::Invalid),
        (line(&[b"ssh-ed25519", &[1; 32], b""]), AgeError::SshBody),
        (format!("ssh-rsa {body}"), AgeError::SshBody),
        ("ssh-ed25519".into(), AgeError::SshBody),
        ("ssh-ed25519 AAAA".into(), AgeError::SshBody),
        (
            line(&[b"ssh-rsa", &[1, 0, 1], &[&[0], &modulus[1..]].concat()]),
            AgeError::Rsa("its RSA key has fewer than 2048 bits, or more than 8192"),
        ),
        (
            line(&[b"ssh-rsa", &[1], &[&[0], &modulus[..]].concat()]),
            AgeError::Rsa("its RSA key is none"),
        ),
        (line(&[b"ssh-rsa", &[1, 0, 1], &modulus]), AgeError::SshBody),
        ("".into(), AgeError::Unknown),
        ("mQINBF".into(), AgeError::Unknown),
    ];
    for (text, wanted) in cases {
        assert_eq!(AgeRecipient::parse(&text).err(), Some(wanted), "{text}");
    }
    let private = std::fs::read_to_string(folder().join("ed25519")).unwrap();
    for text in ["AGE-SECRET-KEY-1QQQ", "age-secret-key-1", &private] {
        assert_eq!(AgeRecipient::parse(text).err(), Some(AgeError::PrivateKey));
    }
    for text in [
        "age1pq1qqqq",
        "age1yubikey1qqqq",
        "ecdsa-sha2-nistp256 AAAA",
        "sk-ssh-ed25519@openssh.com AAAA",
        "ssh-dss AAAA",
    ] {
        let refused = AgeRecipient::parse(text).err();
        assert!(matches!(refused, Some(AgeError::Unsupported(_))), "{text}");
    }
}

/// Returns the compressed Edwards point (0, -1), whose order is two.
fn small_order() -> [u8; 32] {
    let mut point = [0xff; 32];
    point[0] = 0xec;
    point[31] = 0x7f;
    point
}
