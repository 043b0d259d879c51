//! One ceremony: what was begun, the shares given, the new key whose shares are not seen yet.
//!
//! Holds no more than one at a time, in memory only. Dropping it wipes shares and keys.

use super::words::Way;
use crate::barrier::{CurrentSeal, HashedShares, SealConfig};
use crate::clock::Timestamp;
use crate::engine::Error;
use crate::engine::table::Fields;
use crate::pgp::PublicKey;
use crate::seal::{Collected, SealError, UnsealProgress};
use crate::secret::{Key256, Secret, SecretBytes, SecretString};
use crate::sys::endpoints::ceremony::Door;
use crate::sys::open::decode_key;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;
use uuid::Uuid;

/// The time from its start in which only callers who know its nonce cancel a ceremony that was
/// begun without a token. After that it may be one that everybody forgot.
const NONCE_NEEDED_FOR: Duration = Duration::from_secs(600);

/// The ceremonies of both keys and both doors. They end when this node seals or steps down.
#[derive(Default)]
pub struct Rekeys {
    seal: [Mutex<Rekeying>; 2],
    recovery: [Mutex<Rekeying>; 2],
}

impl Rekeys {
    /// Returns that of this key and this door.
    pub(super) fn of(&self, way: Way) -> &Mutex<Rekeying> {
        let [open, authenticated] = match way.recovery {
            true => &self.recovery,
            false => &self.seal,
        };
        match way.door {
            Door::Open => open,
            Door::Authenticated => authenticated,
        }
    }
}

/// At most one ceremony.
#[derive(Default)]
pub(super) struct Rekeying(Option<Begun>);

/// The wish of the caller that begins a ceremony.
#[derive(Clone)]
pub(super) struct Wish {
    /// The shares to be made; none where a provider keeps the new key.
    pub shares: Option<SealConfig>,
    /// True where the new key takes effect only when its shares were given back.
    pub verify: bool,
    /// The keys to which the shares are encrypted, one for each; none where they are shown.
    pub holders: Arc<[PublicKey]>,
    /// True where the encrypted shares are kept.
    pub backup: bool,
}

impl Wish {
    /// Returns the fingerprints of the keys to which the shares are encrypted.
    pub fn fingerprints(&self) -> Vec<String> {
        self.holders.iter().map(PublicKey::fingerprint).collect()
    }

    /// Tells to whom the shares are encrypted, as an answer has it.
    pub fn tell_holders(&self, fields: &mut Map<String, Value>) {
        let fingerprints = match self.holders.is_empty() {
            true => Value::Null,
            false => self.fingerprints().into(),
        };
        fields.insert("pgp_fingerprints".into(), fingerprints);
        fields.insert("backup".into(), self.backup.into());
    }
}

struct Begun {
    nonce: String,
    at: Timestamp,
    /// The keys at the start: the ceremony ends with them.
    seal: CurrentSeal,
    wish: Wish,
    progress: UnsealProgress,
    made: Option<Made>,
}

/// A new key that is not in force yet.
struct Made {
    nonce: String,
    key: Key256,
    /// The hashes of its shares, where it has any.
    hashed: Option<Arc<HashedShares>>,
    progress: UnsealProgress,
}

/// The outcome of a share of the present key.
pub(super) enum Given {
    /// More are needed.
    Waiting(Map<String, Value>),
    /// There were enough: the key that they make, to be checked, and the wish. Collecting has
    /// started over.
    Key(Key256, Wish),
}

/// The outcome of a share of the new key.
pub(super) enum Seen {
    /// More are needed.
    Waiting(Map<String, Value>),
    /// There were enough, and they make the new key: what is to be put into force.
    Whole(Key256, Wish, Option<Arc<HashedShares>>),
}

impl Rekeying {
    /// Forgets the ceremony where the keys that it began with are not those of `now` any more.
    pub fn follow(&mut self, way: Way, now: &CurrentSeal) {
        let stays = |begun: &mut Begun| {
            let authorised = match begun.seal.record.recovery {
                Some(_) => now.has_recovery_key_of(&begun.seal),
                None => now.has_seal_key_of(&begun.seal),
            };
            authorised && (way.recovery || now.has_seal_key_of(&begun.seal))
        };
        if !self.0.as_mut().is_none_or(stays) {
            self.0 = None;
        }
    }

    /// Refuses to begin a second one.
    pub fn check_idle(&self, way: Way) -> Result<(), Error> {
        match &self.0 {
            Some(_) => Err(Error::invalid(way.begun_already())),
            None => Ok(()),
        }
    }

    /// Begins one.
    pub fn begin(
        &mut self,
        way: Way,
        wish: Wish,
        seal: CurrentSeal,
        at: Timestamp,
    ) -> Result<(), Error> {
        self.check_idle(way)?;
        self.0 = Some(Begun {
            nonce: Uuid::new_v4().to_string(),
            at,
            seal,
            wish,
            progress: UnsealProgress::new(),
            made: None,
        });
        Ok(())
    }

    /// Ends it, on behalf of a caller who gave `nonce`.
    pub fn cancel(&mut self, way: Way, nonce: Option<&str>, now: Timestamp) -> Result<(), Error> {
        if let Some(begun) = &self.0 {
            begun.check_cancel(way, &begun.nonce, nonce, now)?;
        }
        self.0 = None;
        Ok(())
    }

    /// Takes a share of the present key, of which `required` are needed.
    pub fn give(
        &mut self,
        way: Way,
        required: SealConfig,
        fields: &Fields<'_>,
    ) -> Result<Given, Error> {
        let (share, nonce) = share(fields)?;
        let begun = self.0.as_mut();
        let begun = begun.ok_or_else(|| Error::invalid(way.none_for_a_share()))?;
        if let Some(made) = &begun.made {
            return Err(Error::invalid(way.finished_already(&made.nonce)));
        }
        if *nonce.expose() != begun.nonce {
            return Err(Error::invalid(way.wrong_nonce(&begun.nonce)));
        }
        if begun.progress.holds(&share) {
            return Err(Error::invalid(way.share_again()));
        }
        let wish = begun.wish.clone();
        match begun.progress.submit(required, share).map_err(refused)? {
            Collected::Waiting => Ok(Given::Waiting(self.status(way, required))),
            Collected::Key(key) => Ok(Given::Key(key, wish)),
        }
    }

    /// Keeps a new key until its shares are seen; returns the nonce for them.
    pub fn keep(&mut self, key: &Key256, hashed: Option<Arc<HashedShares>>) -> String {
        let nonce = Uuid::new_v4().to_string();
        if let Some(begun) = &mut self.0 {
            begun.made = Some(Made {
                nonce: nonce.clone(),
                key: key.duplicate(),
                hashed,
                progress: UnsealProgress::new(),
            });
        }
        nonce
    }

    /// Takes a share of the new key. A set that makes another key is forgotten, and needs a new
    /// nonce.
    pub fn see(&mut self, way: Way, fields: &Fields<'_>) -> Result<Seen, Error> {
        let (share, nonce) = share(fields)?;
        let begun = self.0.as_mut();
        let begun = begun.ok_or_else(|| Error::invalid(way.none_to_verify()))?;
        let wish = begun.wish.clone();
        let made = begun.made.as_mut();
        let made = made.ok_or_else(|| Error::invalid(way.nothing_made()))?;
        if *nonce.expose() != made.nonce {
            return Err(Error::invalid(format!(
                "incorrect nonce supplied; nonce for this verify operation is {:?}",
                made.nonce
            )));
        }
        if made.progress.holds(&share) {
            let message = "given key has already been provided during this verify operation";
            return Err(Error::invalid(message));
        }
        let shares = wish
            .shares
            .ok_or_else(|| Error::invalid(way.nothing_made()))?;
        let whole = match made.progress.submit(shares, share) {
            Ok(Collected::Waiting) => return Ok(Seen::Waiting(self.verification(way)?)),
            Ok(Collected::Key(key)) => Some(key),
            Err(error @ (SealError::TooShort | SealError::TooLong)) => return Err(refused(error)),
            Err(_) => None,
        };
        let is_right = |key: &Key256| bool::from(key.expose().ct_eq(made.key.expose()));
        match whole.filter(is_right) {
            Some(key) => Ok(Seen::Whole(key, wish, made.hashed.clone())),
            None => {
                made.start_over();
                Err(Error::invalid(way.wrong_verification()))
            }
        }
    }

    /// Forgets the shares of the new key, on behalf of a caller who gave `nonce`.
    pub fn forget_seen(
        &mut self,
        way: Way,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<Map<String, Value>, Error> {
        if let Some(begun) = &mut self.0 {
            if let Some(made) = &begun.made {
                begun.check_cancel(way, &made.nonce, nonce, now)?;
            }
            if let Some(made) = &mut begun.made {
                made.start_over();
            }
        }
        self.verification(way)
    }

    /// Ends it, once it is done; returns its nonce, and that of its verification.
    pub fn finish(&mut self) -> Option<(String, Option<String>)> {
        let begun = self.0.take()?;
        Some((begun.nonce, begun.made.map(|made| made.nonce)))
    }

    /// Returns its nonce.
    pub fn nonce(&self) -> &str {
        self.0.as_ref().map_or("", |begun| &begun.nonce)
    }

    /// Tells of it.
    pub fn status(&self, way: Way, required: SealConfig) -> Map<String, Value> {
        let begun = self.0.as_ref();
        let shares = begun.and_then(|begun| begun.wish.shares);
        let (t, n) = shares.map_or((0, 0), |shares| (shares.threshold, shares.shares));
        let progress = begun.map_or(0, |begun| begun.progress.count());
        let verify = begun.is_some_and(|begun| begun.wish.verify);
        let verification = begun.and_then(|begun| begun.made.as_ref());
        let verification = verification.map_or("", |made| &made.nonce);
        let mut fields = object(json!({
            "started": begun.is_some(), "t": t, "n": n, "required": required.threshold,
        }));
        if way.is_open() || begun.is_some() {
            fields.extend(object(json!({
                "nonce": self.nonce(), "progress": progress, "verification_required": verify,
            })));
        }
        match begun {
            Some(begun) if way.is_open() || !begun.wish.holders.is_empty() => {
                begun.wish.tell_holders(&mut fields);
            }
            None if way.is_open() => {
                fields.extend(object(json!({"pgp_fingerprints": null, "backup": false})));
            }
            _ => {}
        }
        if !verification.is_empty() || (begun.is_some() && !way.is_open()) {
            fields.insert("verification_nonce".into(), verification.into());
        }
        fields
    }

    /// Tells of the verification.
    pub fn verification(&self, way: Way) -> Result<Map<String, Value>, Error> {
        let begun = self.0.as_ref();
        let begun = begun.ok_or_else(|| Error::invalid(way.none_known()))?;
        let made = begun.made.as_ref();
        let shares = begun.wish.shares;
        let (t, n) = shares.map_or((0, 0), |shares| (shares.threshold, shares.shares));
        Ok(object(json!({
            "nonce": made.map_or("", |made| &made.nonce),
            "started": made.is_some(),
            "t": t,
            "n": n,
            "progress": made.map_or(0, |made| made.progress.count()),
        })))
    }
}

impl Begun {
    /// Checks that a caller who gave this nonce, or none, may cancel what has the nonce `mine`.
    fn check_cancel(
        &self,
        way: Way,
        mine: &str,
        given: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let is_young = now.since(self.at) < NONCE_NEEDED_FOR;
        match given.filter(|given| !given.is_empty()) {
            Some(given) if given == mine => Ok(()),
            Some(_) => Err(Error::invalid("incorrect nonce supplied")),
            None if way.is_open() && is_young => Err(Error::invalid(format!(
                "a rekey is canceled with its nonce until {} minutes after its start: give it",
                NONCE_NEEDED_FOR.as_secs() / 60
            ))),
            None => Ok(()),
        }
    }
}

impl Made {
    fn start_over(&mut self) {
        self.progress.reset();
        self.nonce = Uuid::new_v4().to_string();
    }
}

/// Reads a share and the nonce that it came with.
fn share(fields: &Fields<'_>) -> Result<(SecretBytes, SecretString), Error> {
    let key = fields
        .secret("key")
        .ok_or_else(|| Error::invalid("'key' must be specified in request body as JSON"))?;
    let share = decode_key(key.expose())
        .ok_or_else(|| Error::invalid("'key' must be a valid hex or base64 string"))?;
    let nonce = fields.secret("nonce");
    Ok((share, nonce.unwrap_or_else(|| Secret::new(String::new()))))
}

fn refused(error: SealError) -> Error {
    let text = error.to_string();
    Error::invalid(text.strip_prefix("invalid key: ").unwrap_or(&text))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
