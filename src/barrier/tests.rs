//! The barrier as a whole, over a store in memory that the tests look into and tamper with.

use super::usage::{RESERVATION_STEP, USAGE_PATH};
use super::*;
use crate::clock::Timestamp;
use crate::secret::{Key256, Secret, SecretBytes};
use crate::store::{
    CommitError, Inmem, Key, Observer, Op, Precondition, Revision, Storage, Transaction, Visit,
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn config() -> SealConfig {
    SealConfig {
        seal_type: SealType::Shamir,
        shares: 5,
        threshold: 3,
    }
}

fn secret(text: &str) -> SecretBytes {
    Secret::new(text.as_bytes().to_vec())
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Makes an initialised store; returns it with the key that opens it, and its barrier.
pub(super) fn initialized() -> (Arc<dyn Storage>, Key256, Arc<Unsealed>) {
    let storage: Arc<dyn Storage> = Arc::new(Inmem::new());
    let key = Key256::generate();
    let fresh = Sealed::new(Arc::clone(&storage))
        .initialize(&key, config(), NOW)
        .unwrap();
    block(fresh.barrier.commit(fresh.batch, NOW)).unwrap();
    (storage, key, fresh.barrier)
}

pub(super) fn put(barrier: &Arc<Unsealed>, path: &str, value: &str) {
    let mut batch = Batch::new();
    let view = barrier.view("");
    view.put_blindly(&mut batch, path, secret(value));
    block(barrier.commit(batch, NOW)).unwrap();
}

pub(super) fn read(barrier: &Arc<Unsealed>, path: &str) -> Result<Option<String>, BarrierError> {
    let entry = barrier.view("").get(path)?;
    Ok(entry.map(|entry| String::from_utf8(entry.value.expose().clone()).unwrap()))
}

fn stored_config(sealed: &Sealed) -> Option<SealConfig> {
    sealed.seal_record().unwrap().map(|record| record.config)
}

fn keys_of(storage: &dyn Storage) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    storage
        .scan(b"", &mut |key| {
            keys.push(key.to_vec());
            Visit::Next
        })
        .unwrap();
    keys
}

fn write_raw(storage: &dyn Storage, key: &[u8], value: &[u8]) {
    let op = Op::Put {
        key: key.to_vec().into(),
        value: value.to_vec().into(),
    };
    let transaction = Transaction {
        ops: vec![op],
        ..Transaction::default()
    };
    block(storage.commit(transaction)).unwrap();
}

fn value_at(storage: &dyn Storage, key: &[u8]) -> Vec<u8> {
    storage.get(key).unwrap().unwrap().value.to_vec()
}

// === Records ===

#[test]
fn a_flipped_bit_anywhere_in_a_record_is_tampering() {
    let (storage, _, barrier) = initialized();
    put(&barrier, "a/b", "value");
    let key = barrier.view("").key("a/b").unwrap();
    let good = value_at(&*storage, &key);
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 0x10;
        write_raw(&*storage, &key, &bad);
        let error = read(&barrier, "a/b").unwrap_err();
        // Bytes 1 to 4 name the key term; elsewhere the tag or the version speaks.
        match index {
            1..=4 => assert!(matches!(error, BarrierError::UnknownKeyTerm(_)), "{index}"),
            _ => assert!(matches!(error, BarrierError::Tampered), "{index}: {error}"),
        }
    }
    write_raw(&*storage, &key, &good);
    assert_eq!(read(&barrier, "a/b").unwrap().unwrap(), "value");
}

#[test]
fn every_truncation_of_a_record_is_tampering() {
    let (storage, _, barrier) = initialized();
    put(&barrier, "a", "value");
    let key = barrier.view("").key("a").unwrap();
    let good = value_at(&*storage, &key);
    for length in 0..good.len() {
        write_raw(&*storage, &key, &good[..length]);
        let error = read(&barrier, "a").unwrap_err();
        assert!(matches!(error, BarrierError::Tampered), "{length} bytes");
    }
}

#[test]
fn a_record_moved_to_another_path_does_not_open() {
    let (storage, _, barrier) = initialized();
    put(&barrier, "policies/mallory", "deny");
    put(&barrier, "policies/admin", "sudo");
    let view = barrier.view("policies/");
    let (from, to) = (view.key("admin").unwrap(), view.key("mallory").unwrap());
    write_raw(&*storage, &to, &value_at(&*storage, &from));
    assert!(matches!(
        view.get("mallory").unwrap_err(),
        BarrierError::Tampered
    ));
}

#[test]
fn equal_values_look_different() {
    let (storage, _, barrier) = initialized();
    put(&barrier, "a", "same");
    let key = barrier.view("").key("a").unwrap();
    let first = value_at(&*storage, &key);
    put(&barrier, "a", "same");
    assert_ne!(value_at(&*storage, &key), first);
}

#[test]
fn a_folder_is_no_record() {
    let (_, _, barrier) = initialized();
    put(&barrier, "a/b", "value");
    let view = barrier.view("a/");
    assert!(view.get("").unwrap().is_none());
    assert!(barrier.view("").get("a/").unwrap().is_none());
    let mut batch = Batch::new();
    view.put_blindly(&mut batch, "", secret("x"));
    let error = block(barrier.commit(batch, NOW)).unwrap_err();
    assert!(matches!(error, BarrierError::Path(_)));
    let mut batch = Batch::new();
    view.delete(&mut batch, "../b");
    assert!(matches!(
        block(barrier.commit(batch, NOW)).unwrap_err(),
        BarrierError::Path(_)
    ));
}

// === Names ===

#[test]
fn nothing_that_was_written_can_be_read_on_the_disk() {
    let (storage, key, barrier) = initialized();
    let canaries = [
        "canary-mount",
        "canary-folder",
        "canary-leaf",
        "canary-value",
        "canary-policy",
        "canary-token",
        "canary-mac",
    ];
    put(
        &barrier,
        "canary-mount/canary-folder/canary-leaf",
        "canary-value",
    );
    put(&barrier, "sys/policy/canary-policy", "canary-value");
    let token = barrier.mac("token id", b"canary-mac").unwrap();
    put(
        &barrier,
        &format!("sys/token/{}", hex::encode(token)),
        "canary-token",
    );
    block(barrier.rotate(NOW)).unwrap();
    put(&barrier, "canary-mount/canary-leaf", "canary-value");

    let mut dump = Vec::new();
    for name in keys_of(&*storage) {
        dump.extend(value_at(&*storage, &name));
        dump.extend(name);
    }
    let found = |needle: &[u8]| dump.windows(needle.len()).any(|window| window == needle);
    for canary in canaries {
        assert!(!found(canary.as_bytes()), "{canary}");
        assert!(!found(&canary.as_bytes()[..8]), "{canary}, its beginning");
    }
    assert!(!found(b"policy") && !found(b"token"), "names of rooms");
    assert!(!found(key.expose()), "the seal key");
    assert!(found(b"seal-config"), "the dump is what it should be");
}

#[test]
fn lists_are_sorted_and_tell_leaves_from_folders() {
    let (_, _, barrier) = initialized();
    for path in ["z", "a/x", "a/y/1", "a/y/2", "b", "a", "ü/ö", "b-c/d"] {
        put(&barrier, path, "v");
    }
    let view = barrier.view("");
    assert_eq!(
        view.list("").unwrap(),
        ["a", "a/", "b", "b-c/", "core/", "z", "ü/"]
    );
    assert_eq!(view.list("a/").unwrap(), ["x", "y/"]);
    assert_eq!(view.sub("a/").list("y/").unwrap(), ["1", "2"]);
    assert_eq!(view.list("ü/").unwrap(), ["ö"]);
    assert!(view.list("nothing/").unwrap().is_empty());
    assert!(
        view.list("z/").unwrap().is_empty(),
        "a leaf has no children"
    );
}

#[test]
fn a_walk_gives_relative_paths_and_stops_at_its_limit() {
    let (_, _, barrier) = initialized();
    for path in ["m/a", "m/a/b", "m/c/d/e", "n/x"] {
        put(&barrier, path, "v");
    }
    let view = barrier.view("m/");
    let found: BTreeSet<String> = view.walk("", 100).unwrap().into_iter().collect();
    assert_eq!(found, ["a", "a/b", "c/d/e"].map(String::from).into());
    assert_eq!(view.walk("", 2).unwrap().len(), 2);
    assert_eq!(view.walk("c/", 100).unwrap(), ["d/e"]);
}

#[test]
fn a_foreign_key_among_the_names_is_tampering() {
    let (storage, _, barrier) = initialized();
    put(&barrier, "a/b", "value");
    let mut key = barrier.view("").key("a/").unwrap().to_vec();
    key.extend([1; 14]);
    write_raw(&*storage, &key, b"planted");
    let view = barrier.view("a/");
    assert!(matches!(view.list("").unwrap_err(), BarrierError::Tampered));
    assert!(matches!(
        view.walk("", 9).unwrap_err(),
        BarrierError::Tampered
    ));
}

#[test]
fn keys_begin_with_their_folders_key() {
    let (_, _, barrier) = initialized();
    let view = barrier.view("m/");
    let folder = view.key("").unwrap();
    assert!(view.key("a").unwrap().starts_with(&folder));
    assert!(
        view.sub("a/")
            .key("b")
            .unwrap()
            .starts_with(&view.key("a/").unwrap())
    );
    assert_eq!(view.sub("a/").key("b").unwrap(), view.key("a/b").unwrap());
    assert!(!barrier.view("").key("mm/a").unwrap().starts_with(&folder));
}

// === Initialization, unsealing, sealing ===

#[test]
fn what_was_written_is_there_after_unsealing_again() {
    let (storage, key, barrier) = initialized();
    put(&barrier, "a", "value");
    let sealed = Sealed::new(storage);
    assert!(sealed.is_initialized().unwrap());
    assert_eq!(stored_config(&sealed), Some(config()));
    assert_eq!(
        read(&sealed.unseal(&key).unwrap(), "a").unwrap().unwrap(),
        "value"
    );
}

#[test]
fn a_wrong_key_is_refused_and_named() {
    let (storage, _, _) = initialized();
    let error = Sealed::new(storage)
        .unseal(&Key256::generate())
        .err()
        .unwrap();
    assert!(matches!(error, BarrierError::WrongSealKey));
}

#[test]
fn nothing_to_unseal_is_an_error_of_its_own() {
    let sealed = Sealed::new(Arc::new(Inmem::new()));
    assert!(!sealed.is_initialized().unwrap());
    assert_eq!(stored_config(&sealed), None);
    let error = sealed.unseal(&Key256::generate()).err().unwrap();
    assert!(matches!(error, BarrierError::NotInitialized));
}

#[test]
fn initialization_happens_once_and_at_once() {
    let storage: Arc<dyn Storage> = Arc::new(Inmem::new());
    let sealed = Sealed::new(Arc::clone(&storage));
    let (one, other) = (Key256::generate(), Key256::generate());
    let mut first = sealed.initialize(&one, config(), NOW).unwrap();
    let second = sealed.initialize(&other, config(), NOW).unwrap();
    assert!(
        keys_of(&*storage).is_empty(),
        "nothing is written before the commit"
    );
    first
        .barrier
        .view("core/")
        .put_blindly(&mut first.batch, "mounts", secret("table"));
    let commit = block(first.barrier.commit(first.batch, NOW)).unwrap();
    assert_eq!(commit.revision, Revision(1), "all in one entry");
    let late = block(second.barrier.commit(second.batch, NOW)).unwrap_err();
    assert!(matches!(late, BarrierError::Commit(CommitError::Conflict)));
    assert!(matches!(
        sealed.initialize(&other, config(), NOW).err().unwrap(),
        BarrierError::AlreadyInitialized
    ));
    let barrier = sealed.unseal(&one).unwrap();
    assert_eq!(read(&barrier, "core/mounts").unwrap().unwrap(), "table");
}

#[test]
fn after_seal_every_handle_says_sealed() {
    let (_, _, barrier) = initialized();
    put(&barrier, "a", "value");
    let view = barrier.view("");
    let blob = barrier.seal_blob("d", b"x").unwrap();
    let mut batch = Batch::new();
    view.put_blindly(&mut batch, "b", secret("late"));
    barrier.seal();
    assert!(barrier.is_sealed());
    let errors = [
        view.get("a").err().unwrap(),
        view.list("").err().unwrap(),
        view.walk("", 9).err().unwrap(),
        view.key("a").err().unwrap(),
        barrier.view("a/").get("b").err().unwrap(),
        barrier.mac("d", b"x").err().unwrap(),
        barrier.seal_blob("d", b"x").err().unwrap(),
        barrier.open_blob("d", &blob).err().unwrap(),
        barrier.key_status().err().unwrap(),
        block(barrier.rotate(NOW)).err().unwrap(),
        block(barrier.commit(batch, NOW)).err().unwrap(),
    ];
    for error in errors {
        assert!(matches!(error, BarrierError::Sealed), "{error}");
    }
}

#[test]
fn a_change_of_the_keyring_does_not_undo_a_seal() {
    let (storage, key, barrier) = initialized();
    let other = Sealed::new(storage).unseal(&key).unwrap();
    barrier.seal();
    block(other.rotate(NOW)).unwrap();
    assert!(matches!(
        read(&barrier, "a").unwrap_err(),
        BarrierError::Sealed
    ));
}

#[test]
fn a_keyring_of_another_store_is_refused() {
    let (storage, key, _) = initialized();
    let (other, _, _) = initialized();
    write_raw(&*storage, b"\0keyring", &value_at(&*other, b"\0keyring"));
    let error = Sealed::new(storage).unseal(&key).err().unwrap();
    assert!(matches!(error, BarrierError::Tampered));
}

// === Key terms ===

#[test]
fn rotation_keeps_old_records_readable_and_seals_new_ones_under_the_new_term() {
    let (storage, key, barrier) = initialized();
    put(&barrier, "old", "before");
    assert_eq!(block(barrier.rotate(Timestamp(9))).unwrap(), 2);
    put(&barrier, "new", "after");
    let status = barrier.key_status().unwrap();
    assert_eq!((status.key_term, status.installed), (2, Timestamp(9)));
    let term = |path: &str| value_at(&*storage, &barrier.view("").key(path).unwrap())[4];
    assert_eq!((term("old"), term("new")), (1, 2));
    let again = Sealed::new(Arc::clone(&storage)).unseal(&key).unwrap();
    for barrier in [&barrier, &again] {
        assert_eq!(read(barrier, "old").unwrap().unwrap(), "before");
        assert_eq!(read(barrier, "new").unwrap().unwrap(), "after");
    }
}

#[test]
fn another_unsealed_node_follows_a_rotation_when_it_applies() {
    let (storage, key, active) = initialized();
    let standby = Sealed::new(storage).unseal(&key).unwrap();
    block(active.rotate(NOW)).unwrap();
    put(&active, "a", "value");
    assert_eq!(read(&standby, "a").unwrap().unwrap(), "value");
    assert_eq!(standby.key_status().unwrap().key_term, 2);
}

#[test]
fn rotations_at_the_same_time_do_not_undo_each_other() {
    let (_, _, barrier) = initialized();
    block(async {
        let (one, other) = tokio::join!(barrier.rotate(NOW), barrier.rotate(NOW));
        assert!(one.unwrap() >= 2 && other.unwrap() >= 2);
    });
    put(&barrier, "a", "value");
    assert_eq!(read(&barrier, "a").unwrap().unwrap(), "value");
}

#[test]
fn an_unknown_key_term_is_named() {
    let (storage, _, barrier) = initialized();
    put(&barrier, "a", "value");
    let key = barrier.view("").key("a").unwrap();
    let mut record = value_at(&*storage, &key);
    record[1..5].copy_from_slice(&7u32.to_be_bytes());
    write_raw(&*storage, &key, &record);
    assert!(matches!(
        read(&barrier, "a").unwrap_err(),
        BarrierError::UnknownKeyTerm(7)
    ));
}

#[test]
fn a_worn_or_old_key_term_is_replaced_by_the_next_write() {
    let (_, _, barrier) = initialized();
    let limits = RotationConfig {
        max_operations: ENCRYPTIONS_MIN,
        interval_s: INTERVAL_S_MIN,
        enabled: true,
    };
    block(barrier.configure_rotation(|config| *config = limits, NOW)).unwrap();
    assert_eq!(barrier.rotation_config().unwrap(), limits);
    put(&barrier, "a", "1");
    assert_eq!(barrier.key_status().unwrap().key_term, 1);

    let later = NOW.plus(std::time::Duration::from_secs(INTERVAL_S_MIN));
    let mut batch = Batch::new();
    barrier.view("").put_blindly(&mut batch, "a", secret("2"));
    block(barrier.commit(batch, later)).unwrap();
    let status = barrier.key_status().unwrap();
    assert_eq!((status.key_term, status.installed), (2, later));
    assert!(status.encryptions < 10, "counting starts over");

    barrier.wear(ENCRYPTIONS_MIN);
    put(&barrier, "a", "3");
    assert_eq!(barrier.key_status().unwrap().key_term, 3);
    assert_eq!(read(&barrier, "a").unwrap().unwrap(), "3");
}

#[test]
fn switched_off_rotation_still_has_a_hard_limit() {
    let (_, _, barrier) = initialized();
    let off = RotationConfig {
        enabled: false,
        ..RotationConfig::default()
    };
    block(barrier.configure_rotation(|config| *config = off, NOW)).unwrap();
    barrier.wear(ENCRYPTIONS_MAX);
    put(&barrier, "a", "1");
    assert_eq!(barrier.key_status().unwrap().key_term, 1);
    barrier.wear(ENCRYPTIONS_HARD_MAX);
    put(&barrier, "a", "2");
    assert_eq!(barrier.key_status().unwrap().key_term, 2);
}

#[test]
fn encryptions_are_never_undercounted_after_a_crash() {
    let (storage, key, barrier) = initialized();
    for _ in 0..2 * RESERVATION_STEP + 7 {
        put(&barrier, "a", "v");
    }
    let counted = barrier.key_status().unwrap().encryptions;
    assert!(counted >= 2 * RESERVATION_STEP + 7);
    let again = Sealed::new(storage).unseal(&key).unwrap();
    let adopted = again.key_status().unwrap().encryptions;
    assert!(
        adopted >= counted && adopted <= counted + RESERVATION_STEP + 1,
        "{adopted}"
    );
}

#[test]
fn a_reservation_that_was_not_committed_is_made_again() {
    let (storage, _, barrier) = initialized();
    block(barrier.rotate(NOW)).unwrap();
    let mut batch = Batch::new();
    let view = barrier.view("");
    view.put_blindly(&mut batch, "a", secret("v"));
    batch.keep(&view.known("a", Revision(99)));
    assert!(block(barrier.commit(batch, NOW)).is_err());
    assert!(
        storage
            .get(&view.key(USAGE_PATH).unwrap())
            .unwrap()
            .is_none()
    );
    put(&barrier, "a", "v");
    let usage = value_at(&*storage, &view.key(USAGE_PATH).unwrap());
    assert_eq!(usage[4], 2);
}

// === Keyed hashes and blobs ===

#[test]
fn keyed_hashes_differ_by_domain_and_survive_rotation_and_unsealing() {
    let (storage, key, barrier) = initialized();
    let hash = barrier.mac("token id", b"s.abc").unwrap();
    assert_ne!(hash, barrier.mac("token", b" ids.abc").unwrap());
    assert_ne!(hash, barrier.mac("accessor", b"s.abc").unwrap());
    block(barrier.rotate(NOW)).unwrap();
    let again = Sealed::new(storage).unseal(&key).unwrap();
    assert_eq!(again.mac("token id", b"s.abc").unwrap(), hash);
}

#[test]
fn cluster_keys_are_the_same_on_every_unsealed_node_and_survive_rotation() {
    let (storage, key, barrier) = initialized();
    let of = |barrier: &Unsealed, purpose| *barrier.cluster_key(purpose).unwrap().expose();
    let both = [ClusterKey::Leadership, ClusterKey::Forwarding];
    let before = both.map(|purpose| of(&barrier, purpose));
    assert_ne!(before[0], before[1]);
    block(barrier.rotate(NOW)).unwrap();
    let other = Sealed::new(storage).unseal(&key).unwrap();
    assert_eq!(both.map(|purpose| of(&other, purpose)), before);
    let (_, _, foreign) = initialized();
    assert_ne!(of(&foreign, both[0]), before[0]);
    barrier.seal();
    let refused = barrier.cluster_key(both[0]).err();
    assert!(matches!(refused, Some(BarrierError::Sealed)));
}

#[test]
fn a_blob_opens_in_its_domain_only() {
    let (_, _, barrier) = initialized();
    let blob = barrier.seal_blob("batch token", b"claims").unwrap();
    block(barrier.rotate(NOW)).unwrap();
    let opened = barrier.open_blob("batch token", &blob).unwrap();
    assert_eq!(opened.expose(), b"claims");
    for bad in [&blob[..blob.len() - 1], &blob[1..], &[]] {
        assert!(barrier.open_blob("batch token", bad).is_err());
    }
    assert!(matches!(
        barrier.open_blob("other", &blob).unwrap_err(),
        BarrierError::Tampered
    ));
}

#[test]
fn a_record_is_no_blob_and_a_blob_no_record() {
    let (storage, _, barrier) = initialized();
    put(&barrier, "a", "value");
    let key = barrier.view("").key("a").unwrap();
    let record = value_at(&*storage, &key);
    assert!(barrier.open_blob("a", &record).is_err());
    write_raw(&*storage, &key, &barrier.seal_blob("a", b"forged").unwrap());
    assert!(matches!(
        read(&barrier, "a").unwrap_err(),
        BarrierError::Tampered
    ));
}

// === Preconditions ===

#[test]
fn a_stale_revision_is_a_conflict_and_changes_nothing() {
    let (storage, _, barrier) = initialized();
    put(&barrier, "a", "1");
    let view = barrier.view("");
    let seen = view.get("a").unwrap().unwrap().revision;
    put(&barrier, "a", "2");
    let mut batch = Batch::new();
    batch.replace(&view.known("a", seen), secret("3"));
    let error = block(barrier.commit(batch, NOW)).unwrap_err();
    assert!(matches!(error, BarrierError::Commit(CommitError::Conflict)));
    assert_eq!(read(&barrier, "a").unwrap().unwrap(), "2");
    let key = view.key("a").unwrap();
    let revision = storage.get(&key).unwrap().unwrap().revision;
    let holds = Transaction {
        preconditions: vec![Precondition { key, revision }],
        ..Transaction::default()
    };
    assert!(block(storage.commit(holds)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Compares with a map in clear: after any puts and deletes, get and list agree.
    #[test]
    fn behaves_like_a_map(steps in prop::collection::vec(
        ("[ab]{1,2}(/[ab]{1,2}){0,2}", prop::option::of("[a-z]{0,40}")), 1..40,
    )) {
        let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
        let view = barrier.view("m/");
        let mut model = std::collections::BTreeMap::new();
        for (path, value) in steps {
            let mut batch = Batch::new();
            if let Some(value) = value {
                view.put_blindly(&mut batch, &path, secret(&value));
                model.insert(path, value);
            } else {
                view.delete(&mut batch, &path);
                model.remove(&path);
            }
            block(barrier.commit(batch, NOW)).unwrap();
        }
        for (path, value) in &model {
            let entry = view.get(path).unwrap().unwrap();
            prop_assert_eq!(entry.value.expose(), value.as_bytes());
        }
        for folder in ["", "a/", "b/", "ab/", "a/b/"] {
            let expected: BTreeSet<String> = model
                .keys()
                .filter_map(|path| path.strip_prefix(folder))
                .map(|rest| match rest.split_once('/') {
                    Some((child, _)) => format!("{child}/"),
                    None => rest.to_owned(),
                })
                .collect();
            let listed = view.list(folder).unwrap();
            prop_assert_eq!(listed, expected.into_iter().collect::<Vec<_>>());
        }
    }
}

/// Reads the keyring the moment it is told of a change.
struct ToldFirst {
    barrier: OnceLock<Arc<Unsealed>>,
    looked: Mutex<Vec<(bool, bool)>>,
}

impl Observer for ToldFirst {
    fn applied(&self, _revision: Revision, _keys: &[Key]) {
        if let Some(barrier) = self.barrier.get() {
            let marked = barrier.key_status().is_ok();
            let followed = barrier.follow_keyring().is_ok();
            self.looked.lock().unwrap().push((marked, followed));
        }
    }
}

#[test]
fn who_is_told_before_the_barrier_sees_a_keyring_that_does_not_open() {
    let storage: Arc<dyn Storage> = Arc::new(Inmem::new());
    let first = Arc::new(ToldFirst {
        barrier: OnceLock::new(),
        looked: Mutex::default(),
    });
    storage.observe(Arc::downgrade(&first) as _);
    let sealed = Sealed::new(Arc::clone(&storage));
    let fresh = sealed.initialize(&Key256::generate(), config(), NOW);
    let fresh = fresh.unwrap();
    block(fresh.barrier.commit(fresh.batch, NOW)).unwrap();
    assert!(first.barrier.set(Arc::clone(&fresh.barrier)).is_ok());
    let (foreign, _, _) = initialized();
    put(&fresh.barrier, "a", "one");
    let keyring = value_at(&*foreign, reserved::KEYRING);
    write_raw(&*storage, reserved::KEYRING, &keyring);
    let looked = first.looked.lock().unwrap().clone();
    // The mark comes when the barrier is told in its turn; the keyring itself is there already.
    assert_eq!(looked, [(true, true), (true, false)]);
}
