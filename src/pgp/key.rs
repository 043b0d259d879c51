//! Public keys: which of their parts are their owner's, and which one is encrypted to.

use super::material::{FINGERPRINT_BYTES, KeyPacket, Material};
use super::packet::{PacketParts, tag};
use super::recipient::Recipient;
use super::signature::{SelfSignature, kind};
use super::{PgpError, armor};
use crate::clock::Timestamp;

/// The most signatures of a key about itself that are verified.
pub const SIGNATURES_MAX: usize = 128;

/// A person's public key, judged and ready to be encrypted to.
#[derive(Clone, Debug)]
pub struct PublicKey {
    fingerprint: [u8; FINGERPRINT_BYTES],
    pub(super) recipient: Recipient,
}

impl PublicKey {
    /// Reads a key: base64 of its packets, as `gpg --export | base64` prints them, or ASCII armor.
    /// `now` decides on expiry. A clock behind the making of the key is no obstacle.
    ///
    /// # Errors
    /// The reason for which nothing can or should be encrypted to it.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, PgpError> {
        let bytes = armor::decode(text)?;
        let key = Self::judge(&bytes, now.as_secs())?;
        // Not all numbers make a key, and a ceremony must not find out at its end.
        key.encrypt(&[0])?;
        Ok(key)
    }

    /// Returns the fingerprint of the primary key, in hexadecimal, as Vault's clients expect it.
    pub fn fingerprint(&self) -> String {
        hex::encode(self.fingerprint)
    }

    fn judge(bytes: &[u8], now_s: u64) -> Result<Self, PgpError> {
        let mut packets = PacketParts(bytes);
        let primary = match packets.packet()? {
            Some((tag::PUBLIC_KEY, body)) => KeyPacket::parse(body)?,
            Some((tag::PRIVATE_KEY, _)) => return Err(PgpError::PrivateKey),
            _ => return Err(PgpError::NotAKey),
        };
        if matches!(primary.material, Material::Other | Material::Ecdh { .. }) {
            return Err(PgpError::Algorithm(primary.algorithm));
        }
        let mut judged = Judged {
            fingerprint: primary.fingerprint(),
            primary,
            now_s,
            part: Part::Primary,
            statements: Statements::default(),
            verified: 0,
            about_primary: None,
            subkeys: Vec::new(),
        };
        while let Some((kind, body)) = packets.packet()? {
            judged.take(kind, body)?;
        }
        judged.begin(Part::Unknown);
        judged.choose()
    }
}

/// The part of a key that the signatures behind it are about.
enum Part<'a> {
    Primary,
    /// A name or a picture: the byte that stands before it where it is signed, and itself.
    Name(u8, &'a [u8]),
    Subkey(KeyPacket<'a>),
    /// A subkey of a version that is not known, or nothing.
    Unknown,
}

/// The statements of the owner about one part.
#[derive(Clone, Copy, Default)]
struct Statements {
    newest: Option<Statement>,
    /// The time of the newest revocation.
    revoked: Option<u32>,
}

/// A verified statement of the owner about a key.
#[derive(Clone, Copy)]
struct Statement {
    created: u32,
    /// Seconds from the making of the key to its end; zero for never.
    key_expires_s: u32,
    encrypts: bool,
}

impl Statement {
    fn newer(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        a.into_iter()
            .chain(b)
            .max_by_key(|statement| statement.created)
    }

    fn is_over(&self, key: &KeyPacket<'_>, now_s: u64) -> bool {
        let end_s = u64::from(key.created) + u64::from(self.key_expires_s);
        self.key_expires_s != 0 && end_s <= now_s
    }
}

/// A key while its packets are read.
struct Judged<'a> {
    primary: KeyPacket<'a>,
    fingerprint: [u8; FINGERPRINT_BYTES],
    now_s: u64,
    part: Part<'a>,
    statements: Statements,
    /// The number of signatures that were verified.
    verified: usize,
    /// The newest statement about the primary key.
    about_primary: Option<Statement>,
    subkeys: Vec<(KeyPacket<'a>, Statements)>,
}

impl<'a> Judged<'a> {
    fn take(&mut self, kind: u8, body: &'a [u8]) -> Result<(), PgpError> {
        match kind {
            tag::SIGNATURE => self.hear(body)?,
            tag::USER_ID => self.begin(Part::Name(0xb4, body)),
            tag::USER_ATTRIBUTE => self.begin(Part::Name(0xd1, body)),
            tag::PUBLIC_SUBKEY => self.begin(match KeyPacket::parse(body) {
                Err(PgpError::Version(_)) => Part::Unknown,
                key => Part::Subkey(key?),
            }),
            tag::PUBLIC_KEY => return Err(PgpError::SeveralKeys),
            tag::PRIVATE_KEY | tag::PRIVATE_SUBKEY => return Err(PgpError::PrivateKey),
            // Markers, trust, padding, and kinds that may be passed over.
            10 | 12 | 21 | 40.. => {}
            _ => return Err(PgpError::Malformed("a packet in it belongs to no key")),
        }
        Ok(())
    }

    /// Settles the part that ends, and begins another.
    fn begin(&mut self, part: Part<'a>) {
        let statements = std::mem::take(&mut self.statements);
        let made = statements.newest;
        match std::mem::replace(&mut self.part, part) {
            Part::Primary => self.about_primary = Statement::newer(self.about_primary, made),
            Part::Name(..) => {
                let stands = |made: &Statement| Some(made.created) > statements.revoked;
                let made = made.filter(stands);
                self.about_primary = Statement::newer(self.about_primary, made);
            }
            Part::Subkey(key) => self.subkeys.push((key, statements)),
            Part::Unknown => {}
        }
    }

    /// Takes a signature over the present part into account, if it is the owner's.
    fn hear(&mut self, body: &[u8]) -> Result<(), PgpError> {
        let Some(signature) = SelfSignature::parse(body)? else {
            return Ok(());
        };
        if signature.kind == kind::KEY_REVOKED {
            // Also one that cannot be verified: the owner may have let another person revoke.
            return Err(PgpError::Revoked);
        }
        if !signature.may_be_of(&self.fingerprint) {
            return Ok(());
        }
        let own = match (&self.part, signature.kind) {
            (Part::Primary, kind::DIRECT) => self.verifies(&signature, &[])?,
            (Part::Name(mark, name), kind::NAME_REVOKED | 0x10..=0x13) => {
                let length = u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes();
                let (mark, name) = ([*mark], *name);
                self.verifies(&signature, &[&mark, &length, name])?
            }
            (Part::Subkey(key), kind::SUBKEY | kind::SUBKEY_REVOKED) => {
                let (prefix, body) = (key.prefix(), key.body);
                self.verifies(&signature, &[&prefix, body])?
            }
            _ => false,
        };
        if !own {
            return Ok(());
        }
        let created = signature.created;
        match signature.kind {
            kind::NAME_REVOKED | kind::SUBKEY_REVOKED => {
                self.statements.revoked = self.statements.revoked.max(Some(created));
            }
            _ if signature.is_over(self.now_s) => {}
            _ => {
                let statement = Statement {
                    created,
                    key_expires_s: signature.key_expires_s,
                    encrypts: signature.encrypts,
                };
                self.statements.newest = Statement::newer(self.statements.newest, Some(statement));
            }
        }
        Ok(())
    }

    fn verifies(
        &mut self,
        signature: &SelfSignature<'_>,
        subject: &[&[u8]],
    ) -> Result<bool, PgpError> {
        self.verified += 1;
        match self.verified > SIGNATURES_MAX {
            true => Err(PgpError::TooManySignatures),
            false => Ok(signature.verifies(&self.primary, subject)),
        }
    }

    /// Chooses the key to encrypt to: the newest that may and can be, subkey or primary.
    fn choose(&self) -> Result<PublicKey, PgpError> {
        let about = self.about_primary.ok_or(PgpError::NoSelfSignature)?;
        if about.is_over(&self.primary, self.now_s) {
            return Err(PgpError::Expired);
        }
        let mut why = "it has no subkey for encryption";
        let mut chosen: Option<(u32, Recipient)> = None;
        let primary = Statements {
            newest: Some(about),
            revoked: None,
        };
        let parts = self
            .subkeys
            .iter()
            .map(|(key, statements)| (key, statements));
        for (key, statements) in [(&self.primary, &primary)].into_iter().chain(parts) {
            match self.recipient(key, statements) {
                Ok(recipient) => {
                    let is_first = chosen.as_ref().is_none_or(|(made, _)| *made <= key.created);
                    if is_first {
                        chosen = Some((key.created, recipient));
                    }
                }
                Err(Some(reason)) => why = reason,
                Err(None) => {}
            }
        }
        let (_, recipient) = chosen.ok_or(PgpError::CannotEncrypt(why))?;
        Ok(PublicKey {
            fingerprint: self.fingerprint,
            recipient,
        })
    }

    /// Returns a key as one to encrypt to; else the reason against it, where it is meant for that.
    fn recipient(
        &self,
        key: &KeyPacket<'_>,
        statements: &Statements,
    ) -> Result<Recipient, Option<&'static str>> {
        let Some(made) = statements.newest else {
            return Err(Some("no signature of its own over its subkey verifies"));
        };
        if !made.encrypts {
            return Err(None);
        }
        if statements.revoked.is_some() {
            return Err(Some("its subkey for encryption is revoked"));
        }
        if made.is_over(key, self.now_s) {
            return Err(Some("its subkey for encryption has expired"));
        }
        Recipient::new(key).map_err(Some)
    }
}
