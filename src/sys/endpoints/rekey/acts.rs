//! The acts of a rekey: beginning, taking shares, making the new key and putting it into force.

use super::backup::Backup;
use super::rekeying::{Given, Rekeying, Seen, Wish};
use super::words::Way;
use crate::barrier::{
    BarrierError, Batch, CurrentSeal, HashedShares, SealRecord, Sealed, SharedKey,
};
use crate::clock::Timestamp;
use crate::engine::table::{Effect, Fields, Matched, Op};
use crate::engine::{Error, ErrorKind, Operation, Response};
use crate::seal::{self, SealError};
use crate::secret::{Key256, SecretBytes};
use crate::store::{BoxFuture, CommitError};
use crate::sys::endpoints::ceremony::{Door, check_key, is_wrong_key};
use crate::sys::endpoints::run::Run;
use crate::sys::endpoints::system::System;
use crate::sys::open::{ShareTexts, bare, failed, key_texts, public_keys, share_texts};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::MutexGuard;

/// The longest time to find out whether a new key is in force after its commit went unanswered.
const OUTCOME_WITHIN: Duration = Duration::from_secs(20);
/// The wait between two looks.
const OUTCOME_STEP: Duration = Duration::from_millis(200);
const NOT_CHANGED: &str = "no quorum answered in time, and the old keys stay in force: give the \
                           shares again";
const UNKNOWN_OUTCOME: &str = "no quorum answered: the new keys may or may not be in force. Keep \
                               them and the old ones until one of them has opened a node";

/// The numbers of the emergency shares of a seal key that providers keep.
const EMERGENCY: [&str; 2] = ["emergency_shares", "emergency_threshold"];
const NO_EMERGENCY: &str = "emergency shares are of a seal key that a provider keeps, and made \
                            with a new one (operator rekey without -target=recovery)";
const EMERGENCY_ENDS: &str = "this cluster has emergency shares of its seal key, which end with \
                              it: ask for new ones with emergency_shares and \
                              emergency_threshold, or for none with emergency_shares=0";

/// The operations of one key behind one door.
pub(super) struct Ways<const RECOVERY: bool, const TOKEN: bool>;

/// The fields of an answer.
type Told = Map<String, Value>;
type Answered<'a> = BoxFuture<'a, Result<Response, Error>>;

const LOOK: Op = Op::new(Operation::Read, Effect::Acts);
const CANCEL: Op = Op::new(Operation::Delete, Effect::Acts);

impl<const RECOVERY: bool, const TOKEN: bool> Ways<RECOVERY, TOKEN> {
    const WAY: Way = Way {
        recovery: RECOVERY,
        door: match TOKEN {
            true => Door::Authenticated,
            false => Door::Open,
        },
    };

    pub(super) const BEGIN: &'static [(Op, Run)] = &[
        (LOOK, Run::Act(Self::look)),
        (Op::ACT, Run::Act(Self::begin)),
        (CANCEL, Run::Act(Self::cancel)),
    ];
    pub(super) const SHARE: &'static [(Op, Run)] = &[(Op::ACT, Run::Act(Self::give))];
    pub(super) const VERIFY: &'static [(Op, Run)] = &[
        (LOOK, Run::Act(Self::look_at_verification)),
        (Op::ACT, Run::Act(Self::see)),
        (CANCEL, Run::Act(Self::forget_seen)),
    ];

    fn look<'a>(system: &'a System, _: Matched<'a>) -> Answered<'a> {
        Box::pin(async {
            let (rekeying, seal) = system.rekeying(Self::WAY).await?;
            let status = rekeying.status(Self::WAY, seal.record.ceremony());
            Ok(shown(Self::WAY, status))
        })
    }

    fn begin<'a>(system: &'a System, matched: Matched<'a>) -> Answered<'a> {
        Box::pin(async move {
            let begun = system.begin_rekey(Self::WAY, &matched).await?;
            Ok(shown(Self::WAY, begun))
        })
    }

    fn cancel<'a>(system: &'a System, matched: Matched<'a>) -> Answered<'a> {
        Box::pin(async move {
            let (mut rekeying, _) = system.rekeying(Self::WAY).await?;
            let nonce = matched.fields.text("nonce");
            rekeying.cancel(Self::WAY, nonce, matched.request.now)?;
            Ok(Response::no_content())
        })
    }

    fn give<'a>(system: &'a System, matched: Matched<'a>) -> Answered<'a> {
        Box::pin(async move {
            let (mut answer, warning) = system.give_share(Self::WAY, &matched).await?;
            if let (Some(warning), true) = (warning, Self::WAY.is_open()) {
                answer.insert("warnings".into(), json!([warning]));
            }
            let mut response = shown(Self::WAY, answer);
            response.warnings.extend(warning.map(str::to_owned));
            Ok(response)
        })
    }

    fn look_at_verification<'a>(system: &'a System, _: Matched<'a>) -> Answered<'a> {
        Box::pin(async {
            let (rekeying, _) = system.rekeying(Self::WAY).await?;
            Ok(shown(Self::WAY, rekeying.verification(Self::WAY)?))
        })
    }

    fn see<'a>(system: &'a System, matched: Matched<'a>) -> Answered<'a> {
        Box::pin(async move {
            let seen = system.see_share(Self::WAY, &matched).await?;
            Ok(shown(Self::WAY, seen))
        })
    }

    fn forget_seen<'a>(system: &'a System, matched: Matched<'a>) -> Answered<'a> {
        Box::pin(async move {
            let (mut rekeying, _) = system.rekeying(Self::WAY).await?;
            let nonce = matched.fields.text("nonce");
            let forgotten = rekeying.forget_seen(Self::WAY, nonce, matched.request.now)?;
            Ok(shown(Self::WAY, forgotten))
        })
    }
}

/// A key that was made, with the record of its holders and the shares to be shown.
struct NewKey {
    key: Key256,
    record: SealRecord,
    shares: Vec<SecretBytes>,
    hashed: Option<Arc<HashedShares>>,
}

impl System {
    /// Returns the ceremony of this way, ended where its keys were replaced, and the seal as it is
    /// now.
    async fn rekeying(&self, way: Way) -> Result<(MutexGuard<'_, Rekeying>, CurrentSeal), Error> {
        let mut rekeying = self.rekeys.of(way).lock().await;
        let seal = self.barrier.current_seal()?;
        if way.recovery && seal.record.recovery.is_none() {
            return Err(Error::invalid(way.not_supported()));
        }
        rekeying.follow(way, &seal);
        Ok((rekeying, seal))
    }

    async fn begin_rekey(&self, way: Way, matched: &Matched<'_>) -> Result<Told, Error> {
        let (mut rekeying, seal) = self.rekeying(way).await?;
        rekeying.check_idle(way)?;
        let now = matched.request.now;
        let wish = wish(way, &seal.record, &matched.fields, now).await?;
        let required = seal.record.ceremony();
        rekeying.begin(way, wish, seal, now)?;
        tracing::warn!(keys = way.keys(), "a rekey was begun");
        Ok(rekeying.status(way, required))
    }

    async fn give_share(
        &self,
        way: Way,
        matched: &Matched<'_>,
    ) -> Result<(Told, Option<&'static str>), Error> {
        let (mut rekeying, seal) = self.rekeying(way).await?;
        let given = rekeying.give(way, seal.record.ceremony(), &matched.fields)?;
        let (key, wish) = match given {
            Given::Waiting(status) => return Ok((status, None)),
            Given::Key(key, wish) => (key, wish),
        };
        check_key(&self.barrier, &seal.record, &key).map_err(|error| {
            match is_wrong_key(&error) {
                true => Error::invalid(error.to_string()),
                false => error.into(),
            }
        })?;
        let new = self.make_key(way, &seal.record, &wish).await?;
        // Whatever can fail fails before the new key is in force.
        let texts = share_texts(&new.shares, &wish.holders).await?;
        let now = matched.request.now;
        let nonce = rekeying.nonce().to_owned();
        let mut backup = Batch::new();
        if wish.backup {
            let kept = Backup::of(&nonce, &wish.fingerprints(), &texts.hex);
            kept.put(&self.backups(), &mut backup, way.recovery)?;
        }
        if wish.verify {
            self.barrier.commit(backup, now).await?;
            let verification = rekeying.keep(&new.key, new.hashed);
            return Ok((made(way, &nonce, Some(&verification), &wish, texts), None));
        }
        let mut change = self.change(way, &new, &seal, now)?;
        change.append(backup);
        let warning = self.put_into_force(way, change, &new.key, now).await?;
        rekeying.finish();
        Ok((made(way, &nonce, None, &wish, texts), warning))
    }

    async fn see_share(&self, way: Way, matched: &Matched<'_>) -> Result<Told, Error> {
        let (mut rekeying, seal) = self.rekeying(way).await?;
        let (key, wish, hashed) = match rekeying.see(way, &matched.fields)? {
            Seen::Waiting(status) => return Ok(status),
            Seen::Whole(key, wish, hashed) => (key, wish, hashed),
        };
        let mut record = seal.record.clone();
        record.config = wish
            .shares
            .filter(|_| !way.recovery)
            .unwrap_or(record.config);
        record.recovery = wish.shares.filter(|_| way.recovery).or(record.recovery);
        let new = NewKey {
            key,
            record,
            shares: Vec::new(),
            hashed,
        };
        let now = matched.request.now;
        let change = self.change(way, &new, &seal, now)?;
        let warning = self.put_into_force(way, change, &new.key, now);
        if warning.await?.is_some() {
            let unknown = CommitError::Unavailable("the outcome is not known".into());
            return Err(BarrierError::Commit(unknown).into());
        }
        let (_, verification) = rekeying.finish().unwrap_or_default();
        let fields = [
            ("nonce", json!(verification.unwrap_or_default())),
            ("complete", true.into()),
        ];
        Ok(Map::from_iter(
            fields.map(|(name, value)| (name.into(), value)),
        ))
    }

    /// Makes the key that was wished for, and its shares.
    async fn make_key(&self, way: Way, seal: &SealRecord, wish: &Wish) -> Result<NewKey, Error> {
        let mut record = seal.clone();
        let refused = |error: SealError| Error::invalid(error.to_string());
        if !way.recovery && seal.is_auto() {
            let node = (self.node)().ok_or_else(|| Error::internal("the node has gone"))?;
            let (key, wrapped) = node.new_kept_key().await.map_err(failed)?;
            record.wrapped = wrapped;
            record.set_emergency(wish.shares);
            let shares = wish.shares.map(|config| seal::shares_of(&key, config));
            let shares = shares.transpose().map_err(refused)?.unwrap_or_default();
            let (key, shares, hashed) = match wish.shares {
                Some(config) => self.hash_shares(key, shares, config.threshold).await?,
                None => (key, shares, None),
            };
            return Ok(NewKey {
                key,
                record,
                shares,
                hashed,
            });
        }
        let config = wish.shares.ok_or_else(|| refused(SealError::NoShares))?;
        match way.recovery {
            true => record.recovery = Some(config),
            false => record.config = config,
        }
        let (key, shares) = seal::generate(config).map_err(refused)?;
        let (key, shares, hashed) = self.hash_shares(key, shares, config.threshold).await?;
        Ok(NewKey {
            key,
            record,
            shares,
            hashed,
        })
    }

    /// Hashes new shares, and returns them with their key.
    async fn hash_shares(
        &self,
        key: Key256,
        shares: Vec<SecretBytes>,
        threshold: u8,
    ) -> Result<(Key256, Vec<SecretBytes>, Option<Arc<HashedShares>>), Error> {
        let barrier = Arc::clone(&self.barrier);
        let work = move || {
            let hashed = barrier.hash_shares(&key, &shares, threshold);
            hashed.map(|hashed| (key, shares, hashed))
        };
        let hashed = crate::task::compute(work).await;
        let hashed = hashed.map_err(|error| Error::internal(error.to_string()))?;
        let (key, shares, hashed) = hashed?;
        Ok((key, shares, Some(Arc::new(hashed))))
    }

    /// Returns the change that puts a new key into the place of that of `before`.
    fn change(
        &self,
        way: Way,
        new: &NewKey,
        before: &CurrentSeal,
        now: Timestamp,
    ) -> Result<Batch, Error> {
        let mut batch = match (way.recovery, new.record.recovery) {
            (true, Some(shares)) => self
                .barrier
                .replace_recovery_key(&new.key, shares, before)?,
            _ => self.barrier.reseal(&new.key, new.record.clone(), before)?,
        };
        if let Some(hashed) = &new.hashed {
            let which = match way.recovery {
                true => SharedKey::Recovery,
                false => SharedKey::Seal,
            };
            let barrier = &self.barrier;
            let made = [(which, HashedShares::clone(hashed))];
            barrier.put_share_hashes(&mut batch, &made, now)?;
        }
        Ok(batch)
    }

    /// Commits the change. The new shares must reach their holders even where the commit goes
    /// unanswered, since it may have taken effect: then this finds out, or returns a warning.
    async fn put_into_force(
        &self,
        way: Way,
        change: Batch,
        key: &Key256,
        now: Timestamp,
    ) -> Result<Option<&'static str>, Error> {
        let is_in_force = match self.barrier.commit(change, now).await {
            Ok(_) => Some(true),
            Err(BarrierError::Commit(CommitError::Conflict)) => {
                return Err(Error::invalid(way.replaced_meanwhile()));
            }
            Err(BarrierError::Commit(CommitError::Unavailable(why))) => {
                tracing::error!(why, "it is not known whether new keys are in force");
                self.find_out(way, key).await
            }
            Err(BarrierError::Commit(CommitError::Fatal(why))) => {
                tracing::error!(why, "it is not known whether new keys are in force");
                None
            }
            Err(error) => return Err(error.into()),
        };
        match is_in_force {
            Some(true) => {
                tracing::warn!(
                    keys = way.keys(),
                    "keys were replaced: their old shares are refused"
                );
                Ok(None)
            }
            Some(false) => Err(Error::new(ErrorKind::Unavailable, NOT_CHANGED)),
            None => Ok(Some(UNKNOWN_OUTCOME)),
        }
    }

    /// Finds out whether `key` is in force, once a quorum answers again: then an entry that was
    /// proposed before is applied here, or never will be.
    async fn find_out(&self, way: Way, key: &Key256) -> Option<bool> {
        let storage = self.barrier.storage();
        let answers = async {
            while storage.read_barrier().await.is_err() {
                tokio::time::sleep(OUTCOME_STEP).await;
            }
        };
        tokio::time::timeout(OUTCOME_WITHIN, answers).await.ok()?;
        let checked = match way.recovery {
            true => self.barrier.check_recovery_key(key),
            false => Sealed::new(Arc::clone(storage)).check(key),
        };
        match checked {
            Ok(()) => Some(true),
            Err(error) if is_wrong_key(&error) => Some(false),
            Err(_) => None,
        }
    }
}

/// Reads the wish of a caller who begins a ceremony, and checks all of it.
async fn wish(
    way: Way,
    seal: &SealRecord,
    fields: &Fields<'_>,
    now: Timestamp,
) -> Result<Wish, Error> {
    let keys = key_texts(fields, "pgp_keys");
    let flag = |name| fields.switch(name).unwrap_or(false);
    let (verify, backup) = (flag("require_verification"), flag("backup"));
    if backup && keys.is_empty() {
        return Err(Error::invalid(
            "cannot request a backup of the new keys without providing PGP keys for encryption",
        ));
    }
    let mut wish = Wish {
        shares: None,
        verify,
        holders: Arc::new([]),
        backup,
    };
    let number = |name| fields.number(name).unwrap_or(0);
    let given = EMERGENCY.iter().any(|name| fields.number(name).is_some());
    let numbers = match (!way.recovery && seal.is_auto(), given) {
        (false, false) => ["secret_shares", "secret_threshold"].map(number),
        (false, true) => return Err(Error::invalid(NO_EMERGENCY)),
        (true, true) => EMERGENCY.map(number),
        (true, false) if seal.emergency().is_some() => return Err(Error::invalid(EMERGENCY_ENDS)),
        (true, false) => [0, 0],
    };
    let wrong = |fault: &str| {
        Error::invalid(match given {
            true => format!("invalid emergency configuration: {fault}"),
            false => way.wrong_numbers(fault),
        })
    };
    if !way.recovery && seal.is_auto() {
        match (numbers == [0, 0], keys.is_empty(), verify) {
            (true, false, _) => return Err(Error::invalid(way.cannot_encrypt())),
            (_, _, true) => return Err(Error::invalid(way.cannot_verify())),
            (true, ..) => return Ok(wish),
            _ => {}
        }
    }
    let [shares, threshold] = numbers;
    if let Some(fault) = seal::fault(shares, threshold) {
        return Err(wrong(fault));
    }
    let config = seal::check_config(shares, threshold);
    let config = config.map_err(|error| Error::invalid(error.to_string()))?;
    if !keys.is_empty() && keys.len() != usize::from(config.shares) {
        return Err(Error::invalid(way.wrong_count()));
    }
    let holders = public_keys(keys, now).await?;
    wish.holders = holders.map_err(|error| wrong(&error.to_string()))?.into();
    wish.shares = Some(config);
    Ok(wish)
}

/// Tells of a new key, with its shares.
fn made(
    way: Way,
    nonce: &str,
    verification: Option<&str>,
    wish: &Wish,
    shares: ShareTexts,
) -> Told {
    let mut fields = Map::new();
    wish.tell_holders(&mut fields);
    let mut tell = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    tell("nonce", nonce.into());
    tell("complete", true.into());
    tell("keys", shares.hex.into());
    tell("keys_base64", shares.base64.into());
    tell("verification_required", verification.is_some().into());
    if verification.is_some() || !way.is_open() {
        tell(
            "verification_nonce",
            verification.unwrap_or_default().into(),
        );
    }
    fields
}

/// Shapes an answer for its door: Vault's answers are bare, OpenBao's have an envelope.
fn shown(way: Way, fields: Told) -> Response {
    match way.door {
        Door::Open => bare(&Value::Object(fields)),
        Door::Authenticated => Response::data(fields),
    }
}
