//! Recipients that a flag names, holder by holder: of age, keys of SSH, or files of both. The keys
//! of an answer are encrypted here: no server knows of age.

use super::data;
use super::failure::Failure;
use super::flags::Flags;
use super::verb::{Flag, FlagKind, flag};
use crate::age::{AgeError, AgeRecipient, encrypt};
use zeroize::Zeroizing;

/// The flag that names holders' recipients.
pub const AGE_RECIPIENTS: Flag = flag(
    "age-recipients",
    FlagKind::Texts,
    "A recipient for each key, with commas between them: age1..., a public key of SSH \
     (ssh-ed25519, ssh-rsa), or @FILE with a holder's recipients, any of which opens. The keys are \
     encrypted here, as age does, before they are shown or put on a sheet.",
);

/// The letters that are shown of a recipient, and of a private key: `AGE-SECRET-KEY`.
const SHOWN_LETTERS: usize = 80;
const PRIVATE_LETTERS: usize = 14;
/// The most recipients of a holder.
const RECIPIENTS_MAX: usize = 16;

/// Holders of the keys that are to be made, in their order.
#[derive(Debug)]
pub struct AgeHolders {
    holders: Vec<Vec<AgeRecipient>>,
}

impl AgeHolders {
    /// Returns the holders that the flag `name` names; `None` where it is not given. `pgp` are the
    /// flags with the PGP keys of the same holders.
    ///
    /// # Errors
    /// A recipient that cannot be used, or PGP keys beside them.
    pub fn of(flags: &Flags, name: &str, pgp: &[&str]) -> Result<Option<Self>, Failure> {
        if flags.texts(name).is_empty() {
            return Ok(None);
        }
        if let Some(other) = pgp.iter().find(|other| !flags.texts(other).is_empty()) {
            return Err(Failure::usage(format!(
                "-{name} and -{other} do not go together: a key is encrypted to its holder once"
            )));
        }
        let given = flags.texts(name).iter().flat_map(|text| text.split(','));
        let given = given.map(str::trim).filter(|text| !text.is_empty());
        let holders = given.map(|text| holder(name, text));
        let holders: Vec<_> = holders.collect::<Result<_, _>>()?;
        match holders.is_empty() {
            true => Err(Failure::usage(format!("flag -{name} names no recipient"))),
            false => Ok(Some(Self { holders })),
        }
    }

    /// Refuses another number of holders than there will be keys.
    ///
    /// # Errors
    /// The message has both numbers.
    pub fn check_count(&self, name: &str, keys: u64) -> Result<(), Failure> {
        let count = self.holders.len();
        if u64::try_from(count) == Ok(keys) {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "flag -{name} names {count} holders, and there will be {keys} keys: it takes one for \
             each key, and a file is one holder's"
        )))
    }

    /// Returns the keys, each encrypted to the holder at its place, without a line's end after it.
    ///
    /// # Errors
    /// There are more keys than holders.
    pub fn cover(&self, keys: &[&str]) -> Result<Vec<String>, String> {
        if keys.len() > self.holders.len() {
            return Err("the server made more keys than there are holders".into());
        }
        let both = keys.iter().zip(&self.holders);
        let covered = both.map(|(key, holder)| {
            let line = Zeroizing::new(format!("{key}\n"));
            let file = encrypt(holder, line.as_bytes()).map_err(|error| error.to_string())?;
            Ok(file.trim_end().to_owned())
        });
        covered.collect()
    }

    /// Returns the most lines of a covered key.
    pub fn lines(&self) -> usize {
        let trial = vec![TRIAL; self.holders.len()];
        let covered = self.cover(&trial).unwrap_or_default();
        let lines = covered.iter().map(|file| file.lines().count());
        lines.max().unwrap_or_default()
    }
}

/// A text as long as a share.
const TRIAL: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn holder(name: &str, text: &str) -> Result<Vec<AgeRecipient>, Failure> {
    let wrong = |shown: &str, why: &str| {
        Failure::usage(format!("invalid value {shown:?} for flag -{name}: {why}"))
    };
    let Some(path) = text.strip_prefix('@') else {
        let recipient = AgeRecipient::parse(text);
        let recipient = recipient.map_err(|error| wrong(shown(text, error), &error.to_string()));
        return Ok(vec![recipient?]);
    };
    let bytes = data::read_file(path).map_err(|error| wrong(text, &error.to_string()))?;
    let lines = String::from_utf8(bytes).map_err(|_| wrong(text, "it is no text"))?;
    if let Err(AgeError::PrivateKey) = AgeRecipient::parse(&lines) {
        return Err(wrong(text, &AgeError::PrivateKey.to_string()));
    }
    let mut recipients = Vec::new();
    for (number, line) in (1..).zip(lines.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let recipient = AgeRecipient::parse(line);
        let recipient = recipient.map_err(|error| wrong(text, &format!("line {number}: {error}")));
        recipients.push(recipient?);
    }
    match recipients.len() {
        0 => Err(wrong(text, "it has no recipient")),
        count if count > RECIPIENTS_MAX => Err(wrong(
            text,
            &format!("it has more than {RECIPIENTS_MAX} recipients"),
        )),
        _ => Ok(recipients),
    }
}

/// Returns the part of a recipient that an error shows: of a private key, its kind alone.
fn shown(text: &str, error: AgeError) -> &str {
    let letters = match error {
        AgeError::PrivateKey => PRIVATE_LETTERS,
        _ => SHOWN_LETTERS,
    };
    let cut = text.char_indices().nth(letters);
    text.get(..cut.map_or(text.len(), |(at, _)| at))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "age1qk4we29jusu3sq35le5c9xjyxv63yg29d5t0lws6ax3zflxflafqm7jt9q";

    fn holders(given: &str) -> Result<Option<AgeHolders>, String> {
        let known = [&AGE_RECIPIENTS, &PGP];
        let typed = [format!("-age-recipients={given}")];
        let flags = Flags::parse(&known, &typed).unwrap();
        AgeHolders::of(&flags, "age-recipients", &["pgp-keys"]).map_err(|error| error.to_string())
    }

    const PGP: Flag = flag("pgp-keys", FlagKind::Texts, "");

    fn fixture(name: &str) -> String {
        format!("{}/tests/fixtures/age/{name}", env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn a_holder_is_a_recipient_or_a_file_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let several = folder.path().join("several");
        let ssh = std::fs::read_to_string(fixture("ed25519.pub")).unwrap();
        let own = std::fs::read_to_string(fixture("x25519.pub")).unwrap();
        let own = own.trim();
        std::fs::write(&several, format!("# mine\n\n{own}\r\n{ssh}")).unwrap();
        let given = format!("{own}, @{},{}", several.display(), ssh.trim());
        let holders = holders(&given).unwrap().unwrap();
        let counts: Vec<usize> = holders.holders.iter().map(Vec::len).collect();
        assert_eq!(counts, [1, 2, 1]);
        assert!(holders.check_count("age-recipients", 3).is_ok());
        let refused = holders.check_count("age-recipients", 5).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("names 3 holders, and there will be 5 keys")
        );
        let covered = holders.cover(&["a", "b"]).unwrap();
        assert_eq!(covered.len(), 2);
        for file in &covered {
            assert!(file.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
            assert!(file.ends_with("\n-----END AGE ENCRYPTED FILE-----"));
        }
        assert!(holders.cover(&["a"; 4]).is_err());
        assert!((9..30).contains(&holders.lines()), "{}", holders.lines());
    }

    #[test]
    fn holders_that_cannot_be_used_are_named() {
        let rsa = fixture("rsa");
        let sum = "its checksum does not fit: a letter is wrong or missing";
        for (given, wanted) in [
            (
                format!("{ONE}x"),
                format!("invalid value \"{ONE}x\" for flag -age-recipients: {sum}"),
            ),
            (
                "AGE-SECRET-KEY-1SECRET".into(),
                "invalid value \"AGE-SECRET-KEY\" for flag -age-recipients: it is a private key, \
                 which is nobody else's: give the public one"
                    .into(),
            ),
            (
                format!("@{rsa}"),
                format!(
                    "invalid value \"@{rsa}\" for flag -age-recipients: it is a private key, which \
                     is nobody else's: give the public one"
                ),
            ),
            (
                "@/dev/null".into(),
                "invalid value \"@/dev/null\" for flag -age-recipients: it has no recipient".into(),
            ),
            (
                " ,".into(),
                "flag -age-recipients names no recipient".into(),
            ),
        ] {
            assert_eq!(holders(&given).unwrap_err(), wanted);
        }
        let typed = ["-pgp-keys=a".to_owned(), format!("-age-recipients={ONE}")];
        let flags = Flags::parse(&[&AGE_RECIPIENTS, &PGP], &typed).unwrap();
        let refused = AgeHolders::of(&flags, "age-recipients", &["pgp-keys"]).unwrap_err();
        let said = "-age-recipients and -pgp-keys do not go together";
        assert!(refused.to_string().starts_with(said), "{refused}");
        let none = Flags::parse(&[&AGE_RECIPIENTS], &[]).unwrap();
        assert!(
            AgeHolders::of(&none, "age-recipients", &[])
                .unwrap()
                .is_none()
        );
    }
}
