//! New shares that were encrypted to people's PGP keys, kept until somebody has them and deletes
//! them here: the answer of a rekey may never have arrived.

use crate::barrier::{BarrierError, Batch, Codec, View};
use crate::engine::Error;
use crate::engine::table::{Access, Effect, Endpoint, Matched, Op, Row};
use crate::engine::{Operation, Response};
use crate::store::BoxFuture;
use crate::sys::endpoints::run::Run;
use crate::sys::endpoints::system::{System, doubled};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::BTreeMap;

const KIND: &str = "backup of new keys";
const PREFIX: &str = "core/";
const UNSEAL: &str = "unseal-keys-backup";
const RECOVERY: &str = "recovery-keys-backup";

/// The last shares that were made with a backup.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Backup {
    /// The nonce of the rekey.
    pub nonce: String,
    /// The fingerprint of each PGP key, with the shares that were encrypted to it, in hexadecimal.
    pub keys: BTreeMap<String, Vec<String>>,
}

/// Returns the codec that shows the record `name`, below `core/`, as text.
pub(in crate::sys::endpoints) fn codec(name: &str) -> Option<Codec> {
    matches!(name, UNSEAL | RECOVERY).then(Codec::of::<Backup>)
}

const fn name(recovery: bool) -> &'static str {
    match recovery {
        true => RECOVERY,
        false => UNSEAL,
    }
}

impl Backup {
    /// Returns the backup of these shares, of which each is encrypted to the key of its place.
    pub fn of(nonce: &str, fingerprints: &[String], hex: &[String]) -> Self {
        let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (fingerprint, share) in fingerprints.iter().zip(hex) {
            let of_one = keys.entry(fingerprint.clone()).or_default();
            of_one.push(share.clone());
        }
        Self {
            nonce: nonce.to_owned(),
            keys,
        }
    }

    /// Adds the backup to `batch`.
    pub fn put(&self, view: &View, batch: &mut Batch, recovery: bool) -> Result<(), BarrierError> {
        // The newest is kept, whatever was there.
        view.put_record_blindly(batch, name(recovery), self)
    }
}

impl System {
    /// Returns the subtree of the backups.
    pub(super) fn backups(&self) -> View {
        self.barrier.view(PREFIX)
    }
}

type Answered<'a> = BoxFuture<'a, Result<Response, Error>>;

const LOOK: Op = Op::new(Operation::Read, Effect::Acts);
const DELETE: Op = Op::new(Operation::Delete, Effect::Acts);

fn look<const OF_RECOVERY: bool>(system: &System, _: Matched<'_>) -> Answered<'static> {
    let found = system
        .backups()
        .get_record::<Backup>(name(OF_RECOVERY), KIND);
    Box::pin(async {
        let (_, backup) = found?.ok_or_else(|| Error::invalid("no backed-up keys found"))?;
        let base64 = |hex: &String| hex::decode(hex).map(|bytes| BASE64.encode(bytes));
        let mut in_base64 = BTreeMap::new();
        for (fingerprint, shares) in &backup.keys {
            let shares: Result<Vec<_>, _> = shares.iter().map(base64).collect();
            in_base64.insert(fingerprint, shares.map_err(|_| BarrierError::Decode(KIND))?);
        }
        let fields = [
            ("nonce", json!(backup.nonce)),
            ("keys", json!(backup.keys)),
            ("keys_base64", json!(in_base64)),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        Ok(doubled(Map::from_iter(fields)).response)
    })
}

fn delete<'a, const OF_RECOVERY: bool>(system: &'a System, matched: Matched<'a>) -> Answered<'a> {
    Box::pin(async move {
        let mut batch = Batch::new();
        system.backups().delete(&mut batch, name(OF_RECOVERY));
        system.barrier.commit(batch, matched.request.now).await?;
        Ok(Response::no_content())
    })
}

const BACKUP: Endpoint = Endpoint {
    access: Access::Sudo,
    summary: "Shows or deletes the backup of new keys that were encrypted to PGP keys.",
    ..Endpoint::USUAL
};
const OF_UNSEAL_KEYS: &[(Op, Run)] = &[
    (LOOK, Run::Act(look::<false>)),
    (DELETE, Run::Act(delete::<false>)),
];
const OF_RECOVERY_KEYS: &[(Op, Run)] = &[
    (LOOK, Run::Act(look::<true>)),
    (DELETE, Run::Act(delete::<true>)),
];

const fn row(pattern: &'static str, operations: &'static [(Op, Run)]) -> Row<Run> {
    Row {
        endpoint: Endpoint { pattern, ..BACKUP },
        operations,
    }
}

/// The backups of both keys, by Vault's names and by OpenBao's.
pub(in crate::sys::endpoints) const BACKUPS: &[Row<Run>] = &[
    row("rekey/backup", OF_UNSEAL_KEYS),
    row("rekey/recovery-key-backup", OF_RECOVERY_KEYS),
    row("rotate/root/backup", OF_UNSEAL_KEYS),
    row("rotate/recovery/backup", OF_RECOVERY_KEYS),
];
